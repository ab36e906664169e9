//! The path of a URL below a site's root: decoded once, and free of everything that leads elsewhere.
//!
//! Plain and encoded forms of dots, slashes and backslashes count alike, because they are looked at after decoding.
//! What is on the disk is not asked here; links are the business of whoever opens files.

use percent_encoding::percent_decode;

/// A decoded path, relative to the root of the site: names with `/` between them; never `.`, `..`, an empty name,
/// a backslash or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct SitePath {
    text: String,
    /// The URL ended with a slash (or is the root): it means a directory.
    ends_in_slash: bool,
}

/// Why a target has no place in a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadPath {
    /// It climbs above the root.
    Outside,
    /// It holds what no path may hold.
    Forbidden,
}

impl SitePath {
    /// The path and the query (without `?`) of a request target, which may be a path or a URL.
    ///
    /// Escapes that are none stay as they are; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`BadPath::Outside`] for too many `..`, [`BadPath::Forbidden`] for control characters.
    pub(crate) fn of_target(target: &[u8]) -> Result<(SitePath, &[u8]), BadPath> {
        let target = without_authority(target);
        let target = target.strip_prefix(b"/").unwrap_or(target);
        let mut end = target.len();
        let mut plain = true;
        let mut after_slash = true;
        for (at, &byte) in target.iter().enumerate() {
            match byte {
                b'?' => {
                    end = at;
                    break;
                }
                b'%' | b'\\' | 0 | 0x80.. => plain = false,
                b'/' | b'.' if after_slash => plain = false,
                _ => {}
            }
            after_slash = byte == b'/';
        }
        let (path, query) = (&target[..end], target.get(end + 1..).unwrap_or_default());
        if plain && let Ok(text) = str::from_utf8(path) {
            // Nothing to decode, no empty name, no dots: at most a slash at the end is in the way.
            let ends_in_slash = text.is_empty() || text.ends_with('/');
            let text = text.strip_suffix('/').unwrap_or(text).to_owned();
            return Ok((SitePath { text, ends_in_slash }, query));
        }
        Ok((SitePath::of_text(&percent_decode(path).decode_utf8_lossy())?, query))
    }

