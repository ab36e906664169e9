//! One ending for everything that must end: told once, bounded in time.
//!
//! The first request drains: take nothing new, finish what is under way. The second shortens the deadline to now. Who
//! takes part watches [`Drain::requested`] and forces at [`Drain::overdue`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub(crate) struct Drain {
    token: CancellationToken,
    /// None until the drain is requested. Only ever moves closer.
    deadline: Arc<watch::Sender<Option<Instant>>>,
    grace: Duration,
}

impl Drain {
    /// A drain that gives what is under way `grace` to finish.
    pub(crate) fn new(grace: Duration) -> Drain {
        Drain { token: CancellationToken::new(), deadline: Arc::new(watch::Sender::new(None)), grace }
    }

    /// The first call begins the drain; every further one ends it now.
    pub(crate) fn request(&self) {
        let now = Instant::now();
        self.deadline.send_modify(|deadline| {
            *deadline = Some(deadline.map_or(now + self.grace, |set| set.min(now)));
        });
        self.token.cancel();
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until somebody requests the drain.
    pub(crate) async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// When patience ends, once the drain is requested.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.deadline.borrow()
    }

    /// Waits until the deadline has passed, wherever it moves meanwhile.
    pub(crate) async fn overdue(&self) {
        let mut moved = self.deadline.subscribe();
        loop {
            let deadline = *moved.borrow_and_update();
            let passed = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = passed => return,
                // The sender lives in `self`, so this never fails while we wait.
                _ = moved.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Drain;

    const GRACE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn the_first_request_leaves_the_grace_period_and_the_second_none() {
        let drain = Drain::new(GRACE);
        assert!(!drain.is_requested());
        let begun = Instant::now();
        drain.request();
        drain.requested().await;
        assert_eq!(drain.deadline(), Some(begun + GRACE));
        tokio::time::advance(Duration::from_secs(3)).await;
        let second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drain.request();
        };
        tokio::join!(drain.overdue(), second);
        assert_eq!(begun.elapsed(), Duration::from_secs(4));
    }
}
