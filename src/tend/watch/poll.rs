//! Looks at directories in intervals, on a thread of its own, where events cannot be had.
//!
//! The thread that finds a change raises the sentinel itself, so that requests wait for what follows, and leaves what
//! it found for the control plane to fetch. It compares whole seconds only, so whoever fetches looks again soon after.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Config, PollWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::sentinel::{Evaluating, Sentinel};

/// More than these are told as "anything may have changed".
const MOST_PATHS: usize = 10_000;
/// A setting of 0 would burn a core.
const SHORTEST: Duration = Duration::from_millis(10);

pub(super) struct Poll {
    interval: Duration,
    /// Made when first needed: it has a thread.
    watcher: Option<PollWatcher>,
    places: BTreeMap<PathBuf, Polled>,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Copy)]
struct Polled {
    is_tree: bool,
    is_found: bool,
}

struct Shared {
    sentinel: Arc<Sentinel>,
    findings: Mutex<Option<Findings>>,
    arrived: Notify,
}

#[derive(Debug)]
pub(super) struct Findings {
    pub(super) paths: Vec<PathBuf>,
    pub(super) overflow: bool,
    pub(super) guard: Evaluating,
}

impl Poll {
    pub(super) fn new(sentinel: Arc<Sentinel>, interval: Duration) -> Poll {
        let shared = Shared { sentinel, findings: Mutex::default(), arrived: Notify::new() };
        let places = BTreeMap::new();
        Poll { interval: interval.max(SHORTEST), watcher: None, places, shared: Arc::new(shared) }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    pub(super) fn add(&mut self, path: &Path, is_tree: bool) {
        let known = self.places.get(path).copied();
        if known.is_some_and(|known| known.is_found && known.is_tree >= is_tree) {
            return;
        }
        let is_tree = is_tree || known.is_some_and(|known| known.is_tree);
        let is_found = path.is_dir() && self.watch(path, is_tree);
        self.places.insert(path.to_owned(), Polled { is_tree, is_found });
    }

    /// Adds those that were missing and no longer are; returns them.
    pub(super) fn retry(&mut self) -> Vec<PathBuf> {
        let missing: Vec<_> = self.places.iter().filter(|(_, place)| !place.is_found).collect();
        let missing: Vec<(PathBuf, bool)> =
            missing.into_iter().map(|(path, place)| (path.clone(), place.is_tree)).collect();
        for (path, is_tree) in &missing {
            self.add(path, *is_tree);
        }
        let is_found = |path: &PathBuf| self.places.get(path).is_some_and(|place| place.is_found);
        missing.into_iter().map(|(path, _)| path).filter(is_found).collect()
    }

    pub(super) fn has_missing(&self) -> bool {
        self.places.values().any(|place| !place.is_found)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Path) -> bool) {
        let gone: Vec<PathBuf> = self.places.keys().filter(|path| !keep(path)).cloned().collect();
        for path in gone {
            self.places.remove(&path);
            if let Some(watcher) = &mut self.watcher {
                // It fails for what was not found yet.
                let _ = watcher.unwatch(&path);
            }
        }
        if self.places.is_empty() {
            self.watcher = None;
        }
    }

    /// Waits until there is something to fetch.
    pub(super) async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    pub(super) fn fetch(&self) -> Option<Findings> {
        self.shared.findings.lock().take()
    }

    fn watch(&mut self, path: &Path, is_tree: bool) -> bool {
        if self.watcher.is_none() {
            let shared = self.shared.clone();
            let handler = move |event: notify::Result<notify::Event>| shared.add(event);
            let config = Config::default().with_poll_interval(self.interval).with_follow_symlinks(false);
            self.watcher = PollWatcher::new(handler, config)
                .inspect_err(|error| tracing::warn!("files cannot be looked at in intervals: {error}"))
                .ok();
        }
        let mode = if is_tree { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        self.watcher.as_mut().is_some_and(|watcher| watcher.watch(path, mode).is_ok())
    }
}

impl Shared {
    fn add(&self, event: notify::Result<notify::Event>) {
        // A directory that is away, or a server that is: the sweep goes on looking.
        let Ok(event) = event else { return };
        let mut findings = self.findings.lock();
        let sum = findings.get_or_insert_with(|| Findings {
            paths: Vec::new(),
            overflow: false,
            guard: self.sentinel.raise(),
        });
        if sum.paths.len() < MOST_PATHS {
            sum.paths.extend(event.paths);
        } else {
            sum.overflow = true;
        }
        drop(findings);
        self.arrived.notify_one();
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll")
            .field("interval", &self.interval)
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}
