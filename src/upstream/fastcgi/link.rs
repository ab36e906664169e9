//! A FastCGI program as the relay's other end.
//!
//! While the client takes nothing, the program's answer is read ahead: with its END_REQUEST the program and its connection
//! are others', and what is left of the exchange is between us and the client.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::ahead::{AT_ONCE_BYTES, Ahead};
use super::faults::why_ended;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::base::buffers::Block;
use crate::base::pipe::Pipe;
use crate::base::stream::Stream;
use crate::exchange::spool::Spool;
use crate::failure::Failure;
use crate::fastcgi::decoder::End;
use crate::pool::Lease;
use crate::upstream::link::Link;

/// Read ahead before others of the core have their turn.
const MOST_READS: usize = 16;

/// What is the worker's, and somebody else's after the request.
pub(super) struct Place {
    pub(super) stream: Stream,
    pub(super) lease: Lease,
}

pub(super) struct Program {
    /// Until the program is done with the request, or given up.
    pub(super) place: Option<Place>,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    pub(super) spool: Option<Spool>,
    /// What comes first of the rest of the request, when its exchange is over.
    pub(super) unsent: Option<Block>,
    /// The rest of the request has not come from the client, or the program takes none of it.
    pub(super) is_cut: bool,
    pub(super) begun: Instant,
    ahead: Ahead,
}

impl Program {
    pub(super) fn new(
        place: Place,
        outgoing: Outgoing,
        incoming: Incoming,
        spool: Option<Spool>,
        most_spooled: u64,
    ) -> Program {
        Program {
            place: Some(place),
            outgoing,
            incoming,
            spool,
            unsent: None,
            is_cut: false,
            begun: Instant::now(),
            ahead: Ahead::new(most_spooled),
        }
    }

    /// Moves the rest of the request one piece further, when its exchange is over. Pending when there is nothing to do but
    /// wait, for ever if nothing is left.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut || self.is_finished() {
            return Poll::Pending;
        }
        let Some(Place { stream, .. }) = &self.place else { return Poll::Pending };
        let Some(block) = &mut self.unsent else {
            return self.outgoing.poll_finish(stream, cx, self.spool.as_ref());
        };
        let sent = ready!(self.outgoing.poll_write(stream, cx, block.filled()))?;
        block.consume(sent);
        if block.is_empty() {
            self.unsent = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Lets go of what was kept for the client, and of the body if the program has it.
    pub(super) fn forget_client(&mut self) {
        self.ahead = Ahead::default();
        if self.outgoing.is_finished() {
            self.spool = None;
        }
    }

    /// Gives the place in the worker back, and keeps the connection if the program ended the request as it should and has
    /// read all of it.
    pub(super) fn settle(&mut self) {
        let Some(Place { stream, lease }) = self.place.take() else { return };
        let is_clean = self.incoming.is_over()
            && !self.incoming.is_broken()
            && self.outgoing.is_finished()
            && matches!(self.incoming.end, Some(End::Complete { .. }));
        if is_clean && self.incoming.passing.keeps_connection {
            lease.worker().park(stream.into_socket());
        }
    }
}

impl Link for Program {
    const IS_PLAIN: bool = false;
    const IS_LEFT_TO_FINISH: bool = true;

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.place {
            // Who has ended the request, or has all of it, reads no more.
            Some(place) if !self.is_finished() => self.outgoing.poll_write(&place.stream, cx, bytes),
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.ahead.take(room) {
            Some(read) => Poll::Ready(read),
            None => self.incoming.poll_read(self.place.as_ref().map(|place| &place.stream), cx, room),
        }
    }

    fn poll_fill(&mut self, _: &mut Context<'_>, _: &mut Pipe, _: usize) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn most_head_bytes(&self) -> usize {
        // With what the head of HTTP has besides that of CGI.
        self.incoming.passing.most_head_bytes + 1024
    }

    fn is_to_unix_socket(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.stream.is_to_unix_socket())
    }

    fn is_finished(&self) -> bool {
        self.outgoing.is_finished() || self.incoming.is_over() || self.place.is_none()
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.place {
            Some(place) => self.outgoing.poll_finish(&place.stream, cx, self.spool.as_ref()),
            None => Poll::Ready(Ok(())),
        }
    }

    fn keep_unsent(&mut self, unsent: Block) {
        self.unsent = Some(unsent).filter(|unsent| !unsent.is_empty());
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        for turn in 0.. {
            let Some(Place { stream, .. }) = &self.place else { return };
            if self.incoming.is_over() {
                return self.settle();
            }
            if !self.incoming.may_be_kept() || !self.ahead.takes_more(cx) {
                return;
            }
            if turn == MOST_READS {
                return cx.waker().wake_by_ref();
            }
            let mut room = vec![0; AT_ONCE_BYTES];
            match self.incoming.poll_read(Some(stream), cx, &mut room) {
                Poll::Ready(Ok(read)) => self.ahead.put(&room[..read]),
                // What failed is told when all that came before has been taken.
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    fn is_read_ahead(&self) -> bool {
        self.place.is_some()
            && !self.incoming.is_over()
            && self.incoming.may_be_kept()
            && self.ahead.has_room()
    }

    fn let_go(&mut self, failure: Failure) {
        let Some(Place { lease, .. }) = self.place.take() else { return };
        if lease.worker().pid().is_some()
            && let Some(why) = why_ended(&failure, self.incoming.passing.stderr)
        {
            lease.worker().report_stuck(why);
        }
        self.incoming.failure.get_or_insert(failure);
    }

    fn failure(&mut self) -> Option<Failure> {
        if !self.ahead.is_empty() {
            return None;
        }
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
        let is_asked = self.place.is_some() && !self.incoming.is_over();
        is_asked.then_some(self.incoming.passing.request_timeout)
    }

    fn silent(&mut self, after: Duration) -> Failure {
        Failure::Inactive { after }
    }

    fn late(&mut self, after: Duration) -> Failure {
        Failure::Unfinished { after }
    }
}
