//! One application under the steward's care: what its files were like, and which generations of it run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::GenerationPlan;
use super::generations::Running;
use super::idle::Idle;
use crate::pool::Application;
use crate::tend::watch::fingerprint::Fingerprint;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::watch::stamps::Stamps;

pub(super) struct Tended {
    pub(super) application: Arc<Application>,
    /// None while nothing runs that files could make stale.
    files: Option<Files>,
    /// The generation that serves.
    pub(super) current: Option<Running>,
    /// The generation that is to serve when it is ready.
    pub(super) next: Option<Running>,
    /// The file since which its settings cannot be used, while it goes on as it was.
    pub(super) troubled: Option<PathBuf>,
    /// A new generation is started then even if nobody asks.
    pub(super) due: Option<Instant>,
    /// None if its workers stay whether there are requests or not.
    pub(super) idle: Option<Idle>,
}

/// What a generation was started from.
struct Files {
    watched: WatchedFiles,
    excluded: Vec<PathBuf>,
    fingerprint: Fingerprint,
    settings: Stamps,
    /// It runs on as it is when its settings change.
    ignores_settings: bool,
}

impl Tended {
    /// Takes note of what the files of a plan are like, before anything is started from them.
    pub(super) fn new(application: &Arc<Application>, plan: &GenerationPlan, settings: Stamps) -> Tended {
        let files = Files {
            fingerprint: plan.watched.fingerprint(&plan.excluded),
            watched: plan.watched.clone(),
            excluded: plan.excluded.clone(),
            settings,
            ignores_settings: plan.ignores_configuration,
        };
        let application = application.clone();
        let idle = plan.idle_timeout.map(|after| Idle::new(after, Instant::now()));
        Tended { application, files: Some(files), current: None, next: None, troubled: None, due: None, idle }
    }

    /// An application that cannot run: any change may be the one that helps.
    pub(super) fn refused(application: Arc<Application>) -> Tended {
        Tended { application, files: None, current: None, next: None, troubled: None, due: None, idle: None }
    }

    /// The file that makes the application stale, if one does. Remembers the new state of the files.
    pub(super) fn changed(&mut self, paths: &[PathBuf], everything: bool) -> Option<PathBuf> {
        match &mut self.files {
            Some(files) => files.changed(paths, everything),
            // Refused, not merely stale: with any news it may be worth another try.
            None if self.due.is_none() => paths.first().cloned(),
            None => None,
        }
    }

    /// Whether it runs on when the configuration changes. What could not be started, or again, waits for that.
    pub(super) fn ignores_configuration(&self) -> bool {
        self.troubled.is_none() && self.files.as_ref().is_some_and(|files| files.ignores_settings)
    }

    /// When something is to be done even if nothing happens.
    pub(super) fn next_look(&self) -> Option<Instant> {
        [self.due, self.idle.as_ref().map(|idle| idle.next_look)].into_iter().flatten().min()
    }

    /// How long nobody has had a request for it, if that is long enough for its workers to end.
    pub(super) fn idle_for(&mut self, now: Instant) -> Option<Duration> {
        let idle = self.idle.as_mut().filter(|idle| idle.next_look <= now)?;
        let current = self.current.as_ref()?;
        // What could not be started again, or is about to be replaced, stays.
        let may_end = self.troubled.is_none() && self.next.is_none();
        let served = current.generation.pool.served_if_at_rest().filter(|_| may_end);
        idle.is_over(served, now).then_some(idle.after)
    }

    /// Nothing runs, and no file makes that worse.
    pub(super) fn forget_files(&mut self) {
        self.files = None;
        self.idle = None;
    }
}

impl Files {
    fn changed(&mut self, paths: &[PathBuf], everything: bool) -> Option<PathBuf> {
        let files = self.settings.files();
        let is_near = |path: &PathBuf| files.iter().any(|file| file == path || file.parent() == Some(path));
        if everything || paths.iter().any(is_near) {
            let settings = Stamps::of(&files);
            let different = self.settings.differences(&settings).pop();
            self.settings = settings;
            if different.is_some() && !self.ignores_settings {
                return different;
            }
        }
        if !everything && !paths.iter().any(|path| self.watched.concerns(path)) {
            return None;
        }
        let now = self.watched.fingerprint(&self.excluded);
        let change = self.fingerprint.difference(&now);
        self.fingerprint = now;
        Some(change?.path)
    }
}
