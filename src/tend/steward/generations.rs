//! Generations that have workers: each a task that ends when its last worker has, however long that takes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::house::House;
use super::super::{Progress, Retrying, tend, wish};
use super::GenerationPlan;
use crate::base::drain::Drain;
use crate::pool::{ApplicationId, Generation, Outlook, Pool};

/// So many generations may still serve who waited for them while they are stale already; the oldest give way.
const MOST_RETIRING: usize = 4;

/// A generation and its end.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) generation: Arc<Generation>,
    /// Requests need no worker of it that has started before they come.
    needs_no_start: bool,
    /// A start that fails is followed by another at once, and only the last failure has none to come.
    pub(super) tries_again: bool,
    drain: Drain,
}

/// News of a generation's workers.
pub(super) struct News {
    pub(super) application: ApplicationId,
    /// What people call it.
    pub(super) name: Arc<str>,
    pub(super) generation: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Progress(Progress),
    /// A worker wishes that its generation is replaced.
    Wish,
}

pub(super) struct Generations {
    house: Arc<House>,
    tasks: JoinSet<u64>,
    /// The drains of all generations that still have workers.
    drains: HashMap<u64, Drain>,
    /// Stale before their first worker was ready, with requests that came before they were.
    retiring: Vec<Running>,
    next: u64,
    news: mpsc::Sender<News>,
}

impl Running {
    /// Whether every slot has a worker that is ready, if requests are to find them so.
    pub(super) fn is_complete(&self) -> bool {
        self.needs_no_start || self.generation.pool.is_complete()
    }

    /// No request finds it any longer: those in flight end, those that wait are told, then its workers end.
    fn end(&self) {
        self.drain.request();
        self.generation.pool.announce(Outlook::Stopping);
    }
}

impl Generations {
    pub(super) fn new(house: Arc<House>, news: mpsc::Sender<News>) -> Generations {
        Generations {
            house,
            tasks: JoinSet::new(),
            drains: HashMap::new(),
            retiring: Vec::new(),
            next: 1,
            news,
        }
    }

    /// Starts the workers of a generation.
    pub(super) fn start(&mut self, id: &ApplicationId, mut plan: GenerationPlan) -> Running {
        let number = self.next;
        self.next += 1;
        let wishes = plan.recycle_signal.then(|| self.wish_socket(id)).flatten();
        if let Some((path, _)) = &wishes {
            let socket = path.to_string_lossy().into_owned();
            plan.application.environment.push(("IISNODE_CONTROL_PIPE".to_owned(), socket));
        }
        let tries_again = matches!(plan.application.retrying, Retrying::OnDemand { .. });
        let needs_no_start = plan.pool.grows || plan.application.server.is_some();
        let pool = Pool::new(plan.pool);
        let finishing = plan.application.finishing.unwrap_or_default();
        let drain = Drain::new(finishing.saturating_add(plan.application.grace));
        let generation = Arc::new(Generation { pool: pool.clone(), passing: plan.passing });
        let (sender, application) = (self.news.clone(), id.clone());
        let name: Arc<str> = generation.pool.settings().name.as_str().into();
        let tell = move |what| {
            // Full: the steward is far behind, and looks for itself when it comes to it.
            let (application, name) = (application.clone(), name.clone());
            let _ = sender.try_send(News { application, name, generation: number, what });
        };
        let told = tell.clone();
        let progress = Box::new(move |progress| told(What::Progress(progress)));
        let limit = plan.application.rapid_fails_per_minute;
        let gate = limit.map(|limit| self.house.gate(id, limit));
        let tending = tend(plan.application, pool, self.house.clone(), gate, drain.clone(), progress);
        self.drains.insert(number, drain.clone());
        self.tasks.spawn(async move {
            match wishes {
                Some((path, listener)) => {
                    tokio::select! {
                        () = tending => {}
                        () = wish::listen(listener, move || tell(What::Wish)) => {}
                    }
                    // The folder it lies in goes with the host anyway.
                    let _ = std::fs::remove_file(path);
                }
                None => tending.await,
            }
            number
        });
        Running { number, generation, needs_no_start, tries_again, drain }
    }

    /// The files of an application have changed: what failed before counts no longer.
    pub(super) fn give_new_chance(&self, id: &ApplicationId) {
        self.house.open_gate(id);
    }

    /// A socket on which the workers of one generation ask to be recycled.
    fn wish_socket(&self, id: &ApplicationId) -> Option<(PathBuf, tokio::net::UnixListener)> {
        let path = self.house.sockets.socket_path();
        match tokio::net::UnixListener::bind(&path) {
            Ok(listener) => Some((path, listener)),
            Err(error) => {
                tracing::warn!(%error, application = id.name(), "its workers cannot ask for a recycle");
                None
            }
        }
    }

    /// Ends a generation that requests do not find any longer. Those that came while it was starting still get an answer
    /// of it: a program that is changed again and again would answer nobody else.
    pub(super) fn retire(&mut self, running: Running) {
        let pool = &running.generation.pool;
        if !pool.is_unready() || !pool.is_waited_for() {
            running.end();
            return;
        }
        self.retiring.push(running);
        if self.retiring.len() > MOST_RETIRING {
            self.retiring.remove(0).end();
        }
    }

    pub(super) fn are_retiring(&self) -> bool {
        !self.retiring.is_empty()
    }

    /// Ends the retiring generations whose waiting requests have their workers, or will never have any.
    pub(super) fn settle(&mut self) {
        let is_over = |running: &mut Running| {
            let pool = &running.generation.pool;
            !pool.is_unready() || pool.is_failing() || !pool.is_waited_for()
        };
        self.retiring.extract_if(.., is_over).for_each(|running| running.end());
    }

    /// Waits for the end of one generation; for ever if there is none.
    pub(super) async fn one_ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(number)) => drop(self.drains.remove(&number)),
            Some(Err(error)) => tracing::error!(%error, "a generation's task is lost"),
            None => std::future::pending().await,
        }
    }

    /// Ends all of them, in good order, or at once when `drain` is overdue.
    pub(super) async fn end(mut self, drain: &Drain) {
        self.drains.values().filter(|drain| !drain.is_requested()).for_each(Drain::request);
        let drains = self.drains;
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        let overdue = async {
            drain.overdue().await;
            drains.values().for_each(Drain::request);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = all_ended => {}
            () = overdue => {}
        }
    }
}
