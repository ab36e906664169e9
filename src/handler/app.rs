//! Hands a request to the workers of an application: a place in one of them, an attempt, and, where that is safe,
//! another.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::sticky;
use crate::exchange::Exchange;
use crate::failure::{Failure, Retry};
use crate::pool::{Lease, NoLease, Pool};
use crate::upstream::connections::Connections;
use crate::upstream::{Forwarding, forward};

/// Between two rounds over workers none of which could be reached: they are being replaced.
const PAUSE: Duration = Duration::from_millis(10);
/// How many workers may close on one request before the client is told: it may be the request that ends them.
const MAX_REACHED: usize = 3;
/// When a client that met full workers may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct App {
    pool: Arc<Pool>,
    forwarding: Forwarding,
    /// Set if the requests of one client are to meet one worker.
    sticky: bool,
}

/// What has been tried for one request.
#[derive(Default)]
struct Attempts {
    /// Workers that cannot have seen any of it.
    unreached: usize,
    /// Workers that may have, and closed; perhaps because of it, so not all of them may try.
    reached: usize,
    give_up: Option<Instant>,
}

impl App {
    pub(crate) fn new(pool: Arc<Pool>, forwarding: Forwarding, sticky: bool) -> App {
        // One worker needs no cookie to be found again.
        let sticky = sticky && pool.settings().slots > 1;
        App { pool, forwarding, sticky }
    }

    /// Has a worker answer, and asks another if no worker can have acted on the request.
    pub(crate) async fn respond(
        &self,
        exchange: &mut Exchange<'_>,
        connections: &Connections,
    ) -> Result<(), Failure> {
        let mut attempts = Attempts::default();
        loop {
            let lease = self.lease(exchange, attempts.is_first()).await?;
            let Err(failure) = forward::forward(exchange, lease, connections, &self.forwarding).await else {
                return Ok(());
            };
            if !attempts.another(&failure, exchange, self.pool.settings().start_timeout) {
                return Err(failure);
            }
            tracing::debug!(application = self.pool.settings().name, %failure, "another worker is asked");
            if attempts.wants_pause(self.pool.settings().slots) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// A place in a worker; waiting for it ends when the client leaves.
    async fn lease(&self, exchange: &mut Exchange<'_>, first: bool) -> Result<Lease, Failure> {
        if self.sticky {
            return self.sticky_lease(exchange, first).await;
        }
        self.next_lease(exchange).await
    }

    /// A place in the worker the client's cookie names; else in the next, and a cookie that names that one.
    async fn sticky_lease(&self, exchange: &mut Exchange<'_>, first: bool) -> Result<Lease, Failure> {
        // The worker that was wished for and failed is not asked again.
        let wished = sticky::slot(&exchange.client, self.pool.settings().slots).filter(|_| first);
        if let Some(lease) = wished.and_then(|slot| self.pool.lease_in(slot)) {
            return Ok(lease);
        }
        let lease = self.next_lease(exchange).await?;
        exchange.client.add_field(sticky::set_cookie(lease.worker().slot()));
        Ok(lease)
    }

    async fn next_lease(&self, exchange: &mut Exchange<'_>) -> Result<Lease, Failure> {
        if let Some(lease) = self.pool.lease_now() {
            return Ok(lease);
        }
        let mut waiting = pin!(self.pool.lease());
        let lease = std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = waiting.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            if exchange.client.body_is_done() {
                return exchange.client.poll_gone(cx).map(Err);
            }
            Poll::Pending
        })
        .await?;
        lease.map_err(|reason| self.failure(reason))
    }

    fn failure(&self, reason: NoLease) -> Failure {
        let settings = self.pool.settings();
        let application = settings.name.clone();
        match reason {
            NoLease::Overflow => Failure::Overflow { application, retry_after: RETRY_AFTER },
            NoLease::NotReady => Failure::NotReady { application, after: settings.start_timeout },
            NoLease::Failing(why) => Failure::Failing { application, why },
            NoLease::Stopping => Failure::Stopping,
        }
    }
}

impl Attempts {
    fn is_first(&self) -> bool {
        self.reached + self.unreached == 0
    }

    /// A worker that dies is known to be dead some milliseconds later; until then it would be asked in vain.
    fn wants_pause(&self, slots: usize) -> bool {
        self.reached > 0 || self.unreached.is_multiple_of(slots.max(1))
    }

    /// Whether the request may go to another worker; if so it is rewound to its beginning.
    fn another(&mut self, failure: &Failure, exchange: &mut Exchange<'_>, patience: Duration) -> bool {
        let allowed = match failure.retry() {
            Retry::Never => false,
            Retry::IfIdempotent => {
                self.reached += 1;
                exchange.client.head().method.is_idempotent() && self.reached <= MAX_REACHED
            }
            Retry::AFew => {
                self.reached += 1;
                self.reached <= MAX_REACHED
            }
            Retry::Always => {
                self.unreached += 1;
                Instant::now() < *self.give_up.get_or_insert_with(|| Instant::now() + patience)
            }
        };
        allowed && exchange.client.rewind()
    }
}
