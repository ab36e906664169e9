//! What the steward is given and what it says: plans, who makes them, why something is recycled, events.

use std::path::{Path, PathBuf};

use super::super::watch::Role;
use super::super::watch::list::WatchedFiles;
use super::super::{ApplicationPlan, Progress};
use crate::config::settings::RecycleMode;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Passing, PoolSettings};

/// Everything needed to run one generation of an application.
pub(crate) struct GenerationPlan {
    pub(crate) application: ApplicationPlan,
    pub(crate) pool: PoolSettings,
    pub(crate) passing: Passing,
    pub(crate) recycle_mode: RecycleMode,
    pub(crate) watched: WatchedFiles,
    /// Directories whose files do not count, whatever the patterns say: logs.
    pub(crate) excluded: Vec<PathBuf>,
    /// Workers get a socket on which they may ask for a recycle.
    pub(crate) recycle_signal: bool,
    /// After so long without a request its workers end, until one comes; none for never.
    pub(crate) idle_timeout: Option<std::time::Duration>,
    /// A change of its configuration is no reason to recycle it.
    pub(crate) ignores_configuration: bool,
    /// Files that are no program but decide how it runs; those that do not exist count when they appear.
    pub(crate) settings_files: Vec<PathBuf>,
}

/// How much is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What the paths say.
    Paths,
    /// Whether a file that is known is different, too: for what no event tells.
    Known,
    /// Everything: events were lost, or there are directories that were not watched before.
    Everything,
}

/// What a planner has found out.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Directories whose applications are stale, each with the file of the configuration that made them so.
    pub(crate) stale: Vec<(PathBuf, PathBuf)>,
    /// Applications that are stale, wherever they lie, each with such a file.
    pub(crate) applications: Vec<(ApplicationId, PathBuf)>,
    /// Pages that take applications offline, each as the page itself and as what changed.
    pub(crate) offline: Vec<(PathBuf, PathBuf)>,
    /// [`Planner::directories`] says something else than before.
    pub(crate) directories: bool,
}

/// Knows what applications are; reads configuration when told to.
pub(crate) trait Planner {
    /// What to run for an application now.
    ///
    /// # Errors
    /// Why it cannot run, as its requests are told.
    fn plan(&mut self, application: &Application) -> Result<GenerationPlan, Refusal>;

    /// The directories, absolute, whose entries decide about an application even while it cannot run.
    fn places(&self, application: &ApplicationId) -> Vec<PathBuf>;

    /// The directories, absolute, that decide about sites: by what there is in them, or by what their files say.
    fn directories(&self) -> Vec<(PathBuf, Role)>;

    /// Something on the disk has changed: what was remembered of it is void. Reads the configuration again if it may
    /// be concerned, and publishes what follows.
    fn changed(&mut self, paths: &[PathBuf], extent: Extent) -> Found;

    /// Whether an application lies in a directory.
    fn is_below(&self, application: &ApplicationId, directory: &Path) -> bool;

    /// Whether everything that was to be watched is.
    fn watched(&mut self, completely: bool);
}

/// Why an application is recycled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    File(PathBuf),
    /// A worker asked for it.
    Wish,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::File(path) => write!(f, "{} has changed", path.display()),
            Cause::Wish => f.write_str("one of its workers asked for it"),
        }
    }
}

/// What a person is to be told.
#[derive(Debug)]
pub(crate) enum Event {
    Worker {
        application: String,
        generation: u64,
        slots: usize,
        progress: Progress,
    },
    Recycling {
        application: String,
        cause: Cause,
        mode: RecycleMode,
    },
    /// A new generation could not be started, and the old one goes on.
    Kept {
        application: String,
        why: String,
    },
    Refused {
        application: String,
        why: String,
    },
    /// It had no request for so long; its workers end until there is one.
    Idle {
        application: String,
        after: std::time::Duration,
    },
}
