//! One HTTP/2 connection: hyper speaks the protocol, each stream becomes an exchange like any other.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::{Core, request};
use crate::base::stream::Stream;
use crate::exchange::h1::H1;
use crate::exchange::h2::{Answer, H2};
use crate::exchange::{Client, Exchange, Peer, pipe};

/// Requests one connection may have in flight.
const MAX_STREAMS: u32 = 128;
/// Streams a client may open and reset before we have looked at them; beyond, the connection is ended (rapid reset).
const MAX_PENDING_RESETS: usize = 20;
/// Streams we may reset for a client's errors before the connection is ended.
const MAX_ERROR_RESETS: usize = 256;
/// Requests a client may reset unanswered, beyond as many as it let us answer. Each costs a worker's connection.
const FREE_RESETS: usize = 200;
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const SEND_BUFFER_BYTES: usize = 64 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves a connection that has begun with the preface of HTTP/2.
pub(super) async fn run(core: Rc<Core>, client: H1) {
    let (stream, received, peer) = client.into_parts();
    let mut builder = http2::Builder::new(Spawner(core.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(u32::try_from(core.limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let streams = Rc::new(Streams::default());
    let service = {
        let (core, streams) = (core.clone(), streams.clone());
        hyper::service::service_fn(move |request| serve(core.clone(), peer.clone(), streams.clone(), request))
    };
    let io = TokioIo::new(Rewound { received, at: 0, stream });
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let timer = core.local.clock.timer();
    timer.set(core.local.clock.after(core.limits.idle_timeout));
    let mut ending = false;
    let ended = std::future::poll_fn(|cx| {
        timer.wakes(cx.waker());
        let in_use = streams.in_flight.get() > 0;
        // Counted from the last answer, also from one that ended unseen.
        if in_use || streams.ended.take() {
            let patience = if ending { core.limits.rate_grace } else { core.limits.idle_timeout };
            timer.set(core.local.clock.after(patience));
        }
        if streams.given_up.get() > FREE_RESETS + streams.answered.get() {
            tracing::debug!("an HTTP/2 client resets most of what it asks for");
            return Poll::Ready(Ok(()));
        }
        if !ending && (core.local.is_draining() || timer.is_due()) {
            ending = true;
            connection.as_mut().graceful_shutdown();
            timer.set(core.local.clock.after(core.limits.rate_grace));
        } else if ending && !in_use && timer.is_due() {
            // What is left are ends of answers for which the client opens no window; hyper would wait for ever.
            return Poll::Ready(Ok(()));
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection ended");
    }
}

/// One stream: the exchange runs in a task of its own, which ends soon after the client has reset the stream.
async fn serve(
    core: Rc<Core>,
    peer: Peer,
    streams: Rc<Streams>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let (sender, answer) = oneshot::channel();
    let (client, indexed) = H2::new(request, core.local.clone(), peer, core.limits.head_fields, sender);
    let mut asked = Asked::new(streams.clone());
    let tasks = core.tasks.clone();
    tasks.spawn_local(async move {
        let _in_flight = InFlight::new(streams);
        let mut exchange =
            Exchange::new(Client::H2(Box::new(client)), core.local.clone(), core.limits.clone());
        match indexed {
            Ok(()) => request::serve(&core, &mut exchange).await,
            Err(failure) => request::refuse(&core, &mut exchange, failure).await,
        }
    });
    let answer = answer.await;
    asked.answered = true;
    Ok(answer.unwrap_or_else(|_| {
        let (_, nothing) = pipe::pipe();
        let mut response = Response::new(nothing);
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

/// What has become of a connection's streams.
#[derive(Default)]
struct Streams {
    in_flight: Cell<usize>,
    /// One has ended since the connection looked.
    ended: Cell<bool>,
    answered: Cell<usize>,
    /// Reset by the client before they were answered.
    given_up: Cell<usize>,
}

/// Lives until a stream is answered or reset, and counts which it was.
struct Asked {
    streams: Rc<Streams>,
    answered: bool,
}

impl Asked {
    fn new(streams: Rc<Streams>) -> Asked {
        Asked { streams, answered: false }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let count = if self.answered { &self.streams.answered } else { &self.streams.given_up };
        count.set(count.get() + 1);
    }
}

/// Lives as long as an exchange.
struct InFlight(Rc<Streams>);

impl InFlight {
    fn new(streams: Rc<Streams>) -> InFlight {
        streams.in_flight.set(streams.in_flight.get() + 1);
        InFlight(streams)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.ended.set(true);
    }
}

/// Gives hyper's own tasks to the core they belong to.
#[derive(Clone)]
struct Spawner(Rc<Core>);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        self.0.tasks.spawn_local(future);
    }
}

/// A stream some bytes of which have been read already.
struct Rewound {
    received: Vec<u8>,
    at: usize,
    stream: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.received[self.at..];
        if !left.is_empty() {
            let n = left.len().min(room.remaining());
            room.put_slice(&left[..n]);
            self.at += n;
            return Poll::Ready(Ok(()));
        }
        let n = ready!(self.stream.poll_read(cx, room.initialize_unfilled()))?;
        room.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown())
    }
}
