//! What becomes of a worker when something happens to it: one pure, total function.
//!
//! No clock, no process, no pool: [`step`] turns a state and an event into the next state and what is to be done.
//! `worker` waits for the events and performs the effects, and decides nothing.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::owner::Stranger;

/// The life of one slot, round and round: backing off, starting, ready, and one of the two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkerState {
    /// No process; the next one is started at `until`.
    BackingOff { until: Instant },
    /// No process, and none before more requests have asked for one than had by then, or others have served for a while.
    Resting { calls: u64 },
    /// The process exists and does not accept connections (yet, or any more, if it `was_ready`).
    Starting { since: Instant, until: Instant, was_ready: bool },
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
    /// It was asked to end by itself, has agreed, and may do so.
    Leaving,
    /// It was sent SIGTERM.
    Asked,
    /// It was sent SIGKILL.
    Killed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DrainCause {
    /// The host or the application ends, or another worker has taken its place.
    Told,
    /// It was ready, and hangs or cannot be reached any more.
    Hung,
    /// Its start has failed while it lives.
    Failed(StartFailure),
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
    /// Somebody else listens on the port it was given.
    PortTaken(Stranger),
    /// It listens, and was asked for its readiness; what it said last follows "it".
    Unfit {
        path: String,
        status: u16,
        after: Duration,
        said: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A deadline may have passed.
    Tick,
    SpawnFailed(String),
    /// The worker accepted a connection.
    Answered,
    /// The worker lives, and will not become ready.
    Unfit(StartFailure),
    /// The worker is alive and refuses connections.
    Unreachable,
    /// The worker is alive and does not answer its health checks.
    Hangs,
    /// The worker has agreed to end by itself.
    Agreed,
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
    /// Put nobody here before more requests have asked for it than had by now.
    RestPlanned {
        calls: u64,
    },
    /// A worker is wanted again.
    Called,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Spawn,
    Publish,
    Withdraw,
    /// Find out what the process does instead of listening where it should, before it is gone.
    Diagnose,
    /// Ask it with a request to end by itself, if it understands that.
    SayGoodbye,
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
    /// From a refused connection to one that is accepted again, for a worker that was ready.
    pub(crate) return_timeout: Duration,
    /// For the requests in flight of a worker that is to go by itself.
    pub(crate) grace: Duration,
    /// From SIGTERM to SIGKILL when the requests in flight have used up the grace period.
    pub(crate) last_word: Duration,
    /// From SIGTERM to SIGKILL when the requests in flight are over, zero for SIGKILL at once; none for what they have
    /// left of the grace period.
    pub(crate) after_requests: Option<Duration>,
    /// From SIGKILL until we no longer wait for the exit.
    pub(crate) reap: Duration,
}

pub(crate) fn step(
    state: WorkerState,
    event: Event,
    now: Instant,
    bounds: &Bounds,
) -> (WorkerState, &'static [Effect]) {
    use Effect::{Ask, Diagnose, Kill, Publish, SayGoodbye, Settle, Spawn, Withdraw};
    use WorkerState::{BackingOff, Draining, Failed, Ready, Resting, Starting, Stopped};

    let starting = |within, was_ready| Starting { since: now, until: now + within, was_ready };
    let killed = |why| Draining { until: now + bounds.reap, pressure: Pressure::Killed, why };
    let told = DrainCause::Told;

    match (state, event) {
        (BackingOff { until }, Event::Tick) if now >= until => {
            (starting(bounds.start_timeout, false), &[Spawn])
        }
        (BackingOff { .. }, Event::RestartPlanned { at }) => (BackingOff { until: at }, &[]),
        (BackingOff { .. }, Event::RestPlanned { calls }) => (Resting { calls }, &[]),
        (Resting { .. }, Event::Called) => (BackingOff { until: now }, &[]),
        (BackingOff { .. } | Resting { .. }, Event::DrainRequested { .. } | Event::Hurried) => {
            (Stopped { exit: None, served: None }, &[])
        }

        (Starting { .. }, Event::SpawnFailed(why)) => (Failed { cause: StartFailure::Spawn(why) }, &[]),
        (Starting { .. }, Event::Answered) => (Ready { since: now }, &[Publish]),
        // One that was ready has been withdrawn, and may have requests in flight on connections that are open still.
        (Starting { was_ready: true, .. }, Event::Exited(exit)) => {
            (Stopped { exit: Some(exit), served: None }, &[Settle])
        }
        (Starting { until, was_ready: true, .. }, event @ (Event::Tick | Event::Unfit(_)))
            if now >= until || matches!(event, Event::Unfit(_)) =>
        {
            let until = now + bounds.grace;
            (Draining { until, pressure: Pressure::Waiting, why: DrainCause::Hung }, &[])
        }
        (Starting { was_ready: true, .. }, Event::DrainRequested { until }) => {
            (Draining { until, pressure: Pressure::Waiting, why: told }, &[])
        }
        (Starting { .. }, Event::Exited(exit)) => (Failed { cause: StartFailure::Exited(exit) }, &[Settle]),
        (Starting { since, until, .. }, Event::Tick) if now >= until => {
            let after = until.duration_since(since);
            (killed(DrainCause::Failed(StartFailure::TooSlow { after })), &[Diagnose, Kill])
        }
        (Starting { .. }, Event::Unfit(failure)) => (killed(DrainCause::Failed(failure)), &[Kill]),
        // Nobody has given it a request, so there is nothing to wait for.
        (Starting { .. }, Event::DrainRequested { until }) => {
            (Draining { until, pressure: Pressure::Asked, why: told }, &[Ask])
        }
        (Starting { .. }, Event::Hurried) => (killed(told), &[Kill]),

        (Ready { since }, Event::Exited(exit)) => {
            (Stopped { exit: Some(exit), served: Some(now.duration_since(since)) }, &[Withdraw, Settle])
        }
        (Ready { .. }, Event::Unreachable) => {
            (starting(bounds.return_timeout.min(bounds.start_timeout), true), &[Withdraw])
        }
        (Ready { .. }, Event::Hangs) => {
            let until = now + bounds.last_word;
            (Draining { until, pressure: Pressure::Asked, why: DrainCause::Hung }, &[Withdraw, Ask])
        }
        (Ready { .. }, Event::DrainRequested { until }) => {
            (Draining { until, pressure: Pressure::Waiting, why: told }, &[Withdraw, SayGoodbye])
        }
        (Ready { .. }, Event::Hurried) => (killed(told), &[Withdraw, Kill]),

        (Draining { why, .. }, Event::Exited(exit)) => (ended(why, exit), &[Settle]),
        (Draining { until, pressure: Pressure::Waiting, why }, Event::Agreed) => {
            (Draining { until, pressure: Pressure::Leaving, why }, &[])
        }
        (Draining { pressure: Pressure::Waiting, why, .. }, Event::Idle)
            if bounds.after_requests.is_some_and(|grace| grace.is_zero()) =>
        {
            (killed(why), &[Kill])
        }
        (Draining { until, pressure: Pressure::Waiting, why }, Event::Idle) => {
            let until = bounds.after_requests.map_or(until, |grace| now + grace);
            // However little time is left, there is time for a last word.
            (Draining { until: until.max(now + bounds.last_word), pressure: Pressure::Asked, why }, &[Ask])
        }
        (Draining { until, pressure: Pressure::Waiting | Pressure::Leaving, why }, Event::Tick)
            if now >= until =>
        {
            (Draining { until: now + bounds.last_word, pressure: Pressure::Asked, why }, &[Ask])
        }
        (Draining { until, pressure: Pressure::Asked, why }, Event::Tick) if now >= until => {
            (killed(why), &[Kill])
        }
        (Draining { until, pressure: Pressure::Killed, why }, Event::Tick) if now >= until => {
            (ended(why, Exit::Lost), &[Settle])
        }
        (
            Draining { pressure: Pressure::Waiting | Pressure::Leaving | Pressure::Asked, why, .. },
            Event::Hurried,
        ) => (killed(why), &[Kill]),
        // The deadline only ever moves closer.
        (
            Draining {
                until,
                pressure: pressure @ (Pressure::Waiting | Pressure::Leaving | Pressure::Asked),
                why,
            },
            Event::DrainRequested { until: new },
        ) => (Draining { until: until.min(new), pressure, why }, &[]),

        (Stopped { .. } | Failed { .. }, Event::RestartPlanned { at }) => (BackingOff { until: at }, &[]),
        (Stopped { .. } | Failed { .. }, Event::RestPlanned { calls }) => (Resting { calls }, &[]),

        // Events that come late, early or twice: the exit of a process already given up, an answer while draining.
        (state, _) => (state, &[]),
    }
}

fn ended(why: DrainCause, exit: Exit) -> WorkerState {
    match why {
        DrainCause::Told | DrainCause::Hung => WorkerState::Stopped { exit: Some(exit), served: None },
        DrainCause::Failed(cause) => WorkerState::Failed { cause },
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

impl StartFailure {
    /// What follows "the worker"; a whole sentence if there was none.
    pub(crate) fn story(&self) -> String {
        match self {
            StartFailure::Spawn(why) => why.clone(),
            StartFailure::Exited(exit) => format!("{exit} before it accepted a connection"),
            StartFailure::TooSlow { after } => {
                format!("did not accept a connection within {} s", after.as_secs_f32())
            }
            StartFailure::PortTaken(Stranger { port, program }) => {
                let who = program.as_deref().unwrap_or("another program");
                format!("cannot be reached, as {who} listens on TCP port {port}, which it was given")
            }
            StartFailure::Unfit { path, status, after, said } => {
                let said = said.as_deref().unwrap_or("said nothing");
                let after = after.as_secs_f32();
                format!("did not answer GET {path} with {status} within {after} s; at the last it {said}")
            }
        }
    }
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFailure::Spawn(why) => f.write_str(why),
            _ => write!(f, "the worker {}", self.story()),
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
