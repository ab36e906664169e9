//! From the settings of an iisnode application to what is run.

use std::path::Path;

use super::one_site::OneSite;
use super::{from_settings, offline};
use crate::config::limits::Limits;
use crate::config::settings::{self, Command, Resolved, Settings};
use crate::config::site::AppLayer;
use crate::config::source::{Note, Source};
use crate::pool::refusal::Refusal;
use crate::pool::{ApplicationId, ErrorStyle};
use crate::tend::steward::GenerationPlan;
use crate::tend::watch::list::WatchedFiles;
use crate::tend::{ApplicationPlan, CommandLine, look_up};

/// What to run for a script, and what is to be said about its settings.
///
/// # Errors
/// Why it cannot run.
pub(super) fn plan(
    id: &ApplicationId,
    one: &OneSite,
    environment: &settings::Environment,
    limits: &Limits,
) -> Result<(GenerationPlan, Vec<Note>), Refusal> {
    let gone = || Refusal::gone(format!("there is no script {}", id.path));
    let script = one.root.join(&*id.path);
    if !script.is_file() {
        return Err(gone());
    }
    let directory = script.parent().unwrap_or(&one.root);
    let layer = one.layers.at(&id.path).ok_or_else(gone)?;
    if let Some(page) = offline::page(&layer.directory).or_else(|| offline::page(directory)) {
        return Err(Refusal::Offline(page));
    }
    let resolved = settings::resolve(layer, directory, environment, &one.plan.defaults).map_err(|notes| {
        let is_yml = notes.iter().any(is_of_yml);
        Refusal::BadSettings { notes: notes.iter().map(Note::to_string).collect(), is_yml }
    })?;
    one.logs.set(&id.path, one.log_place(&resolved.settings));
    let plan = generation_plan(&id.path, &script, layer, &resolved, environment, limits)?;
    Ok((plan, resolved.notes))
}

/// # Errors
/// The program is not there.
fn generation_plan(
    name: &str,
    script: &Path,
    layer: &AppLayer,
    resolved: &Resolved,
    host: &settings::Environment,
    limits: &Limits,
) -> Result<GenerationPlan, Refusal> {
    let settings = &resolved.settings;
    let directory = script.parent().unwrap_or(Path::new("/")).to_owned();
    let command = command(settings, script, layer, host)?;
    let (environment, _) = settings::worker_environment(settings, layer, host);
    let shown = command.shown.clone();
    let command =
        CommandLine { program: command.program.to_string_lossy().into_owned(), args: command.arguments };
    let mut plan = ApplicationPlan::new(name.to_owned(), command, directory.clone());
    plan.environment = environment;
    from_settings::look_after(&mut plan, settings);
    let mut pool = from_settings::pool(name, settings, limits);
    pool.opens_complete = true;
    let mut passing = from_settings::passing(settings, ErrorStyle::Site(settings.dev_errors));
    passing.guards_identity = true;
    passing.debug_header = settings.debug_header.then(|| shown.into());
    Ok(GenerationPlan {
        application: plan,
        pool,
        passing,
        recycle_mode: settings.recycle_mode,
        idle_timeout: settings.idle_timeout,
        ignores_configuration: false,
        recycle_signal: settings.recycle_signal,
        watched: WatchedFiles::parse(&settings.watched_files, &directory),
        excluded: settings.logs.iter().map(|logs| logs.directory.clone()).collect(),
        settings_files: resolved.files.clone(),
    })
}

fn command(
    settings: &Settings,
    script: &Path,
    layer: &AppLayer,
    host: &settings::Environment,
) -> Result<Command, Refusal> {
    let folder = script.parent().unwrap_or(Path::new("/"));
    let find = |name: &str| look_up(name, folder, host);
    let command =
        settings::worker_command(settings, script, &layer.directory, &find).map_err(Refusal::Machine)?;
    if !command.found {
        let program = command.program.display().to_string();
        return Err(Refusal::ProgramNotFound {
            program,
            command: command.shown,
            why: command.missing,
            errors: None,
        });
    }
    Ok(command)
}

/// Whether a note is about an iisnode.yml, whatever that is called, rather than a web.config.
fn is_of_yml(note: &Note) -> bool {
    match &note.source {
        Source::File { path, .. } => {
            !path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("web.config"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::generation_plan;
    use crate::config::limits::Limits;
    use crate::config::settings::{Defaults, DevErrors, Environment, resolve};
    use crate::config::site::AppLayer;
    use crate::config::source::{Located, Source};
    use crate::pool::{ErrorStyle, LoadBalancing};
    use crate::tend::Readiness;

    #[test]
    fn what_every_application_can_have_a_script_has_too() {
        let folder = tempfile::tempdir().unwrap();
        let (node, script) = (folder.path().join("node"), folder.path().join("app.js"));
        std::fs::write(&script, "").unwrap();
        std::fs::write(&node, "").unwrap();
        std::fs::set_permissions(&node, PermissionsExt::from_mode(0o755)).unwrap();
        let value = |text: &str| Located::new(text.to_owned(), Source::Default);
        let iisnode = [
            ("loadBalancing", "power-of-two"),
            ("queueLength", "3"),
            ("requestTimeoutInSeconds", "4"),
            ("readyPath", "/ok"),
            ("healthCheckPath", "/health"),
            ("maxRequestsPerProcess", "5"),
            ("idleTimeoutInSeconds", "6"),
            ("rapidFailsPerMinute", "7"),
        ];
        let layer = AppLayer {
            iisnode: iisnode.iter().map(|(name, text)| ((*name).into(), value(text))).collect(),
            directory: folder.path().to_owned(),
            ..AppLayer::default()
        };
        let host: Environment = [("PATH".to_owned(), folder.path().display().to_string())].into();
        let resolved = resolve(&layer, folder.path(), &host, &Defaults::default()).unwrap();
        let plan = generation_plan("app.js", &script, &layer, &resolved, &host, &Limits::default()).unwrap();
        assert_eq!((plan.pool.balancing, plan.pool.queue_length), (LoadBalancing::PowerOfTwo, 3));
        assert_eq!(plan.passing.silence, Some(Duration::from_secs(4)));
        assert_eq!(plan.idle_timeout, Some(Duration::from_secs(6)));
        let application = plan.application;
        assert_eq!(application.readiness, Readiness::Answering { path: "/ok".to_owned(), status: 200 });
        assert_eq!(application.health.map(|health| health.path).as_deref(), Some("/health"));
        assert_eq!((application.wear.requests, application.rapid_fails_per_minute), (Some(5), Some(7)));
        // What is iisnode's stays so.
        assert!(plan.pool.opens_complete && plan.passing.guards_identity);
        assert_eq!(plan.pool.start_timeout, Duration::from_millis(25_250));
        assert_eq!(plan.passing.errors, ErrorStyle::Site(DevErrors::Ok200));
    }
}
