//! What workers say: read always, the last of it kept, shown on the terminal when that keeps up, and written to files
//! if the application keeps logs.
//!
//! `capture` reads a pipe and drives the rest; `output` tells everybody else how far that is; `writer` puts bytes into
//! the files of a `directory`, named by `name`, within quotas by `purge`, listed by `index`.

mod calendar;
pub(crate) mod capture;
pub(crate) mod console;
pub(crate) mod directory;
mod index;
mod name;
pub(crate) mod output;
mod purge;
mod tail;
pub(crate) mod writer;

use std::path::PathBuf;

/// Which of its two outputs a worker wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    /// As in the names of log files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// Where the workers of an application write their logs, and how much of them is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPlan {
    /// Absolute; made when it is missing.
    pub(crate) directory: PathBuf,
    pub(crate) naming: LogNaming,
    /// A file that is larger is followed by another.
    pub(crate) max_file_bytes: u64,
    /// Of all log files in the directory that are named by the same rule; beyond it the oldest go.
    pub(crate) max_total_bytes: u64,
    /// Beyond it the oldest go.
    pub(crate) max_files: usize,
}

/// How log files are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogNaming {
    /// As iisnode calls them, one file for each stream: `PC-1234-stdout-1517859692000.txt`.
    Iisnode,
    /// As the modules do that run programs, one file for both streams: `<stem>_20180205194132_1234.log` with the time, in
    /// UTC, at which the worker was started.
    Stem { stem: String },
}

impl LogPlan {
    /// Whether a page beside the files lists them. A folder that a stem names may be the application's own, where
    /// `index.html` would be its home page.
    fn has_index(&self) -> bool {
        matches!(self.naming, LogNaming::Iisnode)
    }
}

#[cfg(test)]
mod tests;
