//! FastCGI pools: what `fastCgi` sections, `fcgiext.ini`, `ostler.yml` and handler rows ask for, validated.
//!
//! A pool is asked for by the `scriptProcessor` of a handler row. `pool` puts together what was said of it: the nearest
//! `fastCgi/application`, or a section of `ini`, and over that what the host's file says (`outside`). `table` holds names,
//! defaults and ranges, `program` finds the program of this system. Nothing is started here.

#[cfg(test)]
mod corpus_tests;
pub(crate) mod ini;
mod ini_text;
pub(crate) mod outside;
mod pool;
#[cfg(test)]
mod pool_tests;
mod program;
pub(crate) mod table;

use std::path::PathBuf;
use std::time::Duration;

use super::settings::{Command, Environment};
use super::source::{Located, Note};
use crate::base::address::Address;
pub(crate) use pool::{layer_of, pool};

/// One pool of FastCGI programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FastCgiPool {
    pub(crate) runs: Runs,
    /// Most programs at a time; 0 leaves it to the host.
    pub(crate) max_instances: u32,
    /// After so many requests a program is replaced.
    pub(crate) instance_max_requests: u64,
    /// Requests that wait for a program; further ones get 503.4.
    pub(crate) queue_length: usize,
    /// A program without work for so long is ended.
    pub(crate) idle_timeout: Duration,
    /// For so long a program may say nothing within a request; twice that before its first word.
    pub(crate) activity_timeout: Duration,
    /// For so long a request may take as a whole.
    pub(crate) request_timeout: Duration,
    pub(crate) rapid_fails_per_minute: u32,
    /// Absolute; a change of it recycles the pool.
    pub(crate) watched_files: Vec<PathBuf>,
    pub(crate) stderr: StderrMode,
    /// From the signal to end until the program is killed; zero kills at once.
    pub(crate) grace: Duration,
    /// `HTTPS=off` is told for requests without TLS, as IIS does.
    pub(crate) tells_https_off: bool,
    /// A `Location` that is a path, without a status, is served in place.
    pub(crate) redirects_locally: bool,
    /// Folders, absolute, below which `X-Sendfile` and `X-Accel-Redirect` may name files; none: the fields are removed.
    pub(crate) sends_files_below: Vec<PathBuf>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runs {
    /// Programs that the host starts, with what is set for them.
    Program { command: Command, variables: Vec<(String, String)> },
    /// A server that runs already, such as php-fpm.
    Server(Address),
}

/// What becomes of what a program writes to stderr while it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StderrMode {
    /// It goes to the log, and the response passes.
    #[default]
    Pass,
    /// The response is 500, with the text.
    ReturnIn500,
    /// The response is 500.
    Generic500,
    /// It goes nowhere, and the response passes.
    Ignore,
    /// The program is ended, and the response is 500.
    Terminate,
}

/// A pool with what is to be said about it, and every value with its source for `ostler explain`.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedPool {
    pub(crate) pool: FastCgiPool,
    pub(crate) told: Vec<(&'static str, Located<String>)>,
    pub(crate) notes: Vec<Note>,
}

/// What a pool is resolved in.
pub(crate) struct Surroundings<'s> {
    /// Of the host.
    pub(crate) environment: &'s Environment,
    /// Looks a bare name up in `PATH`.
    pub(crate) find: &'s dyn Fn(&str) -> Option<PathBuf>,
}
