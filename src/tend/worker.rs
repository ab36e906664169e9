//! Tends one slot: waits for what happens to its worker, asks `state` what that means, and does it.
//!
//! Decides nothing that `state` and `budget` decide. The slot owns everything its worker owns: the process, its group,
//! its output, its address. A slot whose task ends has nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::application::Application;
use super::budget::Budget;
use super::life::{Life, ended};
use super::outlook::is_hopeful;
use super::spawn::CommandNotFound;
use super::state::{Bounds, Effect, Event, Pressure, StartFailure, WorkerState, step};
use super::{Progress, ready};
use crate::pool::journal;
use crate::pool::{Worker, WorkerId};

/// From SIGTERM to SIGKILL for a worker whose requests took all the grace there was.
const LAST_WORD: Duration = Duration::from_millis(500);
/// What the kernel may take to end a process that was sent SIGKILL.
const REAP: Duration = Duration::from_secs(5);
/// Who starts waits this long for those who start before it; one that hangs must not hold up the others.
const TURN: Duration = Duration::from_secs(2);
/// A worker that has not answered by then may never; while it does not, it is looked at again at twice the age.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// A process that refuses connections is often about to end; its exit tells more than the refusal.
const EXIT_IS_NEAR: Duration = Duration::from_millis(50);

pub(super) struct Slot {
    application: Arc<Application>,
    number: usize,
    state: WorkerState,
    bounds: Bounds,
    budget: Budget,
    life: Option<Life>,
    /// The turn to start, given back when the start is over.
    turn: Option<OwnedSemaphorePermit>,
    /// The last attempt did not lead to a ready worker.
    failing: bool,
    /// How the last worker ended, in one sentence.
    ending: Option<Ending>,
}

struct Ending {
    pid: Option<u32>,
    /// None if it was never ready.
    served: Option<Duration>,
    why: String,
}

