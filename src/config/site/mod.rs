//! The configuration of one site: every `web.config` below its root, inherited and compiled into policies.

mod applications;
mod building;
mod check;
mod collection;
#[cfg(test)]
mod corpus;
mod errors;
mod external;
mod fast_cgi;
#[cfg(test)]
mod fast_cgi_tests;
mod file;
mod filtering;
mod findings;
mod locks;
mod programs;
#[cfg(test)]
mod programs_tests;
mod read;
mod rewrite;
mod schema;
mod server;
mod serving;
mod state;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fastcgi::outside::Outside;
use super::source::{Located, Note, Source};
use crate::rules::mapping::Mapped;
use crate::rules::policy::{Policy, Tree};
use building::Building;
use programs::Gathered;
use read::{Piece, pieces};
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
    /// Every configuration file that was read, or would be if it were there, absolute; a change of one of them calls for
    /// loading again.
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
    /// `system.webServer/httpPlatform`, of the nearest directory that has one.
    pub(crate) http_platform: Option<Section>,
    /// `system.webServer/aspNetCore`, of the nearest directory that has one.
    pub(crate) asp_net_core: Option<Section>,
    /// `system.webServer/fastCgi/application`, inherited ones included.
    pub(crate) fast_cgi: Vec<FastCgiElement>,
    /// Every `scriptProcessor` of a FastCGI handler that was declared, with its place.
    pub(crate) processors: Vec<Located<String>>,
    /// What is said of FastCGI elsewhere; the same for the whole site.
    pub(crate) fast_cgi_outside: Arc<Outside>,
    /// Errors that keep applications of this directory from running.
    pub(crate) errors: Vec<Note>,
}

/// A section that tells how a program is run, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// The folder whose configuration has it, absolute: that of the application.
    pub(crate) directory: PathBuf,
    /// The same relative to the root of the site.
    pub(crate) base: Box<str>,
    pub(crate) source: Source,
    pub(crate) attributes: Vec<(Box<str>, Located<String>)>,
    /// `environmentVariables`: names and values.
    pub(crate) variables: Vec<(Located<String>, Located<String>)>,
    /// `recycleOnFileChange`.
    pub(crate) files: Vec<Located<String>>,
    /// `handlerSettings`: names and values.
    pub(crate) handler_settings: Vec<(Located<String>, Located<String>)>,
}

impl Section {
    /// For people: the path of the application's URLs, or the name of the site's folder.
    pub(crate) fn name(&self) -> String {
        match (&*self.base, self.directory.file_name()) {
            ("", Some(folder)) => folder.to_string_lossy().into_owned(),
            (base, _) => format!("/{base}"),
        }
    }
}

/// One `fastCgi/application`, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FastCgiElement {
    pub(crate) source: Source,
    /// Whom it concerns, relative to the root of the site, in lower case.
    pub(crate) target: Box<str>,
    pub(crate) attributes: Vec<(Box<str>, Located<String>)>,
    /// `environmentVariables`: names and values.
    pub(crate) variables: Vec<(Located<String>, Located<String>)>,
}

/// Reads the whole site. Never fails: what is wrong is in the notes, and in [`Policy::broken`] and [`AppLayer::errors`]
/// of the directories concerned.
#[cfg(test)]
pub(crate) fn load(root: &Path) -> SiteConfig {
    load_within(root, &Outside::default())
}

/// The same for a site of a host that says something of FastCGI itself.
pub(crate) fn load_within(root: &Path, outside: &Outside) -> SiteConfig {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let found = walk(&root, Bounds::default());
    let mut notes = found.notes;
    let mut files: Vec<PathBuf> = Vec::new();
    let outside = fast_cgi::outside(&root, outside, &mut files, &mut notes);
    // By path in lower case, so that what is above comes before what is below.
    let mut targets: BTreeMap<String, Vec<Piece>> = BTreeMap::from([(String::new(), Vec::new())]);
    if let Some(file) = &outside.server_file {
        for piece in server::pieces(file, outside.site_name.as_deref(), &root, &mut files) {
            targets.entry(piece.target.to_lowercase()).or_default().push(piece);
        }
    }
    for file in &found.files {
        files.push(file.path.clone());
        for piece in pieces(&root, &file.path, &file.base, &mut files) {
            targets.entry(piece.target.to_lowercase()).or_default().push(piece);
        }
    }
    let mut config = Building::new(&root, outside);
    for (key, mut pieces) in targets {
        // A farther file first, so that a nearer one may change what it says.
        pieces.sort_by_key(|piece| piece.base.len());
        notes.append(&mut config.add(key, pieces, &root));
    }
    notes.append(&mut config.gathered.lost());
    let order: HashMap<&Path, usize> = files.iter().enumerate().map(|(at, file)| (&**file, at)).collect();
    notes.sort_by_cached_key(|note| match &note.source {
        Source::File { path, line, column } => (order.get(&**path).copied(), *line, *column),
        _ => (None, 0, 0),
    });
    let Building { policies, layers, gathered: Gathered { warm_up, handlers, .. }, .. } = config;
    SiteConfig { root, policies, layers, notes, files, directories: found.directories, warm_up, handlers }
}
