//! The time before a pool serves its first request, if it is to begin complete.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the slots whose first outcome is awaited.
pub(super) struct Opening {
    awaited: Box<[AtomicBool]>,
    left: AtomicUsize,
}

impl Opening {
    pub(super) fn new(slots: usize) -> Opening {
        Opening {
            awaited: (0..slots).map(|_| AtomicBool::new(true)).collect(),
            left: AtomicUsize::new(slots),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Notes the outcome of a slot; true if it was the last that was awaited.
    pub(super) fn outcome(&self, slot: usize) -> bool {
        let was_awaited = self.awaited.get(slot).is_some_and(|awaited| awaited.swap(false, Ordering::SeqCst));
        was_awaited
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }

    pub(super) fn end(&self) {
        self.left.store(0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Opening;

    #[test]
    fn it_is_over_with_the_first_outcome_of_every_slot() {
        let opening = Opening::new(3);
        assert!(!opening.is_over());
        // Slot, and whether it was the last that was awaited; a second outcome of the same slot counts for nothing.
        for (slot, was_last) in
            [(1, false), (1, false), (0, false), (7, false), (1, false), (2, true), (2, false)]
        {
            assert_eq!(opening.outcome(slot), was_last, "slot {slot}");
            assert_eq!(opening.is_over(), was_last || (slot == 2), "slot {slot}");
        }
    }

    #[test]
    fn without_slots_it_is_over_from_the_beginning() {
        let opening = Opening::new(0);
        assert!(opening.is_over() && !opening.outcome(0));
    }

    #[test]
    fn ended_early_it_stays_over_and_no_outcome_is_the_last() {
        let opening = Opening::new(2);
        assert!(!opening.outcome(0));
        opening.end();
        assert!(opening.is_over() && !opening.outcome(1) && opening.is_over());
    }

    #[test]
    fn exactly_one_of_many_threads_is_told_that_it_was_the_last() {
        let opening = Opening::new(8);
        let tell = |_| (0..8).filter(|&slot| opening.outcome(slot)).count();
        let last: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || tell(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((last, opening.is_over()), (1, true));
    }
}
