//! Hands a request to the workers of an application: its generation, a place in one of its workers, an attempt, and,
//! where that is safe, another.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::variables::Scene;
use super::{locality, promote, sticky};
use crate::exchange::Exchange;
use crate::failure::{Failure, Retry};
use crate::pool::journal::Cause;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ErrorStyle, Generation, Lease, NoLease, Pool, Worker};
use crate::upstream::connections::Connections;
use crate::upstream::{debug_header, forward};

/// Between two rounds over workers none of which could be reached: they are being replaced.
const PAUSE: Duration = Duration::from_millis(10);
/// How many workers may close on one request before the client is told: it may be the request that ends them.
const MAX_REACHED: usize = 3;
/// When a client that met full workers may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who was asked last, for those who explain a failure.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) worker: Option<Arc<Worker>>,
}

/// What has been tried for one request.
#[derive(Default)]
struct Attempts {
    /// Workers that cannot have seen any of it.
    unreached: usize,
    /// Workers that may have, and closed; perhaps because of it, so not all of them may try.
    reached: usize,
    give_up: Option<Instant>,
}

/// Has a worker of the application answer, and asks another if no worker can have acted on the request.
///
/// # Errors
/// Why none did.
pub(crate) async fn respond(
    application: &Arc<Application>,
    scene: &Scene<'_>,
    exchange: &mut Exchange<'_>,
    connections: &Connections,
    used: &mut Used,
) -> Result<(), Failure> {
    let mut attempts = Attempts::default();
    let told = exchange.told.len();
    let mut generation = current(application, exchange).await?;
    loop {
        used.generation = Some(generation.clone());
        let lease = match lease(&generation, exchange, attempts.is_first()).await {
            Ok(lease) => lease,
            // It was recycled while this request waited; what replaced it serves those who waited, too.
            Err(failure) if is_of_generation(&failure) && is_replaced(application, &generation) => {
                generation = current(application, exchange).await?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        used.worker = Some(lease.worker().clone());
        let passing = &generation.passing;
        // Another generation may promote others.
        exchange.told.truncate(told);
        if !passing.promoted.is_empty() {
            let lines = promote::lines(&passing.promoted, scene, exchange);
            exchange.told.push_str(&lines);
        }
        if let Some(command) = &passing.debug_header {
            let (command, worker) = (command.clone(), lease.worker().clone());
            let (pool, retries, begun) = (generation.pool.clone(), attempts.count(), Instant::now());
            let line = move || debug_header::line(&command, &worker, &pool, retries, begun);
            exchange.at_answer = Some(Box::new(line));
        }
        let Err(failure) = forward::forward(exchange, lease, connections, passing).await else {
            return Ok(());
        };
        let settings = generation.pool.settings();
        if !attempts.another(&failure, exchange, settings.start_timeout) {
            return Err(failure);
        }
        tracing::debug!(application = settings.name, %failure, "another worker is asked");
        if attempts.wants_pause(settings.slots) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The generation that serves now; most often it is there.
async fn current(
    application: &Arc<Application>,
    exchange: &mut Exchange<'_>,
) -> Result<Arc<Generation>, Failure> {
    match application.running() {
        Some(generation) => Ok(generation),
        None => Box::pin(asked_for(application, exchange)).await,
    }
}

/// Waits for a generation; the waiting ends when the client leaves.
async fn asked_for(
    application: &Arc<Application>,
    exchange: &mut Exchange<'_>,
) -> Result<Arc<Generation>, Failure> {
    let patience = exchange.limits.start_timeout;
    let is_local = locality::is_local(&exchange.client);
    let name = || application.id.script.to_string();
    match unless_gone(exchange, application.generation(patience, is_local)).await? {
        Ok(generation) => Ok(generation),
        Err(Some(why)) => Err(refused(name(), &why)),
        Err(None) => Err(Failure::NotReady { application: name(), after: patience }),
    }
}

fn refused(application: String, why: &Refusal) -> Failure {
    match why.clone() {
        Refusal::BadSettings { notes, is_yml } => Failure::BadSettings { is_yml, notes: notes.into() },
        Refusal::ProgramNotFound { program, command } => {
            Failure::ProgramNotFound { application, program, command, refilling: false }
        }
        Refusal::Offline(page) => Failure::Offline(page),
        Refusal::Gone(what) => Failure::NotFound(what),
        Refusal::Machine(why) => Failure::Failing { application, why: why.into() },
    }
}

/// Whether a failure says nothing of the generation that comes after.
fn is_of_generation(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Stopping
            | Failure::Failing { .. }
            | Failure::NotReady { .. }
            | Failure::ProgramNotFound { .. }
    )
}

fn is_replaced(application: &Arc<Application>, generation: &Arc<Generation>) -> bool {
    application.running().is_none_or(|running| !Arc::ptr_eq(&running, generation))
}

/// A place in a worker; waiting for it ends when the client leaves.
async fn lease(generation: &Generation, exchange: &mut Exchange<'_>, first: bool) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    // One worker needs no cookie to be found again.
    if generation.passing.sticky && pool.settings().slots > 1 {
        return sticky_lease(generation, exchange, first).await;
    }
    next_lease(generation, exchange).await
}

/// A place in the worker the client's cookie names; else in the next, and a cookie that names that one.
async fn sticky_lease(
    generation: &Generation,
    exchange: &mut Exchange<'_>,
    first: bool,
) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    // The worker that was wished for and failed is not asked again.
    let wished = sticky::slot(&exchange.client, pool.settings().slots).filter(|_| first);
    if let Some(lease) = wished.and_then(|slot| pool.lease_in(slot)) {
        return Ok(lease);
    }
    let lease = next_lease(generation, exchange).await?;
    exchange.with_answer = sticky::set_cookie(lease.worker().slot());
    Ok(lease)
}

async fn next_lease(generation: &Generation, exchange: &mut Exchange<'_>) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    if let Some(lease) = pool.lease_now() {
        return Ok(lease);
    }
    unless_gone(exchange, pool.lease()).await?.map_err(|reason| why_none(generation, reason))
}

/// Waits for `future` unless the client leaves first.
async fn unless_gone<T>(exchange: &mut Exchange<'_>, future: impl Future<Output = T>) -> Result<T, Failure> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        if exchange.client.body_is_done() {
            return exchange.client.poll_gone(cx).map(Err);
        }
        Poll::Pending
    })
    .await
}

