//! What bounds everything a stranger can make grow. Each limit is one block of the table; parsing, help and the
//! README's table come from it.

use std::time::Duration;

use crate::http1::MAX_FIELDS;

/// The values a host runs with.
#[derive(Debug, Clone)]
pub struct Limits {
    pub head_bytes: usize,
    pub head_fields: usize,
    pub first_byte_timeout: Duration,
    pub head_timeout: Duration,
    /// Bytes a second a request's body must make on average; 0 switches the limit off.
    pub body_rate: u64,
    pub idle_timeout: Duration,
    /// Bytes a second a client must take of a response on average; 0 switches the limit off.
    pub response_rate: u64,
    /// Slowness that is forgiven at the start, before the rates above count.
    pub rate_grace: Duration,
    pub connections: usize,
    pub connections_per_client: usize,
    pub queue_length: usize,
    pub queue_timeout: Duration,
    pub start_timeout: Duration,
    /// Of all requests together.
    pub spooled_bytes: u64,
    pub grace: Duration,
}

/// What a value may be, and how it is written.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
    /// A whole number in this range.
    Count(u64, u64),
    /// A size such as `32KiB`, in this range of bytes.
    Bytes(u64, u64),
    /// A duration such as `300ms`, `10s`, `5m`, in this range.
    Time(Duration, Duration),
}

/// Everything anyone will ever ask about one limit.
pub struct Limit {
    pub name: &'static str,
    pub default: &'static str,
    pub allowed: Allowed,
    pub doc: &'static str,
    set: fn(&mut Limits, u64),
}

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub const LIMITS: &[Limit] = &[
    Limit {
        name: "headBytes",
        default: "32KiB",
        allowed: Allowed::Bytes(1024, 1024 * 1024),
        doc: "Size of a request's head: request line and fields. Larger ones get 431.",
        set: |limits, value| limits.head_bytes = value as usize,
    },
    Limit {
        name: "headFields",
        default: "100",
        allowed: Allowed::Count(1, MAX_FIELDS as u64),
        doc: "Fields in a request's head. More get 431.",
        set: |limits, value| limits.head_fields = value as usize,
    },
    Limit {
        name: "firstByteTimeout",
        default: "10s",
        allowed: Allowed::Time(ms(100), HOUR),
        doc: "From a connection's opening to its first byte.",
        set: |limits, value| limits.first_byte_timeout = ms(value),
    },
    Limit {
        name: "headTimeout",
        default: "15s",
        allowed: Allowed::Time(ms(100), HOUR),
        doc: "From a request's first byte to the end of its head. Slower ones get 408.",
        set: |limits, value| limits.head_timeout = ms(value),
    },
    Limit {
        name: "bodyRate",
        default: "256",
        allowed: Allowed::Bytes(0, 1 << 30),
        doc: "Bytes a second a request's body must make on average, after `rateGrace`. 0 allows any pace.",
        set: |limits, value| limits.body_rate = value,
    },
    Limit {
        name: "responseRate",
        default: "256",
        allowed: Allowed::Bytes(0, 1 << 30),
        doc: "Bytes a second a client must take of what waits for it, after `rateGrace`. 0 allows any pace.",
        set: |limits, value| limits.response_rate = value,
    },
    Limit {
        name: "rateGrace",
        default: "30s",
        allowed: Allowed::Time(ms(100), HOUR),
        doc: "Slowness forgiven at the start of a body, and after any pause of the worker.",
        set: |limits, value| limits.rate_grace = ms(value),
    },
    Limit {
        name: "idleTimeout",
        default: "75s",
        allowed: Allowed::Time(ms(100), DAY),
        doc: "How long a kept-alive connection may stay without a request.",
        set: |limits, value| limits.idle_timeout = ms(value),
    },
    Limit {
        name: "connections",
        default: "65536",
        allowed: Allowed::Count(1, 10_000_000),
        doc: "Client connections in all; further ones wait in the backlog. Lowered to three quarters of the process's \
              limit of open files.",
        set: |limits, value| limits.connections = value as usize,
    },
    Limit {
        name: "connectionsPerClient",
        default: "16384",
        allowed: Allowed::Count(1, 10_000_000),
        doc: "Connections from one client address; further ones are closed at once.",
        set: |limits, value| limits.connections_per_client = value as usize,
    },
    Limit {
        name: "queueLength",
        default: "0",
        allowed: Allowed::Count(0, 1_000_000),
        doc: "Requests that may wait when every worker is at its cap; further ones get 503.",
        set: |limits, value| limits.queue_length = value as usize,
    },
    Limit {
        name: "queueTimeout",
        default: "5s",
        allowed: Allowed::Time(ms(1), HOUR),
        doc: "How long a request may wait for a place before it gets 503.",
        set: |limits, value| limits.queue_timeout = ms(value),
    },
    Limit {
        name: "startTimeout",
        default: "30s",
        allowed: Allowed::Time(ms(100), HOUR),
        doc: "How long a worker may take to accept connections, and a request may wait for the first that does.",
        set: |limits, value| limits.start_timeout = ms(value),
    },
    Limit {
        name: "spooledBytes",
        default: "1024MiB",
        allowed: Allowed::Bytes(1 << 20, 1 << 36),
        doc: "Bodies that are kept for FastCGI programs, and their responses for slow clients, in memory and in files, \
              all together. Beyond it requests with a body get 503, and programs wait for their clients.",
        set: |limits, value| limits.spooled_bytes = value,
    },
    Limit {
        name: "grace",
        default: "30s",
        allowed: Allowed::Time(ms(0), HOUR),
        doc: "How long requests in flight may take to end when the host stops, and a worker after SIGTERM.",
        set: |limits, value| limits.grace = ms(value),
    },
];

