//! A host with one application, which everything goes to: a folder with a `package.json`, a script, a command.

use std::path::{Path, PathBuf};

use super::{OneApplication, pool_settings, report};
use crate::config::iisnode::RecycleMode;
use crate::config::limits::Limits;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Passing};
use crate::tend::steward::{Extent, Found, GenerationPlan, Planner};
use crate::tend::watch::Role;
use crate::tend::watch::list::WatchedFiles;

pub(super) struct OnePlanner {
    pub(super) one: OneApplication,
    pub(super) limits: Limits,
}

impl OneApplication {
    pub(super) fn introduction(&self) -> String {
        let folder = report::nice_path(&self.plan.working_directory);
        format!("app      {}: `{}` in {folder} ({})", self.plan.name, self.plan.command, self.found)
    }
}

impl Planner for OnePlanner {
    fn plan(&mut self, _: &Application) -> Result<GenerationPlan, Refusal> {
        let one = &self.one;
        Ok(GenerationPlan {
            application: one.plan.clone(),
            pool: pool_settings(one.plan.name.clone(), one.instances, one.max_concurrent, &self.limits),
            passing: Passing { forwarded_for: true, sticky: one.sticky, ..Passing::default() },
            recycle_mode: RecycleMode::Strict,
            watched: WatchedFiles::parse(&one.watched_files, &one.plan.working_directory),
            recycle_signal: false,
            excluded: Vec::new(),
            settings_files: Vec::new(),
        })
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
