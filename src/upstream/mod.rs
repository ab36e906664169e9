//! Speaking to a worker: its connections, the head it is sent, and the bytes both ways.

pub(crate) mod connections;
pub(crate) mod forward;
mod head;
mod pace;
mod relay;

pub(crate) use self::head::Forwarding;
