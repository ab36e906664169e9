//! Slots of pools that grow: at rest until a request needs them, and at rest again when their worker is not needed, worn
//! or gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Transport;
use super::application::Application;
use super::life::Life;
use super::state::{Event, Exit, WorkerState};
use super::worker::{Ending, Slot};
use crate::pool::{Demand, Worker};

/// Requests are not seen one by one: the worker is looked at so often within the time.
const LOOKS: u32 = 8;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

impl Slot {
    pub(super) fn grows(&self) -> bool {
        self.application.pool.settings().grows
    }

    /// Waits at rest for a request that needs this slot. `calls` is how many there had been when it came to rest.
    pub(super) async fn needed(&mut self, calls: u64) -> Event {
        if self.start.is_some() {
            return Event::Called;
        }
        let application = Arc::clone(&self.application);
        let leave = application.drain.requested();
        if let Some((_, until)) = application.closed_gate() {
            return tokio::select! {
                biased;
                () = leave => self.drain_requested(),
                // That it opens is to be told.
                () = sleep_until(until) => Event::Tick,
            };
        }
        let demand = if self.record.failing { Demand::Beyond(calls) } else { Demand::Any };
        tokio::select! {
            biased;
            () = leave => self.drain_requested(),
            start = application.pool.start_needed(self.number, demand) => {
                self.start = Some(start);
                self.refill_attempts();
                Event::Called
            }
        }
    }

    /// A start that a request has called for is over when there is a worker, or none to come.
    pub(super) fn settle_start(&mut self) {
        match self.state {
            WorkerState::Starting { .. } | WorkerState::BackingOff { .. } => {}
            WorkerState::Stopped { .. } | WorkerState::Failed { .. } => {}
            WorkerState::Ready { .. } => {
                if let Some(start) = self.start.take() {
                    self.application.pool.started(start);
                }
            }
            WorkerState::Resting { .. } | WorkerState::Draining { .. } => self.start = None,
        }
    }

    /// What follows the end of a worker: another attempt if its start has failed and there is one left, else rest.
    pub(super) fn rest_or_retry(&mut self, ending: Option<Ending>, now: Instant) -> Event {
        let has_failed = ending.as_ref().is_some_and(|ending| ending.served.is_none());
        let was_wanted = !std::mem::take(&mut self.is_retiring);
        if has_failed
            && was_wanted
            && self.record.attempts.is_some_and(|left| left > 0)
            && self.application.closed_gate().is_none()
        {
            self.report(ending, Some(Duration::ZERO));
            return Event::RestartPlanned { at: now };
        }
        // Counted before anybody is told: whoever hears that and calls is heard.
        let calls = self.application.pool.calls();
        let told = ending.filter(|ending| was_wanted && !ending.is_voluntary);
        self.is_quiet = told.is_none();
        self.report(told, None);
        Event::RestPlanned { calls }
    }

    /// Whether a worker has ended as it had answered as many requests as it wanted to.
    pub(super) fn is_voluntary(&self, life: &Life) -> bool {
        self.grows()
            && life.hangs.is_none()
            && matches!(self.state, WorkerState::Stopped { exit: Some(Exit::Code(0)), .. })
            && life.workers.iter().any(|worker| worker.served() > 0)
    }

    /// Tells a worker, before it is published, when it is to take no more requests.
    pub(super) fn limit(application: &Application, worker: &Worker) {
        let plan = &application.plan;
        if plan.transport == Transport::Inherited {
            worker.listens_alone();
        }
        if let Some(requests) = plan.wear.requests
            && application.pool.settings().grows
        {
            worker.retire_after(requests);
        }
    }
}

/// Ready when a worker has had no request for so long; never if there is no such time.
pub(super) async fn ceased(after: Option<Duration>, worker: &Worker) {
    let Some(after) = after else { return std::future::pending().await };
    let pause = (after / LOOKS).max(SHORTEST_PAUSE);
    let (mut served, mut since) = (worker.served(), Instant::now());
    loop {
        let left = after.saturating_sub(since.elapsed());
        sleep(left.min(pause).max(SHORTEST_PAUSE)).await;
        if worker.in_flight() > 0 || worker.served() != served {
            (served, since) = (worker.served(), Instant::now());
        } else if since.elapsed() >= after {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::ceased;
    use crate::base::address::Address;
    use crate::pool::{LoadBalancing, Pool, PoolSettings};

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_idle_when_it_has_had_no_request_for_the_whole_time() {
        let pool = Pool::new(PoolSettings {
            name: "app".to_owned(),
            slots: 1,
            max_concurrent: 1,
            queue_length: 0,
            queue_timeout: Duration::ZERO,
            start_timeout: Duration::ZERO,
            opens_complete: false,
            grows: true,
            eager: None,
            balancing: LoadBalancing::default(),
        });
        let worker = pool.worker(0, Address::Unix("/s".into()), None);
        pool.publish(worker.clone());
        let after = Duration::from_secs(80);
        let begun = Instant::now();
        let requests = async {
            sleep(Duration::from_secs(70)).await;
            drop(pool.lease_now().unwrap());
            sleep(Duration::from_secs(70)).await;
            let lease = pool.lease_now().unwrap();
            sleep(Duration::from_secs(200)).await;
            drop(lease);
        };
        tokio::join!(ceased(Some(after), &worker), requests);
        let took = begun.elapsed().as_secs();
        assert!((420..=430).contains(&took), "{took}");
        assert!(tokio::time::timeout(after * 100, ceased(None, &worker)).await.is_err());
    }
}
