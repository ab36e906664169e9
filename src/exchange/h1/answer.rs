//! The response's way to an HTTP/1 client: the worker's head rewritten where it lies, its body as it comes.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{H1, HEADROOM};
use crate::base::buffers::Block;
use crate::base::pipe::Pipe;
use crate::exchange::reply::{Opening, Reply, date_now};
use crate::failure::Failure;
use crate::http1::Version;
use crate::http1::chunked::Chunked;
use crate::http1::framing::Framing;
use crate::http1::request::Method;
use crate::http1::response::{self, ResponseHead};

/// A client that asks and does not read the little that the host itself says is not waited for longer.
const REPLY_PATIENCE: Duration = Duration::from_secs(10);

impl H1 {
    pub(crate) fn begin(&mut self, block: &mut Block, head: &ResponseHead) -> Result<(), Failure> {
        if head.is_interim() {
            return self.begin_interim(block, head);
        }
        self.begun = true;
        let decoded = head.framing == Framing::Chunked && self.head.version == Version::Http10;
        self.until_close = decoded || head.framing == Framing::UntilClose;
        self.decoder = decoded.then(Chunked::default);
        self.persistent &= !self.until_close && !self.local.is_draining() && head.status != 101;
        // A worker that closes takes no more of the body, and what follows it could not be found.
        self.persistent &= head.persistent || self.body.is_done();
        let mut added = [0_u8; HEADROOM];
        let mut rest = &mut added[..];
        if !head.has_date && head.status >= 200 {
            // The room is more than twice what both lines take.
            let _ = write!(rest, "Date: {}\r\n", date_now());
        }
        if let Some(connection) = self.connection_field(head.status) {
            let _ = write!(rest, "Connection: {connection}\r\n");
        }
        let is_long = self.added.len() > rest.len();
        if !is_long {
            let _ = rest.write_all(self.added.as_bytes());
        }
        let unused = rest.len();
        let added = &added[..HEADROOM - unused];
        let end = head.end;
        let (bytes, start) = block.raw();
        // Our own version, whatever the worker speaks.
        bytes[start + b"HTTP/1.".len()] = b'1';
        let start = response::rewrite_in_place(bytes, start, end, &head.dropped, added);
        block.set_start(start);
        self.head_left = end - start;
        if is_long {
            self.insert_added(block);
        }
        self.given.begin(head.status, self.head_left);
        Ok(())
    }

    /// Moves a head to where there is room for all that a site adds to it.
    fn insert_added(&mut self, block: &mut Block) {
        let (head, body) = block.filled().split_at(self.head_left);
        let mut larger = self.local.buffers.at_least(block.filled().len() + self.added.len());
        larger.put(&head[..head.len() - b"\r\n".len()]);
        larger.put(self.added.as_bytes());
        larger.put(b"\r\n");
        larger.put(body);
        self.head_left += self.added.len();
        *block = larger;
    }

    /// 100 and 103 pass; HTTP/1.0 knows no interim responses.
    fn begin_interim(&mut self, block: &mut Block, head: &ResponseHead) -> Result<(), Failure> {
        if self.head.version == Version::Http10 || (head.status == 100 && self.interim_sent) {
            block.set_start(head.end);
            return Ok(());
        }
        self.interim_sent |= head.status == 100;
        let end = head.end;
        let (bytes, start) = block.raw();
        bytes[start + b"HTTP/1.".len()] = b'1';
        let start = response::rewrite_in_place(bytes, start, end, &head.dropped, b"");
        block.set_start(start);
        Ok(())
    }

