//! From the settings of an iisnode application to what is run.

use std::path::Path;
use std::sync::Arc;

use super::pool_settings;
use crate::config::iisnode::{self, Command, Resolved, Settings};
use crate::config::limits::Limits;
use crate::config::site::AppLayer;
use crate::logs::LogPlan;
use crate::pool::refusal::Refusal;
use crate::pool::{ErrorStyle, Passing};
use crate::tend::steward::GenerationPlan;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine, Transport};

/// While this file lies in the folder of an application's web.config, the application is offline.
const OFFLINE: &str = "app_offline.htm";
const MAX_OFFLINE_BYTES: u64 = 1024 * 1024;

/// Whether a path is that of the page, in any letter case.
pub(super) fn is_offline_page(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(OFFLINE))
}

/// The page that is shown instead of an application that is offline.
pub(super) fn offline_page(directory: &Path) -> Option<Arc<[u8]>> {
    use std::io::Read;
    let mut entries = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let file = std::fs::File::open(entries.find(|path| is_offline_page(path))?).ok()?;
    let mut page = Vec::new();
    file.take(MAX_OFFLINE_BYTES).read_to_end(&mut page).ok()?;
    Some(page.into())
}

/// What to run for a script.
///
/// # Errors
/// The program is not there.
pub(super) fn generation_plan(
    name: &str,
    script: &Path,
    layer: &AppLayer,
    resolved: &Resolved,
    host: &iisnode::Environment,
    limits: &Limits,
) -> Result<GenerationPlan, Refusal> {
    let settings = &resolved.settings;
    let directory = script.parent().unwrap_or(Path::new("/")).to_owned();
    let command = command(settings, script, layer, host)?;
    let (environment, _) = iisnode::worker_environment(settings, layer, host);
    let shown = command.shown.clone();
    let command =
        CommandLine { program: command.program.to_string_lossy().into_owned(), args: command.arguments };
    let mut plan = ApplicationPlan::new(name.to_owned(), command, directory.clone());
    plan.environment = environment;
    if let Some(transport) = settings.transport {
        plan.transport = match transport {
            iisnode::Transport::Unix => Transport::Unix,
            iisnode::Transport::Tcp => Transport::Tcp,
        };
    }
    plan.start_timeout = settings.start_timeout;
    plan.grace = settings.grace;
    plan.logs = settings.logs.as_ref().map(|logs| LogPlan {
        directory: logs.directory.clone(),
        max_file_bytes: logs.max_file_bytes,
        max_total_bytes: logs.max_total_bytes,
        max_files: logs.max_files,
    });
    let mut pool = pool_settings(name.to_owned(), slots(settings), settings.max_concurrent, limits);
    pool.start_timeout = settings.start_timeout;
    pool.opens_complete = true;
    Ok(GenerationPlan {
        application: plan,
        pool,
        passing: Passing {
            forwarded_for: settings.forwarded_for,
            guards_identity: true,
            promoted: settings.promoted_variables.clone(),
            sticky: settings.sticky,
            debug_header: settings.debug_header.then(|| shown.into()),
            errors: ErrorStyle::Site(settings.dev_errors),
        },
        recycle_mode: settings.recycle_mode,
        recycle_signal: settings.recycle_signal,
        watched: WatchedFiles::parse(&settings.watched_files, &directory),
        excluded: settings.logs.iter().map(|logs| logs.directory.clone()).collect(),
        settings_files: resolved.files.clone(),
    })
}

fn slots(settings: &Settings) -> usize {
    match settings.process_count {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count as usize,
    }
}

fn command(
    settings: &Settings,
    script: &Path,
    layer: &AppLayer,
    host: &iisnode::Environment,
) -> Result<Command, Refusal> {
    let path = host.get("PATH").cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let folder = script.parent().unwrap_or(Path::new("/"));
    let find = |name: &str| {
        let command = CommandLine { program: name.to_owned(), args: Vec::new() };
        command.find(folder, path.as_ref()).ok()
    };
    let command =
        iisnode::worker_command(settings, script, &layer.directory, &find).map_err(Refusal::Machine)?;
    if !command.found {
        let program = command.program.display().to_string();
        return Err(Refusal::ProgramNotFound { program, command: command.shown });
    }
    Ok(command)
}
