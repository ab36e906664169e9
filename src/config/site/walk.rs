//! The directories of a site and the `web.config` of each. Looks at the disk, reads no file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::source::{Note, Source};

const MAX_DIRECTORIES: usize = 20_000;
const MAX_DEPTH: usize = 32;

/// What the walk found, directories before those below them, by name.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Absolute.
    pub(super) directories: Vec<PathBuf>,
    pub(super) files: Vec<Found>,
    pub(super) notes: Vec<Note>,
}

/// A `web.config`.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The directory, relative to the root, as it is spelled on the disk.
    pub(super) base: String,
}

/// How far a walk may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) directories: usize,
    pub(super) depth: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { directories: MAX_DIRECTORIES, depth: MAX_DEPTH }
    }
}

/// Directories that are not looked into: what is in them was not written for this site.
pub(crate) const LEFT_OUT: [&str; 2] = ["node_modules", ".git"];

/// `directory` and every directory below it; None if there is a `web.config` among them, or too many to tell.
pub(crate) fn directories_below(directory: &Path) -> Option<Vec<PathBuf>> {
    let found = walk(directory, Bounds::default());
    (found.files.is_empty() && found.notes.is_empty()).then_some(found.directories)
}

/// One directory that is still to be looked into.
struct Pending {
    path: PathBuf,
    base: String,
    depth: usize,
    /// The real paths of this directory and of those above it, as far as links were followed.
    real: Arc<Real>,
}

struct Real {
    path: PathBuf,
    above: Option<Arc<Real>>,
}

pub(super) fn walk(root: &Path, bounds: Bounds) -> Walk {
    let mut walk = Walk::default();
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let first = Arc::new(Real { path: real.clone(), above: None });
    let mut pending = vec![Pending { path: root.to_owned(), base: String::new(), depth: 0, real: first }];
    let mut too_deep = false;
    while let Some(directory) = pending.pop() {
        if walk.directories.len() == bounds.directories {
            let what = format!(
                "the site has more than {} directories; those from here on are not looked into for a web.config",
                bounds.directories
            );
            walk.notes.push(Note::warning(at(&directory.path), what));
            break;
        }
        let below = look(&directory, &real, &mut walk);
        walk.directories.push(directory.path.clone());
        if directory.depth == bounds.depth {
            if !below.is_empty() && !too_deep {
                too_deep = true;
                let what = format!(
                    "directories more than {} deep, such as those in here, are not looked into for a web.config",
                    bounds.depth
                );
                walk.notes.push(Note::warning(at(&directory.path), what));
            }
            continue;
        }
        // Taken from the end, so the first comes last.
        pending.extend(below.into_iter().rev());
    }
    walk
}

/// Finds the `web.config` of one directory, and the directories below it.
fn look(directory: &Pending, root: &Path, walk: &mut Walk) -> Vec<Pending> {
    let mut below = Vec::new();
    let mut configs: Vec<String> = Vec::new();
    let entries = match std::fs::read_dir(&directory.path) {
        Ok(entries) => entries,
        Err(error) => {
            let what = format!("this directory cannot be looked into for a web.config: {error}");
            walk.notes.push(Note::warning(at(&directory.path), what));
            return below;
        }
    };
    for entry in entries.flatten() {
        // No request can name what is not UTF-8.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        let path = directory.path.join(&name);
        if name.eq_ignore_ascii_case("web.config") && !path.is_dir() {
            configs.push(name);
        } else if !LEFT_OUT.contains(&name.as_str()) {
            let real = match kind {
                kind if kind.is_dir() => directory.real.path.join(&name),
                kind if kind.is_symlink() && path.is_dir() => match path.canonicalize() {
                    Ok(real) if real.starts_with(root) && !directory.real.contains(&real) => real,
                    _ => continue,
                },
                _ => continue,
            };
            let base = if directory.base.is_empty() { name } else { format!("{}/{name}", directory.base) };
            let real = Arc::new(Real { path: real, above: Some(directory.real.clone()) });
            below.push(Pending { path, base, depth: directory.depth + 1, real });
        }
    }
    below.sort_by(|one, other| one.base.cmp(&other.base));
    // The exact spelling first, then any, always the same.
    configs.sort_by_key(|name| (name != "web.config", name.clone()));
    if let Some(name) = configs.first() {
        let path = directory.path.join(name);
        for other in &configs[1..] {
            let what = format!("not read: `{name}` is in the same directory");
            walk.notes.push(Note::warning(at(&directory.path.join(other)), what));
        }
        walk.files.push(Found { path, base: directory.base.clone() });
    }
    below
}

impl Real {
    /// Whether a path is one of these, so that following it would lead round in a circle.
    fn contains(&self, path: &Path) -> bool {
        let mut real = Some(self);
        while let Some(here) = real {
            if here.path == path {
                return true;
            }
            real = here.above.as_deref();
        }
        false
    }
}

fn at(path: &Path) -> Source {
    Source::File { path: path.into(), line: 1, column: 1 }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Bounds, Walk, walk};

    fn bases(walk: &Walk) -> Vec<&str> {
        walk.files.iter().map(|found| found.base.as_str()).collect()
    }

    #[test]
    fn web_configs_are_found_in_any_case_and_not_among_packages() {
        let site = tempfile::tempdir().unwrap();
        for file in
            ["b/Web.Config", "a/c/WEB.CONFIG", "node_modules/x/web.config", ".git/web.config", "Web.config"]
        {
            let path = site.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = walk(site.path(), Bounds::default());
        assert_eq!(bases(&found), ["", "a/c", "b"]);
        assert_eq!(found.directories.len(), 4);
        assert!(found.notes.is_empty());
        fs::write(site.path().join("web.config"), "").unwrap();
        let found = walk(site.path(), Bounds::default());
        assert!(found.files[0].path.ends_with("web.config"));
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].to_string().contains("Web.config:1:1: warning: not read"));
    }

    #[test]
    fn links_are_followed_inside_the_site_and_never_round_in_a_circle() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("web.config"), "").unwrap();
        let site = tempfile::tempdir().unwrap();
        fs::create_dir_all(site.path().join("a/b")).unwrap();
        fs::write(site.path().join("a/b/web.config"), "").unwrap();
        symlink(outside.path(), site.path().join("out")).unwrap();
        symlink(site.path().join("a"), site.path().join("a/b/up")).unwrap();
        symlink(site.path(), site.path().join("self")).unwrap();
        symlink(site.path().join("a/b"), site.path().join("link")).unwrap();
        let found = walk(site.path(), Bounds::default());
        assert!(bases(&found).starts_with(&["a/b", "link"]) && found.files.len() <= 3, "{:?}", bases(&found));
    }

    #[test]
    fn a_walk_ends_at_its_bounds_and_says_so() {
        let site = tempfile::tempdir().unwrap();
        fs::create_dir_all(site.path().join("a/b/c/d")).unwrap();
        let found = walk(site.path(), Bounds { directories: 100, depth: 2 });
        assert_eq!((found.directories.len(), found.notes.len()), (3, 1));
        let found = walk(site.path(), Bounds { directories: 2, depth: 9 });
        assert_eq!((found.directories.len(), found.notes.len()), (2, 1));
    }
}