    /// What to say of the connection, where the version's default would mislead.
    fn connection_field(&self, status: u16) -> Option<&'static str> {
        match (self.persistent, self.head.version) {
            _ if status == 101 => None,
            (false, _) => Some("close"),
            (true, Version::Http10) => Some("keep-alive"),
            (true, Version::Http11) => None,
        }
    }

    pub(crate) fn end_after_response(&mut self) {
        self.persistent = false;
    }

    pub(crate) fn add_fields(&mut self, lines: &str) {
        self.added.push_str(lines);
    }

    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.decoder.is_none() {
            return self.poll_write(cx, bytes);
        }
        if self.head_left > 0 {
            let sent = ready!(self.poll_write(cx, &bytes[..self.head_left]))?;
            self.head_left -= sent;
            return Poll::Ready(Ok(sent));
        }
        self.poll_send_data(cx, bytes)
    }

    /// Writes, and counts what the client takes.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(self.stream.poll_write(cx, bytes))?;
        self.given.add(sent);
        Poll::Ready(Ok(sent))
    }

    pub(crate) fn poll_send_pipe(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(self.stream.poll_empty(cx, pipe))?;
        self.given.add(sent);
        Poll::Ready(Ok(sent))
    }

    pub(crate) fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(self.stream.poll_send_file(cx, file, offset, most))?;
        self.given.add(sent);
        Poll::Ready(Ok(sent))
    }

    pub(crate) fn takes_pipes(&self) -> bool {
        self.decoder.is_none()
    }

    /// Sends the data of one chunk, or what of it the client takes; how much of `bytes` that was.
    fn poll_send_data(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(decoder) = &mut self.decoder else { return Poll::Ready(Ok(bytes.len())) };
        // The relay has seen these bytes and found them good.
        let bad = |_| io::Error::from(io::ErrorKind::InvalidData);
        let mut ahead = decoder.clone();
        let advance = ahead.advance(bytes).map_err(bad)?;
        if advance.data.is_empty() {
            *decoder = ahead;
            return Poll::Ready(Ok(advance.consumed));
        }
        let start = advance.data.start;
        let sent = ready!(self.stream.poll_write(cx, &bytes[advance.data]))?;
        self.given.add(sent);
        decoder.scan(&bytes[..start + sent]).map_err(bad)?;
        Poll::Ready(Ok(start + sent))
    }

    pub(crate) fn complete(&mut self) {}

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn abort(&mut self) {
        self.persistent = false;
        self.aborted = true;
        // A body that ends with the connection looks whole when the connection ends well.
        if self.until_close {
            self.stream.reset_on_close();
        }
    }

    /// For a client that waits before it sends its body, while the worker says nothing.
    pub(crate) fn needs_continue(&self) -> bool {
        self.head.expects_continue
            && !self.interim_sent
            && !self.begun
            && self.body_at == self.head.end
            && !self.streamed
    }

    pub(crate) fn poll_continue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = b"HTTP/1.1 100 Continue\r\n\r\n";
        // 25 bytes into an idle socket: a partial write means that the connection is beyond help.
        let sent = ready!(self.stream.poll_write(cx, line))?;
        self.interim_sent = true;
        Poll::Ready(if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) })
    }

    /// What is true of every response the host makes: its length is known, and nobody reads the request's body.
    fn begin_own(&mut self) {
        self.begun = true;
        self.until_close = false;
        self.decoder = None;
        self.skip_received_body();
        self.persistent &= !self.local.is_draining() && self.body.is_done();
    }

    /// Begins a response of the host's own. The block begins with the head and has room for `room` bytes more.
    pub(crate) fn open(&mut self, opening: Opening<'_>, room: usize) -> Block {
        self.begin_own();
        let head = opening.head_text(self.connection_field(opening.status));
        let mut block = self.local.buffers.at_least(head.len() + room);
        block.put(head.as_bytes());
        self.given.begin(opening.status, head.len());
        block
    }

    pub(crate) async fn reply(&mut self, reply: Reply) -> Result<(), Failure> {
        self.begin_own();
        self.persistent &= !reply.close;
        let mut bytes = reply.head_text(self.connection_field(reply.status)).into_bytes();
        self.given.begin(reply.status, bytes.len());
        if self.head.method != Method::Head {
            bytes.extend_from_slice(&reply.body);
        }
        self.timer.set(self.local.clock.after(REPLY_PATIENCE));
        let mut left = &bytes[..];
        let sent = std::future::poll_fn(|cx| {
            self.timer.wakes(cx.waker());
            while !left.is_empty() {
                match self.stream.poll_write(cx, left) {
                    Poll::Ready(Ok(n)) => {
                        self.given.add(n);
                        left = &left[n..];
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::ClientGone)),
                    Poll::Pending if self.timer.is_due() => return Poll::Ready(Err(Failure::ClientTooSlow)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await;
        self.timer.clear();
        if sent.is_err() {
            self.abort();
        }
        sent
    }
}
