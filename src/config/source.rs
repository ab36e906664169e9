//! Where a value comes from, and what is said about one that is wrong.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Lines and columns count from 1; columns count characters.
    File {
        path: Arc<Path>,
        line: u32,
        column: u32,
    },
    /// An environment variable of the host.
    Environment(Box<str>),
    CommandLine(Box<str>),
    /// Nobody wrote it.
    Default,
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Works, differently from what was written perhaps.
    Warning,
    /// What holds the value is not used.
    Error,
}

/// A warning or error of configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) level: Level,
    pub(crate) source: Source,
    /// What is wrong and what happens instead, in one sentence.
    pub(crate) what: String,
    /// What is allowed, or what to do, if that is not plain.
    pub(crate) help: Option<String>,
}

impl<T> Located<T> {
    pub(crate) fn new(value: T, source: Source) -> Located<T> {
        Located { value, source }
    }
}

impl Note {
    pub(crate) fn warning(source: Source, what: impl Into<String>) -> Note {
        Note { level: Level::Warning, source, what: what.into(), help: None }
    }

    pub(crate) fn error(source: Source, what: impl Into<String>) -> Note {
        Note { level: Level::Error, source, what: what.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Note {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Source::Environment(name) => write!(f, "environment variable {name}"),
            Source::CommandLine(flag) => write!(f, "command line {flag}"),
            Source::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{}: {level}: {}", self.source, self.what)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}