#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("`{0}` is not a limit; there are {names}", names = names())]
    Unknown(String),
    #[error("`{value}` is not a value for `{name}`: expected {expected}")]
    Value { name: &'static str, value: String, expected: String },
    #[error("`{0}` is not NAME=VALUE, as in headTimeout=5s")]
    Syntax(String),
}

fn names() -> String {
    LIMITS.iter().map(|limit| limit.name).collect::<Vec<_>>().join(", ")
}

impl Default for Limits {
    fn default() -> Self {
        let mut limits = Limits {
            head_bytes: 0,
            head_fields: 0,
            first_byte_timeout: Duration::ZERO,
            head_timeout: Duration::ZERO,
            body_rate: 0,
            idle_timeout: Duration::ZERO,
            response_rate: 0,
            rate_grace: Duration::ZERO,
            connections: 0,
            connections_per_client: 0,
            queue_length: 0,
            queue_timeout: Duration::ZERO,
            start_timeout: Duration::ZERO,
            spooled_bytes: 0,
            grace: Duration::ZERO,
        };
        for limit in LIMITS {
            if let Some(value) = limit.allowed.read(limit.default) {
                (limit.set)(&mut limits, value);
            }
        }
        limits
    }
}

impl Limits {
    /// Takes one `NAME=VALUE`; names are read in any case.
    pub fn set(&mut self, assignment: &str) -> Result<(), LimitError> {
        let (name, value) =
            assignment.split_once('=').ok_or_else(|| LimitError::Syntax(assignment.to_owned()))?;
        self.set_value(name.trim(), value.trim())
    }

    pub fn set_value(&mut self, name: &str, value: &str) -> Result<(), LimitError> {
        let limit = LIMITS
            .iter()
            .find(|limit| limit.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| LimitError::Unknown(name.to_owned()))?;
        let number = limit.allowed.read(value).ok_or_else(|| LimitError::Value {
            name: limit.name,
            value: value.to_owned(),
            expected: limit.allowed.expected(),
        })?;
        (limit.set)(self, number);
        Ok(())
    }
}

impl Allowed {
    /// The value as a count, bytes or milliseconds, if it is one and in range.
    fn read(self, text: &str) -> Option<u64> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = text[..digits].parse().ok()?;
        let unit = text[digits..].trim().to_ascii_lowercase();
        let (factor, least, most) = match self {
            Allowed::Count(least, most) => ((unit.is_empty()).then_some(1), least, most),
            Allowed::Bytes(least, most) => {
                let factor = match unit.as_str() {
                    "" | "b" => Some(1),
                    "k" | "kb" | "kib" => Some(1024),
                    "m" | "mb" | "mib" => Some(1024 * 1024),
                    "g" | "gb" | "gib" => Some(1024 * 1024 * 1024),
                    _ => None,
                };
                (factor, least, most)
            }
            Allowed::Time(least, most) => {
                let factor = match unit.as_str() {
                    "ms" => Some(1),
                    "s" => Some(1000),
                    "m" | "min" => Some(60_000),
                    "h" => Some(3_600_000),
                    _ => None,
                };
                (factor, least.as_millis() as u64, most.as_millis() as u64)
            }
        };
        number.checked_mul(factor?).filter(|value| (least..=most).contains(value))
    }

    /// What may be written, for people.
    pub fn expected(self) -> String {
        match self {
            Allowed::Count(least, most) => format!("a number from {least} to {most}"),
            Allowed::Bytes(least, most) => {
                format!("a size from {} to {}, such as 32KiB", bytes(least), bytes(most))
            }
            Allowed::Time(least, most) => {
                format!("a duration from {} to {}, such as 300ms or 10s", time(least), time(most))
            }
        }
    }
}

fn bytes(value: u64) -> String {
    match value {
        _ if value >= 1 << 20 && value.is_multiple_of(1 << 20) => format!("{}MiB", value >> 20),
        _ if value >= 1 << 10 && value.is_multiple_of(1 << 10) => format!("{}KiB", value >> 10),
        _ => value.to_string(),
    }
}

fn time(value: Duration) -> String {
    match value.as_millis() {
        ms if ms < 1000 => format!("{ms}ms"),
        ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms => format!("{}s", ms / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::{LIMITS, Limits};

    #[test]
    fn every_default_is_allowed_by_its_own_table() {
        for limit in LIMITS {
            assert!(limit.allowed.read(limit.default).is_some(), "{}", limit.name);
        }
        assert_eq!(Limits::default().head_bytes, 32 * 1024);
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        let mut limits = Limits::default();
        for (text, told) in [
            ("headTimeout=5", "a duration from 100ms to 1h"),
            ("headTimeout=2h", "to 1h"),
            ("headBytes=1", "a size from 1KiB to 1MiB"),
            ("headFields=300", "a number from 1 to 256"),
            ("headFields=10s", "a number from 1 to 256"),
            ("haedBytes=5", "there are headBytes, headFields"),
            ("headBytes", "NAME=VALUE"),
        ] {
            let error = limits.set(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        limits.set("HEADTIMEOUT=300ms").unwrap();
        assert_eq!(limits.head_timeout.as_millis(), 300);
    }
}
