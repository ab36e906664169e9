//! Which directories are watched, and for what: those of sites, which the planner knows, and those of applications.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::watch::list::WatchedFiles;
use super::super::watch::{Changes, Role, Trust, Watch};

/// More directories of sites than this are not watched for new configuration files.
const MOST_DIRECTORIES: usize = 8192;

pub(super) struct Places {
    watch: Watch,
    /// Of sites.
    directories: HashSet<(PathBuf, Role)>,
    /// Of applications, for as long as the host lives: they come back to them.
    kept: HashSet<PathBuf>,
    /// Those that tell nothing by themselves.
    distrusted: HashSet<PathBuf>,
    are_all: bool,
}

impl Places {
    pub(super) fn new(watch: Watch) -> Places {
        Places {
            watch,
            directories: HashSet::new(),
            kept: HashSet::new(),
            distrusted: HashSet::new(),
            are_all: true,
        }
    }

    pub(super) async fn next(&mut self) -> Changes {
        self.watch.next().await
    }

    /// Watches what an application's files are told from.
    pub(super) fn keep(&mut self, directory: &Path) {
        self.watch.directory(directory, Role::Contents);
        self.kept.insert(directory.to_owned());
    }

    pub(super) fn keep_list(&mut self, watched: &WatchedFiles) {
        for (directory, deep) in watched.directories() {
            if deep {
                self.watch.tree(&directory, Role::Contents);
            } else {
                self.watch.directory(&directory, Role::Contents);
            }
            self.kept.insert(directory);
        }
    }

    /// Watches the directories of sites as they are now, and forgets those that were. Returns the new ones: what was
    /// written into them before they were watched is for the caller to look for.
    pub(super) fn follow(&mut self, wanted: Vec<(PathBuf, Role)>) -> Vec<PathBuf> {
        let mut fresh = Vec::new();
        let mut all: HashSet<(PathBuf, Role)> = HashSet::with_capacity(wanted.len());
        self.are_all = true;
        for place in wanted {
            if all.len() >= MOST_DIRECTORIES && !all.contains(&place) {
                self.are_all = false;
                continue;
            }
            if !self.directories.contains(&place) {
                if self.watch.directory(&place.0, place.1) != Trust::Events {
                    self.distrusted.insert(place.0.clone());
                }
                fresh.push(place.0.clone());
            }
            all.insert(place);
        }
        let is_lost = self.directories.iter().any(|place| !all.contains(place));
        self.directories = all;
        if is_lost {
            let all = &self.directories;
            self.distrusted.retain(|path| all.iter().any(|(place, _)| place == path));
            let sites = self.directories.iter().map(|(path, _)| path.clone());
            self.watch.retain(&sites.chain(self.kept.iter().cloned()).collect());
        }
        fresh
    }

    /// Whether every directory of the sites tells when something happens in it.
    pub(super) fn are_trusted(&self) -> bool {
        self.are_all && self.distrusted.is_empty()
    }
}
