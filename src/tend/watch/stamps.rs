//! What single files were like when they were last looked at.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A few files, each with what tells one state of it from another; also that it did not exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

/// Inode, time of the last change with nanoseconds, size.
type Stamp = (u64, i64, i64, u64);

impl Stamps {
    pub(crate) fn of(files: &[PathBuf]) -> Stamps {
        Stamps(files.iter().map(|file| (file.clone(), stamp(file))).collect())
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.keys().cloned().collect()
    }

    /// What `other` says of files that are in both holds.
    pub(crate) fn prefer(&mut self, other: &Stamps) {
        for (file, stamp) in &mut self.0 {
            if let Some(known) = other.0.get(file) {
                *stamp = *known;
            }
        }
    }

    /// Every file that is not as it was, or is in one of both only.
    pub(crate) fn differences(&self, newer: &Stamps) -> Vec<PathBuf> {
        let gone = self.0.iter().filter(|(file, stamp)| stamp.is_some() && !newer.0.contains_key(*file));
        let other = newer.0.iter().filter(|(file, stamp)| self.0.get(*file).unwrap_or(&None) != *stamp);
        gone.chain(other).map(|(file, _)| file.clone()).collect()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let about = file.metadata().ok()?;
    Some((about.ino(), about.mtime(), about.mtime_nsec(), about.size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that are like this: by name the size, None for one that does not exist.
    fn stamps(files: &[(&str, Option<u64>)]) -> Stamps {
        let stamp = |size: u64| (1, 2, 3, size);
        Stamps(files.iter().map(|(name, size)| (PathBuf::from(name), size.map(stamp))).collect())
    }

    #[test]
    fn a_difference_is_a_file_that_is_not_as_it_was_or_is_there_in_one_state_only() {
        for (before, now, different) in [
            (&[("a", Some(1))][..], &[("a", Some(1))][..], &[][..]),
            (&[("a", Some(1))], &[("a", Some(2))], &["a"]),
            (&[("a", Some(1))], &[("a", None)], &["a"]),
            (&[("a", None)], &[("a", Some(1))], &["a"]),
            // A file that is looked for no longer has gone; one that never was has not.
            (&[("a", Some(1))], &[], &["a"]),
            (&[("a", None)], &[], &[]),
            (&[], &[("a", Some(1))], &["a"]),
            (&[], &[("a", None)], &[]),
            (&[("a", Some(1)), ("b", Some(1))], &[("b", Some(2)), ("c", Some(3))], &["a", "b", "c"]),
        ] {
            let mut found = stamps(before).differences(&stamps(now));
            found.sort();
            assert_eq!(found, different.iter().map(PathBuf::from).collect::<Vec<_>>(), "{before:?} {now:?}");
        }
    }

    #[test]
    fn what_was_seen_before_reading_is_preferred_for_files_that_both_know() {
        let mut read = stamps(&[("a", Some(2)), ("b", Some(2)), ("new", Some(1))]);
        read.prefer(&stamps(&[("a", Some(1)), ("b", None), ("old", Some(1))]));
        let expected = stamps(&[("a", Some(1)), ("b", None), ("new", Some(1))]);
        assert_eq!(read.0, expected.0);
        // So a write between the two is a difference to whoever looks next.
        assert_eq!(
            read.differences(&stamps(&[("a", Some(2)), ("b", None), ("new", Some(1))])),
            [PathBuf::from("a")]
        );
    }

    #[test]
    fn the_stamp_of_a_file_changes_with_its_content_its_place_and_its_existence() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["here", "absent"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], "1").unwrap();
        let mut last = Stamps::of(&files);
        assert_eq!(last.differences(&Stamps::of(&files)), [] as [PathBuf; 0]);
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(&files[0], "longer").unwrap(),
            &|| {
                std::fs::write(folder.path().join("beside"), "LONGER").unwrap();
                std::fs::rename(folder.path().join("beside"), &files[0]).unwrap();
            },
            &|| std::fs::remove_file(&files[0]).unwrap(),
            &|| std::fs::write(&files[0], "").unwrap(),
        ];
        for change in changes {
            change();
            let now = Stamps::of(&files);
            assert_eq!(last.differences(&now), [files[0].clone()]);
            last = now;
        }
    }
}
