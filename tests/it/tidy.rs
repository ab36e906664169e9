//! The tree keeps its own rules: floors, circles, sizes, openings, words that may not appear, documents that must.
//!
//! Reads the sources as text, split into just enough tokens to find paths; comments and literals do not count. It knows
//! no macros and no glob re-exports, so it can miss a dependency, but names no false one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module names only modules of lower floors: this one habit keeps circles away, and the planes apart.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("http1", 1),
    ("fastcgi", 1),
    ("rules", 1),
    ("config", 2),
    ("logs", 2),
    ("pool", 3),
    ("failure", 3),
    ("exchange", 4),
    ("upstream", 5),
    ("tend", 5),
    ("handler", 6),
    ("serve", 7),
    ("control", 7),
    ("host", 8),
    ("cli", 9),
    // The door for the fuzz targets: sees what it must, seen by nobody.
    ("fuzzing", 9),
];

/// Files that may name each other in a circle, each with its reason.
const CIRCLES: &[&[&str]] = &[
    // A lease is a place in a worker; its drop hands the place to the queue the worker shares; the queue gives out leases.
    &["pool/lease.rs", "pool/queue.rs", "pool/worker.rs"],
];

const LONGEST_FILE_LINES: usize = 500;
const UNSAFE_LIVES_IN: &str = "src/tend/linux.rs";

#[test]
fn every_module_names_only_lower_floors() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let files = sources();
    let lib = files.iter().find(|file| file.path == "lib.rs").expect("there is a lib.rs").named();
    let mut wrong = BTreeSet::new();
    for file in files.iter().filter(|file| !file.module.is_empty()) {
        let own = file.module[0].as_str();
        let Some(floor) = floors.get(own) else {
            wrong.insert(format!("{own} has no floor: add it to FLOORS, as low as it can stand"));
            continue;
        };
        for mut target in file.named() {
            // A name that lib.rs passes on stands on the floor it comes from.
            if let Some(origin) = lib.iter().find(|path| path.len() > 1 && path.last() == target.first()) {
                target.clone_from(origin);
            }
            let Some(other) = target.first().filter(|other| *other != own) else { continue };
            match floors.get(other.as_str()) {
                Some(there) if there < floor => {}
                Some(there) => {
                    let path = target.join("::");
                    wrong.insert(format!("src/{} (floor {floor}) names {path} (floor {there})", file.path));
                }
                // An item of lib.rs itself, or a macro: no module, no floor.
                None => {}
            }
        }
    }
    nothing(&wrong, "A module may name only modules of lower floors");
}

