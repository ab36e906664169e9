//! One site while its host runs: what its configuration says now, and what becomes of it when files change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::offline;
use crate::config::fastcgi::outside::Outside;
use crate::config::settings::{self, Defaults, DevErrors, Environment, LogAccess, Settings};
use crate::config::site::{self, AppLayer, SiteConfig};
use crate::config::source::Note;
use crate::handler::log_places::{LogPlace, LogPlaces};
use crate::pool::{ApplicationId, Kind};
use crate::rules::bindings::HostPattern;
use crate::rules::mapping::Module;
use crate::rules::path;
use crate::rules::policy::{Policy, ProgramFolders, Tree};
use crate::tend::watch::stamps::Stamps;

pub(crate) struct SitePlan {
    pub(crate) root: PathBuf,
    /// Host names that lead here; none for all.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) defaults: Defaults,
    /// What the host says of FastCGI.
    pub(crate) fast_cgi: Outside,
}

pub(super) struct OneSite {
    pub(super) plan: SitePlan,
    /// Without links, and without a slash at the end.
    pub(super) root: PathBuf,
    /// As it was given: a link that is swapped leads to another root.
    way: PathBuf,
    pub(super) policies: Arc<Tree<Policy>>,
    pub(super) layers: Tree<AppLayer>,
    /// The policies as they were written last, while in some directories those from before an edit with errors go on.
    pub(super) bad_edit: Option<Arc<Tree<Policy>>>,
    /// Files that are different and whose applications do not know it yet.
    owed: BTreeSet<PathBuf>,
    notes: Vec<Note>,
    /// URLs to ask for at start.
    pub(super) warm_up: Vec<String>,
    /// Every configuration file, and what it was like when it was read.
    stamps: Stamps,
    /// Every directory that is looked into for configuration.
    directories: BTreeSet<PathBuf>,
    pub(super) logs: Arc<LogPlaces>,
    pub(super) dev_errors: DevErrors,
    /// How often the files are looked at where no events come.
    pub(super) polling_interval: Duration,
}

impl OneSite {
    /// Reads a site.
    ///
    /// # Errors
    /// There is no such folder.
    pub(super) fn open(plan: SitePlan, environment: &Environment) -> std::io::Result<OneSite> {
        let root = plan.root.canonicalize()?;
        let way = plain(&std::path::absolute(&plan.root)?);
        if !root.is_dir() {
            return Err(std::io::ErrorKind::NotADirectory.into());
        }
        let config = site::load_within(&root, &plan.fast_cgi);
        tell(&config.notes);
        let stamps = Stamps::of(&config.files);
        let mut site = OneSite {
            plan,
            root,
            way,
            policies: Arc::new(Tree::empty()),
            layers: Tree::empty(),
            bad_edit: None,
            owed: BTreeSet::new(),
            notes: Vec::new(),
            warm_up: config.warm_up.iter().map(|url| url.value.clone()).collect(),
            stamps,
            directories: BTreeSet::new(),
            logs: Arc::new(LogPlaces::default()),
            dev_errors: DevErrors::Ok200,
            polling_interval: Duration::from_secs(5),
        };
        site.adopt(config, environment);
        Ok(site)
    }

    /// Takes a configuration over, but for directories in which it is broken and was not: a bad edit takes no site down,
    /// and nothing else in it either. Returns those directories.
    fn adopt(&mut self, config: SiteConfig, environment: &Environment) -> Vec<String> {
        self.directories = config.directories.into_iter().collect();
        self.directories.insert(self.root.clone());
        self.notes = config.notes;
        let (mut policies, mut layers) = (config.policies, config.layers);
        let edited = policies.clone();
        let kept = policies.keep(&self.policies, |policy| policy.broken.is_some());
        kept.iter().for_each(|path| layers.keep_at(path, &self.layers));
        self.bad_edit = (!kept.is_empty()).then(|| Arc::new(edited));
        self.policies = Arc::new(policies);
        self.layers = layers;
        self.take_defaults(environment);
        let mut scripts = self.scripts();
        // Also those that no handler names and that were started.
        scripts.extend(self.logs.scripts());
        scripts.iter().for_each(|script| self.note_logs(script, environment));
        kept
    }

