//! The trees of a site while they grow, from the root down: what each folder inherits, and from which of two states.
//!
//! IIS has a list of applications. Here a folder below the root is an application of its own if its configuration says how
//! an application is run; every other folder is part of the application above it. Only the former do not inherit what a
//! `<location inheritInChildApplications="false">` says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::AppLayer;
use super::programs::{self, Gathered};
use super::read::Piece;
use super::state::{State, directory_of};
use crate::config::fastcgi::outside::Outside;
use crate::config::source::Note;
use crate::rules::policy::{Policy, Tree};

pub(super) struct Building {
    pub(super) policies: Tree<Policy>,
    pub(super) layers: Tree<AppLayer>,
    pub(super) gathered: Gathered,
    /// By path in lower case, for those below to inherit.
    folders: BTreeMap<String, Folder>,
}

struct Folder {
    own: State,
    /// What applications nested below inherit; None if that is all of it.
    inheritable: Option<State>,
}

impl Folder {
    fn inheritable(&self) -> &State {
        self.inheritable.as_ref().unwrap_or(&self.own)
    }
}

impl Building {
    pub(super) fn new(root: &Path, outside: Outside) -> Building {
        let own = State::of_nobody(root, outside);
        Building {
            policies: Tree::new(Arc::new(own.policy())),
            layers: Tree::new(own.layer.clone()),
            gathered: Gathered::default(),
            folders: BTreeMap::from([(String::new(), Folder { own, inheritable: None })]),
        }
    }

    /// Adds what `pieces` say of `path`, a path in lower case; what lies above it has been added. Returns what is to be said.
    pub(super) fn add(&mut self, path: String, pieces: Vec<Piece>, root: &Path) -> Vec<Note> {
        if pieces.is_empty() {
            return Vec::new();
        }
        let is_application = pieces.iter().any(|piece| begins_application(piece, root));
        let Some(above) = self.above(&path) else { return Vec::new() };
        let mut own = if is_application { above.inheritable().clone() } else { above.own.clone() };
        let is_parted = above.inheritable.is_some() && !is_application;
        let mut inheritable = (is_parted || pieces.iter().any(|piece| !piece.is_inherited))
            .then(|| above.inheritable().clone());
        let mut notes = Vec::new();
        for piece in pieces {
            let again =
                inheritable.as_mut().filter(|_| piece.is_inherited).map(|state| (state, piece.clone()));
            notes.append(&mut own.apply(piece, root, &mut self.gathered));
            if let Some((state, piece)) = again {
                // All that is to be said and gathered has been.
                state.apply(piece, root, &mut Gathered::default());
            }
        }
        self.gathered.join(&path, &own.layer, &own.mapped);
        self.policies.set(&path, Arc::new(own.policy()));
        self.layers.set(&path, own.layer.clone());
        self.folders.insert(path, Folder { own, inheritable });
        notes
    }

    /// The nearest folder at or above a path that has been added.
    fn above(&self, path: &str) -> Option<&Folder> {
        let mut above = path;
        loop {
            if let Some(folder) = self.folders.get(above) {
                return Some(folder);
            }
            above = above.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
}

/// Whether a piece makes its target an application of its own. A file, or a folder that is not there, never is one.
fn begins_application(piece: &Piece, root: &Path) -> bool {
    programs::begins_application(&piece.configuration)
        && directory_of(&piece.base, &piece.target, root).to_lowercase() == piece.target.to_lowercase()
}
