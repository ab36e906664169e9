//! The environment of the child: what the section sets, what the host tells, and who wins where both have a name.
//!
//! Names are compared as on Windows, in any letter case. The port and the token are not among the variables: they differ
//! from worker to worker and are set by who starts it.

use std::path::{Path, PathBuf};

use super::attributes::shortened;
use super::{Surroundings, azure};
use crate::config::settings::Environment;
use crate::config::settings::expansion::variable;
use crate::config::settings::paths::joined;
use crate::config::site::Section;
use crate::config::source::{Located, Note, Source};

/// Names that differ between the sections.
pub(super) struct Names {
    pub(super) port: &'static str,
    pub(super) token: &'static str,
    pub(super) prefers_host: &'static [&'static str],
}

/// What the host knows of an application.
pub(super) struct Facts<'f> {
    url: &'f str,
    directory: PathBuf,
    /// The last name of the site's root.
    site: String,
    host: &'f Environment,
    /// Whether the section sets a variable, and what it sets counts.
    is_set: &'f dyn Fn(&str) -> bool,
}

pub(super) struct Set {
    pub(super) variables: Vec<(String, String)>,
    /// With its place.
    pub(super) fixed_port: Option<(u16, Source)>,
    pub(super) fixed_token: Option<String>,
}

/// Ports that may be fixed.
const PORTS: std::ops::RangeInclusive<u16> = 1025..=48000;

/// Programs here ask for these names in capital letters only.
const CAPITALS: &[&str] =
    &["PORT", "PATH", "PYTHONPATH", "NODE_ENV", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"];

/// Lists of folders, which Windows divides by `;`.
const LISTS: &[&str] = &["PATH", "PYTHONPATH", "NODE_PATH", "CLASSPATH", "RUBYLIB", "PERL5LIB"];

/// The variables of a section with those of the host, and what is wrong with them.
pub(super) fn read(
    section: &Section,
    surroundings: &Surroundings<'_>,
    site_root: &Path,
    names: &Names,
    facts: fn(&Facts<'_>) -> Vec<(&'static str, String)>,
) -> (Set, Vec<Note>) {
    let host = surroundings.environment;
    let mut notes = Vec::new();
    let configured = configured(section, host, names, site_root, &mut notes);
    let is_set = |name: &str| configured.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let site = site_root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let told = facts(&Facts {
        url: surroundings.url,
        directory: joined(&section.directory, ""),
        site,
        host,
        is_set: &is_set,
    });
    let mut set = Set { variables: Vec::new(), fixed_port: None, fixed_token: None };
    for (name, value) in configured {
        if name.eq_ignore_ascii_case(names.port) {
            set.fixed_port = port(&value, names.port, &mut notes);
        } else if name.eq_ignore_ascii_case(names.token) {
            set.fixed_token = token(&value, &mut notes);
        } else if told.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            let what = format!("`{name}` is set by the host; this value is not used");
            notes.push(Note::warning(value.source, what));
        } else {
            set.variables.push((name, value.value));
        }
    }
    set.variables.extend(told.into_iter().map(|(name, value)| (name.to_owned(), value)));
    (set, notes)
}

/// What the section sets, each name once, expanded; without what an inherited value wins over.
fn configured(
    section: &Section,
    host: &Environment,
    names: &Names,
    site_root: &Path,
    notes: &mut Vec<Note>,
) -> Vec<(String, Located<String>)> {
    let is_on = |name: &&str| {
        let value = variable(name, host).unwrap_or_default().trim();
        value == "1" || value.eq_ignore_ascii_case("true")
    };
    let preferring = names.prefers_host.iter().find(|name| is_on(name));
    let mut configured: Vec<(String, Located<String>)> = Vec::new();
    for (name, value) in &section.variables {
        let written = name.value.trim();
        if written.is_empty() {
            let what = "a variable has no name; the application does not run with it";
            let note = Note::error(name.source.clone(), what);
            notes.push(note.with_help("`name` is the name of an environment variable"));
            continue;
        }
        if written.contains(['=', '\0']) || value.value.contains('\0') {
            let what = format!(
                "`{}` cannot be the name of a variable; it is left out",
                shortened(written).escape_debug()
            );
            notes.push(Note::warning(name.source.clone(), what));
            continue;
        }
        if let Some(preferring) = preferring.filter(|_| variable(written, host).is_some()) {
            let what = format!("the host has `{written}` and `{preferring}`; this value is not used");
            notes.push(Note::warning(value.source.clone(), what));
            continue;
        }
        let name = spelled(written, host);
        let value = Located::new(value_of(&name, value, host, site_root, notes), value.source.clone());
        match configured.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, before)) => {
                let what = format!("`{name}` is set again; the value at {} holds", value.source);
                notes.push(Note::warning(before.source.clone(), what));
                *before = value;
            }
            None => configured.push((name, value)),
        }
    }
    configured
}

