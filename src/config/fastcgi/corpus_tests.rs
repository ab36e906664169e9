//! Every FastCGI handler of real files, and the pool it comes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Runs, Surroundings, layer_of, pool};
use crate::config::settings::Environment;
use crate::config::site;
use crate::rules::mapping::Module;

/// A machine that has everything.
fn find(name: &str) -> Option<PathBuf> {
    ["python3", "php-cgi"].contains(&name).then(|| Path::new("/bin").join(name))
}

#[test]
fn every_handler_of_the_corpus_comes_to_a_pool() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("OSTLER_CORPUS").map_or_else(beside, PathBuf::from);
    let entries = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}; OSTLER_CORPUS names the folder", corpus.display()));
    let environment = Environment::new();
    let mut commands = BTreeMap::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".web.config") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::copy(&path, folder.path().join("web.config")).unwrap();
        let config = site::load(folder.path());
        let rows = &config.policies.at("").unwrap().mapping.mapped;
        for row in rows.iter().filter(|row| row.module == Module::FastCgi) {
            let processor = row.processor.as_deref().unwrap();
            let layer = layer_of(processor, &config.layers, &environment).unwrap();
            let surroundings = Surroundings { environment: &environment, find: &find };
            let resolved =
                pool(processor, layer, &surroundings).unwrap_or_else(|notes| panic!("{name}: {notes:?}"));
            let Runs::Program { command, .. } = resolved.pool.runs else { panic!("{name}") };
            assert!(command.found, "{name}: {command:?}");
            let number: u32 = name.split('-').next().unwrap().parse().unwrap();
            commands.insert((number, row.path.to_string()), command.shown);
        }
    }
    let expected = [
        (55, "*.php", "/bin/php-cgi"),
        (58, "*.php", "/bin/php-cgi"),
        (59, "handler.fcgi", r"/bin/python3 'D:\Python34\Scripts\wfastcgi.py'"),
        (60, "*.php", "/bin/php-cgi"),
        (62, "*", r"/bin/python3 'C:\anaconda\Lib\site-packages\wfastcgi.py'"),
    ];
    let expected: BTreeMap<(u32, String), String> = expected
        .iter()
        .map(|(number, path, command)| ((*number, (*path).to_owned()), (*command).to_owned()))
        .collect();
    assert_eq!(commands, expected);
}
