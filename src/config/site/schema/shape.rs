//! The shape of an element: which attributes and elements it may hold, and what they may be.

/// An element that is known.
#[derive(Debug)]
pub(in crate::config::site) struct Shape {
    pub(in crate::config::site) name: &'static str,
    pub(in crate::config::site) kind: Kind,
    pub(in crate::config::site) attributes: &'static [Attr],
    pub(in crate::config::site) below: &'static [Shape],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config::site) enum Kind {
    /// Holds sections, means nothing itself.
    Group,
    Section,
    /// A section whose attributes are judged elsewhere.
    Open,
    /// The same, where an element that is not known is an error: it says how a program is run, and IIS runs none then.
    Program,
    /// An element of a section.
    Part,
    /// An element of a collection, told apart from the others by these attributes.
    Item(&'static [&'static str]),
    /// Without effect here; whatever it says is accepted.
    Quiet,
    /// Has an effect in IIS that is missing here; the words complete "`x` ...".
    Unserved(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(in crate::config::site) struct Attr {
    pub(in crate::config::site) name: &'static str,
    pub(in crate::config::site) allowed: Allowed,
    pub(in crate::config::site) required: bool,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::config::site) enum Allowed {
    Text,
    /// Any text but an empty one.
    Filled,
    Bool,
    /// A whole number from, to.
    Number(i64, i64),
    OneOf(&'static [&'static str]),
    /// `[days.]hours:minutes:seconds`.
    Span,
}

impl Shape {
    pub(in crate::config::site) fn below(&self, name: &str) -> Option<&'static Shape> {
        let exact = self.below.iter().find(|shape| shape.name == name);
        exact.or_else(|| self.below.iter().find(|shape| shape.name.eq_ignore_ascii_case(name)))
    }

    pub(in crate::config::site) fn attribute(&self, name: &str) -> Option<&'static Attr> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Whether it is the smallest thing that can be locked, inherited and read from another file as a whole.
    pub(in crate::config::site) fn is_section(&self) -> bool {
        !matches!(self.kind, Kind::Group | Kind::Part | Kind::Item(_))
    }

    /// Whether what is wrong in it keeps applications from running, and nothing else.
    pub(in crate::config::site) fn is_about_applications(&self) -> bool {
        matches!(self.kind, Kind::Open | Kind::Program) || self.name == "appSettings"
    }
}

pub(super) const fn shape(
    name: &'static str,
    kind: Kind,
    attributes: &'static [Attr],
    below: &'static [Shape],
) -> Shape {
    Shape { name, kind, attributes, below }
}

pub(super) const fn quiet(name: &'static str) -> Shape {
    shape(name, Kind::Quiet, &[], &[])
}

pub(super) const fn unserved(name: &'static str, what: &'static str) -> Shape {
    shape(name, Kind::Unserved(what), &[], &[])
}

pub(super) const fn attr(name: &'static str, allowed: Allowed) -> Attr {
    Attr { name, allowed, required: false }
}

pub(super) const fn needed(name: &'static str, allowed: Allowed) -> Attr {
    Attr { name, allowed, required: true }
}

pub(super) const UINT: Allowed = Allowed::Number(0, u32::MAX as i64);
pub(super) const CLEAR: Shape = shape("clear", Kind::Part, &[], &[]);
pub(super) const NOT_ENFORCED: &str = "is not enforced: requests that it is to refuse are answered";
