//! Round robin over the slots of one application.
//!
//! Pure: no clock, no I/O; taking the place is the caller's. iisnode gives a request to the next worker in turn and
//! answers 503 when that one is full, even if the others are idle (iisnode 3.2). We go on once around, so overflow
//! means that every worker is full; with room everywhere the order is iisnode's.

/// The first slot from `start` on, going once around `slots`, in which `take` finds a place.
pub(crate) fn once_around<T>(start: usize, slots: usize, take: impl Fn(usize) -> Option<T>) -> Option<T> {
    let first = start.checked_rem(slots)?;
    (first..slots).chain(0..first).find_map(take)
}

#[cfg(test)]
mod tests {
    use super::once_around;

    #[test]
    fn the_next_slot_is_tried_before_overflow() {
        for (start, free, chosen) in [
            (1, vec![0, 1, 2, 3], Some(1)),
            (4, vec![0, 1, 2, 3], Some(0)),
            (1, vec![0, 3], Some(3)),
            (2, vec![1], Some(1)),
            (7, vec![], None),
        ] {
            let found = once_around(start, 4, |slot| free.contains(&slot).then_some(slot));
            assert_eq!(found, chosen, "from {start}, free {free:?}");
        }
    }

    #[test]
    fn no_slots_no_place() {
        assert_eq!(once_around(3, 0, Some), None);
    }
}
