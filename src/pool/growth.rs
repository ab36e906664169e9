//! Which slots of a growing pool start a worker: one for each request that waits, and no more.
//!
//! A slot without a worker rests here until it is called. One lock decides, held for a few instructions: it counts the
//! starts under way against the requests that wait, so that a call is neither lost nor made twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Pool;

#[derive(Default)]
pub(super) struct Growth {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By slot: the lowest is called first, so that those above it stay at rest.
    resting: BTreeMap<usize, oneshot::Sender<Start>>,
    under_way: usize,
}

/// A start that is under way; it counts as one until it is dropped.
pub(crate) struct Start {
    growth: Arc<Growth>,
}

/// Which requests a slot at rest starts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Those that wait already, too.
    Any,
    /// Those that have come, or come, beyond so many calls: who waited before has seen a start of this slot fail.
    Beyond(u64),
}

impl Growth {
    fn rest(&self, slot: usize) -> oneshot::Receiver<Start> {
        let (call, called) = oneshot::channel();
        self.state.lock().resting.insert(slot, call);
        called
    }

    /// Calls one slot at rest if fewer starts are under way than requests wait.
    fn call(self: &Arc<Self>, waiting: impl Fn() -> usize) {
        loop {
            let call = {
                let mut state = self.state.lock();
                // Counted under the lock: of two requests that join at once, the second to come here sees both.
                if state.resting.is_empty() || state.under_way >= waiting() {
                    return;
                }
                let Some((_, call)) = state.resting.pop_first() else { return };
                state.under_way += 1;
                call
            };
            // A slot that does not rest any longer hands the start back, and with that it is over.
            if call.send(Start { growth: Arc::clone(self) }).is_ok() {
                return;
            }
        }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        let mut state = self.growth.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

impl Pool {
    /// Waits until a request needs another worker, and this slot is the one to start it.
    pub(crate) async fn start_needed(&self, slot: usize, demand: Demand) -> Start {
        let called = self.growth.rest(slot);
        // Read after it rests: whoever calls later finds it.
        let is_awaited = match demand {
            Demand::Any => true,
            Demand::Beyond(calls) => self.calls() > calls,
        };
        if is_awaited {
            self.grow();
        }
        match called.await {
            Ok(start) => start,
            // Somebody else rests in this slot now, and will be called.
            Err(_) => std::future::pending().await,
        }
    }

    /// A start has led to a worker that takes requests. If more wait than are being started for, another begins.
    pub(crate) fn started(&self, start: Start) {
        drop(start);
        self.grow();
    }

    /// How many starts are under way for requests that wait.
    pub(crate) fn starts_under_way(&self) -> usize {
        self.growth.state.lock().under_way
    }

    /// A request has begun to wait.
    pub(super) fn call_for_growth(&self) {
        if self.settings.grows {
            self.calls.send_modify(|calls| *calls += 1);
            self.grow();
        }
    }

    /// Has one more worker started, if requests wait for whom none is.
    fn grow(&self) {
        self.growth.call(|| self.queue.waiting());
    }
}

#[cfg(test)]
#[path = "growth_tests.rs"]
mod tests;
