//! What all applications of one host share: the socket folder, the terminal, the log directories, the keeper, and the care for orphans.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::gate::Gate;
use super::keeper::{Keeper, is_of_host};
use super::sockets::{self, SocketFolder};
use super::{linux, proc, spawn};
use crate::logs::console::Console;
use crate::logs::directory::Directories;
use crate::pool::ApplicationId;

/// More applications than ever run at a time; of those that do not run, a few are forgotten.
const MOST_GATES: usize = 2048;

pub(crate) struct House {
    pub(super) console: Console,
    pub(super) logs: Directories,
    pub(super) sockets: SocketFolder,
    /// None in a process that is no host by itself, like a test.
    keeper: Option<Keeper>,
    /// 16 random hexadecimal digits; the tag of every worker begins with it.
    id: String,
    next_start: AtomicU64,
    /// Of applications with rapid-fail protection, through all their generations.
    gates: Mutex<HashMap<ApplicationId, Arc<Gate>>>,
}

impl House {
    /// Makes this process a host: it gets a private folder, a keeper, and every orphan of its workers.
    ///
    /// For the one thread that lives as long as the host, inside a tokio runtime.
    ///
    /// # Errors
    /// If there is nowhere to put the sockets. A missing keeper is a warning.
    pub(crate) fn open(console: Console) -> io::Result<House> {
        let mut house = House::without_keeper(console)?;
        if let Err(error) = linux::adopt_orphans() {
            tracing::warn!(%error, "orphans of workers are found by their environment only");
        }
        // The very file this process runs, even if it has been replaced or deleted since.
        let program = std::path::PathBuf::from("/proc/self/exe");
        house.keeper = Some(Keeper::start(program, &house.id, house.sockets.path()));
        Ok(house)
    }

    pub(super) fn without_keeper(console: Console) -> io::Result<House> {
        Ok(House {
            logs: Directories::new(console.clone()),
            console,
            sockets: SocketFolder::create()?,
            keeper: None,
            id: sockets::random_hex()?,
            next_start: AtomicU64::new(0),
            gates: Mutex::default(),
        })
    }

    /// A tag no other start has, in this host or another.
    pub(super) fn next_tag(&self) -> String {
        format!("{}/{}", self.id, self.next_start.fetch_add(1, Ordering::Relaxed))
    }

    /// The gate of an application with this limit; one with another limit is forgotten.
    pub(super) fn gate(&self, application: &ApplicationId, limit: u32) -> Arc<Gate> {
        let mut gates = self.gates.lock();
        if let Some(gate) = gates.get(application).filter(|gate| gate.limit() == limit) {
            return gate.clone();
        }
        if gates.len() >= MOST_GATES {
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        let gate = Arc::new(Gate::new(limit));
        gates.insert(application.clone(), gate.clone());
        gate
    }

    /// Gives an application whose files have changed a new chance.
    pub(super) fn open_gate(&self, application: &ApplicationId) {
        if let Some(gate) = self.gates.lock().get(application) {
            gate.open();
        }
    }

    pub(super) fn group_started(&self, group: u32) {
        if let Some(keeper) = &self.keeper {
            keeper.add(group);
        }
    }

    pub(super) fn group_ended(&self, group: u32) {
        if let Some(keeper) = &self.keeper {
            keeper.remove(group);
        }
    }

    /// Keeps the keeper alive and reaps what was adopted, for as long as this is awaited.
    pub(crate) async fn tend(&self) -> Infallible {
        match &self.keeper {
            Some(keeper) => tokio::select! {
                never = keeper.watch() => never,
                never = reap_orphans() => never,
            },
            None => std::future::pending().await,
        }
    }
}

async fn reap_orphans() -> Infallible {
    use tokio::signal::unix::{SignalKind, signal};
    // Many children end at once when a tree of processes does; one look is enough for them.
    const PAUSE: Duration = Duration::from_millis(100);
    let Ok(mut child_ended) = signal(SignalKind::child()) else { return std::future::pending().await };
    loop {
        child_ended.recv().await;
        tokio::time::sleep(PAUSE).await;
        spawn::reap_adopted();
    }
}

impl Drop for House {
    /// The last resort: whoever still runs in our name is killed. What forks meanwhile is the keeper's.
    fn drop(&mut self) {
        const ROUNDS: u32 = 10;
        let Some(keeper) = &self.keeper else { return };
        for _ in 0..ROUNDS {
            // By descent, too: it finds those who have cleared their environment, as they were adopted.
            let mut left = proc::descendants(std::process::id());
            left.extend(proc::tagged(|tag| is_of_host(tag, &self.id)));
            left.retain(|&pid| !keeper.is(pid));
            if left.is_empty() {
                return;
            }
            left.into_iter().for_each(linux::kill_process);
        }
    }
}
