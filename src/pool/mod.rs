//! The table between the planes: the worker slots of one application, who is free, and who waits.
//!
//! The control plane publishes workers and withdraws them; the data plane leases places in them. What both touch is
//! atomic, or a lock held for a few instructions; nothing here does I/O. A request's way through this module:
//! [`Pool::lease`] -> [`select`] picks the next ready worker with room -> a [`Lease`] -> its drop frees the place, for
//! the request that has waited longest if any waits.

mod application;
mod generation;
pub(crate) mod journal;
mod lease;
mod opening;
mod queue;
pub(crate) mod refusal;
mod select;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

pub(crate) use self::application::{Application, ApplicationId, Applications, Standing};
pub(crate) use self::generation::{ErrorStyle, Generation, Passing};
use self::journal::Journal;
pub(crate) use self::lease::Lease;
use self::opening::Opening;
use self::queue::{Queue, Refused};
pub(crate) use self::worker::{Worker, WorkerId};
use crate::base::padded::Padded;

/// What a pool is told once, when it is made.
#[derive(Debug, Clone)]
pub(crate) struct PoolSettings {
    /// The application's name, for people.
    pub(crate) name: String,
    /// How many workers the application has.
    pub(crate) slots: usize,
    /// How many requests one worker may have in flight; 0 rejects everything.
    pub(crate) max_concurrent: u32,
    /// How many requests may wait when every worker is at its cap; 0 overflows at once.
    pub(crate) queue_length: usize,
    /// How long a request waits for a place before it overflows.
    pub(crate) queue_timeout: Duration,
    /// How long a request waits while no worker is ready but one is expected.
    pub(crate) start_timeout: Duration,
    /// Nobody is served before every slot has had its first worker or failed to get one, so that the rotation begins
    /// at its beginning (iisnode 3.2).
    pub(crate) opens_complete: bool,
}

/// Why nobody is ready, and whether waiting helps. Published by the control plane.
#[derive(Debug, Clone)]
pub(crate) enum Outlook {
    /// A worker is starting or will be; requests wait for it.
    Expected,
    /// Starts keep failing; requests are told so at once. The text says why, in one sentence.
    Failing(Arc<str>),
    /// The application is going away.
    Stopping,
}

/// Why a request got no place in any worker.
#[derive(Debug, Clone)]
pub(crate) enum NoLease {
    /// Every ready worker is at its cap and nothing may wait (any longer).
    Overflow,
    /// No worker became ready in time.
    NotReady,
    /// No worker is ready and none is to be expected soon.
    Failing(Arc<str>),
    /// The application is going away.
    Stopping,
}

pub(crate) struct Pool {
    settings: PoolSettings,
    slots: Box<[ArcSwapOption<Worker>]>,
    /// The slot taken last; the next request starts its search one further. Shared by all cores, so that rotation is
    /// strict per request and not per core.
    cursor: Padded<AtomicUsize>,
    outlook: ArcSwap<Outlook>,
    queue: Arc<Queue>,
    opening: Opening,
    journal: Journal,
}

impl Pool {
    pub(crate) fn new(settings: PoolSettings) -> Arc<Pool> {
        Arc::new(Pool {
            slots: (0..settings.slots).map(|_| ArcSwapOption::empty()).collect(),
            cursor: Padded(AtomicUsize::new(0)),
            outlook: ArcSwap::from_pointee(Outlook::Expected),
            opening: Opening::new(if settings.opens_complete { settings.slots } else { 0 }),
            queue: Arc::new(Queue::default()),
            journal: Journal::default(),
            settings,
        })
    }

    pub(crate) fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// What became of the workers, for who must explain a failure.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A place in the next worker with room, or the reason why there is none after waiting as long as is allowed.
    ///
    /// Those who wait are served first come, first served; nobody who arrives later overtakes them.
    pub(crate) async fn lease(&self) -> Result<Lease, NoLease> {
        match self.lease_now() {
            Some(lease) => Ok(lease),
            None => self.wait_for_lease().await,
        }
    }

    /// A place in the next worker with room, if there is one and nobody waits for it.
    pub(crate) fn lease_now(&self) -> Option<Lease> {
        if self.queue.is_empty() && self.opening.is_over() { self.try_lease() } else { None }
    }

    /// A place in the worker of one slot, if it is ready, has room, and nobody waits.
    pub(crate) fn lease_in(&self, slot: usize) -> Option<Lease> {
        if !self.queue.is_empty() || !self.opening.is_over() {
            return None;
        }
        let worker = self.slots.get(slot)?.load();
        Lease::take(worker.as_ref()?, self.settings.max_concurrent)
    }

    /// A place in the next worker with room, without waiting and without regard to those who wait.
    fn try_lease(&self) -> Option<Lease> {
        let start = self.cursor.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        select::once_around(start, self.slots.len(), |slot| {
            let worker = self.slots[slot].load();
            Lease::take(worker.as_ref()?, self.settings.max_concurrent)
        })
    }

    /// Whether every slot is empty, so that no request can be served however long the queue moves on.
    pub(crate) fn is_unready(&self) -> bool {
        self.nobody_ready()
    }

