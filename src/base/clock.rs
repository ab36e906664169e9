//! Coarse time for one core: one tick for all its connections instead of a timer for each.
//!
//! A deadline is a number in a table; setting one is a store. The tick walks the table (10,000 entries take some
//! microseconds) and wakes those whose time is up. Without connections, of
//! clients or to workers, nothing ticks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

/// How late a deadline may be noticed.
pub(crate) const TICK: Duration = Duration::from_millis(100);
pub(crate) const TICKS_PER_SECOND: u64 = 10;

/// A moment on the core's clock, in ticks since the core began. 2^32 ticks are 13 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    pub(crate) const NEVER: Tick = Tick(u32::MAX);

    pub(crate) fn plus(self, duration: Duration) -> Tick {
        let ticks = duration.as_millis().div_ceil(TICK.as_millis());
        Tick(self.0.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX)))
    }

    /// How long it is from `earlier` to this moment; zero if that is the later one.
    pub(crate) fn since(self, earlier: Tick) -> Duration {
        TICK.saturating_mul(self.0.saturating_sub(earlier.0))
    }
}

struct Entry {
    due: Tick,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Default)]
pub(crate) struct Clock {
    now: Cell<u32>,
    table: RefCell<Table>,
    in_use: Cell<usize>,
    first: Notify,
}

/// One deadline of one task; the last one set counts.
pub(crate) struct Timer {
    clock: Rc<Clock>,
    index: u32,
}

impl Clock {
    pub(crate) fn now(&self) -> Tick {
        Tick(self.now.get())
    }

    /// The time `duration` from now, one tick more so that no one is cut short.
    pub(crate) fn after(&self, duration: Duration) -> Tick {
        Tick(self.now.get().saturating_add(1)).plus(duration)
    }

    pub(crate) fn timer(self: &Rc<Self>) -> Timer {
        let mut table = self.table.borrow_mut();
        let entry = Entry { due: Tick::NEVER, waker: None };
        let index = match table.free.pop() {
            Some(index) => {
                table.entries[index as usize] = entry;
                index
            }
            None => {
                table.entries.push(entry);
                table.entries.len() as u32 - 1
            }
        };
        self.in_use.set(self.in_use.get() + 1);
        if self.in_use.get() == 1 {
            self.first.notify_one();
        }
        Timer { clock: self.clone(), index }
    }

    /// Ticks for ever; `every` is called once a second for the core's own housekeeping, and says whether there is more
    /// of it to come.
    pub(crate) async fn run(&self, every: impl Fn() -> bool) {
        let mut ticks = 0_u32;
        let mut busy = false;
        loop {
            while self.in_use.get() == 0 && !busy {
                self.first.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.now.set(self.now.get().saturating_add(1));
            self.wake_due();
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(10) {
                busy = every();
            }
        }
    }

    fn wake_due(&self) {
        let now = self.now();
        for entry in &self.table.borrow().entries {
            if entry.due <= now
                && let Some(waker) = &entry.waker
            {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes every task that has a timer, so that it looks at what has changed (the core drains).
    pub(crate) fn wake_all(&self) {
        for entry in &self.table.borrow().entries {
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }
}

impl Timer {
    /// Says which task to wake. Once is enough: a task's waker stays the same for its life.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.clock.table.borrow_mut().entries[self.index as usize].waker = Some(waker.clone());
    }

    pub(crate) fn set(&self, due: Tick) {
        self.clock.table.borrow_mut().entries[self.index as usize].due = due;
    }

    pub(crate) fn clear(&self) {
        self.set(Tick::NEVER);
    }

    pub(crate) fn is_due(&self) -> bool {
        self.clock.table.borrow().entries[self.index as usize].due <= self.clock.now()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut table = self.clock.table.borrow_mut();
        table.entries[self.index as usize] = Entry { due: Tick::NEVER, waker: None };
        table.free.push(self.index);
        self.clock.in_use.set(self.clock.in_use.get() - 1);
    }
}
