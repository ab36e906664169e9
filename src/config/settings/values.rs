//! From text to a value, as each kind of file spells them: whole numbers, switches, words, and quotes around them.
//!
//! Pure. A wrong value is an error for what holds it; one that works differently from what was written, a warning.

use super::names::{self, Meant};
use super::table::{Kind, Setting};
use crate::http1::fields::{Known, is_token};

/// Who wrote the text, which decides how it may be spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Yml,
    Environment,
    WebConfig,
    HostFile,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Switch(bool),
    Number(u32),
    Text(String),
}

/// A value as it holds, and what is to be said about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) value: Value,
    pub(super) warning: Option<String>,
}

impl Value {
    /// As it would be written.
    pub(super) fn told(&self) -> String {
        match self {
            Value::Switch(on) => on.to_string(),
            Value::Number(u32::MAX) => "infinite".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        }
    }
}

/// The setting that ostler.yml calls `name`, spelled as in the table. Names of the past are not taken there.
///
/// # Errors
/// What is wrong, and what to do.
pub(crate) fn known(name: &str) -> Result<&'static str, (String, String)> {
    named(name).map(|setting| setting.name)
}

/// When a setting takes effect, and what it is for.
pub(crate) fn described(name: &str) -> Option<(&'static str, &'static str)> {
    named(name).ok().map(|setting| (setting.when.told(), setting.doc))
}

/// Looks at one setting of ostler.yml.
///
/// # Errors
/// What is wrong, and what is allowed.
pub(crate) fn check(name: &str, text: &str) -> Result<(), (String, String)> {
    let setting = named(name)?;
    read(setting, text, Dialect::HostFile)
        .map(drop)
        .map_err(|what| (what, format!("allowed is {}", setting.kind.expected())))
}

fn named(name: &str) -> Result<&'static Setting, (String, String)> {
    let shown = shortened(name);
    match names::meant(name) {
        Meant::Setting(setting) => Ok(setting),
        Meant::Renamed(setting) => {
            Err((format!("`{shown}` is an old name of a setting"), format!("it is `{}` now", setting.name)))
        }
        Meant::Retired(instead) => Err((format!("`{shown}` is not a setting any more"), instead.to_owned())),
        Meant::Unknown => Err((format!("`{shown}` is not a setting"), names::suggestion(name))),
    }
}

/// Reads `text` for `setting`.
///
/// # Errors
/// A sentence with the setting and the value; what is allowed instead is [`Kind::expected`].
pub(super) fn read(setting: &Setting, text: &str, dialect: Dialect) -> Result<Read, String> {
    let wrong = || format!("`{}` is not a value for `{}`", shortened(text), setting.name);
    let plain = match (dialect, &setting.kind) {
        (Dialect::Yml, Kind::Command(_)) => text,
        (Dialect::Yml, _) => unquoted(text),
        _ => text,
    };
    let fine = |value| Ok(Read { value, warning: None });
    match &setting.kind {
        Kind::Switch(_) => switch(plain, dialect).ok_or_else(wrong).and_then(|on| fine(Value::Switch(on))),
        Kind::Number { infinite: true, .. } if plain.trim().eq_ignore_ascii_case("infinite") => {
            fine(Value::Number(u32::MAX))
        }
        Kind::Number { least, most, .. } => {
            let (number, rest) = number(plain, dialect).ok_or_else(wrong)?;
            let held =
                u32::try_from(number.clamp(u64::from(*least), u64::from(*most))).map_err(|_| wrong())?;
            let warning = if u64::from(held) != number {
                let range = setting.kind.expected();
                Some(format!("{number} is out of range for `{}` ({range}); {held} is used", setting.name))
            } else if !rest.is_empty() {
                Some(format!("`{}` of `{}` is not read; {held} is used", shortened(rest), setting.name))
            } else {
                None
            };
            Ok(Read { value: Value::Number(held), warning })
        }
        Kind::Status(_) => {
            let (number, rest) = number(plain, dialect).ok_or_else(wrong)?;
            let status = u32::try_from(number).ok().filter(|status| (100..=599).contains(status));
            status.filter(|_| rest.is_empty()).ok_or_else(wrong).and_then(|it| fine(Value::Number(it)))
        }
        Kind::Text(_) | Kind::Command(_) => fine(Value::Text(plain.to_owned())),
        Kind::FieldName(_) => {
            let name = plain.trim();
            // What the engine reads itself is no field of the host's own.
            let is_own = is_token(name.as_bytes()) && Known::of(name.as_bytes()) == Known::Other;
            if is_own || name.is_empty() { fine(Value::Text(name.to_owned())) } else { Err(wrong()) }
        }
        Kind::Choice(words, _) => {
            let plain = plain.trim();
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(plain)).ok_or_else(wrong)?;
            fine(Value::Text((*word).to_owned()))
        }
    }
}

fn switch(text: &str, dialect: Dialect) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match (text.as_str(), dialect) {
        ("true", _) => Some(true),
        ("false", _) => Some(false),
        ("1", Dialect::Yml | Dialect::HostFile | Dialect::Environment) => Some(true),
        ("0", Dialect::Yml | Dialect::HostFile | Dialect::Environment) => Some(false),
        ("yes", Dialect::Yml | Dialect::HostFile) => Some(true),
        ("no", Dialect::Yml | Dialect::HostFile) => Some(false),
        _ => None,
    }
}

