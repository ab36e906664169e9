//! Assembles both planes, and takes them apart again: what `ostler run` runs.
//!
//! The control plane is this thread, which lives as long as the process, because workers live as long as the thread
//! that started them. The data plane is one thread per core. Ending is ordered: listeners close, requests in flight
//! end, then workers are stopped, then the process ends.

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::config::limits::Limits;
use crate::handler::Handler;
use crate::handler::app::App;
use crate::logs::Stream;
use crate::logs::console::Console;
use crate::pool::{Pool, PoolSettings};
use crate::serve::listener::{self, Bound, Listener};
use crate::serve::spread::Spread;
use crate::serve::world::World;
use crate::serve::{self, CorePlan, Places};
use crate::tend::{self, ApplicationPlan, CommandNotFound, House, Progress};
use crate::upstream::Forwarding;

/// Descriptors that are not for connections: listeners, pipes, sockets of the control plane.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Everything a host is told.
pub(crate) struct HostPlan {
    pub(crate) listen: Vec<Address>,
    /// Cores of the data plane.
    pub(crate) threads: usize,
    pub(crate) serving: Serving,
    pub(crate) max_concurrent: u32,
    /// Requests of one client go to one worker, by a cookie.
    pub(crate) sticky: bool,
    pub(crate) limits: Limits,
    /// How the application was found, for the line that says so.
    pub(crate) found: String,
}

pub(crate) enum Serving {
    /// Workers of ours.
    Application { plan: Box<ApplicationPlan>, instances: usize },
    /// Servers that already run.
    Upstreams(Vec<Address>),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("{address} is in use by another program; stop it, or choose another address with --listen")]
    InUse { address: Address },
    #[error("cannot listen on {address}: {cause}")]
    Listen { address: Address, cause: io::Error },
    #[error("cannot start {application}: {cause}")]
    Command { application: String, cause: CommandNotFound },
    #[error("cannot make a private folder for the workers' sockets: {0}")]
    Sockets(io::Error),
    #[error("a core ended by itself; the host has stopped with it")]
    CoreLost,
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
}

impl HostError {
    /// Whether what was asked for is wrong, rather than the machine.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, HostError::InUse { .. } | HostError::Listen { .. } | HostError::Command { .. })
    }
}

/// Runs a host until it is told to end. To be called on the process's first thread.
///
/// # Errors
/// What keeps it from starting; once it has started it ends well.
pub(crate) fn run(plan: HostPlan) -> Result<(), HostError> {
    let system = |what| move |cause| HostError::System { what, cause };
    let descriptors =
        tend::raise_descriptor_limit().map_err(system("cannot read the limit of open files"))?;
    if let Serving::Application { plan: application, .. } = &plan.serving {
        application
            .find_program()
            .map_err(|cause| HostError::Command { application: application.name.clone(), cause })?;
    }
    let bound =
        plan.listen.iter().map(|address| bind(address, plan.threads)).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("cannot make the control plane's runtime"))?;
    runtime.block_on(control(plan, bound, descriptors))
}

fn bind(address: &Address, cores: usize) -> Result<Bound, HostError> {
    listener::bind(address, cores).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => HostError::InUse { address: address.clone() },
        _ => HostError::Listen { address: address.clone(), cause },
    })
}

async fn control(plan: HostPlan, mut bound: Vec<Bound>, descriptors: u64) -> Result<(), HostError> {
    let started = Instant::now();
    let signals =
        Signals::new().map_err(|cause| HostError::System { what: "cannot listen for signals", cause })?;
    let console = Console::terminal();
    introduce(&console, &plan, &bound);
    let slots = match &plan.serving {
        Serving::Application { instances, .. } => *instances,
        Serving::Upstreams(addresses) => addresses.len(),
    };
    let pool = Pool::new(PoolSettings {
        name: plan.serving.name().to_owned(),
        slots,
        max_concurrent: plan.max_concurrent,
        queue_length: plan.limits.queue_length,
        queue_timeout: plan.limits.queue_timeout,
        start_timeout: plan.limits.start_timeout,
    });
    let drain = Drain::new(plan.limits.grace);
    let house = Arc::new(House::open(console.clone()).map_err(HostError::Sockets)?);
    let mut cores = Cores::start(&plan, &mut bound, &pool, descriptors)?;
    let (progress, news) = mpsc::channel(64);
    let tending = async {
        match plan.serving {
            Serving::Application { plan, .. } => {
                tend::tend(*plan, pool.clone(), house.clone(), drain.clone(), progress).await;
            }
            Serving::Upstreams(addresses) => {
                tend::watch_upstreams(addresses, pool.clone(), drain.clone()).await
            }
        }
    };
    let lost = Cell::new(false);
    let ending = async {
        end_in_order(signals, &mut cores, &drain, plan.limits.grace, &console, &lost).await;
        std::future::pending().await
    };
    tokio::select! {
        () = tending => {}
        () = ending => {}
        never = report(&console, news, slots, started) => match never {},
    }
    drop(house);
    console.flush(Duration::from_secs(1));
    if lost.get() { Err(HostError::CoreLost) } else { Ok(()) }
}

