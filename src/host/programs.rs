//! Sites that are one plain application each, beside those with a configuration of their own.

use std::sync::Arc;

use super::HostError;
use super::one::OneApplication;
use crate::base::root::Root;
use crate::config::limits::Limits;
use crate::config::settings::DevErrors;
use crate::handler::log_places::LogPlaces;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Applications};
use crate::rules::bindings::HostPattern;
use crate::rules::policy::Tree;
use crate::serve::site::Site;
use crate::tend::steward::GenerationPlan;

/// A site that is one application.
pub(crate) struct ProgramSite {
    /// Host names that lead here; none for all.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) one: OneApplication,
}

pub(super) struct Programs {
    sites: Vec<Arc<Site>>,
    programs: Vec<ProgramSite>,
    /// The number of the first.
    first: usize,
}

impl Programs {
    /// Sites with the numbers from `first`.
    ///
    /// # Errors
    /// The folder of one cannot be opened.
    pub(super) fn new(
        programs: Vec<ProgramSite>,
        first: usize,
        applications: &Arc<Applications>,
    ) -> Result<Programs, HostError> {
        let sites = programs.iter().enumerate().map(|(index, program)| {
            let root = &program.one.root;
            let failed = |cause| HostError::Root { root: root.clone(), cause };
            let number = first + index;
            Ok(Arc::new(Site {
                number,
                hosts: program.hosts.clone(),
                root: Root::open(root).map_err(failed)?,
                physical_root: root.to_string_lossy().trim_end_matches('/').to_owned(),
                policies: Arc::new(Tree::empty()),
                applications: applications.clone(),
                one: Some(applications.get(program.one.id(number))),
                logs: Arc::new(LogPlaces::default()),
                dev_errors: DevErrors::Off,
                offline: Vec::new(),
                bad_edit: None,
                is_watched: false,
            }))
        });
        Ok(Programs { sites: sites.collect::<Result<_, HostError>>()?, programs, first })
    }

    /// For the world.
    pub(super) fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// They start with their host.
    pub(super) fn eager(&self) -> impl Iterator<Item = Arc<Application>> {
        self.sites.iter().filter_map(|site| site.one.clone())
    }

    /// Whether requests must ask if a file has changed.
    pub(super) fn are_watching(&self) -> bool {
        self.programs.iter().any(|program| !program.one.settings.watched_files.is_empty())
    }

    /// # Errors
    /// There is no such application.
    pub(super) fn plan(&self, id: &ApplicationId, limits: &Limits) -> Result<GenerationPlan, Refusal> {
        let program = id.site.checked_sub(self.first).and_then(|index| self.programs.get(index));
        let program = program.ok_or_else(|| Refusal::gone(format!("there is no application {}", id.path)))?;
        Ok(program.one.generation_plan(limits))
    }

    /// For the terminal.
    pub(super) fn introduction(&self) -> impl Iterator<Item = String> {
        self.programs.iter().map(|program| program.one.introduction(&for_hosts(&program.hosts)))
    }
}

/// ` for shop.example.com`; nothing if any host leads there.
pub(super) fn for_hosts(hosts: &[HostPattern]) -> String {
    if hosts.is_empty() {
        return String::new();
    }
    let hosts: Vec<String> = hosts.iter().map(HostPattern::to_string).collect();
    format!(" for {}", hosts.join(", "))
}
