//! `ostler run`: the application in a folder, on workers, behind listeners.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{USAGE, fail};
use crate::base::address::Address;
use crate::config::detect::{self, DetectError, Found};
use crate::config::limits::{LIMITS, LimitError, Limits};
use crate::host::{self, HostPlan, Serving};
use crate::tend::{ApplicationPlan, CommandLine, Transport};

const EXAMPLES: &str = "\
Examples:
  ostler run                                   what is in this folder: package.json's start script or main,
                                               server.js, app.js or index.js
  ostler run shop --instances 4                four workers, requests in turn
  ostler run --exec 'python3 app.py {port}'    any program that listens where it is told
  ostler run --listen 0.0.0.0:80 --listen unix:/run/shop.sock
  ostler run --upstream unix:/run/a.sock --upstream 127.0.0.1:9000
                                               servers that run already, in the place of workers
  ostler run --limit headTimeout=5s --limit connections=2000

Workers find where to listen in the environment variable PORT.";

#[derive(Args)]
#[command(after_help = EXAMPLES, after_long_help = long_help())]
pub(super) struct Run {
    /// The application's folder, or its script; this folder if left out
    path: Option<PathBuf>,
    /// Where to listen: HOST:PORT, PORT or unix:/path; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: Vec<String>,
    /// How many workers; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 1)]
    instances: usize,
    /// The command that starts a worker, in the place of what the folder says
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// A server that runs already, in the place of workers; may repeat
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["path", "exec", "instances", "transport"])]
    upstream: Vec<String>,
    /// How many requests one worker may have in flight before the next is asked, and in the end 503 answered
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_concurrent: u32,
    /// Threads that pass requests on; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// What PORT is for a worker: the path of a Unix socket, or the number of a free TCP port
    #[arg(long, value_name = "KIND")]
    transport: Option<Kind>,
    /// Keep a client's requests on one worker, by the cookie iisnode.session.cookie
    #[arg(long)]
    sticky: bool,
    /// Set a limit; `--help` lists them; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Unix,
    Tcp,
}

/// Why the arguments cannot be followed.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("--{flag}: {why}")]
    Flag { flag: &'static str, why: String },
    #[error(transparent)]
    Detect(#[from] DetectError),
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(error) => return fail(&error, USAGE),
        };
        match host::run(plan) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, if error.is_usage() { USAGE } else { 1 }),
        }
    }

    fn plan(self) -> Result<HostPlan, UsageError> {
        let mut limits = Limits::default();
        for assignment in &self.limit {
            limits.set(assignment).map_err(|error: LimitError| flag("limit", error))?;
        }
        if self.max_concurrent == 0 {
            return Err(flag("max-concurrent", "0 would refuse every request; 1 is the least"));
        }
        let listen = addresses("listen", &self.listen)?;
        let upstreams = addresses("upstream", &self.upstream)?;
        let threads = or_cores("threads", self.threads)?;
        let (serving, found) = if upstreams.is_empty() {
            self.application(&limits)?
        } else {
            (Serving::Upstreams(upstreams), String::new())
        };
        Ok(HostPlan {
            listen,
            threads,
            serving,
            max_concurrent: self.max_concurrent,
            sticky: self.sticky,
            limits,
            found,
        })
    }

    fn application(&self, limits: &Limits) -> Result<(Serving, String), UsageError> {
        let path = self.path.as_deref().unwrap_or(Path::new("."));
        let Found { name, words, folder, why } = match &self.exec {
            Some(command) => detect::command(command, path)?,
            None => detect::find(path)?,
        };
        let mut words = words.into_iter();
        let program = words.next().ok_or_else(|| flag("exec", "the command is empty"))?;
        let command = CommandLine { program, args: words.collect() };
        let mut plan = ApplicationPlan::new(name, command, folder);
        plan.start_timeout = limits.start_timeout;
        plan.grace = limits.grace;
        if let Some(kind) = self.transport {
            plan.transport = match kind {
                Kind::Unix => Transport::Unix,
                Kind::Tcp => Transport::Tcp,
            };
        }
        let instances = or_cores("instances", self.instances)?;
        Ok((Serving::Application { plan: Box::new(plan), instances }, why))
    }
}

fn addresses(name: &'static str, texts: &[String]) -> Result<Vec<Address>, UsageError> {
    texts.iter().map(|text| text.parse::<Address>().map_err(|error| flag(name, error))).collect()
}

/// More of either than this is a slip of the finger.
const MOST: usize = 1024;

fn or_cores(name: &'static str, count: usize) -> Result<usize, UsageError> {
    match count {
        0 => Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
        _ if count <= MOST => Ok(count),
        _ => Err(flag(name, format!("{count} is more than the {MOST} allowed"))),
    }
}

fn flag(flag: &'static str, why: impl ToString) -> UsageError {
    UsageError::Flag { flag, why: why.to_string() }
}

/// The examples, and the table of limits.
fn long_help() -> String {
    let mut text = format!("{EXAMPLES}\n\nLimits:\n");
    for limit in LIMITS {
        text.push_str(&format!("  {:<22}{}\n", format!("{}={}", limit.name, limit.default), limit.doc));
    }
    text
}
