//! What there is to run in a folder, and how we know.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A program found to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// For people: the package's name, or the folder's.
    pub(crate) name: String,
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Where the program is started.
    pub(crate) folder: PathBuf,
    /// What was recognised, in a few words.
    pub(crate) why: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DetectError {
    #[error("there is no {}", _0.display())]
    Missing(PathBuf),
    #[error(
        "nothing to run in {}: looked for web.config, package.json (its `start` script or `main`), server.js, app.js and index.js; \
         --exec COMMAND runs any program",
        _0.display()
    )]
    Nothing(PathBuf),
    #[error("{} cannot be read: {why}", file.display())]
    Package { file: PathBuf, why: String },
    #[error("the command `{command}` is not well formed: {why}")]
    Command { command: String, why: String },
}

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

/// Whether a folder is a site as IIS hosts them: a `web.config` says so, in it, or below it where nothing else does.
pub(crate) fn is_site(path: &Path) -> bool {
    has_web_config(path)
        || (path.is_dir() && find(path).is_err() && folders(path).any(|below| has_web_config(&below)))
}

fn has_web_config(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().eq_ignore_ascii_case("web.config"))
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
    if let Some(package) = read_package(path)? {
        let name = if package.name.is_empty() { folder_name(path) } else { package.name };
        if !package.scripts.start.trim().is_empty() {
            let words = split(&package.scripts.start)?;
            let why = "the start script of package.json".to_owned();
            return Ok(Found { name, words, folder: path.to_owned(), why });
        }
        // As Node reads it: a file, one without its extension, or a folder with an index.js.
        let mains =
            [package.main.clone(), format!("{}.js", package.main), format!("{}/index.js", package.main)];
        if !package.main.is_empty()
            && let Some(main) = mains.iter().find(|main| path.join(main).is_file())
        {
            return Ok(node(path, main, name, "main of package.json".to_owned()));
        }
    }
    ["server.js", "app.js", "index.js"]
        .into_iter()
        .find(|script| path.join(script).is_file())
        .map(|script| node(path, script, folder_name(path), format!("{script} is there")))
        .ok_or_else(|| DetectError::Nothing(path.to_owned()))
}

/// The application that `command` starts in `folder`.
pub(crate) fn command(command: &str, folder: &Path) -> Result<Found, DetectError> {
    if !folder.is_dir() {
        return Err(DetectError::Missing(folder.to_owned()));
    }
    let words = split(command)?;
    Ok(Found { name: folder_name(folder), words, folder: folder.to_owned(), why: "--exec".to_owned() })
}

fn node(folder: &Path, script: &str, name: String, why: String) -> Found {
    let words = vec!["node".to_owned(), script.to_owned()];
    Found { name, words, folder: folder.to_owned(), why }
}

fn read_package(folder: &Path) -> Result<Option<Package>, DetectError> {
    let file = folder.join("package.json");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DetectError::Package { file, why: error.to_string() }),
    };
    // Editors on Windows put a byte order mark in front.
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map(Some)
        .map_err(|error| DetectError::Package { file, why: error.to_string() })
}

/// Words of a plain command; what only a shell understands goes to a shell.
fn split(command: &str) -> Result<Vec<String>, DetectError> {
    let wrong = |why: &str| DetectError::Command { command: command.to_owned(), why: why.to_owned() };
    let words = shell_words::split(command).map_err(|_| wrong("a quote is not closed"))?;
    let Some(program) = words.first() else { return Err(wrong("it is empty")) };
    // `{port}` and `{socket}` are ours, so braces alone are no reason.
    if program.contains('=') || command.contains(['&', '|', ';', '<', '>', '$', '`', '(', '*', '?', '~', '#'])
    {
        return Ok(vec!["sh".to_owned(), "-c".to_owned(), command.to_owned()]);
    }
    Ok(words)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "app".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn folder_name(path: &Path) -> String {
    path.canonicalize().map_or_else(|_| "app".to_owned(), |path| file_name(&path))
}

#[cfg(test)]
mod tests {
    use super::{find, split};

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
        assert!(found(&[]).starts_with("nothing to run in DIR: looked for web.config, package.json"));
        let broken = found(&[("package.json", "{"), ("server.js", "")]);
        assert!(
            broken.starts_with("DIR/package.json cannot be read: EOF") && broken.contains("line 1"),
            "{broken}"
        );
    }

    #[test]
    fn only_what_needs_a_shell_gets_one() {
        assert_eq!(split("node 'a b.js' --port {port}").unwrap(), ["node", "a b.js", "--port", "{port}"]);
        assert_eq!(split("NODE_ENV=x node a.js").unwrap(), ["sh", "-c", "NODE_ENV=x node a.js"]);
        assert_eq!(split("build && node a.js").unwrap(), ["sh", "-c", "build && node a.js"]);
        assert!(split("node 'a.js").is_err() && split("  ").is_err());
    }
}
