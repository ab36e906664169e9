//! How static files are served: their types and how long clients may keep them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::media;

/// `system.webServer/staticContent`, compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FilePolicy {
    /// What a site adds to (Some) or takes from (None) the built-in table; extensions with their dot in lower case,
    /// `.` for files without one, `.*` for all others.
    pub(crate) types: BTreeMap<Box<str>, Option<Box<str>>>,
    pub(crate) client_cache: ClientCache,
}

/// `clientCache`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum ClientCache {
    /// Say nothing.
    #[default]
    Unset,
    Disable,
    MaxAge(Duration),
    Expires(SystemTime),
}

impl FilePolicy {
    /// The media type of a file; None if the site does not serve such files (404.3).
    pub(crate) fn media_type(&self, name: &str) -> Option<&str> {
        let name = name.rsplit('/').next().unwrap_or_default();
        let dot = name.rfind('.').filter(|dot| dot + 1 < name.len());
        let extension = dot.map_or_else(|| ".".to_owned(), |dot| name[dot..].to_lowercase());
        match self.types.get(extension.as_str()) {
            Some(Some(media)) => return Some(media),
            Some(None) => {}
            None => {
                if let Some(media) = media::of_extension(&extension[1..]) {
                    return Some(media);
                }
            }
        }
        self.types.get(".*").and_then(|media| media.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_types_browsers_expect() {
        let policy = FilePolicy::default();
        for (name, media) in [
            ("index.html", Some("text/html")),
            ("a/b/INDEX.HTM", Some("text/html")),
            ("app.mjs", Some("text/javascript")),
            ("app.cjs", Some("text/javascript")),
            ("app.js", Some("text/javascript")),
            ("app.js.map", Some("application/json")),
            ("site.css", Some("text/css")),
            ("data.json", Some("application/json")),
            ("site.webmanifest", Some("application/manifest+json")),
            ("mod.wasm", Some("application/wasm")),
            ("logo.svg", Some("image/svg+xml")),
            ("favicon.ico", Some("image/x-icon")),
            ("photo.avif", Some("image/avif")),
            ("font.woff2", Some("font/woff2")),
            ("song.opus", Some("audio/ogg")),
            ("readme.md", Some("text/markdown")),
            ("film.mp4", Some("video/mp4")),
            ("pack.zip", Some("application/zip")),
            ("web.config", None),
            (".env", None),
            ("main.ts", None),
            ("LICENSE", None),
            ("odd.", None),
            ("a.b/c", None),
        ] {
            assert_eq!(policy.media_type(name), media, "{name}");
        }
    }

    #[test]
    fn a_site_adds_replaces_and_takes_away() {
        let mut policy = FilePolicy::default();
        for (extension, media) in [
            (".less", Some("text/css")),
            (".woff", Some("application/x-woff")),
            (".json", None),
            (".", Some("text/plain")),
        ] {
            policy.types.insert(extension.into(), media.map(Into::into));
        }
        assert_eq!(policy.media_type("a.LESS"), Some("text/css"));
        assert_eq!(policy.media_type("a.woff"), Some("application/x-woff"));
        assert_eq!(policy.media_type("a.json"), None);
        assert_eq!(policy.media_type("LICENSE"), Some("text/plain"));
        assert_eq!(policy.media_type("a.unknown"), None);
        policy.types.insert(".*".into(), Some("application/octet-stream".into()));
        assert_eq!(policy.media_type("a.unknown"), Some("application/octet-stream"));
        assert_eq!(policy.media_type("a.json"), Some("application/octet-stream"));
        assert_eq!(policy.media_type("a.html"), Some("text/html"));
    }
}
