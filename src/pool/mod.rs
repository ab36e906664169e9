//! The table between the planes: the worker slots of one application, who is free, and who waits.
//!
//! The control plane publishes workers and withdraws them; the data plane leases places in them. What both touch is
//! atomic, or a lock held for a few instructions; nothing here does I/O. A request's way through this module:
//! [`Pool::lease`] -> [`select`] picks a ready worker with room -> a [`Lease`] -> its drop frees the place, for the
//! request that has waited longest if any waits.

mod application;
mod generation;
mod growth;
pub(crate) mod journal;
mod lease;
mod opening;
mod queue;
mod random;
pub(crate) mod refusal;
mod select;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use self::application::{Application, ApplicationId, Applications, Kind, Standing};
pub(crate) use self::generation::{
    ErrorStyle, FastCgiPassing, Forwarded, Generation, Passing, ProgramErrors, Protocol,
};
use self::growth::Growth;
pub(crate) use self::growth::{Demand, Start};
use self::journal::Journal;
pub(crate) use self::lease::Lease;
use self::opening::Opening;
use self::queue::{Queue, Refused};
pub(crate) use self::worker::{Worker, WorkerId, WorkerProcess};
use crate::base::padded::Padded;
pub(crate) use crate::config::settings::LoadBalancing;
use crate::logs::console::Voice;

/// A client that has its answer may be back before the place of its request is: so long a place is waited for before
/// another worker is started.
const GIVING_BACK: Duration = Duration::from_millis(2);

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
    /// Workers are started when requests wait for them, one for each, and not before.
    pub(crate) grows: bool,
    /// So many workers of a pool that grows follow a request at once; those beyond come one by one, when requests have
    /// waited for a while and the machine has room. None: all of them at once.
    pub(crate) eager: Option<usize>,
    /// Which of the workers with room gets a request.
    pub(crate) balancing: LoadBalancing,
}

impl PoolSettings {
    /// How many workers come at once; as many as there are slots, unless it is said.
    pub(crate) fn eager(&self) -> usize {
        self.eager.map_or(self.slots, |eager| eager.clamp(1, self.slots.max(1)))
    }
}

/// Why nobody is ready, and whether waiting helps. Published by the control plane.
#[derive(Debug, Clone)]
pub(crate) enum Outlook {
    /// A worker is starting or will be; requests wait for it.
    Expected,
    /// Starts keep failing; requests are told so at once. The text says why, in one sentence.
    Failing(Arc<str>),
    /// All attempts of the last start have failed, and the next begins when a request asks for it.
    Resting(Arc<str>),
    /// Workers have ended more often than is allowed in a minute; nothing is started before then.
    Closed { limit: u32, until: std::time::Instant },
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
    /// Workers have ended more often than is allowed in a minute.
    Closed { limit: u32, until: std::time::Instant },
    /// The application is going away.
    Stopping,
}

/// Whether who looks out for workers has them started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    No,
    Yes,
}

pub(crate) struct Pool {
    settings: PoolSettings,
    slots: Box<[ArcSwapOption<Worker>]>,
    /// Where the last search began; the next one begins one further. Shared by all cores, so that rotation is strict per
    /// request and not per core.
    cursor: Padded<AtomicUsize>,
    outlook: ArcSwap<Outlook>,
    queue: Arc<Queue>,
    opening: Opening,
    growth: Arc<Growth>,
    /// How often a request has asked for another start.
    calls: watch::Sender<u64>,
    journal: Journal,
    /// How many requests were over at workers when they were withdrawn.
    served_before: AtomicU64,
    /// For what servers elsewhere say of requests; workers of ours have one each.
    voice: OnceLock<Mutex<Voice>>,
}

