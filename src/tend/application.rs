//! What the slots of one application share, and what they tell the pool together.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::house::House;
use super::outlook::{Said, outlook};
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
    progress: Box<dyn Fn(Progress) + Send + Sync>,
    board: Mutex<Board>,
}

/// How the slots are, at one consistent moment.
struct Board {
    hopeful: Vec<bool>,
    last_failure: Option<Arc<str>>,
    said: Said,
}

impl Application {
    pub(super) fn new(
        plan: ApplicationPlan,
        pool: Arc<Pool>,
        house: Arc<House>,
        drain: Drain,
        progress: Box<dyn Fn(Progress) + Send + Sync>,
    ) -> Application {
        let slots = pool.settings().slots;
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
            progress,
            board: Mutex::new(Board { hopeful: vec![true; slots], last_failure: None, said: Said::Expected }),
        }
    }

    pub(super) fn report(&self, progress: Progress) {
        match &progress {
            Progress::WorkerReady { .. } => self.first_ready.notify_one(),
            Progress::StartFailed { slot, .. } => self.pool.first_outcome(*slot),
            Progress::WorkerEnded { .. } => {}
        }
        (self.progress)(progress);
    }

    /// Takes note of how a slot is, and tells the pool if that changes what requests may hope for.
    pub(super) fn note(&self, slot: usize, hopeful: bool, failure: Option<&str>) {
        let mut board = self.board.lock();
        board.hopeful[slot] = hopeful;
        if let Some(why) = failure {
            board.last_failure = Some(Arc::from(why));
        }
        let said = outlook(self.drain.is_requested(), &board.hopeful, board.last_failure.as_ref());
        if said != board.said {
            board.said = said.clone();
            drop(board);
            self.pool.announce(said.into());
        }
    }
}
