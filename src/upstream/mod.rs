//! Speaking to a worker: its connections, the head it is sent, and the bytes both ways.

mod answer;
pub(crate) mod connections;
mod deadlines;
pub(crate) mod debug_header;
pub(crate) mod fastcgi;
pub(crate) mod forward;
mod head;
mod link;
pub(crate) mod pace;
mod relay;
pub(crate) mod spool;
#[cfg(test)]
mod tests;
