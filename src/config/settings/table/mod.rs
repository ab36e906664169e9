//! Every setting of an application, each in one block: the readers, `ostler explain` and docs/settings.md all
//! come from here.
//!
//! Data only. What a value means in a file's own spelling is in `values`; what becomes of it, in `draft`.

use super::draft::Draft;

mod balancing;
mod debugging;
#[cfg(test)]
mod docs;
mod health;
mod logging;
mod requests;
mod workers;

/// Everything anyone will ever ask about one setting.
pub(crate) struct Setting {
    /// As web.config spells it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As it would be written.
    pub(crate) default: &'static str,
    pub(crate) expands: Expands,
    pub(crate) when: When,
    pub(crate) effect: Effect,
    pub(crate) doc: &'static str,
}

/// What a value may be, and where it goes.
pub(crate) enum Kind {
    Switch(fn(&mut Draft, bool)),
    /// Values outside of the range are moved to its nearer end, with a warning.
    Number {
        unit: &'static str,
        least: u32,
        most: u32,
        /// Whether `infinite` may stand for [`u32::MAX`].
        infinite: bool,
        set: fn(&mut Draft, u32),
    },
    /// A status of HTTP, 100 to 599; there is no nearest one.
    Status(fn(&mut Draft, u32)),
    Text(fn(&mut Draft, &str)),
    /// A command line or a part of one, where quotes belong to the value.
    Command(fn(&mut Draft, &str)),
    /// The name of a field of the host's own, or nothing.
    FieldName(fn(&mut Draft, &str)),
    /// One of these words; nothing stands for "not set".
    Choice(&'static [&'static str], fn(&mut Draft, &str)),
}

/// In which files `%NAME%` stands for a variable of the host's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expands {
    No,
    WebConfig,
    Files,
}

/// When a value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Load,
    Application,
    Worker,
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Works,
    /// Accepted, and nothing is lost by having no effect.
    Moot(&'static str),
    /// Accepted; a value other than the default asks for something that does not happen, so it gets a warning.
    Missing(&'static str),
}

const DAY_MS: u32 = 24 * 3600 * 1000;

const FAMILIES: &[&[Setting]] = &[
    workers::SETTINGS,
    balancing::SETTINGS,
    health::SETTINGS,
    requests::SETTINGS,
    logging::SETTINGS,
    debugging::SETTINGS,
];

/// Every setting, in the order of the documentation.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

impl Kind {
    /// What may be written, for people.
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Switch(_) => "true or false".to_owned(),
            Kind::Number { unit, least, most, infinite, .. } => {
                let unit = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
                let infinite = if *infinite { ", or `infinite`" } else { "" };
                match *most {
                    u32::MAX => format!("a whole number{unit} from {least}{infinite}"),
                    most => format!("a whole number{unit} from {least} to {most}{infinite}"),
                }
            }
            Kind::Status(_) => "a status from 100 to 599".to_owned(),
            Kind::Text(_) => "text".to_owned(),
            Kind::Command(_) => "a command line".to_owned(),
            Kind::FieldName(_) => "the name of a header field".to_owned(),
            Kind::Choice(words, _) => words.join(" or "),
        }
    }
}

impl When {
    pub(crate) fn told(self) -> &'static str {
        match self {
            When::Load => "when the configuration is read",
            When::Application => "when the application starts",
            When::Worker => "when a worker starts",
            When::Request => "with each request",
        }
    }
}
