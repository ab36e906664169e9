//! Which slot of an application a request is given: by turns, by load, or by two picked at random.
//!
//! Pure: no clock, no I/O; where the load is read and the place taken is the caller's. iisnode gives a request to the
//! next worker in turn and answers 503 when that one is full, even if the others are idle (iisnode 3.2). Whatever the
//! rule, we go on to the others, so overflow means that every worker is full; with room everywhere the order of turns is
//! iisnode's.

/// The first slot from `start` on, going once around `slots`, in which `take` finds a place.
pub(super) fn once_around<T>(start: usize, slots: usize, take: impl Fn(usize) -> Option<T>) -> Option<T> {
    around(start, slots).find_map(take)
}

/// A place in the slot with the least load; of several the first from `start` on. `load` is None for a slot that nobody
/// is ready in.
pub(super) fn least_busy<T>(
    start: usize,
    slots: usize,
    load: impl Fn(usize) -> Option<u32>,
    take: impl Fn(usize) -> Option<T>,
) -> Option<T> {
    let least =
        around(start, slots).filter_map(|slot| Some((load(slot)?, slot))).min_by_key(|(load, _)| *load);
    let (_, slot) = least?;
    // It may have been filled or withdrawn since; then whoever has room will do.
    take(slot).or_else(|| once_around(start, slots, take))
}

/// A place in the less busy of two different ready slots picked at random, each pair as often as any other; if both
/// are full, in any other. `random(n)` is below `n`.
pub(super) fn less_busy_of_two<T>(
    slots: usize,
    mut random: impl FnMut(usize) -> usize,
    load: impl Fn(usize) -> Option<u32>,
    take: impl Fn(usize) -> Option<T>,
) -> Option<T> {
    let (first, second) = two_ready(slots, &mut random, &load)?;
    // As they were picked at random, the first may have it when both are as busy.
    let order = match second {
        Some(second) if load(second) < load(first) => [Some(second), Some(first)],
        _ => [Some(first), second],
    };
    order.into_iter().flatten().find_map(&take).or_else(|| once_around(random(slots), slots, take))
}

/// Two different slots that are ready, in random order; one if there is only one.
fn two_ready(
    slots: usize,
    random: &mut impl FnMut(usize) -> usize,
    load: &impl Fn(usize) -> Option<u32>,
) -> Option<(usize, Option<usize>)> {
    if slots >= 2 {
        let first = random(slots);
        // Anyone but the first, all as likely.
        let second = (first + 1 + random(slots - 1)) % slots;
        if load(first).is_some() && load(second).is_some() {
            return Some((first, Some(second)));
        }
    }
    // Somebody is missing. Of those who are there each takes one of both places with the chance that leaves every pair
    // as likely as the next, without counting them first.
    let mut ready = (0..slots).filter(|slot| load(*slot).is_some());
    let (mut first, Some(mut second)) = (ready.next()?, ready.next()) else {
        return (0..slots).find(|slot| load(*slot).is_some()).map(|only| (only, None));
    };
    for (before, slot) in (2..).zip(ready) {
        match random(before + 1) {
            0 => first = slot,
            1 => second = slot,
            _ => {}
        }
    }
    Some(if random(2) == 0 { (first, Some(second)) } else { (second, Some(first)) })
}

