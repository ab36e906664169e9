//! `processPath` and `arguments`: the program that is meant here, and what it is given.
//!
//! A path is looked for below the application first, then by its name in `PATH`, unless it begins with a dot. No shell is
//! involved, so a batch file cannot run, and a script runs only by its own first line.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::attributes::shortened;
use super::azure;
use crate::config::settings::Command;
use crate::config::settings::arguments::{relative_forward, split};
use crate::config::settings::expansion::unresolved;
use crate::config::settings::paths::{forward, is_windows_absolute, joined};
use crate::config::settings::search::{Search, bare, is_of_windows, shown, without, without_extension};
use crate::config::site::Section;
use crate::config::source::{Located, Note, Source};

const NO_DOTNET: &str = ".NET is not installed: there is no program `dotnet` in PATH; install the .NET runtime, or publish the application self-contained";

/// Which program runs files that are not programs themselves.
const INTERPRETERS: &[(&str, &str)] =
    &[(".dll", "dotnet"), (".py", "python3"), (".js", "node"), (".rb", "ruby"), (".jar", "java -jar")];

/// The command of a section, and what is to be said of it; `path` and `arguments` have the host's variables in them.
///
/// # Errors
/// There is no `processPath`.
pub(super) fn command(
    section: &Section,
    site_root: &Path,
    path: &Located<String>,
    arguments: &Located<String>,
    find: &dyn Fn(&str) -> Option<PathBuf>,
) -> Result<(Command, Vec<Note>), Note> {
    let name = path.value.trim().trim_matches('"').trim();
    if name.is_empty() {
        let what = "`processPath` names no program; the application does not run";
        let place = if path.source == Source::Default { &section.source } else { &path.source };
        return Err(
            Note::error(place.clone(), what).with_help("it is the path of the program that is to listen")
        );
    }
    let search = Search { base: &section.directory, find };
    let mut looked =
        Looked { search, site_root, places: Vec::new(), hints: Vec::new(), warnings: Vec::new() };
    let found = looked.program(name);
    let Looked { places, hints, warnings, .. } = looked;
    let mut notes: Vec<Note> =
        warnings.into_iter().map(|what| Note::warning(path.source.clone(), what)).collect();
    let is_found = found.is_some();
    let (program, mut words) = found.unwrap_or_else(|| (asked_for(name, &hints), Vec::new()));
    let missing = (!is_found).then(|| why_missing(name, &program, &places, &hints));
    words.extend(words_of(arguments, &program, &section.directory, site_root, &mut notes));
    let shown = shown(&program, &words);
    let command =
        Command { program, arguments: words, shown, found: is_found, missing, warnings: Vec::new() };
    Ok((command, notes))
}

/// What would be run if it were there.
fn asked_for(name: &str, hints: &[Hint]) -> PathBuf {
    if hints.contains(&Hint::NeedsDotnet) {
        return "dotnet".into();
    }
    let is_name = unresolved(name).is_some() || is_windows_absolute(name);
    let known = if is_name { bare(name).to_owned() } else { forward(without_extension(name)) };
    if known.is_empty() { name.into() } else { known.into() }
}

/// A search, and what it saw.
struct Looked<'l> {
    search: Search<'l>,
    site_root: &'l Path,
    /// Where nothing was, or nothing that runs.
    places: Vec<String>,
    hints: Vec<Hint>,
    warnings: Vec<String>,
}

/// What stands in the way, and so what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hint {
    Batch,
    NeedsDotnet,
    Interpreter(PathBuf, &'static str),
    NotExecutable(PathBuf),
    OfWindows(PathBuf),
    NoFirstLine(PathBuf),
}

type Found = (PathBuf, Vec<String>);

