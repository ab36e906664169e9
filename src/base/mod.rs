//! Words everyone may use: addresses, buffers, time, streams, endings. Imports nothing of ours.

pub mod address;
pub(crate) mod buffers;
pub(crate) mod clock;
pub(crate) mod drain;
mod listing;
pub(crate) mod local;
pub(crate) mod padded;
pub(crate) mod pipe;
pub(crate) mod root;
pub(crate) mod sentinel;
pub(crate) mod stream;
