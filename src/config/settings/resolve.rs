//! One set of settings from all their sources: iisnode.yml over `IISNODE_*` over web.config over ostler.yml over what the
//! table says.
//!
//! Every value is looked at, also one that another overrides: a mistake does not wait for the day it begins to count.

use std::path::Path;

use super::draft::Draft;
use super::environment;
use super::expansion::expand;
use super::names::{self, Meant};
use super::overrides;
use super::table::{Effect, Expands, Kind, Setting, settings};
use super::values::{self, Dialect, Value, shortened};
use super::yml;
use super::{Defaults, Environment, Resolved};
use crate::config::site::AppLayer;
use crate::config::source::{Located, Note, Source};

/// The settings of the application whose entry script lies in `script_directory` (absolute).
///
/// # Errors
/// Every error, not only the first, each with its place.
pub(crate) fn resolve(
    layer: &AppLayer,
    script_directory: &Path,
    environment: &Environment,
    defaults: &Defaults,
) -> Result<Resolved, Vec<Note>> {
    let mut fold = Fold { environment, notes: layer.errors.clone(), written: Vec::new() };
    // From the weakest source to the strongest.
    for (name, value) in &defaults.settings {
        fold.add(name, value, Dialect::HostFile);
    }
    for (name, value) in &layer.iisnode {
        fold.add(name, value, Dialect::WebConfig);
    }
    for (setting, value) in environment::settings_of(environment) {
        fold.read(setting, &value, Dialect::Environment);
    }
    let name = fold.overrides_name(&defaults.lock);
    let (files, overrides) = match overrides::find(&name, [script_directory, &layer.directory]) {
        Ok(found) => {
            let path = found.file.as_ref().map(|(path, _)| path.to_path_buf());
            match found.file.map(|(path, bytes)| yml::read(&bytes, &path)) {
                Some(Ok(entries)) => entries.iter().for_each(|entry| fold.add_entry(entry)),
                Some(Err(errors)) => fold.notes.extend(errors),
                None => {}
            }
            (found.looked_at, path)
        }
        Err((looked_at, error)) => {
            fold.notes.push(error);
            (looked_at, None)
        }
    };
    fold.finish(&defaults.lock, script_directory).map(|(settings, told, notes)| Resolved {
        settings,
        told,
        notes,
        files,
        overrides,
    })
}

/// The settings of what has no files of its own in `directory` (absolute): what the one who runs the host says, and nobody
/// else.
///
/// # Errors
/// Every error, each with its place.
pub(super) fn resolve_host_only(
    directory: &Path,
    environment: &Environment,
    defaults: &Defaults,
) -> Result<Resolved, Vec<Note>> {
    let mut fold = Fold { environment, notes: Vec::new(), written: Vec::new() };
    for (name, value) in &defaults.settings {
        fold.add(name, value, Dialect::HostFile);
    }
    let (settings, told, notes) = fold.finish(&defaults.lock, directory)?;
    Ok(Resolved { settings, told, notes, files: Vec::new(), overrides: None })
}

/// One value somebody wrote.
struct Written {
    setting: &'static Setting,
    value: Value,
    source: Source,
    dialect: Dialect,
    /// Said only if this value is the one that holds.
    warning: Option<String>,
}

/// What has been written so far, from the weakest source to the strongest; the last of a setting holds.
struct Fold<'a> {
    environment: &'a Environment,
    notes: Vec<Note>,
    written: Vec<Written>,
}

