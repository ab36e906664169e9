//! Hands a request to the workers of an application: a place in one of them, an attempt, and, where that is safe,
//! another.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::exchange::Exchange;
use crate::failure::{Failure, Retry};
use crate::pool::{Lease, Pool};
use crate::upstream::connections::Connections;
use crate::upstream::{Forwarding, forward};

/// Between two rounds over workers none of which could be reached: they are being replaced.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct App {
    pub(crate) pool: Arc<Pool>,
    pub(crate) forwarding: Forwarding,
}

/// What has been tried for one request.
#[derive(Default)]
struct Attempts {
    unreached: usize,
    /// A worker took the request and died over it, perhaps because of it: one more may try, not all of them.
    reached: bool,
    give_up: Option<Instant>,
}

impl App {
    /// Has a worker answer, and asks another if no worker can have acted on the request.
    pub(crate) async fn respond(
        &self,
        exchange: &mut Exchange<'_>,
        connections: &Connections,
    ) -> Result<(), Failure> {
        let mut attempts = Attempts::default();
        loop {
            let lease = self.lease(exchange).await?;
            let Err(failure) = forward::forward(exchange, &lease, connections, &self.forwarding).await else {
                return Ok(());
            };
            drop(lease);
            if !attempts.another(&failure, exchange, self.pool.settings().start_timeout) {
                return Err(failure);
            }
            tracing::debug!(application = self.pool.settings().name, %failure, "another worker is asked");
            if attempts.unreached > 0 && attempts.unreached.is_multiple_of(self.pool.settings().slots.max(1))
            {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// A place in a worker; waiting for it ends when the client leaves.
    async fn lease(&self, exchange: &mut Exchange<'_>) -> Result<Lease, Failure> {
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
        let settings = self.pool.settings();
        lease.map_err(|reason| Failure::of_no_lease(reason, &settings.name, settings.start_timeout))
    }
}

impl Attempts {
    /// Whether the request may go to another worker; if so it is rewound to its beginning.
    fn another(&mut self, failure: &Failure, exchange: &mut Exchange<'_>, patience: Duration) -> bool {
        let allowed = match failure.retry() {
            Retry::Never => false,
            Retry::IfIdempotent => {
                exchange.client.head().method.is_idempotent() && !std::mem::replace(&mut self.reached, true)
            }
            Retry::Always => {
                self.unreached += 1;
                Instant::now() < *self.give_up.get_or_insert_with(|| Instant::now() + patience)
            }
        };
        allowed && exchange.client.rewind()
    }
}
