//! Tends one slot: asks `state` what an event means, and does it. What it waits for is in `events`, what follows the end of
//! a worker in `aftermath`.
//!
//! Decides nothing that `state` and `budget` decide. The slot owns everything its worker owns: the process, its group,
//! its output, its address. A slot whose task ends has nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::application::Application;
use super::budget::Budget;
use super::life::Life;
use super::outlook::{Record, hope};
use super::state::{Bounds, DrainCause, Effect, Event, WorkerState, step};
use super::succession::{Forebear, Heir, Service};
use super::{Progress, Retrying, approach, goodbye};
use crate::pool::{Start, WorkerProcess};

/// From SIGTERM to SIGKILL for a worker whose requests took all the grace there was.
pub(super) const LAST_WORD: Duration = Duration::from_millis(500);
/// What the kernel may take to end a process that was sent SIGKILL.
const REAP: Duration = Duration::from_secs(5);
/// A worker that was ready, lives and refuses connections is about to listen again, as reloaders do, or never will.
const RETURN: Duration = Duration::from_secs(10);

pub(super) struct Slot {
    pub(super) application: Arc<Application>,
    pub(super) number: usize,
    pub(super) state: WorkerState,
    bounds: Bounds,
    pub(super) budget: Budget,
    pub(super) life: Option<Life>,
    /// The turn to start, given back when the start is over.
    pub(super) turn: Option<OwnedSemaphorePermit>,
    /// The start that a request has called for, until it is over.
    pub(super) start: Option<Start>,
    /// The worker was asked to end as it is not needed, or worn.
    pub(super) is_retiring: bool,
    /// The last worker has left in good order: nobody needs to hear of the next.
    pub(super) is_quiet: bool,
    pub(super) record: Record,
    /// How the last worker ended, in one sentence.
    pub(super) ending: Option<Ending>,
    /// A worker of this slot has been ready.
    pub(super) ever_ready: bool,
    pub(super) service: Service,
    /// Whose place this one is to take.
    pub(super) forebear: Option<Forebear>,
    /// Cancelled when nothing is left of whom this one has replaced: one at a time.
    pub(super) predecessor: Option<tokio_util::sync::CancellationToken>,
    pub(super) succession: Line,
}

/// The way to an heir.
#[derive(Default)]
pub(super) struct Line {
    /// One that is starting.
    pub(super) heir: Option<Heir>,
    /// The worker is worn out.
    pub(super) is_worn: bool,
    /// Heirs that did not start.
    pub(super) failures: u32,
    /// When the next one may start.
    pub(super) not_before: Option<Instant>,
    /// When a worn worker ends at the latest so that another can take its port; none if it need not end first.
    pub(super) renew_by: Option<Instant>,
    /// The worker was asked to end so that another can take its port.
    pub(super) is_renewing: bool,
}

pub(super) struct Ending {
    pub(super) pid: Option<u32>,
    /// None if it was never ready.
    pub(super) served: Option<Duration>,
    pub(super) why: String,
    /// What a hanging worker did, in words that follow "the worker".
    pub(super) hung: Option<String>,
    /// It has answered requests, and had enough of them.
    pub(super) is_voluntary: bool,
}

impl Slot {
    pub(super) fn new(application: Arc<Application>, number: usize) -> Slot {
        let plan = &application.plan;
        let bounds = Bounds {
            start_timeout: plan.start_timeout,
            return_timeout: RETURN,
            after_requests: plan.finishing.map(|_| plan.grace),
            grace: plan.grace,
            last_word: LAST_WORD,
            reap: REAP,
        };
        let budget = Budget::new(plan.restarts);
        let state = match application.pool.settings().grows {
            true => WorkerState::Resting { calls: 0 },
            false => WorkerState::BackingOff { until: Instant::now() },
        };
        let mut slot = Slot {
            application,
            number,
            state,
            bounds,
            budget,
            life: None,
            turn: None,
            start: None,
            is_retiring: false,
            is_quiet: false,
            record: Record::default(),
            ending: None,
            ever_ready: false,
            service: Service::new(),
            forebear: None,
            predecessor: None,
            succession: Line::default(),
        };
        slot.refill_attempts();
        slot
    }

    /// A slot that starts at once.
    pub(super) fn begun(application: Arc<Application>, number: usize, start: Start) -> Slot {
        Slot { start: Some(start), ..Slot::new(application, number) }
    }

