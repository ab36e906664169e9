//! `watchedFiles`: the list of names and patterns, read once, and the fingerprint of what it means on the disk now.
//!
//! Paths are written as the list says, below the directory of the script; nothing here resolves links. Missing files
//! and directories are no error, they count as soon as they appear.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::fingerprint::{Fingerprint, MOST_FILES};

/// How deep `**` goes: deeper trees are loops of mounts, or nobody's source.
const DEEPEST: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct WatchedFiles {
    base: PathBuf,
    /// By directory: one listing serves all that is asked of it.
    directories: BTreeMap<PathBuf, Wanted>,
}

#[derive(Debug, Clone, Default)]
struct Wanted {
    names: Vec<String>,
    /// Names whose end counts, too.
    wholly: Vec<String>,
    patterns: Vec<GlobMatcher>,
    /// Patterns over paths relative to the directory, at any depth.
    deep: Vec<GlobMatcher>,
}

impl WatchedFiles {
    /// Reads `*.js;iisnode.yml;server\**\*.js`. What cannot be understood is left out, with a warning.
    pub(crate) fn parse(list: &str, base: &Path) -> WatchedFiles {
        let base = plain(base);
        let mut directories: BTreeMap<PathBuf, Wanted> = BTreeMap::new();
        for entry in list.split(';').filter(|entry| !is_skipped(entry)) {
            let (directory, pattern, is_deep) = split(&entry.replace('\\', "/"), &base);
            let wanted = directories.entry(directory).or_default();
            if !is_deep && !pattern.contains(['*', '?']) {
                wanted.names.push(pattern);
                continue;
            }
            match matcher(&pattern) {
                Ok(matcher) if is_deep => wanted.deep.push(matcher),
                Ok(matcher) => wanted.patterns.push(matcher),
                Err(error) => tracing::warn!("watchedFiles: {entry:?} is no pattern: {error}"),
            }
        }
        WatchedFiles { base, directories }
    }

    /// Besides these files, absolute; that one is deleted is a change of them, too.
    pub(crate) fn and_wholly(mut self, files: &[PathBuf]) -> WatchedFiles {
        for file in files {
            let file = plain(file);
            if let (Some(directory), Some(name)) = (file.parent(), file.file_name()) {
                let wanted = self.directories.entry(directory.to_owned()).or_default();
                wanted.wholly.push(name.to_string_lossy().into_owned());
            }
        }
        self
    }

    /// The directories to watch for contents, each once, and whether all below it belong to it.
    pub(crate) fn directories(&self) -> Vec<(PathBuf, bool)> {
        self.directories.iter().map(|(path, wanted)| (path.clone(), !wanted.deep.is_empty())).collect()
    }

    /// True if an event at `path` is a reason to look. Errs on the side of looking.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        self.directories.iter().any(|(directory, wanted)| {
            // The directory itself, or one above it, came or went.
            directory.starts_with(path)
                || path.strip_prefix(directory).is_ok_and(|below| {
                    let is_here = below.components().count() == 1;
                    (is_here && wanted.wants(below.as_os_str()).is_some())
                        || wanted.wants_below(below)
                        // A whole directory came or went, with all its files.
                        || (!wanted.deep.is_empty() && !path.is_file())
                })
        })
    }

    /// What is on the disk now. Nothing in `exclude` counts, which is where logs are written.
    pub(crate) fn fingerprint(&self, exclude: &[PathBuf]) -> Fingerprint {
        // Logs beside the script itself would exclude everything; then only the patterns decide.
        let exclude: Vec<&Path> =
            exclude.iter().map(PathBuf::as_path).filter(|path| !self.base.starts_with(path)).collect();
        let is_excluded = |path: &Path| exclude.iter().any(|excluded| path.starts_with(excluded));
        let mut found = Fingerprint::default();
        for (directory, wanted) in self.directories.iter().filter(|(directory, _)| !is_excluded(directory)) {
            wanted.find(directory, &is_excluded, &mut found);
        }
        if found.is_cut {
            tracing::warn!(
                "watchedFiles below {} match more than {MOST_FILES} files; the rest is not watched",
                self.base.display()
            );
        }
        found
    }
}

