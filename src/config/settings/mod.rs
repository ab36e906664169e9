//! The settings of an application: from all their sources to one set of validated values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::source::{Located, Note};

pub(super) mod arguments;
mod command;
#[cfg(test)]
mod corpus_tests;
mod draft;
mod environment;
pub(super) mod expansion;
pub(super) mod names;
mod overrides;
pub(super) mod paths;
mod plain;
mod resolve;
pub(super) mod search;
mod table;
mod values;
mod worker_environment;
mod yml;

pub(crate) use command::{Command, worker_command};
pub(crate) use plain::{check_plain, plain_name, resolve_plain};
pub(crate) use resolve::resolve;
pub(crate) use values::{check, described, known};
pub(crate) use worker_environment::worker_environment;

/// Every setting that has an effect, in ostler's types. What is accepted without effect is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// None: `NODE_ENV` is not set by the host.
    pub(crate) node_env: Option<String>,
    /// As written, `%NAME%` expanded.
    pub(crate) command_line: String,
    /// None for the stock interceptor or none: the script is run directly.
    pub(crate) interceptor: Option<String>,
    /// 0 means one per core.
    pub(crate) process_count: u32,
    pub(crate) sticky: bool,
    pub(crate) max_concurrent: u32,
    /// `startupTimeLimitInSeconds`, or `(maxNamedPipeConnectionRetry + 1) x namedPipeConnectionRetryDelay`.
    pub(crate) start_timeout: Duration,
    /// The first of these, if somebody has set it.
    pub(crate) start_limit: Option<Duration>,
    pub(crate) watched_files: String,
    pub(crate) polling_interval: Duration,
    pub(crate) grace: Duration,
    /// None: `loggingEnabled` is false.
    pub(crate) logs: Option<LogSettings>,
    pub(crate) debug_header: bool,
    pub(crate) dev_errors: DevErrors,
    pub(crate) forwarded_for: bool,
    pub(crate) promoted_variables: Vec<Box<str>>,
    pub(crate) recycle_signal: bool,
    pub(crate) recycle_mode: RecycleMode,
    pub(crate) transport: Option<Transport>,
    pub(crate) log_access: LogAccess,
    pub(crate) balancing: LoadBalancing,
    /// None: the host's limit.
    pub(crate) queue_length: Option<usize>,
    /// None: the host's limit.
    pub(crate) queue_timeout: Option<Duration>,
    /// Empty for none.
    pub(crate) queue_time_field: String,
    pub(crate) request_timeout: Option<Duration>,
    /// A path and the status it is answered with by a worker that is ready.
    pub(crate) ready: Option<(String, u16)>,
    pub(crate) health: Option<HealthCheck>,
    pub(crate) rapid_fails_per_minute: Option<u32>,
    pub(crate) max_requests: Option<u64>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_memory_bytes: Option<u64>,
    pub(crate) idle_timeout: Option<Duration>,
}

/// Looks at a ready worker again and again; one that does not answer hangs, and is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// So many bad answers in a row are too many.
    pub(crate) failures: u32,
}

/// Which of the workers with room gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LoadBalancing {
    /// The next in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight; of several the next in turn.
    LeastRequests,
    /// The less busy of two picked at random.
    PowerOfTwo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Absolute.
    pub(crate) directory: PathBuf,
    pub(crate) max_file_bytes: u64,
    pub(crate) max_total_bytes: u64,
    pub(crate) max_files: usize,
}

/// `devErrorsEnabled`, and `devErrors: status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DevErrors {
    Off,
    /// Pages for developers with status 200, as iisnode does.
    Ok200,
    /// The same pages with the true status.
    TrueStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RecycleMode {
    #[default]
    Strict,
    Safe,
}

/// What `PORT` is for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Unix,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogAccess {
    #[default]
    Local,
    Anyone,
}

/// Settings with what is to be said about them.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    /// Every setting by name with its value as it holds and its source, for `ostler explain`.
    pub(crate) told: Vec<(&'static str, Located<String>)>,
    pub(crate) notes: Vec<Note>,
    /// The files that were read or looked for beside the script.
    pub(crate) files: Vec<PathBuf>,
    /// The one of them that was read.
    pub(crate) overrides: Option<PathBuf>,
}

/// The environment of the host, by name.
pub(crate) type Environment = BTreeMap<String, String>;

/// What the one who runs the host says to every application of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// By name; the last of a name holds. Any setting of the table.
    pub(crate) settings: Vec<(Box<str>, Located<String>)>,
    /// Names of settings that a site's own files may not change.
    pub(crate) lock: Vec<Located<Box<str>>>,
}
