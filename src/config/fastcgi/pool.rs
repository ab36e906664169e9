//! From a `scriptProcessor` to a pool: who says what about it, and what holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::outside::{PoolEntry, is_same, parts};
use super::program::{Looking, is_php};
use super::table::{self, Number};
use super::{FastCgiPool, ResolvedPool, Runs, StderrMode, Surroundings};
use crate::config::settings::expansion::{expand, unresolved};
use crate::config::settings::paths::{forward, is_windows_absolute, joined};
use crate::config::settings::{Command, Environment};
use crate::config::site::{AppLayer, FastCgiElement};
use crate::config::source::{Level, Located, Note, Source};
use crate::rules::policy::Tree;

const MAX_REQUESTS: &str = "PHP_FCGI_MAX_REQUESTS";
const CHILDREN: &str = "PHP_FCGI_CHILDREN";
/// More than a program of ours is given, so that it is never the one that ends first.
const SPARE_REQUESTS: u64 = 1000;

/// What was said about a pool, before it is judged.
struct Said {
    path: Located<String>,
    arguments: Located<String>,
    /// What wins comes last.
    values: Vec<(Box<str>, Located<String>)>,
    variables: Vec<(String, Located<String>)>,
    is_of_ini: bool,
}

/// The pool of a handler's `scriptProcessor`, by what `layer` says.
///
/// # Errors
/// All that is to be said, if anything in it keeps the pool from running.
pub(crate) fn pool(
    processor: &str,
    layer: &AppLayer,
    surroundings: &Surroundings<'_>,
) -> Result<ResolvedPool, Vec<Note>> {
    if !layer.errors.is_empty() {
        return Err(layer.errors.clone());
    }
    let environment = surroundings.environment;
    let outside = &*layer.fast_cgi_outside;
    let mut said = match outside.ini.as_ref().map(|ini| (ini, ini.pool(processor))) {
        Some((ini, Some(pool))) if ini.errors.is_empty() => Said {
            path: pool.path.clone(),
            arguments: pool.arguments.clone().unwrap_or_else(nobody),
            values: pool.values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            variables: pool.variables.clone(),
            is_of_ini: true,
        },
        Some((ini, Some(_))) => return Err(ini.errors.clone()),
        _ => of_element(processor, layer, environment),
    };
    let entries: Vec<&PoolEntry> = outside
        .pools
        .iter()
        .filter(|entry| entry.key.value.eq_ignore_ascii_case(processor) || entry.is_about(processor))
        .collect();
    for entry in &entries {
        said.values.extend(entry.values.iter().map(|(name, value)| ((*name).into(), value.clone())));
        for (name, value) in &entry.variables {
            said.variables.retain(|(known, _)| known != name);
            said.variables.push((name.clone(), value.clone()));
        }
    }
    for value in [&mut said.path, &mut said.arguments] {
        value.value = expand(&value.value, environment);
    }
    let server = entries.iter().rev().find_map(|entry| entry.server.as_ref());
    let words = entries.iter().rev().find_map(|entry| Some((entry.command.as_ref()?, &entry.folder)));
    let mut judged = Judged { said: &said, told: Vec::new(), notes: Vec::new() };
    let looking = Looking { outside, base: &layer.directory, find: surroundings.find };
    let command = match (server, words) {
        (Some(_), _) => None,
        (None, Some((words, folder))) => {
            let command = looking.of_words(&words.value, folder);
            judged.told.push(("command", Located::new(command.shown.clone(), words.source.clone())));
            Some(command)
        }
        (None, None) => {
            judged.told.push(("fullPath", said.path.clone()));
            judged.told.push(("arguments", said.arguments.clone()));
            judged.program(processor, &looking)
        }
    };
    let mut pool = judged.pool(Path::new(""));
    pool.sends_files_below =
        entries.iter().flat_map(|entry| entry.sends_files_below.iter().cloned()).collect();
    let program = command.as_ref().map_or(Path::new(""), |command| &command.program);
    pool.watched_files = judged.watched(program, &outside.root, environment);
    match (server, command) {
        (Some(server), _) => {
            judged.told.push(("server", Located::new(server.value.to_string(), server.source.clone())));
            pool.runs = Runs::Server(server.value.clone());
        }
        (None, Some(command)) => {
            let variables = judged.variables(&command, pool.instance_max_requests, environment);
            pool.runs = Runs::Program { command, variables };
        }
        (None, None) => {}
    }
    let Judged { told, notes, .. } = judged;
    if notes.iter().any(|note| note.level == Level::Error) {
        return Err(notes);
    }
    Ok(ResolvedPool { pool, told, notes })
}

