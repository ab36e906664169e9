//! What a program sends, put into HTTP/1 form: its head as soon as that is whole, then the body as it comes.
//!
//! The body is moved within the buffer it was read into and framed there. Where the length is not said, an answer that is
//! all here gets one, and any other goes in chunks.
//!
//! In the modes in which stderr makes an error of an answer, the answer is held until the request is over, or more of it
//! is here than IIS would hold; what is written to stderr after that goes to the log alone.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::complaints::Complaints;
use super::send_file::{self, Allowed};
use crate::base::stream::Stream;
use crate::config::fastcgi::StderrMode;
use crate::exchange::reply;
use crate::failure::Failure;
use crate::fastcgi::decoder::{Decoder, End, Part};
use crate::fastcgi::head::CgiHead;
use crate::fastcgi::record::HEADER_BYTES;
use crate::pool::FastCgiPassing;

/// IIS's ResponseBufferLimit.
const MOST_HELD_BYTES: usize = 4 * 1024 * 1024;
/// Room in front of a chunk: its size, which never has more digits, and a line end.
const CHUNK_SIZE_BYTES: usize = 6;
/// Room behind a chunk: its line end, and the last chunk.
const CHUNK_END_BYTES: usize = 7;
const MOST_CHUNK_BYTES: usize = 0xffff;

/// What a program wants instead of its own answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Aside {
    /// Another target of the site is to be served, as a GET.
    Redirect(Box<str>),
    /// A file is to be sent, with these lines of the program's head.
    SendFile { named: Allowed, lines: Vec<u8> },
}

pub(super) struct Incoming {
    decoder: Decoder,
    pub(super) passing: Arc<FastCgiPassing>,
    phase: Phase,
    /// In HTTP/1 form, on its way to the relay.
    out: Vec<u8>,
    out_at: usize,
    head_only: bool,
    pub(super) complaints: Complaints,
    pub(super) end: Option<End>,
    pub(super) failure: Option<Failure>,
    pub(super) aside: Option<Aside>,
    pub(super) heard: bool,
    pub(super) sign: bool,
    /// The answer is that of PHP to a script that it cannot open.
    pub(super) is_of_unknown_script: bool,
    /// Output came when nobody waited for it any more.
    pub(super) prints_on: bool,
    /// Output beyond the length that was said.
    excess: bool,
    /// What is ready for the client is not to be kept for it.
    is_unbuffered: bool,
    is_broken: bool,
    is_closed: bool,
}

enum Phase {
    /// Output up to the end of the head.
    Head(Vec<u8>),
    /// So much of the body is to come.
    Length(u64),
    Chunked,
    /// The client gets no more.
    Over,
}

impl Incoming {
    pub(super) fn new(
        passing: Arc<FastCgiPassing>,
        complaints: Complaints,
        heard: bool,
        head_only: bool,
    ) -> Incoming {
        Incoming {
            decoder: Decoder::default(),
            passing,
            phase: Phase::Head(Vec::new()),
            out: Vec::new(),
            out_at: 0,
            head_only,
            complaints,
            end: None,
            failure: None,
            aside: None,
            heard,
            sign: false,
            is_of_unknown_script: false,
            prints_on: false,
            excess: false,
            is_unbuffered: false,
            is_broken: false,
            is_closed: false,
        }
    }

    /// The program is done with the request, and nothing of the connection is left to read.
    pub(super) fn is_over(&self) -> bool {
        self.decoder.is_over()
    }

    /// What came is no FastCGI, or the connection is at its end: nothing more can be read from it.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The program has closed the connection.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether what comes now may be kept for a client that is slow.
    pub(super) fn may_be_kept(&self) -> bool {
        (!self.is_unbuffered || matches!(self.phase, Phase::Over)) && self.failure.is_none()
    }

    /// How long it may say nothing now: twice as long before its first word.
    pub(super) fn patience(&self) -> Duration {
        self.passing.activity_timeout * if self.heard { 1 } else { 2 }
    }

    /// Takes what is no part of any answer.
    pub(super) fn discard(&mut self, bytes: &mut [u8]) {
        // Whoever was to hear of it has gone.
        self.failure = None;
        let printed = self.take(bytes);
        self.prints_on |= printed > 0;
        self.excess |=
            printed > 0 && matches!(self.phase, Phase::Over) && !self.head_only && self.aside.is_none();
    }