#[test]
fn no_files_of_a_module_name_each_other_in_a_circle() {
    let files = sources();
    let names: BTreeMap<&str, BTreeSet<&str>> =
        files.iter().map(|file| (file.path.as_str(), file.names_files(&files))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        names.keys().map(|from| (*from, reachable(from, &names))).collect();
    let circles: BTreeSet<Vec<&str>> = reached
        .iter()
        .filter(|(file, reach)| reach.contains(*file))
        .map(|(file, reach)| reach.iter().copied().filter(|other| reached[other].contains(file)).collect())
        .collect();
    let known: BTreeSet<Vec<&str>> = CIRCLES.iter().map(|circle| circle.to_vec()).collect();
    let fresh = circles.difference(&known).map(|circle| circle.join(" <-> ")).collect();
    nothing(&fresh, "Files name each other in a circle: move what they share below both");
    let stale = known.difference(&circles).map(|circle| circle.join(" <-> ")).collect();
    nothing(&stale, "These are circles no longer: take them out of CIRCLES");
}

#[test]
fn every_source_file_opens_with_its_idea_and_stays_short() {
    let mut wrong = BTreeSet::new();
    for (path, text) in rust_files(&["src", "tests/it", "fuzz/fuzz_targets"]) {
        if !text.starts_with("//! ") {
            wrong.insert(format!("{path} does not open with `//!` and its idea"));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE_LINES {
            wrong.insert(format!("{path} has {lines} lines: is this still one idea?"));
        }
    }
    nothing(&wrong, "Every file holds one idea, says it first, and stays short");
}

#[test]
fn nothing_unfinished_ignored_or_unsafe_lies_around() {
    let mut wrong = BTreeSet::new();
    for (path, text) in rust_files(&["src", "tests/it", "fuzz/fuzz_targets"]) {
        let code = tokens(&text).join(" ");
        let code = format!(" {code} ");
        for bad in ["todo !", "unimplemented !", "dbg !", "# [ ignore", "unsafe"] {
            if code.contains(&format!(" {bad} ")) && !(bad == "unsafe" && path == UNSAFE_LIVES_IN) {
                wrong.insert(format!("{path} has `{}`", bad.replace(' ', "")));
            }
        }
    }
    nothing(&wrong, "Finish it, or leave it out");
}

#[test]
fn every_sample_says_what_it_shows() {
    let samples: Vec<_> = fs::read_dir(root().join("samples"))
        .expect("there is a samples folder")
        .map(|entry| entry.expect("samples can be listed").path())
        .filter(|path| path.is_dir() && !path.ends_with("node_modules"))
        .collect();
    assert!(!samples.is_empty(), "samples/ is empty");
    let wrong = samples
        .iter()
        .filter(|sample| !sample.join("README.md").is_file())
        .map(|sample| format!("{} has no README.md", relative(sample)))
        .collect();
    nothing(&wrong, "Every sample has a README.md");
}

#[test]
fn the_changelog_tells_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("there is a changelog");
    let told = changelog.lines().any(|line| {
        line.strip_prefix("## ").is_some_and(|title| title.split_whitespace().next() == Some(version))
    });
    assert!(told, "CHANGELOG.md has no heading `## {version}`");
}

/// The rules above are worth what the reading below is worth.
#[test]
fn paths_are_found_wherever_they_stand_and_only_there() {
    let text = r##"
        //! crate::in_a_comment::X
        /* crate::in_a /* nested */ crate::comment::X */
        use crate::a::{b::{self, C}, D as E, f::*};
        fn g<'a>(x: &'a crate::h::I) -> super::J { let _ = ("crate::k::L", r#"crate::"m"::N"#, b'"', '\''); self::o::p() }
        mod tests { use super::super::q::R; mod deep { fn s() { super::super::t(); } } }
        fn u() { super::v::<crate::w::X>(); }
    "##;
    let file = Source::new("top/file.rs", text);
    let found: Vec<String> = file.named().iter().map(|path| path.join("::")).collect();
    let expected = [
        "a::b",
        "a::b::C",
        "a::D",
        "a::f::*",
        "h::I",
        "top::J",
        "top::file::o::p",
        "top::q::R",
        "top::file::t",
        "top::v",
        "w::X",
    ];
    assert_eq!(found, expected);
}

// Files.

/// A file of `src` below the crate's root, and the paths it names.
struct Source {
    /// Below `src`, with forward slashes.
    path: String,
    /// Empty for lib.rs and main.rs.
    module: Vec<String>,
    /// As written, each with the module it stands in.
    written: Vec<(Vec<String>, Vec<String>)>,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let module = match stem {
            "lib" | "main" => Vec::new(),
            _ => stem.split('/').map(str::to_owned).collect::<Vec<_>>(),
        };
        let written = written_paths(&tokens(text), &module);
        Source { path: path.to_owned(), module, written }
    }

    /// The absolute paths this file names by `crate::`, `self::` and `super::`.
    fn named(&self) -> Vec<Vec<String>> {
        self.written.iter().filter_map(|(place, path)| absolute(place, path)).collect()
    }

    /// The files of the same top-level module it names, without those that are its own ancestors: a child may use what
    /// its parent defines, while the parent is made of its children.
    fn names_files<'a>(&self, all: &'a [Source]) -> BTreeSet<&'a str> {
        let all_by_module = |module: &[String]| all.iter().find(|file| file.module == module);
        let mut found = BTreeSet::new();
        for target in
            self.named().iter().filter(|target| !self.module.is_empty() && target[0] == self.module[0])
        {
            let longest =
                (1..=target.len()).rev().find_map(|n| all_by_module(&target[..n]).map(|file| (n, file)));
            let Some((n, mut file)) = longest else { continue };
            // A name that the file only passes on belongs to where it comes from.
            let passed_on = target.get(n).and_then(|name| {
                let from = file.named().into_iter().find(|path| path.last() == Some(name))?;
                all_by_module(&from[..from.len() - 1])
            });
            file = passed_on.unwrap_or(file);
            if !self.module.starts_with(&file.module) {
                found.insert(file.path.as_str());
            }
        }
        found
    }
}

fn sources() -> Vec<Source> {
    rust_files(&["src"])
        .iter()
        .map(|(path, text)| Source::new(path.trim_start_matches("src/"), text))
        .filter(|file| file.path != "main.rs")
        .collect()
}

