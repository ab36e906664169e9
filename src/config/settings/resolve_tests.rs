//! Which source wins, what is said about the others, and where iisnode.yml is found.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::table::settings;
use super::super::{Defaults, DevErrors, Environment, LogAccess, RecycleMode, Resolved, resolve};
use crate::config::site::AppLayer;
use crate::config::source::{Level, Located, Note, Source};

fn at(file: &str, line: u32, value: &str) -> Located<String> {
    let path: Arc<Path> = Path::new(file).into();
    Located::new(value.to_owned(), Source::File { path, line, column: 7 })
}

fn layer(root: &Path, attributes: &[(&str, &str)]) -> AppLayer {
    let iisnode =
        attributes.iter().map(|(name, value)| ((*name).into(), at("web.config", 3, value))).collect();
    AppLayer { directory: root.to_owned(), iisnode, ..AppLayer::default() }
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn host_file(settings: &[(&str, &str)], lock: &[&str]) -> Defaults {
    Defaults {
        settings: settings.iter().map(|(name, value)| ((*name).into(), at("ostler.yml", 5, value))).collect(),
        lock: lock
            .iter()
            .map(|name| Located::new((*name).into(), at("ostler.yml", 9, name).source))
            .collect(),
    }
}

fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = site.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    site
}

fn told(resolved: &Resolved, name: &str) -> (String, String) {
    let (_, value) = resolved.told.iter().find(|(told, _)| *told == name).unwrap();
    let source = match &value.source {
        Source::File { path, line, .. } => {
            format!("{}:{line}", path.file_name().unwrap().to_str().unwrap())
        }
        other => other.to_string(),
    };
    (value.value.clone(), source)
}

fn told_notes(notes: &[Note]) -> String {
    notes.iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn the_yml_file_wins_over_variables_over_web_config_over_the_host_file_over_defaults() {
    let name = "nodeProcessCountPerApplication";
    let yml = [("iisnode.yml", "nodeProcessCountPerApplication: 5")];
    let variable = [("IISNODE_nodeProcessCountPerApplication", "4")];
    for (yml, variable, web_config, host, value, source) in [
        (&yml[..], &variable[..], "3", "2", "5", "iisnode.yml:1"),
        (&[], &variable, "3", "2", "4", "environment variable IISNODE_nodeProcessCountPerApplication"),
        (&[], &[], "3", "2", "3", "web.config:3"),
        (&[], &[], "", "2", "2", "ostler.yml:5"),
        (&[], &[], "", "", "1", "default"),
    ] {
        let site = site(yml);
        let given = |value: &'static str| if value.is_empty() { vec![] } else { vec![(name, value)] };
        let layer = layer(site.path(), &given(web_config));
        let defaults = host_file(&given(host), &[]);
        let resolved = resolve(&layer, site.path(), &environment(variable), &defaults).unwrap();
        assert_eq!(told(&resolved, name), (value.to_owned(), source.to_owned()));
        assert_eq!(resolved.settings.process_count.to_string(), value);
        assert_eq!(resolved.notes, []);
    }
}

#[test]
fn an_untouched_site_has_the_settings_of_the_table_in_its_order() {
    let site = site(&[]);
    let resolved =
        resolve(&layer(site.path(), &[]), site.path(), &Environment::new(), &Defaults::default()).unwrap();
    let names: Vec<&str> = resolved.told.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, settings().map(|setting| setting.name).collect::<Vec<_>>());
    let settings = &resolved.settings;
    assert_eq!((settings.node_env.as_deref(), settings.interceptor.as_deref()), (None, None));
    assert_eq!((&*settings.command_line, &*settings.watched_files), ("node.exe", "*.js;iisnode.yml"));
    assert_eq!((settings.process_count, settings.max_concurrent, settings.sticky), (1, 1024, false));
    assert_eq!(settings.start_timeout, Duration::from_millis(25_250));
    assert_eq!(settings.grace, Duration::from_secs(60));
    assert_eq!(settings.dev_errors, DevErrors::Ok200);
    assert_eq!((settings.recycle_mode, settings.transport), (RecycleMode::Strict, None));
    let logs = settings.logs.as_ref().unwrap();
    assert_eq!(logs.directory, site.path().join("iisnode"));
    assert_eq!((logs.max_file_bytes, logs.max_total_bytes, logs.max_files), (128 * 1024, 1024 * 1024, 20));
    assert_eq!(resolved.files, [site.path().join("iisnode.yml")]);
    assert_eq!(resolved.overrides, None);
}

