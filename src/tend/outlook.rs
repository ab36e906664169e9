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

/// What requests may hope for from one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hope {
    /// A worker is ready, or will be soon.
    Hopeful,
    Hopeless,
    /// It starts when somebody asks.
    Resting,
}

/// How it went in a slot so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Record {
    /// The last attempt did not lead to a ready worker.
    pub(super) failing: bool,
    /// Attempts follow each other at once and are waited for: how many are left, without the one under way.
    pub(super) attempts: Option<u32>,
    /// Nothing is started before the gate opens.
    pub(super) is_barred: bool,
}

/// Whether it makes sense to wait for this slot.
pub(super) fn hope(state: &WorkerState, record: Record, now: Instant) -> Hope {
    let Record { failing, attempts, is_barred } = record;
    let starts_again = !failing || attempts.is_some_and(|left| left > 0);
    let is_hopeful = match state {
        WorkerState::Ready { .. } => true,
        WorkerState::Resting { .. } => return Hope::Resting,
        WorkerState::Starting { .. } => !failing || attempts.is_some(),
        WorkerState::Stopped { .. } | WorkerState::Failed { .. } => starts_again && !is_barred,
        WorkerState::BackingOff { until } => starts_again && !is_barred && *until <= now + SOON,
        WorkerState::Draining { why: DrainCause::Failed(_), .. } => attempts.is_some_and(|left| left > 0),
        WorkerState::Draining { .. } => true,
    };
    if is_hopeful { Hope::Hopeful } else { Hope::Hopeless }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Expected,
    Failing(Arc<str>),
    Resting(Arc<str>),
    Closed { limit: u32, until: Instant },
    Stopping,
}

pub(super) fn outlook(slots: &[Hope], last_failure: Option<&Arc<str>>) -> Said {
    match last_failure {
        _ if slots.contains(&Hope::Hopeful) => Said::Expected,
        why if slots.contains(&Hope::Resting) => {
            Said::Resting(why.cloned().unwrap_or_else(|| "no worker was started".into()))
        }
        Some(why) => Said::Failing(Arc::clone(why)),
        None => Said::Expected,
    }
}

impl From<Said> for Outlook {
    fn from(said: Said) -> Outlook {
        match said {
            Said::Expected => Outlook::Expected,
            Said::Failing(why) => Outlook::Failing(why),
            Said::Resting(why) => Outlook::Resting(why),
            Said::Closed { limit, until } => Outlook::Closed { limit, until: until.into_std() },
            Said::Stopping => Outlook::Stopping,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::state::{DrainCause, Exit, Pressure, StartFailure, WorkerState};
    use super::Hope::{Hopeful, Hopeless, Resting};
    use super::{Record, Said, hope, outlook};

    #[test]
    fn one_hopeful_slot_is_enough_to_wait_for() {
        let why: std::sync::Arc<str> = "it is broken".into();
        for (slots, last_failure, said) in [
            ([Hopeful, Hopeful], None, Said::Expected),
            ([Hopeful, Hopeless], Some(&why), Said::Expected),
            ([Hopeful, Resting], Some(&why), Said::Expected),
            ([Hopeless, Hopeless], Some(&why), Said::Failing(why.clone())),
            ([Hopeless, Resting], Some(&why), Said::Resting(why.clone())),
            ([Hopeless, Hopeless], None, Said::Expected),
        ] {
            assert_eq!(outlook(&slots, last_failure), said);
        }
    }

    #[test]
    fn a_first_attempt_and_a_restart_at_once_are_waited_for() {
        let now = Instant::now();
        let starting = WorkerState::Starting { since: now, until: now, was_ready: false };
        let later = |ms| WorkerState::BackingOff { until: now + Duration::from_millis(ms) };
        let cause = StartFailure::Exited(Exit::Code(1));
        let failed = WorkerState::Failed { cause: cause.clone() };
        let killed =
            WorkerState::Draining { until: now, pressure: Pressure::Killed, why: DrainCause::Failed(cause) };
        let fine = Record::default();
        let failing = Record { failing: true, ..fine };
        let barred = Record { is_barred: true, ..fine };
        let retries = |left| Record { failing: true, attempts: Some(left), is_barred: false };
        for (state, record, expected) in [
            (&WorkerState::Ready { since: now }, failing, Hopeful),
            (&WorkerState::Ready { since: now }, barred, Hopeful),
            (&starting, fine, Hopeful),
            (&starting, failing, Hopeless),
            (&starting, retries(0), Hopeful),
            (&later(0), fine, Hopeful),
            (&later(200), fine, Hopeful),
            (&later(3000), fine, Hopeless),
            (&later(0), failing, Hopeless),
            (&later(0), barred, Hopeless),
            (&later(0), retries(1), Hopeful),
            (&failed, failing, Hopeless),
            (&failed, retries(1), Hopeful),
            (&failed, retries(0), Hopeless),
            (&killed, failing, Hopeless),
            (&killed, retries(1), Hopeful),
            (&killed, retries(0), Hopeless),
            (&WorkerState::Resting { calls: 0 }, failing, Resting),
        ] {
            assert_eq!(hope(state, record, now), expected, "{state:?} {record:?}");
        }
    }
}
