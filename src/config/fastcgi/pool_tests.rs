//! Pools as tables: what rows, sections, ini files and the host's file say, and what holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::outside::{Outside, PoolEntry, ProgramEntry};
use super::{FastCgiPool, ResolvedPool, Runs, StderrMode, Surroundings, ini, pool};
use crate::config::settings::Environment;
use crate::config::site::{AppLayer, FastCgiElement};
use crate::config::source::{Located, Note, Source};
use crate::rules::mapping::Resource;

const PHP: &str = r"C:\PHP\php-cgi.exe";

fn located(text: &str) -> Located<String> {
    Located::new(text.to_owned(), Source::CommandLine("here".into()))
}

fn element(attributes: &[(&str, &str)], variables: &[(&str, &str)]) -> FastCgiElement {
    FastCgiElement {
        source: Source::CommandLine("section".into()),
        target: "".into(),
        attributes: attributes.iter().map(|(name, value)| ((*name).into(), located(value))).collect(),
        variables: variables.iter().map(|(name, value)| (located(name), located(value))).collect(),
    }
}

fn layer(elements: Vec<FastCgiElement>, outside: Outside) -> AppLayer {
    let outside = Outside { root: "/site".into(), ..outside };
    AppLayer {
        directory: "/site".into(),
        fast_cgi: elements,
        fast_cgi_outside: Arc::new(outside),
        ..AppLayer::default()
    }
}

fn resolve(processor: &str, layer: &AppLayer) -> Result<ResolvedPool, Vec<Note>> {
    let environment: Environment = [("PHPDIR".to_owned(), r"C:\PHP".to_owned())].into();
    let find = |name: &str| {
        ["php-cgi", "python3", "perl"].contains(&name).then(|| PathBuf::from(format!("/usr/bin/{name}")))
    };
    pool(processor, layer, &Surroundings { environment: &environment, find: &find })
}

fn program(pool: &FastCgiPool) -> (&str, &[(String, String)]) {
    match &pool.runs {
        Runs::Program { command, variables } => (&command.shown, variables),
        Runs::Server(address) => panic!("{address}"),
    }
}

#[test]
fn a_pool_that_nobody_configured_has_the_defaults_of_iis() {
    let resolved = resolve(PHP, &layer(Vec::new(), Outside::default())).unwrap();
    let ResolvedPool { pool, told, notes, .. } = resolved;
    let (shown, variables) = program(&pool);
    assert_eq!(shown, "/usr/bin/php-cgi");
    assert_eq!(variables, [("PHP_FCGI_MAX_REQUESTS".to_owned(), "1200".to_owned())]);
    assert_eq!((pool.max_instances, pool.instance_max_requests, pool.queue_length), (0, 200, 1000));
    let seconds = [pool.idle_timeout, pool.activity_timeout, pool.request_timeout, pool.grace];
    assert_eq!(seconds.map(|limit| limit.as_secs()), [300, 70, 90, 0]);
    assert_eq!((pool.rapid_fails_per_minute, pool.stderr), (10, StderrMode::Pass));
    assert!(pool.watched_files.is_empty() && pool.redirects_locally && !pool.tells_https_off);
    assert!(told.iter().all(|(_, value)| value.source == Source::Default), "{told:?}");
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].what.contains("/usr/bin/php-cgi is run instead"), "{notes:?}");
}

#[test]
fn a_section_is_found_by_path_and_arguments() {
    let elements = || {
        let path = ("fullPath", r"%PHPDIR%\php-cgi.exe");
        vec![
            element(&[("fullPath", PHP), ("maxInstances", "3")], &[]),
            element(&[path, ("arguments", "-d a=B"), ("maxInstances", "4")], &[]),
        ]
    };
    for (processor, instances) in [
        (r"c:\php\PHP-CGI.exe", 3),
        (r"C:/PHP/php-cgi.exe", 3),
        (r"C:\PHP\php-cgi.exe|-d a=B", 4),
        (r"%phpdir%\php-cgi.exe|-d a=B", 4),
        (r"C:\PHP\php-cgi.exe|-d a=b", 0),
        (r"D:\PHP\php-cgi.exe", 0),
    ] {
        let pool = resolve(processor, &layer(elements(), Outside::default())).unwrap().pool;
        assert_eq!(pool.max_instances, instances, "{processor}");
    }
}

