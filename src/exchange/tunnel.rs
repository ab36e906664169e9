//! What follows a switch of protocols: bytes, both ways, until both sides have ended.
//!
//! Each direction is a task of its own, so that a message wakes only the one it travels in. The end of one direction is
//! passed on as such (a half-close) and is not the end of the other, which may be silent only for so long afterwards.
//! `splice` was measured and left out: for messages it doubles the system calls, and bulk here is rare.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::JoinSet;

use super::h1::H1;
use crate::base::buffers::{Block, Buffers};
use crate::base::local::Local;
use crate::base::stream::{ReadHalf, Stream, WriteHalf};
use crate::pool::Lease;

/// The worker's end, once it has agreed to switch.
pub(crate) struct Tunnel {
    pub(crate) worker: Stream,
    /// What goes to the client before all else: the rest of the answer, and bytes that came with it.
    pub(crate) first: Option<Block>,
    /// The request counts against its worker until the tunnel has closed.
    pub(crate) lease: Lease,
}

/// One direction.
struct Direction {
    from: ReadHalf,
    to: WriteHalf,
    /// Read and not yet written.
    pending: Option<Block>,
    buffers: Rc<Buffers>,
    /// Pieces moved so far, so that silence can be told.
    moved: Rc<Cell<u64>>,
}

impl Tunnel {
    /// Copies until both directions have ended, either side breaks, or one is silent for `patience` after the other's
    /// end.
    pub(crate) async fn run(self, client: H1, local: &Local, patience: Duration) {
        let _lease = self.lease;
        let (client, early) = client.into_stream();
        let (from_client, to_client) = client.split();
        let (from_worker, to_worker) = self.worker.split();
        let moved = Rc::new(Cell::new(0));
        let direction = |from, to, pending| Direction {
            from,
            to,
            pending,
            buffers: local.buffers.clone(),
            moved: moved.clone(),
        };
        let mut directions = JoinSet::new();
        directions.spawn_local(direction(from_client, to_worker, early).run());
        directions.spawn_local(direction(from_worker, to_client, self.first).run());
        // Dropping the set ends what is still under way, and closes both connections.
        if !matches!(directions.join_next().await, Some(Ok(Ok(())))) {
            return;
        }
        let mut seen = u64::MAX;
        while seen != moved.get() {
            seen = moved.get();
            if tokio::time::timeout(patience, directions.join_next()).await.is_ok() {
                return;
            }
        }
    }
}

impl Direction {
    async fn run(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx)).await?;
        poll_fn(|cx| self.to.poll_shutdown(cx)).await
    }

    /// Copies until the sender has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(block) = &mut self.pending {
                let n = ready!(self.to.poll_write(cx, block.filled()))?;
                self.moved.set(self.moved.get() + 1);
                block.consume(n);
                if block.is_empty() {
                    self.pending = None;
                }
                continue;
            }
            let mut block = self.buffers.large();
            let n = ready!(self.from.poll_read(cx, block.room()))?;
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
            block.received(n);
            self.pending = Some(block);
        }
    }
}