fn around(start: usize, slots: usize) -> impl Iterator<Item = usize> {
    let first = start.checked_rem(slots).unwrap_or(0);
    (first..slots).chain(0..first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{least_busy, less_busy_of_two, once_around, two_ready};

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
        assert_eq!(least_busy(3, 0, |_| Some(0), Some), None);
        assert_eq!(less_busy_of_two(0, |_| 0, |_| Some(0), Some), None);
    }

    /// Loads as they are told in the tables: none is ready, or so many requests are in flight of four at the most.
    fn room(loads: &[Option<u32>], slot: usize) -> Option<usize> {
        loads[slot].filter(|load| *load < 4).map(|_| slot)
    }

    #[test]
    fn the_least_busy_slot_has_the_request_and_of_several_the_next_in_turn() {
        for (start, loads, chosen) in [
            (0, vec![Some(2), Some(1)], Some(1)),
            (1, vec![Some(1), Some(2)], Some(0)),
            (0, vec![Some(1), Some(1)], Some(0)),
            (1, vec![Some(1), Some(1)], Some(1)),
            (2, vec![Some(0), Some(3), Some(1), Some(0)], Some(3)),
            (4, vec![Some(0), Some(3), Some(1), Some(0)], Some(0)),
            // Workers that are away are no idle ones.
            (0, vec![None, Some(3), None, Some(2)], Some(3)),
            (3, vec![None, Some(3), None, None], Some(1)),
            // At the cap.
            (0, vec![Some(4), Some(3)], Some(1)),
            (0, vec![Some(4), None, Some(4)], None),
            (0, vec![None, None], None),
        ] {
            let found = least_busy(start, loads.len(), |slot| loads[slot], |slot| room(&loads, slot));
            assert_eq!(found, chosen, "from {start}, {loads:?}");
        }
    }

    #[test]
    fn a_slot_that_fills_up_between_the_look_and_the_taking_is_passed_over() {
        let found = least_busy(0, 3, |slot| Some(slot as u32), |slot| (slot == 2).then_some(slot));
        assert_eq!(found, Some(2));
        let found = less_busy_of_two(3, |_| 0, |slot| Some(slot as u32), |slot| (slot == 2).then_some(slot));
        assert_eq!(found, Some(2));
    }

    /// Calls `run` with every sequence of draws there is, and adds up how likely each outcome is, in parts of a whole.
    fn every_draw<T: Ord>(whole: u64, run: impl Fn(&mut dyn FnMut(usize) -> usize) -> T) -> BTreeMap<T, u64> {
        let mut outcomes = BTreeMap::new();
        let mut draws: Vec<(usize, usize)> = Vec::new();
        loop {
            let (mut at, mut parts) = (0, whole);
            let outcome = run(&mut |below| {
                if at == draws.len() {
                    draws.push((0, below));
                }
                at += 1;
                assert!(parts.is_multiple_of(below as u64), "{parts} cannot be divided by {below}");
                parts /= below as u64;
                draws[at - 1].0
            });
            *outcomes.entry(outcome).or_insert(0) += parts;
            while draws.last().is_some_and(|(value, below)| value + 1 == *below) {
                draws.pop();
            }
            let Some(last) = draws.last_mut() else { return outcomes };
            last.0 += 1;
        }
    }

    /// Can be divided by every sequence of draws of the tables below.
    const WHOLE: u64 = 604_800;

    #[test]
    fn every_pair_of_ready_slots_is_picked_as_often_as_every_other() {
        for (slots, ready) in [
            (2, vec![0, 1]),
            (5, vec![0, 1, 2, 3, 4]),
            (3, vec![0, 2]),
            (5, vec![1, 2, 4]),
            (6, vec![0, 1, 3, 5]),
        ] {
            let load = |slot: usize| ready.contains(&slot).then_some(0);
            let pairs = every_draw(WHOLE, |mut random| two_ready(slots, &mut random, &load));
            let count = ready.len() * (ready.len() - 1);
            assert_eq!(pairs.len(), count, "{slots} slots, ready {ready:?}: {pairs:?}");
            for (pair, parts) in &pairs {
                let Some((first, Some(second))) = pair else { panic!("{pair:?}") };
                assert!(first != second && ready.contains(first) && ready.contains(second));
                assert_eq!(parts * count as u64, WHOLE, "{slots} slots, ready {ready:?}: {pairs:?}");
            }
        }
    }

    #[test]
    fn of_two_the_less_busy_has_the_request_and_the_busiest_of_all_never() {
        for (loads, chances) in [
            // The chance of each slot, in sixtieths.
            (vec![Some(0), Some(3)], vec![60, 0]),
            (vec![Some(2), Some(2)], vec![30, 30]),
            (vec![Some(0), Some(1), Some(2)], vec![40, 20, 0]),
            (vec![Some(3), None, Some(1), None], vec![0, 0, 60, 0]),
            (vec![None, None, Some(3)], vec![0, 0, 60]),
            // At the cap.
            (vec![Some(4), Some(3)], vec![0, 60]),
            (vec![Some(4), None, Some(4)], vec![0, 0, 0]),
            (vec![None, None], vec![0, 0]),
        ] {
            let chosen = every_draw(WHOLE, |random| {
                less_busy_of_two(loads.len(), random, |slot| loads[slot], |slot| room(&loads, slot))
            });
            let expected: BTreeMap<Option<usize>, u64> = match chances.iter().sum() {
                0 => BTreeMap::from([(None, WHOLE)]),
                60_u64 => {
                    let chances = chances.iter().enumerate().filter(|(_, chance)| **chance > 0);
                    chances.map(|(slot, chance)| (Some(slot), chance * (WHOLE / 60))).collect()
                }
                sum => panic!("{sum}"),
            };
            assert_eq!(chosen, expected, "{loads:?}");
        }
    }

    #[test]
    fn with_most_slots_full_the_one_with_room_is_found() {
        let loads = [Some(4), Some(4), None, Some(4), Some(1)];
        let chosen = every_draw(WHOLE, |random| {
            less_busy_of_two(5, random, |slot| loads[slot], |slot| room(&loads, slot))
        });
        assert_eq!(chosen.into_keys().collect::<Vec<_>>(), [Some(4)]);
    }
}
