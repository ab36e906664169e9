//! What becomes of a worker when something happens to it: one pure, total function.
//!
//! No clock, no process, no pool: [`step`] turns a state and an event into the next state and what is to be done.
//! `worker` waits for the events and performs the effects, and decides nothing.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// The life of one slot, round and round: backing off, starting, ready, and one of the two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkerState {
    /// No process; the next one is started at `until`.
    BackingOff { until: Instant },
    /// The process exists and does not accept connections (yet, or any more).
    Starting { since: Instant, until: Instant },
    /// The worker takes requests.
    Ready { since: Instant },
    /// The worker takes nothing new and is on its way out. At `until` the pressure rises by one.
    Draining { until: Instant, pressure: Pressure, why: DrainCause },
    /// The process is gone after it was ready, or because it was told to go.
    Stopped { exit: Option<Exit>, served: Option<Duration> },
    /// The start did not lead to a ready worker.
    Failed { cause: StartFailure },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Its requests in flight may finish.
    Waiting,
    /// It was sent SIGTERM.
    Asked,
    /// It was sent SIGKILL.
    Killed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrainCause {
    /// The host or the application ends.
    Told,
    /// It did not answer within the start timeout.
    TooSlow,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// SIGKILL was sent and the process is still there: the kernel holds it (a dead disk, mostly).
    Lost,
}

/// Why a start did not lead to a ready worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartFailure {
    /// There is no such program, or it may not be started. The text is a whole sentence.
    Spawn(String),
    Exited(Exit),
    TooSlow {
        after: Duration,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A deadline may have passed.
    Tick,
    SpawnFailed(String),
    /// The worker accepted a connection.
    Answered,
    /// The worker is alive and refuses connections.
    Unreachable,
    Exited(Exit),
    /// Its last request in flight is over.
    Idle,
    /// Finish by `until`, then go.
    DrainRequested {
        until: Instant,
    },
    /// Patience is over.
    Hurried,
    /// Put a new worker here at `at`.
    RestartPlanned {
        at: Instant,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Spawn,
    Publish,
    Withdraw,
    /// Find out what the process does instead of listening where it should, before it is gone.
    Diagnose,
    /// SIGTERM to the group.
    Ask,
    /// SIGKILL to the group.
    Kill,
    /// End what the process has left behind: grandchildren, output, its socket file.
    Settle,
}

/// The time limits of every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// From spawn to ready.
    pub(crate) start_timeout: Duration,
    /// From SIGTERM to SIGKILL when the requests in flight have used up the grace period.
    pub(crate) last_word: Duration,
    /// From SIGKILL until we no longer wait for the exit.
    pub(crate) reap: Duration,
}

pub(crate) fn step(
    state: WorkerState,
    event: Event,
    now: Instant,
    bounds: &Bounds,
) -> (WorkerState, &'static [Effect]) {
    use Effect::{Ask, Diagnose, Kill, Publish, Settle, Spawn, Withdraw};
    use WorkerState::{BackingOff, Draining, Failed, Ready, Starting, Stopped};

    let starting = || Starting { since: now, until: now + bounds.start_timeout };
    let killed = |why| Draining { until: now + bounds.reap, pressure: Pressure::Killed, why };
    let told = DrainCause::Told;

    match (state, event) {
        (BackingOff { until }, Event::Tick) if now >= until => (starting(), &[Spawn]),
        (BackingOff { .. }, Event::RestartPlanned { at }) => (BackingOff { until: at }, &[]),
        (BackingOff { .. }, Event::DrainRequested { .. } | Event::Hurried) => {
            (Stopped { exit: None, served: None }, &[])
        }

        (Starting { .. }, Event::SpawnFailed(why)) => (Failed { cause: StartFailure::Spawn(why) }, &[]),
        (Starting { .. }, Event::Answered) => (Ready { since: now }, &[Publish]),
        (Starting { .. }, Event::Exited(exit)) => (Failed { cause: StartFailure::Exited(exit) }, &[Settle]),
        (Starting { until, .. }, Event::Tick) if now >= until => {
            (killed(DrainCause::TooSlow), &[Diagnose, Kill])
        }
        // Nobody has given it a request, so there is nothing to wait for.
        (Starting { .. }, Event::DrainRequested { until }) => {
            (Draining { until, pressure: Pressure::Asked, why: told }, &[Ask])
        }
        (Starting { .. }, Event::Hurried) => (killed(told), &[Kill]),

        (Ready { since }, Event::Exited(exit)) => {
            (Stopped { exit: Some(exit), served: Some(now.duration_since(since)) }, &[Withdraw, Settle])
        }
        (Ready { .. }, Event::Unreachable) => (starting(), &[Withdraw]),
        (Ready { .. }, Event::DrainRequested { until }) => {
            (Draining { until, pressure: Pressure::Waiting, why: told }, &[Withdraw])
        }
        (Ready { .. }, Event::Hurried) => (killed(told), &[Withdraw, Kill]),

        (Draining { why, .. }, Event::Exited(exit)) => (ended(why, exit, bounds), &[Settle]),
        (Draining { until, pressure: Pressure::Waiting, why }, Event::Idle) => {
            // However little time is left, there is time for a last word.
            (Draining { until: until.max(now + bounds.last_word), pressure: Pressure::Asked, why }, &[Ask])
        }
        (Draining { until, pressure: Pressure::Waiting, why }, Event::Tick) if now >= until => {
            (Draining { until: now + bounds.last_word, pressure: Pressure::Asked, why }, &[Ask])
        }
        (Draining { until, pressure: Pressure::Asked, why }, Event::Tick) if now >= until => {
            (killed(why), &[Kill])
        }
        (Draining { until, pressure: Pressure::Killed, why }, Event::Tick) if now >= until => {
            (ended(why, Exit::Lost, bounds), &[Settle])
        }
        (Draining { pressure: Pressure::Waiting | Pressure::Asked, why, .. }, Event::Hurried) => {
            (killed(why), &[Kill])
        }
        // The deadline only ever moves closer.
        (
            Draining { until, pressure: pressure @ (Pressure::Waiting | Pressure::Asked), why },
            Event::DrainRequested { until: new },
        ) => (Draining { until: until.min(new), pressure, why }, &[]),

        (Stopped { .. } | Failed { .. }, Event::RestartPlanned { at }) => (BackingOff { until: at }, &[]),

        // Events that come late, early or twice: the exit of a process already given up, an answer while draining.
        (state, _) => (state, &[]),
    }
}

fn ended(why: DrainCause, exit: Exit, bounds: &Bounds) -> WorkerState {
    match why {
        DrainCause::Told => WorkerState::Stopped { exit: Some(exit), served: None },
        DrainCause::TooSlow => {
            WorkerState::Failed { cause: StartFailure::TooSlow { after: bounds.start_timeout } }
        }
    }
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Lost,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "was ended by {name}"),
                Err(_) => write!(f, "was ended by signal {signal}"),
            },
            Exit::Lost => f.write_str("does not end, not even on SIGKILL"),
        }
    }
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFailure::Spawn(why) => f.write_str(why),
            StartFailure::Exited(exit) => write!(f, "the worker {exit} before it accepted a connection"),
            StartFailure::TooSlow { after } => {
                write!(f, "the worker did not accept a connection within {} s", after.as_secs_f32())
            }
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
