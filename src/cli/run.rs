//! `ostler run`: the site or the application in a folder, on workers, behind listeners.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{USAGE, fail, sites};
use crate::base::address::Address;
use crate::config::detect::{self, DetectError, Found};
use crate::config::host_file::HostFile;
use crate::config::limits::{LIMITS, LimitError, Limits};
use crate::config::source::{Located, Source};
use crate::host::{self, HostPlan, OneApplication, Serving, SitePlan, SitesPlan};
use crate::tend::{ApplicationPlan, CommandLine, Transport};

const EXAMPLES: &str = "\
Examples:
  ostler run                                   what is in this folder: a site with a web.config, or an application:
                                               package.json's start script or main, server.js, app.js or index.js
  ostler run --config ostler.yml               the sites of a host's file
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
    /// Where to listen: HOST:PORT, PORT or unix:/path; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// The host's file; ostler.yml of the folder if left out and there is one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["exec", "upstream"])]
    config: Option<PathBuf>,
    /// How many workers an application has; 0 means one for each core [default: 1]
    #[arg(long, value_name = "N")]
    instances: Option<usize>,
    /// The command that starts a worker, in the place of what the folder says
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// A server that runs already, in the place of workers; may repeat
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["path", "exec", "instances", "transport"])]
    upstream: Vec<String>,
    /// How many requests one worker may have in flight before the next is asked, and in the end 503 answered
    /// [default: 1024]
    #[arg(long, value_name = "N")]
    max_concurrent: Option<u32>,
    /// Threads that pass requests on; 0 means one for each core [default: 0]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
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

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_MAX_CONCURRENT: u32 = 1024;
/// What makes an application stale while it is developed; `node_modules` is not looked into.
const WATCHED_IN_DEVELOPMENT: &str =
    "**/*.js;**/*.mjs;**/*.cjs;**/*.ts;**/*.json;**/*.py;**/*.rb;**/*.php;.env";
/// Settings that are different in development, as far as the site does not say otherwise.
const DEVELOPMENT: &[(&str, &str)] = &[
    ("node_env", "development"),
    ("watchedFiles", "**/*.js;**/*.mjs;**/*.cjs;**/*.ts;**/*.json;iisnode.yml;.env"),
];
/// Whatever the site says: who runs `ostler dev` wants to see.
const SHOWN_IN_DEVELOPMENT: (&str, &str) = ("devErrorsEnabled", "true");

/// Why the arguments cannot be followed.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("--{flag}: {why}")]
    Flag { flag: &'static str, why: String },
    #[error("{0}")]
    File(String),
    #[error(transparent)]
    Detect(#[from] DetectError),
}

/// What is different while somebody develops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Production,
    Development,
}

