//! One generation of an application: the pool of its workers, and how requests are handed to them.

use std::sync::Arc;

use super::Pool;
use crate::config::iisnode::DevErrors;

pub(crate) struct Generation {
    pub(crate) pool: Arc<Pool>,
    pub(crate) passing: Passing,
}

/// How the requests of an application are passed to its workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Passing {
    /// Adds the client's address to `X-Forwarded-For` and, if the client sent none, `X-Forwarded-Proto`.
    pub(crate) forwarded_for: bool,
    /// Drops what only the host may say (`X-Original-URL`, `X-iisnode-*`) from what clients send.
    pub(crate) guards_identity: bool,
    /// Server variables that workers are told as `X-iisnode-<NAME>`.
    pub(crate) promoted: Vec<Box<str>>,
    /// Requests of one client meet one worker, by a cookie.
    pub(crate) sticky: bool,
    /// Adds the field `iisnode-debug` to responses; the command line it shows.
    pub(crate) debug_header: Option<Box<str>>,
    /// What is shown when a request of this application fails.
    pub(crate) errors: ErrorStyle,
}

/// How failures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ErrorStyle {
    /// A status and a short text: for applications that are no site's.
    #[default]
    Short,
    /// As iisnode does, with its numbers.
    Site(DevErrors),
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a generation of {}", self.pool.settings().name)
    }
}