impl Looked<'_> {
    fn program(&mut self, name: &str) -> Option<Found> {
        let is_path = name.contains(['/', '\\']) || unresolved(name).is_some();
        let here = azure::here(name, self.site_root);
        let is_here = here.is_some();
        let file = here.or_else(|| {
            let names_nothing = is_windows_absolute(name) || unresolved(name).is_some();
            (!names_nothing).then(|| joined(self.search.base, &forward(name)))
        });
        if let Some(file) = file {
            if let Some(found) = self.at(&file) {
                if is_here {
                    self.warnings.push(format!("`{name}` is {} here", found.0.display()));
                }
                return Some(found);
            }
            // What lies there is what is meant, though it does not run; another program would hide that. A path that
            // begins with a dot is the application's own, whatever PATH has of its last name.
            let is_own = name.starts_with('.') || is_path && file.is_file();
            if is_own || self.hints.contains(&Hint::NeedsDotnet) {
                return None;
            }
        }
        if !is_path && let Some(program) = self.search.look_up(bare(name)) {
            return Some((program, Vec::new()));
        }
        if let Some(program) = self.search.instead(name) {
            self.warnings
                .push(format!("there is no `{name}` on this system; {} is run instead", program.display()));
            return Some((program, Vec::new()));
        }
        if !is_path || is_of_windows(name) {
            self.places.push(format!("`{}` in PATH", bare(name)));
        }
        None
    }

    /// What runs in the place of a file of the application.
    fn at(&mut self, file: &Path) -> Option<Found> {
        let text = file.to_string_lossy().into_owned();
        let batch = without(&text, ".cmd").or_else(|| without(&text, ".bat"));
        let stem = PathBuf::from(without_extension(&text));
        let candidates = match batch {
            Some(stem) => {
                self.hints.push(Hint::Batch);
                vec![PathBuf::from(format!("{stem}.sh")), stem.into()]
            }
            None if stem == file => vec![stem.clone()],
            None => vec![file.to_owned(), stem.clone()],
        };
        for candidate in candidates {
            match obstacle(&candidate) {
                Ok(()) => {
                    if batch.is_some() {
                        let batch = file.display();
                        let warning = format!(
                            "{batch} cannot run on this system; {} is run instead",
                            candidate.display()
                        );
                        self.warnings.push(warning);
                    }
                    return Some((candidate, Vec::new()));
                }
                Err(hint) => {
                    self.places.push(candidate.display().to_string());
                    self.hints.extend(hint);
                }
            }
        }
        if batch.is_some() {
            return None;
        }
        self.assembly(file, &stem)
    }

    /// `My.dll` beside the `My.exe` that is asked for is the same application.
    fn assembly(&mut self, file: &Path, stem: &Path) -> Option<Found> {
        let assembly = PathBuf::from(format!("{}.dll", stem.display()));
        if !assembly.is_file() {
            return None;
        }
        let Some(dotnet) = self.search.look_up("dotnet") else {
            self.hints.push(Hint::NeedsDotnet);
            return None;
        };
        let warning = format!(
            "{} is no program for this system; {} is run by dotnet",
            file.display(),
            assembly.display()
        );
        self.warnings.push(warning);
        let relative = assembly.strip_prefix(self.search.base).unwrap_or(&assembly);
        Some((dotnet, vec![relative.to_string_lossy().into_owned()]))
    }
}

/// Why a file cannot be started, with what would help if there is one.
fn obstacle(file: &Path) -> Result<(), Option<Hint>> {
    let Some(about) = file.metadata().ok().filter(std::fs::Metadata::is_file) else { return Err(None) };
    let path = || file.to_owned();
    let text = file.to_string_lossy();
    let interpreter = INTERPRETERS.iter().find(|(ending, _)| without(&text, ending).is_some());
    let is_executable = about.permissions().mode() & 0o111 != 0;
    let mut start = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read(&mut start));
    match read {
        Ok(2..) if start.starts_with(b"MZ") && interpreter.is_none() => Err(Some(Hint::OfWindows(path()))),
        _ if !is_executable => Err(Some(
            interpreter.map_or_else(|| Hint::NotExecutable(path()), |(_, by)| Hint::Interpreter(path(), by)),
        )),
        // A program that may be run need not be one that may be read.
        Err(_) => Ok(()),
        Ok(_) if start == *b"\x7fELF" || start.starts_with(b"#!") => Ok(()),
        Ok(_) => Err(Some(
            interpreter.map_or_else(|| Hint::NoFirstLine(path()), |(_, by)| Hint::Interpreter(path(), by)),
        )),
    }
}

