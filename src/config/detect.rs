//! What there is to run in a folder, and how we know.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::settings::Transport;

mod line;
mod procfile;

/// A program found to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// For people: the package's name, or the folder's.
    pub(crate) name: String,
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Where the program is started.
    pub(crate) folder: PathBuf,
    /// Set for it.
    pub(crate) variables: Vec<(String, String)>,
    /// What PORT is to be, if how it was found says so.
    pub(crate) transport: Option<Transport>,
    /// The name of the file in its folder that says so.
    pub(crate) file: Option<&'static str>,
    /// What was recognised, in a few words.
    pub(crate) why: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DetectError {
    #[error("there is no {}", _0.display())]
    Missing(PathBuf),
    #[error(
        "nothing to run in {}: looked for web.config, fcgiext.ini, Procfile, package.json (its `start` script or `main`), server.js, app.js, index.js and index.php; \
         --exec COMMAND runs any program",
        _0.display()
    )]
    Nothing(PathBuf),
    #[error(
        "nothing to run in {}: its Procfile has no `web:` line ({others}), and there is no package.json with a `start` script or `main`, \
         server.js, app.js or index.js; --exec COMMAND runs any program",
        folder.display()
    )]
    NoWeb { folder: PathBuf, others: String },
    #[error("{} cannot be read: {why}", file.display())]
    Unreadable { file: PathBuf, why: String },
    #[error("the command `{command}` is not well formed: {why}")]
    Command { command: String, why: String },
}

const PACKAGE: &str = "package.json";

#[derive(Deserialize, Default)]
struct Package {
    #[serde(default)]
    name: String,
    #[serde(default)]
    main: String,
    #[serde(default)]
    scripts: Scripts,
}

#[derive(Deserialize, Default)]
struct Scripts {
    #[serde(default)]
    start: String,
}

/// Whether a folder is an application rather than a site, also one that cannot be understood.
pub(crate) fn is_application(path: &Path) -> bool {
    !is_site(path) && !matches!(find(path), Err(DetectError::Nothing(_) | DetectError::Missing(_)))
}

/// Whether a folder is a site as IIS hosts them: a `web.config` says so, in it, or below it where nothing else does, or a
/// `fcgiext.ini` of older ones; or, where nothing else is, an `index.php`.
pub(crate) fn is_site(path: &Path) -> bool {
    let has_one_below = || folders(path).any(|below| has(&below, "web.config"));
    has(path, "web.config")
        || has(path, "fcgiext.ini")
        || (path.is_dir() && find(path).is_err() && (has(path, "index.php") || has_one_below()))
}

/// Whether a folder has a file of this name, in any case.
fn has(folder: &Path, name: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().eq_ignore_ascii_case(name))
}

fn folders(path: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
}

/// The application in `path`, which is a folder or a script.
///
/// # Errors
/// A sentence that says what is missing or wrong, and what would do.
pub(crate) fn find(path: &Path) -> Result<Found, DetectError> {
    if path.is_file() {
        return Ok(node(parent(path), &file_name(path), file_name(path), "the script given".to_owned()));
    }
    if !path.is_dir() {
        return Err(DetectError::Missing(path.to_owned()));
    }
    let unreadable = |error: std::io::Error| DetectError::Unreadable {
        file: path.join(procfile::NAME),
        why: error.to_string(),
    };
    let Some(procfile) = procfile::load(path).map_err(unreadable)? else { return of_node(path) };
    if let Some(web) = &procfile.web {
        return web_line(path, web, &procfile.others);
    }
    match of_node(path) {
        Ok(found) => Ok(Found { why: format!("{}; Procfile has no web line", found.why), ..found }),
        Err(DetectError::Nothing(folder)) => {
            let others = match procfile.others.as_slice() {
                [] => "it has no process at all".to_owned(),
                others => format!("only {}", others.join(", ")),
            };
            Err(DetectError::NoWeb { folder, others })
        }
        Err(error) => Err(error),
    }
}

