//! From an `httpPlatform` or `aspNetCore` section to what is run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::one_site::OneSite;
use super::{from_settings, offline};
use crate::config::limits::Limits;
use crate::config::program::{self, OutputTo, Program, ResolvedProgram, Surroundings};
use crate::config::settings::{self, DevErrors, Environment, Resolved};
use crate::config::site::{AppLayer, Section};
use crate::config::source::{Note, Source};
use crate::logs::{LogNaming, LogPlan};
use crate::pool::refusal::Refusal;
use crate::pool::{ApplicationId, ErrorStyle, Forwarded, Kind, ProgramErrors};
use crate::rules::mapping::Module;
use crate::tend::steward::GenerationPlan;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine, Goodbye, Pairing, Retrying, Telling, Transport, look_up};

/// The files of one program may grow so large, and so many may there be; IIS has no limit.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
const MAX_FILES: usize = 10;
/// Nobody waits longer for attempts at a start that all fail; the first versions of HttpPlatformHandler gave up after 100 s.
const LONGEST_START: Duration = Duration::from_secs(120);

/// The section that is in force for an application.
///
/// # Errors
/// There is none: an error of who wrote a handler that leads to it, and no application where nothing does any longer.
fn section<'l>(id: &ApplicationId, one: &OneSite, layer: &'l AppLayer) -> Result<&'l Section, Refusal> {
    let (section, name, module) = match id.kind {
        Kind::HttpPlatform => (&layer.http_platform, "httpPlatform", Module::HttpPlatform),
        _ => (&layer.asp_net_core, "aspNetCore", Module::AspNetCore),
    };
    section.as_ref().ok_or_else(|| {
        let mapping = one.policies.at(&id.path).map(|policy| &policy.mapping);
        if !mapping.is_some_and(|mapping| mapping.mapped.iter().any(|mapped| mapped.module == module)) {
            return Refusal::gone(format!("there is no application at /{}", id.path));
        }
        let file = layer.directory.join("web.config");
        let note = format!(
            "{}: error: a handler leads to `{name}`, and there is no such section that says which program to run",
            file.display()
        );
        Refusal::BadSettings { notes: vec![note], is_yml: false }
    })
}

/// What to run for a program, and what is to be said about its section.
///
/// # Errors
/// Why it cannot run.
pub(super) fn plan(
    id: &ApplicationId,
    one: &OneSite,
    environment: &Environment,
    limits: &Limits,
) -> Result<(GenerationPlan, Vec<Note>), Refusal> {
    let layer = one.layers.at(&id.path).ok_or_else(|| Refusal::gone("there is no such application"))?;
    let section = section(id, one, layer)?;
    if let Some(page) = offline::page(&section.directory) {
        return Err(Refusal::Offline(page));
    }
    let shared = settings::resolve(layer, &section.directory, environment, &one.plan.defaults);
    let shared = shared.map_err(bad_settings)?;
    let url = format!("/{}", id.path);
    let resolved = resolve(id, section, &shared, environment).map_err(bad_settings)?;
    let mut notes = shared.notes.clone();
    notes.extend(resolved.notes.iter().cloned());
    one.logs.set(&url, one.log_place_at(log_directory(&resolved.program).as_deref(), &shared.settings));
    Ok((generation_plan(id, &section.name(), &url, &resolved, &shared, limits)?, notes))
}

