//! When a new worker takes the place of one that is gone: at once, after a back-off, or when the budget allows.
//!
//! Pure: it is told how the last life went and answers with a time. One budget per slot.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RestartLimits {
    /// Who served this long was healthy: its place is filled at once and the back-off begins anew.
    pub(crate) healthy_after: Duration,
    pub(crate) first_delay: Duration,
    pub(crate) longest_delay: Duration,
    /// How many short lives per `window`; then restarting pauses until the oldest has left the window.
    pub(crate) failures: usize,
    pub(crate) window: Duration,
}

impl Default for RestartLimits {
    fn default() -> RestartLimits {
        RestartLimits {
            healthy_after: Duration::from_secs(10),
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(30),
            failures: 10,
            window: Duration::from_secs(60),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Budget {
    limits: RestartLimits,
    /// When short lives ended, oldest first; never more than `limits.failures`.
    recent: VecDeque<Instant>,
    /// Short lives since the last healthy one.
    short_lives: u32,
}

impl Budget {
    pub(crate) fn new(limits: RestartLimits) -> Budget {
        Budget { limits, recent: VecDeque::new(), short_lives: 0 }
    }

    /// When the next worker starts, after one that served so long (`None`: it never became ready) and ended `now`.
    pub(crate) fn next_start(&mut self, served: Option<Duration>, now: Instant) -> Instant {
        if served.is_some_and(|served| served >= self.limits.healthy_after) {
            self.short_lives = 0;
            self.recent.clear();
            return now;
        }
        self.short_lives = self.short_lives.saturating_add(1);
        self.recent.push_back(now);
        while self.recent.len() > self.limits.failures.max(1)
            || self.recent.front().is_some_and(|&oldest| now.duration_since(oldest) >= self.limits.window)
        {
            self.recent.pop_front();
        }
        let at = now + self.delay(served.is_some());
        match self.recent.front() {
            Some(&oldest) if self.recent.len() >= self.limits.failures => at.max(oldest + self.limits.window),
            _ => at,
        }
    }

    fn delay(&self, was_ready: bool) -> Duration {
        // The first death of a worker that did serve may be an accident (somebody killed it): no reason to wait.
        if was_ready && self.short_lives == 1 {
            return Duration::ZERO;
        }
        let doublings = self.short_lives.saturating_sub(1).min(20);
        self.limits.first_delay.saturating_mul(1 << doublings).min(self.limits.longest_delay)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Budget, RestartLimits};

    const FAILED: Option<f64> = None;

    /// Each row: how long the worker served (seconds), and how long its place then stays empty. Restarts follow at once.
    fn check(limits: RestartLimits, rows: &[(Option<f64>, f64)]) {
        let mut budget = Budget::new(limits);
        let mut now = Instant::now();
        for (row, &(served, empty)) in rows.iter().enumerate() {
            let served = served.map(Duration::from_secs_f64);
            now += served.unwrap_or_default();
            let at = budget.next_start(served, now);
            assert_eq!((at - now).as_secs_f64(), empty, "row {row}");
            now = at;
        }
    }

    #[test]
    fn a_healthy_life_is_followed_at_once_by_the_next() {
        check(RestartLimits::default(), &[(Some(10.0), 0.0), (Some(3600.0), 0.0), (Some(11.0), 0.0)]);
    }

    #[test]
    fn starts_that_fail_back_off_until_one_is_healthy() {
        let limits = RestartLimits { failures: 1000, ..RestartLimits::default() };
        let mut rows =
            [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0].map(|empty| (FAILED, empty)).to_vec();
        rows.extend([(Some(10.0), 0.0), (FAILED, 0.1), (FAILED, 0.2)]);
        check(limits, &rows);
    }

    #[test]
    fn short_lives_back_off_from_the_second_on() {
        check(
            RestartLimits::default(),
            &[(Some(1.0), 0.0), (Some(1.0), 0.2), (FAILED, 0.4), (Some(20.0), 0.0), (Some(1.0), 0.0)],
        );
    }

    #[test]
    fn a_spent_budget_pauses_until_the_window_frees() {
        let limits = RestartLimits {
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(1),
            failures: 3,
            ..RestartLimits::default()
        };
        // The third failure comes 2 s after the first, whose place in the window frees 58 s later.
        check(
            limits,
            &[(FAILED, 1.0), (FAILED, 1.0), (FAILED, 58.0), (FAILED, 1.0), (FAILED, 1.0), (FAILED, 58.0)],
        );
    }
}
