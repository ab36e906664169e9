//! The configuration of one site: every `web.config` below its root, inherited and compiled into policies.

mod applications;
mod check;
mod collection;
#[cfg(test)]
mod corpus;
mod errors;
mod external;
mod file;
mod filtering;
mod findings;
mod locks;
mod read;
mod rewrite;
mod schema;
mod serving;
mod state;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::{Located, Note, Source};
use crate::rules::mapping::Mapped;
use crate::rules::policy::{Policy, Tree};
use read::{Piece, pieces};
use state::State;
use walk::{Bounds, walk};
pub(crate) use walk::{LEFT_OUT, directories_below};

/// A site's configuration, as far as it does not depend on the script that is asked for.
#[derive(Debug)]
pub(crate) struct SiteConfig {
    pub(crate) root: PathBuf,
    pub(crate) policies: Tree<Policy>,
    pub(crate) layers: Tree<AppLayer>,
    /// In the order of files and lines.
    pub(crate) notes: Vec<Note>,
    /// Every configuration file that was read, absolute; a change of one of them calls for loading again.
    pub(crate) files: Vec<PathBuf>,
    /// Every directory that was looked into for a `web.config`, absolute.
    pub(crate) directories: Vec<PathBuf>,
    /// `applicationInitialization`: URLs to ask for at start.
    pub(crate) warm_up: Vec<Located<String>>,
    /// Every handler of iisnode, with the place of its path.
    pub(crate) handlers: Vec<Located<Mapped>>,
}

/// What the files of a directory say to the applications in it, inherited values included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AppLayer {
    /// The nearest directory with a `web.config` that says something about applications, absolute; the root if none.
    pub(crate) directory: PathBuf,
    /// Attributes of `system.webServer/iisnode` as written.
    pub(crate) iisnode: Vec<(Box<str>, Located<String>)>,
    /// `appSettings`, in order, one value a key.
    pub(crate) app_settings: Vec<(Box<str>, Located<String>)>,
    /// Errors that keep applications of this directory from running.
    pub(crate) errors: Vec<Note>,
}

/// Reads the whole site. Never fails: what is wrong is in the notes, and in [`Policy::broken`] and [`AppLayer::errors`]
/// of the directories concerned.
pub(crate) fn load(root: &Path) -> SiteConfig {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let found = walk(&root, Bounds::default());
    let mut notes = found.notes;
    let mut files: Vec<PathBuf> = Vec::new();
    // By path in lower case, so that what is above comes before what is below.
    let mut targets: BTreeMap<String, Vec<Piece>> = BTreeMap::from([(String::new(), Vec::new())]);
    for file in &found.files {
        files.push(file.path.clone());
        for piece in pieces(&root, &file.path, &file.base, &mut files) {
            targets.entry(piece.target.to_lowercase()).or_default().push(piece);
        }
    }
    let mut config = Building::new(&root);
    for (key, mut pieces) in targets {
        // A farther file first, so that a nearer one may change what it says.
        pieces.sort_by_key(|piece| piece.base.len());
        notes.append(&mut config.add(key, pieces, &root));
    }
    let order: HashMap<&Path, usize> = files.iter().enumerate().map(|(at, file)| (&**file, at)).collect();
    notes.sort_by_cached_key(|note| match &note.source {
        Source::File { path, line, column } => (order.get(&**path).copied(), *line, *column),
        _ => (None, 0, 0),
    });
    let Building { policies, layers, warm_up, handlers, .. } = config;
    SiteConfig { root, policies, layers, notes, files, directories: found.directories, warm_up, handlers }
}

/// The trees while they grow, from the root down.
struct Building {
    policies: Tree<Policy>,
    layers: Tree<AppLayer>,
    warm_up: Vec<Located<String>>,
    handlers: Vec<Located<Mapped>>,
    /// By path in lower case, for those below to inherit.
    states: BTreeMap<String, State>,
}

impl Building {
    fn new(root: &Path) -> Building {
        let state = State::of_nobody(root);
        Building {
            policies: Tree::new(Arc::new(state.policy())),
            layers: Tree::new(state.layer.clone()),
            warm_up: Vec::new(),
            handlers: Vec::new(),
            states: BTreeMap::from([(String::new(), state)]),
        }
    }

    fn add(&mut self, path: String, pieces: Vec<Piece>, root: &Path) -> Vec<Note> {
        if pieces.is_empty() {
            return Vec::new();
        }
        let mut state = self.inherited(&path);
        let mut notes = Vec::new();
        for piece in pieces {
            notes.append(&mut state.apply(piece, root, &mut self.warm_up, &mut self.handlers));
        }
        self.policies.set(&path, Arc::new(state.policy()));
        self.layers.set(&path, state.layer.clone());
        self.states.insert(path, state);
        notes
    }

    fn inherited(&self, path: &str) -> State {
        let mut above = path;
        loop {
            if let Some(state) = self.states.get(above) {
                return state.clone();
            }
            above = above.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}
