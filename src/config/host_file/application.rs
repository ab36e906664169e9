//! The `application` block of an ostler.yml: a program to run, and the settings it has.

use std::path::Path;

use serde_yaml::Value;

use super::ApplicationEntry;
use super::reader::Walk;
use crate::config::settings::{check_plain, plain_name};
use crate::config::source::Located;

/// The keys of a block that are no settings.
pub(super) const APPLICATION_KEYS: &[&str] = &["command", "cwd", "env"];

/// Set by the host for each worker, whatever else is said.
const OF_THE_HOST: &[&str] = &["PORT", "OSTLER_VERSION", "OSTLER_WORKER", "OSTLER_HOST"];

impl Walk {
    /// Reads a block; its paths start at `root`.
    pub(super) fn application(&mut self, value: Value, root: &Path) -> Option<ApplicationEntry> {
        let place = self.here();
        if value.is_null() {
            self.error("this application has no `command`".to_owned(), Some(A_COMMAND));
            return None;
        }
        let mapping = self.mapping(value, "an application: `command`, and perhaps settings")?;
        let mut command = None;
        let mut said_command = false;
        let mut entry = ApplicationEntry {
            command: Located::new(Vec::new(), place.clone()),
            directory: Located::new(root.to_owned(), place),
            variables: Vec::new(),
            settings: Vec::new(),
        };
        self.each(mapping, |walk, key, value| match key {
            "command" => {
                said_command = true;
                command = walk.command(value);
            }
            "cwd" => {
                if let Some(text) = walk.text(value, "the path of a folder") {
                    entry.directory = Located::new(root.join(text), walk.here());
                }
            }
            "env" => entry.variables = walk.variables(value),
            _ => walk.plain_setting(key, value, &mut entry),
        });
        if !said_command {
            self.error("this application has no `command`".to_owned(), Some(A_COMMAND));
        }
        entry.command = command?;
        self.agree(&entry);
        Some(entry)
    }

    /// The words of a command, in a list or in one text.
    pub(super) fn command(&mut self, value: Value) -> Option<Located<Vec<String>>> {
        let words = match value {
            list @ Value::Sequence(_) => {
                let mut words = Vec::new();
                self.items(list, |walk, item| words.extend(walk.text(item, "a word of a command")));
                words
            }
            other => {
                let text = if other.is_null() { Some(String::new()) } else { self.text(other, "a command") };
                let Ok(words) = shell_words::split(&text?) else {
                    self.error("a quote of this command is not closed".to_owned(), Some(A_COMMAND));
                    return None;
                };
                words
            }
        };
        if words.first().is_none_or(String::is_empty) {
            self.error("this command is empty".to_owned(), Some(A_COMMAND));
            return None;
        }
        if words.iter().any(|word| word.contains('\0')) {
            self.error("a command cannot hold a NUL".to_owned(), None);
            return None;
        }
        Some(Located::new(words, self.here()))
    }

    pub(super) fn variables(&mut self, value: Value) -> Vec<(String, Located<String>)> {
        let mut variables = Vec::new();
        let Some(mapping) = self.mapping(value, "variables, each with its value") else { return variables };
        self.each(mapping, |walk, name, value| {
            if OF_THE_HOST.contains(&name) {
                let what = format!("`{name}` is set by the host for each worker");
                walk.error(what, Some("the program listens where PORT says"));
            } else if name.is_empty() || name.contains(['=', '\0']) {
                walk.error(format!("`{}` cannot be the name of a variable", name.escape_debug()), None);
            } else if let Some(text) = walk.scalar_or_nothing(value) {
                if text.contains('\0') {
                    walk.error(format!("the value of `{name}` holds a NUL"), None);
                } else {
                    variables.push((name.to_owned(), Located::new(text, walk.here())));
                }
            }
        });
        variables
    }

    fn scalar_or_nothing(&mut self, value: Value) -> Option<String> {
        if value.is_null() { Some(String::new()) } else { self.text(value, "one value") }
    }

    fn plain_setting(&mut self, key: &str, value: Value, entry: &mut ApplicationEntry) {
        if let Err((what, allowed)) = plain_name(key, APPLICATION_KEYS) {
            return self.unknown_key(what, &allowed);
        }
        if value.is_null() {
            return;
        }
        let Some(text) = self.text(value, "one value") else { return };
        match check_plain(key, &text, APPLICATION_KEYS) {
            Ok(name) => match entry.settings.iter().find(|(known, _)| **known == *name) {
                Some((_, other)) => {
                    let what = format!("`{key}` is `{name}`, which stands at {} already", other.source);
                    self.error(what, None);
                }
                None => entry.settings.push((name.into(), Located::new(text, self.here()))),
            },
            Err((what, allowed)) => self.error(what, Some(&allowed)),
        }
    }

    /// What the command asks for must be what is set.
    fn agree(&mut self, entry: &ApplicationEntry) {
        let transport = entry.settings.iter().find(|(name, _)| &**name == "transport");
        let mentions = |what: &str| entry.command.value.iter().skip(1).any(|word| word.contains(what));
        for (word, transport_of_word) in [("{port}", "tcp"), ("{socket}", "unix")] {
            if let Some((_, transport)) = transport
                && mentions(word)
                && !transport.value.trim().eq_ignore_ascii_case(transport_of_word)
            {
                let what = format!("the command asks for `{word}`, and `transport` is {}", transport.value);
                let help = format!("`{word}` needs `transport: {transport_of_word}`, which it implies");
                self.error_at(transport.source.clone(), what, &help);
            }
        }
        if mentions("{port}") && mentions("{socket}") {
            let what = "the command asks for `{port}` and for `{socket}`".to_owned();
            self.error_at(entry.command.source.clone(), what, "a worker listens on one of them");
        }
    }
}

const A_COMMAND: &str = "`command` is a program with its arguments, such as `python3 app.py {port}` or a list of words; no shell is involved";
