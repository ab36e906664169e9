//! What answers a request: one kind of handler a file.

pub(crate) mod app;
pub(crate) mod cgi;
mod fastcgi;
pub(crate) mod files;
pub(crate) mod locality;
pub(crate) mod log_places;
pub(crate) mod logs;
mod promote;
mod sticky;
pub(crate) mod variables;
