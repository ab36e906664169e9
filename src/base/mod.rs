//! Words everyone may use: addresses, buffers, time, units, endings. Imports nothing of ours.

pub mod address;
pub(crate) mod drain;
pub(crate) mod padded;
