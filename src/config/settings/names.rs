//! Which setting a name means: in any letter case, by a name it had once, or none, with the nearest as a suggestion.

use super::table::{Setting, settings};

pub(super) enum Meant {
    Setting(&'static Setting),
    /// A name of the past for a setting that still exists.
    Renamed(&'static Setting),
    /// A name of the past, or of no time, that files in the wild carry; with what there is instead.
    Retired(&'static str),
    Unknown,
}

/// Names that are no longer, and the setting that took over.
const RENAMED: &[(&str, &str)] = &[
    ("maxProcessCountPerApplication", "nodeProcessCountPerApplication"),
    ("logDirectoryName", "logDirectory"),
];

const RETIRED: &[(&str, &str)] = &[
    ("maxPendingRequestsPerApplication", "the host's limit `queueLength` bounds waiting requests"),
    ("logDirectoryNameSuffix", "`logDirectory` names the folder"),
    ("logFileFlushInterval", "what workers print is written at once"),
    ("appendToExistingLog", "each worker writes files of its own"),
    (
        "namedPipeConnectionTimeout",
        "`maxNamedPipeConnectionRetry` and `namedPipeConnectionRetryDelay` bound the wait",
    ),
    ("requestTimeout", "`requestTimeoutInSeconds` bounds the silence of a worker"),
    ("maxMemoryUsagePerProcess", "`maxProcessMemoryInMB` bounds the memory of a worker"),
    ("maxRequestLength", "`requestLimits maxAllowedContentLength` of web.config bounds bodies"),
    ("skipIISCustomErrors", "`httpErrors existingResponse` of web.config decides"),
];

pub(super) fn meant(name: &str) -> Meant {
    let called = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some(setting) = setting(name) {
        return Meant::Setting(setting);
    }
    if let Some(setting) = RENAMED.iter().find(|(old, _)| called(old)).and_then(|(_, new)| setting(new)) {
        return Meant::Renamed(setting);
    }
    match RETIRED.iter().find(|(old, _)| called(old)) {
        Some((_, instead)) => Meant::Retired(instead),
        None => Meant::Unknown,
    }
}

/// The setting of this name, in any letter case.
pub(super) fn setting(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name.eq_ignore_ascii_case(name))
}

/// What to say about a name that means nothing: the nearest names that do, or where the list is.
pub(super) fn suggestion(name: &str) -> String {
    match nearest(name, settings().map(|setting| setting.name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/settings.md lists the settings".to_owned(),
    }
}

/// The one of these names that somebody may have meant.
pub(in crate::config) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    // Only a name's first part is compared: nobody mistypes more than that.
    let name: String = name.chars().take(64).collect::<String>().to_ascii_lowercase();
    known
        .map(|known| (distance(&name, &known.to_ascii_lowercase()), known))
        .min()
        .filter(|(distance, near)| *distance <= 2.max(near.len() / 4))
        .map(|(_, near)| near)
}

/// How many characters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{Meant, RENAMED, meant, setting, suggestion};

    #[test]
    fn names_are_found_in_any_case_and_by_what_they_were_called_once() {
        assert!(matches!(meant("LOGGINGenabled"), Meant::Setting(found) if found.name == "loggingEnabled"));
        assert!(matches!(meant("logDirectoryName"), Meant::Renamed(found) if found.name == "logDirectory"));
        assert!(matches!(meant("maxRequestLength"), Meant::Retired(_)));
        assert!(matches!(meant("idontexist"), Meant::Unknown));
        for (_, new) in RENAMED {
            assert!(setting(new).is_some(), "{new}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_gets_the_nearest_name() {
        for (name, told) in [
            ("nodeProcessCount", "docs/settings.md"),
            ("logingEnabled", "`loggingEnabled`"),
            ("nodeProcesCountPerAplication", "`nodeProcessCountPerApplication`"),
            ("watchFiles", "`watchedFiles`"),
            ("idontexist", "docs/settings.md"),
            ("", "docs/settings.md"),
        ] {
            assert!(suggestion(name).contains(told), "{name}: {}", suggestion(name));
        }
    }
}