impl Pool {
    pub(crate) fn new(settings: PoolSettings) -> Arc<Pool> {
        Arc::new(Pool {
            slots: (0..settings.slots).map(|_| ArcSwapOption::empty()).collect(),
            cursor: Padded(AtomicUsize::new(0)),
            outlook: ArcSwap::from_pointee(Outlook::Expected),
            opening: Opening::new(if settings.opens_complete { settings.slots } else { 0 }),
            queue: Arc::new(Queue::default()),
            growth: Arc::default(),
            calls: watch::Sender::new(0),
            journal: Journal::default(),
            served_before: AtomicU64::new(0),
            voice: OnceLock::new(),
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

    /// From now on [`Pool::say`] is heard there.
    pub(crate) fn speak_with(&self, voice: Voice) {
        // Whoever comes second has the same voice.
        let _ = self.voice.set(Mutex::new(voice));
    }

    /// Prints a line as workers do.
    pub(crate) fn say(&self, line: &str) {
        if let Some(voice) = self.voice.get() {
            voice.lock().write(format!("{line}\n").as_bytes());
        }
    }

    /// A place in a worker with room, or the reason why there is none after waiting as long as is allowed.
    ///
    /// Those who wait are served first come, first served; nobody who arrives later overtakes them.
    pub(crate) async fn lease(&self) -> Result<Lease, NoLease> {
        match self.lease_now() {
            Some(lease) => Ok(lease),
            None => self.wait_for_lease().await,
        }
    }

    /// Whether as many requests wait for a place as may.
    pub(crate) fn is_overflowing(&self) -> bool {
        self.settings.queue_length > 0 && self.queue.waiting() >= self.settings.queue_length
    }

    /// A place in a worker with room, if there is one and nobody waits for it.
    pub(crate) fn lease_now(&self) -> Option<Lease> {
        if self.queue.is_empty() && self.opening.is_over() { self.try_lease() } else { None }
    }

    /// A place in the worker of one slot, if it is ready, has room, and nobody waits.
    pub(crate) fn lease_in(&self, slot: usize) -> Option<Lease> {
        if !self.queue.is_empty() || !self.opening.is_over() {
            return None;
        }
        self.take(slot)
    }

    /// A place in a worker with room, without waiting and without regard to those who wait.
    fn try_lease(&self) -> Option<Lease> {
        let slots = self.slots.len();
        if self.settings.grows {
            // Always from the first: those that are not needed any longer become idle, and end.
            return select::once_around(0, slots, |slot| self.take(slot));
        }
        match self.settings.balancing {
            LoadBalancing::RoundRobin => {
                select::once_around(self.next_start(), slots, |slot| self.take(slot))
            }
            LoadBalancing::LeastRequests => {
                let start = self.next_start();
                select::least_busy(start, slots, |slot| self.load(slot), |slot| self.take(slot))
            }
            LoadBalancing::PowerOfTwo => {
                select::less_busy_of_two(slots, random::below, |slot| self.load(slot), |slot| self.take(slot))
            }
        }
    }

    fn next_start(&self) -> usize {
        self.cursor.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    fn take(&self, slot: usize) -> Option<Lease> {
        let worker = self.slots.get(slot)?.load();
        Lease::take(worker.as_ref()?, self.settings.max_concurrent)
    }

    /// How many requests the worker of a slot has in flight, if one is ready.
    fn load(&self, slot: usize) -> Option<u32> {
        Some(self.slots.get(slot)?.load().as_ref()?.in_flight())
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
        !self.opening.is_over() || self.ready() == 0
    }

    /// How many slots have a worker that takes requests.
    fn ready(&self) -> usize {
        let is_ready =
            |slot: &&ArcSwapOption<Worker>| slot.load().as_ref().is_some_and(|worker| !worker.is_withdrawn());
        self.slots.iter().filter(is_ready).count()
    }

    async fn wait_for_lease(&self) -> Result<Lease, NoLease> {
        let unready = self.nobody_ready();
        let (bound, patience) = if unready {
            self.look_out(Asks::No)?;
            // As many as the workers could take at once when they are there, and those who may queue after that.
            (self.bound(self.settings.eager()), self.settings.start_timeout)
        } else {
            // Those who wait may be about to get places that are free: the queue alone is no sign of full workers.
            self.serve_queue();
            if let Some(lease) = self.lease_now() {
                return Ok(lease);
            }
            // Who waits for a worker that can still be started is in nobody's way. Whether those beyond the eager ones
            // can be is not known.
            let unfilled =
                if self.settings.grows { self.settings.eager().saturating_sub(self.ready()) } else { 0 };
            (self.bound(unfilled), self.settings.queue_timeout)
        };
        let begun = Instant::now();
        let Some(ticket) = self.queue.join(bound) else { return Err(NoLease::Overflow) };
        // A place may have become free between our look and our joining, or all hope lost; nobody would tell us.
        self.serve_queue();
        let mut granted = std::pin::pin!(ticket.granted());
        let at_once = match self.settings.grows && !unready {
            true => tokio::time::timeout(GIVING_BACK, granted.as_mut()).await.ok(),
            false => None,
        };
        if at_once.is_none() {
            self.call_for_growth();
        }
        if at_once.is_none() && (self.nobody_ready() || matches!(&**self.outlook.load(), Outlook::Stopping)) {
            // Only who waits asks for a start: what becomes of it is told to those in the queue.
            self.look_out(Asks::Yes)?;
        }
        let outcome = match at_once {
            Some(outcome) => Ok(outcome),
            None => tokio::time::timeout(patience, granted).await,
        };
        match outcome {
            Ok(Ok(lease)) => Ok(lease.after(begun.elapsed())),
            Ok(Err(Refused::Failing(why))) => Err(NoLease::Failing(why)),
            Ok(Err(Refused::Closed { limit, until })) => Err(NoLease::Closed { limit, until }),
            Ok(Err(Refused::Stopping)) => Err(NoLease::Stopping),
            // Where workers come one by one, some may have come, and be busy.
            Err(_) if unready && (!self.settings.grows || self.nobody_ready()) => Err(NoLease::NotReady),
            Err(_) => Err(NoLease::Overflow),
        }
    }

    /// How many may wait: as many as so many further workers could take at once, and those who may queue after that.
    fn bound(&self, workers: usize) -> usize {
        let room = workers.saturating_mul(self.settings.max_concurrent as usize);
        room.saturating_add(self.settings.queue_length)
    }

    /// Whether waiting for a worker makes sense; calls for another start where that is what it takes.
    fn look_out(&self, asks: Asks) -> Result<(), NoLease> {
        match &**self.outlook.load() {
            Outlook::Expected => Ok(()),
            Outlook::Resting(_) => {
                // Where workers come one by one it has asked already.
                if asks == Asks::Yes && !self.settings.grows {
                    self.calls.send_modify(|calls| *calls += 1);
                }
                Ok(())
            }
            Outlook::Failing(why) => Err(NoLease::Failing(why.clone())),
            Outlook::Closed { limit, until } => Err(NoLease::Closed { limit: *limit, until: *until }),
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

    /// Makes a worker known that takes requests under the pool's cap; with its process, if it is one of ours.
    pub(crate) fn worker(
        &self,
        slot: usize,
        address: crate::base::address::Address,
        process: Option<WorkerProcess>,
    ) -> Arc<Worker> {
        let Pool { settings, queue, .. } = self;
        Arc::new(Worker::new(slot, address, process, settings.max_concurrent, queue.clone()))
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
        let slot = &self.slots[worker.slot()];
        let current = slot.load_full();
        if current.is_some_and(|there| there.id() == worker.id()) {
            // First nobody finds it, and then it takes nothing: the other way round it would look like a full one.
            slot.store(None);
            self.served_before.fetch_add(worker.served(), Ordering::Relaxed);
        }
        worker.withdraw();
    }

    /// How many requests are over; none while one is in flight or waits. Twice the same number: nobody had a request.
    pub(crate) fn served_if_at_rest(&self) -> Option<u64> {
        if self.is_waited_for() {
            return None;
        }
        let mut served = self.served_before.load(Ordering::Relaxed);
        for worker in self.slots.iter().filter_map(ArcSwapOption::load_full) {
            if worker.in_flight() > 0 {
                return None;
            }
            served = served.wrapping_add(worker.served());
        }
        Some(served)
    }

    /// How often requests have asked for another start while the pool was resting.
    pub(crate) fn calls(&self) -> u64 {
        *self.calls.borrow()
    }

    /// Waits until a request has asked for another start, beyond those that were `seen`.
    pub(crate) async fn called_beyond(&self, seen: u64) {
        let mut calls = self.calls.subscribe();
        // The sender is here, so this does not fail while we wait.
        let _ = calls.wait_for(|calls| *calls > seen).await;
    }

    /// Says what to expect while nobody is ready; those who wait in vain are told at once.
    pub(crate) fn announce(&self, outlook: Outlook) {
        let refusal = match &outlook {
            Outlook::Expected => None,
            Outlook::Failing(why) | Outlook::Resting(why) => Some(Refused::Failing(why.clone())),
            Outlook::Closed { limit, until } => Some(Refused::Closed { limit: *limit, until: *until }),
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
    pub(crate) fn workers(&self) -> Vec<Arc<Worker>> {
        self.slots.iter().filter_map(ArcSwapOption::load_full).collect()
    }
}

#[cfg(test)]
mod outlook_tests;
#[cfg(test)]
mod tests;
