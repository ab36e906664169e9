//! What workers say: read always, the last of it kept, shown on the terminal when that keeps up.

pub(crate) mod capture;
pub(crate) mod console;
pub(crate) mod tail;

/// Which of its two outputs a worker wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}
