//! One client connection: one request after the other, until either side wants no more.

use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use super::spread::Guard;
use super::{Core, h2, request};
use crate::base::stream::Stream;
use crate::exchange::h1::{H1, Incoming};
use crate::exchange::{Client, Exchange, Peer};

/// How long, and for how many bytes, we listen to a client that still sends after our last word. Closing at once would
/// reset the connection, and the client might never read that word.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Serves a connection to its end. `_guard` is its place among the connections.
pub(super) async fn run(core: Rc<Core>, stream: Stream, peer: Peer, _guard: Guard) {
    let mut client = H1::new(stream, core.local.clone(), peer);
    loop {
        match std::future::poll_fn(|cx| client.poll_request(cx, &core.limits)).await {
            Ok(Incoming::Request) => {
                let mut exchange = exchange(&core, &mut client);
                request::serve(&core, &mut exchange).await;
                if let Some(tunnel) = exchange.tunnel {
                    return Box::pin(tunnel.run(client, &core.local, core.limits.idle_timeout)).await;
                }
            }
            // Boxed, like all that few connections need, because the room for it would be part of every connection.
            Ok(Incoming::Http2) => return Box::pin(h2::run(core, client)).await,
            Ok(Incoming::Closed) => return,
            Err(failure) => {
                client.refuse();
                Box::pin(request::refuse(&core, &mut exchange(&core, &mut client), failure)).await;
            }
        }
        if !client.next_request() {
            break;
        }
    }
    if !client.is_aborted() && !client.is_at_rest() {
        Box::pin(linger(client)).await;
    }
}

fn exchange<'c>(core: &Core, client: &'c mut H1) -> Exchange<'c> {
    Exchange::new(Client::H1(client), core.local.clone(), core.limits.clone())
}

/// Ends our half and reads what still comes, for a while.
async fn linger(mut client: H1) {
    let local = client.local().clone();
    let due = local.clock.after(LINGER);
    let timer = local.clock.timer();
    let mut unread = 0;
    if client.stream().shutdown().is_err() {
        return;
    }
    std::future::poll_fn(|cx| {
        timer.wakes(cx.waker());
        timer.set(due);
        let mut block = local.buffers.large();
        while unread < LINGER_BYTES && !timer.is_due() {
            match ready!(client.stream().poll_read(cx, block.room())) {
                Ok(n) if n > 0 => unread += n,
                _ => break,
            }
        }
        Poll::Ready(())
    })
    .await;
}