impl Wanted {
    fn find(&self, directory: &Path, is_excluded: &dyn Fn(&Path) -> bool, found: &mut Fingerprint) {
        for name in &self.names {
            take(directory.join(name), false, found);
        }
        for name in &self.wholly {
            take(directory.join(name), true, found);
        }
        let all_found_by_name =
            || self.names.iter().chain(&self.wholly).all(|name| found.contains(&directory.join(name)));
        if self.patterns.is_empty() && self.deep.is_empty() && all_found_by_name() {
            return;
        }
        // A name that is spelled differently on the disk takes a listing too.
        let mut left = vec![(directory.to_owned(), 0)];
        while let Some((place, depth)) = left.pop() {
            let Ok(entries) = fs::read_dir(&place) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if !self.deep.is_empty() && depth < DEEPEST && !is_excluded(&path) {
                        left.push((path, depth + 1));
                    }
                    continue;
                }
                let here = if depth == 0 { self.wants(&entry.file_name()) } else { None };
                let below = path.strip_prefix(directory).is_ok_and(|below| self.wants_below(below));
                if (here.is_some() || below) && !take(path, below || here == Some(By::Pattern), found) {
                    return;
                }
            }
        }
    }

    fn wants(&self, name: &OsStr) -> Option<By> {
        if self.patterns.iter().any(|pattern| pattern.is_match(name)) {
            return Some(By::Pattern);
        }
        let name = name.to_str()?.to_lowercase();
        let is_in = |names: &[String]| names.iter().any(|wanted| wanted.to_lowercase() == name);
        if is_in(&self.wholly) {
            return Some(By::Pattern);
        }
        is_in(&self.names).then_some(By::Name)
    }

    fn wants_below(&self, relative: &Path) -> bool {
        self.deep.iter().any(|pattern| pattern.is_match(relative))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Pattern,
}

/// Adds a regular file, also one behind a link; returns false if there is no more room.
fn take(path: PathBuf, by_pattern: bool, found: &mut Fingerprint) -> bool {
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => found.add(path, &metadata, by_pattern),
        _ => true,
    }
}

/// Empty entries are common (a `;` at the end). Changes of a web.config recycle anyway.
fn is_skipped(entry: &str) -> bool {
    const ANYWAY: &str = "web.config";
    entry.trim().is_empty()
        || entry.ends_with(['/', '\\'])
        || entry
            .len()
            .checked_sub(ANYWAY.len())
            .and_then(|at| entry.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ANYWAY))
}

/// The directory of an entry, what is wanted in it, and whether at any depth.
fn split(entry: &str, base: &Path) -> (PathBuf, String, bool) {
    let parts: Vec<&str> = entry.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let (above, last) = parts.split_at(parts.len().saturating_sub(1));
    let deep = parts.iter().position(|part| *part == "**");
    let (above, pattern) = match deep {
        Some(at) => (&parts[..at], parts[at..].join("/")),
        None => (above, last.concat()),
    };
    let mut directory = base.to_owned();
    for part in above {
        match *part {
            ".." => {
                directory.pop();
            }
            part => directory = in_any_case(&directory, part),
        }
    }
    // On Windows `*.*` has always meant every file, with or without a dot.
    let pattern = if pattern == "*.*" { "*".to_owned() } else { pattern };
    (directory, pattern, deep.is_some())
}

/// `directory/name` as it is spelled on the disk, if it is there in one spelling.
fn in_any_case(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    if path.exists() {
        return path;
    }
    let lower = name.to_lowercase();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut same =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.to_lowercase() == lower));
    match (same.next(), same.next()) {
        (Some(only), None) => only.path(),
        _ => path,
    }
}

/// Only `*` and `?` mean more than themselves, and `**` between slashes.
fn matcher(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if matches!(character, '[' | ']' | '{' | '}') {
            escaped.extend(['[', character, ']']);
        } else {
            escaped.push(character);
        }
    }
    let glob = GlobBuilder::new(&escaped).case_insensitive(true).literal_separator(true).build()?;
    Ok(glob.compile_matcher())
}

/// Without `.` and `..`, so that paths that mean the same are written the same.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
