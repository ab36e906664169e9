//! What follows the end of a worker: what is told of it, and what comes next in its slot.

use std::time::Duration;

use tokio::time::Instant;

use super::life::Life;
use super::outlook::Hope;
use super::owner::Stranger;
use super::spawn::CommandNotFound;
use super::state::{Event, StartFailure, WorkerState};
use super::succession::Heir;
use super::worker::{Ending, Line, Slot};
use super::{Progress, Retrying};
use crate::pool::journal::{self, Cause};

/// What comes after a worker.
enum Next {
    StartAt(Instant),
    Rest,
}

impl Slot {
    /// Plans the next worker after one is gone, and says how that one went. None if the slot is to stay empty.
    pub(super) fn restart(&mut self) -> Option<Event> {
        let now = Instant::now();
        let ending = self.ending.take();
        // Who comes next is not to pay for the heirs that this one did not get.
        let Line { heir, is_renewing, .. } = std::mem::take(&mut self.succession);
        if self.is_over() {
            // That it ended is what was asked of it.
            return None;
        }
        if self.grows() {
            return Some(self.rest_or_retry(ending, now));
        }
        if is_renewing {
            return Some(Event::RestartPlanned { at: now });
        }
        if heir.is_some_and(Heir::takes_over) {
            self.report(ending, Some(Duration::ZERO));
            // The heir says how it goes when something happens to it; until then it starts, or waits for the gate.
            let hope = if self.application.closed_gate().is_some() { Hope::Hopeless } else { Hope::Hopeful };
            self.application.note(self.number, hope, None);
            return None;
        }
        if let Some(forebear) = self.forebear.take() {
            let retry_after = forebear.retry_after;
            if forebear.goes_on() {
                self.report(ending, Some(retry_after));
                return None;
            }
        }
        match self.next_start(ending.as_ref(), now) {
            Next::StartAt(at) => {
                self.report(ending, Some(at - now));
                Some(Event::RestartPlanned { at })
            }
            Next::Rest => {
                // Counted before anybody is told that it rests: whoever hears that and calls is heard.
                let calls = self.application.pool.calls();
                let is_served = !self.application.pool.is_unready();
                self.report(ending, is_served.then_some(self.application.plan.restarts.longest_delay));
                Some(Event::RestPlanned { calls })
            }
        }
    }

    fn next_start(&mut self, ending: Option<&Ending>, now: Instant) -> Next {
        let closed = self.application.closed_gate().map(|(_, until)| until);
        let served = ending.and_then(|ending| ending.served);
        let at = match self.application.plan.retrying {
            Retrying::BackOff => self.budget.next_start(served, now),
            // The gate is what limits them; who has none must not start over and over.
            Retrying::OnDemand { .. } if served.is_some() && self.application.gate.is_some() => now,
            Retrying::OnDemand { .. } if served.is_some() => self.budget.next_start(served, now),
            Retrying::OnDemand { .. } if closed.is_none() && self.record.attempts == Some(0) => {
                return Next::Rest;
            }
            Retrying::OnDemand { .. } => now,
        };
        self.record.is_barred |= closed.is_some();
        Next::StartAt(closed.map_or(at, |until| until.max(at)))
    }

    pub(super) fn report(&self, ending: Option<Ending>, next_in: Option<Duration>) {
        let Some(Ending { pid, served, why, hung, .. }) = ending else { return };
        let slot = self.number;
        self.application.report(match (&self.state, served, pid, hung) {
            (WorkerState::Stopped { .. }, _, Some(pid), Some(why)) => {
                Progress::WorkerHung { slot, pid, why, next_in }
            }
            (WorkerState::Stopped { exit: Some(exit), .. }, _, Some(pid), None) => {
                Progress::WorkerEnded { slot, pid, exit: *exit, next_in }
            }
            _ => Progress::StartFailed { slot, why, next_in },
        });
    }

    /// Keeps of an ended worker what decides about the next and what a person wants to know.
    pub(super) fn remember(&mut self, life: &Life) {
        let mut why = match &self.state {
            WorkerState::Failed { cause } => format!("the worker {}", self.story(cause, life)),
            WorkerState::Stopped { exit: Some(exit), .. } => match &life.hangs {
                Some(hangs) => format!("the worker {hangs}"),
                None => format!("the worker {exit}"),
            },
            _ => "the worker ended".to_owned(),
        };
        if let Some(complaint) = life.output.complaint() {
            why.push_str(": ");
            why.push_str(&complaint);
        }
        self.write_down(life);
        self.record.failing = life.first_ready.is_none();
        let served = life.first_ready.map(|since| since.elapsed());
        let is_voluntary = self.is_voluntary(life);
        self.ending =
            Some(Ending { pid: Some(life.pid), served, why, hung: life.hangs.clone(), is_voluntary });
    }

