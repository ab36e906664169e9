//! ostler runs web applications on N worker processes and passes their requests on.
//!
//! The modules in reading order, from the ground up; each imports only from those above it (`tests/it/tidy.rs`):
//!
//! - [`base`]: addresses, blocks of bytes, coarse time, streams, endings.
//! - `http1`: HTTP/1 as bytes; heads, framing, chunks. `rules`: what a site decides about a request.
//! - [`config`]: what was asked for, and what there is to run. `logs`: what workers print.
//! - `pool`: the table between the planes; applications, generations, worker slots, leases, the queue.
//! - [`failure`], `exchange`: one request with its response, and why it may fail.
//! - `upstream`: speaking to a worker. `tend`: starting, watching, recycling and ending workers.
//! - `handler`: what answers a request. `serve`: the data plane, one thread per core.
//! - `host`: both planes together. [`cli`]: the commands.

pub mod base;
pub mod cli;
pub mod config;
pub(crate) mod exchange;
pub mod failure;
pub(crate) mod fastcgi;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod handler;
pub(crate) mod host;
pub(crate) mod http1;
pub(crate) mod logs;
pub(crate) mod pool;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod tend;
pub(crate) mod upstream;