/// The layer that says most about a pool. IIS has one list of them for a whole server; here any folder of a site may have
/// some, and a pool is the same wherever a handler leads to it: the widest folder that knows it speaks.
pub(crate) fn layer_of<'l>(
    processor: &str,
    layers: &'l Tree<AppLayer>,
    environment: &Environment,
) -> Option<&'l AppLayer> {
    let root = layers.at("")?;
    let knows = |layer: &AppLayer| element(processor, layer, environment).is_some();
    if knows(root) {
        return Some(root);
    }
    let names = |layer: &AppLayer| layer.processors.iter().any(|named| named.value == processor);
    let find = |fits: &dyn Fn(&AppLayer) -> bool| layers.values().into_iter().find(|layer| fits(layer));
    Some(find(&knows).or_else(|| find(&names)).map_or(root, |layer| layer))
}

fn nobody() -> Located<String> {
    Located::new(String::new(), Source::Default)
}

/// The `fastCgi/application` of a processor: that of the nearest folder.
fn element<'l>(
    processor: &str,
    layer: &'l AppLayer,
    environment: &Environment,
) -> Option<&'l FastCgiElement> {
    let wanted = expand(processor, environment);
    layer.fast_cgi.iter().rev().find(|element| {
        let value = |name: &str| attribute(element, name).map_or("", |value| value.value.as_str());
        let [path, arguments] = ["fullPath", "arguments"].map(|name| expand(value(name), environment));
        let bar = if arguments.is_empty() { "" } else { "|" };
        is_same(&format!("{path}{bar}{arguments}"), &wanted)
    })
}

fn attribute<'e>(element: &'e FastCgiElement, name: &str) -> Option<&'e Located<String>> {
    element
        .attributes
        .iter()
        .rev()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn of_element(processor: &str, layer: &AppLayer, environment: &Environment) -> Said {
    let (path, arguments) = parts(processor);
    let place = layer.processors.iter().find(|named| named.value == processor);
    let place = place.map_or(Source::Default, |named| named.source.clone());
    let located = |text: &str| Located::new(text.to_owned(), place.clone());
    let mut said = Said {
        path: located(path),
        arguments: located(arguments),
        values: Vec::new(),
        variables: Vec::new(),
        is_of_ini: false,
    };
    if let Some(element) = element(processor, layer, environment) {
        let source = |name: &str| {
            attribute(element, name).map_or_else(|| element.source.clone(), |value| value.source.clone())
        };
        said.path.source = source("fullPath");
        said.arguments.source = source("arguments");
        said.values.clone_from(&element.attributes);
        let variables = element.variables.iter();
        said.variables = variables.map(|(name, value)| (name.value.clone(), value.clone())).collect();
    }
    said
}

struct Judged<'s> {
    said: &'s Said,
    told: Vec<(&'static str, Located<String>)>,
    notes: Vec<Note>,
}

impl<'s> Judged<'s> {
    fn written(&self, name: &str) -> Option<&'s Located<String>> {
        let mut values = self.said.values.iter().rev();
        values.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn program(&mut self, processor: &str, looking: &Looking<'_>) -> Option<Command> {
        let Said { path, arguments, .. } = self.said;
        let trimmed = path.value.trim().trim_matches('"').trim();
        if trimmed.is_empty() {
            let what = "a handler of FastCGI names no program in `scriptProcessor`; its requests fail";
            let help = r"it is the program of the pool, as in scriptProcessor=C:\PHP\php-cgi.exe";
            self.notes.push(Note::error(path.source.clone(), what).with_help(help));
            return None;
        }
        let path = Located::new(trimmed.to_owned(), path.source.clone());
        let whole = match self.said.is_of_ini {
            true => [trimmed, arguments.value.as_str()].join("|").trim_end_matches('|').to_owned(),
            false => processor.to_owned(),
        };
        Some(looking.command(&whole, &path, arguments, &mut self.notes))
    }

    /// All but who answers, and the files.
    fn pool(&mut self, nowhere: &Path) -> FastCgiPool {
        let seconds = |number: u32| Duration::from_secs(number.into());
        let pool = FastCgiPool {
            runs: Runs::Server(crate::base::address::Address::Unix(nowhere.to_owned())),
            max_instances: self.number(&table::MAX_INSTANCES),
            instance_max_requests: self.number(&table::INSTANCE_MAX_REQUESTS).into(),
            queue_length: self.number(&table::QUEUE_LENGTH) as usize,
            idle_timeout: seconds(self.number(&table::IDLE_TIMEOUT)),
            activity_timeout: seconds(self.number(&table::ACTIVITY_TIMEOUT)),
            request_timeout: seconds(self.number(&table::REQUEST_TIMEOUT)),
            rapid_fails_per_minute: self.number(&table::RAPID_FAILS),
            watched_files: Vec::new(),
            stderr: self.stderr(),
            grace: seconds(self.number(&table::SIGNAL_BEFORE)),
            tells_https_off: self.switch("httpsOff", false),
            redirects_locally: self.switch("localRedirect", true),
            sends_files_below: Vec::new(),
        };
        self.without_effect();
        pool
    }

    fn number(&mut self, number: &Number) -> u32 {
        let default = if self.said.is_of_ini { number.ini_default } else { number.default };
        self.value(number.name, default, |text| number.read(text), u32::to_string)
    }