/// For the terminal at start: a program, and all that is to be said about its section; no line where nothing is one.
pub(super) fn introduce(
    id: &ApplicationId,
    one: &OneSite,
    environment: &Environment,
) -> (Option<String>, Vec<Note>) {
    let Some(layer) = one.layers.at(&id.path) else { return (None, Vec::new()) };
    let Ok(section) = section(id, one, layer) else { return (None, Vec::new()) };
    let (name, kind) =
        (section.name(), if id.kind == Kind::AspNetCore { "aspNetCore" } else { "httpPlatform" });
    let resolved = settings::resolve(layer, &section.directory, environment, &one.plan.defaults)
        .and_then(|shared| Ok((resolve(id, section, &shared, environment)?, shared.notes)));
    let (resolved, mut notes) = match resolved {
        Ok(resolved) => resolved,
        Err(notes) => return (Some(format!("{name} (its {kind} section cannot be used)")), notes),
    };
    let missing = resolved.missing();
    let when = if missing.is_some() { "its program is not here" } else { "started by its first request" };
    let line = format!("{name}: `{}` (its {kind} section; {when})", resolved.program.command.shown);
    notes.extend(resolved.notes);
    notes.extend(missing);
    (Some(line), notes)
}

fn resolve(
    id: &ApplicationId,
    section: &Section,
    shared: &Resolved,
    environment: &Environment,
) -> Result<ResolvedProgram, Vec<Note>> {
    let find = |name: &str| look_up(name, &section.directory, environment);
    let url = format!("/{}", id.path);
    let is_overridden = is_overridden(shared, "nodeProcessCountPerApplication");
    let instances = is_overridden.then(|| from_settings::slots(&shared.settings));
    let instances = instances.and_then(|slots| u32::try_from(slots).ok());
    let surroundings = Surroundings { environment, url: &url, find: &find, instances };
    match id.kind {
        Kind::HttpPlatform => program::http_platform(section, &surroundings),
        _ => program::asp_net_core(section, &surroundings),
    }
}

pub(super) fn bad_settings(notes: Vec<Note>) -> Refusal {
    Refusal::BadSettings { notes: notes.iter().map(Note::to_string).collect(), is_yml: false }
}

fn generation_plan(
    id: &ApplicationId,
    name: &str,
    url: &str,
    resolved: &ResolvedProgram,
    shared: &Resolved,
    limits: &Limits,
) -> Result<GenerationPlan, Refusal> {
    let Program { command, directory, .. } = &resolved.program;
    let (program, settings) = (&resolved.program, &shared.settings);
    let errors = ErrorStyle::Program(ProgramErrors {
        dev_errors: true_status(settings.dev_errors),
        startup_page: program.startup_error_page,
        details: program.shows_details,
        help_link: program.help_link.as_deref().map(Box::from),
    });
    if !command.found {
        return Err(Refusal::ProgramNotFound {
            program: command.program.display().to_string(),
            command: command.shown.clone(),
            why: command.missing.clone(),
            errors: Some(Box::new(errors)),
        });
    }
    let line = CommandLine {
        program: command.program.to_string_lossy().into_owned(),
        args: command.arguments.clone(),
    };
    let start_timeout = start_timeout(resolved, settings.start_limit);
    let mut application = ApplicationPlan::new(name.to_owned(), line, directory.clone());
    from_settings::look_after(&mut application, settings);
    application.environment.clone_from(&program.variables);
    application.transport = Transport::Tcp;
    application.start_timeout = start_timeout;
    application.grace = program.shutdown_timeout;
    let attempts = attempts(program.start_attempts, start_timeout);
    application.retrying = Retrying::OnDemand { attempts };
    application.rapid_fails_per_minute = Some(program.rapid_fails_per_minute);
    application.is_mute = program.output == OutputTo::Nothing;
    application.logs = logs(program);
    tell(&mut application, id.kind, program, url);
    let mut pool = from_settings::pool(name, settings, limits);
    pool.slots = program.instances as usize;
    pool.start_timeout = start_timeout.saturating_mul(attempts);
    pool.opens_complete = true;
    let mut passing = from_settings::passing(settings, errors);
    passing.forwarded = Forwarded::AddressAndPort;
    passing.guards_identity = true;
    passing.debug_header = settings.debug_header.then(|| command.shown.as_str().into());
    passing.silence = program.request_timeout;
    passing.forwards_connection = program.forwards_connection;
    let watched = if is_said(shared, "watchedFiles") { settings.watched_files.as_str() } else { "" };
    let watched = [watched, &program.watched_patterns].join(";");
    Ok(GenerationPlan {
        application,
        pool,
        passing,
        recycle_mode: settings.recycle_mode,
        recycle_signal: settings.recycle_signal,
        idle_timeout: settings.idle_timeout,
        ignores_configuration: program.ignores_configuration,
        watched: WatchedFiles::parse(&watched, directory).and_wholly(&program.watched_files),
        excluded: log_directory(program).into_iter().collect(),
        settings_files: shared.files.clone(),
    })
}

