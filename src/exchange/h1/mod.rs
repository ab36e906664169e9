//! The client's end of an HTTP/1 connection: reads requests, hands their bodies on, writes responses.
//!
//! While a request is in flight its head stays in the block it was received in, so that it can be sent again; between
//! requests the connection holds no block at all. Bytes are handed on as received, after the scanner has seen them.

mod answer;

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Given, Peer};
use crate::base::buffers::Block;
use crate::base::clock::Timer;
use crate::base::local::Local;
use crate::base::stream::Stream;
use crate::config::limits::Limits;
use crate::failure::Failure;
use crate::http1::Version;
use crate::http1::body::Body;
use crate::http1::chunked::Chunked;
use crate::http1::request::{Method, RequestHead};

/// What an HTTP/2 client that knows its server sends first.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room in front of a response head for what we add to it: Date, Connection, a cookie.
pub(crate) const HEADROOM: usize = 256;

/// What the next bytes of a connection turned out to be.
pub(crate) enum Incoming {
    Request,
    /// The preface of HTTP/2; what has been received is still to be read.
    Http2,
    /// The end, at a moment at which ending is fine.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// Nothing received of a request yet, no deadline set yet.
    Fresh,
    /// For the first byte of a request.
    ForFirstByte,
    /// For the rest of a head.
    ForHead,
}

pub(crate) struct H1 {
    stream: Stream,
    local: Rc<Local>,
    timer: Timer,
    peer: Peer,
    /// What has been received and not yet been done with; begins with the head of the request in flight.
    input: Option<Block>,
    /// Bytes behind the body of the request in flight, when that body did not fit into `input`.
    ahead: Option<Block>,
    head: RequestHead,
    body: Body,
    /// Where the next byte of the body lies in `input`.
    body_at: usize,
    /// The body was read beyond `input`: the beginning can no longer be sent again.
    streamed: bool,
    waiting: Waiting,
    /// How much of `input` the last attempt at its head has seen.
    parsed: usize,
    served_any: bool,
    begun: bool,
    given: Given,
    interim_sent: bool,
    /// A field line for the head of the response; empty for none.
    added: String,
    persistent: bool,
    /// The response's body ends where the connection does.
    until_close: bool,
    /// For HTTP/1.0, which knows no chunks: takes the body out of them.
    decoder: Option<Chunked>,
    /// So many bytes of the head, which are no body, are still to be sent.
    head_left: usize,
    /// What was received makes no sense.
    refused: bool,
    aborted: bool,
}

impl H1 {
    pub(crate) fn new(stream: Stream, local: Rc<Local>, peer: Peer) -> H1 {
        H1 {
            stream,
            timer: local.clock.timer(),
            local,
            peer,
            input: None,
            ahead: None,
            head: RequestHead::default(),
            body: Body::Length(0),
            body_at: 0,
            streamed: false,
            waiting: Waiting::Fresh,
            parsed: 0,
            served_any: false,
            begun: false,
            given: Given::default(),
            interim_sent: false,
            added: String::new(),
            persistent: false,
            until_close: false,
            decoder: None,
            head_left: 0,
            refused: false,
            aborted: false,
        }
    }

    // Receiving a request.

