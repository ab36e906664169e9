//! The command line of a worker: which program `nodeProcessCommandLine` means on this system, and what it is given.
//!
//! Windows is handed one string and finds the program in it; so does this, for strings that were written for Windows. Whether
//! a program exists is asked of the disk and of `find`; nothing is started here.

use std::path::{Path, PathBuf};

use super::Settings;
use super::arguments::split;
use super::expansion::unresolved;
use super::paths::{forward, is_windows_absolute, joined, last_name};

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
    let Found { program, rest, found } = search.program(&settings.command_line, &mut warnings)?;
    let mut arguments: Vec<String> = split(rest).into_iter().map(relative_forward).collect();
    if settings.process_count != 1 {
        free_inspector_ports(&mut arguments, &mut warnings);
    }
    if let Some(interceptor) = &settings.interceptor {
        arguments.extend(interceptor_words(interceptor, folder));
    }
    arguments.push(script.to_owned());
    let shown = shown(&program, &arguments);
    Ok(Command { program, arguments, shown, found, warnings })
}

/// The library quotes every `=`, which nobody types.
fn shown(program: &Path, arguments: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-=.,:/@+%".contains(c);
    let mut out = shell_words::quote(&program.to_string_lossy()).into_owned();
    for argument in arguments {
        out.push(' ');
        match !argument.is_empty() && argument.chars().all(plain) {
            true => out.push_str(argument),
            false => out.push_str(&shell_words::quote(argument)),
        }
    }
    out
}

/// Where programs are looked for.
struct Search<'a> {
    /// What relative paths start at.
    base: &'a Path,
    find: &'a dyn Fn(&str) -> Option<PathBuf>,
}

struct Found<'t> {
    program: PathBuf,
    rest: &'t str,
    found: bool,
}

impl Search<'_> {
    /// The program, and the text of its arguments.
    fn program<'t>(&self, text: &'t str, warnings: &mut Vec<String>) -> Result<Found<'t>, String> {
        let text = text.trim();
        let (name, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => self.unquoted(text),
        };
        let name = name.trim();
        if bare(name).is_empty() {
            return Err(format!("the command line `{text}` names no program"));
        }
        if let Some(path) = self.there(name) {
            return Ok(Found { program: path, rest, found: true });
        }
        let bare = bare(name);
        let elsewhere = name.contains(['/', '\\']) || unresolved(name).is_some();
        let of_windows = is_windows_absolute(name) || name.contains('\\') || unresolved(name).is_some();
        match self.look_up(bare) {
            // A path of this system that leads nowhere is a mistake; another program would hide it.
            Some(path) if of_windows => {
                warnings
                    .push(format!("there is no `{name}` on this system; {} is run instead", path.display()));
                Ok(Found { program: path, rest, found: true })
            }
            _ if elsewhere && !of_windows => Ok(Found { program: name.into(), rest, found: false }),
            _ => Ok(Found { program: bare.into(), rest, found: false }),
        }
    }

    /// Divides a command line without quotes: Windows takes the shortest beginning, up to a blank, that is a program.
    fn unquoted<'t>(&self, text: &'t str) -> (&'t str, &'t str) {
        let ends = || text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).take(MOST_BLANKS);
        let is_program = |end: &usize| self.there(&text[..*end]).is_some();
        let means_program = |end: &usize| {
            let name = &text[..*end];
            let extension = name.len() - without_extension(name).len();
            extension > 0 || self.look_up(bare(name)).is_some()
        };
        let mut end = ends().find(is_program);
        let first = text.split(' ').next().unwrap_or(text);
        if end.is_none() && first.contains(['\\', '%']) {
            end = ends().find(means_program);
        }
        let end = end.or_else(|| ends().next()).unwrap_or(text.len());
        text.split_at(end)
    }

    /// The program of this name or path, if there is one. Names without a folder are looked up; a program of Windows (an
    /// `.exe`) is of no use, so the same path without that ending is what counts.
    fn there(&self, name: &str) -> Option<PathBuf> {
        let name = without_extension(name.trim());
        if name.is_empty() || is_windows_absolute(name) {
            return None;
        }
        if !name.contains(['/', '\\']) {
            return self.look_up(name);
        }
        let path = joined(self.base, &forward(name));
        path.is_file().then_some(path)
    }

    /// `NODE.EXE` is as good as `node.exe` on Windows.
    fn look_up(&self, name: &str) -> Option<PathBuf> {
        (self.find)(name).or_else(|| (self.find)(&name.to_ascii_lowercase()))
    }
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

/// The last name of a path without an ending that only Windows has.
fn bare(name: &str) -> &str {
    without_extension(last_name(name))
}

fn without_extension(name: &str) -> &str {
    [".exe", ".cmd", ".bat"]
        .iter()
        .find_map(|extension| {
            let at = name.len().checked_sub(extension.len())?;
            let (stem, end) = name.split_at_checked(at)?;
            end.eq_ignore_ascii_case(extension).then_some(stem)
        })
        .unwrap_or(name)
}

/// `.\lib\x.js` is a path of this system, too, once its slashes are turned. Other backslashes may mean anything.
fn relative_forward(argument: String) -> String {
    if argument.starts_with(".\\") || argument.starts_with("..\\") { forward(&argument) } else { argument }
}

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
