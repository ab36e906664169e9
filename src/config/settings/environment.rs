//! What the host's environment says: `IISNODE_*` as settings. Variables within values are `expansion`'s.

use super::Environment;
use super::table::{Setting, settings};
use crate::config::source::{Located, Source};

const PREFIX: &str = "IISNODE_";

/// Variables that a host writes for its workers. A host that is itself a worker must not take them for its own settings.
const WRITTEN: &[&str] = &[
    "IISNODE_LOGGINGENABLED",
    "IISNODE_LOGDIRECTORY",
    "IISNODE_MAXTOTALLOGFILESIZEINKB",
    "IISNODE_MAXLOGFILESIZEINKB",
    "IISNODE_MAXLOGFILES",
];

/// The settings that `IISNODE_<name>` sets. The exact name goes before one in another letter case; empty is unset.
pub(super) fn settings_of(environment: &Environment) -> Vec<(&'static Setting, Located<String>)> {
    let nested = environment.contains_key("IISNODE_VERSION");
    let mut by_name: Vec<(&str, &String, &String)> = environment
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter(|(name, _)| !nested || !WRITTEN.contains(&name.as_str()))
        .filter_map(|(name, value)| {
            let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
            prefix.eq_ignore_ascii_case(PREFIX).then_some((rest, name, value))
        })
        .collect();
    let mut found = Vec::new();
    for setting in settings() {
        let exact =
            by_name.iter().position(|(rest, name, _)| *rest == setting.name && name.starts_with(PREFIX));
        let at =
            exact.or_else(|| by_name.iter().position(|(rest, ..)| rest.eq_ignore_ascii_case(setting.name)));
        if let Some(at) = at {
            let (_, name, value) = by_name.swap_remove(at);
            found.push((setting, Located::new(value.clone(), Source::Environment(name.as_str().into()))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Environment, settings_of};

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_exact_name_of_a_variable_goes_before_other_letter_cases() {
        let read = |pairs| {
            settings_of(&environment(pairs))
                .into_iter()
                .map(|(setting, value)| format!("{}={} ({})", setting.name, value.value, value.source))
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (pairs, expected) in [
            (
                &[("IISNODE_LOGGINGENABLED", "0"), ("IISNODE_loggingEnabled", "1")][..],
                "loggingEnabled=1 (environment variable IISNODE_loggingEnabled)",
            ),
            (&[("iisnode_enableXff", "1")], "enableXFF=1 (environment variable iisnode_enableXff)"),
            (&[("IISNODE_node_env", ""), ("IISNODE_idontexist", "1"), ("IISNODE", "x"), ("é", "")], ""),
            // A worker's own environment, seen by a host inside of it.
            (&[("IISNODE_VERSION", "0.2.27"), ("IISNODE_LOGGINGENABLED", "1")], ""),
        ] {
            assert_eq!(read(pairs), expected);
        }
    }
}
