//! Which slots of a growing pool start a worker: one for each request that waits, and no more.
//!
//! A slot without a worker rests here until it is called. One lock decides, held for a few instructions: it counts the
//! starts under way against the requests that wait, so that a call is neither lost nor made twice.
//!
//! The eager workers of a pool come at once. Those beyond are started by the control plane, which waits until the pool
//! [falls behind](Pool::falls_behind): it looks at those who wait for as long as somebody does, so that nobody has to come
//! for others to be seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Pool;

/// A request that has waited so long for a place shows that the workers there are do not keep up: a burst of short ones
/// is over by then, and a person hardly notices.
const LATE: Duration = Duration::from_millis(250);
/// What a worker that has come does for those who wait shows after so long. Ten in a second are fast enough for a crowd
/// that waits for a slow database, and few enough to see what each takes of the machine.
const BETWEEN: Duration = Duration::from_millis(100);
/// From a start that has led to no worker to one that nobody has asked for anew. With a few attempts in each, more of
/// them at once would shut the gate, which is shut for those that serve, too.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// Those who wait are not looked at more often.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Growth {
    state: Mutex<State>,
    /// Rings when a start is over.
    over: Notify,
}

#[derive(Default)]
struct State {
    /// By slot: the lowest is called first, so that those above it stay at rest.
    resting: BTreeMap<usize, oneshot::Sender<Start>>,
    under_way: usize,
    /// When the last start was over.
    over: Option<Instant>,
    /// When the last one was that has led to no worker.
    failed: Option<Instant>,
}

/// A start that is under way; it counts as one until it is dropped.
pub(crate) struct Start {
    growth: Arc<Growth>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nobody has begun it.
    None,
    /// As long as nothing else is known.
    NoWorker,
    Worker,
}

/// Which requests a slot at rest starts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Those that wait already, too.
    Any,
    /// Those that have come, or come, beyond so many calls: who waited before has seen a start of this slot fail.
    Beyond(u64),
}

/// When those who wait are to be looked at again.
enum Look {
    /// When somebody waits.
    Called,
    /// When the start that is under way is over.
    Over,
    At(Instant),
}

impl Growth {
    fn rest(&self, slot: usize) -> oneshot::Receiver<Start> {
        let (call, called) = oneshot::channel();
        self.state.lock().resting.insert(slot, call);
        called
    }

    fn begin(self: &Arc<Self>, state: &mut State) -> Start {
        state.under_way += 1;
        Start { growth: Arc::clone(self), outcome: Outcome::NoWorker }
    }

    /// Calls one slot at rest if so many starts as are under way are too few.
    fn call(self: &Arc<Self>, are_too_few: impl Fn(usize) -> bool) {
        loop {
            let (call, start) = {
                let mut state = self.state.lock();
                // Counted under the lock: of two requests that join at once, the second to come here sees both.
                if state.resting.is_empty() || !are_too_few(state.under_way) {
                    return;
                }
                let Some((_, call)) = state.resting.pop_first() else { return };
                (call, self.begin(&mut state))
            };
            match call.send(start) {
                Ok(()) => return,
                // A slot that does not rest any longer hands the start back, and with that it is over.
                Err(mut returned) => returned.outcome = Outcome::None,
            }
        }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        {
            let mut state = self.growth.state.lock();
            state.under_way = state.under_way.saturating_sub(1);
            if self.outcome != Outcome::None {
                state.over = Some(Instant::now());
            }
            if self.outcome == Outcome::NoWorker {
                state.failed = state.over;
            }
        }
        self.growth.over.notify_one();
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
    pub(crate) fn started(&self, mut start: Start) {
        start.outcome = Outcome::Worker;
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

    /// Has one more worker started, if requests wait for whom none is and the eager ones are not all there.
    fn grow(&self) {
        let (eager, slots) = (self.settings.eager(), self.settings.slots);
        self.growth.call(|under_way| {
            under_way < self.queue.waiting() && (eager == slots || self.ready() + under_way < eager)
        });
    }

    /// Ready when a request has waited for long and no start is under way: the workers there are are too few.
    ///
    /// For one who waits at a time. It looks at how things are, and so may be dropped at any moment.
    pub(crate) async fn falls_behind(&self) {
        let mut calls = self.calls.subscribe();
        loop {
            // Before the look: of who joins after it we are told.
            calls.mark_unchanged();
            match self.next_look() {
                // The sender is here, so this does not fail while we wait.
                Look::Called => drop(calls.changed().await),
                Look::Over => self.growth.over.notified().await,
                Look::At(at) => {
                    let now = Instant::now();
                    if at <= now {
                        return;
                    }
                    sleep_until(at.max(now + SHORTEST_PAUSE)).await;
                }
            }
        }
    }

    fn next_look(&self) -> Look {
        let Some(oldest) = self.queue.oldest() else { return Look::Called };
        let state = self.growth.state.lock();
        if state.under_way > 0 {
            return Look::Over;
        }
        let pauses =
            [state.over.map(|over| over + BETWEEN), state.failed.map(|failed| failed + AFTER_FAILURE)];
        Look::At(pauses.into_iter().flatten().fold(oldest + LATE, Instant::max))
    }

    /// Whether a slot rests.
    pub(crate) fn has_rest(&self) -> bool {
        !self.growth.state.lock().resting.is_empty()
    }

    /// Has a slot at rest start a worker beyond the eager ones, if somebody waits and no start is under way.
    pub(crate) fn call_further(&self) {
        self.growth.call(|under_way| under_way == 0 && self.queue.waiting() > 0);
    }

    /// A start for a slot that does not rest, as there has been none yet.
    pub(crate) fn begin_start(&self) -> Start {
        self.growth.begin(&mut self.growth.state.lock())
    }
}

#[cfg(test)]
#[path = "further_tests.rs"]
mod further_tests;
#[cfg(test)]
#[path = "growth_tests.rs"]
mod tests;
