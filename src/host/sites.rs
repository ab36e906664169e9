//! The sites of a host: published to the cores, and read again when their files change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::one_site::{OneSite, SitePlan, tell};
use super::{HostError, plans, report};
use crate::base::root::Root;
use crate::base::sentinel::Sentinel;
use crate::config::iisnode::{self, Environment};
use crate::config::limits::Limits;
use crate::config::source::{Note, Source};
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Applications};
use crate::rules::bindings::HostPattern;
use crate::rules::route;
use crate::serve::listener::Bound;
use crate::serve::site::{Site, Sites};
use crate::serve::world::{CurrentWorld, Serving, World};
use crate::tend::steward::{Extent, Found, GenerationPlan, Planner};
use crate::tend::watch::Role;

/// The sites of a host, as they are to be.
pub(crate) struct SitesPlan {
    pub(crate) sites: Vec<SitePlan>,
    /// Of the host.
    pub(crate) environment: Environment,
}

pub(super) struct SitesPlanner {
    sites: Vec<OneSite>,
    environment: Environment,
    applications: Arc<Applications>,
    sentinel: Arc<Sentinel>,
    limits: Limits,
    world: Arc<CurrentWorld>,
    published: Vec<Arc<Site>>,
    /// A site could not be published as it is.
    is_owed: bool,
    is_watched: bool,
    /// Notes about applications, so that each is told once.
    told: Vec<Note>,
}

const MOST_TOLD: usize = 1000;

impl SitesPlanner {
    /// Reads everything; the applications that are to be started at once come with it.
    ///
    /// # Errors
    /// A site's root is no folder.
    pub(super) fn new(
        plan: SitesPlan,
        applications: Arc<Applications>,
        sentinel: Arc<Sentinel>,
        limits: Limits,
    ) -> Result<(SitesPlanner, Vec<Arc<Application>>), HostError> {
        let SitesPlan { sites, environment } = plan;
        let mut planner = SitesPlanner {
            sites: Vec::new(),
            environment,
            applications,
            sentinel,
            limits,
            world: CurrentWorld::new(World::empty()),
            published: Vec::new(),
            is_owed: false,
            is_watched: false,
            told: Vec::new(),
        };
        for site in sites {
            let root = site.root.clone();
            let one = OneSite::open(site, &planner.environment);
            planner.sites.push(one.map_err(|cause| HostError::Root { root, cause })?);
        }
        planner.publish()?;
        let eager = (0..planner.sites.len()).flat_map(|number| planner.eager(number)).collect();
        Ok((planner, eager))
    }

    /// Publishes the sites as they are now. One whose root cannot be opened stays as it was published last.
    ///
    /// # Errors
    /// There is nothing to publish of a site.
    fn publish(&mut self) -> Result<(), HostError> {
        let mut list = Vec::with_capacity(self.sites.len());
        self.is_owed = false;
        for (number, one) in self.sites.iter().enumerate() {
            match (self.site(number, one), self.published.get(number)) {
                (Ok(site), _) => list.push(site),
                (Err(error), Some(before)) => {
                    tracing::error!(%error, "what was served of this site goes on, and finds nothing");
                    self.is_owed = true;
                    list.push(before.clone());
                }
                (Err(error), None) => return Err(error),
            }
        }
        self.published.clone_from(&list);
        let sentinel = Some(self.sentinel.clone());
        self.world.publish(World { serving: Serving::Sites(Sites { list }), sentinel });
        Ok(())
    }

    fn site(&self, number: usize, one: &OneSite) -> Result<Arc<Site>, HostError> {
        let failed = |cause| HostError::Root { root: one.root.clone(), cause };
        Ok(Arc::new(Site {
            number,
            hosts: one.plan.hosts.clone(),
            root: Root::open(&one.root).map_err(failed)?,
            physical_root: one.root.to_string_lossy().trim_end_matches('/').to_owned(),
            policies: one.policies.clone(),
            applications: self.applications.clone(),
            logs: one.logs.clone(),
            dev_errors: one.dev_errors,
            offline: one.offline(),
            bad_edit: one.bad_edit.clone(),
            is_watched: self.is_watched,
        }))
    }

    /// That of the first site; one host looks at all its files alike.
    pub(super) fn polling_interval(&self) -> Option<Duration> {
        self.sites.first().map(|one| one.polling_interval)
    }

    pub(super) fn world(&self) -> &Arc<CurrentWorld> {
        &self.world
    }

    /// The applications that `applicationInitialization` names.
    fn eager(&self, number: usize) -> Vec<Arc<Application>> {
        let one = &self.sites[number];
        let Ok(site) = self.site(number, one) else { return Vec::new() };
        let scripts = one.warm_up.iter().filter_map(|url| site.script_of(url));
        let scripts: BTreeSet<String> = scripts.collect();
        scripts
            .into_iter()
            .map(|script| self.applications.get(ApplicationId { site: number, script: script.into() }))
            .collect()
    }

