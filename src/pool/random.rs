//! Random numbers for choosing among workers: cheap, one sequence a thread, of no use for secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Marsaglia's xorshift with a multiplication at the end (xorshift64*).
struct Sequence(Cell<u64>);

impl Sequence {
    fn new(seed: u64) -> Sequence {
        // Zero would stay zero.
        Sequence(Cell::new(seed | 1))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, by the upper half, which is the better one; 0 if `bound` is 0.
    fn below(&self, bound: usize) -> usize {
        let upper = self.next() >> 32;
        // Below 2^32 slots the product fits, and no number is noticeably more likely than another.
        (upper.wrapping_mul(bound as u64) >> 32) as usize
    }
}

/// A random number below `bound`; 0 if `bound` is 0.
pub(super) fn below(bound: usize) -> usize {
    thread_local! {
        static SEQUENCE: Sequence = Sequence::new(RandomState::new().hash_one(0));
    }
    SEQUENCE.with(|sequence| sequence.below(bound))
}

#[cfg(test)]
mod tests {
    use super::{Sequence, below};

    #[test]
    fn numbers_stay_below_their_bound_whatever_the_seed() {
        assert_eq!(below(0), 0);
        for seed in [0, 1, u64::MAX, 42] {
            let sequence = Sequence::new(seed);
            for bound in [1, 2, 3, 1024] {
                assert!((0..100).all(|_| sequence.below(bound) < bound), "seed {seed}");
            }
        }
    }

    /// The seed is fixed, so this holds always or never.
    #[test]
    fn every_number_comes_about_as_often_as_every_other() {
        let sequence = Sequence::new(7);
        let mut counts = [0_u32; 10];
        (0..10_000).for_each(|_| counts[sequence.below(10)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