    /// Waits for the next request's head.
    pub(crate) fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        limits: &Limits,
    ) -> Poll<Result<Incoming, Failure>> {
        loop {
            if let Some(incoming) = self.parse_received(limits)? {
                self.timer.clear();
                return Poll::Ready(Ok(incoming));
            }
            self.set_deadline(cx, limits);
            let Poll::Ready(read) = self.poll_fill(cx, limits.head_bytes) else {
                // A request that has arrived already is served all the same.
                if self.waiting != Waiting::ForHead && self.local.is_draining() {
                    return Poll::Ready(Ok(Incoming::Closed));
                }
                if !self.timer.is_due() {
                    return Poll::Pending;
                }
                return Poll::Ready(match self.waiting {
                    Waiting::ForHead => Err(Failure::HeadTimeout),
                    _ => Ok(Incoming::Closed),
                });
            };
            match read {
                Ok(0) | Err(_) if self.waiting == Waiting::ForHead => {
                    return Poll::Ready(Err(Failure::ClientGone));
                }
                Ok(0) | Err(_) => return Poll::Ready(Ok(Incoming::Closed)),
                Ok(_) => {}
            }
        }
    }

    fn set_deadline(&mut self, cx: &Context<'_>, limits: &Limits) {
        let received = self.input.is_some();
        match self.waiting {
            Waiting::Fresh => {
                let patience = if self.served_any { limits.idle_timeout } else { limits.first_byte_timeout };
                self.waiting = Waiting::ForFirstByte;
                self.timer.wakes(cx.waker());
                self.timer.set(self.local.clock.after(patience));
                if received {
                    self.set_deadline(cx, limits);
                }
            }
            Waiting::ForFirstByte if received => {
                self.waiting = Waiting::ForHead;
                self.timer.set(self.local.clock.after(limits.head_timeout));
            }
            _ => {}
        }
    }

    /// Looks at what has been received: a head, the HTTP/2 preface, or not enough yet.
    fn parse_received(&mut self, limits: &Limits) -> Result<Option<Incoming>, Failure> {
        let Some(block) = &self.input else { return Ok(None) };
        let received = block.filled();
        if !self.served_any && HTTP2_PREFACE.starts_with(&received[..received.len().min(HTTP2_PREFACE.len())])
        {
            return Ok((received.len() >= HTTP2_PREFACE.len()).then_some(Incoming::Http2));
        }
        // A head that trickles in is not parsed anew for every byte: only when a line may have ended, or it has doubled.
        let fresh = &received[self.parsed.min(received.len())..];
        if self.parsed > 0
            && received.len() < limits.head_bytes.min(2 * self.parsed)
            && memchr::memchr(b'\n', fresh).is_none()
        {
            return Ok(None);
        }
        self.parsed = received.len();
        let complete = self
            .head
            .parse(block.all(), block.start(), limits.head_fields)
            .map_err(|bad| Failure::of_bad_head(bad, limits.head_fields))?;
        let length = if complete { self.head.end - block.start() } else { received.len() };
        if length > limits.head_bytes || (!complete && length == limits.head_bytes) {
            return Err(Failure::HeadTooLarge(limits.head_bytes));
        }
        if !complete {
            return Ok(None);
        }
        self.body = Body::new(self.head.framing);
        self.body_at = self.head.end;
        self.streamed = false;
        self.begun = false;
        self.given = Given::default();
        self.interim_sent = false;
        self.added = String::new();
        self.persistent = self.head.is_persistent();
        Ok(Some(Incoming::Request))
    }

    /// Reads into `input`, which grows up to `limit` bytes of waiting ones.
    fn poll_fill(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<usize>> {
        let mut block = self.input.take().unwrap_or_else(|| self.local.buffers.small());
        if !block.has_room() {
            block.compact();
        }
        if !block.has_room() && !block.grow(limit) {
            let full = block.filled().len();
            self.input = Some(block);
            debug_assert!(full >= limit, "a head larger than the limit was refused before");
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let read = self.stream.poll_read(cx, block.room());
        if let Poll::Ready(Ok(n)) = &read {
            block.received(*n);
        }
        if !block.is_empty() {
            self.input = Some(block);
        }
        read
    }

    /// Gives up the stream and what has been received, to speak another protocol on it.
    pub(crate) fn into_parts(self) -> (Stream, Vec<u8>, Peer) {
        let received = self.input.as_ref().map_or_else(Vec::new, |block| block.filled().to_vec());
        (self.stream, received, self.peer)
    }

    /// Gives up the stream for a tunnel, with what the client has sent behind the head of its request.
    pub(crate) fn into_stream(self) -> (Stream, Option<Block>) {
        let early = self.input.and_then(|mut block| {
            block.set_start(self.body_at);
            (!block.is_empty()).then_some(block)
        });
        (self.stream, early)
    }

    // The face of a client.

    pub(crate) fn head(&self) -> &RequestHead {
        &self.head
    }

    pub(crate) fn head_bytes(&self) -> &[u8] {
        self.input.as_ref().map_or(&[], Block::all)
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    pub(crate) fn given(&self) -> Given {
        self.given
    }

    pub(crate) fn received(&self) -> &[u8] {
        self.input.as_ref().map_or(&[], Block::filled)
    }

    pub(crate) fn take_received_body(&mut self, out: &mut Block) -> Result<(), Failure> {
        let Some(block) = &self.input else { return Ok(()) };
        let received = &block.all()[self.body_at..];
        let fits = received.len().min(out.room().len());
        let taken = self.body.scan(&received[..fits])?;
        out.put(&received[..taken]);
        self.body_at += taken;
        Ok(())
    }

    /// Passes over what has been received of a body that nobody will read.
    fn skip_received_body(&mut self) {
        let received =
            self.input.as_ref().map_or(&[][..], |block| &block.all()[self.body_at.min(block.end())..]);
        // A body that makes no sense is never done, so the connection closes.
        self.body_at += self.body.scan(received).unwrap_or(0);
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Block, Failure>> {
        let mut block = self.local.buffers.large();
        self.take_received_body(&mut block)?;
        if !block.is_empty() {
            return Poll::Ready(Ok(block));
        }
        match ready!(self.stream.poll_read(cx, block.room())) {
            Ok(0) | Err(_) => return Poll::Ready(Err(Failure::ClientGone)),
            Ok(n) => block.received(n),
        }
        self.streamed = true;
        let received = block.filled().len();
        let taken = self.body.scan(block.filled())?;
        if taken < received {
            let mut ahead = self.local.buffers.large();
            ahead.put(&block.filled()[taken..]);
            self.ahead = Some(ahead);
            block.truncate(taken);
        }
        Poll::Ready(Ok(block))
    }

    pub(crate) fn body_is_done(&self) -> bool {
        self.body.is_done()
    }

    pub(crate) fn body_is_here(&self) -> bool {
        let received = self.input.as_ref().map_or(0, |block| block.all().len().saturating_sub(self.body_at));
        self.body.is_done() || matches!(self.body, Body::Length(left) if left <= received as u64)
    }

    pub(crate) fn rewind(&mut self) -> bool {
        if self.streamed || self.begun {
            return false;
        }
        self.body = Body::new(self.head.framing);
        self.body_at = self.head.end;
        true
    }

    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        // What a client sends ahead is kept for later, as far as there is room without asking for more.
        loop {
            // The body may have filled the block that the head is in.
            if self.ahead.is_none()
                && let Some(block) = &self.input
                && !block.has_room()
                && self.body.is_done()
                && self.body_at == block.end()
            {
                self.ahead = Some(self.local.buffers.large());
            }
            let Some(block) = self.ahead.as_mut().or(self.input.as_mut()) else { return Poll::Pending };
            if !block.has_room() {
                return Poll::Pending;
            }
            match ready!(self.stream.poll_read(cx, block.room())) {
                Ok(0) | Err(_) => return Poll::Ready(Failure::ClientGone),
                Ok(n) => block.received(n),
            }
        }
    }

    // Between requests.

    /// Whether another request may follow; if so, forgets the one that is over.
    pub(crate) fn next_request(&mut self) -> bool {
        if !self.persistent || self.aborted || !self.body.is_done() {
            return false;
        }
        if let Some(ahead) = self.ahead.take() {
            self.input = Some(ahead).filter(|ahead| !ahead.is_empty());
        } else if let Some(block) = &mut self.input {
            block.set_start(self.body_at);
            if block.is_empty() {
                self.input = None;
            }
        }
        if self.head.fields.capacity() > 32 {
            self.head.fields = Vec::new();
        }
        self.served_any = true;
        self.waiting = Waiting::Fresh;
        self.parsed = 0;
        true
    }

    /// Whether the client has nothing under way to us, as far as we know: closing then loses nothing.
    pub(crate) fn is_at_rest(&self) -> bool {
        let consumed = self.input.as_ref().is_none_or(|block| block.end() <= self.body_at);
        !self.refused && self.body.is_done() && self.ahead.is_none() && consumed
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Marks a connection whose bytes make no sense any more: answer, then close.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
        self.begun = false;
        self.given = Given::default();
        self.head.method = Method::Other;
        self.head.version = Version::Http11;
        self.persistent = false;
    }

    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) fn local(&self) -> &Rc<Local> {
        &self.local
    }
}
