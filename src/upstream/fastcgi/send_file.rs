//! Which files a program may have sent in its place: those below the folders its pool allows, and no others.

use std::path::{Component, Path, PathBuf};

use crate::pool::FastCgiPassing;

/// A file below a folder that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) folder: PathBuf,
    /// From the folder, with `/` between names.
    pub(crate) path: String,
}

/// The file that `X-Sendfile` or `X-Accel-Redirect` names, if it may be sent: a path of the machine or, where that is not
/// below a folder that is allowed, one of the site.
pub(super) fn allowed(named: &str, passing: &FastCgiPassing) -> Option<Allowed> {
    let is_name = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let below = |path: &Path| {
        passing.sends_files_below.iter().find_map(|folder| {
            let path = path.strip_prefix(folder).ok()?.to_str().filter(|path| !path.is_empty())?;
            Some(Allowed { folder: folder.clone(), path: path.to_owned() })
        })
    };
    let path = Path::new(named);
    if !path.is_absolute() || !path.components().all(is_name) {
        return None;
    }
    let FastCgiPassing { site_root, document_root, .. } = passing;
    let of_site = |path: &str| below(Path::new(&format!("{site_root}{path}")));
    // Where programs see the site elsewhere, its files have other names here.
    let seen = || named.strip_prefix(document_root.as_str()).filter(|rest| rest.starts_with('/'));
    below(path).or_else(|| of_site(named)).or_else(|| of_site(seen()?))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::allowed;
    use crate::config::fastcgi::StderrMode;
    use crate::pool::FastCgiPassing;

    #[test]
    fn only_files_below_the_folders_that_are_allowed_may_be_named() {
        let passing = |below: &[&str]| FastCgiPassing {
            site_id: 1,
            document_root: "/srv/site".to_owned(),
            site_root: "/srv/site".to_owned(),
            most_head_bytes: 64 * 1024,
            stderr: StderrMode::Pass,
            activity_timeout: Duration::ZERO,
            request_timeout: Duration::ZERO,
            tells_https_off: false,
            redirects_locally: false,
            sends_files_below: below.iter().map(PathBuf::from).collect(),
            keeps_connection: false,
        };
        let below = &["/srv/files", "/srv/site/protected"][..];
        for (folders, named, sent) in [
            (below, "/srv/files/a.pdf", Some("/srv/files/a.pdf")),
            (below, "/protected/b/c.pdf", Some("/srv/site/protected/b/c.pdf")),
            (below, "/srv/site/protected/c.pdf", Some("/srv/site/protected/c.pdf")),
            (below, "/srv/filesystem", None),
            (below, "/srv/files/../secret", None),
            (below, "/protected/../../secret", None),
            (below, "/etc/passwd", None),
            (below, "protected/c.pdf", None),
            (below, "", None),
            (&[], "/srv/files/a.pdf", None),
        ] {
            let there = allowed(named, &passing(folders)).map(|file| file.folder.join(file.path));
            assert_eq!(there, sent.map(PathBuf::from), "{named}");
        }
        // As a program in a container names it.
        let elsewhere = FastCgiPassing { document_root: "/app".to_owned(), ..passing(below) };
        for (named, is_sent) in [
            ("/app/protected/c.pdf", true),
            ("/protected/c.pdf", true),
            ("/application/protected/c.pdf", false),
            ("/app/other/c.pdf", false),
        ] {
            let there = allowed(named, &elsewhere).map(|file| file.folder.join(file.path));
            assert_eq!(there, is_sent.then(|| "/srv/site/protected/c.pdf".into()), "{named}");
        }
    }
}
