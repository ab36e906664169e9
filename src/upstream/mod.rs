//! Speaking to a worker: its connections, the head it is sent, and the bytes both ways.

mod answer;
pub(crate) mod connections;
pub(crate) mod debug_header;
pub(crate) mod forward;
mod head;
pub(crate) mod pace;
mod relay;
#[cfg(test)]
mod tests;