    /// A slot that takes the place of one whose worker is worn out, if it can.
    pub(super) fn heir(application: Arc<Application>, number: usize, forebear: Forebear) -> Slot {
        let predecessor = Some(forebear.gone.clone());
        let forebear = Some(forebear);
        Slot { forebear, predecessor, ever_ready: true, ..Slot::new(application, number) }
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
                self.settle_start();
                self.tell();
            }
        }
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
            Effect::SayGoodbye => {
                // It may end by itself, and nobody would be seen as its descendant then.
                if let Some(life) = &mut self.life {
                    life.note_family();
                }
                self.say_goodbye();
            }
            Effect::Ask => {
                if let (Some(life), WorkerState::Draining { until, .. }) = (&mut self.life, &self.state) {
                    life.unwanted.get_or_insert_with(Instant::now);
                    life.ask(*until);
                }
            }
            Effect::Kill => self.kill(),
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
        if let Some(left) = &mut self.record.attempts {
            *left = left.saturating_sub(1);
        }
        match Life::begin(&self.application.plan, &self.application.house, self.number) {
            Ok(life) => {
                self.application.pool.journal().begun(life.pid, Arc::clone(&life.output));
                self.life = Some(life);
                None
            }
            Err(why) => {
                self.remember_no_process(&why);
                Some(Event::SpawnFailed(why))
            }
        }
    }

    fn publish(&mut self) {
        let Some(life) = &mut self.life else { return };
        let Some(address) = life.address.clone() else { return };
        let pool = &self.application.pool;
        let process = WorkerProcess {
            pid: life.pid,
            output: Arc::clone(&life.output),
            told: life.told.as_str().into(),
        };
        let worker = pool.worker(self.number, address, Some(process));
        Self::limit(&self.application, &worker);
        life.workers.push(Arc::clone(&worker));
        life.output.forget_first_words();
        pool.journal().ready(life.pid);
        pool.publish(worker);
        if life.first_ready.is_none() {
            let now = Instant::now();
            life.first_ready = Some(now);
            let after = now - life.begun;
            match self.is_quiet {
                true => self.application.has_worker(),
                false => {
                    let (slot, pid) = (self.number, life.pid);
                    self.application.report(Progress::WorkerReady { slot, pid, after });
                }
            }
        }
        self.record.failing = false;
        self.ever_ready = true;
        self.refill_attempts();
        if let Some(forebear) = self.forebear.take() {
            forebear.relieve();
        }
    }

    pub(super) fn refill_attempts(&mut self) {
        self.record.attempts = match self.application.plan.retrying {
            Retrying::BackOff if !self.grows() => None,
            Retrying::BackOff => Some(1),
            Retrying::OnDemand { attempts } => Some(attempts.max(1)),
        };
    }

    /// Asks the worker to end by itself, if it understands that and is who is there.
    fn say_goodbye(&mut self) {
        let plan = &self.application.plan;
        let Some(life) = &mut self.life else { return };
        life.unwanted = Some(Instant::now());
        if let Some(goodbye) = plan.goodbye.clone()
            && let Some(address) = life.address.clone()
            && !plan.grace.is_zero()
            && approach::stranger_at(&address, &life.kin).is_none()
        {
            let (told, patience) = (life.told.clone(), plan.grace);
            life.asked = Some("was asked to end, gave no answer".to_owned());
            life.goodbye.spawn(async move { goodbye::say(&goodbye, &address, &told, patience).await });
        }
    }

    fn kill(&mut self) {
        let Some(life) = &mut self.life else { return };
        // Whoever is given no time at all was not slow.
        if !self.application.plan.grace.is_zero()
            && let (Some(since), WorkerState::Draining { why: DrainCause::Told, .. }) =
                (life.unwanted, &self.state)
        {
            let (slot, pid, asked) = (self.number, life.pid, life.asked.clone());
            // A last word may have been kept back, or added, and a moment lost; people know the limit they have set.
            let (took, limit) = (since.elapsed(), self.application.plan.grace);
            let within = if took + LAST_WORD * 2 >= limit { limit } else { took };
            self.application.report(Progress::Killed { slot, pid, within, asked });
        }
        life.kill();
    }

    /// Whether this slot is another's now, or nobody's.
    pub(super) fn is_over(&self) -> bool {
        self.application.drain.is_requested() || self.service.relieved.is_cancelled()
    }

    /// Lets the application know how the slot is now.
    fn tell(&self) {
        let is_anothers = self.service.relieved.is_cancelled()
            || self.forebear.as_ref().is_some_and(Forebear::is_in_charge);
        if is_anothers {
            return;
        }
        let hope = hope(&self.state, self.record, Instant::now());
        // Where workers come and go with the requests, one that ends is no failure.
        let failing = self.ending.as_ref().filter(|_| !self.grows() || self.record.failing);
        let failure = failing.map(|ending| ending.why.as_str());
        self.application.note(self.number, hope, failure);
    }
}
