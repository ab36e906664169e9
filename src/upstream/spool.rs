//! Receives a body as a whole, before any worker is asked: programs must be told how long it is, and one that waits for a
//! slow client serves nobody else meanwhile.

use std::task::{Context, Poll, ready};

use super::pace::{Overdue, Pace};
use crate::base::clock::Tick;
use crate::exchange::spool::Spool;
use crate::exchange::{Client, Exchange};
use crate::failure::Failure;
use crate::http1::chunked::Chunked;
use crate::http1::framing::Framing;

/// A body that is all here and no longer needs no keeping.
const UNSPOOLED_BYTES: u64 = 16 * 1024;

/// Takes the body out of its chunks, if that is how it comes, and keeps it with the exchange.
///
/// # Errors
/// It is too large, too slow, not framed as it says, or cannot be kept.
pub(crate) async fn spool(exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    let is_chunked = match exchange.client.head().framing {
        _ if exchange.spool.is_some() => return Ok(()),
        Framing::Chunked => true,
        Framing::Length(length) if length > UNSPOOLED_BYTES || !exchange.client.body_is_here() => false,
        _ => return Ok(()),
    };
    let mut pace = Pace::new(exchange.local.clock.clone(), exchange.limits.clone());
    let (mut chunked, mut spool) = (Chunked::default(), Spool::default());
    let limit = exchange.body_limit;
    let received = std::future::poll_fn(|cx| {
        while !exchange.client.body_is_done() {
            ready!(poll_continue(exchange, cx))?;
            let Poll::Ready(block) = exchange.client.poll_body(cx) else {
                return poll_deadline(exchange, &mut pace, cx);
            };
            let block = block?;
            pace.body_came(block.filled().len(), exchange.client.body_is_done());
            let mut bytes = block.filled();
            if Spool::held_bytes() + bytes.len() as u64 > exchange.limits.spooled_bytes {
                return Poll::Ready(Err(Failure::Exhausted("room for bodies (spooledBytes)")));
            }
            if !is_chunked {
                spool.put(bytes).map_err(Failure::NotSpooled)?;
                continue;
            }
            while !bytes.is_empty() {
                let advance = chunked.advance(bytes)?;
                let data = &bytes[advance.data];
                if spool.length() + data.len() as u64 > limit {
                    return Poll::Ready(Err(Failure::BodyTooLarge(limit)));
                }
                spool.put(data).map_err(Failure::NotSpooled)?;
                bytes = &bytes[advance.consumed..];
            }
        }
        Poll::Ready(Ok(()))
    })
    .await;
    exchange.client.timer().clear();
    received?;
    exchange.spool = Some(spool);
    Ok(())
}

/// A client that waits to be asked for its body is.
pub(super) fn poll_continue(exchange: &mut Exchange<'_>, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
    match &mut exchange.client {
        Client::H1(client) if client.needs_continue() => {
            client.poll_continue(cx).map_err(|_| Failure::ClientGone)
        }
        _ => Poll::Ready(Ok(())),
    }
}

fn poll_deadline(
    exchange: &Exchange<'_>,
    pace: &mut Pace,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    pace.await_body();
    if pace.overdue() == Some(Overdue::Body) {
        return Poll::Ready(Err(Failure::BodyTooSlow));
    }
    let timer = exchange.client.timer();
    if pace.due() != Tick::NEVER {
        timer.wakes(cx.waker());
        timer.set(pace.due());
    }
    Poll::Pending
}
