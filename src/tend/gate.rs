//! Rapid-fail protection: workers of one application that end again and again shut its gate, and nothing is started while
//! it is shut.
//!
//! One gate for an application through all its generations. Pure but for its lock: it is told what happened when.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Ends older than this count no longer.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Gate {
    limit: u32,
    /// When workers ended, oldest first; one more than the limit at most.
    ends: Mutex<VecDeque<Instant>>,
}

impl Gate {
    /// A gate that shuts when more than `limit` workers have ended within a minute.
    pub(crate) fn new(limit: u32) -> Gate {
        Gate { limit, ends: Mutex::default() }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Counts the end of a worker that nobody asked for. Until when the gate is closed, if this end closed it.
    pub(crate) fn count(&self, now: Instant) -> Option<Instant> {
        let mut ends = self.ends.lock();
        let was_closed = self.reopens(&ends, now).is_some();
        ends.push_back(now);
        while ends.len() > self.most() {
            ends.pop_front();
        }
        self.reopens(&ends, now).filter(|_| !was_closed)
    }

    /// When it opens again, while it is closed.
    pub(crate) fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.reopens(&self.ends.lock(), now)
    }

    /// A new chance: what ended so far counts no longer.
    pub(crate) fn open(&self) {
        self.ends.lock().clear();
    }

    fn most(&self) -> usize {
        self.limit as usize + 1
    }

    /// It is shut for as long as all the ends it keeps, one too many, lie within the window.
    fn reopens(&self, ends: &VecDeque<Instant>, now: Instant) -> Option<Instant> {
        let until = *ends.front()? + WINDOW;
        (ends.len() >= self.most() && now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Gate;

    /// Each row: the seconds at which workers end, when the gate is looked at, and when it opens again if it is shut.
    #[test]
    fn more_ends_than_allowed_within_a_minute_shut_it_until_the_oldest_is_a_minute_old() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        for (limit, ends, look, until) in [
            (2, &[0_u64, 1] as &[u64], 1, None),
            (2, &[0, 1, 2], 2, Some(60)),
            (2, &[0, 1, 2], 59, Some(60)),
            (2, &[0, 1, 2], 60, None),
            (2, &[0, 30, 61], 61, None),
            (2, &[0, 30, 59, 70], 70, Some(90)),
            (2, &[0, 1, 2, 3], 3, Some(61)),
            (0, &[5], 5, Some(65)),
            (0, &[], 5, None),
            (0, &[5], 65, None),
        ] {
            let gate = Gate::new(limit);
            for &end in ends {
                gate.count(at(end));
            }
            assert_eq!(gate.closed_until(at(look)), until.map(at), "{limit} {ends:?} {look}");
        }
    }

    #[test]
    fn it_says_once_that_it_has_closed_and_forgets_when_it_is_opened() {
        let gate = Gate::new(1);
        let now = Instant::now();
        assert_eq!(gate.count(now), None);
        assert!(gate.count(now).is_some());
        assert_eq!(gate.count(now), None, "it was closed already");
        gate.open();
        assert_eq!(gate.closed_until(now), None);
        assert_eq!(gate.count(now), None);
    }
}
