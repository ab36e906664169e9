//! Moves the pieces of a response to the client: small ones together with the head, large ones by the kernel alone.
//!
//! One piece is on its way at a time, so a slow reader costs one block. The disk is read on the core's own thread: what
//! is asked for often is in memory, and what is not delays the others by one piece.

use std::os::fd::AsFd;
use std::task::{Context, Poll};

use super::plan::{Piece, Pieces};
use crate::base::buffers::Block;
use crate::base::root::OpenFile;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::upstream::pace::{Overdue, Pace};

/// So much of a file is worth a call of its own that spares it the way through this process.
const BY_KERNEL_FROM_BYTES: u64 = 32 * 1024;
const BY_KERNEL_AT_ONCE_BYTES: u64 = 512 * 1024;
/// After so much, other connections of the core have their turn.
const TURN_BYTES: usize = 1024 * 1024;

struct Sending<'s, 'c> {
    exchange: &'s mut Exchange<'c>,
    file: &'s OpenFile,
    /// On the way to the client.
    block: Block,
    pieces: std::iter::Peekable<smallvec::IntoIter<[Piece; 1]>>,
    pace: Pace,
}

/// Sends what waits in `block`, then the pieces, and ends the response.
///
/// # Errors
/// The client has left or reads too slowly, or the file has become shorter; the response has been broken off.
pub(super) async fn send(
    exchange: &mut Exchange<'_>,
    file: &OpenFile,
    block: Block,
    pieces: Pieces,
) -> Result<(), Failure> {
    let pace = Pace::new(exchange.local.clock.clone(), exchange.limits.clone());
    let mut sending = Sending { exchange, file, block, pieces: pieces.into_iter().peekable(), pace };
    // The head and what follows it leave together.
    let mut sent = sending.fill();
    if sent.is_ok() {
        sent = std::future::poll_fn(|cx| sending.poll(cx)).await;
    }
    let client = &mut sending.exchange.client;
    client.timer().clear();
    match sent {
        Ok(()) => client.complete(),
        Err(_) => client.abort(),
    }
    sent
}

impl Sending<'_, '_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let mut moved = 0;
        while moved < TURN_BYTES {
            let step = if !self.block.is_empty() {
                self.exchange.client.poll_send(cx, self.block.filled())
            } else if let Some((at, most)) = self.by_kernel() {
                self.exchange.client.poll_send_file(cx, self.file.as_fd(), at, most)
            } else {
                // Empty, it begins again at its beginning.
                self.block.compact();
                self.fill()?;
                if self.block.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            };
            let n = match step {
                Poll::Ready(Ok(n)) => n,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::ClientGone)),
                Poll::Pending => return self.await_reader(cx),
            };
            if !self.block.is_empty() {
                self.block.consume(n);
            } else if n == 0 {
                return Poll::Ready(Err(Failure::FileCut));
            } else if let Some(Piece::File(part)) = self.pieces.peek_mut() {
                part.start += n as u64;
            }
            moved += n;
            self.pace.reader_took(n, false);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Where the next piece goes on and how much of it goes at once, if it goes past this process.
    fn by_kernel(&mut self) -> Option<(u64, usize)> {
        let Some(Piece::File(part)) = self.pieces.peek() else { return None };
        let left = part.end - part.start;
        let goes = left >= BY_KERNEL_FROM_BYTES && self.exchange.client.takes_pipes();
        goes.then(|| (part.start, left.min(BY_KERNEL_AT_ONCE_BYTES) as usize))
    }

    /// Puts as much of the pieces into the block as there is room for.
    fn fill(&mut self) -> Result<(), Failure> {
        while let Some(piece) = self.pieces.peek_mut() {
            let room = self.block.room();
            let left = piece.length();
            let put = match piece {
                Piece::Text(text) => {
                    let put = room.len().min(text.len());
                    room[..put].copy_from_slice(&text[..put]);
                    text.drain(..put);
                    put
                }
                Piece::File(part) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
                    let put = if most == 0 {
                        0
                    } else {
                        self.file.read_at(&mut room[..most], part.start).map_err(|_| Failure::FileCut)?
                    };
                    if put == 0 && most > 0 {
                        return Err(Failure::FileCut);
                    }
                    part.start += put as u64;
                    put
                }
            };
            self.block.received(put);
            if (put as u64) < left {
                if !self.block.has_room() {
                    break;
                }
                continue;
            }
            self.pieces.next();
        }
        Ok(())
    }

    fn await_reader(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.pace.await_reader();
        if self.pace.overdue() == Some(Overdue::Response) {
            return Poll::Ready(Err(Failure::ClientTooSlow));
        }
        let timer = self.exchange.client.timer();
        timer.wakes(cx.waker());
        timer.set(self.pace.due());
        Poll::Pending
    }
}
