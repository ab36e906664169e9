//! Programs that no script handler runs: what `httpPlatform` and `aspNetCore` sections ask for, validated.
//!
//! `http_platform` and `asp_net_core` read one section each; what both have in common is in `section`, which reads values
//! by `attributes`, the command line by `command`, and what the child is told by `variables`. `azure` knows paths of
//! Azure App Service, where many of these files come from. Nothing is started here, and the disk is only asked whether a
//! file exists and begins as a program does.

mod asp_net_core;
mod attributes;
pub(in crate::config) mod azure;
mod command;
#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod corpus_tests;
mod handler_settings;
mod http_platform;
mod section;
mod span;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use asp_net_core::asp_net_core;
pub(crate) use http_platform::http_platform;

use std::path::PathBuf;
use std::time::Duration;

use super::settings::{Command, Environment};
use super::source::{Note, Source};

/// What a section says about the program it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) command: Command,
    /// The application's folder, absolute.
    pub(crate) directory: PathBuf,
    /// Set for workers, in order; `%NAME%` of the host's environment expanded, the token of the port still in place.
    pub(crate) variables: Vec<(String, String)>,
    /// The port that the configuration asks for, instead of a free one.
    pub(crate) fixed_port: Option<u16>,
    /// The pairing token that the configuration asks for, instead of a random one.
    pub(crate) fixed_token: Option<String>,
    pub(crate) instances: u32,
    /// From the spawn of a worker until it listens.
    pub(crate) start_timeout: Duration,
    /// How often a start is tried before the request that waits for it fails.
    pub(crate) start_attempts: u32,
    pub(crate) rapid_fails_per_minute: u32,
    /// None is no limit.
    pub(crate) request_timeout: Option<Duration>,
    /// From the wish that a worker ends until it is killed.
    pub(crate) shutdown_timeout: Duration,
    pub(crate) output: OutputTo,
    /// Absolute; a change of one of them recycles the application.
    pub(crate) watched_files: Vec<PathBuf>,
    /// Patterns below the folder that are watched besides, as in the setting `watchedFiles`.
    pub(crate) watched_patterns: String,
    pub(crate) startup_error_page: bool,
    /// The application runs in development: everybody may see what went wrong.
    pub(crate) shows_details: bool,
    pub(crate) help_link: Option<String>,
    pub(crate) forwards_connection: bool,
    pub(crate) ignores_configuration: bool,
}

/// Where what a worker prints goes, beside the last of it that is kept for error pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutputTo {
    /// Nowhere else.
    Memory,
    /// To a file whose path begins so; absolute.
    File { stem: PathBuf },
    /// Nowhere at all: the worker has no outputs.
    Nothing,
}

/// A program with what is to be said about its section, and every value with its source for `ostler explain`.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedProgram {
    pub(crate) program: Program,
    pub(crate) told: Vec<(&'static str, super::source::Located<String>)>,
    pub(crate) notes: Vec<Note>,
}

impl ResolvedProgram {
    /// An error if the program is not here, with the place that names it.
    pub(crate) fn missing(&self) -> Option<Note> {
        let place = self.told.iter().find(|(name, _)| *name == "processPath");
        let place = place.map_or(Source::Default, |(_, told)| told.source.clone());
        self.program.command.missing.as_ref().map(|what| Note::error(place, what))
    }
}

/// What a section is read in.
pub(crate) struct Surroundings<'s> {
    /// Of the host.
    pub(crate) environment: &'s Environment,
    /// The path of the application's URLs: `/` for the root of a site, `/shop` below it.
    pub(crate) url: &'s str,
    /// Looks a bare name up in `PATH`.
    pub(crate) find: &'s dyn Fn(&str) -> Option<PathBuf>,
    /// How many processes the command line asks for, whatever the section says.
    pub(crate) instances: Option<u32>,
}