#[test]
fn every_attribute_is_read_and_told_with_its_place() {
    let all = [
        ("fullPath", PHP),
        ("maxInstances", "10000"),
        ("instanceMaxRequests", "10"),
        ("queueLength", "5"),
        ("idleTimeout", "10"),
        ("activityTimeout", "3600"),
        ("requestTimeout", "604800"),
        ("rapidFailsPerMinute", "100"),
        ("protocol", "tcp"),
        ("flushNamedPipe", "true"),
        ("monitorChangesTo", "php.ini"),
        ("stderrMode", "TerminateProcess"),
        ("signalBeforeTerminateSeconds", "7"),
    ];
    let variables = [("PHPRC", r"%PHPDIR%\x"), ("PHP_FCGI_CHILDREN", "4"), ("PHP_FCGI_MAX_REQUESTS", "9")];
    let resolved = resolve(PHP, &layer(vec![element(&all, &variables)], Outside::default())).unwrap();
    let pool = &resolved.pool;
    assert_eq!((pool.max_instances, pool.instance_max_requests, pool.queue_length), (10_000, 9, 5));
    let seconds = [pool.idle_timeout, pool.activity_timeout, pool.request_timeout, pool.grace];
    assert_eq!(seconds.map(|limit| limit.as_secs()), [10, 3600, 604_800, 7]);
    assert_eq!((pool.rapid_fails_per_minute, pool.stderr), (100, StderrMode::Terminate));
    assert_eq!(pool.watched_files, [Path::new("/usr/bin/php.ini")]);
    let set: Vec<&str> = program(pool).1.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(set, ["PHPRC", "PHP_FCGI_MAX_REQUESTS"]);
    for (name, _) in all.iter().filter(|(name, _)| *name != "flushNamedPipe") {
        let (_, told) = resolved.told.iter().find(|(told, _)| told == name).unwrap();
        assert_eq!(told.source, located("").source, "{name}");
    }
    let notes: Vec<String> = resolved.notes.iter().map(ToString::to_string).collect();
    for part in ["`PHP_FCGI_CHILDREN` is left out", "PHP is replaced after 9 requests, not after 10"] {
        assert!(notes.iter().any(|note| note.contains(part)), "{notes:?}");
    }
}

#[test]
fn what_is_not_allowed_keeps_the_pool_from_running() {
    for (name, value, allowed) in [
        ("maxInstances", "10001", "from 0 to 10000"),
        ("instanceMaxRequests", "0", "from 1 to 10000000"),
        ("queueLength", "x", "from 1 to 10000000"),
        ("idleTimeout", "9", "from 10 to 604800"),
        ("activityTimeout", "3601", "from 10 to 3600"),
        ("requestTimeout", "00:01:30", "from 10 to 604800"),
        ("rapidFailsPerMinute", "0", "from 1 to 100"),
        ("protocol", "Pipe", "NamedPipe or Tcp"),
        ("flushNamedPipe", "yes", "true or false"),
        ("stderrMode", "Quiet", "ReturnStdErrIn500"),
        ("signalBeforeTerminateSeconds", "-1", "from 0 to 4294967295"),
    ] {
        let element = element(&[("fullPath", PHP), (name, value)], &[]);
        let notes = resolve(PHP, &layer(vec![element], Outside::default())).unwrap_err();
        let told: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|note| note.contains(name) && note.contains(allowed)), "{name}: {told:?}");
    }
    let notes = resolve("", &layer(Vec::new(), Outside::default())).unwrap_err();
    assert!(notes[0].what.contains("names no program"), "{notes:?}");
}

