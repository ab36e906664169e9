//! `handlerSettings`: names and values of which some have an effect here, and the others a reason why not.

use super::attributes::{instead, shortened};
use super::azure;
use crate::config::settings::Environment;
use crate::config::site::Section;
use crate::config::source::{Located, Note};

/// What the settings come to.
pub(super) struct HandlerSettings {
    pub(super) has_outputs: bool,
    pub(super) forwards_connection: bool,
    pub(super) ignores_configuration: bool,
    /// As in the setting `watchedFiles`.
    pub(super) watched_patterns: String,
    pub(super) told: Vec<(&'static str, Located<String>)>,
}

enum Effect {
    Outputs,
    ForwardsConnection,
    IgnoresConfiguration,
    WatchesAssemblies,
    /// A number of milliseconds without an effect.
    Delay,
    None(&'static str),
}

const IN_PROCESS: &str = "it is for applications inside of IIS";
const OWN_LOG: &str = "ostler says in its own log how a start goes";
const NO_COPY: &str = "files of a running program can be replaced on this system, so nothing is copied";

const KNOWN: &[(&str, Effect)] = &[
    ("debugLevel", Effect::None(OWN_LOG)),
    ("debugFile", Effect::None(OWN_LOG)),
    ("handlerVersion", Effect::None("there is one handler")),
    ("enableOutOfProcessConsoleRedirection", Effect::Outputs),
    ("forwardResponseConnectionHeader", Effect::ForwardsConnection),
    ("disallowRotationOnConfigChange", Effect::IgnoresConfiguration),
    ("shutdownDelay", Effect::Delay),
    ("enableShadowCopy", Effect::WatchesAssemblies),
    ("experimentalEnableShadowCopy", Effect::WatchesAssemblies),
    ("shadowCopyDirectory", Effect::None(NO_COPY)),
    ("cleanShadowCopyDirectory", Effect::None(NO_COPY)),
    ("stackSize", Effect::None(IN_PROCESS)),
    ("setCurrentDirectory", Effect::None("the folder of the application is always the current one")),
    ("callStartupHook", Effect::None(IN_PROCESS)),
    ("suppressRecycleOnStartupTimeout", Effect::None(IN_PROCESS)),
];

/// Assemblies that a deployment replaces.
const ASSEMBLIES: &str = "**/*.dll";

pub(super) fn read(
    section: &Section,
    host: &Environment,
    is_logged: bool,
    notes: &mut Vec<Note>,
) -> HandlerSettings {
    let mut settings = HandlerSettings {
        has_outputs: true,
        forwards_connection: false,
        ignores_configuration: false,
        watched_patterns: String::new(),
        told: Vec::new(),
    };
    for (name, value) in &section.handler_settings {
        let written = name.value.trim();
        let Some((name_told, effect)) = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(written))
        else {
            let names: Vec<&'static str> = KNOWN.iter().map(|(name, _)| *name).collect();
            let what = format!("there is no handler setting `{}`; it has no effect", shortened(written));
            let note = Note::warning(name.source.clone(), what);
            notes.push(note.with_help(instead(written, &names)));
            continue;
        };
        let text = azure::expanded(value.value.trim(), host);
        settings.told.push((*name_told, Located::new(text.clone(), value.source.clone())));
        let mut switch = |default: bool| {
            switch(&text).unwrap_or_else(|| {
                let what =
                    format!("`{}` is not a value for `{name_told}`; {default} holds", shortened(&text));
                notes.push(Note::warning(value.source.clone(), what).with_help("allowed is true or false"));
                default
            })
        };
        match effect {
            Effect::Outputs => settings.has_outputs = switch(true),
            Effect::ForwardsConnection => settings.forwards_connection = switch(false),
            Effect::IgnoresConfiguration => settings.ignores_configuration = switch(false),
            Effect::WatchesAssemblies => {
                settings.watched_patterns = if switch(false) { ASSEMBLIES.to_owned() } else { String::new() };
            }
            Effect::Delay => notes.push(delay(name_told, &text, value)),
            Effect::None(why) => {
                let what = format!("`{name_told}` is accepted and has no effect: {why}");
                notes.push(Note::warning(value.source.clone(), what));
            }
        }
        if matches!(effect, Effect::Outputs) && !settings.has_outputs && is_logged {
            let what = format!("`{name_told}` is false, so there is nothing for `stdoutLogFile` to hold");
            notes.push(Note::warning(value.source.clone(), what));
        }
    }
    settings
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn delay(name: &str, text: &str, value: &Located<String>) -> Note {
    if super::attributes::digits(text).is_none() {
        let what = format!(
            "`{}` is not a value for `{name}`; the application does not run with it",
            shortened(text)
        );
        let help = format!("allowed is a whole number of milliseconds from 0 to {}", u32::MAX);
        return Note::error(value.source.clone(), what).with_help(help);
    }
    let what =
        format!("`{name}` is accepted and has no effect: requests that wait are served before the host ends");
    Note::warning(value.source.clone(), what)
}
