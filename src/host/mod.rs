//! Assembles both planes, and takes them apart again: what `ostler run` runs.
//!
//! The control plane is this thread, which lives as long as the process, because workers live as long as the thread
//! that started them. The data plane is one thread per core. Ending is ordered: listeners close, requests in flight
//! end, then workers are stopped, then the process ends.

mod cores;
mod fast_cgi;
mod from_settings;
mod offline;
mod one;
mod one_site;
mod plans;
mod programs;
mod report;
mod section_programs;
mod signals;
mod sites;

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};

use self::cores::Cores;
pub(crate) use self::one::OneApplication;
use self::one::OnePlanner;
pub(crate) use self::one_site::SitePlan;
pub(crate) use self::programs::ProgramSite;
use self::signals::Signals;
pub(crate) use self::sites::SitesPlan;
use self::sites::SitesPlanner;
use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::base::sentinel::Sentinel;
use crate::config::limits::Limits;
use crate::logs::Stream;
use crate::logs::console::Console;
use crate::pool::{
    Application, ApplicationId, Applications, Forwarded, Generation, Kind, LoadBalancing, Passing, Pool,
    PoolSettings, Standing,
};
use crate::serve::access_log;
use crate::serve::listener::{self, Bound};
use crate::serve::world::{self, CurrentWorld, World};
use crate::tend::steward::{Event, Steward};
use crate::tend::watch::Watch;
use crate::tend::{self, CommandNotFound, House};

/// Everything a host is told.
pub(crate) struct HostPlan {
    pub(crate) listen: Vec<Address>,
    /// Cores of the data plane.
    pub(crate) threads: usize,
    pub(crate) serving: Serving,
    pub(crate) limits: Limits,
    /// Where each request has a line, `-` for the standard output; none for nowhere.
    pub(crate) access_log: Option<PathBuf>,
}

pub(crate) enum Serving {
    /// Sites as IIS hosts them.
    Sites(Box<SitesPlan>),
    /// Workers of one application, which everything goes to.
    Application(Box<OneApplication>),
    /// Servers that already run.
    Upstreams { addresses: Vec<Address>, max_concurrent: u32, sticky: bool },
}

impl Serving {
    fn plain_applications(&self) -> Vec<&OneApplication> {
        match self {
            Serving::Sites(plan) => plan.programs.iter().map(|program| &program.one).collect(),
            Serving::Application(one) => vec![one],
            Serving::Upstreams { .. } => Vec::new(),
        }
    }
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
    #[error("cannot serve {}: {cause}", root.display())]
    Root { root: PathBuf, cause: io::Error },
    #[error("cannot write the access log {}: {cause}", path.display())]
    AccessLog { path: PathBuf, cause: io::Error },
    #[error("a core ended by itself; the host has stopped with it")]
    CoreLost,
    #[error("{what}: {cause}")]
    System { what: &'static str, cause: io::Error },
}

impl HostError {
    /// Whether what was asked for is wrong, rather than the machine.
    pub(crate) fn is_usage(&self) -> bool {
        !matches!(self, HostError::Sockets(_) | HostError::CoreLost | HostError::System { .. })
    }
}

/// For what is still being written to disk when everything else has ended.
const LAST_WRITES: Duration = Duration::from_secs(1);

fn system(what: &'static str) -> impl Fn(io::Error) -> HostError {
    move |cause| HostError::System { what, cause }
}

/// Runs a host until it is told to end. To be called on the process's first thread.
///
/// # Errors
/// What keeps it from starting; once it has started it ends well.
pub(crate) fn run(plan: HostPlan) -> Result<(), HostError> {
    let descriptors =
        tend::raise_descriptor_limit().map_err(system("cannot read the limit of open files"))?;
    for one in plan.serving.plain_applications() {
        let found = one.application_plan().find_program();
        found.map_err(|cause| HostError::Command { application: one.name.clone(), cause })?;
    }
    let bound =
        plan.listen.iter().map(|address| bind(address, plan.threads)).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("cannot make the control plane's runtime"))?;
    let ended = runtime.block_on(control(plan, bound, descriptors));
    // A disk that does not answer must not keep the host from ending.
    runtime.shutdown_timeout(LAST_WRITES);
    ended
}

fn bind(address: &Address, cores: usize) -> Result<Bound, HostError> {
    listener::bind(address, cores).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => HostError::InUse { address: address.clone() },
        _ => HostError::Listen { address: address.clone(), cause },
    })
}

