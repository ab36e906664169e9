//! `ostler run`: the site or the application in a folder, on workers, behind listeners.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::applications::{Plain, Served};
use super::{USAGE, fail, sites};
use crate::base::address::Address;
use crate::config::detect::{self, DetectError};
use crate::config::host_file::HostFile;
use crate::config::limits::{LIMITS, LimitError, Limits};
use crate::config::settings::Defaults;
use crate::config::source::{Level, Located, Note, Source};
use crate::host::{self, HostPlan, ProgramSite, Serving, SitesPlan};
use crate::rules::bindings::HostPattern;

const EXAMPLES: &str = "\
Examples:
  ostler run                                   what is in this folder: a site with a web.config, or an application:
                                               the web line of a Procfile, package.json's start script or main,
                                               server.js, app.js or index.js
  ostler run --config ostler.yml               the sites and applications of a host's file
  ostler run shop --instances 4                four workers, requests in turn
  ostler run --exec 'python3 app.py {port}'    any program that listens where it is told
  ostler run --listen 0.0.0.0:80 --listen unix:/run/shop.sock
  ostler run --upstream unix:/run/a.sock --upstream 127.0.0.1:9000
                                               servers that run already, in the place of workers
  ostler run --limit headTimeout=5s --limit connections=2000

Workers find where to listen in the environment variable PORT: the path of a Unix socket, or with --transport tcp a
number. In the arguments of --exec, {port} stands for the number, and asks for one, and {socket} for the path. The
command is split into words at its blanks and quotes, and that is all: no shell reads it, so $NAME, * and && mean
nothing in it. A program with a slash in its name starts at the folder. --exec 'sh -c \"…\"' runs a shell.";

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
    /// The command that starts a worker, in the place of what the folder says; no shell reads it
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
    /// Write a line for each request to this file, `-` for the standard output
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Set a limit; `--help` lists them; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Unix,
    Tcp,
}

const NODE_ENV: &str = "NODE_ENV";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_MAX_CONCURRENT: u32 = 1024;
/// What makes an application of any kind stale while it is developed; `node_modules` is not looked into.
const WATCHED_IN_DEVELOPMENT: &str = "**/*.js;**/*.mjs;**/*.cjs;**/*.ts;**/*.json;**/*.py;**/*.rb;**/*.ru;\
    **/*.php;**/*.pl;**/*.java;**/*.jar;**/*.dll;**/*.sh;iisnode.yml;.env";
/// Settings that are different in development, as far as the site does not say otherwise.
const DEVELOPMENT: &[(&str, &str)] = &[("node_env", "development"), ("watchedFiles", WATCHED_IN_DEVELOPMENT)];
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
        file.iter().flat_map(|file| &file.notes).for_each(|note| eprintln!("ostler: {note}"));
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
        let access_log = self.access_log.or(file.and_then(|file| Some(file.access_log?.value)));
        Ok(HostPlan { listen, threads, serving, limits, access_log })
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
        let mut served = match &self.exec {
            Some(command) => {
                let plain = Plain::new(detect::command(command, path)?, path, Defaults::default());
                Served { sites: Vec::new(), applications: vec![plain] }
            }
            None => Served::of(path, file)?,
        };
        self.set(&mut served, mode);
        self.of(served, limits)
    }

    /// Puts in what the command line says for all applications.
    fn set(&self, served: &mut Served, mode: Mode) {
        let flags = self.overrides();
        let development = Source::CommandLine("dev".into());
        for defaults in served.sites.iter_mut().map(|site| &mut site.defaults) {
            if mode == Mode::Development {
                for (name, value) in DEVELOPMENT {
                    let value = Located::new((*value).to_owned(), development.clone());
                    // What ostler.yml says for the site is nearer.
                    defaults.settings.insert(0, ((*name).into(), value));
                }
                let (name, value) = SHOWN_IN_DEVELOPMENT;
                put(defaults, name, value, &development);
            }
            for (flag, name, value) in &flags {
                put(defaults, name, value, &Source::CommandLine(format!("--{flag}").into()));
            }
        }
        for plain in &mut served.applications {
            if mode == Mode::Development {
                plain.set_weakest("watchedFiles", WATCHED_IN_DEVELOPMENT, &development);
                let (name, value) = SHOWN_IN_DEVELOPMENT;
                plain.set(name, value, &development);
                let variables = &mut plain.found.variables;
                let is_set = variables.iter().any(|(name, _)| name == NODE_ENV);
                if !is_set && std::env::var_os(NODE_ENV).is_none() {
                    variables.push((NODE_ENV.to_owned(), "development".to_owned()));
                }
            }
            for (flag, name, value) in &flags {
                plain.set(name, value, &Source::CommandLine(format!("--{flag}").into()));
            }
        }
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

    /// All of it, ready to be run.
    fn of(&self, served: Served, limits: &Limits) -> Result<Serving, UsageError> {
        if let Some(instances) = self.instances {
            or_cores("instances", instances)?;
        }
        let environment = sites::environment();
        let is_alone = served.sites.is_empty();
        let mut programs = Vec::new();
        let mut wrong: Vec<Note> = Vec::new();
        for plain in served.applications {
            wrong.extend(plain.missing());
            for note in plain.placeholders() {
                match note.level {
                    Level::Error => wrong.push(note),
                    Level::Warning => eprintln!("ostler: {note}"),
                }
            }
            match plain.resolved(limits, &environment) {
                Ok(resolved) => {
                    resolved.notes.iter().for_each(|note| eprintln!("ostler: {note}"));
                    let hosts = plain.hosts.clone();
                    programs.push(ProgramSite { hosts, one: plain.run_with(resolved) });
                }
                Err(errors) => wrong.extend(errors),
            }
        }
        if !wrong.is_empty() {
            return Err(UsageError::File(sites::lines(&wrong)));
        }
        if is_alone
            && programs.len() == 1
            && programs.iter().all(|program| program.hosts.iter().all(|host| *host == HostPattern::Any))
            && let Some(program) = programs.pop()
        {
            return Ok(Serving::Application(Box::new(program.one)));
        }
        Ok(Serving::Sites(Box::new(SitesPlan { sites: served.sites, programs, environment })))
    }
}

/// What no file may say otherwise.
fn put(defaults: &mut Defaults, name: &str, value: &str, source: &Source) {
    defaults.settings.push((name.into(), Located::new(value.to_owned(), source.clone())));
    defaults.lock.push(Located::new(name.into(), source.clone()));
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
