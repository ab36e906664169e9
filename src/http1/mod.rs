//! HTTP/1 as bytes: heads, framing, chunks. Pure; no sockets, no clock.
//!
//! A head is an index over the received bytes, never a copy; a message's framing is one enum from which everything
//! else follows. What RFC 9112 leaves ambiguous is refused here, in one place, for clients and workers alike.

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod request;
pub(crate) mod response;
#[cfg(test)]
mod tests;

/// A piece of the bytes a head was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    pub(crate) const EMPTY: Span = Span { start: 0, len: 0 };

    /// Where `part` lies in `whole`; `part` must have been cut out of it.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Span {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        debug_assert!(start + part.len() <= whole.len());
        Span { start: start as u32, len: part.len() as u32 }
    }

    pub(crate) fn end(self) -> usize {
        (self.start + self.len) as usize
    }

    pub(crate) fn in_bytes(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end()]
    }
}

/// The two versions of HTTP/1 there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
}

/// As many fields as the parser has room for; the limit setting stays at or below it.
pub(crate) const MAX_FIELDS: usize = 256;
