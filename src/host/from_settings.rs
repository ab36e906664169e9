//! What settings mean for what is run, whatever kind of application has them: its pool, how its requests are passed on,
//! and how its workers are looked after.

use super::pool_settings;
use crate::config::limits::Limits;
use crate::config::settings::{self, LogSettings, Settings};
use crate::logs::{LogNaming, LogPlan};
use crate::pool::{ErrorStyle, Forwarded, Passing, PoolSettings, Protocol};
use crate::tend::{ApplicationPlan, Readiness, Transport, Wear};

/// The pool of an application of this name.
pub(super) fn pool(name: &str, settings: &Settings, limits: &Limits) -> PoolSettings {
    let mut pool = pool_settings(name.to_owned(), slots(settings), settings.max_concurrent, limits);
    pool.queue_length = settings.queue_length.unwrap_or(limits.queue_length);
    pool.queue_timeout = settings.queue_timeout.unwrap_or(limits.queue_timeout);
    pool.start_timeout = settings.start_timeout;
    pool.balancing = settings.balancing;
    pool
}

/// How many workers an application has.
pub(super) fn slots(settings: &Settings) -> usize {
    match settings.process_count {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count as usize,
    }
}

/// How requests are passed on; `errors` is how those are shown that fail.
pub(super) fn passing(settings: &Settings, errors: ErrorStyle) -> Passing {
    Passing {
        forwarded: if settings.forwarded_for { Forwarded::Address } else { Forwarded::AsSent },
        guards_identity: false,
        promoted: settings.promoted_variables.clone(),
        sticky: settings.sticky,
        debug_header: None,
        queue_time_field: settings.queue_time_field.as_str().into(),
        silence: settings.request_timeout,
        forwards_connection: false,
        protocol: Protocol::Http,
        errors,
    }
}

/// Puts into a plan how its workers are looked after.
pub(super) fn look_after(plan: &mut ApplicationPlan, settings: &Settings) {
    if let Some(transport) = settings.transport {
        plan.transport = match transport {
            settings::Transport::Unix => Transport::Unix,
            settings::Transport::Tcp => Transport::Tcp,
        };
    }
    plan.start_timeout = settings.start_timeout;
    plan.grace = settings.grace;
    plan.logs = settings.logs.as_ref().map(logs);
    if let Some((path, status)) = &settings.ready {
        plan.readiness = Readiness::Answering { path: path.clone(), status: *status };
    }
    plan.health.clone_from(&settings.health);
    plan.wear = Wear {
        requests: settings.max_requests,
        age: settings.max_age,
        memory_bytes: settings.max_memory_bytes,
    };
    plan.rapid_fails_per_minute = settings.rapid_fails_per_minute;
}

fn logs(logs: &LogSettings) -> LogPlan {
    LogPlan {
        directory: logs.directory.clone(),
        naming: LogNaming::Iisnode,
        max_file_bytes: logs.max_file_bytes,
        max_total_bytes: logs.max_total_bytes,
        max_files: logs.max_files,
    }
}

#[cfg(test)]
#[path = "from_settings_tests.rs"]
mod tests;
