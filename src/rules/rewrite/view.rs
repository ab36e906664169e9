//! The request as a rule sees it: what the rules before it made of the URL, and the world to ask.

use std::borrow::Cow;

use super::pattern::{Groups, Origin};
use crate::rules::disk::Disk;
use crate::rules::facts::Facts;
use crate::rules::path::SitePath;

pub(super) struct View<'v> {
    pub(super) path: &'v SitePath,
    /// The path with the slash at its end, if there is one, and none before it.
    pub(super) url: &'v str,
    pub(super) query: &'v str,
    /// As it came, never rewritten.
    pub(super) original: &'v str,
    pub(super) facts: &'v dyn Facts,
    pub(super) disk: &'v dyn Disk,
}

/// What the patterns of one rule captured so far.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) by_match: Groups,
    pub(super) by_conditions: Groups,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    /// Where the current path lies on the disk.
    File,
    Original,
    Url,
    Query,
    /// The root of the site on the disk, with a slash at its end.
    Root,
    Fact(Box<str>),
}

impl Variable {
    pub(super) fn named(name: &str) -> Variable {
        let name = name.trim().to_uppercase().replace('-', "_");
        match name.as_str() {
            "REQUEST_FILENAME" | "SCRIPT_FILENAME" | "PATH_TRANSLATED" => Variable::File,
            "REQUEST_URI" | "UNENCODED_URL" | "HTTP_URL" => Variable::Original,
            "URL" | "PATH_INFO" | "SCRIPT_NAME" => Variable::Url,
            "QUERY_STRING" => Variable::Query,
            "APPL_PHYSICAL_PATH" | "DOCUMENT_ROOT" => Variable::Root,
            _ => Variable::Fact(name.into()),
        }
    }
}

impl View<'_> {
    /// A variable that there is none of is empty.
    pub(super) fn variable(&self, variable: &Variable) -> (Cow<'_, str>, Origin) {
        match variable {
            Variable::File => ((self.root() + self.url).into(), Origin::Decoded),
            Variable::Original => (self.original.into(), Origin::Raw),
            Variable::Url => (format!("/{}", self.url).into(), Origin::Decoded),
            Variable::Query => (self.query.into(), Origin::Raw),
            Variable::Root => (self.root().into(), Origin::Decoded),
            Variable::Fact(name) => (self.facts.variable(name).unwrap_or_default(), Origin::Plain),
        }
    }

    /// `file`, a path on the disk, relative to the root of the site; None if it lies elsewhere.
    pub(super) fn below_root(&self, file: &str) -> Option<SitePath> {
        let root = self.root();
        let is_root = root.strip_suffix('/') == Some(file);
        let rest = if is_root { "" } else { file.strip_prefix(root.as_str())? };
        SitePath::of_text(rest).ok()
    }

    fn root(&self) -> String {
        let root = self.facts.variable("APPL_PHYSICAL_PATH").unwrap_or_default();
        let mut root = root.into_owned();
        if !root.ends_with(['/', '\\']) {
            root.push('/');
        }
        root
    }
}
