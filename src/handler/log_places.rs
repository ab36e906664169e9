//! Where in a site the logs of its workers lie, and who may see them.

use std::collections::BTreeMap;

use parking_lot::RwLock;

/// Names of log files begin and end so; see `logs`.
const KINDS: [&str; 2] = ["-stdout-", "-stderr-"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogPlace {
    /// Relative to the site's root.
    pub(crate) directory: String,
    /// `logAccess: anyone`.
    pub(crate) anyone: bool,
}

/// By script. Grows when an application is started whose script no handler names; such a script exists in the site.
#[derive(Debug, Default)]
pub(crate) struct LogPlaces(RwLock<BTreeMap<String, LogPlace>>);

impl LogPlaces {
    /// The latest settings of a script hold; None if it has no logs, or none inside the site.
    pub(crate) fn set(&self, script: &str, place: Option<LogPlace>) {
        let mut places = self.0.write();
        match place {
            Some(place) => drop(places.insert(script.to_owned(), place)),
            None => drop(places.remove(script)),
        }
    }

    /// Every script that is known to have logs in the site.
    pub(crate) fn scripts(&self) -> Vec<String> {
        self.0.read().keys().cloned().collect()
    }

    /// The directory to show a person first.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.read().values().next().map(|place| place.directory.clone())
    }

    /// The place a file belongs to; also one that only looks like it, because the application that wrote the file may
    /// not have been started since.
    pub(crate) fn of(&self, file: &str) -> Option<LogPlace> {
        let places = self.0.read();
        let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
        let is_log = name.ends_with(".txt") && KINDS.iter().any(|kind| name.contains(kind));
        let holds_it = |place: &&LogPlace| match place.directory.as_str() {
            // Where logs lie beside the site's own files, only what is named as logs are is one.
            "" => is_log && directory.is_empty(),
            folder => file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        };
        let innermost = places.values().filter(holds_it).max_by_key(|place| place.directory.len());
        if let Some(LogPlace { directory, .. }) = innermost {
            // Several applications may share a directory: none of them opens the logs of another.
            let mut sharing = places.values().filter(|place| place.directory == *directory);
            return Some(LogPlace {
                directory: directory.clone(),
                anyone: sharing.all(|place| place.anyone),
            });
        }
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
        let is_alike = !directory.is_empty()
            && (last(directory) == "iisnode"
                || places.values().any(|place| last(&place.directory) == last(directory)));
        (is_log || is_alike).then(|| LogPlace { directory: directory.to_owned(), anyone: false })
    }
}

#[cfg(test)]
mod tests {
    use super::{LogPlace, LogPlaces};

    const LOG: &str = "pc-7-stdout-1500000000000.txt";

    fn places(of: &[(&str, &str, bool)]) -> LogPlaces {
        let places = LogPlaces::default();
        for &(script, directory, anyone) in of {
            places.set(script, Some(LogPlace { directory: directory.to_owned(), anyone }));
        }
        places
    }

    #[test]
    fn what_lies_in_a_log_directory_belongs_to_it_and_its_neighbours_do_not() {
        let places = places(&[("app.js", "logs", false), ("open.js", "logs/open", true)]);
        for (file, found) in [
            ("logs/index.html", Some(("logs", false))),
            ("logs/deep/er/notes.md", Some(("logs", false))),
            ("logs/open/index.html", Some(("logs/open", true))),
            ("logsbook/page.html", None),
            ("logs", None),
            ("page.html", None),
        ] {
            let place = places.of(file);
            let place = place.as_ref().map(|place| (place.directory.as_str(), place.anyone));
            assert_eq!(place, found, "{file}");
        }
    }

    #[test]
    fn in_a_log_directory_that_is_the_site_itself_only_logs_are_logs() {
        let places = places(&[("app.js", "", true)]);
        assert_eq!(places.of(LOG).map(|place| place.anyone), Some(true));
        for file in ["index.html", "page/index.html", "pc-stdout.txt", "pc-7-stdout-1.js"] {
            assert_eq!(places.of(file), None, "{file}");
        }
    }

    #[test]
    fn what_only_looks_like_logs_is_closed() {
        let places = places(&[("a/app.js", "a/kept", true)]);
        for file in
            [LOG, &format!("any/where/{LOG}"), "iisnode/index.html", "b/IISNode/x", "b/Kept/index.html"]
        {
            assert_eq!(places.of(file).map(|place| place.anyone), Some(false), "{file}");
        }
        for file in ["index.html", "iisnode", "b/iisnodes/index.html"] {
            assert_eq!(places.of(file), None, "{file}");
        }
    }

    #[test]
    fn a_directory_that_several_share_is_open_only_if_all_of_them_say_so() {
        let places = places(&[("a.js", "logs", true), ("b.js", "logs", false)]);
        assert_eq!(places.of("logs/index.html").map(|place| place.anyone), Some(false));
        places.set("b.js", Some(LogPlace { directory: "logs".to_owned(), anyone: true }));
        assert_eq!(places.of("logs/index.html").map(|place| place.anyone), Some(true));
    }

    #[test]
    fn the_latest_settings_of_a_script_hold() {
        let places = places(&[("a.js", "public", false), ("a.js", "logs", false)]);
        assert_eq!(places.of("public/index.html"), None);
        assert_eq!((places.first().as_deref(), places.scripts()), (Some("logs"), vec!["a.js".to_owned()]));
        places.set("a.js", None);
        assert_eq!((places.first(), places.of("logs/index.html")), (None, None));
    }
}
