//! The control plane's hands: worker processes are started, watched, restarted and ended here.
//!
//! Everything runs on one thread that lives as long as the host, in a current-thread runtime: the kernel ties a worker's
//! life to the thread that forked it. Towards the data plane there is only `pool`.
//!
//! `steward` looks after all applications and their generations; of one generation `slots` owns the tasks, `worker` tends one slot, `application` is what they share; `state` and `budget` decide, the others do one thing each.

mod application;
mod budget;
mod house;
mod keeper;
mod life;
mod linux;
mod outlook;
mod proc;
mod ready;
mod slots;
mod sockets;
mod spawn;
mod state;
pub(crate) mod steward;
mod upstreams;
pub(crate) mod watch;
mod wish;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use self::budget::RestartLimits;
pub(crate) use self::house::House;
pub(crate) use self::keeper::{SUBCOMMAND as KEEPER_SUBCOMMAND, keeper_main};
pub(crate) use self::linux::{raise_descriptor_limit, take_short_turns};
use self::slots::tend;
pub(crate) use self::spawn::{CommandLine, CommandNotFound};
pub(crate) use self::state::Exit;
pub(crate) use self::upstreams::watch_upstreams;
use crate::logs::LogPlan;

/// What `PORT` is for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// The path of a Unix socket.
    Unix,
    /// The number of a free loopback TCP port.
    Tcp,
}

impl Transport {
    fn in_words(self) -> &'static str {
        match self {
            Transport::Unix => "the path of a Unix socket",
            Transport::Tcp => "a TCP port number",
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
}

#[cfg(test)]
mod tests;
