//! A FastCGI program as the relay's other end.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::base::pipe::Pipe;
use crate::base::stream::Stream;
use crate::exchange::spool::Spool;
use crate::failure::Failure;
use crate::upstream::link::Link;

pub(super) struct Program {
    pub(super) stream: Stream,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    pub(super) spool: Option<Spool>,
}

impl Link for Program {
    const IS_PLAIN: bool = false;

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Who has ended the request reads no more of it.
        if self.incoming.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.outgoing.poll_write(&self.stream, cx, bytes)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(&self.stream, cx, room)
    }

    fn poll_fill(&mut self, _: &mut Context<'_>, _: &mut Pipe, _: usize) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn is_to_unix_socket(&self) -> bool {
        self.stream.is_to_unix_socket()
    }

    fn is_finished(&self) -> bool {
        self.outgoing.is_finished() || self.incoming.is_over()
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_finish(&self.stream, cx, self.spool.as_ref())
    }

    fn failure(&mut self) -> Option<Failure> {
        // Who answers aside has not failed, but the relay is over: what it is told is never told to anybody.
        let is_aside = self.incoming.aside.is_some().then_some(Failure::ClosedInHead);
        self.incoming.failure.take().or(is_aside)
    }

    fn took_sign(&mut self) -> bool {
        std::mem::take(&mut self.incoming.sign)
    }

    fn patience(&self, _silence: Option<Duration>) -> Option<Duration> {
        Some(self.incoming.patience())
    }

    fn whole(&self) -> Option<Duration> {
        Some(self.incoming.passing.request_timeout)
    }

    fn silent(&mut self, after: Duration) -> Failure {
        Failure::Inactive { after }
    }

    fn late(&mut self, after: Duration) -> Failure {
        Failure::Unfinished { after }
    }
}
