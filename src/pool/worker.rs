//! What the data plane knows of one worker: its address, its state in one bit, and how many requests are in flight.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
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
    /// Rings when a request has waited longer for the worker than it may.
    stuck: Notify,
    /// Of the first of those, in words that follow "the worker".
    stuck_as: Mutex<Option<String>>,
    /// Rings when it goes on with a request that nobody waits for.
    abandoned: Notify,
    /// Nobody but its process can accept its connections: who is refused knows that it is gone.
    listens_alone: AtomicBool,
    /// It has a request with which another worker has ended, and that has counted.
    repeats: AtomicBool,
    /// It closes connections that could carry another request, and lives.
    closes_connections: AtomicBool,
    /// The only connection to a worker that understands no second one; here between requests, for whichever core is next.
    parked: Mutex<Option<OwnedFd>>,
    pub(super) queue: Arc<Queue>,
}

/// What every request changes: on one cache line, which it has to fetch anyway.
pub(super) struct Load {
    pub(super) in_flight: AtomicU32,
    served: AtomicU64,
    /// As many requests are enough for who waits for them.
    enough: AtomicU64,
    /// After as many it takes no more.
    most: AtomicU64,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            in_flight: AtomicU32::new(0),
            served: AtomicU64::new(0),
            enough: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(u64::MAX),
        }
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
            stuck: Notify::new(),
            stuck_as: Mutex::new(None),
            abandoned: Notify::new(),
            listens_alone: AtomicBool::new(false),
            repeats: AtomicBool::new(false),
            closes_connections: AtomicBool::new(false),
            parked: Mutex::new(None),
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
        if served >= self.load.most.load(Ordering::Relaxed) {
            self.withdraw();
        }
    }

    /// Has it take no more requests when so many are over, before the place of the last one is free again. To be said
    /// before it is published.
    pub(crate) fn retire_after(&self, requests: u64) {
        self.load.most.store(requests, Ordering::Relaxed);
        // Who waits for that is rung even if it has not come yet: there is no later request to ring for it.
        self.load.enough.store(requests, Ordering::Relaxed);
    }

    /// Nobody but its process can accept its connections. To be said before it is published.
    pub(crate) fn listens_alone(&self) {
        self.listens_alone.store(true, Ordering::Relaxed);
    }

    /// Whether the worker still takes new requests; idle connections to one that does not are closed.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::SeqCst)
    }

    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
        // Programs that are told to end do not before their connection has.
        drop(self.take_parked());
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
        if self.listens_alone.load(Ordering::Relaxed) {
            self.withdraw();
        }
        self.unreachable.notify_one();
    }

    /// Waits until a core could not connect.
    pub(crate) async fn reported_unreachable(&self) {
        self.unreachable.notified().await;
    }

    /// A request has waited longer for it than it may: it gets no other, and who tends it ends it. `why` follows "the
    /// worker".
    pub(crate) fn report_stuck(&self, why: String) {
        self.withdraw();
        self.stuck_as.lock().get_or_insert(why);
        self.stuck.notify_one();
    }

    /// Waits until a request has waited too long; why, in words that follow "the worker".
    pub(crate) async fn reported_stuck(&self) -> String {
        self.stuck.notified().await;
        self.stuck_as.lock().clone().unwrap_or_default()
    }

    /// Says whether its only request is one with which another worker has ended: should this one end of it too, that is
    /// the same failure once more.
    pub(crate) fn repeats(&self, does: bool) {
        self.repeats.store(does, Ordering::Relaxed);
    }

    pub(crate) fn is_repeating(&self) -> bool {
        self.repeats.load(Ordering::Relaxed)
    }

    /// It goes on with a request that nobody waits for: it gets no other, and who tends it ends it. That is no fault of it.
    pub(crate) fn abandon(&self) {
        self.withdraw();
        self.abandoned.notify_one();
    }

    /// Waits until it is abandoned.
    pub(crate) async fn was_abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// Keeps the connection for the next request, on any core; to be called before the lease is dropped. One that is
    /// there already, or the worker's withdrawal, closes it.
    pub(crate) fn park(&self, connection: OwnedFd) {
        // Outside of the lock: closing is a system call.
        let _replaced = self.parked.lock().replace(connection);
        if self.is_withdrawn() {
            drop(self.take_parked());
        }
    }

    /// It has closed the connection that was kept, and lives: the next time that says nothing of its end.
    pub(crate) fn is_known_to_close_connections(&self) {
        self.closes_connections.store(true, Ordering::Relaxed);
    }

    pub(crate) fn closes_connections(&self) -> bool {
        self.closes_connections.load(Ordering::Relaxed)
    }

    /// The connection that is kept, if there is one.
    pub(crate) fn take_parked(&self) -> Option<OwnedFd> {
        self.parked.lock().take()
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (slot {}, pid {:?}, {})", self.id.0, self.slot, self.pid(), self.address)
    }
}