    /// Reads the site again, and says what is wrong in it now that was not before. Returns the files that are different, but
    /// those whose edit is not taken over.
    pub(super) fn reload(&mut self, environment: &Environment) -> Vec<PathBuf> {
        // Before reading: what is written meanwhile is different again.
        let before = Stamps::of(&self.stamps.files());
        if let Some(root) = self.way.canonicalize().ok().filter(|root| *root != self.root && root.is_dir()) {
            self.owed.insert(root.clone());
            self.root = root;
        }
        let config = site::load_within(&self.root, &self.plan.fast_cgi);
        let fresh: Vec<Note> =
            config.notes.iter().filter(|note| !self.notes.contains(note)).cloned().collect();
        tell(&fresh);
        let mut stamps = Stamps::of(&config.files);
        stamps.prefer(&before);
        self.owed.extend(self.stamps.differences(&stamps));
        self.stamps = stamps;
        let kept = self.adopt(config, environment);
        let is_kept = |file: &PathBuf| {
            let inside = file.strip_prefix(&self.root).unwrap_or(file).to_string_lossy();
            kept.iter().any(|path| path::below(&inside, path).is_some())
        };
        let (owed, different): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.owed).into_iter().partition(is_kept);
        self.owed = owed.into_iter().collect();
        different
    }

    /// Whether a note is one of those that were told when the site was read.
    pub(super) fn has_told(&self, note: &Note) -> bool {
        self.notes.contains(note)
    }

    /// How failures are shown that concern no application: with status 200 only where there is iisnode, whose way that is,
    /// or where a file that cannot be read speaks of it.
    pub(super) fn dev_errors_of_site(&self) -> DevErrors {
        let trees = [Some(&self.policies), self.bad_edit.as_ref()];
        let all: Vec<_> = trees.into_iter().flatten().flat_map(|tree| tree.values()).collect();
        let runs_scripts =
            |policy: &Policy| policy.mapping.mapped.iter().any(|mapped| mapped.module == Module::Iisnode);
        let speaks_of_it = |file: &PathBuf| {
            let text = std::fs::read(file).unwrap_or_default().to_ascii_lowercase();
            memchr::memmem::find(&text, b"iisnode").is_some()
        };
        let is_iisnodes = all.iter().any(|policy| runs_scripts(policy))
            || all.iter().any(|policy| policy.broken.is_some())
                && self.stamps.files().iter().any(speaks_of_it);
        match self.dev_errors {
            DevErrors::Ok200 if !is_iisnodes => DevErrors::TrueStatus,
            as_said => as_said,
        }
    }

    /// Whether a configuration file is not as it was when it was read.
    pub(super) fn has_different_files(&self) -> bool {
        self.way.canonicalize().is_ok_and(|root| root != self.root)
            || !self.stamps.differences(&Stamps::of(&self.stamps.files())).is_empty()
    }

    /// Whether a path is one of a configuration file, or of a directory that holds or held one.
    pub(super) fn is_configuration(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("web.config"))
            || self.stamps.files().iter().any(|file| file.starts_with(path))
    }

    /// Takes note of directories that have come or gone. True if the site must be read again for them.
    pub(super) fn follow(&mut self, path: &Path, is_different: &mut bool) -> bool {
        if self.root.starts_with(path) || path == self.way {
            // The root itself has come or gone, or is another.
            return true;
        }
        if !path.starts_with(&self.root) || is_left_out(path, &self.root) {
            return false;
        }
        if path.is_dir() {
            let Some(below) = site::directories_below(path) else { return true };
            for directory in below {
                *is_different |= self.directories.insert(directory);
            }
        } else if self.directories.contains(path) {
            self.directories.retain(|directory| !directory.starts_with(path));
            *is_different = true;
        }
        false
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.directories.iter().chain([&self.way])
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.stamps.files()
    }

    /// Takes note of where the logs of a script lie. While its settings cannot be read, what was known holds.
    fn note_logs(&self, script: &str, environment: &Environment) {
        let path = self.root.join(script);
        let (Some(layer), Some(directory), true) = (self.layers.at(script), path.parent(), path.is_file())
        else {
            return self.logs.set(script, None);
        };
        if let Ok(resolved) = settings::resolve(layer, directory, environment, &self.plan.defaults) {
            self.logs.set(script, self.log_place(&resolved.settings));
        }
    }

    /// Where the logs of an application lie, if that is inside the site.
    pub(super) fn log_place(&self, settings: &Settings) -> Option<LogPlace> {
        self.log_place_at(settings.logs.as_ref().map(|logs| logs.directory.as_path()), settings)
    }

    /// A directory of logs, if it is inside the site.
    pub(super) fn log_place_at(&self, directory: Option<&Path>, settings: &Settings) -> Option<LogPlace> {
        let logs = without_links(directory?);
        let inside = logs.strip_prefix(&self.root).ok()?;
        Some(LogPlace {
            directory: inside.to_str()?.to_owned(),
            anyone: settings.log_access == LogAccess::Anyone,
        })
    }

    /// Settings that concern no application, as they hold at the root. What cannot be read leaves iisnode's defaults.
    fn take_defaults(&mut self, environment: &Environment) {
        let resolved = self
            .layers
            .at("")
            .and_then(|layer| settings::resolve(layer, &self.root, environment, &self.plan.defaults).ok());
        let settings = resolved.map(|resolved| resolved.settings);
        self.dev_errors = settings.as_ref().map_or(DevErrors::Ok200, |settings| settings.dev_errors);
        if let Some(settings) = settings {
            self.polling_interval = settings.polling_interval;
        }
    }

    /// The scripts that handlers name, as far as they exist.
    pub(super) fn scripts(&self) -> Vec<String> {
        let mut scripts = BTreeSet::new();
        for policy in self.policies.values() {
            for mapped in policy.mapping.mapped.iter().filter(|mapped| mapped.module == Module::Iisnode) {
                if mapped.path.contains('*') {
                    continue;
                }
                let path = Path::new(&*mapped.base).join(&*mapped.path);
                if self.root.join(&path).is_file()
                    && let Some(path) = path.to_str()
                {
                    scripts.insert(path.to_owned());
                }
            }
        }
        scripts.into_iter().collect()
    }

    /// The programs of sections, by their folders; `site` is the number of this site.
    pub(super) fn programs(&self, site: usize) -> Vec<ApplicationId> {
        let mut programs = BTreeMap::new();
        for policy in self.policies.values() {
            let ProgramFolders { http_platform, asp_net_core } = &policy.programs;
            let named = [(http_platform, Kind::HttpPlatform), (asp_net_core, Kind::AspNetCore)];
            for (number, (folder, kind)) in named.into_iter().enumerate() {
                let Some(path) = folder.clone() else { continue };
                programs.insert((path.clone(), number), ApplicationId { site, kind, path });
            }
        }
        programs.into_values().collect()
    }

    /// The directories of applications in which the page lies that takes them offline.
    pub(super) fn offline(&self) -> Vec<(String, Arc<[u8]>)> {
        let files = self.stamps.files();
        let parents = files.iter().filter_map(|file| file.parent()).map(Path::to_owned);
        let directories: BTreeSet<PathBuf> = parents.chain([self.root.clone()]).collect();
        let relative = |directory: &Path| Some(directory.strip_prefix(&self.root).ok()?.to_str()?.to_owned());
        directories
            .iter()
            .filter_map(|directory| Some((relative(directory)?, offline::page(directory)?)))
            .collect()
    }
}

