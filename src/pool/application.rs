//! An application as requests know it: by what it is in its site, through all generations of its workers.
//!
//! The control plane says how an application stands; requests read that, and ask for a generation where there is none.
//! Nobody here knows how one is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::{Notify, mpsc};

use super::generation::Generation;
use super::refusal::Refusal;

/// What kind of program an application is, by who declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A script that iisnode runs.
    Script,
    /// The program of an `httpPlatform` section.
    HttpPlatform,
    /// The program of an `aspNetCore` section.
    AspNetCore,
    /// A pool of FastCGI programs; its path is the `scriptProcessor` of its handlers.
    FastCgi,
    /// A command of ostler.yml or of the command line, or what a folder says.
    Command,
}

/// Which application: its site, by number, its kind, and its entry script or folder, relative to the site's root; the name
/// of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ApplicationId {
    pub(crate) site: usize,
    pub(crate) kind: Kind,
    pub(crate) path: Box<str>,
}

impl ApplicationId {
    /// As people are told: a script by its path, a program by that of its URLs.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            Kind::Script | Kind::Command | Kind::FastCgi => self.path.to_string(),
            Kind::HttpPlatform | Kind::AspNetCore => format!("/{}", self.path),
        }
    }
}

/// How an application stands, as one consistent value.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Not started yet, or stale: whoever needs it asks for a generation.
    Absent,
    Running(Arc<Generation>),
    /// Its settings have become unusable while it ran; it goes on as it was, and who looks from this machine is told.
    Troubled {
        generation: Arc<Generation>,
        why: Arc<Refusal>,
    },
    /// Cannot run; asked again after a while, in case the reason has gone away unseen.
    Refused {
        why: Arc<Refusal>,
        until: Instant,
    },
}

pub(crate) struct Application {
    pub(crate) id: ApplicationId,
    standing: ArcSwap<Standing>,
    /// Rings when the standing has changed.
    changed: Notify,
    /// Somebody has asked for a generation and nobody has answered yet: at most one call of each is under way.
    asked: AtomicBool,
    calls: mpsc::UnboundedSender<Arc<Application>>,
}

impl Application {
    pub(crate) fn new(id: ApplicationId, calls: mpsc::UnboundedSender<Arc<Application>>) -> Arc<Application> {
        Arc::new(Application {
            id,
            standing: ArcSwap::from_pointee(Standing::Absent),
            changed: Notify::new(),
            asked: AtomicBool::new(false),
            calls,
        })
    }

    /// The generation that serves now, if one does.
    pub(crate) fn running(&self) -> Option<Arc<Generation>> {
        match &**self.standing.load() {
            Standing::Running(generation) => Some(generation.clone()),
            _ => None,
        }
    }

    /// The generation that is to serve a request that arrives now, from this machine or not; asks for one if there is
    /// none.
    ///
    /// # Errors
    /// Why there will be none; None if nobody answered in `patience`, or the host is stopping.
    pub(crate) async fn generation(
        self: &Arc<Self>,
        patience: Duration,
        is_local: bool,
    ) -> Result<Arc<Generation>, Option<Arc<Refusal>>> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match &**self.standing.load() {
                Standing::Running(generation) => return Ok(generation.clone()),
                Standing::Troubled { why, .. } if is_local => return Err(Some(why.clone())),
                Standing::Troubled { generation, .. } => return Ok(generation.clone()),
                Standing::Refused { why, until } if Instant::now() < *until => return Err(Some(why.clone())),
                Standing::Refused { .. } | Standing::Absent => {}
            }
            if !self.asked.swap(true, Ordering::SeqCst) && self.calls.send(self.me()).is_err() {
                return Err(None);
            }
            tokio::time::timeout(patience, changed).await.map_err(|_| None)?;
        }
    }

    /// Says again how the application stands, to those who have asked meanwhile; false if that is no answer.
    pub(crate) fn answers_again(&self) -> bool {
        let is_answer = match &**self.standing.load() {
            Standing::Running(_) | Standing::Troubled { .. } => true,
            Standing::Refused { until, .. } => Instant::now() < *until,
            Standing::Absent => false,
        };
        if is_answer {
            self.asked.store(false, Ordering::SeqCst);
            self.changed.notify_waiters();
        }
        is_answer
    }

    fn me(self: &Arc<Self>) -> Arc<Application> {
        self.clone()
    }

    /// What the control plane says: requests from now on find this.
    pub(crate) fn stands(&self, standing: Standing) {
        let is_answer = !matches!(standing, Standing::Absent);
        self.standing.store(Arc::new(standing));
        if is_answer {
            self.asked.store(false, Ordering::SeqCst);
            self.changed.notify_waiters();
        }
    }
}

/// Every application a site's requests have asked for.
pub(crate) struct Applications {
    known: DashMap<ApplicationId, Arc<Application>>,
    calls: mpsc::UnboundedSender<Arc<Application>>,
}

impl Applications {
    /// The table, and where those are read who ask for a generation.
    pub(crate) fn new() -> (Arc<Applications>, mpsc::UnboundedReceiver<Arc<Application>>) {
        // Each application has one call under way at most, so this is as bounded as the table.
        let (calls, receiver) = mpsc::unbounded_channel();
        (Arc::new(Applications { known: DashMap::new(), calls }), receiver)
    }

    /// The application of `id`, known from now on. It costs nothing until a generation is asked for; there are no more
    /// than scripts on the disk.
    pub(crate) fn get(&self, id: ApplicationId) -> Arc<Application> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let new = Application::new(id.clone(), self.calls.clone());
        self.known.entry(id).or_insert(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ApplicationId, Applications, Kind, Standing};
    use crate::pool::refusal::Refusal;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn however_many_ask_for_a_generation_the_control_plane_is_called_once() {
        let (applications, mut calls) = Applications::new();
        let id = ApplicationId { site: 0, kind: Kind::Script, path: "server.js".into() };
        let application = applications.get(id.clone());
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let application = applications.get(id.clone());
            asking.spawn(async move { application.generation(PATIENCE, true).await.err().flatten() });
        }
        let called = calls.recv().await.unwrap();
        assert_eq!(called.id, id);
        let until = Instant::now() + PATIENCE;
        application.stands(Standing::Refused { why: Refusal::gone("no such thing").into(), until });
        while let Some(asked) = asking.join_next().await {
            assert!(asked.unwrap().is_some());
        }
        assert!(calls.try_recv().is_err());
    }
}