type Told = Vec<(&'static str, Located<String>)>;

impl Fold<'_> {
    /// Takes a setting by the name that a file gives it.
    fn add(&mut self, name: &str, value: &Located<String>, dialect: Dialect) {
        let source = value.source.clone();
        let shown = shortened(name);
        match names::meant(name) {
            Meant::Setting(setting) => {
                if dialect == Dialect::WebConfig && setting.name != name {
                    let what = format!("`{shown}` is spelled `{}`; it is taken for that", setting.name);
                    self.notes.push(Note::warning(source, what));
                }
                self.read(setting, value, dialect);
            }
            Meant::Renamed(setting) => {
                let what = format!("`{shown}` is an old name; it is taken for `{}`", setting.name);
                self.notes.push(Note::warning(source, what));
                self.read(setting, value, dialect);
            }
            Meant::Retired(instead) => {
                let what = format!("`{shown}` is not a setting of iisnode and has no effect");
                self.notes.push(Note::warning(source, what).with_help(instead));
            }
            Meant::Unknown => {
                let what = format!("there is no setting `{shown}`");
                self.notes.push(Note::error(source, what).with_help(names::suggestion(name)));
            }
        }
    }

    /// Takes a line of iisnode.yml, where a name that means nothing is no error.
    fn add_entry(&mut self, entry: &yml::Entry) {
        let name = match entry.key.value.as_str() {
            // iisnode's own spelling in this file.
            name if name.eq_ignore_ascii_case("debugPortRange") => "debuggerPortRange",
            name => name,
        };
        match names::meant(name) {
            Meant::Unknown => {
                let what = format!("there is no setting `{}`; this line has no effect", shortened(name));
                let note = Note::warning(entry.key.source.clone(), what);
                self.notes.push(note.with_help(names::suggestion(name)));
            }
            Meant::Setting(setting) if setting.name == CONFIG_OVERRIDES => {
                let what = "a file cannot say here what it is called itself; this line has no effect";
                let note = Note::warning(entry.key.source.clone(), what);
                self.notes.push(note.with_help("set `configOverrides` in web.config"));
            }
            Meant::Setting(_) | Meant::Renamed(_) | Meant::Retired(_) => {
                self.add(name, &entry.value, Dialect::Yml);
            }
        }
    }

    fn read(&mut self, setting: &'static Setting, text: &Located<String>, dialect: Dialect) {
        let expands = match setting.expands {
            Expands::No => false,
            Expands::WebConfig => dialect == Dialect::WebConfig,
            Expands::Files => dialect != Dialect::Environment,
        };
        let expanded = if setting.name == "node_env" && text.value.eq_ignore_ascii_case(INHERITED) {
            String::new()
        } else if expands {
            expand(&text.value, self.environment)
        } else {
            text.value.clone()
        };
        let source = text.source.clone();
        match values::read(setting, &expanded, dialect) {
            Ok(values::Read { value, warning }) => {
                self.written.push(Written { setting, value, source, dialect, warning });
            }
            Err(what) => {
                let help = format!("allowed is {}", setting.kind.expected());
                self.notes.push(Note::error(source, what).with_help(help));
            }
        }
    }

    /// The value that holds for `setting`, and one that would if the setting were not locked.
    fn holds(&self, setting: &Setting, lock: &[Located<Box<str>>]) -> (Option<&Written>, Option<&Written>) {
        let locked = locked(setting, lock).is_some();
        let mut strongest_first =
            self.written.iter().rev().filter(|written| written.setting.name == setting.name);
        let of_site = |written: &&Written| matches!(written.dialect, Dialect::Yml | Dialect::WebConfig);
        if !locked {
            return (strongest_first.next(), None);
        }
        let refused = strongest_first.clone().find(of_site);
        (strongest_first.find(|written| !of_site(written)), refused)
    }

    fn overrides_name(&self, lock: &[Located<Box<str>>]) -> String {
        let setting = names::setting(CONFIG_OVERRIDES);
        match setting.and_then(|setting| self.holds(setting, lock).0) {
            Some(Written { value: Value::Text(name), .. }) => name.clone(),
            _ => setting.map_or("", |setting| setting.default).to_owned(),
        }
    }

    fn finish(
        mut self,
        lock: &[Located<Box<str>>],
        script_directory: &Path,
    ) -> Result<(super::Settings, Told, Vec<Note>), Vec<Note>> {
        let mut draft = Draft::default();
        let mut told: Told = Vec::new();
        let mut notes = std::mem::take(&mut self.notes);
        for setting in settings() {
            let (held, refused) = self.holds(setting, lock);
            if let (Some(refused), Some(at)) = (refused, locked(setting, lock)) {
                let what = format!("`{}` is locked at {}; this value is not used", setting.name, at.source);
                notes.push(Note::warning(refused.source.clone(), what));
            }
            let (value, source) = match held {
                Some(written) => {
                    notes.extend(self.remarks(written));
                    (written.value.clone(), written.source.clone())
                }
                None => match default(setting, self.environment) {
                    Ok(value) => (value, Source::Default),
                    // A test walks the table, so this is never seen; if it were, it would be said.
                    Err(what) => {
                        notes.push(Note::error(Source::Default, what));
                        continue;
                    }
                },
            };
            told.push((setting.name, Located::new(value.told(), source)));
            put(&setting.kind, &value, &mut draft);
        }
        if notes.iter().any(|note| note.level == crate::config::source::Level::Error) {
            return Err(notes);
        }
        let (settings, warnings) = draft.finish(script_directory);
        for (name, what) in warnings {
            let source = told.iter().find(|(told, _)| *told == name).map(|(_, value)| value.source.clone());
            notes.push(Note::warning(source.unwrap_or(Source::Default), what));
        }
        Ok((settings, told, notes))
    }

    /// What is to be said about a value that holds.
    fn remarks(&self, written: &Written) -> Vec<Note> {
        let setting = written.setting;
        let mut remarks: Vec<Note> =
            written.warning.iter().map(|what| Note::warning(written.source.clone(), what)).collect();
        if let Effect::Missing(why) = setting.effect
            && default(setting, self.environment).is_ok_and(|default| default != written.value)
        {
            let what = format!("`{}` is accepted and has no effect: {why}", setting.name);
            remarks.push(Note::warning(written.source.clone(), what));
        }
        remarks
    }
}

const CONFIG_OVERRIDES: &str = "configOverrides";

/// `NODE_ENV` of the host, which workers inherit anyway; set by the host, it would beat the site's `appSettings`.
const INHERITED: &str = "%node_env%";

fn locked<'a>(setting: &Setting, lock: &'a [Located<Box<str>>]) -> Option<&'a Located<Box<str>>> {
    lock.iter().find(|locked| locked.value.eq_ignore_ascii_case(setting.name))
}

fn default(setting: &Setting, environment: &Environment) -> Result<Value, String> {
    match setting.default {
        "" => Ok(Value::Text(String::new())),
        INHERITED => Ok(Value::Text(String::new())),
        text if setting.expands == Expands::No => read_default(setting, text),
        text => read_default(setting, &expand(text, environment)),
    }
}

fn read_default(setting: &Setting, text: &str) -> Result<Value, String> {
    values::read(setting, text, Dialect::WebConfig).map(|read| read.value)
}

fn put(kind: &Kind, value: &Value, draft: &mut Draft) {
    match (kind, value) {
        (Kind::Switch(set), Value::Switch(on)) => set(draft, *on),
        (Kind::Number { set, .. } | Kind::Status(set), Value::Number(number)) => set(draft, *number),
        (
            Kind::Text(set) | Kind::Command(set) | Kind::FieldName(set) | Kind::Choice(_, set),
            Value::Text(text),
        ) => set(draft, text),
        // `values::read` gives each kind its own value, and the table's empty defaults are texts.
        _ => {}
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
