//! One attempt to have one worker answer one request: connect, relay, and decide what becomes of the connection.

use std::sync::Arc;

use super::connections::Connections;
use super::head;
use super::relay::{Ended, Relay, is_small};
use crate::base::address::Address;
use crate::exchange::Exchange;
use crate::exchange::tunnel::Tunnel;
use crate::failure::Failure;
use crate::pool::{Lease, Passing};

/// Passes the exchange to the worker whose place `lease` holds; the client has the whole response afterwards, or
/// the exchange a tunnel.
///
/// # Errors
/// What went wrong; [`Failure::retry`] says whether another worker may be asked. If part of a response has been sent
/// ([`crate::exchange::Client::has_begun`]), the client can only be shown that the rest is missing.
pub(crate) async fn forward(
    exchange: &mut Exchange<'_>,
    lease: Lease,
    connections: &Connections,
    passing: &Passing,
) -> Result<(), Failure> {
    let worker = lease.worker().clone();
    let client = &exchange.client;
    let received = (client.head(), client.head_bytes());
    let target = exchange.target.as_deref();
    let mut request =
        head::write(received, target, client.peer(), passing, &exchange.told, &exchange.local.buffers);
    exchange.client.take_received_body(&mut request)?;
    // The worker may be closing a kept connection at this moment: only for what can then be sent again.
    let repeatable = exchange.client.head().method.is_idempotent() && exchange.client.body_is_done();
    let is_small = is_small(&exchange.client, &request);
    let reuse = repeatable || (is_small && matches!(worker.address(), Address::Unix(_)));
    let mut stream = connections.connect(&worker, reuse).await?;
    let output = worker.output().filter(|output| output.is_on_disk()).map(Arc::as_ref);
    let ended = Relay::new(exchange, &mut stream, request, is_small, output, passing).run().await?;
    match ended {
        Ended::Reusable { promised_seconds } => connections.keep(&worker, stream, promised_seconds),
        Ended::Spent => {}
        Ended::Upgraded { first } => {
            exchange.tunnel = Some(Tunnel { worker: stream, first, lease, at_end: None });
        }
    }
    Ok(())
}