/// Every Rust file below these folders, by its path from the root.
fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("list {}: {e}", folder.display())) {
            let path = entry.expect("a folder of ours can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push((relative(&path), fs::read_to_string(&path).expect("sources are UTF-8")));
            }
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

#[track_caller]
fn nothing(wrong: &BTreeSet<String>, rule: &str) {
    let list: String = wrong.iter().map(|line| format!("\n  {line}")).collect();
    assert!(wrong.is_empty(), "{rule}:{list}");
}

// Paths.

fn reachable<'a>(from: &str, names: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&str> = names[from].iter().copied().collect();
    while let Some(file) = todo.pop() {
        if reached.insert(file) {
            todo.extend(&names[file]);
        }
    }
    reached
}

fn absolute(place: &[String], path: &[String]) -> Option<Vec<String>> {
    let mut module = place.to_vec();
    let mut rest = path;
    match path[0].as_str() {
        "crate" => module.clear(),
        "self" | "super" => {}
        _ => return None,
    }
    while let Some(first @ ("crate" | "self" | "super")) = rest.first().map(String::as_str) {
        if first == "super" {
            module.pop();
        }
        rest = &rest[1..];
    }
    module.extend(rest.iter().filter(|segment| *segment != "self").cloned());
    (!module.is_empty()).then_some(module)
}

/// Every path of two or more segments as written, with the module around it; groups are spelled out.
fn written_paths(tokens: &[String], module: &[String]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut found = Vec::new();
    // For each open brace, whether an inline module began there.
    let mut braces = Vec::new();
    let mut place = module.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|next| next == "{") => {
                place.push(tokens[at + 1].clone());
                braces.push(true);
                at += 2;
            }
            "{" => braces.push(false),
            "}" if braces.pop() == Some(true) => drop(place.pop()),
            word if is_word(word) && tokens.get(at + 1).is_some_and(|next| next == "::") => {
                let mut paths = Vec::new();
                at = spell_out(tokens, at, &[], &mut paths);
                found.extend(paths.into_iter().map(|path| (place.clone(), path)));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads one path from `at` and returns where it ends.
fn spell_out(tokens: &[String], mut at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    while tokens.get(at).is_some_and(|token| is_word(token) || token == "*") {
        path.push(tokens[at].clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
        if tokens.get(at).is_some_and(|token| token == "{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                let before_item = at;
                at = spell_out(tokens, at, &path, paths);
                // A comma, or `as` and the new name.
                at = at.max(before_item + usize::from(at == before_item));
                if tokens.get(at).is_some_and(|token| token == "as") {
                    at += 2;
                }
            }
            return at + 1;
        }
    }
    if path.len() > before.len() {
        paths.push(path);
    }
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::`, and single signs; comments, literals and lifetimes are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            at += chars[at..].iter().take_while(|c| **c != '\n').count();
        } else if starts(at, "/*") {
            let mut depth = 0;
            while at < chars.len() {
                match (starts(at, "/*"), starts(at, "*/")) {
                    (true, _) => depth += 1,
                    (_, true) => depth -= 1,
                    _ => {
                        at += 1;
                        continue;
                    }
                }
                at += 2;
                if depth == 0 {
                    break;
                }
            }
        } else if c == '"' {
            at = after_quote(&chars, at + 1, '"');
        } else if c == '\'' {
            let is_char = chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'');
            at = if is_char { after_quote(&chars, at + 1, '\'') } else { after_word(&chars, at + 1) };
        } else if c.is_alphanumeric() || c == '_' {
            let end = after_word(&chars, at);
            let word: String = chars[at..end].iter().collect();
            at = end;
            let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
            let raw = matches!(word.as_str(), "r" | "br" | "cr") && chars.get(at + hashes) == Some(&'"');
            if raw {
                let close = format!("\"{}", "#".repeat(hashes));
                at += hashes + 1;
                at += (0..chars.len() - at).take_while(|i| !starts(at + i, &close)).count() + close.len();
            } else if !(matches!(word.as_str(), "b" | "c") && matches!(chars.get(at), Some('"' | '\''))) {
                found.push(word);
            }
        } else if starts(at, "::") {
            found.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                found.push(c.to_string());
            }
            at += 1;
        }
    }
    found
}

fn after_word(chars: &[char], at: usize) -> usize {
    at + chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count()
}

fn after_quote(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
