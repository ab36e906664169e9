//! What a program has answered while its client took nothing: kept in memory, then in a file without a name, so that the
//! program is free for others as soon as it is done.

use std::io;
use std::task::Context;

use crate::exchange::spool::Spool;

/// Read from the program at once.
pub(super) const AT_ONCE_BYTES: usize = 32 * 1024;
/// No file is made for less.
const IN_MEMORY_BYTES: u64 = 64 * 1024;
/// Beyond this a program waits for its client.
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
/// Responses may have this part of what the host keeps, and one of them that: programs can wait, but who sends a body is
/// refused.
const PART_OF_ALL: u64 = 2;
const PART_OF_ONE: u64 = 8;

#[derive(Default)]
pub(super) struct Ahead {
    spool: Spool,
    /// What all spools of the host may hold.
    most_of_all: u64,
    /// How much of it has been taken.
    taken: u64,
    /// Behind it, what could not be put there.
    rest: Vec<u8>,
    /// Nothing can be put there any more.
    is_broken: bool,
    has_yielded: bool,
}

impl Ahead {
    pub(super) fn new(most_of_all: u64) -> Ahead {
        Ahead { most_of_all, ..Ahead::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken >= self.spool.length() && self.rest.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        !self.is_broken
            && self.spool.length() < MOST_BYTES.min(self.most_of_all / PART_OF_ONE)
            && Spool::held_bytes() < self.most_of_all / PART_OF_ALL
    }

    /// Whether more is to be kept now: a client that needs but a turn gets it before there is a file.
    pub(super) fn takes_more(&mut self, cx: &Context<'_>) -> bool {
        let is_small = self.spool.length() + AT_ONCE_BYTES as u64 <= IN_MEMORY_BYTES;
        if !is_small && !self.has_yielded {
            self.has_yielded = true;
            cx.waker().wake_by_ref();
            return false;
        }
        self.has_room()
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        if let Err(error) = self.spool.put(bytes) {
            tracing::warn!(%error, "a response waits in its program for a slow client, as it could not be kept in a file");
            self.is_broken = true;
            self.rest = bytes.to_vec();
        }
    }

    /// Gives bytes in the order in which they came; None if there are none.
    pub(super) fn take(&mut self, room: &mut [u8]) -> Option<io::Result<usize>> {
        self.has_yielded = false;
        if self.taken < self.spool.length() {
            let read = match self.spool.read_at(self.taken, room) {
                Ok(0) => return Some(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) => return Some(Err(error)),
            };
            self.taken += read as u64;
            if self.taken >= self.spool.length() {
                (self.spool, self.taken) = (Spool::default(), 0);
            }
            return Some(Ok(read));
        }
        if self.rest.is_empty() {
            return None;
        }
        let taken = room.len().min(self.rest.len());
        room[..taken].copy_from_slice(&self.rest[..taken]);
        self.rest.drain(..taken);
        Some(Ok(taken))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::{AT_ONCE_BYTES, Ahead};

    #[test]
    fn what_was_kept_comes_back_in_order_from_memory_and_file() {
        let bytes = (0..500_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>();
        let (mut ahead, mut kept, mut came) = (Ahead::new(u64::MAX), 0, Vec::new());
        let mut room = vec![0; 7000];
        for (number, take) in [0, 1, 3, 9, 0, 0, 200, 0, 5].into_iter().cycle().take(400).enumerate() {
            let end = bytes.len().min(kept + number * 101 % AT_ONCE_BYTES);
            if end > kept {
                ahead.put(&bytes[kept..end]);
                kept = end;
            }
            for _ in 0..take {
                let Some(read) = ahead.take(&mut room) else { break };
                came.extend_from_slice(&room[..read.unwrap()]);
            }
        }
        while let Some(read) = ahead.take(&mut room) {
            came.extend_from_slice(&room[..read.unwrap()]);
        }
        assert!(ahead.is_empty() && kept == bytes.len() && came == bytes);
    }

    #[test]
    fn a_client_has_a_turn_before_there_is_a_file() {
        let (cx, mut ahead) = (Context::from_waker(Waker::noop()), Ahead::new(u64::MAX));
        for _ in 0..2 {
            assert!(ahead.takes_more(&cx));
            ahead.put(&[1; AT_ONCE_BYTES]);
        }
        assert!(!ahead.takes_more(&cx));
        assert!(ahead.takes_more(&cx));
    }

    #[test]
    fn one_response_has_a_part_of_what_the_host_keeps_and_leaves_the_rest() {
        let most_of_all = 8 * 1024 * 1024;
        let mut ahead = Ahead::new(most_of_all);
        while ahead.has_room() {
            ahead.put(&[1; AT_ONCE_BYTES]);
        }
        assert_eq!(ahead.spool.length(), most_of_all / 8);
    }
}
