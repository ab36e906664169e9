//! The command line of a worker: which program `nodeProcessCommandLine` means on this system, and what it is given.
//!
//! Windows is handed one string and finds the program in it; so does this, for strings that were written for Windows. Whether
//! a program exists is asked of the disk and of `find`; nothing is started here.

use std::path::{Path, PathBuf};

use super::Settings;
use super::arguments::{relative_forward, split};
use super::paths::{forward, is_windows_absolute, joined};
use super::search::{Search, bare, is_of_windows, shown, without_extension};

/// What is to be run for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Absolute if it was found; else the name that was asked for.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// As a person would type it.
    pub(crate) shown: String,
    /// Whether there is such a program. If not, starting it will fail, and the page for people says what was looked for.
    pub(crate) found: bool,
    /// If it was not found: what was looked for, and what would help, in one sentence.
    pub(crate) missing: Option<String>,
    pub(crate) warnings: Vec<String>,
}

/// The command that runs `script` (absolute). `find` looks a bare name up in `PATH`.
///
/// # Errors
/// What is wrong, if there can be no such command.
pub(crate) fn worker_command(
    settings: &Settings,
    script: &Path,
    web_config_directory: &Path,
    find: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<Command, String> {
    let script = script.to_str().ok_or_else(|| {
        format!("the path {} is not UTF-8, so no worker can be told of it", script.display())
    })?;
    // Where the worker will run.
    let folder = Path::new(script).parent().unwrap_or(web_config_directory);
    let search = Search { base: web_config_directory, find };
    let mut warnings = Vec::new();
    let Found { program, rest, found } = divided(&search, &settings.command_line, &mut warnings)?;
    let mut arguments: Vec<String> = split(rest).into_iter().map(relative_forward).collect();
    if settings.process_count != 1 {
        free_inspector_ports(&mut arguments, &mut warnings);
    }
    if let Some(interceptor) = &settings.interceptor {
        arguments.extend(interceptor_words(interceptor, folder));
    }
    arguments.push(script.to_owned());
    let shown = shown(&program, &arguments);
    Ok(Command { program, arguments, shown, found, missing: None, warnings })
}

struct Found<'t> {
    program: PathBuf,
    rest: &'t str,
    found: bool,
}

/// The program of a command line, and the text of its arguments.
fn divided<'t>(search: &Search<'_>, text: &'t str, warnings: &mut Vec<String>) -> Result<Found<'t>, String> {
    let text = text.trim();
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => unquoted(search, text),
    };
    let name = name.trim();
    if bare(name).is_empty() {
        return Err(format!("the command line `{text}` names no program"));
    }
    if let Some(program) = search.there(name) {
        return Ok(Found { program, rest, found: true });
    }
    if let Some(program) = search.instead(name) {
        warnings.push(format!("there is no `{name}` on this system; {} is run instead", program.display()));
        return Ok(Found { program, rest, found: true });
    }
    let is_ours = name.contains('/') && !is_of_windows(name);
    Ok(Found { program: if is_ours { name } else { bare(name) }.into(), rest, found: false })
}

/// Divides a command line without quotes: Windows takes the shortest beginning, up to a blank, that is a program.
fn unquoted<'t>(search: &Search<'_>, text: &'t str) -> (&'t str, &'t str) {
    let ends = || text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).take(MOST_BLANKS);
    let is_program = |end: &usize| search.there(&text[..*end]).is_some();
    let means_program = |end: &usize| {
        let name = &text[..*end];
        let extension = name.len() - without_extension(name).len();
        extension > 0 || search.look_up(bare(name)).is_some()
    };
    let mut end = ends().find(is_program);
    let first = text.split(' ').next().unwrap_or(text);
    if end.is_none() && first.contains(['\\', '%']) {
        end = ends().find(means_program);
    }
    let end = end.or_else(|| ends().next()).unwrap_or(text.len());
    text.split_at(end)
}

/// The words of an interceptor, relative to `folder`. One with blanks and without quotes is one path if there is such a file.
fn interceptor_words(text: &str, folder: &Path) -> Vec<String> {
    let whole = forward(text.trim());
    if !whole.contains('"') && whole.contains(' ') && joined(folder, &whole).is_file() {
        return vec![whole];
    }
    let mut words = split(text);
    if let Some(first) = words.first_mut().filter(|first| !is_windows_absolute(first)) {
        *first = forward(first);
    }
    words
}

/// Nobody's path has more; each costs a look at the disk.
const MOST_BLANKS: usize = 32;

/// Lets each worker find a port of its own for the inspector: with one for all, every worker but the first would fail to
/// open it.
fn free_inspector_ports(arguments: &mut [String], warnings: &mut Vec<String>) {
    for argument in arguments {
        let (flag, at) = argument.split_once('=').unwrap_or((argument, ""));
        if !matches!(
            flag,
            "--inspect" | "--inspect-brk" | "--inspect-wait" | "--inspect-port" | "--debug-port"
        ) {
            continue;
        }
        let host = match at.rsplit_once(':') {
            Some((host, _)) => host,
            None if at.is_empty() || at.bytes().all(|byte| byte.is_ascii_digit()) => "127.0.0.1",
            None => at,
        };
        let free = format!("{flag}={host}:0");
        warnings.push(format!("several workers cannot share `{argument}`; each gets `{free}`"));
        *argument = free;
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
