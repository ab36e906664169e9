//! From a pool of FastCGI programs to what is run.

use std::sync::Arc;
use std::time::Duration;

use super::from_settings;
use super::one_site::OneSite;
use super::section_programs::{bad_settings, true_status};
use crate::config::fastcgi::{self, FastCgiPool, ResolvedPool, Runs, Surroundings};
use crate::config::limits::Limits;
use crate::config::settings::{self, Environment, Resolved};
use crate::config::source::Note;
use crate::pool::refusal::Refusal;
use crate::pool::{ApplicationId, ErrorStyle, FastCgiPassing, Protocol};
use crate::tend::steward::GenerationPlan;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine, Retrying, Telling, Transport, Wear};

/// A program that is started has this long to be there; it listens before it runs.
const START: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 2;
/// Requests at a time that a server is given of which nobody has said how many it takes.
const SERVER_INSTANCES: usize = 10;

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
    let layer = one.layers.at("").ok_or_else(|| Refusal::gone("there is no such site"))?;
    let shared =
        settings::resolve(layer, &one.root, environment, &one.plan.defaults).map_err(bad_settings)?;
    let path = environment.get("PATH").cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let find = |name: &str| {
        let command = CommandLine { program: name.to_owned(), args: Vec::new() };
        command.find(&one.root, path.as_ref()).ok()
    };
    let surroundings = Surroundings { environment, find: &find };
    let layer = fastcgi::layer_of(&id.path, &one.layers, environment).unwrap_or(layer);
    let ResolvedPool { pool, notes, .. } =
        fastcgi::pool(&id.path, layer, &surroundings).map_err(bad_settings)?;
    let mut told = shared.notes.clone();
    told.extend(notes);
    Ok((generation_plan(id, one, &pool, &shared, limits)?, told))
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
    places.slots = instances(pool.max_instances, is_server);
    places.max_concurrent = 1;
    places.queue_length = pool.queue_length;
    places.queue_timeout = pool.request_timeout;
    places.start_timeout = START;
    places.grows = !is_server;
    let mut passing = from_settings::passing(settings, errors);
    passing.guards_identity = true;
    passing.protocol = Protocol::FastCgi(Arc::new(FastCgiPassing {
        document_root: one.root.to_string_lossy().trim_end_matches('/').to_owned(),
        stderr: pool.stderr,
        activity_timeout: pool.activity_timeout,
        request_timeout: pool.request_timeout,
        tells_https_off: pool.tells_https_off,
        redirects_locally: pool.redirects_locally,
        sends_files_below: pool.sends_files_below.clone(),
        // A server of its own may have fewer programs than we have requests.
        keeps_connection: !is_server,
    }));
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

/// 0 leaves it to the host: two for each core.
fn instances(most: u32, is_server: bool) -> usize {
    match most {
        0 if is_server => SERVER_INSTANCES,
        0 => 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        most => most as usize,
    }
}
