//! Words everyone may use: addresses, buffers, time, streams, endings. Imports nothing of ours.

pub mod address;
pub(crate) mod buffers;
pub(crate) mod clock;
pub(crate) mod drain;
pub(crate) mod local;
pub(crate) mod padded;
pub(crate) mod pipe;
pub(crate) mod stream;