async fn control(plan: HostPlan, mut bound: Vec<Bound>, descriptors: u64) -> Result<(), HostError> {
    let started = Instant::now();
    let signals = Signals::new().map_err(system("cannot listen for signals"))?;
    let console = Console::terminal();
    let limits = plan.limits;
    // Dropped last: it then writes what the cores have said.
    let access_log = plan.access_log.map(open_access_log).transpose()?;
    let drain = Drain::new(limits.grace);
    let house = Arc::new(House::open(console.clone()).map_err(HostError::Sockets)?);
    let several = matches!(plan.serving, Serving::Sites(_));
    let Prepared { world, lines, tending, events } = prepare(plan.serving, &limits, &house, &drain, &bound)?;
    report::introduce(&console, &bound, &lines);
    let access_log = access_log.as_ref().map(|(sink, _)| sink);
    let mut cores = Cores::start(plan.threads, &limits, &mut bound, &world, descriptors, access_log)?;
    let lost = Cell::new(false);
    let ending = async {
        end_in_order(signals, &mut cores, &drain, limits.grace, &console, &lost).await;
        std::future::pending().await
    };
    let mut reporting = std::pin::pin!(report::report(&console, events, several, started));
    tokio::select! {
        () = tending => {}
        () = ending => {}
        never = house.tend() => match never {},
        never = &mut reporting => match never {},
    }
    // What happened last is said, too.
    let said = std::future::poll_fn(|context| Poll::Ready(reporting.as_mut().poll(context).is_ready()));
    said.await;
    drop(house);
    console.flush(Duration::from_secs(1));
    if lost.get() { Err(HostError::CoreLost) } else { Ok(()) }
}

fn open_access_log(path: PathBuf) -> Result<(NonBlocking, WorkerGuard), HostError> {
    access_log::file::open(&path).map_err(|cause| HostError::AccessLog { path, cause })
}

/// What is served, ready to be.
struct Prepared {
    world: Arc<CurrentWorld>,
    /// For the terminal, below the addresses.
    lines: Vec<String>,
    /// Looks after the workers until the drain is requested and they are gone.
    tending: Pin<Box<dyn Future<Output = ()>>>,
    events: mpsc::Receiver<Event>,
}

fn prepare(
    serving: Serving,
    limits: &Limits,
    house: &Arc<House>,
    drain: &Drain,
    bound: &[Bound],
) -> Result<Prepared, HostError> {
    let (sender, events) = mpsc::channel(256);
    let (applications, calls) = Applications::new();
    match serving {
        Serving::Sites(plan) => {
            let sentinel = Sentinel::new();
            let (planner, eager) = SitesPlanner::new(*plan, applications, sentinel.clone(), limits.clone())?;
            let watch = watch(&sentinel, planner.polling_interval())?;
            let (world, lines) = (planner.world().clone(), planner.introduction(bound));
            let steward = Steward::new(planner, house.clone(), watch, calls, sender, drain.clone());
            Ok(Prepared { world, lines, tending: Box::pin(steward.run(eager)), events })
        }
        Serving::Application(one) => {
            let application = applications.get(one.id(0));
            let lines = vec![one.introduction("")];
            let sentinel = Sentinel::new();
            let watch = watch(&sentinel, None)?;
            // Nothing to look at, nothing to ask.
            let is_watching = !one.settings.watched_files.is_empty();
            let planner = OnePlanner { one: *one, limits: limits.clone() };
            let steward = Steward::new(planner, house.clone(), watch, calls, sender, drain.clone());
            let serving = world::Serving::One(application.clone());
            let world = CurrentWorld::new(World { serving, sentinel: is_watching.then_some(sentinel) });
            Ok(Prepared { world, lines, tending: Box::pin(steward.run(vec![application])), events })
        }
        Serving::Upstreams { addresses, max_concurrent, sticky } => {
            let texts: Vec<String> = addresses.iter().map(Address::to_string).collect();
            let lines = vec![format!("app      servers that run already: {}", texts.join(", "))];
            let settings = pool_settings("upstreams".to_owned(), addresses.len(), max_concurrent, limits);
            let pool = Pool::new(settings);
            let passing = Passing { forwarded: Forwarded::Address, sticky, ..Passing::default() };
            let application: Arc<Application> = applications.get(upstreams());
            let generation = Arc::new(Generation { pool: pool.clone(), passing });
            application.stands(Standing::Running(generation));
            let serving = world::Serving::One(application);
            let world = CurrentWorld::new(World { serving, sentinel: None });
            let tending = Box::pin(tend::watch_upstreams(addresses, pool, drain.clone()));
            Ok(Prepared { world, lines, tending, events })
        }
    }
}

/// Where no events come the files are looked at so often, unless a site says otherwise.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

fn watch(sentinel: &Arc<Sentinel>, poll_interval: Option<Duration>) -> Result<Watch, HostError> {
    Watch::new(sentinel.clone(), poll_interval.unwrap_or(POLL_INTERVAL)).map_err(system("cannot watch files"))
}

/// Servers that run already, as one application.
fn upstreams() -> ApplicationId {
    ApplicationId { site: 0, kind: Kind::Command, path: "upstreams".into() }
}

fn pool_settings(name: String, slots: usize, max_concurrent: u32, limits: &Limits) -> PoolSettings {
    PoolSettings {
        name,
        slots,
        max_concurrent,
        queue_length: limits.queue_length,
        queue_timeout: limits.queue_timeout,
        start_timeout: limits.start_timeout,
        opens_complete: false,
        grows: false,
        eager: None,
        balancing: LoadBalancing::default(),
    }
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