#[test]
fn programs_of_windows_become_programs_of_this_system() {
    let entry = |written: &str, words: &[&str]| ProgramEntry {
        written: written.into(),
        command: Located::new(words.iter().map(|&word| word.to_owned()).collect(), Source::Default),
        folder: "/host".into(),
    };
    let outside = Outside {
        programs: vec![
            entry(r"D:\Perl\perl.exe", &["perl", "-w"]),
            entry(r"D:\Python34\python.exe|D:\Python34\Scripts\wfastcgi.py", &["python3", "app.py"]),
            entry("ruby", &["perl"]),
        ],
        ..Outside::default()
    };
    let layer = layer(Vec::new(), outside);
    for (processor, shown, found, notes) in [
        ("php-cgi", "/usr/bin/php-cgi", true, 0),
        ("php-cgi.exe", "/usr/bin/php-cgi", true, 0),
        (r"C:\Program Files\PHP\php.exe", "/usr/bin/php-cgi", true, 1),
        (r#""C:\PHP\PHP-CGI.EXE"|-n"#, "/usr/bin/php-cgi -n", true, 1),
        (r"d:\perl\perl.exe|x.pl", "/usr/bin/perl -w x.pl", true, 0),
        (r"D:\Python34\python.exe|D:\Python34\Scripts\wfastcgi.py", "/usr/bin/python3 app.py", true, 0),
        (r"D:\home\Python\python.exe|D:\home\site\wwwroot\run.py", "/usr/bin/python3 /site/run.py", true, 2),
        (r"D:\Py\python.exe|D:\Py\wfastcgi.py", r"/usr/bin/python3 'D:\Py\wfastcgi.py'", true, 2),
        (r"C:\Ruby\RUBY.exe", "/usr/bin/perl", true, 0),
        (r"C:\lua\lua.exe", "lua", false, 0),
        ("/opt/none/php-cgi", "/opt/none/php-cgi", false, 0),
    ] {
        let resolved = resolve(processor, &layer).unwrap();
        let Runs::Program { command, .. } = &resolved.pool.runs else { panic!("{processor}") };
        assert_eq!((command.shown.as_str(), command.found), (shown, found), "{processor}");
        assert_eq!(command.missing.is_none(), found, "{processor}");
        assert_eq!(resolved.notes.len(), notes, "{processor}: {:?}", resolved.notes);
    }
}

fn of_host(key: &str, values: &[(&'static str, &str)], server: Option<&str>) -> PoolEntry {
    PoolEntry {
        key: Located::new(key.into(), Source::Default),
        values: values.iter().map(|(name, value)| (*name, located(value))).collect(),
        variables: vec![("A".to_owned(), located("1"))],
        server: server.map(|text| Located::new(text.parse().unwrap(), Source::Default)),
        command: None,
        folder: "/host".into(),
        document_root: None,
        sends_files_below: vec!["/files".into()],
        resource: Resource::Either,
    }
}

#[test]
fn the_file_of_the_host_has_the_last_word() {
    let section = element(&[("fullPath", PHP), ("maxInstances", "3"), ("queueLength", "7")], &[("A", "0")]);
    for key in [PHP, "php-cgi", r"c:\php\php-cgi.exe"] {
        let outside = Outside {
            pools: vec![of_host(key, &[("maxInstances", "5"), ("localRedirect", "false")], None)],
            ..Outside::default()
        };
        let pool = resolve(PHP, &layer(vec![section.clone()], outside)).unwrap().pool;
        assert_eq!((pool.max_instances, pool.queue_length), (5, 7), "{key}");
        assert!(!pool.redirects_locally, "{key}");
        assert_eq!(pool.sends_files_below, [Path::new("/files")], "{key}");
        assert_eq!(program(&pool).1[0], ("A".to_owned(), "1".to_owned()), "{key}");
    }
    let server = of_host("*.php", &[], Some("unix:/run/php.sock"));
    let outside = Outside { pools: vec![server], ..Outside::default() };
    let pool = resolve("*.php", &layer(Vec::new(), outside)).unwrap().pool;
    assert!(matches!(&pool.runs, Runs::Server(address) if address.to_string() == "unix:/run/php.sock"));
}

#[test]
fn a_section_of_an_ini_is_a_pool_with_its_own_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fcgiext.ini");
    let text = "[Types]\nphp=My PHP\n[My PHP]\nExePath=C:\\PHP\\php-cgi.exe\nArguments=-d \"a b\"\n\
                EnvironmentVars=PHPRC:C://PHP,B:2\nActivityTimeout=99\nStderrMode=1\nMonitorChangesTo=php.ini\n";
    std::fs::write(&file, text).unwrap();
    let outside = Outside { ini: Some(ini::load(&file)), ..Outside::default() };
    let resolved = resolve("[my php]", &layer(Vec::new(), outside)).unwrap();
    let pool = &resolved.pool;
    let (shown, variables) = program(pool);
    assert_eq!(shown, "/usr/bin/php-cgi -d 'a b'");
    assert_eq!(variables[0], ("PHPRC".to_owned(), "C:/PHP".to_owned()));
    assert_eq!(variables[2].1, "2000");
    let limits = (pool.instance_max_requests, pool.max_instances, pool.activity_timeout.as_secs());
    assert_eq!(limits, (1000, 0, 99));
    assert_eq!(pool.stderr, StderrMode::Generic500);
    assert_eq!(pool.watched_files, [Path::new("/usr/bin/php.ini")]);
    let (_, told) = resolved.told.iter().find(|(name, _)| *name == "activityTimeout").unwrap();
    assert!(told.source.to_string().ends_with("fcgiext.ini:7:17"), "{}", told.source);

    std::fs::write(&file, "[Types]\nphp=PHP\n[PHP]\nNothing=1\n").unwrap();
    let outside = Outside { ini: Some(ini::load(&file)), ..Outside::default() };
    let notes = resolve("[PHP]", &layer(Vec::new(), outside)).unwrap_err();
    assert!(notes[0].to_string().contains("fcgiext.ini:4:1: error"), "{notes:?}");
}
