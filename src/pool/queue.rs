//! Requests that wait for a place, first come, first served.
//!
//! The lock guards a `VecDeque` for a push or a pop; nobody waits while holding it. Who leaves early (the client went
//! away, the time is up) is skipped when his turn comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

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
    waiting: Mutex<VecDeque<Waiting>>,
    /// The length of `waiting`, readable without the lock.
    length: AtomicUsize,
}

/// One who waits.
struct Waiting {
    turn: oneshot::Sender<Answer>,
    since: Instant,
}

impl Waiting {
    fn has_left(&self) -> bool {
        self.turn.is_closed()
    }
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
        self.waiting.lock().iter().filter(|waiting| !waiting.has_left()).count()
    }

    /// Since when who has waited longest does.
    pub(super) fn oldest(&self) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
        self.waiting.lock().iter().find(|waiting| !waiting.has_left()).map(|waiting| waiting.since)
    }

    /// Joins the queue unless `bound` requests wait already.
    pub(super) fn join(&self, bound: usize) -> Option<Ticket> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= bound {
            waiting.retain(|waiting| !waiting.has_left());
            if waiting.len() >= bound {
                self.length.store(waiting.len(), Ordering::SeqCst);
                return None;
            }
        }
        let (turn, ticket) = oneshot::channel();
        waiting.push_back(Waiting { turn, since: Instant::now() });
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
        let turn = waiting.pop_front().map(|first| first.turn);
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