    /// For the terminal: the sites, what runs in them, where their logs are.
    pub(super) fn introduction(&self, bound: &[Bound]) -> Vec<String> {
        const SHOWN: usize = 5;
        let base = bound.first().map(|bound| report::url(&bound.address)).unwrap_or_default();
        let mut lines = Vec::new();
        for (number, one) in self.sites.iter().enumerate() {
            let hosts = if one.plan.hosts.is_empty() {
                String::new()
            } else {
                let hosts: Vec<String> = one.plan.hosts.iter().map(HostPattern::to_string).collect();
                format!(" for {}", hosts.join(", "))
            };
            lines.push(format!("site     {}{hosts}", one.root.display()));
            let scripts = one.scripts();
            for script in scripts.iter().take(SHOWN) {
                lines.push(format!("app      {script} (started by its first request)"));
            }
            if scripts.len() > SHOWN {
                lines.push(format!("         and {} more", scripts.len() - SHOWN));
            }
            let url = one.logs.first().map(|place| format!("/{}/index.html", route::encode(&place)));
            // A rule that gives every URL to the application gives it this one, too.
            let is_served =
                |url: &String| self.site(number, one).is_ok_and(|site| site.script_of(url).is_none());
            if let Some(url) = url.filter(is_served) {
                lines.push(format!("logs     {}{url}", base.trim_end_matches('/')));
            }
        }
        lines
    }
}

impl Planner for SitesPlanner {
    fn plan(&mut self, application: &Application) -> Result<GenerationPlan, Refusal> {
        let id = &application.id;
        let gone = || Refusal::gone(format!("there is no script {}", id.script));
        let one = self.sites.get(id.site).ok_or_else(gone)?;
        let script = one.root.join(&*id.script);
        if !script.is_file() {
            return Err(gone());
        }
        let directory = script.parent().unwrap_or(&one.root);
        let layer = one.layers.at(&id.script).ok_or_else(gone)?;
        if let Some(page) = plans::offline_page(&layer.directory).or_else(|| plans::offline_page(directory)) {
            return Err(Refusal::Offline(page));
        }
        let resolved =
            iisnode::resolve(layer, directory, &self.environment, &one.plan.defaults).map_err(|notes| {
                let is_yml = notes.iter().any(is_of_yml);
                Refusal::BadSettings { notes: notes.iter().map(Note::to_string).collect(), is_yml }
            })?;
        one.logs.set(&id.script, one.log_place(&resolved.settings));
        let fresh: Vec<Note> =
            resolved.notes.iter().filter(|note| !self.told.contains(note)).cloned().collect();
        tell(&fresh);
        // A file that is edited again and again says something new each time; the old need not be remembered.
        if self.told.len() > MOST_TOLD {
            self.told.clear();
        }
        self.told.extend(fresh);
        plans::generation_plan(&id.script, &script, layer, &resolved, &self.environment, &self.limits)
    }

    fn places(&self, id: &ApplicationId) -> Vec<PathBuf> {
        let Some(one) = self.sites.get(id.site) else { return Vec::new() };
        let script = one.root.join(&*id.script);
        let layer = one.layers.at(&id.script).map(|layer| layer.directory.clone());
        script.parent().map(Path::to_owned).into_iter().chain(layer).collect()
    }

    fn directories(&self) -> Vec<(PathBuf, Role)> {
        let names = self.sites.iter().flat_map(OneSite::directories).map(|path| (path.clone(), Role::Names));
        let files = self.sites.iter().flat_map(OneSite::files);
        let parents = files.filter_map(|file| Some((file.parent()?.to_owned(), Role::Contents)));
        names.chain(parents).collect()
    }

    fn changed(&mut self, paths: &[PathBuf], extent: Extent) -> Found {
        let mut found = Found::default();
        let mut is_different = self.is_owed;
        for one in &mut self.sites {
            let mut concerned = extent == Extent::Everything
                || (extent == Extent::Known && one.has_different_files())
                || paths.iter().any(|path| one.is_configuration(path));
            for path in paths {
                concerned |= one.follow(path, &mut found.directories);
            }
            if !concerned {
                continue;
            }
            (is_different, found.directories) = (true, true);
            let files = one.reload(&self.environment);
            // A file that a web.config names may lie anywhere; it is everybody's.
            let root = one.root.clone();
            let concerned = |file: &Path| match file.parent() {
                Some(parent) if is_web_config(file) => parent.to_owned(),
                _ => root.clone(),
            };
            found.stale.extend(files.into_iter().map(|file| (concerned(&file), file)));
        }
        for path in paths.iter().filter(|path| plans::is_offline_page(path)) {
            found.stale.extend(path.parent().map(|directory| (directory.to_owned(), path.clone())));
        }
        is_different |= !found.stale.is_empty();
        if !is_different || self.publish().is_err() {
            // Without a root there is nothing to publish, and what was published finds nothing.
            self.world.touch();
        }
        found
    }

    fn is_below(&self, id: &ApplicationId, directory: &Path) -> bool {
        self.sites.get(id.site).is_some_and(|one| one.root.join(&*id.script).starts_with(directory))
    }

    fn watched(&mut self, completely: bool) {
        if self.is_watched != completely {
            self.is_watched = completely;
            if self.publish().is_err() {
                self.world.touch();
            }
        }
    }
}

fn is_web_config(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("web.config"))
}

/// Whether a note is about an iisnode.yml, whatever that is called, rather than a web.config.
fn is_of_yml(note: &Note) -> bool {
    match &note.source {
        Source::File { path, .. } => !is_web_config(path),
        _ => false,
    }
}