    /// Gives bytes of the answer; an error is explained by `failure` or `aside`. Without a stream nothing more comes.
    pub(super) fn poll_read(
        &mut self,
        stream: Option<&Stream>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.out_at < self.out.len() {
                let n = room.len().min(self.out.len() - self.out_at);
                room[..n].copy_from_slice(&self.out[self.out_at..self.out_at + n]);
                self.out_at += n;
                if self.out_at == self.out.len() {
                    (self.out, self.out_at) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(n));
            }
            if self.failure.is_some() || self.aside.is_some() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if self.is_over() {
                return Poll::Ready(Ok(0));
            }
            let Some(stream) = stream else { return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())) };
            let is_chunked = matches!(self.phase, Phase::Chunked);
            let (front, back) = if is_chunked { (CHUNK_SIZE_BYTES, CHUNK_END_BYTES) } else { (0, 0) };
            let last = room.len().saturating_sub(back).min(front + MOST_CHUNK_BYTES);
            // The relay's blocks are larger by far.
            let Some(space) = room.get_mut(front..last).filter(|space| !space.is_empty()) else {
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into()));
            };
            let read = ready!(stream.poll_read(cx, space));
            let n = match read {
                Ok(n) if n > 0 => n,
                _ => {
                    self.closed();
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            };
            let printed = self.take(&mut space[..n]);
            match self.phase {
                Phase::Head(_) => self.take_head(&room[..printed]),
                Phase::Length(left) => {
                    if let Some(taken @ 1..) = self.take_length(left, printed) {
                        return Poll::Ready(Ok(taken));
                    }
                }
                Phase::Chunked => {
                    if let framed @ 1.. = self.frame(room, printed) {
                        return Poll::Ready(Ok(framed));
                    }
                }
                Phase::Over => self.excess |= printed > 0 && !self.head_only,
            }
        }
    }

    /// Decodes what was read, moves what was printed to the front, and says how much that is.
    fn take(&mut self, bytes: &mut [u8]) -> usize {
        (self.heard, self.sign) = (true, true);
        let (mut at, mut printed) = (0, 0);
        while self.failure.is_none() {
            match self.decoder.next(bytes, &mut at) {
                Ok(None) => break,
                Ok(Some(Part::Stdout(part))) => {
                    let length = part.len();
                    bytes.copy_within(part, printed);
                    printed += length;
                }
                Ok(Some(Part::Stderr(part))) => {
                    self.complaints.take(&bytes[part]);
                    if self.passing.stderr == StderrMode::Terminate && matches!(self.phase, Phase::Head(_)) {
                        (self.failure, self.is_broken) = (Some(Failure::Complained), true);
                    }
                }
                Ok(Some(Part::End(end))) => {
                    self.end = Some(end);
                    self.failure = match end {
                        End::Complete { .. } => None,
                        End::Busy => Some(Failure::Rejected("has another on this connection")),
                        End::Overloaded => Some(Failure::Rejected("is overloaded")),
                        End::UnknownRole => Some(Failure::UnknownRole),
                    };
                }
                Err(bad) => {
                    let from = if printed == 0 { 0 } else { at.saturating_sub(HEADER_BYTES) };
                    self.complaints.tell_beginning(bytes.get(from..).unwrap_or_default());
                    self.is_broken = true;
                    self.failure = Some(Failure::BadRecord(bad.0));
                }
            }
        }
        printed
    }

    /// The program closed the connection, which is never right before the end of the request.
    fn closed(&mut self) {
        (self.is_broken, self.is_closed) = (true, true);
        self.failure = match &self.phase {
            // Nothing of an answer: whoever asked may ask another.
            Phase::Head(head) if head.is_empty() => None,
            Phase::Head(_) => Some(Failure::ClosedInHead),
            _ => Some(Failure::Truncated),
        };
    }

    fn holds(&self, printed: usize) -> bool {
        let is_error = matches!(
            self.passing.stderr,
            StderrMode::ReturnIn500 | StderrMode::Generic500 | StderrMode::Terminate
        );
        is_error && self.end.is_none() && printed < MOST_HELD_BYTES
    }

    fn take_head(&mut self, more: &[u8]) {
        let Phase::Head(head) = &mut self.phase else { return };
        head.extend_from_slice(more);
        let printed = head.len();
        if self.failure.is_some() || self.holds(printed) {
            return;
        }
        if self.complaints.came() {
            match self.passing.stderr {
                StderrMode::ReturnIn500 => return self.tell_complaints(),
                StderrMode::Generic500 => {
                    self.failure = Some(Failure::Complained);
                    return;
                }
                StderrMode::Pass | StderrMode::Ignore | StderrMode::Terminate => {}
            }
        }
        let most = self.passing.most_head_bytes;
        // Of a head that comes byte by byte only lines are looked at.
        if self.end.is_none() && memchr::memchr(b'\n', more).is_none() {
            if printed > most {
                self.failure = Some(Failure::AnswerHeadTooLarge(most));
            }
            return;
        }
        let Phase::Head(head) = &mut self.phase else { return };
        match (CgiHead::parse(head), self.end) {
            (Err(bad), _) => {
                self.complaints.tell_beginning(head);
                self.failure = Some(Failure::BadCgi(bad.0));
            }
            (Ok(Some(parsed)), _) if parsed.end > most => {
                self.failure = Some(Failure::AnswerHeadTooLarge(most));
            }
            (Ok(Some(parsed)), _) => {
                let printed = std::mem::take(head);
                self.begin(&parsed, &printed[parsed.end..]);
            }
            (Ok(None), Some(End::Complete { exit_code })) => {
                self.failure = Some(Failure::EndedInHead { exit_code });
            }
            (Ok(None), _) if printed > most => {
                self.failure = Some(Failure::AnswerHeadTooLarge(most));
            }
            (Ok(None), _) => {}
        }
    }

    /// Puts the head, and what came with it, into HTTP/1 form.
    fn begin(&mut self, head: &CgiHead, body: &[u8]) {
        if let Some(aside) = self.aside(head) {
            (self.aside, self.phase) = (Some(aside), Phase::Over);
            return;
        }
        if self.end.is_some()
            && body.is_empty()
            && head.status >= 500
            && !self.head_only
            && let Some(said) = self.complaints.explanation()
        {
            self.failure = Some(Failure::Blank { status: head.status, said });
            return;
        }
        self.is_of_unknown_script = head.status == 404
            && match body.trim_ascii() {
                b"No input file specified." => true,
                b"File not found." => self.complaints.are_of_unknown_script(),
                _ => false,
            };
        self.is_unbuffered = head.is_unbuffered;
        let reason = if head.reason.is_empty() { reply::reason(head.status) } else { &head.reason };
        let out = &mut self.out;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", head.status);
        out.extend_from_slice(&head.lines);
        let is_bodiless = self.head_only || matches!(head.status, 204 | 304);
        let is_all = self.end.is_some();
        self.phase = match head.content_length {
            Some(said) if is_bodiless => {
                let _ = write!(out, "Content-Length: {said}\r\n\r\n");
                Phase::Over
            }
            None if is_bodiless => {
                out.extend_from_slice(b"\r\n");
                Phase::Over
            }
            Some(said) if is_all && said > body.len() as u64 => {
                out.clear();
                self.failure = Some(Failure::Shorter);
                return;
            }
            Some(said) => {
                let _ = write!(out, "Content-Length: {said}\r\n\r\n");
                let here = usize::try_from(said).unwrap_or(usize::MAX).min(body.len());
                self.excess |= here < body.len();
                out.extend_from_slice(&body[..here]);
                match said - here as u64 {
                    0 => Phase::Over,
                    left => Phase::Length(left),
                }
            }
            None if is_all => {
                let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
                out.extend_from_slice(body);
                Phase::Over
            }
            None => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                if !body.is_empty() {
                    let _ = write!(out, "{:x}\r\n", body.len());
                    out.extend_from_slice(body);
                    out.extend_from_slice(b"\r\n");
                }
                Phase::Chunked
            }
        };
    }

    fn aside(&self, head: &CgiHead) -> Option<Aside> {
        if self.passing.redirects_locally
            && let Some(target) = head.local_redirect()
        {
            return Some(Aside::Redirect(target.into()));
        }
        let named = head.send_file.as_deref()?;
        let named = send_file::allowed(named, &self.passing)?;
        Some(Aside::SendFile { named, lines: head.lines.clone() })
    }

    /// The answer is what was written to stderr.
    fn tell_complaints(&mut self) {
        let text = self.complaints.text();
        let _ = write!(
            self.out,
            "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            text.len()
        );
        if !self.head_only {
            self.out.extend_from_slice(text);
        }
        self.phase = Phase::Over;
    }

    /// How much of what was printed belongs to a body of which `left` bytes are to come.
    fn take_length(&mut self, left: u64, printed: usize) -> Option<usize> {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(printed);
        self.excess |= here < printed;
        let left = left - here as u64;
        self.phase = if left == 0 { Phase::Over } else { Phase::Length(left) };
        if left > 0 && self.end.is_some() && self.failure.is_none() {
            self.failure = Some(Failure::Shorter);
        }
        (here > 0).then_some(here)
    }

    /// Frames what was printed, which lies behind the room for its size; how much is to be sent.
    fn frame(&mut self, room: &mut [u8], printed: usize) -> usize {
        let mut end = 0;
        if printed > 0 {
            let mut size = [0; CHUNK_SIZE_BYTES];
            let mut rest = &mut size[..];
            // Four digits at the most.
            let _ = write!(rest, "{printed:x}\r\n");
            let unused = rest.len();
            let size = &size[..CHUNK_SIZE_BYTES - unused];
            if unused > 0 {
                room.copy_within(CHUNK_SIZE_BYTES..CHUNK_SIZE_BYTES + printed, size.len());
            }
            room[..size.len()].copy_from_slice(size);
            end = size.len() + printed;
            room[end..end + 2].copy_from_slice(b"\r\n");
            end += 2;
        }
        if self.end.is_some() && self.failure.is_none() {
            room[end..end + 5].copy_from_slice(b"0\r\n\r\n");
            end += 5;
            self.phase = Phase::Over;
        }
        end
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.excess {
            tracing::warn!(
                "request {}: the program printed more than its Content-Length says; the rest was cut off",
                self.complaints.request()
            );
        }
    }
}
