//! The sites of a host: published to the cores, and read again when their files change.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::one_site::{OneSite, SitePlan, tell};
use super::programs::{ProgramSite, Programs, for_hosts};
use super::{HostError, fast_cgi, offline, plans, report, section_programs};
use crate::base::root::Root;
use crate::base::sentinel::Sentinel;
use crate::config::limits::Limits;
use crate::config::settings::Environment;
use crate::config::source::{Level, Note};
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Applications, Kind};
use crate::rules::encode;
use crate::serve::listener::Bound;
use crate::serve::site::{Site, Sites};
use crate::serve::world::{CurrentWorld, Serving, World};
use crate::tend::steward::{Extent, Found, GenerationPlan, Planner};
use crate::tend::watch::Role;

/// The sites of a host, as they are to be.
pub(crate) struct SitesPlan {
    pub(crate) sites: Vec<SitePlan>,
    /// Those that are one application each.
    pub(crate) programs: Vec<ProgramSite>,
    /// Of the host.
    pub(crate) environment: Environment,
}

pub(super) struct SitesPlanner {
    sites: Vec<OneSite>,
    programs: Programs,
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
    /// What each FastCGI pool was made of when it was planned last.
    pools: HashMap<ApplicationId, Result<fast_cgi::Basis, Refusal>>,
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
        let SitesPlan { sites, programs, environment } = plan;
        let programs = Programs::new(programs, sites.len(), &applications)?;
        let mut planner = SitesPlanner {
            sites: Vec::new(),
            programs,
            environment,
            applications,
            sentinel,
            limits,
            world: CurrentWorld::new(World::empty()),
            published: Vec::new(),
            is_owed: false,
            is_watched: false,
            told: Vec::new(),
            pools: HashMap::new(),
        };
        for site in sites {
            let root = site.root.clone();
            let one = OneSite::open(site, &planner.environment);
            planner.sites.push(one.map_err(|cause| HostError::Root { root, cause })?);
        }
        planner.publish()?;
        planner.tell_of_programs();
        let eager = (0..planner.sites.len()).flat_map(|number| planner.eager(number));
        let eager = eager.chain(planner.programs.eager()).collect();
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
        list.extend_from_slice(self.programs.sites());
        let is_watching = !self.sites.is_empty() || self.programs.are_watching();
        let sentinel = is_watching.then(|| self.sentinel.clone());
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
            one: None,
            logs: one.logs.clone(),
            dev_errors: one.dev_errors_of_site(),
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
        let mut seen = HashSet::new();
        let applications = one.warm_up.iter().filter_map(|url| site.application_of(url));
        applications.filter(|application| seen.insert(application.id.clone())).collect()
    }

    /// Says what is wrong with sections of programs and pools, before anybody asks for one.
    fn tell_of_programs(&mut self) {
        let notes = self.sites.iter().enumerate().flat_map(|(number, one)| {
            let programs = one.programs(number);
            let environment = &self.environment;
            programs.into_iter().flat_map(move |id| section_programs::introduce(&id, one, environment).1)
        });
        let mut notes: Vec<Note> = notes.collect();
        for one in &self.sites {
            let of_pools = fast_cgi::introduce(one, &self.environment).1;
            notes.extend(of_pools.into_iter().filter(|note| !one.has_told(note)));
        }
        self.tell_once(notes);
    }

    /// Says what has not been said yet.
    fn tell_once(&mut self, notes: Vec<Note>) {
        let mut fresh: Vec<Note> = Vec::new();
        for note in notes {
            if !self.told.contains(&note) && !fresh.contains(&note) {
                fresh.push(note);
            }
        }
        tell(&fresh);
        // A file that is edited again and again says something new each time; the old need not be remembered.
        if self.told.len() > MOST_TOLD {
            self.told.clear();
        }
        self.told.extend(fresh);
    }

    /// For the terminal: the sites, what runs in them, where their logs are.
    pub(super) fn introduction(&self, bound: &[Bound]) -> Vec<String> {
        const SHOWN: usize = 5;
        let base = bound.first().map(|bound| report::url(&bound.address)).unwrap_or_default();
        let mut lines = Vec::new();
        for (number, one) in self.sites.iter().enumerate() {
            let hosts = for_hosts(&one.plan.hosts);
            lines.push(format!("site     {}{hosts}", one.root.display()));
            let scripts = one.scripts();
            let scripts = scripts.iter().map(|script| format!("{script} (started by its first request)"));
            let programs = one.programs(number);
            let programs =
                programs.iter().filter_map(|id| section_programs::introduce(id, one, &self.environment).0);
            let (pools, _) = fast_cgi::introduce(one, &self.environment);
            let applications: Vec<String> = scripts.chain(programs).chain(pools).collect();
            lines
                .extend(applications.iter().take(SHOWN).map(|application| format!("app      {application}")));
            if applications.len() > SHOWN {
                lines.push(format!("         and {} more", applications.len() - SHOWN));
            }
            let url = one.logs.first().map(|place| format!("/{}/index.html", encode::encode(&place)));
            // A rule that gives every URL to the application gives it this one, too.
            let is_served =
                |url: &String| self.site(number, one).is_ok_and(|site| site.application_of(url).is_none());
            if let Some(url) = url.filter(is_served) {
                lines.push(format!("logs     {}{url}", base.trim_end_matches('/')));
            }
        }
        lines.extend(self.programs.introduction());
        lines
    }
}