    /// The path of decoded text, as a rewrite produces it.
    ///
    /// # Errors
    /// As [`SitePath::of_target`].
    pub(crate) fn of_text(text: &str) -> Result<SitePath, BadPath> {
        let mut clean = String::with_capacity(text.len());
        let mut ends_in_slash = true;
        for name in text.split(['/', '\\']) {
            ends_in_slash = matches!(name, "" | "." | "..");
            match name {
                "" | "." => {}
                ".." if clean.is_empty() => return Err(BadPath::Outside),
                ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
                _ if name.contains(|c: char| c.is_ascii_control()) => return Err(BadPath::Forbidden),
                _ => {
                    if !clean.is_empty() {
                        clean.push('/');
                    }
                    clean.push_str(name);
                }
            }
        }
        Ok(SitePath { text: clean, ends_in_slash })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn ends_in_slash(&self) -> bool {
        self.ends_in_slash
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').filter(|name| !name.is_empty())
    }
}

/// What is left of `path` below the directory `base`; both relative to the root, compared without case.
pub(crate) fn below<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    if base.is_empty() {
        return Some(path);
    }
    if let Some((head, rest)) = path.split_at_checked(base.len())
        && head.eq_ignore_ascii_case(base)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return Some(rest.strip_prefix('/').unwrap_or(rest));
    }
    if base.is_ascii() {
        return None;
    }
    // Lower case may be longer or shorter in bytes, so whole names are compared.
    let mut rest = path;
    for name in base.split('/') {
        let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
        if first.to_lowercase() != name.to_lowercase() {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// From the path on; a URL begins with a scheme and an authority.
fn without_authority(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') {
        return target;
    }
    let Some(scheme) = target.iter().position(|byte| !byte.is_ascii_alphanumeric()) else { return target };
    let Some(rest) = target[scheme..].strip_prefix(b"://") else { return target };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    &rest[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target: &str) -> Result<(String, bool), BadPath> {
        SitePath::of_target(target.as_bytes()).map(|(path, _)| (path.text, path.ends_in_slash))
    }

    #[test]
    fn targets_become_paths_decoded_once_and_without_detours() {
        for (target, text, slash) in [
            ("/", "", true),
            ("", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a/b.txt?x=/../y", "a/b.txt", false),
            ("//a///b//", "a/b", true),
            ("/a%20b", "a b", false),
            ("/a%2520b", "a%20b", false),
            ("/100%/%zz%4", "100%/%zz%4", false),
            ("/a%2Fb%5cc\\d", "a/b/c/d", false),
            ("/%C3%A4/\u{e4}", "\u{e4}/\u{e4}", false),
            ("/%ff", "\u{fffd}", false),
            ("/./a/./b/.", "a/b", true),
            ("/a/b/../c", "a/c", false),
            ("/a/%2e%2E/c/..", "", true),
            ("/.well-known/x", ".well-known/x", false),
            ("/a/.../b..", "a/.../b..", false),
            ("http://example.org/a?b", "a", false),
            ("http://example.org?b", "", true),
            ("HTTPS://example.org:8080/a//b", "a/b", false),
            ("*", "*", false),
            ("/http://x", "http:/x", false),
        ] {
            assert_eq!(path(target), Ok((text.to_owned(), slash)), "{target}");
        }
    }

    #[test]
    fn nothing_leads_above_the_root_in_any_spelling() {
        for target in
            ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/.%2E\\a", "/a/..%5c..%5Cb", "\\..\\a", "/.//../a"]
        {
            assert_eq!(path(target), Err(BadPath::Outside), "{target}");
        }
        assert_eq!(SitePath::of_text("public/../../x"), Err(BadPath::Outside));
        for target in ["/a%00.txt", "/a\0", "/%01", "/a%0d%0ab", "/%7F/x"] {
            assert_eq!(path(target), Err(BadPath::Forbidden), "{target}");
        }
    }

    #[test]
    fn the_query_is_what_follows_the_first_question_mark() {
        for (target, query) in
            [("/a", ""), ("/a?", ""), ("/a?b?c", "b?c"), ("/%3fa?%41", "%41"), ("http://h?q", "q")]
        {
            assert_eq!(SitePath::of_target(target.as_bytes()).unwrap().1, query.as_bytes(), "{target}");
        }
    }

    #[test]
    fn text_is_not_decoded_again() {
        let path = SitePath::of_text("/a%2e/b?c/").unwrap();
        assert_eq!((path.as_str(), path.ends_in_slash()), ("a%2e/b?c", true));
        assert_eq!(path.names().collect::<Vec<_>>(), ["a%2e", "b?c"]);
    }

    #[test]
    fn below_compares_whole_names_without_case() {
        for (path, base, rest) in [
            ("a/b", "", Some("a/b")),
            ("a/b", "A", Some("b")),
            ("a", "a", Some("")),
            ("a/", "a", Some("")),
            ("ab/c", "a", None),
            ("\u{c4}x/b/c", "\u{e4}X/b", Some("c")),
            ("\u{e4}", "a", None),
            ("x", "\u{e4}", None),
        ] {
            assert_eq!(below(path, base), rest, "{path} below {base}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_holds_no_detours_and_is_its_own_path(target in "[a./\\\\%25eEcC?\u{e4}]{0,24}") {
            if let Ok((path, _)) = SitePath::of_target(target.as_bytes()) {
                for name in path.names() {
                    assert!(!matches!(name, "." | "..") && !name.contains('\\'));
                }
                assert!(!path.as_str().starts_with('/') && !path.as_str().ends_with('/'));
                assert_eq!(SitePath::of_text(path.as_str()).unwrap().as_str(), path.as_str());
            }
        }
    }
}
