//! FastCGI pools: what `fastCgi` sections, `fcgiext.ini`, `ostler.yml` and handler rows ask for, validated.
//!
//! A pool is asked for by the `scriptProcessor` of a handler row. `pool` puts together what was said of it: the nearest
//! `fastCgi/application`, or a section of `ini`, and over that what the host's file says (`outside`). `table` holds names,
//! defaults and ranges, `speaker` knows which folder speaks for a pool,
//! `program` finds the program of this system, `without_effect` knows what is said in vain. Nothing is started here.

#[cfg(test)]
mod corpus_tests;
pub(crate) mod ini;
mod ini_text;
pub(crate) mod outside;
mod pool;
#[cfg(test)]
mod pool_tests;
mod program;
mod said;
mod speaker;
pub(crate) mod table;
mod without_effect;

use std::path::PathBuf;
use std::time::Duration;

use super::settings::{Command, Environment};
use super::source::{Located, Note, Source};
use crate::base::address::Address;
pub(crate) use pool::pool;
pub(crate) use speaker::{layer_of, processors, unheard};

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
    /// The root of the site as its programs see it, without a slash at the end; None where that is the root itself.
    pub(crate) document_root: Option<String>,
    /// The head of a response may be so large.
    pub(crate) most_head_bytes: usize,
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
    /// What was said in vain, for those who ask about the configuration.
    pub(crate) without_effect: Vec<Note>,
}

/// What a server is given of which nobody has said how many it takes.
const OF_A_SERVER: usize = 10;
/// Where the host finds the number of programs, it stays below so many, whatever memory there is: what stands at hundreds
/// of programs waits for something that more of them make slower. At least what small machines need whose programs wait,
/// at most what is looked through for each request without its being noticed.
const AUTOMATIC: (usize, usize) = (64, 1024);
const AUTOMATIC_FOR_EACH_CORE: usize = 32;

/// How many programs a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instances {
    pub(crate) most: usize,
    /// So many keep the cores busy and start as they are needed; those beyond, for requests that wait for something else,
    /// have to be earned. None if all start as they are needed.
    pub(crate) eager: Option<usize>,
}

impl std::fmt::Display for Instances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.eager {
            Some(eager) => write!(f, "{eager} to {}", self.most),
            None => write!(f, "{}", self.most),
        }
    }
}

impl FastCgiPool {
    /// How many programs there are at a time, or requests that a server has.
    pub(crate) fn instances(&self) -> Instances {
        match (self.max_instances, &self.runs) {
            (0, Runs::Server(_)) => Instances { most: OF_A_SERVER, eager: None },
            (0, Runs::Program { .. }) => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                let most = (cores * AUTOMATIC_FOR_EACH_CORE).clamp(AUTOMATIC.0, AUTOMATIC.1);
                Instances { most, eager: Some(2 * cores) }
            }
            (most, _) => Instances { most: most as usize, eager: None },
        }
    }
}

impl ResolvedPool {
    /// A word for a program that is not here.
    pub(crate) fn missing(&self) -> Option<Note> {
        let Runs::Program { command, .. } = &self.pool.runs else { return None };
        let place = self.told.iter().find(|(name, _)| matches!(*name, "fullPath" | "command"));
        let place = place.map_or(Source::Default, |(_, told)| told.source.clone());
        command.missing.as_ref().map(|what| Note::warning(place, what))
    }
}

/// What a pool is resolved in.
pub(crate) struct Surroundings<'s> {
    /// Of the host.
    pub(crate) environment: &'s Environment,
    /// Looks a bare name up in `PATH`.
    pub(crate) find: &'s dyn Fn(&str) -> Option<PathBuf>,
}