impl Planner for SitesPlanner {
    fn plan(&mut self, application: &Application) -> Result<GenerationPlan, Refusal> {
        let id = &application.id;
        if id.kind == Kind::Command {
            return self.programs.plan(id, &self.limits);
        }
        let gone = || Refusal::gone(format!("there is no application {}", id.path));
        let one = self.sites.get(id.site).ok_or_else(gone)?;
        let (plan, notes) = match id.kind {
            Kind::Script => plans::plan(id, one, &self.environment, &self.limits)?,
            Kind::HttpPlatform | Kind::AspNetCore => {
                section_programs::plan(id, one, &self.environment, &self.limits)?
            }
            Kind::FastCgi => {
                let basis = fast_cgi::basis(&id.path, one, &self.environment);
                if !matches!(basis, Err(Refusal::Gone(_))) {
                    self.pools.insert(id.clone(), basis);
                }
                fast_cgi::plan(id, one, &self.environment, &self.limits)?
            }
            Kind::Command => return Err(gone()),
        };
        self.tell_once(notes);
        Ok(plan)
    }

    fn places(&self, id: &ApplicationId) -> Vec<PathBuf> {
        let Some(one) = self.sites.get(id.site) else { return Vec::new() };
        let path = one.root.join(&*id.path);
        let layer = one.layers.at(&id.path).map(|layer| layer.directory.clone());
        let folder = match id.kind {
            Kind::Script => path.parent().map(Path::to_owned),
            Kind::HttpPlatform | Kind::AspNetCore | Kind::Command => Some(path),
            Kind::FastCgi => Some(one.root.clone()),
        };
        folder.into_iter().chain(layer).collect()
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
        let mut fresh = Vec::new();
        for (number, one) in self.sites.iter_mut().enumerate() {
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
            // What keeps a pool from running is told when it is to.
            let of_pools = fast_cgi::introduce(one, &self.environment).1;
            let is_news = |note: &Note| note.level == Level::Warning && !one.has_told(note);
            fresh.extend(of_pools.into_iter().filter(is_news));
            if let Some(file) = files.last() {
                self.pools.retain(|id, known| {
                    if id.site != number {
                        return true;
                    }
                    let now = fast_cgi::basis(&id.path, one, &self.environment);
                    if now != *known {
                        found.applications.push((id.clone(), file.clone()));
                    }
                    !matches!(now, Err(Refusal::Gone(_)))
                });
            }
            // A file that a web.config names may lie anywhere; it is everybody's.
            let root = one.root.clone();
            let concerned = |file: &Path| match file.parent() {
                Some(parent) if is_web_config(file) => parent.to_owned(),
                _ => root.clone(),
            };
            found.stale.extend(files.into_iter().map(|file| (concerned(&file), file)));
        }
        self.tell_once(fresh);
        // The page in the place of its directory: which applications it is for is another question than for configuration.
        let pages = paths.iter().filter(|path| offline::is_page(path));
        found.offline.extend(pages.map(|page| (page.clone(), page.clone())));
        is_different |= !found.stale.is_empty() || !found.offline.is_empty();
        if !is_different || self.publish().is_err() {
            // Without a root there is nothing to publish, and what was published finds nothing.
            self.world.touch();
        }
        found
    }

    fn is_below(&self, id: &ApplicationId, directory: &Path) -> bool {
        let Some(one) = self.sites.get(id.site) else { return false };
        let path = match id.kind {
            Kind::FastCgi => fast_cgi::folder(&id.path, one, &self.environment).to_owned(),
            _ => one.root.join(&*id.path),
        };
        match directory.parent().filter(|_| offline::is_page(directory)) {
            Some(folder) => offline::concerns(folder, id.kind, &path),
            None => path.starts_with(directory),
        }
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