#[test]
fn ostlers_own_settings_can_be_set_in_every_source() {
    let files = site(&[("iisnode.yml", "recycleMode: safe\n")]);
    let layer = layer(files.path(), &[("logAccess", "anyone")]);
    let environment = environment(&[("IISNODE_devErrors", "status")]);
    let resolved =
        resolve(&layer, files.path(), &environment, &host_file(&[("transport", "tcp")], &[])).unwrap();
    let settings = resolved.settings;
    assert_eq!((settings.recycle_mode, settings.log_access), (RecycleMode::Safe, LogAccess::Anyone));
    assert_eq!(settings.dev_errors, DevErrors::TrueStatus);
    assert_eq!(settings.transport, Some(super::super::Transport::Tcp));
}

#[test]
fn the_yml_file_is_found_beside_the_script_then_beside_the_web_config_in_any_letter_case() {
    for (files, name, used) in [
        (&[("dist/iisnode.yml", ""), ("iisnode.yml", "")][..], None, Some("dist/iisnode.yml")),
        (&[("dist/x", ""), ("iisnode.yml", "")], None, Some("iisnode.yml")),
        (&[("dist/IISNode.yml", "")], None, Some("dist/IISNode.yml")),
        (&[("dist/x", ""), ("IISNODE.YML", "")], None, Some("IISNODE.YML")),
        // Which of the two is meant?
        (&[("dist/IISNODE.yml", ""), ("dist/IISNode.yml", "")], None, None),
        (&[("dist/iisnode.yml", ""), ("dist/my.yml", "")], Some("My.yml"), Some("dist/my.yml")),
        (&[("dist/x", ""), ("conf/my.yml", "")], Some(r"..\conf\my.yml"), Some("conf/my.yml")),
        (&[("dist/iisnode.yml", "junk")], Some(""), None),
        (&[], None, None),
    ] {
        let site = site(files);
        let attributes: Vec<_> = name.map(|name| ("configOverrides", name)).into_iter().collect();
        let layer = layer(site.path(), &attributes);
        let dist = site.path().join("dist");
        let resolved = resolve(&layer, &dist, &Environment::new(), &Defaults::default()).unwrap();
        assert_eq!(resolved.overrides, used.map(|used| site.path().join(used)), "{files:?}");
    }
}

#[test]
fn every_error_of_every_source_is_told_at_once_with_its_place() {
    let site = site(&[("iisnode.yml", "loggingEnabled: foobar\n\nmaxLogFiles: many\nlogDirectory: logs\n")]);
    let mut layer = layer(site.path(), &[("idontexist", "x"), ("watchFiles", "x"), ("enableXFF", "1")]);
    layer.errors.push(Note::error(at("web.config", 1, "").source, "not well formed"));
    let environment = environment(&[("IISNODE_devErrorsEnabled", "perhaps")]);
    let defaults = host_file(&[("logAccess", "everyone")], &[]);
    let notes = resolve(&layer, site.path(), &environment, &defaults).unwrap_err();
    let told = told_notes(&notes).replace(&format!("{}/", site.path().display()), "");
    assert_eq!(
        told,
        "\
web.config:1:7: error: not well formed
ostler.yml:5:7: error: `everyone` is not a value for `logAccess`; allowed is local or anyone
web.config:3:7: error: there is no setting `idontexist`; docs/settings.md lists the settings
web.config:3:7: error: there is no setting `watchFiles`; did you mean `watchedFiles`?
web.config:3:7: error: `1` is not a value for `enableXFF`; allowed is true or false
environment variable IISNODE_devErrorsEnabled: error: `perhaps` is not a value for `devErrorsEnabled`; allowed is true \
or false
iisnode.yml:1:17: error: `foobar` is not a value for `loggingEnabled`; allowed is true or false
iisnode.yml:3:14: error: `many` is not a value for `maxLogFiles`; allowed is a whole number of files from 0 to 1000000
"
    );
}

