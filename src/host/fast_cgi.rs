//! From a pool of FastCGI programs to what is run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::from_settings;
use super::one_site::OneSite;
use super::section_programs::{bad_settings, true_status};
use crate::config::fastcgi::{self, FastCgiPool, ResolvedPool, Runs, Surroundings};
use crate::config::limits::Limits;
use crate::config::settings::{self, Environment, Resolved, Settings};
use crate::config::site::AppLayer;
use crate::config::source::Note;
use crate::pool::refusal::Refusal;
use crate::pool::{ApplicationId, ErrorStyle, FastCgiPassing, Protocol};
use crate::tend::steward::GenerationPlan;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine, Retrying, Telling, Transport, Wear, look_up};

/// A program that is started has this long to be there; it listens before it runs.
const START: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 2;

/// What a pool is made of: when it is different, the pool is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    pool: FastCgiPool,
    settings: Settings,
}

/// A pool as the files of its site have it now.
struct Resolving {
    resolved: ResolvedPool,
    shared: Resolved,
}

fn resolve(processor: &str, one: &OneSite, environment: &Environment) -> Result<Resolving, Refusal> {
    if !fastcgi::processors(&one.policies).contains(processor) {
        return Err(Refusal::gone("no handler leads to this pool any more; its programs are ended"));
    }
    let root = one.layers.at("").ok_or_else(|| Refusal::gone("there is no such site"))?;
    let shared = settings::resolve(root, &one.root, environment, &one.plan.defaults).map_err(bad_settings)?;
    let resolved = resolve_pool(processor, root, one, environment).map_err(bad_settings)?;
    Ok(Resolving { resolved, shared })
}

fn resolve_pool(
    processor: &str,
    root: &AppLayer,
    one: &OneSite,
    environment: &Environment,
) -> Result<ResolvedPool, Vec<Note>> {
    let find = |name: &str| look_up(name, &one.root, environment);
    let surroundings = Surroundings { environment, find: &find };
    let layer = fastcgi::layer_of(processor, &one.layers, environment).unwrap_or(root);
    fastcgi::pool(processor, layer, &surroundings)
}

/// The pools of a site in a line each, and what is to be said about them before anybody asks for one.
pub(super) fn introduce(one: &OneSite, environment: &Environment) -> (Vec<String>, Vec<Note>) {
    let Some(root) = one.layers.at("") else { return (Vec::new(), Vec::new()) };
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    for processor in fastcgi::processors(&one.policies) {
        match resolve_pool(processor, root, one, environment) {
            Ok(resolved) => {
                lines.push(match &resolved.pool.runs {
                    Runs::Server(address) => format!("{address} (a FastCGI server)"),
                    Runs::Program { command, .. } => {
                        let when = match command.found {
                            true => "started by its first request",
                            false => "its program is not here",
                        };
                        format!("`{}` (a FastCGI pool; {when})", command.shown)
                    }
                });
                notes.extend(resolved.missing());
                notes.extend(resolved.notes);
            }
            Err(errors) => {
                lines.push(format!("{processor} (a FastCGI pool; it cannot be used)"));
                notes.extend(errors);
            }
        }
    }
    let unheard = fastcgi::unheard(&one.policies, &one.layers, environment);
    notes.extend(unheard.into_iter().map(|(_, note)| note));
    (lines, notes)
}

/// What a pool is made of now.
///
/// # Errors
/// Why it cannot run.
pub(super) fn basis(processor: &str, one: &OneSite, environment: &Environment) -> Result<Basis, Refusal> {
    let Resolving { resolved, shared } = resolve(processor, one, environment)?;
    Ok(Basis { pool: resolved.pool, settings: shared.settings })
}

/// The folder whose configuration speaks for a pool.
pub(super) fn folder<'o>(processor: &str, one: &'o OneSite, environment: &Environment) -> &'o Path {
    let layer = fastcgi::layer_of(processor, &one.layers, environment);
    layer.map_or(&one.root, |layer| &layer.directory)
}

/// What to run for a pool, and what is to be said about it.
///
/// # Errors
/// Why it cannot run.
pub(super) fn plan(
    id: &ApplicationId,
    one: &OneSite,
    environment: &Environment,
    limits: &Limits,
) -> Result<(GenerationPlan, Vec<Note>), Refusal> {
    let Resolving { resolved, shared } = resolve(&id.path, one, environment)?;
    let mut told = shared.notes.clone();
    told.extend(resolved.notes);
    Ok((generation_plan(id, one, &resolved.pool, &shared, limits)?, told))
}

fn generation_plan(
    id: &ApplicationId,
    one: &OneSite,
    pool: &FastCgiPool,
    shared: &Resolved,
    limits: &Limits,
) -> Result<GenerationPlan, Refusal> {
    let settings = &shared.settings;
    let errors = ErrorStyle::FastCgi(true_status(settings.dev_errors));
    let mut application = match &pool.runs {
        Runs::Program { command, .. } if !command.found => {
            return Err(Refusal::ProgramNotFound {
                program: command.program.display().to_string(),
                command: command.shown.clone(),
                why: command.missing.clone(),
                errors: Some(Box::new(errors)),
            });
        }
        Runs::Program { command, variables } => {
            let line = CommandLine {
                program: command.program.to_string_lossy().into_owned(),
                args: command.arguments.clone(),
            };
            let name = command.program.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_else(|| id.path.to_string());
            let mut application = ApplicationPlan::new(name, line, one.root.clone());
            application.environment.clone_from(variables);
            application.transport = Transport::Inherited;
            application.worker_idle_timeout = Some(pool.idle_timeout);
            application.wear = Wear { requests: Some(pool.instance_max_requests), ..Wear::default() };
            application
        }
        Runs::Server(address) => {
            let line = CommandLine { program: String::new(), args: Vec::new() };
            let mut application = ApplicationPlan::new(address.to_string(), line, one.root.clone());
            application.server = Some(address.clone());
            application
        }
    };
    let is_server = application.server.is_some();
    let name = application.name.clone();
    application.telling = Telling { variables: Vec::new(), token: None, fixed_port: None, gives_way: true };
    application.start_timeout = START;
    application.grace = pool.grace;
    // Zero kills a program at once, but not its request.
    application.finishing = Some(pool.request_timeout);
    application.retrying = Retrying::OnDemand { attempts: ATTEMPTS };
    application.rapid_fails_per_minute = Some(pool.rapid_fails_per_minute);
    let mut places = from_settings::pool(&name, settings, limits);
    let instances = pool.instances();
    (places.slots, places.eager) = (instances.most, instances.eager);
    places.max_concurrent = 1;
    places.queue_length = pool.queue_length;
    places.queue_timeout = pool.request_timeout;
    places.start_timeout = START;
    places.grows = !is_server;
    let mut passing = from_settings::passing(settings, errors);
    passing.guards_identity = true;
    let told = FastCgiPassing::of(pool, &one.root, one.plan.fast_cgi.site);
    passing.protocol = Protocol::FastCgi(Arc::new(told));
    Ok(GenerationPlan {
        application,
        pool: places,
        passing,
        recycle_mode: settings.recycle_mode,
        recycle_signal: false,
        idle_timeout: None,
        ignores_configuration: false,
        watched: WatchedFiles::parse("", &one.root).and_wholly(&pool.watched_files),
        excluded: Vec::new(),
        settings_files: shared.files.clone(),
    })
}
