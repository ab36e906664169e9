//! Servers that already run take the place of workers: published while they answer, left out while they do not.

use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ready;
use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::pool::{Outlook, Pool, Worker};

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
    let servers = addresses.into_iter().enumerate().map(|(slot, address)| (slot..slot + 1, address));
    watch(servers.collect(), pool, drain).await;
}

/// The same for one server that has all slots of the pool.
pub(super) async fn watch_server(address: Address, pool: Arc<Pool>, drain: Drain) {
    let slots = 0..pool.settings().slots;
    watch(vec![(slots, address)], pool, drain).await;
}

async fn watch(servers: Vec<(Range<usize>, Address)>, pool: Arc<Pool>, drain: Drain) {
    let missing = Mutex::new(vec![None; servers.len()]);
    let upstreams = Arc::new(Upstreams { pool, drain, missing });
    let mut tasks = JoinSet::new();
    for (number, (slots, address)) in servers.into_iter().enumerate() {
        let upstreams = Arc::clone(&upstreams);
        tasks.spawn(async move { upstreams.watch(number, slots, &address).await });
    }
    upstreams.drain.requested().await;
    upstreams.pool.announce(Outlook::Stopping);
    while tasks.join_next().await.is_some() {}
}

impl Upstreams {
    async fn watch(&self, number: usize, slots: Range<usize>, address: &Address) {
        loop {
            tokio::select! {
                biased;
                () = self.drain.requested() => return,
                () = self.until_it_answers(number, address) => {}
            }
            let workers: Vec<_> =
                slots.clone().map(|slot| self.pool.worker(slot, address.clone(), None)).collect();
            workers.iter().for_each(|worker| self.pool.publish(Arc::clone(worker)));
            self.pool.announce(Outlook::Expected);
            let unreachable = async {
                loop {
                    one_is_unreachable(&workers).await;
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
            workers.iter().for_each(|worker| self.pool.withdraw(worker));
            if drained {
                let all_drained = async {
                    for worker in &workers {
                        worker.drained().await;
                    }
                };
                tokio::select! {
                    () = all_drained => {}
                    () = self.drain.overdue() => {}
                }
                return;
            }
        }
    }

    async fn until_it_answers(&self, number: usize, address: &Address) {
        let mut pause = FIRST_PAUSE;
        let since = Instant::now();
        while let Err(error) = ready::probe(address).await {
            self.missing.lock()[number] = Some(since);
            self.despair(address, &error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.missing.lock()[number] = None;
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

/// Waits until a core could not connect as one of these.
async fn one_is_unreachable(workers: &[Arc<Worker>]) {
    let mut reports: Vec<_> = workers.iter().map(|worker| Box::pin(worker.reported_unreachable())).collect();
    std::future::poll_fn(|cx| {
        let is_reported = reports.iter_mut().any(|report| report.as_mut().poll(cx).is_ready());
        if is_reported { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
