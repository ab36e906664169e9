//! What requests are told while no worker is ready: wait, or do not.
//!
//! Pure, and level-triggered: it looks at how all slots are, not at what happened.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::state::{DrainCause, WorkerState};
use crate::pool::Outlook;

/// Requests do not wait for a restart that is further away than this.
const SOON: Duration = Duration::from_secs(1);

/// Whether it makes sense to wait for this slot. `failing`: its last attempt did not lead to a ready worker.
pub(super) fn is_hopeful(state: &WorkerState, failing: bool, now: Instant) -> bool {
    match state {
        WorkerState::Ready { .. } => true,
        WorkerState::Starting { .. } | WorkerState::Stopped { .. } => !failing,
        WorkerState::BackingOff { until } => !failing && *until <= now + SOON,
        WorkerState::Draining { why, .. } => *why == DrainCause::Told,
        WorkerState::Failed { .. } => false,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Expected,
    Failing(Arc<str>),
    Stopping,
}

pub(super) fn outlook(stopping: bool, hopeful: &[bool], last_failure: Option<&Arc<str>>) -> Said {
    match last_failure {
        _ if stopping => Said::Stopping,
        Some(why) if !hopeful.contains(&true) => Said::Failing(Arc::clone(why)),
        _ => Said::Expected,
    }
}

impl From<Said> for Outlook {
    fn from(said: Said) -> Outlook {
        match said {
            Said::Expected => Outlook::Expected,
            Said::Failing(why) => Outlook::Failing(why),
            Said::Stopping => Outlook::Stopping,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::state::{Exit, StartFailure, WorkerState};
    use super::{Said, is_hopeful, outlook};

    #[test]
    fn one_hopeful_slot_is_enough_to_wait_for() {
        let why: std::sync::Arc<str> = "it is broken".into();
        for (stopping, hopeful, last_failure, said) in [
            (false, [true, true], None, Said::Expected),
            (false, [true, false], Some(&why), Said::Expected),
            (false, [false, false], Some(&why), Said::Failing(why.clone())),
            (false, [false, false], None, Said::Expected),
            (true, [false, false], Some(&why), Said::Stopping),
            (true, [true, true], None, Said::Stopping),
        ] {
            assert_eq!(outlook(stopping, &hopeful, last_failure), said);
        }
    }

    #[test]
    fn a_first_attempt_and_a_restart_at_once_are_waited_for() {
        let now = Instant::now();
        let starting = WorkerState::Starting { since: now, until: now };
        let later = |ms| WorkerState::BackingOff { until: now + Duration::from_millis(ms) };
        let failed = WorkerState::Failed { cause: StartFailure::Exited(Exit::Code(1)) };
        for (state, failing, hopeful) in [
            (&WorkerState::Ready { since: now }, true, true),
            (&starting, false, true),
            (&starting, true, false),
            (&later(0), false, true),
            (&later(200), false, true),
            (&later(3000), false, false),
            (&later(0), true, false),
            (&failed, false, false),
        ] {
            assert_eq!(is_hopeful(state, failing, now), hopeful, "{state:?} {failing}");
        }
    }
}
