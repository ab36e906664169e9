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
    pub(crate) fn next() -> WorkerId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        WorkerId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) struct Worker {
    id: WorkerId,
    slot: usize,
    pid: Option<u32>,
    address: Address,
    output: Option<Arc<Output>>,
    pub(super) max_concurrent: u32,
    pub(super) in_flight: Padded<AtomicU32>,
    withdrawn: AtomicBool,
    /// Rings when the last request in flight is over after the worker was withdrawn.
    idle: Notify,
    /// Rings when a core could not connect to the worker, so that who tends it looks at once.
    unreachable: Notify,
    pub(super) queue: Arc<Queue>,
}

impl Worker {
    pub(super) fn new(
        id: WorkerId,
        slot: usize,
        pid: Option<u32>,
        address: Address,
        output: Option<Arc<Output>>,
        max_concurrent: u32,
        queue: Arc<Queue>,
    ) -> Worker {
        Worker {
            id,
            slot,
            pid,
            address,
            output,
            max_concurrent,
            in_flight: Padded(AtomicU32::new(0)),
            withdrawn: AtomicBool::new(false),
            idle: Notify::new(),
            unreachable: Notify::new(),
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
        self.pid
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What it prints, if it is one of ours.
    pub(crate) fn output(&self) -> Option<&Arc<Output>> {
        self.output.as_ref()
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
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
        write!(f, "worker {} (slot {}, pid {:?}, {})", self.id.0, self.slot, self.pid, self.address)
    }
}