#[test]
fn what_works_otherwise_than_written_is_a_warning() {
    let yml = "\
maxProcessCountPerApplication: 3
logDirectoryName: logs
maxRequestLength: 134217728
configOverrides: other.yml
debugPortRange: 1-2
http://foo.com
idlePageOutTimePeriod: 0
flushResponse: true
";
    let site = site(&[("iisnode.yml", yml)]);
    let layer =
        layer(site.path(), &[("NodeProcessCountPerApplication", "2"), ("appendToExistingLog", "true")]);
    let resolved = resolve(&layer, site.path(), &Environment::new(), &Defaults::default()).unwrap();
    assert!(resolved.notes.iter().all(|note| note.level == Level::Warning));
    assert_eq!(resolved.settings.process_count, 3);
    assert_eq!(resolved.settings.logs.as_ref().unwrap().directory, site.path().join("logs"));
    let told = told_notes(&resolved.notes).replace(&format!("{}/", site.path().display()), "");
    let beginnings: Vec<&str> = told.lines().map(|line| line.split(['`', ';']).nth(1).unwrap()).collect();
    assert_eq!(
        beginnings,
        [
            "NodeProcessCountPerApplication",
            "appendToExistingLog",
            "maxProcessCountPerApplication",
            "logDirectoryName",
            "maxRequestLength",
            " this line has no effect",
            "http",
            "debuggerPortRange",
        ],
        "{told}"
    );
}

#[test]
fn a_locked_setting_is_the_host_files_whatever_the_site_says() {
    let site = site(&[("iisnode.yml", "maxConcurrentRequestsPerProcess: 9")]);
    let layer = layer(site.path(), &[("loggingEnabled", "false")]);
    let defaults = host_file(
        &[("maxConcurrentRequestsPerProcess", "7")],
        &["maxconcurrentrequestsperprocess", "loggingEnabled"],
    );
    let resolved = resolve(&layer, site.path(), &Environment::new(), &defaults).unwrap();
    assert_eq!(resolved.settings.max_concurrent, 7);
    assert!(resolved.settings.logs.is_some());
    let told = told_notes(&resolved.notes);
    assert!(told.contains(
        "iisnode.yml:1:34: warning: `maxConcurrentRequestsPerProcess` is locked at ostler.yml:9:7"
    ));
    assert!(told.contains("web.config:3:7: warning: `loggingEnabled` is locked at ostler.yml:9:7"), "{told}");
}

#[test]
fn variables_stand_in_the_files_that_allow_them() {
    let yml = "logDirectory: %NAME%\npromoteServerVars: %NAME%\n";
    for (files, attributes, variables, directory) in [
        (&[("iisnode.yml", yml)][..], &[][..], &[][..], "value"),
        (&[], &[("logDirectory", "%name%")], &[], "value"),
        // A variable's value is never looked into.
        (&[], &[], &[("IISNODE_logDirectory", "%NAME%")], "NAME"),
    ] {
        let site = site(files);
        let mut environment = environment(variables);
        environment.insert("NAME".to_owned(), "value".to_owned());
        let layer = layer(site.path(), attributes);
        let resolved = resolve(&layer, site.path(), &environment, &Defaults::default()).unwrap();
        assert_eq!(resolved.settings.logs.unwrap().directory, site.path().join(directory));
    }
}

#[test]
fn node_env_left_at_its_default_leaves_the_choice_to_others() {
    let site = site(&[]);
    for (attributes, expected) in [
        (&[][..], None),
        (&[("node_env", "%node_env%")], None),
        (&[("node_env", "")], None),
        (&[("node_env", "production")], Some("production")),
        (&[("node_env", "%NODE_ENV%-2")], Some("staging-2")),
    ] {
        let environment = environment(&[("NODE_ENV", "staging")]);
        let layer = layer(site.path(), attributes);
        let resolved = resolve(&layer, site.path(), &environment, &Defaults::default()).unwrap();
        assert_eq!(resolved.settings.node_env.as_deref(), expected, "{attributes:?}");
    }
}

#[test]
fn a_yml_file_that_cannot_be_read_is_an_error_and_names_itself() {
    let site = site(&[("iisnode.yml/inside", "")]);
    let layer = layer(site.path(), &[]);
    let notes = resolve(&layer, site.path(), &Environment::new(), &Defaults::default()).unwrap_err();
    assert!(told_notes(&notes).contains("iisnode.yml:1:1: error: this file cannot be read"), "{notes:?}");
}