    fn switch(&mut self, name: &'static str, default: bool) -> bool {
        self.value(name, default, |text| table::switch(name, text), bool::to_string)
    }

    fn stderr(&mut self) -> StderrMode {
        let told = |mode: &StderrMode| table::stderr_name(*mode).to_owned();
        self.value("stderrMode", StderrMode::Pass, table::stderr_mode, told)
    }

    fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl Fn(&str) -> Result<T, table::Wrong>,
        told: impl Fn(&T) -> String,
    ) -> T {
        let (value, source) = match self.written(name) {
            None => (default, Source::Default),
            Some(written) => match read(&written.value) {
                Ok(value) => (value, written.source.clone()),
                Err((what, allowed)) => {
                    let help = format!("{allowed}; without it {} holds", told(&default));
                    self.notes.push(Note::error(written.source.clone(), what).with_help(help));
                    (default, written.source.clone())
                }
            },
        };
        self.told.push((name, Located::new(told(&value), source)));
        value
    }

    /// Judged all the same: IIS refuses what is wrong in them, too.
    fn without_effect(&mut self) {
        if let Some(written) = self.written("protocol") {
            match table::protocol(&written.value) {
                Ok(name) => {
                    self.told.push(("protocol", Located::new(name.to_owned(), written.source.clone())))
                }
                Err((what, help)) => {
                    self.notes.push(Note::error(written.source.clone(), what).with_help(help));
                }
            }
        }
        for name in ["flushNamedPipe", "unhealthyOnQueueFull"] {
            if let Some(Err((what, help))) =
                self.written(name).map(|written| table::switch(name, &written.value))
            {
                let source = self.written(name).map_or(Source::Default, |written| written.source.clone());
                self.notes.push(Note::error(source, what).with_help(help));
            }
        }
    }

    /// The file of `monitorChangesTo`; a relative one lies beside the program.
    fn watched(&mut self, program: &Path, root: &Path, environment: &Environment) -> Vec<PathBuf> {
        let Some(written) =
            self.written("monitorChangesTo").filter(|written| !written.value.trim().is_empty())
        else {
            self.told.push(("monitorChangesTo", nobody()));
            return Vec::new();
        };
        let path = expand(written.value.trim().trim_matches('"'), environment);
        let beside = program.parent().filter(|folder| folder.is_absolute()).unwrap_or(root);
        let here = crate::config::program::azure::here(&path, root);
        let file = match here {
            None if is_windows_absolute(&path) || unresolved(&path).is_some() => {
                let what = format!("there is no `{path}` on this system; it is not watched");
                let help = "`monitorChangesTo` of this pool under `fastCgi` in ostler.yml may name the file";
                self.notes.push(Note::warning(written.source.clone(), what).with_help(help));
                self.told.push(("monitorChangesTo", Located::new(path, written.source.clone())));
                return Vec::new();
            }
            here => here.unwrap_or_else(|| joined(beside, &forward(&path))),
        };
        let told = Located::new(file.display().to_string(), written.source.clone());
        self.told.push(("monitorChangesTo", told));
        vec![file]
    }

    /// What is set for each program.
    fn variables(
        &mut self,
        command: &Command,
        most_requests: u64,
        environment: &Environment,
    ) -> Vec<(String, String)> {
        let is_php = is_php(&command.program);
        let mut variables = Vec::new();
        for (name, value) in &self.said.variables {
            let name = name.trim();
            let warning = |what: String| Note::warning(value.source.clone(), what);
            if name.is_empty() || name.contains(['=', '\0']) || value.value.contains('\0') {
                let shown = name.escape_debug();
                let note = Note::error(value.source.clone(), format!("`{shown}` cannot be a variable"));
                self.notes.push(note.with_help("a name holds no `=`, and neither name nor value a NUL"));
                continue;
            }
            if is_php && name.eq_ignore_ascii_case(CHILDREN) {
                let what =
                    format!("`{CHILDREN}` is left out: the pool itself has as many programs as it needs");
                self.notes.push(warning(what).with_help("`maxInstances` limits them"));
                continue;
            }
            let text = expand(&value.value, environment);
            let ends_first = text.trim().parse().is_ok_and(|most: u64| 0 < most && most < most_requests);
            if is_php && name.eq_ignore_ascii_case(MAX_REQUESTS) && ends_first {
                let what = format!("with `{MAX_REQUESTS}` {text}, PHP ends before the pool wants it to");
                let help = format!("let it be at least `instanceMaxRequests`, which is {most_requests}");
                self.notes.push(warning(what).with_help(help));
            }
            variables.push((name.to_owned(), text));
        }
        if is_php && !variables.iter().any(|(name, _)| name.eq_ignore_ascii_case(MAX_REQUESTS)) {
            variables.push((MAX_REQUESTS.to_owned(), (most_requests + SPARE_REQUESTS).to_string()));
        }
        variables
    }
}
