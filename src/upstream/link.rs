//! The worker's end of an exchange, as the relay sees it: HTTP/1 both ways, whatever is spoken on the wire.
//!
//! A worker that speaks HTTP is its stream, and every call here is that call of the stream. What has more to say
//! implements the rest, too; for a stream these are constants, and nothing of them is left in its relay.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::base::buffers::Block;
use crate::base::pipe::Pipe;
use crate::base::stream::Stream;
use crate::failure::Failure;

pub(super) trait Link {
    /// Bytes of its answer are the client's as they come, so they may bypass this process.
    const IS_PLAIN: bool;

    /// With the whole answer the exchange is over: what the worker has not taken of the request then is given to it
    /// afterwards.
    const IS_LEFT_TO_FINISH: bool = false;

    /// Takes bytes of the request.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Gives bytes of the answer; 0 is its end.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Moves bytes of the answer into a pipe.
    fn poll_fill(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe, most: usize) -> Poll<io::Result<usize>>;

    fn is_to_unix_socket(&self) -> bool;

    /// The head of its answer may be so large: as large as iisnode allows, if nobody says otherwise.
    fn most_head_bytes(&self) -> usize {
        64 * 1024
    }

    /// Nothing follows the last byte of the request's body.
    fn is_finished(&self) -> bool {
        true
    }

    /// Moves what follows the request's body one piece further.
    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The exchange ends before these bytes of the request were taken.
    fn keep_unsent(&mut self, _unsent: Block) {}

    /// The client takes nothing now: what comes meanwhile may be kept for it.
    fn read_ahead(&mut self, _cx: &mut Context<'_>) {}

    /// Whether it can go on although the client takes nothing.
    fn is_read_ahead(&self) -> bool {
        false
    }

    /// It is given up; what it has sent is still for the client, who is then to hear of the failure.
    fn let_go(&mut self, _failure: Failure) {}

    /// What it was that failed, where more is known than that reading or writing did.
    fn failure(&mut self) -> Option<Failure> {
        None
    }

    /// Whether something came that is no part of the answer, since this was asked last.
    fn took_sign(&mut self) -> bool {
        false
    }

    /// How long it may say nothing at this point, if there is a limit.
    fn patience(&self, silence: Option<Duration>) -> Option<Duration> {
        silence
    }

    /// How long it may take for its whole answer, from the begin of the request; what it waits for its client does not
    /// count. None when it is done.
    fn whole(&self) -> Option<Duration> {
        None
    }

    /// What is wrong when it has said nothing for so long.
    fn silent(&mut self, after: Duration) -> Failure {
        Failure::Silent { after }
    }

    /// What is wrong when its answer has taken so long.
    fn late(&mut self, after: Duration) -> Failure {
        Failure::Silent { after }
    }
}

impl Link for Stream {
    const IS_PLAIN: bool = true;

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Stream::poll_write(self, cx, bytes)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Stream::poll_read(self, cx, room)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe, most: usize) -> Poll<io::Result<usize>> {
        Stream::poll_fill(self, cx, pipe, most)
    }

    fn is_to_unix_socket(&self) -> bool {
        Stream::is_to_unix_socket(self)
    }
}
