//! What rules are given and what they answer.

use crate::rules::path::SitePath;

/// What is rewritten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'r> {
    pub(crate) path: &'r SitePath,
    /// Without `?`, as it came.
    pub(crate) query: &'r str,
    /// Path and query as they came, with the leading slash: `{REQUEST_URI}`.
    pub(crate) original: &'r str,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Unchanged,
    /// Decoded path relative to the site's root, and query without `?`.
    Rewritten {
        path: SitePath,
        query: String,
    },
    Redirect {
        status: u16,
        /// Holds nothing that may not stand in a field.
        location: String,
    },
    Respond {
        status: u16,
        substatus: u16,
        reason: Option<Box<str>>,
        description: Option<Box<str>>,
    },
    Abort,
}

/// What happened at one rule, for `ostler explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) rule: Box<str>,
    pub(crate) what: String,
}

/// A pattern took too long; an error, not a "no match".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooHard {
    pub(crate) rule: Box<str>,
}
