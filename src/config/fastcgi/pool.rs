//! From a `scriptProcessor` to a pool: who says what about it, and what holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::outside::{Outside, PoolEntry, parts};
use super::program::{Looking, is_php};
use super::said::Said;
use super::speaker::{attribute, element};
use super::table::{self, Number};
use super::{FastCgiPool, ResolvedPool, Runs, StderrMode, Surroundings, ini, without_effect};
use crate::config::settings::expansion::{expand, unresolved};
use crate::config::settings::paths::{forward, is_windows_absolute, joined};
use crate::config::settings::{Command, Environment};
use crate::config::site::AppLayer;
use crate::config::source::{Level, Located, Note, Source};

const MAX_REQUESTS: &str = "PHP_FCGI_MAX_REQUESTS";
const CHILDREN: &str = "PHP_FCGI_CHILDREN";
/// More than a program of ours is given, so that it is never the one that ends first.
const SPARE_REQUESTS: u64 = 1000;

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
    // A pool of the ini is known by its section, and by its program as elsewhere.
    let whole = outside.ini.as_ref().and_then(|ini| ini.whole(processor));
    let named = |entry: &&PoolEntry| {
        entry.key.value.eq_ignore_ascii_case(processor)
            || entry.is_about(processor)
            || whole.as_ref().is_some_and(|whole| entry.is_about(whole))
    };
    let entries: Vec<&PoolEntry> = outside.pools.iter().filter(named).collect();
    let mut said = match outside.ini.as_ref().map(|ini| (ini, ini.pool(processor))) {
        Some((ini, Some(pool))) if ini.errors.is_empty() => Said {
            path: pool.path.clone(),
            arguments: pool.arguments.clone().unwrap_or_else(nobody),
            values: pool.values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            variables: pool.variables.clone(),
            is_of_ini: true,
        },
        Some((ini, found)) if !ini.errors.is_empty() && (found.is_some() || ini::names_pool(processor)) => {
            return Err(ini.errors.clone());
        }
        _ => {
            let host = entries.last().map_or(Source::Default, |entry| entry.key.source.clone());
            of_element(processor, layer, environment, host)
        }
    };
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
    let document_root = entries.iter().rev().find_map(|entry| entry.document_root.clone());
    judged.told.push(("documentRoot", document_root.clone().unwrap_or_else(|| root_of(outside))));
    pool.document_root = document_root.map(|root| root.value.trim_end_matches('/').to_owned());
    let program = command.as_ref().map_or(Path::new(""), |command| &command.program);
    pool.watched_files = judged.watched(program, &outside.root, environment);
    match (server, command) {
        (Some(server), _) => {
            judged.told.push(("server", Located::new(server.value.to_string(), server.source.clone())));
            pool.runs = Runs::Server(server.value.clone());
        }
        (None, Some(command)) => {
            let variables = judged.variables(&command, &mut pool.instance_max_requests, environment);
            pool.runs = Runs::Program { command, variables };
        }
        (None, None) => {}
    }
    let Judged { mut told, mut notes, .. } = judged;
    let in_use = pool.instances();
    let instances = told.iter_mut().find(|(name, _)| *name == table::MAX_INSTANCES.name);
    if let Some((_, told)) = instances.filter(|_| pool.max_instances == 0) {
        told.value = format!("0 ({in_use} here)");
    }
    if notes.iter().any(|note| note.level == Level::Error) {
        // What keeps it from running comes first.
        notes.sort_by_key(|note| std::cmp::Reverse(note.level));
        return Err(notes);
    }
    let without_effect = without_effect::notes(&said, &pool);
    Ok(ResolvedPool { pool, told, notes, without_effect })
}

fn root_of(outside: &Outside) -> Located<String> {
    Located::new(outside.root.display().to_string(), Source::Default)
}

fn nobody() -> Located<String> {
    Located::new(String::new(), Source::Default)
}

/// `host` is where the host's file names the pool.
fn of_element(processor: &str, layer: &AppLayer, environment: &Environment, host: Source) -> Said {
    let (path, arguments) = parts(processor);
    let place = layer.processors.iter().find(|named| named.value == processor);
    let place = place.map_or(host, |named| named.source.clone());
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
        self.said.written(name)
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
            document_root: None,
            most_head_bytes: self.number(&table::RESPONSE_HEAD) as usize,
            sends_files_below: Vec::new(),
        };
        self.judge_without_effect();
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
    fn judge_without_effect(&mut self) {
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

    /// What is set for each program. PHP that is told to end after fewer requests than the pool gives it gets no more than
    /// that: it ends without a word, and the request after would be lost.
    fn variables(
        &mut self,
        command: &Command,
        most_requests: &mut u64,
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
            if is_php
                && name.eq_ignore_ascii_case(MAX_REQUESTS)
                && let Ok(own @ 1..) = text.trim().parse::<u64>()
                && own < *most_requests
            {
                let what = format!(
                    "with `{MAX_REQUESTS}` {own}, PHP is replaced after {own} requests, not after {most_requests}"
                );
                let help = "let it be at least `instanceMaxRequests`, or leave it out";
                self.notes.push(warning(what).with_help(help));
                *most_requests = own;
            }
            variables.push((name.to_owned(), text));
        }
        if is_php && !variables.iter().any(|(name, _)| name.eq_ignore_ascii_case(MAX_REQUESTS)) {
            variables.push((MAX_REQUESTS.to_owned(), (*most_requests + SPARE_REQUESTS).to_string()));
        }
        variables
    }
}
