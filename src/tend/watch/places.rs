//! Which directories are watched, and by which path: kept true while directories come, go, and change their identity.
//!
//! Besides the directories asked for, their parents are watched, and those that hold links on the way to them: a
//! directory that is deleted while a worker stands in it tells nothing itself, and a swapped link (`current`) tells
//! nothing at all. Of those only the names on the way count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::inotify::ReadFlags;

use super::Trust;
use super::poll::Poll;
use super::trust::{nearest_directory, sends_events};
use crate::base::sentinel::{Event, Role, Sentinel, WatchId};

/// Trees are watched up to here; what lies beyond is seen by the sweep.
const MOST_DIRECTORIES: usize = 20_000;
/// More changed paths than this are told as "anything may have changed".
const MOST_PATHS: usize = 10_000;
/// How often the way to a directory is looked at anew because it grew meanwhile.
const MOST_LOOKS: usize = 64;

#[derive(Debug)]
pub(super) struct Places {
    sentinel: Arc<Sentinel>,
    wanted: BTreeMap<PathBuf, Want>,
    held: BTreeMap<PathBuf, Held>,
    /// One directory may be reached by several paths.
    by_id: HashMap<WatchId, Vec<PathBuf>>,
    pub(super) poll: Poll,
    has_warned: HashSet<&'static str>,
}

#[derive(Debug, Clone, Copy)]
struct Want {
    role: Role,
    is_tree: bool,
    is_polled: bool,
}

#[derive(Debug)]
struct Held {
    id: WatchId,
    identity: Identity,
    /// None for those on the way.
    role: Option<Role>,
    is_tree: bool,
}

/// Numbers of inodes are used again at once on some file systems; the time of birth tells them apart.
type Identity = (u64, u64, Option<SystemTime>);

/// What one round brought to light.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) paths: BTreeSet<PathBuf>,
    /// Anything may have changed.
    pub(super) overflow: bool,
    /// The kernel dropped events.
    pub(super) has_lost: bool,
    /// Paths that may lead to another directory now, or to none.
    suspects: BTreeSet<PathBuf>,
    /// Watches that the kernel ended.
    dead: BTreeSet<WatchId>,
}

impl Found {
    pub(super) fn add(&mut self, path: PathBuf) {
        if self.paths.len() < MOST_PATHS {
            self.paths.insert(path);
        } else {
            self.overflow = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.overflow
    }
}

impl Places {
    pub(super) fn new(sentinel: Arc<Sentinel>, poll: Poll) -> Places {
        Places {
            sentinel,
            wanted: BTreeMap::new(),
            held: BTreeMap::new(),
            by_id: HashMap::new(),
            poll,
            has_warned: HashSet::new(),
        }
    }

    pub(super) fn want(&mut self, path: &Path, role: Role, is_tree: bool) -> Trust {
        let fresh = Want { role, is_tree, is_polled: false };
        let want = self.wanted.entry(path.to_owned()).or_insert(fresh);
        want.role = want.role.max(role);
        want.is_tree |= is_tree;
        self.arrange(path, None)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Path) -> bool) {
        self.wanted.retain(|path, _| keep(path));
        self.poll.retain(&keep);
        self.prune();
    }

