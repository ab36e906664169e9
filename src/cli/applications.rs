//! Plain applications as the commands know them: which a folder or a host's file means, and what holds for each.

use std::path::{Path, PathBuf};

use super::{placeholders, sites};
use crate::config::detect::{self, DetectError, Found};
use crate::config::host_file::{ApplicationEntry, HostFile, SiteEntry};
use crate::config::limits::Limits;
use crate::config::settings::{self, Defaults, Environment, Resolved};
use crate::config::source::{Located, Note, Source};
use crate::host::{OneApplication, SitePlan};
use crate::rules::bindings::HostPattern;
use crate::tend::{ApplicationPlan, CommandLine, CommandNotFound, Transport};

/// An application, and what is said to it.
#[derive(Debug)]
pub(super) struct Plain {
    /// Host names that lead to it; none for all.
    pub(super) hosts: Vec<HostPattern>,
    pub(super) found: Found,
    /// What its watched files and logs start at.
    root: PathBuf,
    pub(super) defaults: Defaults,
    /// Where its command and its folder stand in a host's file.
    places: Option<[Source; 2]>,
}

/// What a path and a host's file mean.
pub(super) struct Served {
    pub(super) sites: Vec<SitePlan>,
    pub(super) applications: Vec<Plain>,
}

impl Served {
    /// What `path` means, with what a host's file says, if there is one.
    ///
    /// # Errors
    /// A sentence about what there is to run in `path`.
    pub(super) fn of(path: &Path, file: Option<&HostFile>) -> Result<Served, DetectError> {
        let Some(file) = file else {
            if detect::is_site(path) {
                return Ok(Served { sites: vec![sites::plain(path)], applications: Vec::new() });
            }
            let plain = Plain::new(detect::find(path)?, path, Defaults::default());
            return Ok(Served { sites: Vec::new(), applications: vec![plain] });
        };
        let applications = match &file.application {
            Some(entry) => vec![Plain::of_entry(file, None, entry)],
            None if file.sites.is_empty() && detect::is_application(path) => {
                vec![Plain::new(detect::find(path)?, path, file.defaults())]
            }
            None => {
                let entry = |site| Some(Plain::of_entry(file, Some(site), site.application.as_ref()?));
                file.sites.iter().filter_map(entry).collect()
            }
        };
        Ok(Served { sites: sites::of_file(file, path), applications })
    }
}

impl Plain {
    /// One that was found, in `path`, which is a folder or a script.
    pub(super) fn new(found: Found, path: &Path, defaults: Defaults) -> Plain {
        let root = if path.is_dir() { path.to_owned() } else { found.folder.clone() };
        Plain { hosts: Vec::new(), found, root, defaults, places: None }
    }

    fn of_entry(file: &HostFile, site: Option<&SiteEntry>, entry: &ApplicationEntry) -> Plain {
        let mut defaults = site.map_or_else(|| file.defaults(), |site| file.defaults_for(site));
        defaults.settings.extend(entry.settings.iter().cloned());
        let root = site.map_or_else(|| file.folder.clone(), |site| site.root.value.clone());
        let hosts: Vec<HostPattern> =
            site.iter().flat_map(|site| &site.hosts).map(|host| host.value.clone()).collect();
        let exact = hosts.iter().find(|host| **host != HostPattern::Any);
        let found = Found {
            name: exact.map_or_else(|| detect::folder_name(&root), HostPattern::to_string),
            words: entry.command.value.clone(),
            folder: entry.directory.value.clone(),
            variables: entry
                .variables
                .iter()
                .map(|(name, value)| (name.clone(), value.value.clone()))
                .collect(),
            transport: None,
            file: None,
            why: format!("application of {}", short(&entry.command.source)),
        };
        let places = Some([entry.command.source.clone(), entry.directory.source.clone()]);
        Plain { hosts, found, root, defaults, places }
    }

    /// Puts a setting below all others.
    pub(super) fn set_weakest(&mut self, name: &str, value: &str, source: &Source) {
        let value = Located::new(value.to_owned(), source.clone());
        self.defaults.settings.insert(0, (name.into(), value));
    }

    /// Puts a setting above all others.
    pub(super) fn set(&mut self, name: &str, value: &str, source: &Source) {
        self.defaults.settings.push((name.into(), Located::new(value.to_owned(), source.clone())));
    }

    /// What holds for it.
    ///
    /// # Errors
    /// All that is wrong with its settings.
    pub(super) fn resolved(&self, limits: &Limits, environment: &Environment) -> Result<Resolved, Vec<Note>> {
        let root = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        let mut resolved = settings::resolve_plain(&root, environment, limits, &self.defaults)?;
        // What stands in the command must be replaced, whatever else is said.
        let implied = self.command().implied_transport().and_then(|transport| match transport {
            Transport::Unix => Some(settings::Transport::Unix),
            Transport::Tcp => Some(settings::Transport::Tcp),
            Transport::Inherited => None,
        });
        let settings = &mut resolved.settings;
        settings.transport = implied.or(settings.transport).or(self.found.transport);
        Ok(resolved)
    }

