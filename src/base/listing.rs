//! The names in directories, remembered to find one that is asked for in the wrong letter case.
//!
//! Every request for what does not exist comes by here, so a directory is read once and then only asked whether it has
//! changed. Letters are folded one by one, and none beyond ASCII into ASCII: a name that a rule forbids by its ASCII
//! letters is not reached by others.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::RwLock;
use rustix::fs::{AtFlags, Dir, Stat, fstat, statat};
use rustix::io::Errno;

/// Larger directories are not read, or strangers could have us read them again and again.
const MOST_NAMES: usize = 4096;
/// A directory that was too large is not looked at again for so long, whatever becomes of it.
const TOO_LARGE_FOR: Duration = Duration::from_secs(10);
/// The kernel's times have steps: of a directory that changed this shortly ago, a later change may look the same.
const UNSETTLED_FOR: Duration = Duration::from_millis(100);
/// Names remembered in all; beyond, all are forgotten.
const MOST_REMEMBERED: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Listings {
    remembered: RwLock<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// By path, spelled as on the disk.
    listings: HashMap<Box<str>, Arc<Listing>>,
    /// What the listings cost: a name each, and one for themselves.
    size: usize,
}

#[derive(Debug)]
pub(super) struct Listing {
    stamp: Stamp,
    read: Instant,
    /// None if there are too many.
    names: Option<Names>,
}

/// The names of one directory, by what they are folded to.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Box<str>, Spelling>);

#[derive(Debug)]
enum Spelling {
    One(Box<str>),
    Several(Vec<Box<str>>),
}

/// Changes whenever a name comes or goes.
#[derive(Debug, PartialEq, Eq)]
struct Stamp([i128; 4]);

impl Listings {
    /// The names in the directory `path` below `root`; `open` opens it for reading, without ever leaving the root.
    pub(super) fn of(
        &self,
        root: &OwnedFd,
        path: &str,
        open: impl FnOnce() -> Result<OwnedFd, Errno>,
    ) -> Option<Arc<Listing>> {
        if let Some(listing) = self.remembered.read().listings.get(path).cloned()
            && listing.still_holds(root, path)
        {
            return Some(listing);
        }
        let listing = Arc::new(Listing::read(open().ok()?).ok()?);
        if listing.names.is_none() || listing.stamp.is_settled() {
            self.remembered.write().keep(path, listing.clone());
        }
        Some(listing)
    }

    /// Whether the next look at `path` costs no reading.
    #[cfg(test)]
    pub(super) fn remembers(&self, path: &str) -> bool {
        self.remembered.read().listings.get(path).is_some_and(|listing| listing.stamp.is_settled())
    }
}

impl Remembered {
    fn keep(&mut self, path: &str, listing: Arc<Listing>) {
        if self.size + listing.size() > MOST_REMEMBERED {
            self.listings.clear();
            self.size = 0;
        }
        self.size += listing.size();
        if let Some(old) = self.listings.insert(path.into(), listing) {
            self.size -= old.size();
        }
    }
}

impl Listing {
    fn read(directory: OwnedFd) -> Result<Listing, Errno> {
        // Before the names, so that a change while they are read shows.
        let stamp = Stamp::of(&fstat(&directory)?);
        let mut names = Some(Names::default());
        let mut entries = Dir::new(directory)?;
        let mut count = 0;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") {
                continue;
            }
            count += 1;
            if count > MOST_NAMES {
                names = None;
                break;
            }
            if let Some(names) = &mut names {
                names.add(name);
            }
        }
        Ok(Listing { stamp, read: Instant::now(), names })
    }

    /// The names; None if there are too many of them.
    pub(super) fn get(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// The stamp came from a directory below the root. Should the path lead elsewhere by now, then to one that is
    /// equal in all, and what is found there is opened with care.
    fn still_holds(&self, root: &OwnedFd, path: &str) -> bool {
        if self.names.is_none() && self.read.elapsed() < TOO_LARGE_FOR {
            return true;
        }
        let path = if path.is_empty() { "." } else { path };
        statat(root, path, AtFlags::empty()).is_ok_and(|stat| Stamp::of(&stat) == self.stamp)
    }

    fn size(&self) -> usize {
        1 + self.names.as_ref().map_or(0, |names| names.0.len())
    }
}

impl Names {
    fn add(&mut self, name: &str) {
        match self.0.entry(folded(name).into_boxed_str()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Spelling::One(name.into()));
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Spelling::One(other) => {
                    let other = std::mem::take(other);
                    entry.insert(Spelling::Several(vec![other, name.into()]));
                }
                Spelling::Several(others) => others.push(name.into()),
            },
        }
    }

    /// How `name` is spelled: as it is if that exists, else as the only one that differs in case alone.
    pub(super) fn spelling(&self, name: &str) -> Option<&str> {
        match self.0.get(folded(name).as_str())? {
            Spelling::One(spelling) => Some(spelling),
            Spelling::Several(spellings) => {
                spellings.iter().find(|spelling| ***spelling == *name).map(|spelling| &**spelling)
            }
        }
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Stamp {
        let ns = |seconds: i64, ns: i128| i128::from(seconds) * 1_000_000_000 + ns;
        Stamp([
            i128::from(stat.st_dev),
            i128::from(stat.st_ino),
            ns(stat.st_mtime, stat.st_mtime_nsec as i128),
            ns(stat.st_ctime, stat.st_ctime_nsec as i128),
        ])
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let latest = self.0[2].max(self.0[3]);
        latest + (UNSETTLED_FOR.as_nanos() as i128) < now.as_nanos() as i128
    }
}

/// The name in one case.
fn folded(name: &str) -> String {
    name.chars().map(fold).collect()
}

fn fold(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let mut lower = letter.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) if !lower.is_ascii() => lower,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, folded};

    #[test]
    fn one_spelling_is_found_in_any_case_and_several_only_as_they_are() {
        let mut names = Names::default();
        ["README.md", "a.js", "A.js", "Straße", "ÄRGER"].iter().for_each(|name| names.add(name));
        for (asked, spelling) in [
            ("readme.MD", Some("README.md")),
            ("a.js", Some("a.js")),
            ("A.js", Some("A.js")),
            ("A.JS", None),
            ("ärger", Some("ÄRGER")),
            ("STRASSE", None),
            ("b.js", None),
        ] {
            assert_eq!(names.spelling(asked), spelling, "{asked}");
        }
    }

    /// The sign of the Kelvin is a K to Unicode, and to no rule that forbids `backup`.
    #[test]
    fn no_letter_beyond_ascii_stands_for_one_of_ascii() {
        assert_ne!(folded("bac\u{212a}up"), folded("backup"));
        assert_ne!(folded("\u{130}isnode"), folded("iisnode"));
    }
}
