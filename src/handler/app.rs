//! Hands a request to the workers of an application: its generation, a place in one of its workers, an attempt, and,
//! where that is safe, another.

use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::variables::Scene;
use super::{cgi, fastcgi, locality, promote, sticky};
use crate::exchange::Exchange;
use crate::failure::{Failure, Retry};
use crate::pool::journal::Cause;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ErrorStyle, Generation, Lease, NoLease, Passing, Pool, Protocol, Worker};
use crate::upstream::connections::Connections;
use crate::upstream::{debug_header, forward};

/// Between two rounds over workers none of which could be reached: they are being replaced.
const PAUSE: Duration = Duration::from_millis(10);
/// How many workers may close on one request before the client is told: it may be the request that ends them. Of programs
/// one is enough: it was a connection closed at the wrong moment, or else every end counts against its application.
const MAX_REACHED: usize = 3;
const MAX_REACHED_OF_PROGRAMS: usize = 1;
/// So long after its connections a worker may end that ends.
const NEWS_OF_AN_END: Duration = Duration::from_millis(100);
/// When a client that met full workers may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who was asked last, for those who explain a failure or keep a log.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) worker: Option<Arc<Worker>>,
    /// How failures are shown, where there is no generation to say so.
    pub(crate) errors: Option<ErrorStyle>,
    /// Field lines that a page of the host must carry, each with its CR LF.
    pub(crate) fields: String,
    /// How long the request has waited until it had a place in a worker, or none; of all attempts together.
    pub(crate) waited: Duration,
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
    let mut generation = current(application, exchange, used).await?;
    loop {
        used.generation = Some(generation.clone());
        if let Protocol::FastCgi(told) = &generation.passing.protocol {
            cgi::check(exchange, *scene, told, generation.passing.guards_identity)?;
            // Before a body is received for nothing.
            if generation.pool.is_overflowing() {
                return Err(why_none(&generation, NoLease::Overflow));
            }
            Box::pin(fastcgi::prepare(exchange)).await?;
        }
        let lease = match lease(&generation, exchange, attempts.is_first(), &mut used.waited).await {
            Ok(lease) => lease,
            // It was recycled while this request waited; what replaced it serves those who waited, too.
            Err(failure) if is_of_generation(&failure) && is_replaced(application, &generation) => {
                generation = current(application, exchange, used).await?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        used.worker = Some(lease.worker().clone());
        let passing = &generation.passing;
        // Another worker, or one of another generation, may be told something else.
        exchange.told.truncate(told);
        exchange.told.push_str(lease.worker().told());
        if !passing.queue_time_field.is_empty() {
            let (field, waited) = (&passing.queue_time_field, used.waited.as_millis());
            // Writing to a String cannot fail.
            let _ = write!(exchange.told, "{field}: {waited}\r\n");
        }
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
        let answered = match &passing.protocol {
            Protocol::Http if exchange.in_place.is_some() && !fastcgi::is_repeated_whole(exchange) => {
                return Err(fastcgi::refused_in_place());
            }
            Protocol::Http => forward::forward(exchange, lease, connections, passing).await,
            Protocol::FastCgi(told) => {
                lease.worker().repeats(attempts.reached > 0);
                let passing = (&*generation, told);
                let fields = &mut used.fields;
                Box::pin(fastcgi::forward(exchange, lease, connections, passing, scene, fields)).await
            }
        };
        let Err(failure) = answered else {
            return Ok(());
        };
        let settings = generation.pool.settings();
        if has_died_of_it(&failure, &generation, used).await
            || !attempts.another(&failure, exchange, &generation)
        {
            return Err(failure);
        }
        tracing::debug!(application = settings.name, %failure, "another worker is asked");
        if attempts.wants_pause(settings.eager()) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether a worker has ended with this request, which httpPlatform and aspNetCore do not repeat then: it may be what
/// ends them, and every end counts. One that closed a kept connection at the wrong moment lives.
async fn has_died_of_it(failure: &Failure, generation: &Generation, used: &Used) -> bool {
    let may_have_acted = matches!(failure.retry(), Retry::IfIdempotent | Retry::AFew);
    if !may_have_acted || !matches!(generation.passing.errors, ErrorStyle::Program(_)) {
        return false;
    }
    let Some(pid) = used.worker.as_ref().and_then(|worker| worker.pid()) else { return false };
    generation.pool.journal().ending_of(pid, NEWS_OF_AN_END).await.is_some()
}

/// Whether its workers are programs that the modules for programs would run, FastCgiModule among them.
fn is_of_programs(generation: &Generation) -> bool {
    let Passing { errors, protocol, .. } = &generation.passing;
    matches!(errors, ErrorStyle::Program(_)) || matches!(protocol, Protocol::FastCgi(_))
}

/// The generation that serves now; most often it is there.
async fn current(
    application: &Arc<Application>,
    exchange: &mut Exchange<'_>,
    used: &mut Used,
) -> Result<Arc<Generation>, Failure> {
    if let Some(generation) = application.running() {
        return Ok(generation);
    }
    let begun = Instant::now();
    let generation = Box::pin(asked_for(application, exchange, used)).await;
    used.waited += begun.elapsed();
    generation
}

/// Waits for a generation; the waiting ends when the client leaves.
async fn asked_for(
    application: &Arc<Application>,
    exchange: &mut Exchange<'_>,
    used: &mut Used,
) -> Result<Arc<Generation>, Failure> {
    let patience = exchange.limits.start_timeout;
    let is_local = locality::is_local(&exchange.client);
    let name = || application.id.name();
    match unless_gone(exchange, application.generation(patience, is_local)).await? {
        Ok(generation) => Ok(generation),
        Err(Some(why)) => {
            if let Refusal::ProgramNotFound { errors: Some(errors), .. } = &*why {
                used.errors = Some((**errors).clone());
            }
            Err(refused(name(), &why))
        }
        Err(None) => Err(Failure::NotReady { application: name(), after: patience }),
    }
}

fn refused(application: String, why: &Refusal) -> Failure {
    match why.clone() {
        Refusal::BadSettings { notes, is_yml } => Failure::BadSettings { is_yml, notes: notes.into() },
        Refusal::ProgramNotFound { program, command, why, .. } => {
            Failure::ProgramNotFound { application, program, command, why, refilling: false }
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
async fn lease(
    generation: &Generation,
    exchange: &mut Exchange<'_>,
    first: bool,
    waited: &mut Duration,
) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    // One worker needs no cookie to be found again.
    if generation.passing.sticky && pool.settings().slots > 1 {
        return sticky_lease(generation, exchange, first, waited).await;
    }
    next_lease(generation, exchange, waited).await
}

/// A place in the worker the client's cookie names; else in the next, and a cookie that names that one.
async fn sticky_lease(
    generation: &Generation,
    exchange: &mut Exchange<'_>,
    first: bool,
    waited: &mut Duration,
) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    // The worker that was wished for and failed is not asked again.
    let wished = sticky::slot(&exchange.client, pool.settings().slots).filter(|_| first);
    if let Some(lease) = wished.and_then(|slot| pool.lease_in(slot)) {
        return Ok(lease);
    }
    let lease = next_lease(generation, exchange, waited).await?;
    exchange.with_answer = sticky::set_cookie(lease.worker().slot());
    Ok(lease)
}

async fn next_lease(
    generation: &Generation,
    exchange: &mut Exchange<'_>,
    waited: &mut Duration,
) -> Result<Lease, Failure> {
    let pool = &generation.pool;
    if let Some(lease) = pool.lease_now() {
        return Ok(lease);
    }
    let begun = Instant::now();
    let granted = unless_gone(exchange, pool.lease()).await;
    // Who gets no place has waited, too.
    *waited += granted
        .as_ref()
        .ok()
        .and_then(|lease| lease.as_ref().ok())
        .map_or_else(|| begun.elapsed(), Lease::waited);
    granted?.map_err(|reason| why_none(generation, reason))
}

/// Waits for `future` unless the client leaves first.
async fn unless_gone<T>(exchange: &mut Exchange<'_>, future: impl Future<Output = T>) -> Result<T, Failure> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        if exchange.client.body_is_here() {
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
            ErrorStyle::Site(_) => as_modules_tell(&generation.pool, application, why, true),
            ErrorStyle::Program(_) | ErrorStyle::FastCgi(_) => {
                as_modules_tell(&generation.pool, application, why, false)
            }
        },
        NoLease::Closed { limit, until } => {
            let opens_in = until.saturating_duration_since(Instant::now());
            Failure::Closed { application, limit, opens_in }
        }
        NoLease::Stopping => Failure::Stopping,
    }
}

/// iisnode has a number for each way of not starting. What programs do instead is in `why`.
fn as_modules_tell(pool: &Pool, application: String, why: Arc<str>, is_script: bool) -> Failure {
    let excerpt = pool.journal().excerpt();
    match excerpt.endings.first().map(|ending| ending.cause.clone()) {
        Some(Cause::NoProgram(program)) => Failure::ProgramNotFound {
            application,
            program,
            command: excerpt.run.command,
            why: None,
            refilling: excerpt.ever_ready,
        },
        Some(cause) if cause.is_timeout() && is_script => {
            Failure::NotReady { application, after: pool.settings().start_timeout }
        }
        Some(_) | None => Failure::Failing { application, why },
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
    fn another(&mut self, failure: &Failure, exchange: &mut Exchange<'_>, generation: &Generation) -> bool {
        let patience = generation.pool.settings().start_timeout;
        let most = if is_of_programs(generation) { MAX_REACHED_OF_PROGRAMS } else { MAX_REACHED };
        let allowed = match failure.retry() {
            Retry::Never => false,
            Retry::IfIdempotent => {
                self.reached += 1;
                exchange.client.head().method.is_idempotent() && self.reached <= most
            }
            Retry::AFew => {
                self.reached += 1;
                self.reached <= most
            }
            Retry::Always => {
                self.unreached += 1;
                Instant::now() < *self.give_up.get_or_insert_with(|| Instant::now() + patience)
            }
        };
        // What was spooled is still here.
        let is_spooled = exchange.spool.is_some() && !exchange.client.has_begun();
        allowed && (is_spooled || exchange.client.rewind())
    }
}
