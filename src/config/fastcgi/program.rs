//! The program of a pool: what a `scriptProcessor` that was written for Windows means on this system.

use std::path::{Path, PathBuf};

use super::outside::{Outside, ProgramEntry};
use crate::config::program::azure;
use crate::config::settings::Command;
use crate::config::settings::arguments::{relative_forward, split};
use crate::config::settings::paths::is_windows_absolute;
use crate::config::settings::search::{Search, bare, is_of_windows, shown};
use crate::config::source::{Located, Note};

/// Where programs are looked for.
pub(super) struct Looking<'l> {
    pub(super) outside: &'l Outside,
    /// What relative paths start at.
    pub(super) base: &'l Path,
    pub(super) find: &'l dyn Fn(&str) -> Option<PathBuf>,
}

impl Looking<'_> {
    /// The command of a program and its arguments, in which the host's variables have been put; `processor` is the two as
    /// `programs` of the host's file may name them.
    pub(super) fn command(
        &self,
        processor: &str,
        path: &Located<String>,
        arguments: &Located<String>,
        notes: &mut Vec<Note>,
    ) -> Command {
        if let Some((entry, is_whole)) = self.outside.program(processor) {
            let rest = if is_whole { Vec::new() } else { self.words(arguments, notes) };
            return self.mapped(entry, rest);
        }
        let words = self.words(arguments, notes);
        let name = path.value.as_str();
        let search = Search { base: self.base, find: self.find };
        let here = azure::here(name, &self.outside.root).filter(|file| file.is_file());
        if let Some(program) = search.there(name) {
            return found(program, words);
        }
        let instead = here.or_else(|| search.instead(name)).or_else(|| {
            // The name of PHP for web servers that are no FastCGI hosts.
            let is_php = is_of_windows(name) && bare(name).to_ascii_lowercase().starts_with("php");
            is_php.then(|| search.look_up("php-cgi")).flatten()
        });
        if let Some(program) = instead {
            let what = format!("there is no `{name}` on this system; {} is run instead", program.display());
            notes.push(Note::warning(path.source.clone(), what));
            return found(program, words);
        }
        let known = if is_of_windows(name) || !name.contains('/') { bare(name) } else { name };
        let help = match is_php(Path::new(known)) {
            true => "install it (Debian's package is php-cgi)",
            false => "install it",
        };
        let place = if known == name { "" } else { " in PATH" };
        let why = format!(
            "there is no program `{known}`{place}; {help}, or name another under `programs` in ostler.yml \
             and start the host again"
        );
        missing(known.into(), words, why)
    }

    /// What a host's file names itself.
    pub(super) fn of_words(&self, command: &[String], folder: &Path) -> Command {
        let Some((program, rest)) = command.split_first() else {
            return missing(PathBuf::new(), Vec::new(), "the command is empty".to_owned());
        };
        match (Search { base: folder, find: self.find }).there(program) {
            Some(program) => found(program, rest.to_vec()),
            None => {
                let why = format!("there is no program `{program}`, which ostler.yml names");
                missing(program.into(), rest.to_vec(), why)
            }
        }
    }

    fn mapped(&self, entry: &ProgramEntry, rest: Vec<String>) -> Command {
        let words: Vec<String> = entry.command.value.iter().cloned().chain(rest).collect();
        self.of_words(&words, &entry.folder)
    }

    fn words(&self, arguments: &Located<String>, notes: &mut Vec<Note>) -> Vec<String> {
        let words = split(&arguments.value).into_iter().map(|word| {
            if let Some(here) = azure::here(&word, &self.outside.root) {
                let here = here.to_string_lossy().into_owned();
                let what = format!("`{word}` is {here} here");
                notes.push(Note::warning(arguments.source.clone(), what));
                return here;
            }
            let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
            if is_windows_absolute(value) {
                let what =
                    format!("`{value}` is a path of Windows; the program is given it as it is written");
                let help = "`programs` in ostler.yml may name another command for the whole scriptProcessor";
                notes.push(Note::warning(arguments.source.clone(), what).with_help(help));
            }
            relative_forward(word)
        });
        words.collect()
    }
}

/// Whether it is PHP for web servers.
pub(super) fn is_php(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.starts_with("php") && name.contains("cgi")
}

fn found(program: PathBuf, arguments: Vec<String>) -> Command {
    let shown = shown(&program, &arguments);
    Command { program, arguments, shown, found: true, missing: None, warnings: Vec::new() }
}

fn missing(program: PathBuf, arguments: Vec<String>, why: String) -> Command {
    let shown = shown(&program, &arguments);
    Command { program, arguments, shown, found: false, missing: Some(why), warnings: Vec::new() }
}