/// How often a start is tried for those who wait for it: as often as is set, as far as that fits into [`LONGEST_START`], and
/// twice in any case, for a port that somebody else was faster to take.
fn attempts(asked_for: u32, start_timeout: Duration) -> u32 {
    let fitting = LONGEST_START.as_millis().checked_div(start_timeout.as_millis());
    let fitting = fitting.and_then(|fitting| u32::try_from(fitting).ok()).unwrap_or(u32::MAX);
    asked_for.min(fitting.max(2))
}

/// How its workers learn where to listen, and who asks.
fn tell(application: &mut ApplicationPlan, kind: Kind, program: &Program, url: &str) {
    let (port, token, secret) = match kind {
        Kind::HttpPlatform => ("HTTP_PLATFORM_PORT", "%HTTP_PLATFORM_PORT%", "HTTP_PLATFORM_TOKEN"),
        _ => ("ASPNETCORE_PORT", "%ASPNETCORE_PORT%", "ASPNETCORE_TOKEN"),
    };
    application.telling = Telling {
        variables: vec![port],
        token: Some(token),
        fixed_port: program.fixed_port,
        gives_way: true,
    };
    application.pairing =
        Some(Pairing { variable: secret, field: "MS-ASPNETCORE-TOKEN", fixed: program.fixed_token.clone() });
    if kind == Kind::AspNetCore {
        let path = format!("{}/iisintegration", url.trim_end_matches('/'));
        application.goodbye = Some(Goodbye { path });
    }
}

fn logs(program: &Program) -> Option<LogPlan> {
    let OutputTo::File { stem } = &program.output else { return None };
    Some(LogPlan {
        directory: log_directory(program)?,
        naming: LogNaming::Stem { stem: stem.file_name()?.to_string_lossy().into_owned() },
        max_file_bytes: MAX_FILE_BYTES,
        max_total_bytes: MAX_FILE_BYTES * MAX_FILES as u64,
        max_files: MAX_FILES,
    })
}

fn log_directory(program: &Program) -> Option<PathBuf> {
    match &program.output {
        OutputTo::File { stem } => stem.parent().map(Path::to_owned),
        OutputTo::Memory | OutputTo::Nothing => None,
    }
}

/// Pages with status 200 are iisnode's way alone.
pub(super) fn true_status(dev_errors: DevErrors) -> DevErrors {
    match dev_errors {
        DevErrors::Off => DevErrors::Off,
        DevErrors::Ok200 | DevErrors::TrueStatus => DevErrors::TrueStatus,
    }
}

/// What the section says, else what is set for the application, else what the module has.
fn start_timeout(resolved: &ResolvedProgram, limit: Option<Duration>) -> Duration {
    let mut told = resolved.told.iter();
    let is_said = told.any(|(name, told)| *name == "startupTimeLimit" && told.source != Source::Default);
    limit.filter(|_| !is_said).unwrap_or(resolved.program.start_timeout)
}

/// Whether somebody has set this, rather than the table.
fn is_said(shared: &Resolved, name: &str) -> bool {
    shared.told.iter().any(|(told, value)| *told == name && value.source != Source::Default)
}

/// Whether the one who runs the host has set this on the command line, over every file.
fn is_overridden(shared: &Resolved, name: &str) -> bool {
    let is_flag = |source: &Source| matches!(source, Source::CommandLine(_));
    shared.told.iter().any(|(told, value)| *told == name && is_flag(&value.source))
}
