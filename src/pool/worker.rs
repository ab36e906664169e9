//! What the data plane knows of one worker: its address, its state in one bit, and how many requests are in flight.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::queue::Queue;
use crate::base::address::Address;
use crate::base::padded::Padded;
use crate::logs::output::Output;

/// Tells workers apart for the life of the host; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WorkerId(u64);

impl WorkerId {
    fn next() -> WorkerId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        WorkerId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The process of a worker that is one of ours.
pub(crate) struct WorkerProcess {
    pub(crate) pid: u32,
    /// What it prints.
    pub(crate) output: Arc<Output>,
    /// Field lines, each with its CR LF, that every request to it carries.
    pub(crate) told: Box<str>,
}

pub(crate) struct Worker {
    id: WorkerId,
    slot: usize,
    address: Address,
    process: Option<WorkerProcess>,
    pub(super) max_concurrent: u32,
    pub(super) load: Padded<Load>,
    withdrawn: AtomicBool,
    /// Rings when the last request in flight is over after the worker was withdrawn.
    idle: Notify,
    /// Rings when a core could not connect to the worker, so that who tends it looks at once.
    unreachable: Notify,
    /// Rings when as many requests are over as somebody waits for.
    enough: Notify,
    pub(super) queue: Arc<Queue>,
}

/// What every request changes: on one cache line, which it has to fetch anyway.
pub(super) struct Load {
    pub(super) in_flight: AtomicU32,
    served: AtomicU64,
    /// As many requests are enough for who waits for them.
    enough: AtomicU64,
}

impl Default for Load {
    fn default() -> Load {
        Load { in_flight: AtomicU32::new(0), served: AtomicU64::new(0), enough: AtomicU64::new(u64::MAX) }
    }
}

impl Worker {
    pub(super) fn new(
        slot: usize,
        address: Address,
        process: Option<WorkerProcess>,
        max_concurrent: u32,
        queue: Arc<Queue>,
    ) -> Worker {
        Worker {
            id: WorkerId::next(),
            slot,
            address,
            process,
            max_concurrent,
            load: Padded(Load::default()),
            withdrawn: AtomicBool::new(false),
            idle: Notify::new(),
            unreachable: Notify::new(),
            enough: Notify::new(),
            queue,
        }
    }

    pub(crate) fn id(&self) -> WorkerId {
        self.id
    }

    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// The process, if it is one of ours.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.pid)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What it prints, if it is one of ours.
    pub(crate) fn output(&self) -> Option<&Arc<Output>> {
        self.process.as_ref().map(|process| &process.output)
    }

    /// Field lines, each with its CR LF, that every request to it carries.
    pub(crate) fn told(&self) -> &str {
        self.process.as_ref().map_or("", |process| &process.told)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.load.in_flight.load(Ordering::SeqCst)
    }

    /// How many requests are over.
    pub(crate) fn served(&self) -> u64 {
        self.load.served.load(Ordering::Relaxed)
    }

    /// Waits until so many requests are over; for one waiter at a time.
    pub(crate) async fn has_served(&self, requests: u64) {
        self.load.enough.store(requests, Ordering::Relaxed);
        while self.served() < requests {
            self.enough.notified().await;
        }
    }

    /// A request is over.
    pub(super) fn count_served(&self) {
        let served = self.load.served.fetch_add(1, Ordering::Relaxed) + 1;
        // Not only when it is exactly that: the waiter may have come at this moment, and then the next one rings.
        if served >= self.load.enough.load(Ordering::Relaxed) {
            self.enough.notify_one();
        }
    }

    /// Whether the worker still takes new requests; idle connections to one that does not are closed.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::SeqCst)
    }

    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
        if self.in_flight() == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until no request is in flight. Meaningful once the worker is withdrawn.
    pub(crate) async fn drained(&self) {
        loop {
            let rung = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            rung.await;
        }
    }

    pub(super) fn became_idle(&self) {
        if self.is_withdrawn() {
            self.idle.notify_waiters();
        }
    }

    /// A core could not connect.
    pub(crate) fn report_unreachable(&self) {
        self.unreachable.notify_one();
    }

    /// Waits until a core could not connect.
    pub(crate) async fn reported_unreachable(&self) {
        self.unreachable.notified().await;
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (slot {}, pid {:?}, {})", self.id.0, self.slot, self.pid(), self.address)
    }
}
