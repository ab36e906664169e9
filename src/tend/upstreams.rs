//! Servers that already run take the place of workers: published while they answer, left out while they do not.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ready;
use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::pool::{Outlook, Pool};

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Requests wait for a server that was there until now, as one that is restarted is soon back.
const HOPE: Duration = Duration::from_secs(1);

struct Upstreams {
    pool: Arc<Pool>,
    drain: Drain,
    /// Since when each one does not answer.
    missing: Mutex<Vec<Option<Instant>>>,
}

/// Watches the servers, one per slot of the pool, until the drain is requested and their last request is over.
pub(crate) async fn watch_upstreams(addresses: Vec<Address>, pool: Arc<Pool>, drain: Drain) {
    let missing = Mutex::new(vec![None; addresses.len()]);
    let upstreams = Arc::new(Upstreams { pool, drain, missing });
    let mut tasks = JoinSet::new();
    for (slot, address) in addresses.into_iter().enumerate() {
        let upstreams = Arc::clone(&upstreams);
        tasks.spawn(async move { upstreams.watch(slot, &address).await });
    }
    upstreams.drain.requested().await;
    upstreams.pool.announce(Outlook::Stopping);
    while tasks.join_next().await.is_some() {}
}

impl Upstreams {
    async fn watch(&self, slot: usize, address: &Address) {
        loop {
            tokio::select! {
                biased;
                () = self.drain.requested() => return,
                () = self.until_it_answers(slot, address) => {}
            }
            let worker = self.pool.worker(slot, address.clone(), None);
            self.pool.publish(Arc::clone(&worker));
            self.pool.announce(Outlook::Expected);
            let unreachable = async {
                loop {
                    worker.reported_unreachable().await;
                    if ready::probe(address).await.is_err() {
                        return;
                    }
                }
            };
            let drained = tokio::select! {
                biased;
                () = self.drain.requested() => true,
                () = unreachable => false,
            };
            self.pool.withdraw(&worker);
            if drained {
                tokio::select! {
                    () = worker.drained() => {}
                    () = self.drain.overdue() => {}
                }
                return;
            }
        }
    }

    async fn until_it_answers(&self, slot: usize, address: &Address) {
        let mut pause = FIRST_PAUSE;
        let since = Instant::now();
        while let Err(error) = ready::probe(address).await {
            self.missing.lock()[slot] = Some(since);
            self.despair(address, &error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.missing.lock()[slot] = None;
    }

    /// Tells requests not to wait when all servers have been missing for a while.
    fn despair(&self, address: &Address, error: &std::io::Error) {
        let missing = self.missing.lock();
        let hopeless = missing.iter().all(|since| since.is_some_and(|since| since.elapsed() >= HOPE));
        if !hopeless || self.drain.is_requested() {
            return;
        }
        let why = match missing.len() {
            1 => format!("the server at {address} does not answer: {error}"),
            _ => format!("no server answers; the last one tried was {address}: {error}"),
        };
        drop(missing);
        self.pool.announce(Outlook::Failing(why.into()));
    }
}
