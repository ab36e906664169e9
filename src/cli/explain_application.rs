//! `ostler explain` where a plain application serves the URL: which, its command, and every setting with its source.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::applications::{Plain, Served, fit};
use super::{USAGE, fail, sites};
use crate::config::detect;
use crate::config::host_file::HostFile;
use crate::config::limits::Limits;
use crate::config::settings::{self, Transport};
use crate::config::source::Note;

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) url: &'a str,
    pub(super) method: &'a str,
    /// The host that the URL names.
    pub(super) host: Option<String>,
    /// As JSON.
    pub(super) is_for_programs: bool,
}

#[derive(Debug, Serialize)]
struct Explanation {
    url: String,
    method: String,
    outcome: String,
    application: String,
    /// What was recognised.
    recognised: String,
    command: String,
    /// None if there is none.
    program: Option<String>,
    folder: String,
    port: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Their names alone: values may be secrets.
    variables: Vec<String>,
    settings: Vec<Setting>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    value: String,
    source: String,
    takes_effect: &'static str,
    doc: &'static str,
}

/// Explains the URL if an application serves it; None if a site does.
pub(super) fn execute(asked: &Asked<'_>, path: &Path, config: Option<&Path>) -> Option<ExitCode> {
    let (plain, limits) = match serving(asked, path, config) {
        Ok(Some(found)) => found,
        Ok(None) => return None,
        Err(why) => return Some(fail(&why, USAGE)),
    };
    let explanation = Explanation::of(asked, &plain, &limits);
    if !asked.is_for_programs {
        return Some(super::print(&explanation.text()));
    }
    Some(match serde_json::to_string_pretty(&explanation) {
        Ok(text) => super::print(&format!("{text}\n")),
        Err(error) => fail(&error, 1),
    })
}

/// The application that serves the URL, if one does.
fn serving(asked: &Asked<'_>, path: &Path, config: Option<&Path>) -> Result<Option<(Plain, Limits)>, String> {
    let file = sites::host_file(path, config)?;
    if file.is_none() && !detect::is_application(path) {
        return Ok(None);
    }
    let limits = file.as_ref().map_or_else(Limits::default, |file| file.limits.clone());
    let Served { sites, applications } =
        Served::of(path, file.as_ref()).map_err(|error| error.to_string())?;
    let here = path.canonicalize().ok();
    if sites.iter().any(|site| site.root.canonicalize().ok() == here) {
        return Ok(None);
    }
    let plain = match &asked.host {
        Some(host) => {
            let of_sites = sites.iter().filter_map(|site| fit(&site.hosts, host)).max();
            let fits = applications.into_iter().filter_map(|plain| Some((plain.fit(host)?, plain)));
            fits.max_by_key(|(fit, _)| *fit).filter(|(fit, _)| Some(*fit) > of_sites).map(|(_, plain)| plain)
        }
        None if is_site_first(file.as_ref()) => None,
        None => applications.into_iter().next(),
    };
    Ok(plain.map(|plain| (plain, limits)))
}

fn is_site_first(file: Option<&HostFile>) -> bool {
    file.and_then(|file| file.sites.first()).is_some_and(|site| site.application.is_none())
}

impl Explanation {
    fn of(asked: &Asked<'_>, plain: &Plain, limits: &Limits) -> Explanation {
        let found = &plain.found;
        let mut explanation = Explanation {
            url: asked.url.to_owned(),
            method: asked.method.to_owned(),
            outcome: format!("the application {}, as every URL", found.name),
            application: found.name.clone(),
            recognised: found.why.clone(),
            command: plain.command().to_string(),
            program: None,
            folder: std::path::absolute(&found.folder)
                .as_ref()
                .unwrap_or(&found.folder)
                .display()
                .to_string(),
            port: "the path of a Unix socket",
            variables: found.variables.iter().map(|(name, _)| name.clone()).collect(),
            settings: Vec::new(),
            notes: Vec::new(),
        };
        match plain.program() {
            Ok(program) => explanation.program = Some(program.display().to_string()),
            Err(error) => explanation.notes.push(error.to_string()),
        }
        explanation.notes.extend(plain.for_a_shell().iter().map(Note::to_string));
        match plain.resolved(limits, &sites::environment()) {
            Ok(resolved) => {
                if resolved.settings.transport == Some(Transport::Tcp) {
                    explanation.port = "the number of a free TCP port";
                }
                explanation.notes.extend(resolved.notes.iter().map(Note::to_string));
                explanation.settings.extend(resolved.told.into_iter().map(|(name, told)| {
                    let (takes_effect, doc) = settings::described(name).unwrap_or_default();
                    Setting { name, value: told.value, source: told.source.to_string(), takes_effect, doc }
                }));
            }
            Err(notes) => explanation.notes.extend(notes.iter().map(Note::to_string)),
        }
        explanation
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let program = self.program.as_deref().unwrap_or("there is none");
        for (what, value) in [
            ("url", format!("{} {}", self.method, self.url).as_str()),
            ("outcome", &self.outcome),
            ("application", &format!("{} ({})", self.application, self.recognised)),
            ("command", &self.command),
            ("program", program),
            ("folder", &self.folder),
            ("PORT", self.port),
        ] {
            text.push_str(&format!("{what:<12} {value}\n"));
        }
        if !self.variables.is_empty() {
            text.push_str(&format!("{:<12} {}\n", "variables", self.variables.join(", ")));
        }
        let width = |of: fn(&Setting) -> usize| self.settings.iter().map(of).max().unwrap_or(0);
        let names = width(|setting| setting.name.len());
        let values = width(|setting| setting.value.chars().count()).min(40);
        if !self.settings.is_empty() {
            text.push_str("settings\n");
        }
        for Setting { name, value, source, .. } in &self.settings {
            text.push_str(&format!("  {name:<names$}  {value:<values$}  {source}\n"));
        }
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        text
    }
}