    /// Whether every slot has a worker that is ready.
    pub(crate) fn is_complete(&self) -> bool {
        self.slots.iter().all(|slot| slot.load().is_some())
    }

    /// Whether somebody waits for a place.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether no worker is to be expected.
    pub(crate) fn is_failing(&self) -> bool {
        !matches!(&**self.outlook.load(), Outlook::Expected)
    }

    fn nobody_ready(&self) -> bool {
        !self.opening.is_over() || self.slots.iter().all(|slot| slot.load().is_none())
    }

    async fn wait_for_lease(&self) -> Result<Lease, NoLease> {
        let unready = self.nobody_ready();
        let (bound, patience) = if unready {
            self.look_out()?;
            // As many as the workers could take at once when they are there, and those who may queue after that.
            let room = self.settings.slots.saturating_mul(self.settings.max_concurrent as usize);
            (room.saturating_add(self.settings.queue_length), self.settings.start_timeout)
        } else {
            // Those who wait may be about to get places that are free: the queue alone is no sign of full workers.
            self.serve_queue();
            if let Some(lease) = self.lease_now() {
                return Ok(lease);
            }
            (self.settings.queue_length, self.settings.queue_timeout)
        };
        let Some(ticket) = self.queue.join(bound) else { return Err(NoLease::Overflow) };
        // A place may have become free between our look and our joining, or all hope lost; nobody would tell us.
        self.serve_queue();
        if (unready && self.nobody_ready()) || matches!(&**self.outlook.load(), Outlook::Stopping) {
            self.look_out()?;
        }
        match tokio::time::timeout(patience, ticket.granted()).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(Refused::Failing(why))) => Err(NoLease::Failing(why)),
            Ok(Err(Refused::Stopping)) => Err(NoLease::Stopping),
            Err(_) if unready => Err(NoLease::NotReady),
            Err(_) => Err(NoLease::Overflow),
        }
    }

    /// Whether waiting for a worker makes sense.
    fn look_out(&self) -> Result<(), NoLease> {
        match &**self.outlook.load() {
            Outlook::Expected => Ok(()),
            Outlook::Failing(why) => Err(NoLease::Failing(why.clone())),
            Outlook::Stopping => Err(NoLease::Stopping),
        }
    }

    /// Gives free places to those who wait, longest first, until one of both runs out.
    fn serve_queue(&self) {
        if !self.opening.is_over() {
            return;
        }
        while !self.queue.is_empty() {
            let Some(lease) = self.try_lease() else { return };
            self.queue.grant(lease);
        }
    }

    // What the control plane does.

    /// Makes a worker known that takes requests under the pool's cap; with what it prints, if it is one of ours.
    pub(crate) fn worker(
        &self,
        id: WorkerId,
        slot: usize,
        pid: Option<u32>,
        address: crate::base::address::Address,
        output: Option<Arc<crate::logs::output::Output>>,
    ) -> Arc<Worker> {
        Arc::new(Worker::new(
            id,
            slot,
            pid,
            address,
            output,
            self.settings.max_concurrent,
            self.queue.clone(),
        ))
    }

    /// Puts a ready worker into its slot; requests find it from now on, those who wait first.
    pub(crate) fn publish(&self, worker: Arc<Worker>) {
        let slot = worker.slot();
        self.slots[slot].store(Some(worker));
        self.first_outcome(slot);
        self.serve_queue();
    }

    /// A slot has its first worker, or has failed to get one.
    pub(crate) fn first_outcome(&self, slot: usize) {
        if self.opening.outcome(slot) {
            self.serve_queue();
        }
    }

    /// Waits for no slot any longer.
    pub(crate) fn open(&self) {
        self.opening.end();
        self.serve_queue();
    }

    /// Requests in flight on all workers that are ready.
    pub(crate) fn in_flight(&self) -> u64 {
        self.slots
            .iter()
            .filter_map(ArcSwapOption::load_full)
            .map(|worker| u64::from(worker.in_flight()))
            .sum()
    }

    /// Takes a worker out of its slot, whether it drains, died or does not answer. Requests in flight keep their lease.
    pub(crate) fn withdraw(&self, worker: &Worker) {
        worker.withdraw();
        let slot = &self.slots[worker.slot()];
        let current = slot.load_full();
        if current.is_some_and(|there| there.id() == worker.id()) {
            slot.store(None);
        }
    }

    /// Says what to expect while nobody is ready; those who wait in vain are told at once.
    pub(crate) fn announce(&self, outlook: Outlook) {
        let refusal = match &outlook {
            Outlook::Expected => None,
            Outlook::Failing(why) => Some(Refused::Failing(why.clone())),
            Outlook::Stopping => Some(Refused::Stopping),
        };
        let is_over = matches!(outlook, Outlook::Stopping);
        self.outlook.store(Arc::new(outlook));
        if let Some(refusal) = refusal
            && (is_over || self.nobody_ready())
        {
            self.queue.refuse_all(&refusal);
        }
    }

    /// The ready workers.
    #[cfg(test)]
    pub(crate) fn workers(&self) -> Vec<Arc<Worker>> {
        self.slots.iter().filter_map(ArcSwapOption::load_full).collect()
    }
}

#[cfg(test)]
mod tests;
