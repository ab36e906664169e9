//! What the commands that know sites have in common: which sites a path means, and the host's environment.

use std::path::{Path, PathBuf};

use crate::config::detect;
use crate::config::fastcgi::outside::Outside;
use crate::config::host_file::{self, HostFile, SiteEntry};
use crate::config::settings::{self, Command, Defaults, Environment, Settings};
use crate::config::site::AppLayer;
use crate::config::source::Note;
use crate::host::SitePlan;
use crate::tend::look_up;

/// The name of a host's file in a folder that is served.
const HOST_FILE: &str = "ostler.yml";

/// The host's file that goes with a path, if there is one.
///
/// # Errors
/// What is wrong with it, in lines that a person reads.
pub(super) fn host_file(path: &Path, config: Option<&Path>) -> Result<Option<HostFile>, String> {
    host_file_or_notes(path, config).map_err(|notes| lines(&notes))
}

/// Where that file lies, if it is named or there.
pub(super) fn host_file_path(path: &Path, config: Option<&Path>) -> Option<PathBuf> {
    config.map(Path::to_owned).or_else(|| Some(path.join(HOST_FILE)).filter(|file| file.is_file()))
}

/// The same for those who show notes themselves.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn host_file_or_notes(path: &Path, config: Option<&Path>) -> Result<Option<HostFile>, Vec<Note>> {
    let Some(file) = host_file_path(path, config) else { return Ok(None) };
    let file = host_file::load(&file)?;
    let missing: Vec<Note> = file.sites.iter().filter_map(missing_root).collect();
    if missing.is_empty() { Ok(Some(file)) } else { Err(missing) }
}

/// Every site that a path and a host's file mean; the folder itself if the file names none and it is no application.
///
/// # Errors
/// A sentence for the person who gave them.
pub(super) fn plans(path: &Path, config: Option<&Path>) -> Result<Vec<SitePlan>, String> {
    if !path.is_dir() {
        return Err(format!("there is no folder {}", path.display()));
    }
    Ok(match host_file(path, config)? {
        Some(file) => of_file(&file, path),
        None if detect::is_application(path) => Vec::new(),
        None => vec![plain(path)],
    })
}

fn missing_root(site: &SiteEntry) -> Option<Note> {
    let root = &site.root.value;
    let what = format!("there is no folder {}", root.display());
    let help = "`root` is the folder that holds the site; a relative one starts at the folder of this file";
    (!root.is_dir()).then(|| Note::error(site.root.source.clone(), what).with_help(help))
}

/// The sites of a host's file, without those that are applications.
pub(super) fn of_file(file: &HostFile, path: &Path) -> Vec<SitePlan> {
    if file.application.is_some() || (file.sites.is_empty() && detect::is_application(path)) {
        return Vec::new();
    }
    if file.sites.is_empty() {
        let fast_cgi = file.outside_of(None);
        return vec![SitePlan { defaults: file.defaults(), fast_cgi, ..plain(path) }];
    }
    let plan = |site: &SiteEntry| SitePlan {
        root: site.root.value.clone(),
        hosts: site.hosts.iter().map(|host| host.value.clone()).collect(),
        defaults: file.defaults_for(site),
        fast_cgi: file.outside_of(Some(site)),
    };
    file.sites.iter().filter(|site| site.application.is_none()).map(plan).collect()
}

/// The one site of a folder.
pub(super) fn plain(path: &Path) -> SitePlan {
    SitePlan {
        root: path.to_owned(),
        hosts: Vec::new(),
        defaults: Defaults::default(),
        fast_cgi: Outside::default(),
    }
}

/// The site that a folder is, with the defaults of the host's file; if it is none of them, the one that `host` leads to,
/// or the first if no host was asked for.
///
/// # Errors
/// A sentence for the person who gave the path.
pub(super) fn site_of(path: &Path, config: Option<&Path>, host: Option<&str>) -> Result<SitePlan, String> {
    let mut plans = plans(path, config)?;
    let here = path.canonicalize().ok();
    let is_here = |plan: &SitePlan| plan.root.canonicalize().ok() == here;
    let fit = |plan: &SitePlan, host: &str| match plan.hosts.as_slice() {
        [] => Some(0),
        hosts => hosts.iter().filter_map(|pattern| pattern.fit(host)).max(),
    };
    let found = match (plans.iter().position(is_here), host) {
        (Some(here), _) => here,
        (None, None) => 0,
        (None, Some(host)) => {
            let fits = plans.iter().enumerate().filter_map(|(number, plan)| Some((fit(plan, host)?, number)));
            let (_, number) = fits.max().ok_or_else(|| format!("no site is for the host {host}"))?;
            number
        }
    };
    if found < plans.len() { Ok(plans.swap_remove(found)) } else { Err("there is no site".to_owned()) }
}

/// The environment of this process; names and values that are no text cannot be settings.
pub(super) fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The command that starts a worker of `script`.
pub(super) fn worker_command(
    settings: &Settings,
    script: &Path,
    layer: &AppLayer,
    environment: &Environment,
) -> Result<Command, String> {
    let folder = script.parent().map_or_else(PathBuf::new, Path::to_owned);
    let find = |name: &str| look_up(name, &folder, environment);
    settings::worker_command(settings, script, &layer.directory, &find)
}

/// Notes for a person, a line each.
pub(super) fn lines(notes: &[Note]) -> String {
    notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n        ")
}
