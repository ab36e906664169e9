//! Files of real sites, kept beside this repository, read as their hosts would have read them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Defaults, Environment, Resolved, resolve, worker_command};
use crate::config::site::AppLayer;
use crate::config::source::{Located, Note, Source};

fn corpus() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    std::env::var_os("OSTLER_CORPUS").map_or_else(beside, PathBuf::from)
}

/// The files by the number their names begin with, each put beside a script.
fn read_all() -> Vec<(u32, Result<Resolved, Vec<Note>>)> {
    let folder = corpus();
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("OSTLER_CORPUS says where the corpus is; {}: {error}", folder.display())
    });
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let number = name.split('-').next().unwrap().parse().unwrap();
            let site = tempfile::tempdir().unwrap();
            fs::write(site.path().join("iisnode.yml"), fs::read(&path).unwrap()).unwrap();
            let layer = AppLayer { directory: site.path().to_owned(), ..AppLayer::default() };
            (number, resolve(&layer, site.path(), &Environment::new(), &Defaults::default()))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found
}

fn find(name: &str) -> Option<PathBuf> {
    (name == "node").then(|| "/bin/node".into())
}

#[test]
fn every_yml_file_of_the_corpus_is_honoured() {
    // What is set by more than a default, and the names of unknown keys.
    let expected: &[(u32, &str, usize, &str)] = &[
        (76, "/bin/node /s/app.js", 1, ""),
        (77, "/bin/node /s/app.js", 1, ""),
        (78, "/bin/node /s/app.js", 1, ""),
        (79, "/bin/node /s/app.js", 1, ""),
        (80, "/bin/node /s/app.js", 1, ""),
        (81, "/bin/node dist/index.js /s/app.js", 1, ""),
        (82, "iojs --harmony /s/app.js", 1, ""),
        (83, "/bin/node /s/app.js", 1, ""),
        (84, "/bin/node /s/app.js", 0, "maxRequestLength"),
        (85, "/bin/node /s/app.js", 1, "http http skipIISCustomErrors"),
    ];
    let found = read_all();
    assert_eq!(found.len(), expected.len());
    for ((number, resolved), (expected_number, shown, workers, unknown)) in found.into_iter().zip(expected) {
        assert_eq!(number, *expected_number);
        let resolved = resolved.unwrap_or_else(|notes| panic!("{number}: {notes:?}"));
        let settings = &resolved.settings;
        let command = worker_command(settings, Path::new("/s/app.js"), Path::new("/s"), &find).unwrap();
        assert_eq!((command.shown.as_str(), settings.process_count as usize), (*shown, *workers), "{number}");
        let names: Vec<&str> = resolved.notes.iter().filter_map(|note| note.what.split('`').nth(1)).collect();
        assert_eq!(names.join(" "), *unknown, "{number}: {:?}", resolved.notes);
    }
}

#[test]
fn settings_of_the_corpus_arrive() {
    let all = read_all();
    let settings = |number: u32| {
        let (_, resolved) = all.iter().find(|(other, _)| *other == number).unwrap();
        &resolved.as_ref().unwrap().settings
    };
    assert_eq!(settings(77).node_env.as_deref(), Some("production"));
    assert_eq!(settings(77).dev_errors, super::DevErrors::Off);
    assert_eq!(settings(78).start_timeout.as_secs(), 8);
    assert!(settings(80).logs.is_none());
    assert!(settings(81).logs.as_ref().unwrap().directory.ends_with("LogFiles"));
    assert_eq!(settings(81).watched_files, "web.config;*.js;dist/*.js");
    assert_eq!(settings(83).node_env.as_deref(), Some("prod"));
    assert_eq!(settings(84).promoted_variables.len(), 3);
    assert_eq!(settings(85).node_env, None);
}

/// Only the file that iisnode's own tests hold for this purpose has an attribute nobody knows.
#[test]
fn the_attributes_of_every_web_config_of_the_corpus_are_accepted() {
    let mut seen = 0;
    let mut refused = Vec::new();
    for entry in fs::read_dir(corpus()).expect("OSTLER_CORPUS says where the corpus is") {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Ok(document) = roxmltree::Document::parse(&text) else { continue };
        for element in document.descendants().filter(|node| node.has_tag_name("iisnode")) {
            seen += 1;
            let iisnode = element
                .attributes()
                .map(|it| (it.name().into(), Located::new(it.value().to_owned(), Source::Default)))
                .collect();
            let layer = AppLayer { directory: "/nowhere".into(), iisnode, ..AppLayer::default() };
            if resolve(&layer, Path::new("/nowhere"), &Environment::new(), &Defaults::default()).is_err() {
                refused.push(path.file_name().unwrap().to_string_lossy()[..3].to_owned());
            }
        }
    }
    assert!(seen >= 20, "only {seen} elements were found");
    assert_eq!(refused, ["037"]);
}
