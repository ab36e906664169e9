//! Per-core free lists of byte blocks, so that a request allocates nothing once the core is warm.
//!
//! A block is held only while bytes wait in it: an idle connection holds none. Lists are last in, first out, so the
//! block handed out is the one most likely still in the cache. Blocks stay initialised, so no `unsafe` is needed.

use std::cell::RefCell;
use std::rc::Rc;

/// Holds the head of a usual request; grows for larger ones.
pub(crate) const SMALL_BLOCK_BYTES: usize = 4 * 1024;
/// Body pieces. 32 KiB was measured to cost half of 16 or 64 KiB for large downloads.
pub(crate) const LARGE_BLOCK_BYTES: usize = 32 * 1024;
/// Beyond these, blocks go back to the allocator: a burst must not keep its memory for ever.
const KEPT_SMALL: usize = 256;
const KEPT_LARGE: usize = 64;

#[derive(Default)]
pub(crate) struct Buffers {
    small: RefCell<Vec<Box<[u8]>>>,
    large: RefCell<Vec<Box<[u8]>>>,
}

/// Bytes `start..end` of a block are waiting; what is behind `end` is room.
pub(crate) struct Block {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    home: Rc<Buffers>,
}

impl Buffers {
    pub(crate) fn small(self: &Rc<Self>) -> Block {
        let bytes = self.small.borrow_mut().pop().unwrap_or_else(|| zeroed(SMALL_BLOCK_BYTES));
        Block { bytes, start: 0, end: 0, home: self.clone() }
    }

    pub(crate) fn large(self: &Rc<Self>) -> Block {
        let bytes = self.large.borrow_mut().pop().unwrap_or_else(|| zeroed(LARGE_BLOCK_BYTES));
        Block { bytes, start: 0, end: 0, home: self.clone() }
    }

    /// A block with room for `bytes`, large at least.
    pub(crate) fn at_least(self: &Rc<Self>, bytes: usize) -> Block {
        if bytes <= LARGE_BLOCK_BYTES {
            return self.large();
        }
        Block { bytes: zeroed(bytes), start: 0, end: 0, home: self.clone() }
    }
}

fn zeroed(bytes: usize) -> Box<[u8]> {
    vec![0; bytes].into_boxed_slice()
}

impl Block {
    /// Everything from the beginning of the block to the last byte received; heads are indexed from here.
    pub(crate) fn all(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    pub(crate) fn has_room(&self) -> bool {
        self.end < self.bytes.len()
    }

    /// `n` bytes were written into the room.
    pub(crate) fn received(&mut self, n: usize) {
        self.end += n;
        debug_assert!(self.end <= self.bytes.len());
    }

    /// The first `n` waiting bytes are done with.
    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
    }

    /// Leaves only the first `n` waiting bytes.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.end = self.end.min(self.start + n);
    }

    /// Begins an empty block at `offset`, so that something can be put in front later.
    pub(crate) fn leave_headroom(&mut self, offset: usize) {
        debug_assert!(self.is_empty());
        self.start = offset;
        self.end = offset;
    }

    /// The whole block, and where its waiting bytes begin: for who rewrites a head in place.
    pub(crate) fn raw(&mut self) -> (&mut [u8], usize) {
        (&mut self.bytes[..self.end], self.start)
    }

    pub(crate) fn set_start(&mut self, start: usize) {
        debug_assert!(start <= self.end);
        self.start = start;
    }

    /// Appends; the caller has made sure that there is room.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Doubles the block, up to `limit` bytes in all; false when it is there already.
    pub(crate) fn grow(&mut self, limit: usize) -> bool {
        let capacity = self.bytes.len();
        if capacity >= limit {
            return false;
        }
        let mut bytes = zeroed((capacity * 2).min(limit));
        bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
        self.give_back(bytes);
        true
    }

    /// Moves the waiting bytes to the beginning.
    pub(crate) fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Puts `bytes` in the place of the block's own and returns those to their list.
    fn give_back(&mut self, bytes: Box<[u8]>) {
        let old = std::mem::replace(&mut self.bytes, bytes);
        let (list, kept) = match old.len() {
            SMALL_BLOCK_BYTES => (&self.home.small, KEPT_SMALL),
            LARGE_BLOCK_BYTES => (&self.home.large, KEPT_LARGE),
            _ => return,
        };
        let mut list = list.borrow_mut();
        if list.len() < kept {
            list.push(old);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.give_back(Box::default());
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Buffers, SMALL_BLOCK_BYTES};

    #[test]
    fn a_block_comes_back_and_is_used_again() {
        let buffers = Rc::new(Buffers::default());
        let mut block = buffers.small();
        block.put(b"head");
        block.consume(1);
        assert_eq!(block.filled(), b"ead");
        block.compact();
        assert_eq!((block.all(), block.start()), (&b"ead"[..], 0));
        let place = block.all().as_ptr();
        drop(block);
        assert_eq!(buffers.small().all().as_ptr(), place);
    }

    #[test]
    fn a_block_grows_to_its_limit_and_keeps_its_bytes() {
        let buffers = Rc::new(Buffers::default());
        let mut block = buffers.small();
        block.put(b"abc");
        assert!(block.grow(SMALL_BLOCK_BYTES + 10));
        assert_eq!(block.filled(), b"abc");
        assert_eq!(block.room().len(), SMALL_BLOCK_BYTES + 10 - 3);
        assert!(!block.grow(SMALL_BLOCK_BYTES + 10));
    }
}
