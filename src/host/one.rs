//! A plain application: a command that a folder, an ostler.yml or the command line names; and a host that has only one.

use std::path::{Path, PathBuf};

use super::{from_settings, report};
use crate::config::limits::Limits;
use crate::config::settings::{DevErrors, Settings};
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, ErrorStyle, Kind};
use crate::tend::steward::{Extent, Found, GenerationPlan, Planner};
use crate::tend::watch::Role;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine};

/// A plain application, and what it is run with.
#[derive(Debug, Clone)]
pub(crate) struct OneApplication {
    /// For people.
    pub(crate) name: String,
    pub(crate) command: CommandLine,
    /// What `watchedFiles` and `logDirectory` start at.
    pub(crate) root: PathBuf,
    /// Where it is started.
    pub(crate) working_directory: PathBuf,
    /// Added to the environment of the host.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) settings: Settings,
    /// How it was found, for the line that says so.
    pub(crate) found: String,
}

impl OneApplication {
    /// The line for the terminal; `hosts` says for whom.
    pub(super) fn introduction(&self, hosts: &str) -> String {
        let folder = report::nice_path(&self.working_directory);
        format!("app      {}: `{}` in {folder}{hosts} ({})", self.name, self.command, self.found)
    }

    pub(super) fn id(&self, site: usize) -> ApplicationId {
        ApplicationId { site, kind: Kind::Command, path: self.name.as_str().into() }
    }

    /// What to run for its workers.
    pub(super) fn application_plan(&self) -> ApplicationPlan {
        let directory = self.working_directory.clone();
        let mut plan = ApplicationPlan::new(self.name.clone(), self.command.clone(), directory);
        plan.environment.clone_from(&self.environment);
        from_settings::look_after(&mut plan, &self.settings);
        plan
    }

    pub(super) fn generation_plan(&self, limits: &Limits) -> GenerationPlan {
        let settings = &self.settings;
        let errors = match settings.dev_errors {
            DevErrors::Off => ErrorStyle::Short,
            shown => ErrorStyle::Site(shown),
        };
        let mut passing = from_settings::passing(settings, errors);
        passing.debug_header = settings.debug_header.then(|| self.command.to_string().into());
        GenerationPlan {
            application: self.application_plan(),
            pool: from_settings::pool(&self.name, settings, limits),
            passing,
            recycle_mode: settings.recycle_mode,
            watched: WatchedFiles::parse(&settings.watched_files, &self.root),
            excluded: settings.logs.iter().map(|logs| logs.directory.clone()).collect(),
            recycle_signal: settings.recycle_signal,
            idle_timeout: settings.idle_timeout,
            ignores_configuration: true,
            settings_files: Vec::new(),
        }
    }
}

/// Plans the application that a host has only.
pub(super) struct OnePlanner {
    pub(super) one: OneApplication,
    pub(super) limits: Limits,
}

impl Planner for OnePlanner {
    fn plan(&mut self, _: &Application) -> Result<GenerationPlan, Refusal> {
        Ok(self.one.generation_plan(&self.limits))
    }

    fn places(&self, _: &ApplicationId) -> Vec<PathBuf> {
        Vec::new()
    }

    fn directories(&self) -> Vec<(PathBuf, Role)> {
        Vec::new()
    }

    fn changed(&mut self, _: &[PathBuf], _: Extent) -> Found {
        Found::default()
    }

    fn is_below(&self, _: &ApplicationId, _: &Path) -> bool {
        false
    }

    fn watched(&mut self, _: bool) {}
}
