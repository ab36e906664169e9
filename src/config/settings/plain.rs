//! The settings of plain applications, which are commands that no web.config describes: which there are, their short
//! names, and what holds if nobody says anything.

use std::path::Path;

use super::names::{self, Meant};
use super::{Defaults, Environment, Resolved, resolve, values};
use crate::config::limits::Limits;
use crate::config::source::{Located, Note, Source};

/// The settings of the table that a plain application has, in the order of the documentation.
const PLAIN: &[&str] = &[
    "nodeProcessCountPerApplication",
    "nodeProcessStickySessions",
    "maxConcurrentRequestsPerProcess",
    "watchedFiles",
    "gracefulShutdownTimeout",
    "recycleSignalEnabled",
    "recycleMode",
    "transport",
    "loadBalancing",
    "queueLength",
    "queueTimeout",
    "queueTimeHeader",
    "requestTimeoutInSeconds",
    "startupTimeLimitInSeconds",
    "readyPath",
    "readyStatus",
    "healthCheckPath",
    "healthCheckStatus",
    "healthCheckIntervalInSeconds",
    "healthCheckTimeoutInSeconds",
    "healthCheckFailures",
    "rapidFailsPerMinute",
    "maxRequestsPerProcess",
    "maxProcessAgeInSeconds",
    "maxProcessMemoryInMB",
    "idleTimeoutInSeconds",
    "enableXFF",
    "devErrorsEnabled",
    "devErrors",
    "debugHeaderEnabled",
    "loggingEnabled",
    "logDirectory",
    "maxLogFileSizeInKB",
    "maxTotalLogFileSizeInKB",
    "maxLogFiles",
];

/// What an `application` block may call them, too.
const SHORT: &[(&str, &str)] =
    &[("instances", "nodeProcessCountPerApplication"), ("maxConcurrent", "maxConcurrentRequestsPerProcess")];

/// What the table says for scripts of Node, and is otherwise for a plain application. The time for a start is the
/// host's limit `startTimeout`, and the one for an end, unless it is set, `grace`.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    ("watchedFiles", ""),
    ("enableXFF", "true"),
    ("devErrorsEnabled", "false"),
    ("devErrors", "status"),
    ("loggingEnabled", "false"),
    ("logDirectory", "logs"),
];

/// What the table allows.
const LONGEST_GRACE_MS: u128 = 24 * 3600 * 1000;

/// The settings of a plain application in `root` (absolute), from what the one who runs the host says. What `defaults`
/// holds for scripts only is passed over, and `IISNODE_*` variables are iisnode's.
///
/// # Errors
/// Every error, each with its place.
pub(crate) fn resolve_plain(
    root: &Path,
    environment: &Environment,
    limits: &Limits,
    defaults: &Defaults,
) -> Result<Resolved, Vec<Note>> {
    let grace = limits.grace.as_millis().min(LONGEST_GRACE_MS).to_string();
    let own = OWN_DEFAULTS.iter().copied().chain([("gracefulShutdownTimeout", grace.as_str())]);
    let own = own.map(|(name, value)| (name.into(), Located::new(value.to_owned(), Source::Default)));
    let said = defaults.settings.iter().filter(|(name, _)| is_plain(name)).cloned();
    let defaults = Defaults { settings: own.chain(said).collect(), lock: defaults.lock.clone() };
    let mut resolved = resolve::resolve_host_only(root, environment, &defaults)?;
    resolved.settings.start_timeout = resolved.settings.start_limit.unwrap_or(limits.start_timeout);
    resolved.told.retain(|(name, _)| is_plain(name));
    Ok(resolved)
}

fn is_plain(name: &str) -> bool {
    PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(name))
}

/// Looks at one setting of an `application` block, where `others` may stand besides. Returns its name as the table spells
/// it.
///
/// # Errors
/// What is wrong, and what is allowed.
pub(crate) fn check_plain(
    name: &str,
    text: &str,
    others: &[&'static str],
) -> Result<&'static str, (String, String)> {
    let setting = plain_name(name, others)?;
    // Whoever has written the short name looks for that.
    let as_written = |what: String| what.replace(&format!("`{setting}`"), &format!("`{name}`"));
    values::check(setting, text).map(|()| setting).map_err(|(what, allowed)| (as_written(what), allowed))
}

