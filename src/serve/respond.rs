//! What a client is told when its request fails: here, and nowhere else, a failure becomes a response.

use std::borrow::Cow;

use crate::exchange::Exchange;
use crate::exchange::reply::{Reply, reason};
use crate::failure::{Failure, Side};

/// Tells the client, if it can still be told; else ends the response so that the client sees it is not whole.
pub(super) async fn explain(exchange: &mut Exchange<'_>, failure: Failure) {
    match failure.side() {
        Side::Downstream => tracing::debug!(code = failure.code(), "{failure}"),
        Side::Upstream | Side::Host => tracing::warn!(code = failure.code(), "{failure}"),
    }
    if exchange.client.has_begun() || matches!(failure, Failure::ClientGone | Failure::ClientTooSlow) {
        exchange.client.abort();
        return;
    }
    // A client that cannot be told has left; nothing remains to be done.
    let _ = exchange.client.reply(page(&failure)).await;
}

/// The short page, which gives nothing away that a stranger should not know.
fn page(failure: &Failure) -> Reply {
    let status = failure.status();
    let told = match failure.side() {
        Side::Downstream => format!("{status} {}: {failure}\n", reason(status)),
        Side::Upstream | Side::Host => format!("{status} {} ({})\n", reason(status), failure.code()),
    };
    let mut reply = Reply::text(status, told);
    reply.fields.push(("X-Ostler-Error", Cow::Borrowed(failure.code())));
    if let Some(after) = failure.retry_after() {
        reply.fields.push(("Retry-After", Cow::Owned(after.as_secs().max(1).to_string())));
    }
    if status == 405 {
        reply.fields.push(("Allow", Cow::Borrowed("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")));
    }
    reply.close = failure.side() == Side::Downstream;
    reply
}