/// One sentence: what is missing, where it was looked for, and what would help.
fn why_missing(name: &str, program: &Path, places: &[String], hints: &[Hint]) -> String {
    if program.as_os_str() == "dotnet" {
        return NO_DOTNET.to_owned();
    }
    let mut why = format!("there is no program `{}`", shortened(name));
    if !places.is_empty() {
        why += &format!("; looked for {}", places.join(", "));
    }
    let advice = |hint: &Hint| match hint {
        Hint::Batch => {
            let name = forward(without_extension(name));
            let name = name.rsplit('/').next().unwrap_or_default();
            format!(
                "batch files cannot run on this system: put an executable `{name}.sh` or `{name}` beside it"
            )
        }
        Hint::NeedsDotnet => String::new(),
        Hint::Interpreter(file, by) => {
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            format!("only what is executable runs: let `processPath` be what runs it, as in `{by} {file}`")
        }
        Hint::NotExecutable(file) => format!("{} is not executable: chmod +x", file.display()),
        Hint::OfWindows(file) => {
            format!("{} is a program for Windows: build it for Linux", file.display())
        }
        Hint::NoFirstLine(file) => format!(
            "{} is neither a program of this system nor a script whose first line is `#!` and its interpreter",
            file.display()
        ),
    };
    for advice in hints.iter().map(advice).filter(|advice| !advice.is_empty()) {
        why += "; ";
        why += &advice;
    }
    match unresolved(name) {
        Some(variable) if variable.to_ascii_uppercase().starts_with("LAUNCHER_") => {
            why += &format!(
                "; `%{variable}%` is a placeholder that is filled in when the application is published"
            );
        }
        Some(variable) => why += &format!("; the host has no variable `{variable}`"),
        None if bare(name).eq_ignore_ascii_case("cmd") => {
            why += "; `cmd` is the shell of Windows: let `processPath` be the program that listens";
        }
        None => {}
    }
    why
}

/// The words of `arguments`, with paths of the application as they are written here.
fn words_of(
    arguments: &Located<String>,
    program: &Path,
    directory: &Path,
    site_root: &Path,
    notes: &mut Vec<Note>,
) -> Vec<String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let is_java = name == "java" || name == "javaw";
    let mut words: Vec<String> = Vec::new();
    for word in split(&arguments.value) {
        let before = words.last().map_or("", String::as_str);
        let is_class_path = is_java && matches!(before, "-cp" | "-classpath" | "--class-path");
        // Modules of Python have names, not paths.
        if before == "-m" && name.starts_with("py") {
            words.push(word);
            continue;
        }
        let option = word.strip_prefix('-').and(word.split_once('='));
        let here = match option {
            _ if is_class_path => class_path(&word, site_root),
            Some(("--class-path", value)) if is_java => {
                format!("--class-path={}", class_path(value, site_root))
            }
            Some((option, value)) => format!("{option}={}", path_here(value, directory, site_root)),
            None => path_here(&word, directory, site_root),
        };
        if azure::below_site(&word).is_some() && here != word {
            let what = format!("`{}` is {} here", shortened(&word), shortened(&here));
            notes.push(Note::warning(arguments.source.clone(), what));
        }
        words.push(here);
    }
    words
}

fn path_here(word: &str, directory: &Path, site_root: &Path) -> String {
    if let Some(here) = azure::here(word, site_root) {
        return here.to_string_lossy().into_owned();
    }
    let turned = forward(word);
    let is_ours = word.contains('\\') && !is_windows_absolute(word) && joined(directory, &turned).exists();
    if is_ours { turned } else { relative_forward(word.to_owned()) }
}

/// Java divides its class path as the system does its lists.
fn class_path(list: &str, site_root: &Path) -> String {
    azure::list_here(list, site_root).unwrap_or_else(|| list.to_owned())
}
