//! One generation of an application: the pool of its workers, and how requests are handed to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Pool;
use crate::config::fastcgi::{FastCgiPool, Runs, StderrMode};
use crate::config::settings::DevErrors;

pub(crate) struct Generation {
    pub(crate) pool: Arc<Pool>,
    pub(crate) passing: Passing,
}

/// How the requests of an application are passed to its workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Passing {
    /// What workers are told of the client's address and scheme.
    pub(crate) forwarded: Forwarded,
    /// Drops what only the host may say (`X-Original-URL`, `X-iisnode-*`, `MS-ASPNETCORE*`, `X-IIS-WindowsAuthToken`) from what clients send.
    pub(crate) guards_identity: bool,
    /// Server variables that workers are told as `X-iisnode-<NAME>`.
    pub(crate) promoted: Vec<Box<str>>,
    /// Requests of one client meet one worker, by a cookie.
    pub(crate) sticky: bool,
    /// Adds the field `iisnode-debug` to responses; the command line it shows.
    pub(crate) debug_header: Option<Box<str>>,
    /// The field in which workers are told how many milliseconds a request has waited for its place; empty for none.
    pub(crate) queue_time_field: Box<str>,
    /// How long a worker may say nothing while it is waited for; none for ever.
    pub(crate) silence: Option<Duration>,
    /// `Connection: close` of a worker's response ends the client's connection, too, and is told.
    pub(crate) forwards_connection: bool,
    /// What is spoken with workers.
    pub(crate) protocol: Protocol,
    /// What is shown when a request of this application fails.
    pub(crate) errors: ErrorStyle,
}

/// What is spoken with workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Http,
    FastCgi(Arc<FastCgiPassing>),
}

/// How requests are passed to FastCGI programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FastCgiPassing {
    /// The number of the site on IIS; 1 where nobody counts.
    pub(crate) site_id: u32,
    /// The root of the site as programs see it, without a slash at the end.
    pub(crate) document_root: String,
    /// The root of the site as it is here, in the same form.
    pub(crate) site_root: String,
    /// The head of a response may be so large.
    pub(crate) most_head_bytes: usize,
    pub(crate) stderr: StderrMode,
    /// For so long a program may say nothing; twice that before its first word.
    pub(crate) activity_timeout: Duration,
    /// For so long a request may take as a whole.
    pub(crate) request_timeout: Duration,
    pub(crate) tells_https_off: bool,
    pub(crate) redirects_locally: bool,
    pub(crate) sends_files_below: Vec<PathBuf>,
    /// The connection is kept for the next request: it is the only one to its program.
    pub(crate) keeps_connection: bool,
}

impl FastCgiPassing {
    /// For a pool of the site whose folder is `root`.
    pub(crate) fn of(pool: &FastCgiPool, root: &Path, site_id: u32) -> FastCgiPassing {
        let site_root = root.to_string_lossy().trim_end_matches('/').to_owned();
        FastCgiPassing {
            site_id: site_id.max(1),
            document_root: pool.document_root.clone().unwrap_or_else(|| site_root.clone()),
            site_root,
            most_head_bytes: pool.most_head_bytes,
            stderr: pool.stderr,
            activity_timeout: pool.activity_timeout,
            request_timeout: pool.request_timeout,
            tells_https_off: pool.tells_https_off,
            redirects_locally: pool.redirects_locally,
            sends_files_below: pool.sends_files_below.clone(),
            // A server of its own may have fewer programs than we have requests.
            keeps_connection: matches!(pool.runs, Runs::Program { .. }),
        }
    }
}

/// How failures are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ErrorStyle {
    /// A status and a short text: for applications that are no site's.
    #[default]
    Short,
    /// As iisnode does, with its numbers.
    Site(DevErrors),
    /// With the numbers of FastCGI on IIS, always with the true status; details are for clients on the machine.
    FastCgi(DevErrors),
    /// As the modules do that run programs, with their numbers.
    Program(ProgramErrors),
}

/// How failures of `httpPlatform` and `aspNetCore` applications are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramErrors {
    pub(crate) dev_errors: DevErrors,
    /// Startup failures have a page of their own (502.5); else they are bare, for the site's own error pages (502.3).
    pub(crate) startup_page: bool,
    /// What workers printed is shown to everybody, as the application runs in development.
    pub(crate) details: bool,
    /// One more place where people find help.
    pub(crate) help_link: Option<Box<str>>,
}

/// What workers are told of a client in `X-Forwarded-For` and `X-Forwarded-Proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Forwarded {
    /// What the client sent, as it sent it.
    #[default]
    AsSent,
    /// Its address is appended; the scheme is added if the client said none.
    Address,
    /// Its address is appended with the port, `1.2.3.4:5678` or `[::1]:5678`, and the scheme is appended.
    AddressAndPort,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a generation of {}", self.pool.settings().name)
    }
}