fn why_none(generation: &Generation, reason: NoLease) -> Failure {
    let settings = generation.pool.settings();
    let application = settings.name.clone();
    match reason {
        NoLease::Overflow => Failure::Overflow { application, retry_after: RETRY_AFTER },
        NoLease::NotReady => Failure::NotReady { application, after: settings.start_timeout },
        NoLease::Failing(why) => match generation.passing.errors {
            ErrorStyle::Short => Failure::Failing { application, why },
            ErrorStyle::Site(_) => as_iisnode_tells(&generation.pool, application, why),
        },
        NoLease::Stopping => Failure::Stopping,
    }
}

/// iisnode has a number for each way of not starting.
fn as_iisnode_tells(pool: &Pool, application: String, why: Arc<str>) -> Failure {
    let excerpt = pool.journal().excerpt();
    match excerpt.endings.first().map(|ending| ending.cause.clone()) {
        Some(Cause::NoProgram(program)) => Failure::ProgramNotFound {
            application,
            program,
            command: excerpt.run.command,
            refilling: excerpt.ever_ready,
        },
        Some(Cause::Silent) => Failure::NotReady { application, after: pool.settings().start_timeout },
        Some(Cause::Ended | Cause::NotStarted) | None => Failure::Failing { application, why },
    }
}

impl Attempts {
    fn is_first(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.reached + self.unreached
    }

    /// A worker that dies is known to be dead some milliseconds later; until then it would be asked in vain.
    fn wants_pause(&self, slots: usize) -> bool {
        self.reached > 0 || self.unreached.is_multiple_of(slots.max(1))
    }

    /// Whether the request may go to another worker; if so it is rewound to its beginning.
    fn another(&mut self, failure: &Failure, exchange: &mut Exchange<'_>, patience: Duration) -> bool {
        let allowed = match failure.retry() {
            Retry::Never => false,
            Retry::IfIdempotent => {
                self.reached += 1;
                exchange.client.head().method.is_idempotent() && self.reached <= MAX_REACHED
            }
            Retry::AFew => {
                self.reached += 1;
                self.reached <= MAX_REACHED
            }
            Retry::Always => {
                self.unreached += 1;
                Instant::now() < *self.give_up.get_or_insert_with(|| Instant::now() + patience)
            }
        };
        allowed && exchange.client.rewind()
    }
}
