//! The request on its way to a program: what was prepared, then its body in records, and the record that ends it.

use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};

use crate::base::stream::Stream;
use crate::exchange::spool::Spool;
use crate::fastcgi::record::{HEADER_BYTES, MOST_CONTENT_BYTES, body_header};

pub(super) struct Outgoing {
    /// So many bytes go as they are.
    prepared: usize,
    /// The header of the open record, and how much of it has gone.
    header: [u8; HEADER_BYTES],
    header_sent: usize,
    /// What is missing of the open record's content.
    content_left: usize,
    /// How much of the spool has gone.
    spooled: u64,
    /// The open record is the last.
    is_last: bool,
}

impl Outgoing {
    /// The first `prepared` bytes are records already; the last of them ends the body if `is_whole`.
    pub(super) fn new(prepared: usize, is_whole: bool) -> Outgoing {
        let header = [0; HEADER_BYTES];
        Outgoing {
            prepared,
            header,
            header_sent: HEADER_BYTES,
            content_left: 0,
            spooled: 0,
            is_last: is_whole,
        }
    }

    /// All of it has gone, its end included.
    pub(super) fn is_finished(&self) -> bool {
        self.is_last && self.prepared == 0 && self.header_sent == HEADER_BYTES && self.content_left == 0
    }

    pub(super) fn poll_write(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.prepared > 0 {
            let sent = ready!(stream.poll_write(cx, &bytes[..bytes.len().min(self.prepared)]))?;
            self.prepared -= sent;
            return Poll::Ready(Ok(sent));
        }
        if self.content_left == 0 && self.header_sent == HEADER_BYTES {
            self.open(bytes.len().min(MOST_CONTENT_BYTES));
        }
        ready!(self.poll_header(stream, cx))?;
        let sent = ready!(stream.poll_write(cx, &bytes[..bytes.len().min(self.content_left)]))?;
        self.content_left -= sent;
        Poll::Ready(Ok(sent))
    }

    /// Moves what was spooled, and the end of the body, one piece further.
    pub(super) fn poll_finish(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
        spool: Option<&Spool>,
    ) -> Poll<io::Result<()>> {
        let length = spool.map_or(0, Spool::length);
        if self.content_left == 0 && self.header_sent == HEADER_BYTES && !self.is_last {
            let left = usize::try_from(length - self.spooled).unwrap_or(usize::MAX);
            self.open(left.min(MOST_CONTENT_BYTES));
            self.is_last = left == 0;
        }
        ready!(self.poll_header(stream, cx))?;
        if self.content_left == 0 {
            return Poll::Ready(Ok(()));
        }
        let sent = match spool {
            Some(Spool::Memory(bytes)) => {
                let start = usize::try_from(self.spooled).unwrap_or(usize::MAX);
                let rest = bytes.get(start..start + self.content_left).unwrap_or_default();
                ready!(stream.poll_write(cx, rest))?
            }
            Some(Spool::File { file, .. }) => {
                ready!(stream.poll_send_file(cx, file.as_fd(), self.spooled, self.content_left))?
            }
            None => 0,
        };
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.content_left -= sent;
        self.spooled += sent as u64;
        Poll::Ready(Ok(()))
    }

    fn open(&mut self, length: usize) {
        // Never more than a record holds.
        self.header = body_header(u16::try_from(length).unwrap_or(u16::MAX));
        self.header_sent = 0;
        self.content_left = length;
    }

    fn poll_header(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.header_sent < HEADER_BYTES {
            self.header_sent += ready!(stream.poll_write(cx, &self.header[self.header_sent..]))?;
        }
        Poll::Ready(Ok(()))
    }
}
