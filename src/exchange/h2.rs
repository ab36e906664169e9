//! The client's end of one HTTP/2 stream, in the engine's terms.
//!
//! The request is put into HTTP/1 form and goes through the same strict parser as any other; the worker's answer is
//! taken out of that form again. The protocol itself, its flow control and its limits are hyper's.

use std::io::{self, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;

use super::pipe::{self, Receiver, Sender};
use super::reply::{Opening, Reply};
use super::{Given, Peer};
use crate::base::buffers::Block;
use crate::base::clock::Timer;
use crate::base::local::Local;
use crate::failure::Failure;
use crate::http1::body::Body;
use crate::http1::fields::{self, Known};
use crate::http1::framing::Framing;
use crate::http1::request::{BadHead, Method, RequestHead};
use crate::http1::response::ResponseHead;

/// Room for the framing of a chunk: its size in hexadecimal and two line ends.
const CHUNK_FRAMING_BYTES: usize = 24;

pub(crate) type Answer = Response<Receiver>;

pub(crate) struct H2 {
    local: Rc<Local>,
    timer: Timer,
    peer: Peer,
    head: RequestHead,
    head_bytes: Vec<u8>,
    incoming: Incoming,
    /// Received, not yet handed on.
    received: Bytes,
    body_taken: bool,
    body_done: bool,
    /// Where the head of the response goes; gone when it has.
    answer: Option<oneshot::Sender<Answer>>,
    body: Option<Sender>,
    given: Given,
    /// Takes the response's body out of its HTTP/1 framing.
    decoder: Body,
    /// A field line for the head of the response.
    added: String,
}

impl H2 {
    /// Puts a request into HTTP/1 form and indexes it; on `Err` the client is answered all the same.
    pub(crate) fn new(
        request: http::Request<Incoming>,
        local: Rc<Local>,
        peer: Peer,
        max_fields: usize,
        answer: oneshot::Sender<Answer>,
    ) -> (H2, Result<(), Failure>) {
        let (parts, incoming) = request.into_parts();
        let mut h2 = H2 {
            timer: local.clock.timer(),
            local,
            peer,
            head: RequestHead::default(),
            head_bytes: Vec::new(),
            body_done: incoming.is_end_stream(),
            incoming,
            received: Bytes::new(),
            body_taken: false,
            answer: Some(answer),
            body: None,
            given: Given::default(),
            decoder: Body::Length(0),
            added: String::new(),
        };
        let indexed = h2.index(&parts, max_fields);
        (h2, indexed.map_err(|bad| Failure::of_bad_head(bad, max_fields)))
    }

    fn index(&mut self, parts: &http::request::Parts, max_fields: usize) -> Result<(), BadHead> {
        self.head_bytes = head_text(parts, self.body_done)?;
        if !self.head.parse(&self.head_bytes, 0, max_fields)? {
            return Err(BadHead::Malformed("the request is incomplete"));
        }
        Ok(())
    }

    pub(crate) fn head(&self) -> &RequestHead {
        &self.head
    }

    pub(crate) fn head_bytes(&self) -> &[u8] {
        &self.head_bytes
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
        &self.head_bytes
    }

    /// Nothing is received with the head; the body comes in frames of its own.
    pub(crate) fn take_received_body(&mut self, _out: &mut Block) -> Result<(), Failure> {
        Ok(())
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Block, Failure>> {
        let mut block = self.local.buffers.large();
        if self.received.is_empty() {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.received = data,
                    Err(frame) => return Poll::Ready(self.end_of_body(block, frame.into_trailers().ok())),
                },
                Some(Err(_)) => return Poll::Ready(Err(Failure::ClientGone)),
                None => return Poll::Ready(self.end_of_body(block, None)),
            }
            self.body_taken = true;
        }
        let piece = self.received.len().min(block.room().len() - CHUNK_FRAMING_BYTES);
        if piece > 0 && self.head.framing == Framing::Chunked {
            put_display(&mut block, format_args!("{piece:x}\r\n"));
        }
        block.put(&self.received[..piece]);
        self.received.advance(piece);
        if piece > 0 && self.head.framing == Framing::Chunked {
            block.put(b"\r\n");
        }
        // Known now, the end needs no further turn; with a length, nothing else would say that it is reached.
        if self.received.is_empty() && self.incoming.is_end_stream() {
            return Poll::Ready(self.end_of_body(block, None));
        }
        Poll::Ready(Ok(block))
    }

    fn end_of_body(&mut self, mut block: Block, trailers: Option<HeaderMap>) -> Result<Block, Failure> {
        self.body_done = true;
        if self.head.framing != Framing::Chunked {
            return Ok(block);
        }
        block.put(b"0\r\n");
        for (name, value) in trailers.iter().flatten() {
            let text = name.as_str().as_bytes();
            let may_be_late =
                matches!(Known::of(text), Known::Other | Known::Date) && !fields::is_identity(text);
            if !may_be_late || block.room().len() < name.as_str().len() + value.len() + CHUNK_FRAMING_BYTES {
                return Err(Failure::BadBody("a trailer that must not come late, or too many of them"));
            }
            put_display(&mut block, format_args!("{name}: "));
            block.put(value.as_bytes());
            block.put(b"\r\n");
        }
        block.put(b"\r\n");
        Ok(block)
    }

    pub(crate) fn body_is_done(&self) -> bool {
        self.body_done
    }

    pub(crate) fn rewind(&mut self) -> bool {
        !self.body_taken && !self.has_begun()
    }

    pub(crate) fn body_is_here(&self) -> bool {
        self.body_is_done()
    }

    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let gone = match (&mut self.answer, &self.body) {
            (Some(answer), _) => answer.poll_closed(cx),
            (None, Some(body)) => body.poll_gone(cx),
            (None, None) => Poll::Ready(()),
        };
        gone.map(|()| Failure::ClientGone)
    }

    pub(crate) fn begin(&mut self, block: &mut Block, head: &ResponseHead) -> Result<(), Failure> {
        let start = block.start();
        block.set_start(head.end);
        // hyper has no way to send interim responses.
        if head.is_interim() {
            return Ok(());
        }
        let mut response = Response::new(());
        *response.status_mut() =
            http::StatusCode::from_u16(head.status).map_err(|_| Failure::BadAnswer("its status"))?;
        for (name, value) in kept_fields(block.all(), start, head) {
            response.headers_mut().append(name, value);
        }
        for (name, value) in self.added.lines().filter_map(|line| parse_field(line.trim_ascii().as_bytes())) {
            response.headers_mut().append(name, value);
        }
        self.decoder = Body::new(head.framing);
        let done = self.decoder.is_done();
        self.send_head(response)?;
        if done {
            self.complete();
        }
        Ok(())
    }

    pub(crate) fn add_fields(&mut self, lines: &str) {
        self.added.push_str(lines);
    }

    fn send_head(&mut self, response: Response<()>) -> Result<(), Failure> {
        let (sender, receiver) = pipe::pipe();
        let answer = self.answer.take().ok_or(Failure::ClientGone)?;
        self.given.begin(response.status().as_u16(), 0);
        self.body = Some(sender);
        answer.send(response.map(|()| receiver)).map_err(|_| Failure::ClientGone)
    }

    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(body) = &self.body else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        ready!(body.poll_ready(cx))?;
        let Body::Chunked(chunked) = &mut self.decoder else {
            body.send(Bytes::copy_from_slice(bytes));
            self.given.add(bytes.len());
            return Poll::Ready(Ok(bytes.len()));
        };
        let mut data = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() && !chunked.is_done() {
            // The relay has seen these bytes and found them good.
            let Ok(advance) = chunked.advance(&bytes[at..]) else { break };
            data.extend_from_slice(&bytes[at..][advance.data]);
            at += advance.consumed;
        }
        if !data.is_empty() {
            self.given.add(data.len());
            body.send(Bytes::from(data));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    pub(crate) fn complete(&mut self) {
        let trailers = match &self.decoder {
            Body::Chunked(chunked) if !chunked.trailers().is_empty() => Some(header_map(chunked.trailers())),
            _ => None,
        };
        if let Some(body) = &self.body {
            body.finish(trailers);
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.answer.is_none()
    }

    /// The pipe's drop tells hyper to reset the stream.
    pub(crate) fn abort(&mut self) {
        self.answer = None;
        self.body = None;
    }

    /// Begins a response of the host's own. The block is empty, with room for `room` bytes of the body.
    pub(crate) fn open(&mut self, opening: Opening<'_>, room: usize) -> Result<Block, Failure> {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(opening.status).unwrap_or_default();
        append_lines(response.headers_mut(), opening.lines);
        if let Some(length) = opening.length {
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        // Bytes that are sent are the body's, without any framing.
        self.decoder = Body::Length(0);
        self.send_head(response)?;
        Ok(self.local.buffers.at_least(room))
    }

    pub(crate) async fn reply(&mut self, reply: Reply) -> Result<(), Failure> {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap_or_default();
        for (name, value) in &reply.fields {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                response.headers_mut().append(name, value);
            }
        }
        append_lines(response.headers_mut(), &reply.extra);
        response.headers_mut().insert(header::CONTENT_LENGTH, reply.body.len().into());
        self.send_head(response)?;
        if let Some(body) = &self.body {
            if self.head.method != Method::Head && !reply.body.is_empty() {
                self.given.add(reply.body.len());
                body.send(Bytes::from(reply.body.into_owned()));
            }
            body.finish(None);
        }
        Ok(())
    }
}

/// The request as an HTTP/1 client would have sent it.
fn head_text(parts: &http::request::Parts, bodiless: bool) -> Result<Vec<u8>, BadHead> {
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = parts.headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(BadHead::Malformed("two host fields"));
    }
    if let (Some(authority), Some(host)) = (authority, host)
        && !authority.eq_ignore_ascii_case(host)
    {
        return Err(BadHead::Malformed(":authority contradicts host"));
    }
    let target = match parts.uri.path_and_query() {
        _ if parts.method == http::Method::CONNECT => return Err(BadHead::Connect),
        Some(target) if parts.method == http::Method::OPTIONS && target == "*" => "*",
        Some(target) => target.as_str(),
        None => "/",
    };
    let mut text = Vec::with_capacity(512);
    let mut line = |parts: &[&[u8]]| {
        parts.iter().for_each(|part| text.extend_from_slice(part));
        text.extend_from_slice(b"\r\n");
    };
    line(&[parts.method.as_str().as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1"]);
    if let Some(host) = authority.or(host) {
        line(&[b"host: ", host]);
    }
    let mut has_length = false;
    for (name, value) in &parts.headers {
        match *name {
            header::HOST
            | header::COOKIE
            | header::EXPECT
            | header::TE
            | header::CONNECTION
            | header::UPGRADE => continue,
            header::CONTENT_LENGTH => has_length = true,
            _ => {}
        }
        line(&[name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    let crumbs: Vec<&[u8]> =
        parts.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !crumbs.is_empty() {
        line(&[b"cookie: ", &crumbs.join(&b"; "[..])]);
    }
    if !bodiless && !has_length {
        line(&[b"transfer-encoding: chunked"]);
    }
    line(&[]);
    Ok(text)
}

/// The fields of a checked response head that mean something in HTTP/2.
fn kept_fields(bytes: &[u8], start: usize, head: &ResponseHead) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = Vec::new();
    let mut line_start = start;
    while let Some(length) = memchr::memchr(b'\n', &bytes[line_start..head.end - 2]) {
        let line = line_start..line_start + length + 1;
        line_start = line.end;
        let text = &bytes[line.start..line.end - 2];
        let dropped = line.start == start || head.dropped.iter().any(|dropped| dropped.start == line.start);
        if let Some(field) =
            parse_field(text).filter(|(name, _)| !dropped && *name != header::TRANSFER_ENCODING)
        {
            fields.push(field);
        }
    }
    fields
}

fn header_map(lines: &[u8]) -> HeaderMap {
    lines.split(|&byte| byte == b'\n').filter_map(|line| parse_field(line.trim_ascii())).collect()
}

/// Appends the lines that mean something in HTTP/2.
fn append_lines(headers: &mut HeaderMap, lines: &str) {
    for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
        if let Some((name, value)) = parse_field(line.as_bytes())
            && matches!(Known::of(name.as_str().as_bytes()), Known::Other | Known::Date)
        {
            headers.append(name, value);
        }
    }
}

fn parse_field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}

/// Appends formatted text; the caller has made sure that there is room.
fn put_display(block: &mut Block, text: std::fmt::Arguments<'_>) {
    let mut room = block.room();
    let before = room.len();
    // Room was checked, so nothing is cut.
    let _ = room.write_fmt(text);
    let written = before - room.len();
    block.received(written);
}
