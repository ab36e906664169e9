//! Handler mapping: which module serves a path.
//!
//! What of a URL is the script and what is path info is decided by whoever asks; here only patterns are compared.

use super::path::below;

/// What serves what a mapping matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Module {
    Iisnode,
    HttpPlatform,
    AspNetCore,
    FastCgi,
    Static,
    /// One we do not have.
    Other(Box<str>),
}

/// One `handlers/add`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) name: Box<str>,
    /// As written, without a leading slash, backslashes turned.
    pub(crate) path: Box<str>,
    /// None for `*`.
    pub(crate) verbs: Option<Vec<Box<str>>>,
    pub(crate) module: Module,
    /// `scriptProcessor`, for FastCGI.
    pub(crate) processor: Option<Box<str>>,
    /// The directory whose configuration declares it, relative to the root of the site.
    pub(crate) base: Box<str>,
}

/// The mappings that hold in a directory, those of the nearest file first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mapping {
    pub(crate) mapped: Vec<Mapped>,
}

impl Mapping {
    /// The first that serves `script`, a path relative to the site's root, for `method`.
    pub(crate) fn pick(&self, script: &str, method: &str) -> Option<&Mapped> {
        self.mapped.iter().find(|mapped| mapped.covers(script) && mapped.takes(method))
    }
}

impl Mapped {
    /// Whether the pattern matches: without `/` the last name at any depth below `base`, with `/` all that follows `base`.
    pub(crate) fn covers(&self, script: &str) -> bool {
        let Some(relative) = below(script, &self.base) else { return false };
        if &*self.path == "*" {
            return true;
        }
        let subject = match self.path.contains('/') {
            true => relative,
            false => relative.rsplit('/').next().unwrap_or_default(),
        };
        if self.path.is_ascii() && subject.is_ascii() {
            return matches(self.path.as_bytes(), subject.as_bytes());
        }
        matches(self.path.to_lowercase().as_bytes(), subject.to_lowercase().as_bytes())
    }

    fn takes(&self, method: &str) -> bool {
        self.verbs.as_ref().is_none_or(|verbs| verbs.iter().any(|verb| verb.eq_ignore_ascii_case(method)))
    }
}

/// Whether `pattern`, in which `*` stands for anything, matches all of `text`; ASCII without case.
///
/// Goes back to the last star only, so the work is at most one length times the other.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut in_pattern, mut in_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                star = Some((in_pattern, in_text));
                in_pattern += 1;
            }
            Some(byte) if byte.eq_ignore_ascii_case(&text[in_text]) => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => {
                let Some((at, eaten)) = star else { return false };
                star = Some((at, eaten + 1));
                in_pattern = at + 1;
                in_text = eaten + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(path: &str, base: &str, verbs: Option<&[&str]>) -> Mapped {
        Mapped {
            name: path.into(),
            path: path.into(),
            verbs: verbs.map(|verbs| verbs.iter().map(|&verb| verb.into()).collect()),
            module: Module::Iisnode,
            processor: None,
            base: base.into(),
        }
    }

    #[test]
    fn a_pattern_matches_the_last_name_or_the_path_from_its_directory() {
        for (pattern, base, script, covered) in [
            ("server.js", "", "server.js", true),
            ("server.js", "", "sub/deep/Server.JS", true),
            ("server.js", "", "myserver.js", false),
            ("server.js", "sub", "server.js", false),
            ("server.js", "sub", "SUB/server.js", true),
            ("server.js", "sub", "subway/server.js", false),
            ("*.js", "", "a/b.js", true),
            ("*.js", "", "a.js/b", false),
            ("*.js", "", "a.jsx", false),
            ("*", "", "", true),
            ("*", "a", "a", true),
            ("*", "", "a/b", true),
            ("dist/index.js", "", "dist/index.js", true),
            ("dist/index.js", "", "x/dist/index.js", false),
            ("dist/index.js", "x", "x/dist/index.js", true),
            ("api/*", "", "api/a/b.js", true),
            ("api/*", "", "api", false),
            ("*/b*c/d.js", "", "a/bbc/bxc/d.js", true),
            ("a*b*c", "", "aXbYbZ", false),
            ("\u{c4}*.js", "", "x/\u{e4}b.js", true),
        ] {
            assert_eq!(
                mapped(pattern, base, None).covers(script),
                covered,
                "{pattern} in {base:?} for {script}"
            );
        }
    }

    #[test]
    fn the_first_that_takes_path_and_method_serves() {
        let mapping = Mapping {
            mapped: vec![
                mapped("a.js", "", Some(&["GET", "head"])),
                mapped("*.js", "", Some(&["POST"])),
                mapped("*", "sub", None),
            ],
        };
        let pick = |script, method| mapping.pick(script, method).map(|mapped| &*mapped.path);
        assert_eq!(pick("a.js", "GET"), Some("a.js"));
        assert_eq!(pick("a.js", "HEAD"), Some("a.js"));
        assert_eq!(pick("a.js", "POST"), Some("*.js"));
        assert_eq!(pick("a.js", "PUT"), None);
        assert_eq!(pick("sub/x", "PUT"), Some("*"));
        assert_eq!(pick("x", "GET"), None);
    }
}
