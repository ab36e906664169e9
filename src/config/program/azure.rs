//! Paths of Azure App Service on Windows, where many sites come from: there a site lies in `D:\home\site\wwwroot` and logs
//! in `D:\home\LogFiles`. Here the one is the root of the site, and the other a folder of the application.

use std::path::{Path, PathBuf};

use crate::config::settings::expansion::expand;
use crate::config::settings::paths::{forward, joined};
use crate::config::settings::search::is_of_windows;
use crate::config::settings::{Environment, paths};

const SITE: &str = "/home/site/wwwroot";
const LOGS: &str = "/home/LogFiles";

/// Like `expand`, but `%home%` before one of Azure's folders is Azure's: the `HOME` of this system has nothing of it.
pub(super) fn expanded(text: &str, environment: &Environment) -> String {
    const HOME: &str = "%home%";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(HOME) {
        let (before, from) = rest.split_at(at);
        let after = &from[HOME.len()..];
        let folder = forward(after).to_ascii_lowercase();
        let is_azures = ["/site/wwwroot", "/logfiles"].iter().any(|known| folder.starts_with(known));
        out.push_str(before);
        out.push_str(if is_azures { r"D:\home" } else { &from[..HOME.len()] });
        rest = after;
    }
    out.push_str(rest);
    expand(&out, environment)
}

/// What follows the root of the site in such a path, with forward slashes; empty for the root itself.
pub(super) fn below_site(path: &str) -> Option<String> {
    below(path, SITE)
}

/// What follows the folder of logs, the name of that folder included.
pub(super) fn below_logs(path: &str) -> Option<String> {
    below(path, LOGS).map(|rest| match rest.as_str() {
        "" => "LogFiles".to_owned(),
        rest => format!("LogFiles/{rest}"),
    })
}

/// A path for this system where one of Azure's begins the text.
pub(in crate::config) fn here(path: &str, site_root: &Path) -> Option<PathBuf> {
    below_site(path).map(|rest| joined(site_root, &rest))
}

/// A list such as `PYTHONPATH`, divided by `:`; None if nothing of it is written for Windows.
pub(super) fn list_here(list: &str, site_root: &Path) -> Option<String> {
    if !list.contains(';') && !is_of_windows(list) {
        return None;
    }
    let entries = list.split(';').filter(|entry| !entry.is_empty()).map(|entry| {
        let here = here(entry, site_root).map(|path| path.to_string_lossy().into_owned());
        here.unwrap_or_else(|| if paths::is_windows_absolute(entry) { entry.into() } else { forward(entry) })
    });
    Some(entries.collect::<Vec<_>>().join(":"))
}

fn below(path: &str, folder: &str) -> Option<String> {
    let path = forward(path);
    let path = path.strip_prefix("//?/").unwrap_or(&path);
    let (drive, rest) = path.split_at_checked(2)?;
    if !paths::is_windows_absolute(drive) {
        return None;
    }
    let (start, rest) = rest.split_at_checked(folder.len())?;
    let is_whole = rest.is_empty() || rest.starts_with('/');
    (start.eq_ignore_ascii_case(folder) && is_whole).then(|| rest.trim_start_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{below_logs, below_site, expanded, list_here};
    use crate::config::settings::Environment;

    #[test]
    fn the_home_of_azure_is_not_the_home_of_this_system() {
        let environment: Environment = [("HOME".to_owned(), "/root".to_owned())].into();
        for (text, expected) in [
            (r"\\?\%home%\LogFiles\python", r"\\?\D:\home\LogFiles\python"),
            (r"%HOME%/site/wwwroot;%Home%\logfiles", r"D:\home/site/wwwroot;D:\home\logfiles"),
            (r"%HOME%\logs", r"/root\logs"),
            ("é%HOME%", "é/root"),
        ] {
            assert_eq!(expanded(text, &environment), expected, "{text}");
        }
    }

    #[test]
    fn folders_of_azure_are_recognised_as_whole_names() {
        for (path, site, logs) in [
            (r"D:\home\site\wwwroot", Some(""), None),
            (r"d:/Home/Site/wwwroot/a\b.py", Some("a/b.py"), None),
            (r"\\?\D:\home\LogFiles\python.log", None, Some("LogFiles/python.log")),
            (r"C:\home\logfiles", None, Some("LogFiles")),
            (r"D:\home\site\wwwroot2", None, None),
            ("/home/site/wwwroot", None, None),
            ("", None, None),
        ] {
            assert_eq!(below_site(path).as_deref(), site, "{path}");
            assert_eq!(below_logs(path).as_deref(), logs, "{path}");
        }
        for (list, here) in [
            (r"D:\home\site\wwwroot", Some("/s")),
            (r"D:\home\site\wwwroot\lib;.\x", Some("/s/lib:./x")),
            ("/a:/b;", Some("/a:/b")),
            ("/a:/b", None),
        ] {
            assert_eq!(list_here(list, Path::new("/s")).as_deref(), here, "{list}");
        }
    }
}