/// The number and what follows it. Up to 4294967295; iisnode's own limit for variables is half of that, by accident.
fn number(text: &str, dialect: Dialect) -> Option<(u64, &str)> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let strict = matches!(dialect, Dialect::WebConfig | Dialect::HostFile);
    if strict && !rest.is_empty() {
        return None;
    }
    let number: u64 = text[..text.len() - rest.len()].parse().ok()?;
    (number <= u64::from(u32::MAX)).then_some((number, rest.trim()))
}

/// Without a pair of quotes around it.
fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

/// Enough of a text to recognise it: messages must not grow with what they are about.
pub(super) fn shortened(text: &str) -> String {
    const ENOUGH: usize = 80;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Environment, HostFile, WebConfig, Yml};
    use super::{Dialect, check, names, read};
    use crate::config::settings::table::{Kind, Setting, settings};

    fn told(name: &str, text: &str, dialect: Dialect) -> String {
        let setting = names::setting(name).unwrap();
        match read(setting, text, dialect) {
            Ok(read) => {
                format!("{}{}", read.value.told(), read.warning.map_or("", |_| " with a warning"))
            }
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn each_kind_of_file_has_its_own_spelling_of_values() {
        for (name, text, dialect, expected) in [
            ("loggingEnabled", "TRUE", Yml, "true"),
            ("loggingEnabled", "Yes", Yml, "true"),
            ("loggingEnabled", "no", Environment, "error"),
            ("loggingEnabled", "0", Environment, "false"),
            ("loggingEnabled", "1", WebConfig, "error"),
            ("loggingEnabled", "True", WebConfig, "true"),
            ("loggingEnabled", "\"false\"", Yml, "false"),
            ("loggingEnabled", "foobar", Yml, "error"),
            ("loggingEnabled", "", WebConfig, "error"),
            ("nodeProcessCountPerApplication", "\"4\"", Yml, "4"),
            ("nodeProcessCountPerApplication", "'4'", Yml, "4"),
            ("nodeProcessCountPerApplication", "\"4\"", Environment, "error"),
            ("nodeProcessCountPerApplication", "four", Yml, "error"),
            ("nodeProcessCountPerApplication", "-1", Yml, "error"),
            ("nodeProcessCountPerApplication", " 12abc", Environment, "12 with a warning"),
            ("nodeProcessCountPerApplication", "12abc", Yml, "12 with a warning"),
            ("nodeProcessCountPerApplication", "12abc", WebConfig, "error"),
            ("nodeProcessCountPerApplication", "12abc", HostFile, "error"),
            ("nodeProcessCountPerApplication", "5000", WebConfig, "1024 with a warning"),
            ("nodeProcessCountPerApplication", "4294967296", WebConfig, "error"),
            ("nodeProcessCountPerApplication", "99999999999999999999999", Yml, "error"),
            ("nodeProcessCountPerApplication", "infinite", WebConfig, "error"),
            ("maxConcurrentRequestsPerProcess", "Infinite", WebConfig, "infinite"),
            ("maxConcurrentRequestsPerProcess", "0", Yml, "0"),
            ("uncFileChangesPollingInterval", "0", Yml, "100 with a warning"),
            ("logDirectory", "\"logs\"", Yml, "logs"),
            ("logDirectory", "\"logs\"", WebConfig, "\"logs\""),
            ("logDirectory", "\"", Yml, "\""),
            ("nodeProcessCommandLine", "\"node.exe\"", Yml, "\"node.exe\""),
            ("interceptor", "\"a b.js\"", Yml, "\"a b.js\""),
            ("readyStatus", "204", Yml, "204"),
            ("readyStatus", "999", HostFile, "error"),
            ("healthCheckStatus", "99", WebConfig, "error"),
            ("recycleMode", "SAFE", Yml, "safe"),
            ("recycleMode", "fast", Yml, "error"),
            ("transport", "tcp", Environment, "tcp"),
            ("queueTimeHeader", " X-Queue-Time ", Yml, "X-Queue-Time"),
            ("queueTimeHeader", "", Yml, ""),
            ("queueTimeHeader", "X-Queue: 1", Yml, "error"),
            ("queueTimeHeader", "content-length", HostFile, "error"),
        ] {
            assert_eq!(told(name, text, dialect), expected, "{name}: {text} in {dialect:?}");
        }
    }

    /// Whether nothing is a value like any other.
    fn is_text(setting: &Setting) -> bool {
        matches!(setting.kind, Kind::Text(_) | Kind::Command(_) | Kind::FieldName(_))
    }

    #[test]
    fn every_default_is_a_value_of_its_own_setting() {
        for setting in settings().filter(|setting| !setting.default.is_empty() || is_text(setting)) {
            assert_eq!(told(setting.name, setting.default, WebConfig), setting.default, "{}", setting.name);
        }
    }

    #[test]
    fn the_host_file_is_told_what_is_allowed() {
        for (name, text, allowed) in [
            ("logAccess", "everyone", "local or anyone"),
            ("maxLogFiles", "many", "a whole number of files from 0 to 1000000"),
            ("logDirectoryName", "logs", "`logDirectory`"),
            ("maxConcurrentRequestsPerProces", "1", "did you mean `maxConcurrentRequestsPerProcess`?"),
        ] {
            let (_, help) = check(name, text).unwrap_err();
            assert!(help.contains(allowed), "{name}: {help}");
        }
        assert_eq!(check("enablexff", "true"), Ok(()));
    }
}
