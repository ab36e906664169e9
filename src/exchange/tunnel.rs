//! What follows a switch of protocols: bytes, both ways, until both sides have ended.
//!
//! Each direction is a task of its own, so that a message wakes only the one it travels in. The end of one direction is
//! passed on as such (a half-close) and is not the end of the other, which may be silent only for so long afterwards.
//! Messages are copied; while a sender fills whole blocks, its bytes go through a pipe past this process.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::JoinSet;

use super::h1::H1;
use crate::base::buffers::{Block, Buffers, LARGE_BLOCK_BYTES};
use crate::base::local::Local;
use crate::base::pipe::{Pipe, Pipes};
use crate::base::stream::{ReadHalf, Stream, WriteHalf};
use crate::pool::Lease;

const PIPED_AT_ONCE_BYTES: usize = 1024 * 1024;

/// The worker's end, once it has agreed to switch.
pub(crate) struct Tunnel {
    pub(crate) worker: Stream,
    /// What goes to the client before all else: the rest of the answer, and bytes that came with it.
    pub(crate) first: Option<Block>,
    /// The request counts against its worker until the tunnel has closed.
    pub(crate) lease: Lease,
    /// Is told when the tunnel has closed, whatever closes it.
    pub(crate) at_end: Option<AtEnd>,
}

/// Told how many bytes have gone to the client, `first` included, when it is dropped.
pub(crate) struct AtEnd {
    to_client: Rc<Cell<u64>>,
    told: Option<Box<dyn FnOnce(u64)>>,
}

impl AtEnd {
    pub(crate) fn new(told: Box<dyn FnOnce(u64)>) -> AtEnd {
        AtEnd { to_client: Rc::default(), told: Some(told) }
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            told(self.to_client.get());
        }
    }
}

/// One direction.
struct Direction {
    from: ReadHalf,
    to: WriteHalf,
    /// Read and not yet written.
    pending: Option<Block>,
    /// In place of `pending` while the sender fills whole blocks.
    pipe: Option<Pipe>,
    buffers: Rc<Buffers>,
    pipes: Rc<Pipes>,
    /// The last piece through the pipe was as large as a block.
    is_bulk: bool,
    /// Pieces moved so far, so that silence can be told.
    moved: Rc<Cell<u64>>,
    /// Bytes written.
    written: Rc<Cell<u64>>,
}

impl Tunnel {
    /// Copies until both directions have ended, either side breaks, or one is silent for `patience` after the other's
    /// end.
    pub(crate) async fn run(self, client: H1, local: &Local, patience: Duration) {
        let _lease = self.lease;
        let counted = self.at_end.as_ref().map_or_else(Rc::default, |at_end| at_end.to_client.clone());
        let (client, early) = client.into_stream();
        let (from_client, to_client) = client.split();
        let (from_worker, to_worker) = self.worker.split();
        let moved = Rc::new(Cell::new(0));
        let direction = |from, to, pending, written| Direction {
            from,
            to,
            pending,
            pipe: None,
            buffers: local.buffers.clone(),
            pipes: local.pipes.clone(),
            is_bulk: false,
            moved: moved.clone(),
            written,
        };
        let mut directions = JoinSet::new();
        directions.spawn_local(direction(from_client, to_worker, early, Rc::default()).run());
        directions.spawn_local(direction(from_worker, to_client, self.first, counted).run());
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
        self.to.shutdown()
    }

    /// Copies until the sender has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(block) = &mut self.pending {
                let n = ready!(self.to.poll_write(cx, block.filled()))?;
                block.consume(n);
                if block.is_empty() {
                    self.pending = None;
                }
                self.count(n);
                continue;
            }
            if self.pipe.is_some() {
                if !ready!(self.poll_pipe(cx))? {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            let mut block = self.buffers.large();
            let n = ready!(self.from.poll_read(cx, block.room()))?;
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
            block.received(n);
            if !block.has_room() {
                // Without descriptors for it, bytes are copied.
                self.pipe = self.pipes.open().ok();
            }
            self.pending = Some(block);
        }
    }

    /// Moves one piece past this process; false at the end of the stream.
    fn poll_pipe(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(true)) };
        if pipe.is_empty() {
            let n = ready!(self.from.poll_fill(cx, pipe, PIPED_AT_ONCE_BYTES))?;
            if n == 0 {
                return Poll::Ready(Ok(false));
            }
            self.is_bulk = n >= LARGE_BLOCK_BYTES;
        }
        let n = ready!(self.to.poll_empty(cx, pipe))?;
        if pipe.is_empty() && !self.is_bulk {
            self.pipe = None;
        }
        self.count(n);
        Poll::Ready(Ok(true))
    }

    fn count(&self, bytes: usize) {
        self.moved.set(self.moved.get() + 1);
        self.written.set(self.written.get() + bytes as u64);
    }
}
