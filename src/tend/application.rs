//! What the slots of one application share, and what they tell the pool together.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;

use super::gate::Gate;
use super::house::House;
use super::outlook::{Hope, Said, outlook};
use super::succession::Succession;
use super::{ApplicationPlan, Progress};
use crate::base::drain::Drain;
use crate::pool::Pool;

/// What the slots of one application share.
pub(super) struct Application {
    pub(super) plan: ApplicationPlan,
    pub(super) pool: Arc<Pool>,
    pub(super) house: Arc<House>,
    pub(super) drain: Drain,
    /// One turn per core: programs that start compete for it, and all of them late is worse than some early.
    pub(super) turns: Arc<Semaphore>,
    /// Rings when a worker is ready.
    pub(super) first_ready: Notify,
    /// Shut when workers end too often; none for no such limit.
    pub(super) gate: Option<Arc<Gate>>,
    /// Where slots ask for heirs; each has one request under way at most.
    pub(super) successions: mpsc::UnboundedSender<Succession>,
    progress: Box<dyn Fn(Progress) + Send + Sync>,
    board: Mutex<Board>,
}

/// How the slots are, at one consistent moment.
struct Board {
    slots: Vec<Hope>,
    last_failure: Option<Arc<str>>,
    said: Said,
}

impl Application {
    pub(super) fn new(
        plan: ApplicationPlan,
        pool: Arc<Pool>,
        house: Arc<House>,
        gate: Option<Arc<Gate>>,
        drain: Drain,
        successions: mpsc::UnboundedSender<Succession>,
        progress: Box<dyn Fn(Progress) + Send + Sync>,
    ) -> Application {
        let (slots, grows) = (pool.settings().slots, pool.settings().grows);
        pool.journal().introduce(
            plan.command.to_string(),
            &plan.working_directory,
            plan.transport.in_words(),
        );
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Application {
            plan,
            pool,
            house,
            drain,
            turns: Arc::new(Semaphore::new(cores)),
            first_ready: Notify::new(),
            gate,
            successions,
            progress,
            board: Mutex::new(Board {
                slots: vec![if grows { Hope::Resting } else { Hope::Hopeful }; slots],
                last_failure: None,
                said: Said::Expected,
            }),
        }
    }

    pub(super) fn report(&self, progress: Progress) {
        match &progress {
            Progress::WorkerReady { .. } => self.has_worker(),
            Progress::StartFailed { slot, .. } => self.pool.first_outcome(*slot),
            _ => {}
        }
        (self.progress)(progress);
    }

    /// A start has succeeded.
    pub(super) fn has_worker(&self) {
        if self.pool.settings().grows {
            self.board.lock().last_failure = None;
        }
        self.first_ready.notify_one();
    }

    /// Takes note of how a slot is, and tells the pool if that changes what requests may hope for.
    pub(super) fn note(&self, slot: usize, hope: Hope, failure: Option<&str>) {
        let mut board = self.board.lock();
        if let Some(noted) = board.slots.get_mut(slot) {
            *noted = hope;
        }
        if let Some(why) = failure {
            board.last_failure = Some(Arc::from(why));
        }
        let said = match self.closed_gate() {
            _ if self.drain.is_requested() => Said::Stopping,
            Some((limit, until)) if !board.slots.contains(&Hope::Hopeful) => Said::Closed { limit, until },
            // Slots at rest start when somebody asks; a failure is told until one has started.
            _ if self.pool.settings().grows
                && (board.last_failure.is_none() || self.pool.starts_under_way() > 0) =>
            {
                Said::Expected
            }
            _ => outlook(&board.slots, board.last_failure.as_ref()),
        };
        if said != board.said {
            board.said = said.clone();
            drop(board);
            self.pool.announce(said.into());
        }
    }

    /// The limit of the gate and when it opens, while it is shut.
    pub(super) fn closed_gate(&self) -> Option<(u32, Instant)> {
        let gate = self.gate.as_ref()?;
        Some((gate.limit(), gate.closed_until(Instant::now())?))
    }

    /// A worker has ended, and nobody asked for that.
    pub(super) fn count_end(&self) {
        let Some(gate) = &self.gate else { return };
        let now = Instant::now();
        if let Some(until) = gate.count(now) {
            self.report(Progress::GateClosed { limit: gate.limit(), opens_in: until - now });
        }
    }
}