/// What the `web` line of a Procfile says. Where Procfiles come from, PORT is a number.
fn web_line(path: &Path, web: &str, others: &[String]) -> Result<Found, DetectError> {
    let mut why = "the web line of Procfile".to_owned();
    if path.join(PACKAGE).is_file() {
        why.push_str("; package.json is there too and is not used");
    }
    if let Some(others) = listed(others) {
        why.push_str(&format!("; {others}"));
    }
    let found = of_line(web, path, folder_name(path), why)?;
    Ok(Found { transport: Some(Transport::Tcp), file: Some(procfile::NAME), ..found })
}

/// The application of a folder as Node's tools know it.
fn of_node(path: &Path) -> Result<Found, DetectError> {
    if let Some(package) = read_package(path)? {
        let name = if package.name.is_empty() { folder_name(path) } else { package.name };
        if !package.scripts.start.trim().is_empty() {
            let why = "the start script of package.json".to_owned();
            let found = of_line(&package.scripts.start, path, name, why)?;
            return Ok(Found { file: Some(PACKAGE), ..found });
        }
        // As Node reads it: a file, one without its extension, or a folder with an index.js.
        let mains =
            [package.main.clone(), format!("{}.js", package.main), format!("{}/index.js", package.main)];
        if !package.main.is_empty()
            && let Some(main) = mains.iter().find(|main| path.join(main).is_file())
        {
            let found = node(path, main, name, "main of package.json".to_owned());
            return Ok(Found { file: Some(PACKAGE), ..found });
        }
    }
    ["server.js", "app.js", "index.js"]
        .into_iter()
        .find(|script| path.join(script).is_file())
        .map(|script| {
            let found = node(path, script, folder_name(path), format!("{script} is there"));
            Found { file: Some(script), ..found }
        })
        .ok_or_else(|| DetectError::Nothing(path.to_owned()))
}

/// The application that `command` starts in `folder`.
pub(crate) fn command(command: &str, folder: &Path) -> Result<Found, DetectError> {
    if !folder.is_dir() {
        return Err(DetectError::Missing(folder.to_owned()));
    }
    let words = shell_words::split(command).map_err(|_| wrong(command, "a quote is not closed"))?;
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong(command, "it is empty"));
    }
    Ok(Found::plain(folder_name(folder), words, folder, "--exec".to_owned()))
}

impl Found {
    fn plain(name: String, words: Vec<String>, folder: &Path, why: String) -> Found {
        Found {
            name,
            words,
            folder: folder.to_owned(),
            variables: Vec::new(),
            transport: None,
            file: None,
            why,
        }
    }
}

fn node(folder: &Path, script: &str, name: String, why: String) -> Found {
    Found::plain(name, vec!["node".to_owned(), script.to_owned()], folder, why)
}

/// A line that was written for a shell; one is used only where it is needed.
fn of_line(text: &str, folder: &Path, name: String, mut why: String) -> Result<Found, DetectError> {
    let line = line::read(text).map_err(|why| wrong(text, why))?;
    if let Some(what) = line.of_a_shell {
        why.push_str(&format!("; a shell runs it, for the {what} in it"));
    }
    let mut found = Found::plain(name, line.words, folder, why);
    found.variables = line.variables;
    found.transport = line.wants_port.then_some(Transport::Tcp);
    Ok(found)
}

fn wrong(command: &str, why: &str) -> DetectError {
    DetectError::Command { command: command.to_owned(), why: why.to_owned() }
}

/// Names of processes that nobody runs here, for people.
fn listed(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(format!("its line {one} is not run")),
        [most @ .., last] => Some(format!("its lines {} and {last} are not run", most.join(", "))),
    }
}

fn read_package(folder: &Path) -> Result<Option<Package>, DetectError> {
    let file = folder.join(PACKAGE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DetectError::Unreadable { file, why: error.to_string() }),
    };
    // Editors on Windows put a byte order mark in front.
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map(Some)
        .map_err(|error| DetectError::Unreadable { file, why: error.to_string() })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The name of a folder, for people.
pub(crate) fn folder_name(path: &Path) -> String {
    path.canonicalize().map_or_else(|_| "app".to_owned(), |path| file_name(&path))
}

#[cfg(test)]
mod tests {
    use super::{command, find, is_application};
    use crate::config::settings::Transport;