    /// Notes what an event is about; looks at nothing.
    pub(super) fn note(&self, event: &Event<'_>, found: &mut Found) {
        const ENDS: ReadFlags = ReadFlags::IGNORED.union(ReadFlags::UNMOUNT);
        if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            found.has_lost = true;
            found.overflow = true;
        }
        for place in self.by_id.get(&event.id).into_iter().flatten() {
            let is_asked_for = self.held.get(place).is_some_and(|held| held.role.is_some());
            let Some(name) = event.name else {
                if event.flags.intersects(ENDS) {
                    found.dead.insert(event.id);
                }
                found.suspects.insert(place.clone());
                if is_asked_for {
                    found.add(place.clone());
                }
                continue;
            };
            let path = place.join(name);
            let is_on_the_way = below(&self.wanted, &path).next().is_some();
            if is_asked_for || is_on_the_way {
                found.add(path.clone());
                if is_on_the_way || event.flags.contains(ReadFlags::ISDIR) {
                    found.suspects.insert(path);
                }
            }
        }
    }

    /// Makes the watches fit again after what was found, and adds what thereby came to light.
    pub(super) fn mend(&mut self, found: &mut Found) {
        for id in std::mem::take(&mut found.dead) {
            for path in self.by_id.remove(&id).into_iter().flatten() {
                self.held.remove(&path);
                found.suspects.insert(path);
            }
        }
        let suspects = std::mem::take(&mut found.suspects);
        if found.has_lost {
            self.sweep(found);
            // Directories made meanwhile told nothing.
            for path in self.wanted.keys().cloned().collect::<Vec<_>>() {
                self.walk_again(&path);
            }
            return;
        }
        for path in suspects {
            self.mend_at(&path, found);
        }
    }

    /// Looks at every place: events cannot tell of everything.
    pub(super) fn sweep(&mut self, found: &mut Found) {
        self.mend_at(Path::new("/"), found);
        for path in self.poll.retry() {
            found.add(path);
        }
        self.prune();
    }

    fn mend_at(&mut self, path: &Path, found: &mut Found) {
        let stale: Vec<PathBuf> = below(&self.held, path)
            .filter(|(path, held)| identity(path).ok() != Some(held.identity))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            if self.release(&path).is_some_and(|held| held.role.is_some()) {
                found.add(path);
            }
        }
        let wanted: Vec<PathBuf> = below(&self.wanted, path).map(|(path, _)| path.clone()).collect();
        for path in wanted {
            self.arrange(&path, Some(found));
        }
        let tree = path.parent().and_then(|parent| self.held.get(parent)).filter(|held| held.is_tree);
        let Some(role) = tree.and_then(|held| held.role) else { return };
        let is_new = !self.held.get(path).is_some_and(|held| held.is_tree);
        if is_new && is_directory(path) && self.walk(path, role, true, Some(found)).is_err() {
            let roots = path.ancestors().filter(|above| self.wanted.get(*above).is_some_and(|it| it.is_tree));
            for root in roots.map(Path::to_owned).collect::<Vec<_>>() {
                self.poll_instead(&root);
            }
        }
    }

    /// Watches a wanted directory, or for its appearance; what is new in it is reported if asked.
    fn arrange(&mut self, path: &Path, found: Option<&mut Found>) -> Trust {
        let Some(want) = self.wanted.get(path).copied() else { return Trust::Events };
        if want.is_polled || !sends_events(path) {
            self.poll_instead(path);
            return Trust::Polling;
        }
        match self.hold_with_the_way(path, want, found) {
            Ok(()) => Trust::Events,
            Err(error) => {
                self.warn_of(path, &error);
                self.poll_instead(path);
                Trust::Polling
            }
        }
    }

    fn hold_with_the_way(&mut self, path: &Path, want: Want, found: Option<&mut Found>) -> io::Result<()> {
        for _ in 0..MOST_LOOKS {
            let nearest = nearest_directory(path);
            for place in way(&nearest) {
                // Somebody else's directory may refuse; then the sweep is what is left.
                self.hold(&place, None, false)
                    .or_else(|error| if is_full(&error) { Err(error) } else { Ok(false) })?;
            }
            if nearest == path {
                return match self.hold(path, Some(want.role), want.is_tree) {
                    Ok(true) => self.walk(path, want.role, want.is_tree, found),
                    Ok(false) => Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => Err(error),
                };
            }
            self.hold(&nearest, None, false)
                .or_else(|error| if is_full(&error) { Err(error) } else { Ok(false) })?;
            // The next one may have been made before we watched for it.
            if nearest_directory(path) == nearest {
                break;
            }
        }
        Ok(())
    }

    /// Watches `top` and all directories below, each before it is listed, so that nothing falls between.
    fn walk(
        &mut self,
        top: &Path,
        role: Role,
        is_tree: bool,
        mut found: Option<&mut Found>,
    ) -> io::Result<()> {
        let mut left = vec![top.to_owned()];
        while let Some(place) = left.pop() {
            if self.held.len() >= MOST_DIRECTORIES {
                self.warn_once("size", || {
                    format!(
                        "more than {MOST_DIRECTORIES} directories to watch, the last in {}",
                        top.display()
                    )
                });
                break;
            }
            match self.hold(&place, Some(role), is_tree) {
                Err(error) if is_full(&error) => return Err(error),
                Err(_) => continue,
                Ok(_) => {}
            }
            if !is_tree && found.is_none() {
                break;
            }
            if let Some(found) = &mut found {
                found.add(place.clone());
            }
            for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
                // Links are not followed: they lead in circles.
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_tree && is_directory {
                    left.push(entry.path());
                } else if let Some(found) = &mut found {
                    found.add(entry.path());
                }
            }
        }
        Ok(())
    }

    fn walk_again(&mut self, path: &Path) {
        let Some(want) = self.wanted.get(path).copied() else { return };
        if want.is_tree
            && !want.is_polled
            && is_directory(path)
            && self.walk(path, want.role, true, None).is_err()
        {
            self.poll_instead(path);
        }
    }

    /// Returns true if the directory is watched now in a way it was not before.
    fn hold(&mut self, path: &Path, role: Option<Role>, is_tree: bool) -> io::Result<bool> {
        // Looked at before it is watched: if it is replaced between the two, the next comparison sees it.
        let identity = identity(path)?;
        match self.held.get(path) {
            Some(held) if held.identity != identity => {
                self.release(path);
            }
            Some(held) if held.role >= role && held.is_tree >= is_tree => return Ok(false),
            _ => {}
        }
        let id = self.sentinel.watch(path, role.unwrap_or(Role::Names))?;
        let known = self.release_path_only(path);
        let role = known.as_ref().and_then(|known| known.role).max(role);
        let is_tree = is_tree || known.is_some_and(|known| known.is_tree);
        self.held.insert(path.to_owned(), Held { id, identity, role, is_tree });
        self.by_id.entry(id).or_default().push(path.to_owned());
        Ok(true)
    }

    fn release(&mut self, path: &Path) -> Option<Held> {
        let held = self.release_path_only(path)?;
        if !self.by_id.contains_key(&held.id) {
            self.sentinel.unwatch(held.id);
        }
        Some(held)
    }

    /// Forgets the path; the kernel's watch stays.
    fn release_path_only(&mut self, path: &Path) -> Option<Held> {
        let held = self.held.remove(path)?;
        if let Some(paths) = self.by_id.get_mut(&held.id) {
            paths.retain(|known| known != path);
            if paths.is_empty() {
                self.by_id.remove(&held.id);
            }
        }
        Some(held)
    }

    /// Lets go of what nobody wants any more.
    fn prune(&mut self) {
        let mut needed: HashSet<PathBuf> = HashSet::new();
        for (path, _) in self.wanted.iter().filter(|(_, want)| !want.is_polled) {
            let nearest = nearest_directory(path);
            needed.extend(way(&nearest));
            needed.insert(nearest);
        }
        let is_in_tree = |path: &Path| {
            path.ancestors().any(|above| self.wanted.get(above).is_some_and(|it| it.is_tree && !it.is_polled))
        };
        let idle: Vec<PathBuf> =
            self.held.keys().filter(|path| !needed.contains(*path) && !is_in_tree(path)).cloned().collect();
        for path in idle {
            self.release(&path);
        }
    }

    fn poll_instead(&mut self, path: &Path) {
        if let Some(want) = self.wanted.get_mut(path) {
            want.is_polled = true;
            self.poll.add(path, want.is_tree);
        }
    }

    fn warn_of(&mut self, path: &Path, error: &io::Error) {
        let path = path.display();
        if is_full(error) {
            self.warn_once("limit", || {
                format!("the limit of watched directories is reached, so {path} and others are looked at in intervals; raise fs.inotify.max_user_watches")
            });
        } else if error.kind() != io::ErrorKind::Unsupported {
            tracing::warn!("{path} cannot be watched ({error}), so it is looked at in intervals");
        }
    }

    fn warn_once(&mut self, what: &'static str, text: impl FnOnce() -> String) {
        if self.has_warned.insert(what) {
            tracing::warn!("{}", text());
        }
    }

    #[cfg(test)]
    pub(super) fn held_count(&self) -> usize {
        self.held.len()
    }
}

/// `path` itself, if it is a key, and all keys below it.
fn below<'a, V>(map: &'a BTreeMap<PathBuf, V>, path: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a V)> {
    map.range::<Path, _>((Bound::Included(path), Bound::Unbounded))
        .take_while(move |(it, _)| it.starts_with(path))
}

/// The parent, and every directory that holds a link on the way.
fn way(path: &Path) -> BTreeSet<PathBuf> {
    let links = path.ancestors().filter(|it| it.is_symlink()).filter_map(Path::parent);
    path.parent().into_iter().chain(links).map(Path::to_owned).collect()
}

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

/// Links do not count.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error())
}
