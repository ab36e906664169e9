//! The place of one request in a worker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::worker::Worker;

/// One request's place in a worker.
///
/// Taken before the worker is spoken to, returned when the last byte of the response has left (or the tunnel has
/// closed), on every path, by `Drop`. While a lease exists its worker is not stopped before the grace period is over.
#[derive(Debug)]
pub(crate) struct Lease {
    worker: Arc<Worker>,
    waited: Duration,
}

impl Lease {
    /// Takes a place, unless the worker is at its cap or takes no more requests.
    pub(super) fn take(worker: &Arc<Worker>, max_concurrent: u32) -> Option<Lease> {
        // Only what is taken is counted: a count that is undone later would look like a full worker to others.
        let has_room = |in_flight| (in_flight < max_concurrent).then_some(in_flight + 1);
        worker.load.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, has_room).ok()?;
        if worker.is_withdrawn() {
            if worker.load.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
                worker.became_idle();
            }
            return None;
        }
        Some(Lease { worker: worker.clone(), waited: Duration::ZERO })
    }

    pub(crate) fn worker(&self) -> &Arc<Worker> {
        &self.worker
    }

    /// The same for a request that has waited for it.
    pub(super) fn after(mut self, waited: Duration) -> Lease {
        self.waited = waited;
        self
    }

    /// How long the request has waited for it, whether for a place or for a worker to start; zero if there was room at
    /// once.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.worker.count_served();
        let before = self.worker.load.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.worker.queue.is_empty() {
            if before == 1 {
                self.worker.became_idle();
            }
            return;
        }
        // The place goes to the request that has waited longest.
        if let Some(lease) = Lease::take(&self.worker, self.worker.max_concurrent) {
            self.worker.queue.grant(lease);
        } else if before == 1 {
            self.worker.became_idle();
        }
    }
}
