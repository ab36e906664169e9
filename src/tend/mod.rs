//! The control plane's hands: worker processes are started, watched, restarted and ended here.
//!
//! Everything runs on one thread that lives as long as the host, in a current-thread runtime: the kernel ties a worker's
//! life to the thread that forked it. Towards the data plane there is only `pool`.
//!
//! `steward` looks after all applications and their generations; of one generation `slots` owns the tasks, `worker` tends one slot with `events` and `aftermath`, `application` is what they share; `state` and `budget` decide, the others do one thing each.

mod aftermath;
mod application;
mod approach;
mod budget;
mod demand;
mod events;
mod further;
mod gate;
mod goodbye;
mod health;
mod house;
mod keeper;
mod life;
mod linux;
mod memory;
mod outlook;
mod owner;
mod place;
mod probe;
mod proc;
mod ready;
mod slots;
mod sockets;
mod spawn;
mod state;
pub(crate) mod steward;
mod succession;
mod upstreams;
pub(crate) mod watch;
mod wear;
mod wish;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::budget::RestartLimits;
pub(crate) use self::house::House;
pub(crate) use self::keeper::{SUBCOMMAND as KEEPER_SUBCOMMAND, keeper_main};
pub(crate) use self::linux::{raise_descriptor_limit, take_short_turns};
use self::slots::tend;
pub(crate) use self::spawn::{CommandLine, CommandNotFound, look_up};
pub(crate) use self::state::Exit;
pub(crate) use self::upstreams::watch_upstreams;
use crate::base::address::Address;
pub(crate) use crate::config::settings::HealthCheck;
use crate::logs::LogPlan;

/// What `PORT` is for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The path of a Unix socket.
    Unix,
    /// The number of a free loopback TCP port.
    Tcp,
    /// A Unix socket that listens already, as descriptor 0: FastCGI.
    Inherited,
}

impl Transport {
    fn in_words(self) -> &'static str {
        match self {
            Transport::Unix => "the path of a Unix socket",
            Transport::Tcp => "a TCP port number",
            Transport::Inherited => "a listening socket, as descriptor 0",
        }
    }
}

/// Everything needed to run the workers of one application; how many there are is the pool's to say.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationPlan {
    pub(crate) name: String,
    pub(crate) command: CommandLine,
    pub(crate) working_directory: PathBuf,
    /// Added to the environment of the host, from which `PORT` is removed.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) transport: Transport,
    /// From the spawn of a worker until it accepts a connection.
    pub(crate) start_timeout: Duration,
    /// From the wish that a worker ends until it is killed.
    pub(crate) grace: Duration,
    pub(crate) restarts: RestartLimits,
    /// None: what workers print is not written to files.
    pub(crate) logs: Option<LogPlan>,
    pub(crate) telling: Telling,
    pub(crate) pairing: Option<Pairing>,
    pub(crate) readiness: Readiness,
    pub(crate) health: Option<HealthCheck>,
    pub(crate) wear: Wear,
    pub(crate) goodbye: Option<Goodbye>,
    pub(crate) retrying: Retrying,
    /// How often workers may end within a minute before nothing is started until that is over; none for as often as
    /// `restarts` allows.
    pub(crate) rapid_fails_per_minute: Option<u32>,
    /// A worker that has had no request for so long ends; another is started when one is needed. Only for pools that grow.
    pub(crate) worker_idle_timeout: Option<Duration>,
    /// What workers print goes nowhere, as they have no outputs.
    pub(crate) is_mute: bool,
    /// For so long the requests in flight of a worker may go on once it is to end, and `grace` begins after them; none
    /// if they share `grace`.
    pub(crate) finishing: Option<Duration>,
    /// A server that runs already, for all slots of the pool; nothing is started.
    pub(crate) server: Option<Address>,
}

/// How a worker is told where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Variables that hold the port or the socket's path.
    pub(crate) variables: Vec<&'static str>,
    /// What stands for it in arguments and in the values of variables, such as `%HTTP_PLATFORM_PORT%`; `{port}` and
    /// `{socket}` stand for it in arguments in any case.
    pub(crate) token: Option<&'static str>,
    /// The TCP port to use, whoever has it.
    pub(crate) fixed_port: Option<u16>,
    /// A variable of the application's own wins over those set here.
    pub(crate) gives_way: bool,
}

/// A secret that only the host and one worker know; each request to it carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairing {
    pub(crate) variable: &'static str,
    pub(crate) field: &'static str,
    /// The one to use instead of a random one.
    pub(crate) fixed: Option<String>,
}

/// When a worker counts as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It accepts a connection; on a TCP port, it or a descendant of it is who listens.
    Listening,
    /// Besides, a GET of this path is answered with this status.
    Answering { path: String, status: u16 },
}

/// After what a worker is replaced by a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wear {
    pub(crate) requests: Option<u64>,
    pub(crate) age: Option<Duration>,
    /// Of the resident memory of the worker and its descendants together.
    pub(crate) memory_bytes: Option<u64>,
}

/// A request that asks a worker to end by itself, before it gets a signal: POST with an event, as the ASP.NET Core
/// Module sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) path: String,
}

/// What follows a start that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retrying {
    /// Another, after a pause that grows.
    BackOff,
    /// So many attempts at once, for which requests wait; then nothing until another request asks, or one at a time
    /// every `longest_delay` while others serve.
    OnDemand { attempts: u32 },
}

impl ApplicationPlan {
    /// A plan with the usual limits; the transport is the one the command asks for, else Unix sockets.
    pub(crate) fn new(name: String, command: CommandLine, working_directory: PathBuf) -> ApplicationPlan {
        ApplicationPlan {
            transport: command.implied_transport().unwrap_or(Transport::Unix),
            name,
            command,
            working_directory,
            environment: Vec::new(),
            start_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            restarts: RestartLimits::default(),
            logs: None,
            telling: Telling { variables: vec!["PORT"], token: None, fixed_port: None, gives_way: false },
            pairing: None,
            readiness: Readiness::Listening,
            health: None,
            wear: Wear::default(),
            goodbye: None,
            retrying: Retrying::BackOff,
            rapid_fails_per_minute: None,
            worker_idle_timeout: None,
            is_mute: false,
            finishing: None,
            server: None,
        }
    }
}

/// What those are told who show a person how it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    WorkerReady {
        slot: usize,
        pid: u32,
        after: Duration,
    },
    /// In one sentence, and when the next attempt comes.
    StartFailed {
        slot: usize,
        why: String,
        next_in: Option<Duration>,
    },
    /// A worker that had been ready is gone.
    WorkerEnded {
        slot: usize,
        pid: u32,
        exit: Exit,
        next_in: Option<Duration>,
    },
    /// A worker that had been ready was ended because it did not answer its health checks, or could not be reached any
    /// more; why, in words that follow
    /// "the worker".
    WorkerHung {
        slot: usize,
        pid: u32,
        why: String,
        next_in: Option<Duration>,
    },
    /// A worker that was to end did not, in the time it had for that; what came of asking it to by a request, in words
    /// that follow "the worker".
    Killed {
        slot: usize,
        pid: u32,
        within: Duration,
        asked: Option<String>,
    },
    /// A worker goes on until another is ready to take its place; why, in words that follow "the worker".
    Worn {
        slot: usize,
        pid: u32,
        why: String,
    },
    /// Workers have ended more often than is allowed in a minute.
    GateClosed {
        limit: u32,
        opens_in: Duration,
    },
}

#[cfg(test)]
mod tests;
