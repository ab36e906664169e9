//! What `httpPlatform` and `aspNetCore` have in common: one section to one program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::attributes::Attributes;
use super::command::command;
use super::variables::{self, Facts, Names};
use super::{OutputTo, Program, ResolvedProgram, Surroundings, azure, handler_settings};
use crate::config::settings::expansion::{unresolved, variable};
use crate::config::settings::paths::{forward, is_windows_absolute, joined};
use crate::config::settings::{Command, Environment};
use crate::config::site::Section;
use crate::config::source::{Level, Located, Note, Source};

/// In what the two sections differ.
pub(super) struct Flavour {
    /// Every attribute.
    pub(super) known: &'static [&'static str],
    /// The variables that tell the child its port and its token.
    pub(super) port: &'static str,
    pub(super) token: &'static str,
    /// Variables of the host that let inherited values win over configured ones.
    pub(super) prefers_host: &'static [&'static str],
    /// Variables of the host that stand in for `processPath` and `arguments`.
    pub(super) launcher: Option<(&'static str, &'static str)>,
    pub(super) log_file: &'static str,
    pub(super) longest_request: Duration,
    pub(super) facts: fn(&Facts<'_>) -> Vec<(&'static str, String)>,
}

/// A section half read; `finish` ends it.
pub(super) struct Reading<'s> {
    pub(super) program: Program,
    pub(super) attributes: Attributes<'s>,
}

/// The host's environment without what the host was itself told by one of its kind: `%HTTP_PLATFORM_PORT%` in a section
/// means the port of the child.
pub(super) fn without_ports(host: &Environment) -> Environment {
    let is_port = |name: &str| {
        ["HTTP_PLATFORM_PORT", "ASPNETCORE_PORT"].iter().any(|port| port.eq_ignore_ascii_case(name))
    };
    host.iter()
        .filter(|(name, _)| !is_port(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Reads all that both sections have.
pub(super) fn read<'s>(
    section: &'s Section,
    surroundings: &Surroundings<'s>,
    flavour: &Flavour,
) -> Reading<'s> {
    let host = surroundings.environment;
    let site_root = site_root(section);
    let mut attributes = Attributes::new(section, host, flavour.known);
    let (path, arguments) = command_line(&mut attributes, flavour, host);
    let command = command(section, &site_root, &path, &arguments, surroundings.find);
    let (command, notes) = command.unwrap_or_else(|error| (nothing(), vec![error]));
    attributes.notes.extend(notes);
    attributes.notes.extend(misspelled(&arguments, flavour.port));
    let start = attributes.number("startupTimeLimit", 120, 0..=3600, "seconds");
    let shutdown = attributes.number("shutdownTimeLimit", 10, 0..=600, "seconds");
    let rapid_fails_per_minute = attributes.number_up_to("rapidFailsPerMinute", 10, 100, "crashes");
    let request = attributes.span("requestTimeout", Duration::from_secs(120), flavour.longest_request);
    let said = attributes.number("processesPerApplication", 1, 1..=100, "processes");
    let instances = surroundings.instances.unwrap_or(said);
    let startup_error_page = !attributes.switch("disableStartUpErrorPage", false);
    let is_logged = attributes.switch("stdoutLogEnabled", false);
    let stem = log_stem(&mut attributes, section, flavour, is_logged);
    let (set, notes) = variables::read(
        section,
        surroundings,
        &site_root,
        &Names { port: flavour.port, token: flavour.token, prefers_host: flavour.prefers_host },
        flavour.facts,
    );
    attributes.notes.extend(notes);
    if let Some((port, source)) = set.fixed_port.as_ref().filter(|_| instances > 1) {
        let what = format!(
            "{instances} processes cannot share the one port {port}; the application does not run so"
        );
        let help = format!(
            "leave `{}` out, or let one process run: processesPerApplication, or --instances, is 1",
            flavour.port
        );
        attributes.notes.push(Note::error(source.clone(), what).with_help(help));
    }
    let handler = handler_settings::read(section, host, is_logged, &mut attributes.notes);
    let watched_files = watched_files(section, host, &site_root, &mut attributes.notes);
    let output = match (handler.has_outputs, is_logged) {
        (false, _) => OutputTo::Nothing,
        (true, true) => OutputTo::File { stem },
        (true, false) => OutputTo::Memory,
    };
    let program = Program {
        command,
        // Without a slash at its end, which the root of a site may have.
        directory: joined(&section.directory, ""),
        variables: set.variables,
        fixed_port: set.fixed_port.map(|(port, _)| port),
        fixed_token: set.fixed_token,
        instances,
        start_timeout: Duration::from_secs(start.into()),
        start_attempts: 1,
        rapid_fails_per_minute,
        // Windows takes 0 for no limit.
        request_timeout: Some(request).filter(|limit| !limit.is_zero()),
        shutdown_timeout: Duration::from_secs(shutdown.into()),
        output,
        watched_files,
        watched_patterns: handler.watched_patterns,
        startup_error_page,
        shows_details: false,
        help_link: None,
        forwards_connection: handler.forwards_connection,
        ignores_configuration: handler.ignores_configuration,
    };
    attributes.told.extend(handler.told);
    Reading { program, attributes }
}

impl Reading<'_> {
    /// # Errors
    /// Everything that is to be said, if an error is among it.
    pub(super) fn finish(self) -> Result<ResolvedProgram, Vec<Note>> {
        let Attributes { told, notes, .. } = self.attributes;
        if notes.iter().any(|note| note.level == Level::Error) {
            return Err(notes);
        }
        Ok(ResolvedProgram { program: self.program, told, notes })
    }
}