    /// Why a start has failed, in words that follow "the worker".
    fn story(&self, cause: &StartFailure, life: &Life) -> String {
        match cause {
            StartFailure::TooSlow { .. } => cause.story() + &life.diagnosis(),
            _ => cause.story(),
        }
    }

    /// Whether the worker was to end.
    fn was_asked(&self) -> bool {
        self.is_over() || self.succession.is_renewing || self.is_retiring
    }

    /// Tells the journal and the gate of an end nobody asked for.
    fn write_down(&self, life: &Life) {
        let journal = self.application.pool.journal();
        if self.was_asked() || self.is_voluntary(life) {
            return journal.left(life.pid);
        }
        let how = match (&self.state, &life.hangs) {
            (WorkerState::Stopped { .. }, Some(hangs)) => format!("was ended: it {hangs}"),
            (WorkerState::Stopped { exit: Some(exit), .. }, None) => exit.to_string(),
            (WorkerState::Failed { cause: cause @ StartFailure::Exited(_) }, _) => cause.story(),
            // Where it was told to listen is a path of no use to who reads a page.
            (WorkerState::Failed { cause: cause @ StartFailure::TooSlow { .. } }, _)
                if life.elsewhere.is_empty() =>
            {
                format!("was ended: it {}", cause.story())
            }
            (WorkerState::Failed { cause }, _) => format!("was ended: it {}", self.story(cause, life)),
            _ => "ended".to_owned(),
        };
        let was_ready = life.first_ready.is_some();
        journal.ended(journal::Ending {
            slot: self.number,
            pid: Some(life.pid),
            how,
            after: life.begun.elapsed(),
            at: std::time::Instant::now(),
            stderr: life.output.last_words(),
            output: life.output.first_words(),
            diagnosis: life.suspicion().filter(|_| !was_ready),
            cause: self.cause(life),
        });
        // Who was there first is no fault of the program, and one request counts once.
        let is_repeated = life.workers.iter().any(|worker| worker.is_repeating());
        if !is_repeated && !matches!(self.state, WorkerState::Failed { cause: StartFailure::PortTaken(_) }) {
            self.application.count_end();
        }
    }

    fn cause(&self, life: &Life) -> Cause {
        match &self.state {
            WorkerState::Stopped { .. } if life.hangs.is_some() => Cause::Hung,
            WorkerState::Failed { cause: StartFailure::Exited(_) } => Cause::Exited,
            WorkerState::Failed { cause: StartFailure::TooSlow { .. } } if life.elsewhere.is_empty() => {
                Cause::Silent
            }
            WorkerState::Failed { cause: StartFailure::TooSlow { .. } } => {
                Cause::Elsewhere(life.elsewhere.clone())
            }
            WorkerState::Failed { cause: StartFailure::PortTaken(Stranger { port, program }) } => {
                Cause::PortTaken { port: *port, program: program.clone() }
            }
            WorkerState::Failed { cause: StartFailure::Unfit { .. } } => Cause::Unfit,
            WorkerState::Failed { cause: StartFailure::Spawn(_) } => Cause::NotStarted,
            _ => Cause::Ended,
        }
    }

    /// The same for a start that led to no process.
    pub(super) fn remember_no_process(&mut self, why: &str) {
        self.record.failing = true;
        self.ending =
            Some(Ending { pid: None, served: None, why: why.to_owned(), hung: None, is_voluntary: false });
        self.application.pool.journal().ended(journal::Ending {
            slot: self.number,
            pid: None,
            how: why.to_owned(),
            after: Duration::ZERO,
            at: std::time::Instant::now(),
            stderr: Vec::new(),
            output: Vec::new(),
            diagnosis: None,
            cause: self.why_not_started(),
        });
        self.application.count_end();
    }

    fn why_not_started(&self) -> Cause {
        let plan = &self.application.plan;
        match plan.find_program() {
            Err(CommandNotFound::NotInPath { .. } | CommandNotFound::NoFile(_)) => {
                Cause::NoProgram(plan.command.program.clone())
            }
            _ => Cause::NotStarted,
        }
    }
}