impl Slot {
    pub(super) fn new(application: Arc<Application>, number: usize) -> Slot {
        let bounds =
            Bounds { start_timeout: application.plan.start_timeout, last_word: LAST_WORD, reap: REAP };
        let budget = Budget::new(application.plan.restarts);
        let state = WorkerState::BackingOff { until: Instant::now() };
        Slot {
            application,
            number,
            state,
            bounds,
            budget,
            life: None,
            turn: None,
            failing: false,
            ending: None,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(event) = self.next_event().await {
            let mut next = Some(event);
            while let Some(event) = next.take() {
                let now = Instant::now();
                let (state, effects) = step(self.state.clone(), event, now, &self.bounds);
                self.state = state;
                for &effect in effects {
                    next = self.perform(effect).await.or(next);
                }
                if !matches!(self.state, WorkerState::Starting { .. }) {
                    self.turn = None;
                }
                self.tell();
            }
        }
    }

    /// Waits for the next thing to happen; None when the slot is to stay empty.
    async fn next_event(&mut self) -> Option<Event> {
        let drain = self.application.drain.clone();
        match (&self.state, &mut self.life) {
            (WorkerState::BackingOff { until }, _) => {
                let turns = Arc::clone(&self.application.turns);
                let turn = async {
                    sleep_until(*until).await;
                    timeout(TURN, turns.acquire_owned()).await
                };
                Some(tokio::select! {
                    biased;
                    () = drain.requested() => self.drain_requested(),
                    turn = turn => {
                        self.turn = turn.ok().and_then(Result::ok);
                        Event::Tick
                    }
                })
            }
            (WorkerState::Starting { since, until }, Some(life)) => {
                let look = *since + life.next_look.unwrap_or(FIRST_LOOK);
                Some(tokio::select! {
                    biased;
                    () = drain.requested() => self.drain_requested(),
                    exit = ended(&mut life.child) => Event::Exited(exit),
                    address = ready::until_one_answers(&life.candidates) => {
                        life.address = Some(address);
                        Event::Answered
                    }
                    () = sleep_until(look.min(*until)) => {
                        life.next_look = Some((look - *since) * 2);
                        life.diagnose();
                        self.application.pool.journal().diagnose(self.number, life.suspicion());
                        Event::Tick
                    }
                })
            }
            (WorkerState::Ready { .. }, Some(life)) => {
                let Some(worker) = life.workers.last().cloned() else { return Some(Event::Unreachable) };
                Some(tokio::select! {
                    biased;
                    () = drain.requested() => self.drain_requested(),
                    exit = ended(&mut life.child) => Event::Exited(exit),
                    () = refuses(&worker) => tokio::select! {
                        biased;
                        exit = ended(&mut life.child) => Event::Exited(exit),
                        () = sleep(EXIT_IS_NEAR) => Event::Unreachable,
                    },
                })
            }
            (WorkerState::Draining { until, pressure, .. }, Some(life)) => {
                let (until, pressure) = (*until, *pressure);
                let workers = life.workers.clone();
                let idle = async {
                    for worker in &workers {
                        worker.drained().await;
                    }
                };
                Some(tokio::select! {
                    biased;
                    exit = ended(&mut life.child) => Event::Exited(exit),
                    () = idle, if pressure == Pressure::Waiting => Event::Idle,
                    () = sleep_until(until) => Event::Tick,
                    () = drain.overdue(), if pressure != Pressure::Killed => Event::Hurried,
                })
            }
            (WorkerState::Stopped { .. } | WorkerState::Failed { .. }, _) => self.restart(),
            // The spawn failed without saying so; there is no process and there will be none.
            (_, None) => Some(Event::Exited(super::state::Exit::Lost)),
        }
    }

    fn drain_requested(&self) -> Event {
        let now = Instant::now();
        let grace = now + self.application.plan.grace;
        // Room for the last word before the host's own deadline, at which everything is killed.
        let deadline = self
            .application
            .drain
            .deadline()
            .map_or(grace, |deadline| deadline.checked_sub(LAST_WORD).unwrap_or(now).max(now));
        Event::DrainRequested { until: grace.min(deadline) }
    }

    /// Plans the next worker after one is gone, and says how that one went.
    fn restart(&mut self) -> Option<Event> {
        let now = Instant::now();
        let ending = self.ending.take();
        let served = ending.as_ref().and_then(|ending| ending.served);
        let at = (!self.application.drain.is_requested()).then(|| self.budget.next_start(served, now));
        if let Some(Ending { pid, served, why }) = ending {
            let (slot, next_in) = (self.number, at.map(|at| at - now));
            match (&self.state, served, pid) {
                // That it ended is what was asked of it.
                _ if at.is_none() => {}
                (WorkerState::Stopped { exit: Some(exit), .. }, _, Some(pid)) => {
                    self.application.report(Progress::WorkerEnded { slot, pid, exit: *exit, next_in });
                }
                _ => self.application.report(Progress::StartFailed { slot, why, next_in }),
            }
        }
        at.map(|at| Event::RestartPlanned { at })
    }

    /// Does what `state` has decided; some of it has a consequence of its own.
    async fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Spawn => return self.spawn(),
            Effect::Publish => self.publish(),
            Effect::Withdraw => {
                if let Some(worker) = self.life.as_ref().and_then(|life| life.workers.last()) {
                    self.application.pool.withdraw(worker);
                }
            }
            Effect::Diagnose => {
                if let Some(life) = &mut self.life {
                    life.diagnose();
                }
            }
            Effect::Ask => {
                if let (Some(life), WorkerState::Draining { until, .. }) = (&mut self.life, &self.state) {
                    life.ask(*until);
                }
            }
            Effect::Kill => {
                if let Some(life) = &mut self.life {
                    life.kill();
                }
            }
            Effect::Settle => {
                if let Some(mut life) = self.life.take() {
                    life.settle(&self.application.drain).await;
                    self.remember(&life);
                }
            }
        }
        None
    }

    fn spawn(&mut self) -> Option<Event> {
        match Life::begin(&self.application.plan, &self.application.house, self.number) {
            Ok(life) => {
                self.application.pool.journal().begun(self.number, life.pid, Arc::clone(&life.output));
                self.life = Some(life);
                None
            }
            Err(why) => {
                self.failing = true;
                self.ending = Some(Ending { pid: None, served: None, why: why.clone() });
                self.application.pool.journal().ended(journal::Ending {
                    slot: self.number,
                    pid: None,
                    how: why.clone(),
                    after: Duration::ZERO,
                    at: std::time::Instant::now(),
                    stderr: Vec::new(),
                    diagnosis: None,
                    cause: self.why_not_started(),
                });
                Some(Event::SpawnFailed(why))
            }
        }
    }

    fn publish(&mut self) {
        let Some(life) = &mut self.life else { return };
        let Some(address) = life.address.clone() else { return };
        let pool = &self.application.pool;
        let output = Some(Arc::clone(&life.output));
        let worker = pool.worker(WorkerId::next(), self.number, Some(life.pid), address, output);
        life.workers.push(Arc::clone(&worker));
        pool.journal().ready(self.number);
        pool.publish(worker);
        self.failing = false;
        if life.first_ready.is_none() {
            let now = Instant::now();
            life.first_ready = Some(now);
            let after = now - life.begun;
            self.application.report(Progress::WorkerReady { slot: self.number, pid: life.pid, after });
        }
    }

    /// Keeps of an ended worker what decides about the next and what a person wants to know.
    fn remember(&mut self, life: &Life) {
        let cause = match &self.state {
            WorkerState::Failed { cause } => Some(cause.to_string()),
            WorkerState::Stopped { exit: Some(exit), .. } => Some(format!("the worker {exit}")),
            _ => None,
        };
        let mut why = cause.unwrap_or_else(|| "the worker ended".to_owned());
        if let WorkerState::Failed { cause: StartFailure::TooSlow { .. } } = &self.state {
            why.push_str(&life.diagnosis());
        }
        if let Some(complaint) = life.output.complaint() {
            why.push_str(": ");
            why.push_str(&complaint);
        }
        self.write_down(life);
        self.failing = life.first_ready.is_none();
        let served = life.first_ready.map(|since| since.elapsed());
        self.ending = Some(Ending { pid: Some(life.pid), served, why });
    }

    /// Tells the journal of an end nobody asked for.
    fn write_down(&self, life: &Life) {
        let journal = self.application.pool.journal();
        if self.application.drain.is_requested() {
            return journal.left(self.number);
        }
        let how = match &self.state {
            WorkerState::Stopped { exit: Some(exit), .. } => exit.to_string(),
            WorkerState::Failed { cause: StartFailure::Exited(exit) } => {
                format!("{exit} before it accepted a connection")
            }
            WorkerState::Failed { cause: StartFailure::TooSlow { after } } => {
                format!("was ended: it did not accept a connection within {} s", after.as_secs_f32())
            }
            _ => "ended".to_owned(),
        };
        journal.ended(journal::Ending {
            slot: self.number,
            pid: Some(life.pid),
            how,
            after: life.begun.elapsed(),
            at: std::time::Instant::now(),
            stderr: life.output.last_words(),
            diagnosis: life.suspicion().filter(|_| life.first_ready.is_none()),
            cause: match &self.state {
                WorkerState::Failed { cause: StartFailure::TooSlow { .. } } => journal::Cause::Silent,
                _ => journal::Cause::Ended,
            },
        });
    }

    fn why_not_started(&self) -> journal::Cause {
        let plan = &self.application.plan;
        match plan.find_program() {
            Err(CommandNotFound::NotInPath { .. } | CommandNotFound::NoFile(_)) => {
                journal::Cause::NoProgram(plan.command.program.clone())
            }
            _ => journal::Cause::NotStarted,
        }
    }

    /// Lets the application know how the slot is now.
    fn tell(&self) {
        let hopeful = is_hopeful(&self.state, self.failing, Instant::now());
        let failure = self.ending.as_ref().map(|ending| ending.why.as_str());
        self.application.note(self.number, hopeful, failure);
    }
}

/// Waits until a core could not connect to the worker and neither could we.
async fn refuses(worker: &Worker) {
    loop {
        worker.reported_unreachable().await;
        if ready::probe(worker.address()).await.is_err() {
            return;
        }
    }
}