/// The setting that an `application` block calls `name`, as the table spells it.
///
/// # Errors
/// What is wrong, and what is allowed.
pub(crate) fn plain_name(name: &str, others: &[&'static str]) -> Result<&'static str, (String, String)> {
    let long =
        SHORT.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map_or(name, |(_, long)| long);
    if let Some(plain) = PLAIN.iter().find(|plain| plain.eq_ignore_ascii_case(long)) {
        return Ok(plain);
    }
    let shown = values::shortened(name);
    let listed = "docs/ostler-yml.md lists the keys of an application";
    if let Meant::Setting(setting) = names::meant(name) {
        let what = format!("`{}` is a setting of scripts that iisnode runs, not of a program", setting.name);
        return Err((what, listed.to_owned()));
    }
    let known = PLAIN.iter().chain(SHORT.iter().map(|(short, _)| short)).chain(others).copied();
    let help = names::nearest(name, known).map(|near| format!("did you mean `{near}`?"));
    Err((format!("there is no key `{shown}` here"), help.unwrap_or_else(|| listed.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::table::settings;
    use super::super::{Defaults, DevErrors, Environment};
    use super::{OWN_DEFAULTS, PLAIN, SHORT, check_plain, resolve_plain};
    use crate::config::limits::Limits;
    use crate::config::source::{Located, Source};

    fn defaults(settings: &[(&str, &str)]) -> Defaults {
        let value = |text: &str| Located::new(text.to_owned(), Source::CommandLine("test".into()));
        let settings = settings.iter().map(|(name, text)| ((*name).into(), value(text))).collect();
        Defaults { settings, lock: Vec::new() }
    }

    #[test]
    fn every_plain_setting_is_one_of_the_table_in_its_order() {
        let names: Vec<&str> =
            settings().map(|setting| setting.name).filter(|name| PLAIN.contains(name)).collect();
        assert_eq!(names, PLAIN);
        for (name, _) in
            OWN_DEFAULTS.iter().chain(&SHORT.iter().map(|(_, long)| (*long, "")).collect::<Vec<_>>())
        {
            assert!(PLAIN.contains(name), "{name}");
        }
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ostler-yml.md");
        let document = std::fs::read_to_string(document).unwrap();
        let short = SHORT.iter().map(|(short, _)| short);
        for name in PLAIN.iter().chain(short) {
            assert!(document.contains(&format!("`{name}`")), "docs/ostler-yml.md does not tell of {name}");
        }
        for (name, _) in OWN_DEFAULTS {
            assert!(
                document.contains(&format!("| `{name}` |")),
                "docs/ostler-yml.md has no default of {name}"
            );
        }
    }

    #[test]
    fn what_is_nodes_holds_for_no_program_unless_it_is_asked_for() {
        let limits = Limits {
            start_timeout: Duration::from_secs(7),
            grace: Duration::from_secs(9),
            ..Limits::default()
        };
        let host: Environment = [("IISNODE_loggingEnabled".to_owned(), "1".to_owned())].into();
        let resolve =
            |settings| resolve_plain(Path::new("/srv"), &host, &limits, &defaults(settings)).unwrap();
        let silent =
            resolve(&[("node_env", "x"), ("nodeProcessCommandLine", "y"), ("idlePageOutTimePeriod", "5")]);
        let settings = silent.settings;
        assert_eq!(
            (settings.start_timeout, settings.grace),
            (Duration::from_secs(7), Duration::from_secs(9))
        );
        assert_eq!((settings.watched_files.as_str(), settings.logs), ("", None));
        assert_eq!((settings.forwarded_for, settings.dev_errors), (true, DevErrors::Off));
        assert_eq!((settings.process_count, settings.node_env), (1, None));
        assert!(silent.notes.is_empty(), "{:?}", silent.notes);
        let asked = resolve(&[
            ("watchedfiles", "*.py"),
            ("loggingEnabled", "true"),
            ("devErrorsEnabled", "true"),
            ("gracefulShutdownTimeout", "1"),
            ("idleTimeoutInSeconds", "2"),
            ("startupTimeLimitInSeconds", "3"),
        ]);
        let settings = asked.settings;
        assert_eq!(settings.watched_files, "*.py");
        assert_eq!(settings.logs.unwrap().directory, Path::new("/srv/logs"));
        assert_eq!((settings.dev_errors, settings.grace), (DevErrors::TrueStatus, Duration::from_millis(1)));
        assert_eq!(settings.idle_timeout, Some(Duration::from_secs(2)));
        assert_eq!(settings.start_timeout, Duration::from_secs(3));
        assert_eq!(asked.told.iter().map(|(name, _)| *name).collect::<Vec<_>>(), PLAIN);
    }

    #[test]
    fn a_wrong_value_is_told_with_the_name_that_was_written() {
        for (name, text) in [("instances", "many"), ("maxConcurrent", "-1"), ("readyStatus", "999")] {
            let (what, _) = check_plain(name, text, &[]).unwrap_err();
            assert_eq!(what, format!("`{text}` is not a value for `{name}`"));
        }
    }

    #[test]
    fn names_are_short_or_long_and_a_wrong_one_gets_the_nearest() {
        for (name, text, expected) in [
            ("instances", "4", Ok("nodeProcessCountPerApplication")),
            ("MAXCONCURRENT", "infinite", Ok("maxConcurrentRequestsPerProcess")),
            ("readypath", "/ok", Ok("readyPath")),
            ("instances", "four", Err("a whole number of workers from 0 to 1024")),
            ("loadBalancing", "best", Err("round-robin or least-requests or power-of-two")),
            ("instnces", "4", Err("did you mean `instances`?")),
            ("comand", "x", Err("did you mean `command`?")),
            ("readyPaht", "x", Err("did you mean `readyPath`?")),
            ("node_env", "x", Err("lists the keys")),
            ("teapot", "x", Err("lists the keys")),
        ] {
            let found = check_plain(name, text, &["command", "cwd", "env"]);
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{name}"),
                Err(help) => assert!(found.clone().unwrap_err().1.contains(help), "{name}: {found:?}"),
            }
        }
    }
}
