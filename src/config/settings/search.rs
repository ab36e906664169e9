//! Which program of this system is meant by a name or a path that was written for Windows.
//!
//! Whether a program exists is asked of the disk and of `find`; nothing is started here.

use std::path::{Path, PathBuf};

use super::expansion::unresolved;
use super::paths::{forward, is_windows_absolute, joined, last_name};

/// Where programs are looked for.
pub(in crate::config) struct Search<'a> {
    /// What relative paths start at.
    pub(in crate::config) base: &'a Path,
    /// Looks a bare name up in `PATH`.
    pub(in crate::config) find: &'a dyn Fn(&str) -> Option<PathBuf>,
}

/// What runs the same programs under another name.
const ALSO_CALLED: &[(&str, &str)] =
    &[("python", "python3"), ("pythonw", "python3"), ("py", "python3"), ("javaw", "java")];

impl Search<'_> {
    /// The program of this name or path, if there is one. Names without a folder are looked up; a program of Windows (an
    /// `.exe`) is of no use, so the same path without that ending is what counts.
    pub(in crate::config) fn there(&self, name: &str) -> Option<PathBuf> {
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

    /// The program in `PATH` that stands in for a path of Windows, or for a name that is called otherwise here. A path of
    /// this system that leads nowhere is a mistake; another program would hide it.
    pub(in crate::config) fn instead(&self, name: &str) -> Option<PathBuf> {
        let is_path = name.contains(['/', '\\']) || unresolved(name).is_some();
        if is_path && !is_of_windows(name) {
            return None;
        }
        let name = bare(name);
        let found = if is_path { self.look_up(name) } else { None };
        found.or_else(|| {
            let known = ALSO_CALLED.iter().find(|(called, _)| name.eq_ignore_ascii_case(called));
            known.and_then(|(_, here)| self.look_up(here))
        })
    }

    /// `NODE.EXE` is as good as `node.exe` on Windows.
    pub(in crate::config) fn look_up(&self, name: &str) -> Option<PathBuf> {
        (self.find)(name).or_else(|| (self.find)(&name.to_ascii_lowercase()))
    }
}

/// Whether a path can only have been written for Windows.
pub(in crate::config) fn is_of_windows(path: &str) -> bool {
    is_windows_absolute(path) || path.contains('\\') || unresolved(path).is_some()
}

/// The last name of a path without an ending that only Windows has.
pub(in crate::config) fn bare(name: &str) -> &str {
    without_extension(last_name(name))
}

pub(in crate::config) fn without_extension(name: &str) -> &str {
    [".exe", ".cmd", ".bat"].iter().find_map(|extension| without(name, extension)).unwrap_or(name)
}

/// `name` without this ending, in any letter case, if it has it.
pub(in crate::config) fn without<'n>(name: &'n str, extension: &str) -> Option<&'n str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(extension.len())?)?;
    end.eq_ignore_ascii_case(extension).then_some(stem)
}

/// A command as a person would type it. The library quotes every `=`, which nobody types.
pub(in crate::config) fn shown(program: &Path, arguments: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-=.,:/@+%".contains(c);
    let word = |word: &str| match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => shell_words::quote(word).into_owned(),
    };
    let mut out = word(&program.to_string_lossy());
    for argument in arguments {
        out.push(' ');
        out += &word(argument);
    }
    out
}
