//! The worker's end of an exchange, as the relay sees it: HTTP/1 both ways, whatever is spoken on the wire.
//!
//! A worker that speaks HTTP is its stream, and every call here is that call of the stream. What has more to say
//! implements the rest, too; for a stream these are constants, and nothing of them is left in its relay.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::base::pipe::Pipe;
use crate::base::stream::Stream;
use crate::failure::Failure;

pub(super) trait Link {
    /// Bytes of its answer are the client's as they come, so they may bypass this process.
    const IS_PLAIN: bool;

    /// Takes bytes of the request.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Gives bytes of the answer; 0 is its end.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Moves bytes of the answer into a pipe.
    fn poll_fill(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe, most: usize) -> Poll<io::Result<usize>>;

    fn is_to_unix_socket(&self) -> bool;

    /// Nothing follows the last byte of the request's body.
    fn is_finished(&self) -> bool {
        true
    }

    /// Moves what follows the request's body one piece further.
    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

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

    /// How long it may take for its whole answer, from the begin of the request.
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