/// Whether a directory is one that is not looked into, wherever it lies in the site.
fn is_left_out(path: &Path, root: &Path) -> bool {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.components().any(|name| site::LEFT_OUT.iter().any(|left_out| name.as_os_str() == *left_out))
}

/// A path as it is without links, as far as it exists: files are looked up by what they are then.
fn without_links(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some(above.canonicalize().ok()?.join(rest))
    });
    plain(&real.unwrap_or_else(|| path.to_owned()))
}

/// A path without `.` and `..`; links are not looked at.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Notes go to the terminal; `ostler check` shows them better.
pub(super) fn tell(notes: &[Note]) {
    for note in notes {
        eprintln!("ostler: {note}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_left_out, plain};

    #[test]
    fn a_plain_path_has_no_detours_and_stays_below_the_root_of_the_disk() {
        for (path, expected) in [
            ("/site/dist/../logs", "/site/logs"),
            ("/site/.", "/site"),
            ("/site/./a/", "/site/a"),
            ("/site/a/b/../../c", "/site/c"),
            ("/site/../../../x", "/x"),
            ("/", "/"),
        ] {
            assert_eq!(plain(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn directories_are_left_out_by_their_names_inside_the_site_only() {
        let root = Path::new("/srv/node_modules/site");
        for (path, expected) in [
            ("/srv/node_modules/site/a", false),
            ("/srv/node_modules/site/node_modules", true),
            ("/srv/node_modules/site/a/node_modules/b", true),
            ("/srv/node_modules/site/a/my_node_modules", false),
        ] {
            assert_eq!(is_left_out(Path::new(path), root), expected, "{path}");
        }
    }
}
