//! Settings of ostler's own: which worker gets a request, and how requests wait for one.

use super::{Effect, Expands, Kind, Setting, When};
use crate::config::settings::LoadBalancing;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "loadBalancing",
        kind: Kind::Choice(&["round-robin", "least-requests", "power-of-two"], |draft, value| {
            draft.balancing = match value {
                "least-requests" => LoadBalancing::LeastRequests,
                "power-of-two" => LoadBalancing::PowerOfTwo,
                _ => LoadBalancing::RoundRobin,
            };
        }),
        default: "round-robin",
        expands: Expands::No,
        when: When::Application,
        effect: Effect::Works,
        doc: "ostler's own. Which of the workers with room gets a request: the next in turn, the one with the fewest requests in flight, or the less busy of two picked at random.",
    },
    Setting {
        name: "queueLength",
        kind: Kind::Number {
            unit: "requests",
            least: 0,
            most: 1_000_000,
            infinite: false,
            set: |draft, value| draft.queue_length = Some(value),
        },
        default: "",
        expands: Expands::No,
        when: When::Application,
        effect: Effect::Works,
        doc: "ostler's own. How many requests may wait when every worker is at its cap; further ones get 503. Without it the host's limit `queueLength` holds.",
    },
    Setting {
        name: "queueTimeout",
        kind: Kind::Number {
            unit: "milliseconds",
            least: 1,
            most: 3_600_000,
            infinite: false,
            set: |draft, value| draft.queue_timeout_ms = Some(value),
        },
        default: "",
        expands: Expands::No,
        when: When::Application,
        effect: Effect::Works,
        doc: "ostler's own. How long a request may wait for a place in a worker before it gets 503. Without it the host's limit `queueTimeout` holds.",
    },
    Setting {
        name: "queueTimeHeader",
        kind: Kind::FieldName(|draft, value| value.clone_into(&mut draft.queue_time_field)),
        default: "",
        expands: Expands::No,
        when: When::Application,
        effect: Effect::Works,
        doc: "ostler's own. The name of a header field in which workers are told how many milliseconds a request has waited for its place, such as `X-Queue-Time`; empty for none. What clients send under that name is dropped.",
    },
    Setting {
        name: "requestTimeoutInSeconds",
        kind: Kind::Number {
            unit: "seconds",
            least: 0,
            most: 1_296_000,
            infinite: false,
            set: |draft, value| draft.request_timeout_s = value,
        },
        default: "0",
        expands: Expands::No,
        when: When::Application,
        effect: Effect::Works,
        doc: "ostler's own. How long a worker may say nothing while a response is waited for: before its head, and between two pieces of it. 0 is no limit.",
    },
];
