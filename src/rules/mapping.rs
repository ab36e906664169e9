//! Handler mapping: which module serves a path.
//!
//! What of a URL is the script and what is path info, and what is on the disk, is found by whoever asks; here patterns
//! and kinds are compared.

use super::disk::Kind;
use super::path::{SitePath, below};

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

impl Module {
    /// Whether it stands in front of a program that answers HTTP itself.
    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Module::HttpPlatform | Module::AspNetCore)
    }

    /// Whether the rewritten URL is what it is told; iisnode's scripts get the one that the client sent.
    pub(crate) fn gets_rewritten_target(&self) -> bool {
        self.is_program() || *self == Module::FastCgi
    }

    /// Whether `resourceType` decides about its rows.
    fn asks_for_resource(&self) -> bool {
        self.is_program() || *self == Module::FastCgi
    }
}

/// What must be on the disk at a path for a mapping to have it: `resourceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Resource {
    /// Anything or nothing.
    #[default]
    Unspecified,
    File,
    Directory,
    Either,
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
    /// Asked of programs and FastCGI, and of files where one of them comes after. iisnode's scripts need a file whatever it
    /// says.
    pub(crate) resource: Resource,
}

/// The mappings that hold in a directory, those of the nearest file first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mapping {
    pub(crate) mapped: Vec<Mapped>,
}

impl Mapping {
    /// The first that serves `script`, a path relative to the site's root at which `kind` is, for `method`.
    pub(crate) fn pick(&self, script: &str, method: &str, kind: Option<Kind>) -> Option<&Mapped> {
        self.first(method, kind, |mapped| mapped.covers(script))
    }

    /// The first handler that would serve `script`, a file, for another method.
    pub(crate) fn of_other_verbs(&self, script: &str, method: &str) -> Option<&Mapped> {
        let mut mapped = self.mapped.iter();
        mapped.find(|mapped| {
            mapped.module != Module::Static
                && mapped.covers(script)
                && mapped.suits(Some(Kind::File))
                && !mapped.takes(method)
        })
    }

    /// What serves a whole URL at whose path `kind` is, if no mapping before it does: a program, or FastCGI for all paths.
    pub(crate) fn program(&self, path: &SitePath, method: &str, kind: Option<Kind>) -> Option<&Mapped> {
        self.first(method, kind, |mapped| mapped.covers_url(path)).filter(|mapped| mapped.takes_urls())
    }

    /// What serves a whole URL whatever is on the disk: no mapping before it could have a script along the path.
    pub(crate) fn program_at_once(&self, path: &SitePath, method: &str) -> Option<&Mapped> {
        let mut mapped = self.mapped.iter().filter(|mapped| mapped.takes(method));
        let first = mapped.find(|mapped| mapped.covers_url(path) || mapped.may_cover_part(path.as_str()))?;
        let is_certain = first.resource == Resource::Unspecified && first.takes_urls();
        (is_certain && first.covers_url(path)).then_some(first)
    }

    fn first(&self, method: &str, kind: Option<Kind>, covers: impl Fn(&Mapped) -> bool) -> Option<&Mapped> {
        let mut mapped = self.mapped.iter().filter(|mapped| mapped.takes(method) && covers(mapped));
        let first = mapped.find(|mapped| !mapped.module.asks_for_resource() || mapped.suits(kind))?;
        if first.module == Module::Static && !first.suits(kind) {
            // Files first, and what is none of them to a program: the row that comes next has it.
            let next = mapped.find(|mapped| mapped.suits(kind));
            return Some(next.filter(|next| next.module.asks_for_resource()).unwrap_or(first));
        }
        Some(first)
    }
}

impl Mapped {
    /// Whether it is FastCGI for all paths of a folder, so that there is no script in a URL.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.module == Module::FastCgi && (&*self.path == "*" || self.path.ends_with("/*"))
    }

    /// Whether it serves URLs as they are, and not scripts along them.
    pub(crate) fn takes_urls(&self) -> bool {
        self.module.is_program() || self.is_wildcard()
    }

    /// What is the script of a path that it takes as a whole, and what follows that with its slash. For FastCGI, the script
    /// is the folder whose paths it has: WSGI and its kind look for the rest in `PATH_INFO`.
    pub(crate) fn divided(&self, path: &str) -> (String, String) {
        if !self.is_wildcard() {
            return (path.to_owned(), String::new());
        }
        let own = self.path.trim_end_matches('*').trim_matches('/');
        let depth =
            [&*self.base, own].into_iter().flat_map(|part| part.split('/')).filter(|name| !name.is_empty());
        let names = || path.split('/').filter(|name| !name.is_empty());
        let script: Vec<&str> = depth.zip(names()).map(|(_, name)| name).collect();
        let rest: Vec<&str> = names().skip(script.len()).collect();
        (script.join("/"), format!("/{}", rest.join("/")))
    }

    /// Whether the pattern matches: without `/` the last name at any depth below `base`, with `/` all that follows `base`.
    pub(crate) fn covers(&self, script: &str) -> bool {
        let Some(relative) = below(script, &self.base) else { return false };
        if &*self.path == "*" {
            return true;
        }
        self.fits(match self.path.contains('/') {
            true => relative,
            false => relative.rsplit('/').next().unwrap_or_default(),
        })
    }

    /// False if the pattern matches no beginning of the path; the work grows with the length of the path only.
    fn may_cover_part(&self, path: &str) -> bool {
        let Some(relative) = below(path, &self.base) else { return false };
        if !self.path.contains('/') {
            return relative.split('/').any(|name| self.fits(name));
        }
        let plain = self.path.split('*').next().unwrap_or_default().as_bytes();
        let start = relative.as_bytes().get(..plain.len());
        start.is_some_and(|start| !plain.is_ascii() || start.eq_ignore_ascii_case(plain))
    }

    fn fits(&self, subject: &str) -> bool {
        if self.path.is_ascii() && subject.is_ascii() {
            return matches(self.path.as_bytes(), subject.as_bytes());
        }
        matches(self.path.to_lowercase().as_bytes(), subject.to_lowercase().as_bytes())
    }

    /// A slash at the end counts where the pattern has slashes: `api/*` covers `/api/`.
    fn covers_url(&self, path: &SitePath) -> bool {
        self.covers(path.as_str())
            || (path.ends_in_slash()
                && self.path.contains('/')
                && self.covers(&format!("{}/", path.as_str())))
    }

    fn suits(&self, kind: Option<Kind>) -> bool {
        match self.resource {
            Resource::Unspecified => true,
            Resource::File => kind == Some(Kind::File),
            Resource::Directory => kind == Some(Kind::Directory),
            Resource::Either => kind.is_some(),
        }
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
            resource: Resource::Unspecified,
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
        let pick = |script, method| mapping.pick(script, method, None).map(|mapped| &*mapped.path);
        assert_eq!(pick("a.js", "GET"), Some("a.js"));
        assert_eq!(pick("a.js", "HEAD"), Some("a.js"));
        assert_eq!(pick("a.js", "POST"), Some("*.js"));
        assert_eq!(pick("a.js", "PUT"), None);
        assert_eq!(pick("sub/x", "PUT"), Some("*"));
        assert_eq!(pick("x", "GET"), None);
    }
}
