//! Whether an application has had nothing to do for so long that its workers may end. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Requests are not seen one by one: the pool is looked at so often within the time, and what it has served since
/// counts as of the look.
const LOOKS: u32 = 8;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Idle {
    pub(super) after: Duration,
    pub(super) next_look: Instant,
    /// Nothing has happened from then on.
    since: Instant,
    /// As the pool says it: how many requests are over, none while it has something to do.
    served: Option<u64>,
}

impl Idle {
    pub(super) fn new(after: Duration, now: Instant) -> Idle {
        Idle { after, next_look: now + pause(after), since: now, served: Some(0) }
    }

    /// Takes note of what the pool says now; whether it has said the same for long enough.
    pub(super) fn is_over(&mut self, served: Option<u64>, now: Instant) -> bool {
        if served.is_none() || served != self.served {
            (self.served, self.since) = (served, now);
        }
        let idle = now - self.since;
        let left = self.after.saturating_sub(idle).max(SHORTEST_PAUSE);
        self.next_look = now + left.min(pause(self.after));
        idle >= self.after
    }
}

fn pause(after: Duration) -> Duration {
    (after / LOOKS).max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Idle;

    #[test]
    fn it_is_over_when_nothing_has_happened_for_the_whole_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::new(Duration::from_secs(80), start);
        assert_eq!(idle.next_look, at(10));
        // When, what the pool says, whether it is over, and when to look next.
        for (now, served, is_over, next) in [
            (10, Some(0), false, 20),
            (20, Some(5), false, 30),
            (95, Some(5), false, 100),
            // Something is in flight, for longer than that.
            (96, None, false, 106),
            (300, None, false, 310),
            // One is over, and another.
            (310, Some(6), false, 320),
            (320, Some(7), false, 330),
            (399, Some(7), false, 400),
            (400, Some(7), true, 400),
        ] {
            assert_eq!(idle.is_over(served, at(now)), is_over, "at {now}");
            let next = if is_over { at(next) + Duration::from_millis(10) } else { at(next) };
            assert_eq!(idle.next_look, next, "at {now}");
        }
    }
}
