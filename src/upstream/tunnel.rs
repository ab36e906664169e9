//! What follows a switch of protocols: bytes, both ways, until both sides have ended.
//!
//! The end of one direction is passed on as such (a half-close) and is not the end of the other; after it, the other
//! direction may be silent only for so long.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::base::buffers::{Block, Buffers};
use crate::base::stream::Stream;
use crate::exchange::{Client, Exchange};

/// One direction.
#[derive(Default)]
struct Direction {
    /// Read and not yet written.
    pending: Option<Block>,
    /// The sender has ended.
    ended: bool,
    /// The receiver has been told so.
    closed: bool,
}

/// Copies until both directions have ended, or either side breaks. `first` goes to the client before all else.
pub(super) async fn run(exchange: &mut Exchange<'_>, mut worker: Stream, first: Option<Block>) {
    let Client::H1(client) = &mut exchange.client else { return };
    let mut down = Direction { pending: first, ..Direction::default() };
    let mut up =
        Direction { pending: client.take_ahead().filter(|block| !block.is_empty()), ..Direction::default() };
    let buffers = exchange.local.buffers.clone();
    client.timer().clear();
    let ended: io::Result<()> = std::future::poll_fn(|cx| {
        let moved_up = up.poll(cx, &buffers, client.stream(), &mut worker)?;
        let moved_down = down.poll(cx, &buffers, &mut worker, client.stream())?;
        if up.closed && down.closed {
            return Poll::Ready(Ok(()));
        }
        if up.closed || down.closed {
            if client.timer().is_due() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if moved_up || moved_down {
                client.timer().wakes(cx.waker());
                client.timer().set(exchange.local.clock.after(exchange.limits.idle_timeout));
            }
        }
        Poll::Pending
    })
    .await;
    if ended.is_err() {
        client.abort();
    }
}

impl Direction {
    /// Copies as far as both sides allow; whether anything moved.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Rc<Buffers>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> io::Result<bool> {
        let mut moved = false;
        while !self.closed {
            match self.poll_step(cx, buffers, from, to) {
                Poll::Ready(step) => step?,
                Poll::Pending => break,
            }
            moved = true;
        }
        Ok(moved)
    }

    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Rc<Buffers>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<io::Result<()>> {
        if let Some(block) = &mut self.pending {
            let n = ready!(to.poll_write(cx, block.filled()))?;
            block.consume(n);
            if block.is_empty() {
                self.pending = None;
            }
            return Poll::Ready(Ok(()));
        }
        if self.ended {
            ready!(to.poll_shutdown(cx))?;
            self.closed = true;
            return Poll::Ready(Ok(()));
        }
        let mut block = buffers.large();
        let n = ready!(from.poll_read(cx, block.room()))?;
        block.received(n);
        self.ended = n == 0;
        self.pending = (n > 0).then_some(block);
        Poll::Ready(Ok(()))
    }
}