/// The name as it is asked for here: that of the variable it overrides, or of one that everybody knows.
fn spelled(name: &str, host: &Environment) -> String {
    let same = |other: &&str| other.eq_ignore_ascii_case(name);
    if host.contains_key(name) {
        return name.to_owned();
    }
    let inherited = host.keys().map(String::as_str).find(same);
    inherited.or_else(|| CAPITALS.iter().copied().find(same)).unwrap_or(name).to_owned()
}

fn value_of(
    name: &str,
    value: &Located<String>,
    host: &Environment,
    site_root: &Path,
    notes: &mut Vec<Note>,
) -> String {
    let expanded = azure::expanded(&value.value, host);
    let is_list = LISTS.iter().any(|list| list.eq_ignore_ascii_case(name));
    let here = match is_list {
        true => azure::list_here(&expanded, site_root),
        false => azure::here(&expanded, site_root).map(|path| path.to_string_lossy().into_owned()),
    };
    let Some(here) = here.filter(|here| *here != expanded) else { return expanded };
    let what =
        format!("`{}` is written for Windows; `{name}` is {} here", shortened(&expanded), shortened(&here));
    notes.push(Note::warning(value.source.clone(), what));
    here
}

/// None for any free port: nothing is asked for, or the token of the port itself.
fn port(value: &Located<String>, name: &str, notes: &mut Vec<Note>) -> Option<(u16, Source)> {
    let text = value.value.trim();
    if text.is_empty() || text == format!("%{name}%") {
        return None;
    }
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let allowed = number.filter(|port| PORTS.contains(port));
    if allowed.is_none() {
        let what =
            format!("`{}` is not a port for `{name}`; the application does not run with it", shortened(text));
        let help = format!(
            "allowed is a number from {} to {}; nothing stands for any free port",
            PORTS.start(),
            PORTS.end()
        );
        notes.push(Note::error(value.source.clone(), what).with_help(help));
    }
    allowed.map(|port| (port, value.source.clone()))
}

/// None for a random one.
fn token(value: &Located<String>, notes: &mut Vec<Note>) -> Option<String> {
    let text = value.value.trim();
    if text.is_empty() {
        return None;
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = "this token cannot stand in a field of a request; the application does not run with it";
        let help = "allowed are letters, digits and signs of ASCII, without blanks";
        notes.push(Note::error(value.source.clone(), what).with_help(help));
        return None;
    }
    Some(text.to_owned())
}

/// Without Windows' accounts everybody is nobody.
const AUTHENTICATION: &str = "anonymous;";

/// What version 2 tells its children. What names things of IIS has the values of a lone site; there is no file of an
/// application pool to name.
pub(super) fn of_http_platform(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let Facts { url, site, directory, .. } = facts;
    let below = url.trim_end_matches('/');
    vec![
        ("HTTP_PLATFORM_APPL_PATH", (*url).to_owned()),
        ("HTTP_PLATFORM_IIS_PHYSICAL_PATH", directory.to_string_lossy().into_owned()),
        ("HTTP_PLATFORM_IIS_HTTPAUTH", AUTHENTICATION.to_owned()),
        ("HTTP_PLATFORM_IIS_WEBSOCKETS_SUPPORTED", "true".to_owned()),
        ("HTTP_PLATFORM_IIS_VERSION", "10.0".to_owned()),
        ("HTTP_PLATFORM_IIS_APP_POOL_ID", site.clone()),
        ("HTTP_PLATFORM_IIS_SITE_NAME", site.clone()),
        ("HTTP_PLATFORM_IIS_SITE_ID", "1".to_owned()),
        ("HTTP_PLATFORM_IIS_APP_CONFIG_PATH", format!("MACHINE/WEBROOT/APPHOST/{site}{below}")),
        ("HTTP_PLATFORM_IIS_APPLICATION_ID", format!("/LM/W3SVC/1/ROOT{below}")),
        ("HTTP_PLATFORM_IIS_APPLICATION_VIRTUAL_PATH", (*url).to_owned()),
    ]
}

/// The assembly by which an application takes what the module tells it.
const INTEGRATION: &str = "Microsoft.AspNetCore.Server.IISIntegration";

/// What the module tells its children. `ASPNETCORE_ANCM_HTTPS_PORT` is for sites with a port for https, of which there
/// are none; a configured one reaches the child as it is.
pub(super) fn of_asp_net_core(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    const ASSEMBLIES: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
    let mut told = vec![
        ("ASPNETCORE_APPL_PATH", facts.url.to_owned()),
        ("ASPNETCORE_IIS_HTTPAUTH", AUTHENTICATION.to_owned()),
        ("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "true".to_owned()),
        ("ASPNETCORE_IIS_PHYSICAL_PATH", facts.directory.to_string_lossy().into_owned()),
    ];
    if !(facts.is_set)(ASSEMBLIES) {
        let inherited = variable(ASSEMBLIES, facts.host).filter(|inherited| !inherited.is_empty());
        let value = inherited
            .map_or_else(|| INTEGRATION.to_owned(), |inherited| format!("{inherited};{INTEGRATION}"));
        told.push((ASSEMBLIES, value));
    }
    told
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
