//! The attributes of a section, one after the other: text to a value, with what is allowed and what holds otherwise.
//!
//! A value that is not allowed is an error, and the application does not run: IIS answers every request with 500 for it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{azure, span};
use crate::config::settings::Environment;
use crate::config::settings::names::nearest;
use crate::config::site::Section;
use crate::config::source::{Located, Note, Source};

/// Of the schema of IIS, not of the modules; they say who may change what.
const OF_EVERY_SECTION: &[&str] = &[
    "lockItem",
    "lockElements",
    "lockAttributes",
    "lockAllElementsExcept",
    "lockAllAttributesExcept",
    "overrideMode",
    "configSource",
];

/// What was read so far.
pub(super) struct Attributes<'s> {
    section: &'s Section,
    /// What `%NAME%` is replaced from.
    environment: &'s Environment,
    pub(super) told: Vec<(&'static str, Located<String>)>,
    pub(super) notes: Vec<Note>,
}

impl<'s> Attributes<'s> {
    /// `known` are all that the section has; every other gets a warning.
    pub(super) fn new(
        section: &'s Section,
        environment: &'s Environment,
        known: &'static [&'static str],
    ) -> Attributes<'s> {
        let is_known =
            |name: &str| known.iter().chain(OF_EVERY_SECTION).any(|known| known.eq_ignore_ascii_case(name));
        let unknown = section.attributes.iter().filter(|(name, _)| !is_known(name));
        let notes = unknown.map(|(name, value)| {
            let what = format!("there is no attribute `{}`; it has no effect", shortened(name));
            Note::warning(value.source.clone(), what).with_help(instead(name, known))
        });
        Attributes { section, environment, told: Vec::new(), notes: notes.collect() }
    }

    /// The value as it is written, if somebody wrote one.
    pub(super) fn written(&self, name: &str) -> Option<&'s Located<String>> {
        let mut named = self.section.attributes.iter().rev();
        named.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The place of an attribute; of the section if it is not there.
    pub(super) fn place(&self, name: &str) -> Source {
        self.written(name).map_or_else(|| self.section.source.clone(), |value| value.source.clone())
    }

    /// With the host's variables put in.
    pub(super) fn text(&mut self, name: &'static str, default: &str) -> Located<String> {
        let value = match self.written(name) {
            Some(written) => {
                Located::new(azure::expanded(&written.value, self.environment), written.source.clone())
            }
            None => Located::new(default.to_owned(), Source::Default),
        };
        self.told.push((name, value.clone()));
        value
    }

    pub(super) fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let read = |text: &str| match text {
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        self.value(name, default, read, "true or false", bool::to_string)
    }

    /// A whole number of `unit`.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
        unit: &str,
    ) -> u32 {
        let allowed = format!("a whole number of {unit} from {} to {}", range.start(), range.end());
        let read = |text: &str| digits(text).filter(|number| range.contains(number));
        self.value(name, default, read, &allowed, u32::to_string)
    }

    /// Like `number`, but one that is too high is taken for the highest.
    pub(super) fn number_up_to(&mut self, name: &'static str, default: u32, most: u32, unit: &str) -> u32 {
        let number = self.number(name, default, 0..=u32::MAX, unit);
        if number > most {
            let what = format!("{number} is more than `{name}` may be; {most} is used");
            let help = format!("allowed is a whole number of {unit} from 0 to {most}");
            self.notes.push(Note::warning(self.place(name), what).with_help(help));
            if let Some((_, told)) = self.told.last_mut() {
                told.value = most.to_string();
            }
        }
        number.min(most)
    }

    pub(super) fn span(&mut self, name: &'static str, default: Duration, most: Duration) -> Duration {
        let allowed = format!("hours, minutes and seconds as in 00:02:00, at most {}", span::told(most));
        let read = |text: &str| span::read(text).filter(|span| *span <= most);
        self.value(name, default, read, &allowed, |span| span::told(*span))
    }

    fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl Fn(&str) -> Option<T>,
        allowed: &str,
        told: impl Fn(&T) -> String,
    ) -> T {
        let Some(written) = self.written(name) else {
            self.told.push((name, Located::new(told(&default), Source::Default)));
            return default;
        };
        let value = read(written.value.trim()).unwrap_or_else(|| {
            let what = format!(
                "`{}` is not a value for `{name}`; the application does not run with it",
                shortened(&written.value)
            );
            let help = format!("allowed is {allowed}; without it {} holds", told(&default));
            self.notes.push(Note::error(written.source.clone(), what).with_help(help));
            default
        });
        self.told.push((name, Located::new(told(&value), written.source.clone())));
        value
    }
}

/// What helps where nothing has this name.
pub(super) fn instead(name: &str, known: &[&'static str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// Nothing but digits.
pub(super) fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// Enough of a text to recognise it: notes must not grow with what they are about.
pub(super) fn shortened(text: &str) -> String {
    const ENOUGH: usize = 80;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