    fn found(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        match find(folder.path()) {
            Ok(found) => format!("{} ({})", found.words.join(" "), found.why),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), "DIR"),
        }
    }

    #[test]
    fn the_start_script_comes_before_main_and_main_before_the_usual_names() {
        let start = ("package.json", r#"{"main": "m.js", "scripts": {"start": "node --x s.js"}}"#);
        assert_eq!(found(&[start, ("server.js", "")]), "node --x s.js (the start script of package.json)");
        let main = ("package.json", "\u{feff}{\"main\": \"m.js\"}");
        assert_eq!(found(&[main, ("m.js", ""), ("app.js", "")]), "node m.js (main of package.json)");
        assert_eq!(found(&[main, ("index.js", ""), ("app.js", "")]), "node app.js (app.js is there)");
    }

    #[test]
    fn an_empty_folder_and_a_broken_package_are_told_apart() {
        assert!(found(&[]).starts_with(
            "nothing to run in DIR: looked for web.config, fcgiext.ini, Procfile, package.json"
        ));
        let broken = found(&[("package.json", "{"), ("server.js", "")]);
        assert!(
            broken.starts_with("DIR/package.json cannot be read: EOF") && broken.contains("line 1"),
            "{broken}"
        );
    }

    #[test]
    fn a_procfile_comes_before_package_json_and_says_what_is_not_used() {
        let procfile = |text| ("Procfile", text);
        let start = ("package.json", r#"{"scripts": {"start": "node s.js"}}"#);
        for (files, expected) in [
            (&[procfile("web: serve -p $PORT")][..], "serve -p {port} (the web line of Procfile)"),
            (
                &[procfile("web: serve\nworker: w\nrelease: r"), start],
                "serve (the web line of Procfile; package.json is there too and is not used; \
                 its lines worker and release are not run)",
            ),
            (
                &[procfile("web: serve"), ("package.json", "{")],
                "serve (the web line of Procfile; package.json is there too and is not used)",
            ),
            (
                &[procfile("worker: w"), start],
                "node s.js (the start script of package.json; Procfile has no web line)",
            ),
            (
                &[procfile("web: a && b")],
                "sh -c a && b (the web line of Procfile; a shell runs it, for the && in it)",
            ),
            (&[procfile("web: 'a")], "the command `'a` is not well formed: a quote is not closed"),
        ] {
            assert_eq!(found(files), expected);
        }
        for (text, said) in
            [("worker: w\nclock: c", "(only worker, clock)"), ("", "(it has no process at all)")]
        {
            let error = found(&[procfile(text)]);
            assert!(error.starts_with("nothing to run in DIR: its Procfile has no `web:` line"), "{error}");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_number_is_what_a_procfile_and_a_mention_of_port_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let transport = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            let found = find(folder.path()).unwrap();
            std::fs::remove_file(folder.path().join(name)).unwrap();
            (found.transport, found.variables)
        };
        assert_eq!(transport("Procfile", "web: A=b serve").0, Some(Transport::Tcp));
        assert_eq!(transport("Procfile", "web: A=b serve").1, [("A".to_owned(), "b".to_owned())]);
        let script = |start: &str| format!("{{\"scripts\": {{\"start\": \"{start}\"}}}}");
        assert_eq!(transport("package.json", &script("serve $PORT")).0, Some(Transport::Tcp));
        assert_eq!(transport("package.json", &script("serve")).0, None);
    }

    #[test]
    fn a_command_given_is_split_and_no_shell_is_involved() {
        let here = std::path::Path::new(".");
        assert_eq!(command("x 'a b' $PORT && y", here).unwrap().words, ["x", "a b", "$PORT", "&&", "y"]);
        assert!(
            command("node 'a.js", here).is_err()
                && command("  ", here).is_err()
                && command("''", here).is_err()
        );
    }

    #[test]
    fn a_folder_is_an_application_if_something_says_so_and_no_web_config_does() {
        for (files, expected) in [
            (&[][..], false),
            (&["index.html"], false),
            (&["app.js"], true),
            (&["app.js", "Web.config"], false),
            (&["app.js", "index.php"], true),
            (&["index.php"], false),
            (&["Procfile"], true),
            (&["package.json"], true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in files {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            assert_eq!(is_application(folder.path()), expected, "{files:?}");
        }
    }
}
