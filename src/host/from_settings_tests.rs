//! What settings of plain applications become in their plans.

use std::path::Path;
use std::time::Duration;

use super::super::one::OneApplication;
use crate::config::limits::Limits;
use crate::config::settings::{Defaults, RecycleMode, resolve_plain};
use crate::config::source::{Located, Source};
use crate::pool::{ErrorStyle, Forwarded, LoadBalancing};
use crate::tend::steward::GenerationPlan;
use crate::tend::{CommandLine, HealthCheck, Readiness, Transport, Wear};

fn planned(words: &[&str], settings: &[(&str, &str)]) -> GenerationPlan {
    let limits = Limits { queue_length: 11, start_timeout: Duration::from_secs(12), ..Limits::default() };
    let value = |text: &str| Located::new(text.to_owned(), Source::Default);
    let settings = settings.iter().map(|(name, text)| ((*name).into(), value(text))).collect();
    let defaults = Defaults { settings, lock: Vec::new() };
    let resolved = resolve_plain(Path::new("/srv/shop"), &[].into(), &limits, &defaults).unwrap();
    let mut words = words.iter().map(ToString::to_string);
    let one = OneApplication {
        name: "shop".to_owned(),
        command: CommandLine { program: words.next().unwrap(), args: words.collect() },
        root: "/srv/shop".into(),
        working_directory: "/srv/shop/bin".into(),
        environment: vec![("A".to_owned(), "b".to_owned())],
        settings: resolved.settings,
        found: "a test".to_owned(),
    };
    one.generation_plan(&limits)
}

#[test]
fn a_plain_application_that_says_nothing_is_run_as_ever() {
    let plan = planned(&["serve", "x"], &[]);
    assert_eq!((plan.pool.slots, plan.pool.max_concurrent, plan.pool.queue_length), (1, 1024, 11));
    assert_eq!((plan.pool.balancing, plan.pool.opens_complete), (LoadBalancing::RoundRobin, false));
    assert_eq!(plan.pool.start_timeout, Duration::from_secs(12));
    assert_eq!((plan.passing.forwarded, plan.passing.errors), (Forwarded::Address, ErrorStyle::Short));
    assert_eq!((plan.passing.silence, plan.passing.sticky), (None, false));
    assert_eq!((plan.idle_timeout, plan.recycle_mode), (None, RecycleMode::Strict));
    assert!(plan.watched.directories().is_empty() && plan.excluded.is_empty());
    let application = plan.application;
    assert_eq!(application.working_directory, Path::new("/srv/shop/bin"));
    assert_eq!(application.environment, [("A".to_owned(), "b".to_owned())]);
    assert_eq!((application.transport, application.logs), (Transport::Unix, None));
    assert_eq!(application.start_timeout, Duration::from_secs(12));
    assert_eq!((application.readiness, application.health), (Readiness::Listening, None));
    assert_eq!((application.wear, application.rapid_fails_per_minute), (Wear::default(), None));
}

#[test]
fn what_is_set_is_in_the_plan() {
    let plan = planned(
        &["serve", "x"],
        &[
            ("nodeProcessCountPerApplication", "3"),
            ("maxConcurrentRequestsPerProcess", "4"),
            ("queueLength", "5"),
            ("queueTimeout", "6"),
            ("queueTimeHeader", "X-Queue-Time"),
            ("loadBalancing", "least-requests"),
            ("requestTimeoutInSeconds", "7"),
            ("nodeProcessStickySessions", "true"),
            ("recycleMode", "safe"),
            ("idleTimeoutInSeconds", "8"),
            ("watchedFiles", "*.py"),
            ("loggingEnabled", "true"),
            ("readyPath", "ready"),
            ("readyStatus", "204"),
            ("healthCheckPath", "/health"),
            ("healthCheckFailures", "2"),
            ("rapidFailsPerMinute", "9"),
            ("maxRequestsPerProcess", "10"),
            ("maxProcessAgeInSeconds", "11"),
            ("maxProcessMemoryInMB", "12"),
            ("transport", "tcp"),
            ("gracefulShutdownTimeout", "13"),
        ],
    );
    let pool = &plan.pool;
    assert_eq!((pool.slots, pool.max_concurrent, pool.queue_length), (3, 4, 5));
    assert_eq!(
        (pool.queue_timeout, pool.balancing),
        (Duration::from_millis(6), LoadBalancing::LeastRequests)
    );
    let passing = &plan.passing;
    assert_eq!((&*passing.queue_time_field, passing.silence), ("X-Queue-Time", Some(Duration::from_secs(7))));
    assert!(passing.sticky);
    assert_eq!((plan.idle_timeout, plan.recycle_mode), (Some(Duration::from_secs(8)), RecycleMode::Safe));
    assert_eq!(plan.watched.directories(), [("/srv/shop".into(), false)]);
    let application = plan.application;
    assert_eq!(application.logs.map(|logs| logs.directory), Some("/srv/shop/logs".into()));
    assert_eq!(application.readiness, Readiness::Answering { path: "/ready".to_owned(), status: 204 });
    let health = HealthCheck {
        path: "/health".to_owned(),
        status: 200,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        failures: 2,
    };
    assert_eq!(application.health, Some(health));
    assert_eq!(application.rapid_fails_per_minute, Some(9));
    let wear =
        Wear { requests: Some(10), age: Some(Duration::from_secs(11)), memory_bytes: Some(12 * 1024 * 1024) };
    assert_eq!(application.wear, wear);
    assert_eq!((application.transport, application.grace), (Transport::Tcp, Duration::from_millis(13)));
}

#[test]
fn what_the_command_asks_for_is_what_port_is() {
    for (words, transport) in [
        (&["serve", "{port}"], Transport::Tcp),
        (&["serve", "{socket}"], Transport::Unix),
        (&["serve", "x"], Transport::Unix),
    ] {
        assert_eq!(planned(words, &[]).application.transport, transport, "{words:?}");
    }
}
