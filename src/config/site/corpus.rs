//! Every `web.config` of the corpus loads, or says where it is wrong.

use std::path::{Path, PathBuf};

use super::load;
use crate::config::source::{Level, Note, Source};

/// Files that are not well-formed XML.
const MALFORMED: [&str; 4] = ["003-", "023-", "031-", "064-"];
/// A well-formed file that is no configuration.
const NO_CONFIGURATION: &str = "073-";

fn corpus() -> PathBuf {
    std::env::var_os("OSTLER_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from)
}

#[test]
fn every_file_of_the_corpus_loads_or_is_refused_with_its_place() {
    let corpus = corpus();
    let entries = std::fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}; OSTLER_CORPUS names the folder", corpus.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".web.config"));
    files.sort();
    assert!(files.len() >= 74, "only {} files in {}", files.len(), corpus.display());
    let mut wrong = Vec::new();
    let (mut platforms, mut cores) = (0, 0);
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let site = tempfile::tempdir().unwrap();
        std::fs::copy(&file, site.path().join("web.config")).unwrap();
        let config = load(site.path());
        let errors: Vec<&Note> = config.notes.iter().filter(|note| note.level == Level::Error).collect();
        let programs = &config.policies.at("").unwrap().programs;
        platforms += usize::from(programs.http_platform.is_some());
        cores += usize::from(programs.asp_net_core.is_some());
        let broken = config.policies.at("").unwrap().broken.is_some();
        let refused = MALFORMED.iter().chain([&NO_CONFIGURATION]).any(|start| name.starts_with(start));
        let placed = |note: &&Note| {
            let known = matches!(&note.source, Source::File { path, line, column }
                if path.ends_with("web.config") && *line > 0 && *column > 0);
            known && note.help.is_some()
        };
        if broken != refused || errors.len() != usize::from(refused) || !errors.iter().all(placed) {
            let told: Vec<String> = config.notes.iter().map(ToString::to_string).collect();
            wrong.push(format!("{name}\n  {}", told.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every file that has such a section.
    assert_eq!((platforms, cores), (6, 8));
}