/// Listeners close and requests in flight end, within the grace; then the workers' turn has come. A second signal
/// ends all of it at once.
async fn end_in_order(
    mut signals: Signals,
    cores: &mut Cores,
    drain: &Drain,
    grace: Duration,
    console: &Console,
    lost: &Cell<bool>,
) {
    tokio::select! {
        () = signals.next() => {}
        () = cores.one_ended() => lost.set(true),
    }
    cores.drain.cancel();
    console.say(
        Stream::Out,
        &format!("stopping requests may finish for {grace:?}; a second signal ends at once"),
    );
    tokio::select! {
        () = cores.all_ended() => drain.request(),
        () = tokio::time::sleep(grace) => {
            cores.halt.cancel();
            drain.request();
        }
        () = signals.next() => {
            cores.halt.cancel();
            drain.request();
            drain.request();
        }
    }
    signals.next().await;
    cores.halt.cancel();
    drain.request();
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The threads of the data plane.
struct Cores {
    drain: CancellationToken,
    halt: CancellationToken,
    /// A word from each that ends; closed when all have.
    ended: mpsc::Receiver<()>,
}

impl Cores {
    fn start(
        plan: &HostPlan,
        bound: &mut [Bound],
        pool: &Arc<Pool>,
        descriptors: u64,
    ) -> Result<Cores, HostError> {
        let limits = &plan.limits;
        // A request in flight takes a second descriptor, for the worker's connection.
        let affordable =
            usize::try_from((descriptors.saturating_sub(RESERVED_DESCRIPTORS)) / 4 * 3).unwrap_or(usize::MAX);
        let places = Places::new(limits.connections.min(affordable.max(1)), limits.connections_per_client);
        let app = App::new(pool.clone(), Forwarding { forwarded_for: true }, plan.sticky);
        let world = Arc::new(World { handler: Handler::App(app) });
        let (spread, inboxes) = Spread::new(plan.threads);
        let spread = Arc::new(spread);
        let (running, ended) = mpsc::channel(plan.threads);
        let cores = Cores { drain: CancellationToken::new(), halt: CancellationToken::new(), ended };
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let listeners: Vec<Listener> =
                bound.iter_mut().filter_map(|bound| bound.per_core.pop()).collect();
            let core = CorePlan {
                index,
                listeners,
                world: world.clone(),
                limits: limits.clone(),
                places: places.clone(),
                spread: spread.clone(),
                inbox,
                drain: cores.drain.clone(),
                halt: cores.halt.clone(),
            };
            let running = Running(running.clone());
            let body = move || {
                let _running = running;
                tend::take_short_turns();
                if let Err(error) = serve::run(core) {
                    tracing::error!(%error, index, "a core could not start");
                }
            };
            std::thread::Builder::new()
                .name(format!("core-{index}"))
                .spawn(body)
                .map_err(|cause| HostError::System { what: "cannot start a core's thread", cause })?;
        }
        Ok(cores)
    }

    async fn one_ended(&mut self) {
        self.ended.recv().await;
    }

    async fn all_ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }
}

/// Held by a core's thread; tells when that ends, however it does.
struct Running(mpsc::Sender<()>);

impl Drop for Running {
    fn drop(&mut self) {
        // There is room for one word of each core; nobody listens only when the host ends anyway.
        let _ = self.0.try_send(());
    }
}

impl Serving {
    fn name(&self) -> &str {
        match self {
            Serving::Application { plan, .. } => &plan.name,
            Serving::Upstreams(_) => "upstreams",
        }
    }
}

/// The first lines: where to look, and what is run.
fn introduce(console: &Console, plan: &HostPlan, bound: &[Bound]) {
    for (index, bound) in bound.iter().enumerate() {
        let label =
            if index == 0 { concat!("ostler ", env!("CARGO_PKG_VERSION"), "  ") } else { "         and  " };
        let address = match &bound.address {
            Address::Tcp(address) => format!("http://{address}/"),
            unix @ Address::Unix(_) => unix.to_string(),
        };
        console.say(Stream::Out, &format!("{label}{address}"));
    }
    let app = match &plan.serving {
        Serving::Application { plan: application, .. } => {
            let folder = nice_path(&application.working_directory);
            format!("app      {}: `{}` in {folder} ({})", application.name, application.command, plan.found)
        }
        Serving::Upstreams(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(Address::to_string).collect();
            format!("app      servers that run already: {}", addresses.join(", "))
        }
    };
    console.say(Stream::Out, &app);
}

fn nice_path(path: &PathBuf) -> String {
    path.canonicalize().as_ref().unwrap_or(path).display().to_string()
}

/// Says how it goes, for ever.
async fn report(
    console: &Console,
    mut news: mpsc::Receiver<Progress>,
    slots: usize,
    started: Instant,
) -> std::convert::Infallible {
    let mut seen = vec![false; slots];
    while let Some(progress) = news.recv().await {
        match progress {
            Progress::WorkerReady { slot, pid, after } => {
                let back = std::mem::replace(&mut seen[slot], true);
                if !back && seen.iter().all(|seen| *seen) {
                    let ms = started.elapsed().as_millis();
                    console.say(Stream::Out, &format!("workers  {slots} ready in {ms} ms"));
                } else if back {
                    let ms = after.as_millis();
                    console.say(
                        Stream::Out,
                        &format!("workers  worker {slot} is back after {ms} ms (pid {pid})"),
                    );
                }
            }
            Progress::StartFailed { slot, why, next_in } => {
                console.say(
                    Stream::Err,
                    &format!("ostler: worker {slot} did not start: {why}{}", next(next_in)),
                );
            }
            Progress::WorkerEnded { slot, pid, exit, next_in } => {
                console
                    .say(Stream::Err, &format!("ostler: worker {slot} (pid {pid}) {exit}{}", next(next_in)));
            }
        }
    }
    std::future::pending().await
}

fn next(delay: Option<Duration>) -> String {
    match delay {
        None => String::new(),
        Some(Duration::ZERO) => "; a new one is started".to_owned(),
        Some(delay) => format!("; the next attempt is in {} ms", delay.as_millis()),
    }
}
