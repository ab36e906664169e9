//! Workers beyond the eager ones of a pool that grows: one more at a time, while requests wait for long and the machine
//! has cores and memory for it.
//!
//! Their slots are made when they are first needed: a thousand pools that are never crowded have none of them. They stay
//! then, at rest without a worker, as all slots of such a pool do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::application::Application;
use super::memory::Memory;
use super::proc;
use super::worker::Slot;

/// How long it takes until a machine that had no room for another worker is looked at again.
const PAUSE: Duration = Duration::from_millis(250);
/// So many workers are looked at to know whether they compute: reading about one takes some microseconds.
const WATCHED: usize = 64;
/// And so many to know how large they are, with what they have started.
const WEIGHED: usize = 16;
/// Memory for so many workers of the average size must be there: a young one is smaller than it will be.
const ROOM_FOR: u64 = 2;
const MB: u64 = 1024 * 1024;

/// The slots of one application that are not there yet.
pub(super) struct Further {
    application: Arc<Application>,
    /// The lowest of them.
    next: usize,
    not_before: Instant,
    /// That there is too little memory, which is told once.
    is_told: bool,
}

/// What there is of workers and of room for them, at one moment.
#[derive(Debug, Clone, Copy)]
struct Measured {
    workers: usize,
    watched: usize,
    /// How many of the watched compute, or would if a core were free.
    runnable: usize,
    average_bytes: u64,
    /// None if nobody tells.
    spare_bytes: Option<u64>,
}

/// Why another worker would not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scarce {
    Cores,
    Memory { needed: u64 },
}

impl Further {
    pub(super) fn new(application: &Arc<Application>) -> Further {
        let next = application.pool.settings().eager();
        Further { application: Arc::clone(application), next, not_before: Instant::now(), is_told: false }
    }

    /// Ready with a slot that is to start a worker at once. One that rests is called here, and is not to be heard of.
    ///
    /// May be dropped at any moment, and asked again.
    pub(super) async fn slot_wanted(&mut self) -> Slot {
        let application = Arc::clone(&self.application);
        let settings = application.pool.settings();
        if !settings.grows || settings.eager() == settings.slots {
            return std::future::pending().await;
        }
        loop {
            sleep_until(self.not_before).await;
            application.pool.falls_behind().await;
            if application.drain.is_requested() {
                return std::future::pending().await;
            }
            if !self.has_room() {
                self.not_before = self.not_before.max(Instant::now() + PAUSE);
            } else if application.pool.has_rest() {
                application.pool.call_further();
            } else if application.pool.is_waited_for() && self.next < settings.slots {
                let start = application.pool.begin_start();
                let number = self.next;
                self.next += 1;
                return Slot::begun(Arc::clone(&application), number, start);
            }
        }
    }

    /// Whether a slot is left, may start, and has what a worker needs.
    fn has_room(&mut self) -> bool {
        let pool = &self.application.pool;
        let settings = pool.settings();
        if self.next >= settings.slots && !pool.has_rest() {
            return false;
        }
        if let Some((_, until)) = self.application.closed_gate() {
            self.not_before = until;
            return false;
        }
        let measured = self.measured();
        let application = settings.name.as_str();
        match measured.scarce(settings.eager()) {
            None => true,
            Some(Scarce::Cores) => {
                tracing::debug!(application, ?measured, "requests wait, and the cores are busy");
                false
            }
            Some(Scarce::Memory { needed }) => {
                if !std::mem::replace(&mut self.is_told, true) {
                    let (workers, needed_mb) = (measured.workers, needed.div_ceil(MB));
                    tracing::warn!(
                        application,
                        workers,
                        needed_mb,
                        "requests wait, and there is too little memory for another worker"
                    );
                }
                false
            }
        }
    }

    fn measured(&self) -> Measured {
        let pids: Vec<u32> =
            self.application.pool.workers().iter().filter_map(|worker| worker.pid()).collect();
        let watched = &pids[..pids.len().min(WATCHED)];
        let weighed = &pids[..pids.len().min(WEIGHED)];
        let bytes: u64 = weighed.iter().map(|&pid| proc::resident_bytes(pid)).sum();
        Measured {
            workers: pids.len(),
            watched: watched.len(),
            runnable: watched.iter().filter(|&&pid| proc::is_runnable(pid)).count(),
            average_bytes: bytes / (weighed.len().max(1) as u64),
            spare_bytes: Memory::now().map(|memory| memory.spare()),
        }
    }
}

impl Measured {
    /// What there is too little of for another worker.
    fn scarce(&self, eager: usize) -> Option<Scarce> {
        // As many compute as were thought to keep all cores busy: another would only take time from them. The load of the
        // machine would say less: in a container it is that of strangers, on cores that are not ours.
        let runnable = self.runnable.saturating_mul(self.workers) / self.watched.max(1);
        if self.workers > 0 && runnable >= eager {
            return Some(Scarce::Cores);
        }
        let needed = self.average_bytes.saturating_mul(ROOM_FOR);
        let lacks = self.spare_bytes.is_some_and(|spare| spare == 0 || spare < needed);
        lacks.then_some(Scarce::Memory { needed })
    }
}

#[cfg(test)]
mod tests {
    use super::{MB, Measured, Scarce};

    #[test]
    fn another_worker_comes_while_there_are_cores_and_memory_for_it() {
        let idle = Measured {
            workers: 4,
            watched: 4,
            runnable: 0,
            average_bytes: 30 * MB,
            spare_bytes: Some(1000 * MB),
        };
        let memory = Some(Scarce::Memory { needed: 60 * MB });
        for (measured, scarce) in [
            (idle, None),
            (Measured { runnable: 3, ..idle }, None),
            (Measured { runnable: 4, ..idle }, Some(Scarce::Cores)),
            (Measured { workers: 20, watched: 20, runnable: 4, ..idle }, Some(Scarce::Cores)),
            // A part stands for all.
            (Measured { workers: 640, watched: 64, runnable: 1, ..idle }, Some(Scarce::Cores)),
            (Measured { workers: 640, watched: 64, ..idle }, None),
            (Measured { spare_bytes: Some(60 * MB), ..idle }, None),
            (Measured { spare_bytes: Some(60 * MB - 1), ..idle }, memory),
            (Measured { spare_bytes: None, ..idle }, None),
            (Measured { average_bytes: 0, spare_bytes: Some(0), ..idle }, Some(Scarce::Memory { needed: 0 })),
            (Measured { workers: 0, watched: 0, average_bytes: 0, ..idle }, None),
        ] {
            assert_eq!(measured.scarce(4), scarce, "{measured:?}");
        }
    }
}
