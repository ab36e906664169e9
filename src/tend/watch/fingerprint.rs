//! What the watched files looked like at one moment, and how two moments differ. Contents are never compared.
//!
//! This is the truth about changes; events only say when to look. A file that is written twice within one tick of the
//! file system's clock, to the same size and in place, with a look between, looks the same (Linux before 6.13 only:
//! since then a time that has been looked at is not given again).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Enough for every application that means what it lists.
pub(super) const MOST_FILES: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint {
    pub(super) files: BTreeMap<PathBuf, Stamp>,
    /// There were more files than are kept; which ones are kept is then no one's promise.
    pub(super) is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
    /// Found by a pattern: then its end is a change, which it is not for a file listed by its name.
    by_pattern: bool,
}

/// The first difference found: what a log says about the cause of a recycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Written,
    Created,
    Deleted,
}

impl Fingerprint {
    /// Returns false if there is no room for more.
    pub(super) fn add(&mut self, path: PathBuf, metadata: &Metadata, by_pattern: bool) -> bool {
        if self.files.len() >= MOST_FILES && !self.files.contains_key(&path) {
            self.is_cut = true;
            return false;
        }
        let stamp = Stamp {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
            by_pattern,
        };
        self.files.entry(path).and_modify(|known| known.by_pattern |= by_pattern).or_insert(stamp);
        true
    }

    pub(crate) fn difference(&self, newer: &Fingerprint) -> Option<Change> {
        let change = |path: &Path, what| Some(Change { path: path.to_owned(), what });
        // With files left out, one that is missing may only have fallen out.
        let is_whole = !self.is_cut && !newer.is_cut;
        for (path, stamp) in &newer.files {
            match self.files.get(path) {
                Some(old) if old.looks_like(stamp) => {}
                Some(_) => return change(path, What::Written),
                None if is_whole => return change(path, What::Created),
                None => {}
            }
        }
        let ended = self.files.iter().find(|(path, old)| old.by_pattern && !newer.files.contains_key(*path));
        ended.filter(|_| is_whole).and_then(|(path, _)| change(path, What::Deleted))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }
}

impl Stamp {
    fn looks_like(&self, other: &Stamp) -> bool {
        (self.modified, self.size, self.inode) == (other.modified, other.size, other.inode)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Written => "was written",
            What::Created => "was created",
            What::Deleted => "was deleted",
        };
        write!(f, "{} {what}", self.path.display())
    }
}