impl Run {
    pub(super) fn execute(self, mode: Mode) -> ExitCode {
        let plan = match self.plan(mode) {
            Ok(plan) => plan,
            Err(error) => return fail(&error, USAGE),
        };
        match host::run(plan) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, if error.is_usage() { USAGE } else { 1 }),
        }
    }

    fn plan(self, mode: Mode) -> Result<HostPlan, UsageError> {
        if self.max_concurrent == Some(0) {
            return Err(flag("max-concurrent", "0 would refuse every request; 1 is the least"));
        }
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("."));
        let file = if self.exec.is_some() || !self.upstream.is_empty() {
            None
        } else {
            sites::host_file(&path, self.config.as_deref()).map_err(UsageError::File)?
        };
        let mut limits = file.as_ref().map_or_else(Limits::default, |file| file.limits.clone());
        for assignment in &self.limit {
            limits.set(assignment).map_err(|error: LimitError| flag("limit", error))?;
        }
        let listen = match file.as_ref().map(|file| file.listen.as_slice()) {
            _ if !self.listen.is_empty() => addresses("listen", &self.listen)?,
            Some(listen) if !listen.is_empty() => {
                listen.iter().map(|address| address.value.clone()).collect()
            }
            _ => addresses("listen", &[DEFAULT_LISTEN.to_owned()])?,
        };
        let threads =
            self.threads.or(file.as_ref().and_then(|file| Some(file.threads.as_ref()?.value))).unwrap_or(0);
        let threads = or_cores("threads", threads)?;
        let serving = self.serving(&path, file.as_ref(), &limits, mode)?;
        Ok(HostPlan { listen, threads, serving, limits })
    }

    fn serving(
        &self,
        path: &Path,
        file: Option<&HostFile>,
        limits: &Limits,
        mode: Mode,
    ) -> Result<Serving, UsageError> {
        if !self.upstream.is_empty() {
            let addresses = addresses("upstream", &self.upstream)?;
            let max_concurrent = self.max_concurrent.unwrap_or(DEFAULT_MAX_CONCURRENT);
            return Ok(Serving::Upstreams { addresses, max_concurrent, sticky: self.sticky });
        }
        if let Some(file) = file {
            return Ok(self.sites(sites::of_file(file, path), mode));
        }
        if self.exec.is_none() && detect::is_site(path) {
            return Ok(self.sites(vec![sites::plain(path)], mode));
        }
        self.application(path, limits, mode)
    }

    /// Sites, with what the command line says for all their applications.
    fn sites(&self, mut sites: Vec<SitePlan>, mode: Mode) -> Serving {
        for site in &mut sites {
            if mode == Mode::Development {
                let source = Source::CommandLine("dev".into());
                for (name, value) in DEVELOPMENT {
                    let value = Located::new((*value).to_owned(), source.clone());
                    // What ostler.yml says for the site is nearer.
                    site.defaults.settings.insert(0, ((*name).into(), value));
                }
                let (name, value) = SHOWN_IN_DEVELOPMENT;
                let value = Located::new(value.to_owned(), source.clone());
                site.defaults.settings.push((name.into(), value));
                site.defaults.lock.push(Located::new(name.into(), source));
            }
            for (flag, name, value) in self.overrides() {
                let source = Source::CommandLine(format!("--{flag}").into());
                site.defaults.settings.push((name.into(), Located::new(value, source.clone())));
                site.defaults.lock.push(Located::new(name.into(), source));
            }
        }
        Serving::Sites(Box::new(SitesPlan { sites, environment: sites::environment() }))
    }

    /// Flags that are settings of applications; they win over every file.
    fn overrides(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut overrides = Vec::new();
        if let Some(instances) = self.instances {
            overrides.push(("instances", "nodeProcessCountPerApplication", instances.to_string()));
        }
        if let Some(max) = self.max_concurrent {
            overrides.push(("max-concurrent", "maxConcurrentRequestsPerProcess", max.to_string()));
        }
        if self.sticky {
            overrides.push(("sticky", "nodeProcessStickySessions", "true".to_owned()));
        }
        if let Some(kind) = self.transport {
            overrides.push(("transport", "transport", kind.name().to_owned()));
        }
        overrides
    }

    fn application(&self, path: &Path, limits: &Limits, mode: Mode) -> Result<Serving, UsageError> {
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
        let mut watched_files = String::new();
        if mode == Mode::Development {
            watched_files = WATCHED_IN_DEVELOPMENT.to_owned();
            if std::env::var_os("NODE_ENV").is_none() {
                plan.environment.push(("NODE_ENV".to_owned(), "development".to_owned()));
            }
        }
        Ok(Serving::Application(Box::new(OneApplication {
            plan,
            instances: or_cores("instances", self.instances.unwrap_or(1))?,
            max_concurrent: self.max_concurrent.unwrap_or(DEFAULT_MAX_CONCURRENT),
            sticky: self.sticky,
            watched_files,
            found: why,
        })))
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Unix => "unix",
            Kind::Tcp => "tcp",
        }
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
        text.push_str(&format!("  {:<27}{}\n", format!("{}={}", limit.name, limit.default), limit.doc));
    }
    text
}