/// The root of the site whose folder `base` has the section.
fn site_root(section: &Section) -> PathBuf {
    let depth = section.base.split('/').filter(|name| !name.is_empty()).count();
    section.directory.ancestors().nth(depth).unwrap_or(&section.directory).to_owned()
}

/// `processPath` and `arguments`, or what the host's environment has in their place.
fn command_line(
    attributes: &mut Attributes<'_>,
    flavour: &Flavour,
    host: &Environment,
) -> (Located<String>, Located<String>) {
    let mut path = attributes.text("processPath", "");
    let mut arguments = attributes.text("arguments", "");
    if let Some((path_name, arguments_name)) = flavour.launcher {
        for (value, name) in [(&mut path, path_name), (&mut arguments, arguments_name)] {
            if let Some(set) = variable(name, host).filter(|set| !set.trim().is_empty()) {
                *value = Located::new(set.to_owned(), Source::Environment(name.into()));
            }
        }
        for (name, told) in &mut attributes.told {
            match *name {
                "processPath" => told.clone_from(&path),
                "arguments" => told.clone_from(&arguments),
                _ => {}
            }
        }
    }
    (path, arguments)
}

/// A word for the token of the port in another letter case, which nothing replaces.
fn misspelled(arguments: &Located<String>, port: &str) -> Option<Note> {
    let token = format!("%{port}%");
    let (lower, end) = (arguments.value.to_ascii_lowercase(), token.len());
    let any = token.to_ascii_lowercase();
    let mut found = lower.match_indices(&any).map(|(at, _)| at);
    let written =
        found.find_map(|at| arguments.value.get(at..at + end).filter(|written| *written != token))?;
    let what = format!("`{written}` is not replaced by the port: only `{token}` is, in this letter case");
    Some(Note::warning(arguments.source.clone(), what))
}

/// Stands where an error keeps the program from running.
fn nothing() -> Command {
    Command {
        program: PathBuf::new(),
        arguments: Vec::new(),
        shown: String::new(),
        found: false,
        missing: None,
        warnings: Vec::new(),
    }
}

/// What the paths of logs begin with, absolute.
fn log_stem(
    attributes: &mut Attributes<'_>,
    section: &Section,
    flavour: &Flavour,
    is_logged: bool,
) -> PathBuf {
    let mut file = attributes.text("stdoutLogFile", flavour.log_file);
    if file.value.trim().is_empty() {
        file.value = flavour.log_file.to_owned();
    }
    let written = file.value.trim().trim_matches('"');
    let (path, is_moved) = log_path(written);
    let stem = joined(&section.directory, &path);
    // A folder alone: logs lie in it.
    let stem = if path.ends_with('/') { stem.join("stdout") } else { stem };
    if is_moved && is_logged {
        let what = format!("there is no `{written}` on this system; logs begin with {}", stem.display());
        attributes.notes.push(Note::warning(file.source, what));
    }
    stem
}

/// A path for this system, and whether it is another place than the one that is meant.
fn log_path(written: &str) -> (String, bool) {
    if let Some(below) = azure::below_logs(written) {
        return (below, true);
    }
    if let Some(below) = azure::below_site(written) {
        return (below, true);
    }
    let path = forward(written);
    if !is_windows_absolute(written) && unresolved(written).is_none() {
        return (path, false);
    }
    // The last two names: a folder of logs should stay one.
    let is_name = |name: &&str| !name.is_empty() && !name.contains([':', '%', '?']) && *name != "..";
    let mut names: Vec<&str> = path.rsplit('/').filter(is_name).take(2).collect();
    names.reverse();
    let end = if path.ends_with('/') { "/" } else { "" };
    match names.as_slice() {
        [] => ("stdout".to_owned(), true),
        names => (names.join("/") + end, true),
    }
}

fn watched_files(
    section: &Section,
    host: &Environment,
    site_root: &Path,
    notes: &mut Vec<Note>,
) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for file in &section.files {
        let path = azure::expanded(file.value.trim(), host);
        if path.is_empty() {
            let what = "a file of `recycleOnFileChange` has no path; the application does not run with it";
            let note = Note::error(file.source.clone(), what);
            notes.push(note.with_help(r"`path` names a file below the application, as .\touch.txt"));
            continue;
        }
        if let Some(here) = azure::here(&path, site_root) {
            files.push(here);
        } else if is_windows_absolute(&path) || unresolved(&path).is_some() {
            let what = format!("there is no `{path}` on this system; it is not watched");
            notes.push(Note::warning(file.source.clone(), what));
        } else {
            files.push(joined(&section.directory, &forward(&path)));
        }
    }
    files
}
