//! An element as written to one that keeps to its shape: names in their own case, values that can be read, nothing
//! unknown. All that is left out is noted, so that what reads it afterwards has no questions.

use std::collections::HashSet;

use super::findings::Findings;
use super::schema::{Allowed, Attr, Kind, Shape};
use crate::config::source::Note;
use crate::config::xml::{Attribute, Element};

/// Attributes that lock a section or an element against nearer files.
pub(super) const LOCKS: [&str; 5] =
    ["lockItem", "lockAttributes", "lockElements", "lockAllAttributesExcept", "lockAllElementsExcept"];

/// Changes `element`, which has the name of `shape`, to keep to it. Returns whether anything of it can be used.
///
/// `declared` are sections that the file itself declares, for programs other than us.
pub(super) fn check(
    element: &mut Element,
    shape: &'static Shape,
    declared: &HashSet<String>,
    findings: &mut Findings,
) -> bool {
    if &*element.name != shape.name {
        let what = format!("`{}` is written `{}` in IIS; read as that", element.name, shape.name);
        findings.warn(&element.source, what);
        element.name = shape.name.into();
    }
    match shape.kind {
        Kind::Quiet => return false,
        Kind::Unserved(what) => {
            findings.warn(&element.source, format!("`{}` {what}", shape.name));
            return false;
        }
        Kind::Open | Kind::Program | Kind::Group | Kind::Section | Kind::Part | Kind::Item(_) => {}
    }
    let good = matches!(shape.kind, Kind::Open | Kind::Program) || attributes(element, shape, findings);
    children(element, shape, declared, findings);
    good
}

fn children(
    element: &mut Element,
    shape: &'static Shape,
    declared: &HashSet<String>,
    findings: &mut Findings,
) {
    let parent = element.name.clone();
    element.children.retain_mut(|child| {
        let Some(known) = shape.below(&child.name) else {
            if !(shape.name == "configuration" && declared.contains(&*child.name)) {
                unknown(child, &parent, shape, findings);
            }
            return false;
        };
        let before = (findings.about_applications, findings.refuses_unknown);
        findings.about_applications |= known.is_about_applications();
        findings.refuses_unknown |= known.kind == Kind::Program;
        let good = check(child, known, declared, findings);
        (findings.about_applications, findings.refuses_unknown) = before;
        good
    });
}

fn unknown(child: &Element, parent: &str, shape: &Shape, findings: &mut Findings) {
    let known = shape.below.iter().filter(|shape| shape.kind != Kind::Quiet);
    let names = known.map(|shape| shape.name).collect::<Vec<_>>().join(", ");
    if findings.refuses_unknown {
        let what = format!("`{}` may not stand in `{parent}`", child.name);
        let names = if names.is_empty() { "nothing".to_owned() } else { names };
        findings.error(&child.source, what, format!("allowed is {names}"));
        return;
    }
    let what = format!("`{}` is not known in `{parent}` and is left out", child.name);
    let mut note = Note::warning(child.source.clone(), what);
    if !names.is_empty() && names.len() < 200 {
        note = note.with_help(format!("known are {names}"));
    }
    findings.push(note);
}

/// Returns whether all attributes that are needed are there and good.
fn attributes(element: &mut Element, shape: &'static Shape, findings: &mut Findings) -> bool {
    let mut good = true;
    let name = element.name.clone();
    element.attributes.retain_mut(|attribute| {
        if let Some(lock) = LOCKS.into_iter().find(|lock| lock.eq_ignore_ascii_case(&attribute.name)) {
            attribute.name = lock.into();
            return true;
        }
        if &*attribute.name == "configSource" && shape.is_section() {
            return true;
        }
        let Some(known) = shape.attribute(&attribute.name) else {
            let what = format!("`{}` is no attribute of `{name}` and is left out", attribute.name);
            findings.warn(&attribute.source, what);
            return false;
        };
        if &*attribute.name != known.name {
            let what = format!("`{}` is written `{}` in IIS; read as that", attribute.name, known.name);
            findings.warn(&attribute.source, what);
            attribute.name = known.name.into();
        }
        let kept = value(attribute, known, findings);
        good &= kept || !known.required;
        kept
    });
    for needed in shape.attributes.iter().filter(|known| known.required) {
        if good && element.attribute(needed.name).is_none() {
            let names: Vec<_> = shape.attributes.iter().filter(|a| a.required).map(|a| a.name).collect();
            let what = format!("`{name}` has no `{}`", needed.name);
            findings.error(&element.source, what, format!("it needs {}", names.join(", ")));
            good = false;
        }
    }
    good
}

/// Whether the value can be read; it is left in the one form that its readers expect.
fn value(attribute: &mut Attribute, known: &Attr, findings: &mut Findings) -> bool {
    let given = attribute.value.trim();
    let (read, allowed) = match known.allowed {
        Allowed::Text => return true,
        Allowed::Filled if !given.is_empty() => return true,
        Allowed::Filled => (None, "any text but an empty one".to_owned()),
        Allowed::Bool => (one_of(given, &["true", "false"]), "true or false".to_owned()),
        Allowed::OneOf(words) => (one_of(given, words), words.join(", ")),
        Allowed::Number(least, most) => {
            let number = given.parse::<i64>().ok().filter(|number| (least..=most).contains(number));
            (number.map(|number| number.to_string()), format!("a whole number from {least} to {most}"))
        }
        Allowed::Span => (
            seconds(given).map(|seconds| seconds.to_string()),
            "a time as [days.]hours:minutes:seconds, such as 30.00:00:00".to_owned(),
        ),
    };
    match read {
        Some(read) => {
            attribute.value = read.into();
            true
        }
        None => {
            let what = format!("`{}` is no value for `{}`", attribute.value, known.name);
            findings.error(&attribute.source, what, format!("allowed is {allowed}"));
            false
        }
    }
}

fn one_of(given: &str, words: &[&str]) -> Option<String> {
    words.iter().find(|word| word.eq_ignore_ascii_case(given)).map(|word| (*word).to_owned())
}

/// The seconds of `[days.]hours:minutes:seconds`.
fn seconds(text: &str) -> Option<u64> {
    let (days, time) = text.split_once('.').unwrap_or(("0", text));
    let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let days = days.parse::<u64>().ok().filter(|days| *days <= 100_000)?;
    let fits = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    fits.then_some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_span_is_read_as_windows_writes_it() {
        for (text, read) in [
            ("00:00:00", Some(0)),
            ("01:02:03", Some(3723)),
            ("30.00:00:00", Some(2_592_000)),
            ("24:00:00", None),
            ("00:60:00", None),
            ("1", None),
            ("1:2", None),
            ("1:2:3:4", None),
            ("-1:00:00", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), read, "{text}");
        }
    }
}