    /// As the host runs it.
    pub(super) fn run_with(self, resolved: Resolved) -> OneApplication {
        let command = self.command();
        OneApplication {
            name: self.found.name,
            command,
            root: std::path::absolute(&self.root).unwrap_or(self.root),
            working_directory: self.found.folder,
            environment: self.found.variables,
            settings: resolved.settings,
            found: self.found.why,
        }
    }

    pub(super) fn command(&self) -> CommandLine {
        let mut words = self.found.words.iter().cloned();
        CommandLine { program: words.next().unwrap_or_default(), args: words.collect() }
    }

    /// A word if its program cannot be started, for one that a host's file names.
    pub(super) fn missing(&self) -> Option<Note> {
        let error = self.program().err()?;
        let [command, folder] = self.places.clone()?;
        let source = if matches!(error, CommandNotFound::NoFolder(_)) { folder } else { command };
        Some(Note::error(source, error.to_string()))
    }

    /// The file that is run.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn program(&self) -> Result<PathBuf, CommandNotFound> {
        let found = &self.found;
        let mut plan = ApplicationPlan::new(found.name.clone(), self.command(), found.folder.clone());
        plan.environment.clone_from(&found.variables);
        plan.find_program()
    }

    /// The same for one that was found in its folder.
    fn not_found(&self) -> Option<Note> {
        let error = self.program().err()?;
        let path = self.root.join(self.found.file?);
        let source = Source::File { path: path.into(), line: 1, column: 1 };
        Some(Note::error(source, error.to_string()))
    }

    /// What in its command looks as if a shell would read it.
    pub(super) fn for_a_shell(&self) -> Option<Note> {
        let [command, _] = self.places.clone()?;
        let words = &self.found.words;
        // Those are for a shell that the command itself starts.
        if words.iter().any(|word| word == "-c") {
            return None;
        }
        let odd = words.iter().find(|word| {
            ["&&", "||", "|", ";", "&", ">", ">>", "<"].contains(&word.as_str())
                || word.contains("$PORT")
                || word.contains("${PORT}")
        })?;
        let what = format!("the program gets `{odd}` as it is written: no shell reads this command");
        let help = "`{port}` stands for the port; `sh -c '…'` runs a shell";
        Some(Note::warning(command, what).with_help(help))
    }

    /// What is wrong with the placeholders in its arguments. An `application` block has told of the errors itself.
    pub(super) fn placeholders(&self) -> Vec<Note> {
        let source = match (&self.places, self.found.file) {
            (Some([command, _]), _) => command.clone(),
            (None, Some(file)) => Source::File { path: self.root.join(file).into(), line: 1, column: 1 },
            (None, None) => Source::CommandLine("--exec".into()),
        };
        let arguments = self.found.words.get(1..).unwrap_or_default();
        let mentions = |what: &str| arguments.iter().any(|word| word.contains(what));
        let mut notes = Vec::new();
        if mentions("{port}") && mentions("{socket}") {
            let what = "the command asks for `{port}` and for `{socket}`";
            notes.push(Note::error(source.clone(), what).with_help("a worker listens on one of them"));
        }
        for (written, meant) in arguments.iter().flat_map(|word| placeholders::mistaken(word)) {
            let what = format!("`{written}` is not replaced");
            notes.push(Note::warning(source.clone(), what).with_help(format!("did you mean `{meant}`?")));
        }
        notes
    }

    /// How well it fits a host that was asked for.
    pub(super) fn fit(&self, host: &str) -> Option<usize> {
        fit(&self.hosts, host)
    }
}

/// What is to be said about the applications that a path and a host's file mean, and the files that say what they are.
///
/// # Errors
/// A sentence about what there is to run in `path`.
pub(super) fn check(path: &Path, file: Option<&HostFile>) -> Result<(Vec<Note>, Vec<PathBuf>), DetectError> {
    if file.is_none() && detect::is_site(path) {
        return Ok((Vec::new(), Vec::new()));
    }
    let environment = sites::environment();
    let limits = file.map_or_else(Limits::default, |file| file.limits.clone());
    let (mut notes, mut files) = (Vec::new(), Vec::new());
    for plain in Served::of(path, file)?.applications {
        notes.extend(plain.missing().or_else(|| plain.not_found()));
        notes.extend(plain.for_a_shell());
        notes.extend(plain.placeholders());
        match plain.resolved(&limits, &environment) {
            Ok(resolved) => notes.extend(resolved.notes),
            Err(errors) => notes.extend(errors),
        }
        match &plain.places {
            Some([Source::File { path, .. }, _]) => files.push(path.to_path_buf()),
            _ => files.extend(plain.found.file.map(|name| plain.root.join(name))),
        }
    }
    Ok((notes, files))
}

/// How well host names fit one that was asked for.
pub(super) fn fit(hosts: &[HostPattern], host: &str) -> Option<usize> {
    match hosts {
        [] => Some(0),
        hosts => hosts.iter().filter_map(|pattern| pattern.fit(host)).max(),
    }
}

/// A place by the name of its file alone.
fn short(source: &Source) -> String {
    match source {
        Source::File { path, line, .. } => {
            let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
            format!("{name}, line {line}")
        }
        other => other.to_string(),
    }
}
