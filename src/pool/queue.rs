//! Requests that wait for a place, first come, first served.
//!
//! The lock guards a `VecDeque` for a push or a pop; nobody waits while holding it. Who leaves early (the client went
//! away, the time is up) is skipped when his turn comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::lease::Lease;

/// Why everybody in the queue is sent away.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    Failing(Arc<str>),
    Closed { limit: u32, until: std::time::Instant },
    Stopping,
}

type Answer = Result<Lease, Refused>;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<oneshot::Sender<Answer>>>,
    /// The length of `waiting`, readable without the lock.
    length: AtomicUsize,
}

/// A place in the queue; dropping it leaves the queue.
pub(super) struct Ticket(oneshot::Receiver<Answer>);

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.length.load(Ordering::SeqCst) == 0
    }

    /// How many wait who have not left.
    pub(super) fn waiting(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.waiting.lock().iter().filter(|turn| !turn.is_closed()).count()
    }

    /// Joins the queue unless `bound` requests wait already.
    pub(super) fn join(&self, bound: usize) -> Option<Ticket> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= bound {
            waiting.retain(|turn| !turn.is_closed());
            if waiting.len() >= bound {
                self.length.store(waiting.len(), Ordering::SeqCst);
                return None;
            }
        }
        let (turn, ticket) = oneshot::channel();
        waiting.push_back(turn);
        self.length.store(waiting.len(), Ordering::SeqCst);
        Some(Ticket(ticket))
    }

    /// Hands a place to the first who still waits; if nobody does, the place is free again.
    pub(super) fn grant(&self, mut lease: Lease) {
        loop {
            let Some(turn) = self.pop() else { return };
            match turn.send(Ok(lease)) {
                Ok(()) => return,
                Err(Ok(returned)) => lease = returned,
                Err(Err(_)) => return,
            }
        }
    }

    pub(super) fn refuse_all(&self, why: &Refused) {
        while let Some(turn) = self.pop() {
            // Who has left meanwhile needs no answer.
            let _ = turn.send(Err(why.clone()));
        }
    }

    fn pop(&self) -> Option<oneshot::Sender<Answer>> {
        let mut waiting = self.waiting.lock();
        let turn = waiting.pop_front();
        self.length.store(waiting.len(), Ordering::SeqCst);
        turn
    }
}

impl Ticket {
    pub(super) async fn granted(self) -> Answer {
        // The sender is dropped unsent only when the pool itself is gone.
        self.0.await.unwrap_or(Err(Refused::Stopping))
    }
}
