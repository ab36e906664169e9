//! Every `httpPlatform` and `aspNetCore` section of real files, and the command line it comes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tests::{environment, section_of};
use super::{ResolvedProgram, Surroundings, asp_net_core, http_platform};
use crate::config::xml::{self, Element};

/// A machine that has everything.
fn find(name: &str) -> Option<PathBuf> {
    let known = ["python3", "node", "java", "dotnet", "ruby"];
    known.contains(&name).then(|| Path::new("/bin").join(name))
}

fn sections(element: Element, found: &mut Vec<Element>) {
    match &*element.name {
        "httpPlatform" | "aspNetCore" => found.push(element),
        _ => element.children.into_iter().for_each(|child| sections(child, found)),
    }
}

/// By the number that a file's name begins with.
fn read_all() -> BTreeMap<u32, ResolvedProgram> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let corpus = std::env::var_os("OSTLER_CORPUS").map_or_else(beside, PathBuf::from);
    let entries = fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}; OSTLER_CORPUS names the folder", corpus.display()));
    let mut programs = BTreeMap::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let Ok(Ok(text)) = fs::read(&path).map(|bytes| xml::decode(&bytes)) else { continue };
        let file: Arc<Path> = path.as_path().into();
        let Ok(element) = xml::parse(&text, &file) else { continue };
        let mut found = Vec::new();
        sections(element, &mut found);
        // A file declares sections by their names, too; those are not what is looked for.
        for element in found {
            let section = section_of(&element, Path::new("/nowhere/site"));
            let host = environment(&[("HOME", "/root"), ("PATH", "/bin")]);
            let surroundings = Surroundings { environment: &host, url: "/", find: &find, instances: None };
            let resolved = match &*element.name {
                "httpPlatform" => http_platform(&section, &surroundings),
                _ => asp_net_core(&section, &surroundings),
            };
            let name = path.file_name().unwrap().to_str().unwrap();
            let number = name.split('-').next().unwrap().parse().unwrap();
            let resolved = resolved.unwrap_or_else(|notes| panic!("{name}: {notes:?}"));
            assert!(programs.insert(number, resolved).is_none(), "{name} has two sections");
        }
    }
    programs
}

#[test]
fn every_section_of_the_corpus_comes_to_a_command_line() {
    let expected = [
        (39, "../approot/web"),
        (40, "/bin/python3 /nowhere/site/manage.py runserver %HTTP_PLATFORM_PORT%"),
        (41, "/bin/python3 manage.py runserver %HTTP_PLATFORM_PORT%"),
        (42, "/bin/python3 run_waitress.py"),
        (43, "/bin/node ./index.js"),
        (44, "/bin/python3 run_waitress_server.py"),
        (45, "/bin/dotnet ./DriverReports.WebApi.dll"),
        (46, "/bin/dotnet ./Feedback.dll"),
        (47, "/bin/dotnet ./ArTrading.API.dll"),
        (48, "/bin/dotnet ./CovidCounter.dll"),
        (49, "/bin/dotnet ./SapApiDotNet9.dll"),
        (50, "/bin/dotnet ./SahayataNidhi.dll"),
        (51, "/bin/dotnet ./FutureOfTheJobSearch.Server.dll"),
        (52, "%LAUNCHER_PATH% %LAUNCHER_ARGS%"),
        (75, "/bin/dotnet ./HelloWorldMvc.dll"),
    ];
    let programs = read_all();
    let found: Vec<(u32, &str)> = programs
        .iter()
        .map(|(number, resolved)| (*number, resolved.program.command.shown.as_str()))
        .collect();
    assert_eq!(found, expected);
    for (number, resolved) in &programs {
        let command = &resolved.program.command;
        assert_eq!(command.found, ![39, 52].contains(number), "{number}: {:?}", command.missing);
    }
}

#[test]
fn what_sections_of_the_corpus_say_arrives() {
    let programs = read_all();
    let program = |number: u32| &programs[&number].program;
    assert_eq!(program(39).start_timeout.as_secs(), 3600);
    assert_eq!(program(40).instances, 16);
    assert_eq!(program(41).start_attempts, 3);
    assert_eq!(program(41).request_timeout.unwrap().as_secs(), 240);
    assert_eq!(program(52).request_timeout.unwrap().as_secs(), 23 * 3600);
    assert!(program(50).shows_details && !program(46).shows_details);
    let python_path = ("PYTHONPATH".to_owned(), "/nowhere/site".to_owned());
    let port = ("PORT".to_owned(), "%HTTP_PLATFORM_PORT%".to_owned());
    assert_eq!(program(42).variables[..2], [python_path, port]);
    for (number, resolved) in &programs {
        // Of each inprocess one sentence, and nothing else of a file that dotnet wrote.
        let notes: Vec<&str> = resolved.notes.iter().map(|note| note.what.as_str()).collect();
        match number {
            45..=52 => {
                assert!(matches!(&notes[..], [one] if one.contains("inprocess")), "{number}: {notes:?}")
            }
            75 | 39 => assert!(notes.is_empty(), "{number}: {notes:?}"),
            _ => assert!(!notes.is_empty(), "{number}"),
        }
    }
}
