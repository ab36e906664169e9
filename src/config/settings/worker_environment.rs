//! What a worker finds in its environment beyond what it inherits: the site's `appSettings`, and what the host says of
//! itself. `PORT` and `IISNODE_CONTROL_PIPE` differ from worker to worker and are set by who starts it.

use super::expansion::unresolved;
use super::{Environment, Settings};
use crate::config::site::AppLayer;
use crate::config::source::Note;

/// Of the iisnode whose behaviour is followed; programs look whether it is there.
const IISNODE_VERSION: &str = "0.2.27";

/// Names with their values, each name once, and what is wrong with the site's own.
///
/// The host's values win over `node_env`, that over `appSettings`, those over what is inherited.
pub(crate) fn worker_environment(
    settings: &Settings,
    layer: &AppLayer,
    host: &Environment,
) -> (Vec<(String, String)>, Vec<Note>) {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut notes = Vec::new();
    for (key, value) in &layer.app_settings {
        let mut warn = |what: String| notes.push(Note::warning(value.source.clone(), what));
        let key = key.trim();
        if key.is_empty() {
            continue;
        }
        if key.contains(['=', '\0']) || value.value.contains('\0') {
            warn(format!("`{}` cannot be the name of a variable; it is left out", key.escape_debug()));
            continue;
        }
        if reserved(key) {
            warn(format!("`{key}` is set by the host for each worker; this value is not used"));
            continue;
        }
        // Windows knows one variable of this name, in any letter case; programs here ask for this one.
        let key = if key.eq_ignore_ascii_case("NODE_ENV") { "NODE_ENV" } else { key };
        if key == "NODE_ENV" && settings.node_env.as_ref().is_some_and(|set| *set != value.value) {
            warn("the setting `node_env` wins over this value of `NODE_ENV`".to_owned());
        }
        if let Some(name) = unresolved(&value.value) {
            let known = if host.contains_key(name) { ", though the host has such a variable" } else { "" };
            warn(format!("`%{name}%` is handed over as it is written{known}: appSettings are not expanded"));
        }
        put(&mut variables, key, value.value.clone());
    }
    if let Some(node_env) = &settings.node_env {
        put(&mut variables, "NODE_ENV", node_env.clone());
    }
    put(&mut variables, "IISNODE_VERSION", IISNODE_VERSION.to_owned());
    put(&mut variables, "OSTLER_VERSION", env!("CARGO_PKG_VERSION").to_owned());
    if let Some(logs) = &settings.logs {
        let kib = |bytes: u64| (bytes / 1024).to_string();
        put(&mut variables, "IISNODE_LOGGINGENABLED", "1".to_owned());
        put(&mut variables, "IISNODE_LOGDIRECTORY", logs.directory.to_string_lossy().into_owned());
        put(&mut variables, "IISNODE_MAXTOTALLOGFILESIZEINKB", kib(logs.max_total_bytes));
        put(&mut variables, "IISNODE_MAXLOGFILESIZEINKB", kib(logs.max_file_bytes));
        put(&mut variables, "IISNODE_MAXLOGFILES", logs.max_files.to_string());
    }
    (variables, notes)
}

fn reserved(key: &str) -> bool {
    key.eq_ignore_ascii_case("PORT")
        || key.eq_ignore_ascii_case("OSTLER_VERSION")
        || key.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("IISNODE_"))
}

fn put(variables: &mut Vec<(String, String)>, name: &str, value: String) {
    match variables.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Defaults, Environment, resolve};
    use super::worker_environment;
    use crate::config::site::AppLayer;
    use crate::config::source::{Located, Source};

    fn told(iisnode: &[(&str, &str)], app_settings: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).into(), Located::new((*value).to_owned(), Source::Default)))
                .collect()
        };
        let layer = AppLayer {
            iisnode: pairs(iisnode),
            app_settings: pairs(app_settings),
            directory: "/nowhere".into(),
            ..AppLayer::default()
        };
        let host: Environment = [("DATABASE_URL".to_owned(), "x".to_owned())].into();
        let settings = resolve(&layer, Path::new("/nowhere"), &host, &Defaults::default()).unwrap().settings;
        let (variables, notes) = worker_environment(&settings, &layer, &host);
        (
            variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
            notes.into_iter().map(|note| note.what).collect(),
        )
    }

    #[test]
    fn a_worker_is_told_of_its_host_and_its_logs() {
        let version = format!("OSTLER_VERSION={}", env!("CARGO_PKG_VERSION"));
        let (variables, notes) = told(&[("node_env", "production"), ("maxLogFiles", "7")], &[]);
        assert_eq!(
            variables,
            [
                "NODE_ENV=production",
                "IISNODE_VERSION=0.2.27",
                &version,
                "IISNODE_LOGGINGENABLED=1",
                "IISNODE_LOGDIRECTORY=/nowhere/iisnode",
                "IISNODE_MAXTOTALLOGFILESIZEINKB=1024",
                "IISNODE_MAXLOGFILESIZEINKB=128",
                "IISNODE_MAXLOGFILES=7",
            ]
        );
        assert!(notes.is_empty());
        let (variables, _) = told(&[("loggingEnabled", "false")], &[]);
        assert_eq!(variables, ["IISNODE_VERSION=0.2.27", &version]);
    }

    #[test]
    fn app_settings_reach_the_worker_unless_the_host_owns_the_name() {
        let off = ("loggingEnabled", "false");
        for (iisnode, app_settings, expected, warned) in [
            (&[off][..], &[("A", "1"), ("", "2"), ("B", "")][..], &["A=1", "B="][..], ""),
            (&[off], &[("PORT", "3000"), ("iisnode_version", "1"), ("A", "1")], &["A=1"], "`PORT` is set by"),
            (&[off], &[("A", "%DATABASE_URL%")], &["A=%DATABASE_URL%"], "though the host has"),
            (&[off], &[("A", "100% of %X%")], &["A=100% of %X%"], "`%X%` is handed over"),
            (&[off], &[("A=B", "1")], &[], "cannot be the name"),
            (&[off], &[("Node_Env", "test")], &["NODE_ENV=test"], ""),
            (&[off, ("node_env", "p")], &[("NODE_ENV", "q")], &["NODE_ENV=p"], "`node_env` wins"),
            (&[off, ("node_env", "p")], &[("NODE_ENV", "p")], &["NODE_ENV=p"], ""),
        ] {
            let (mut variables, notes) = told(iisnode, app_settings);
            variables.retain(|variable| !variable.contains("_VERSION="));
            assert_eq!(variables, expected);
            match warned {
                "" => assert!(notes.is_empty(), "{notes:?}"),
                warned => assert!(notes.iter().any(|note| note.contains(warned)), "{notes:?}"),
            }
        }
    }
}
