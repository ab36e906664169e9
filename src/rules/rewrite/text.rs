//! Rewrite rules as their elements say them, for the configuration to fill in.

/// A `rule`.
#[derive(Debug, Clone)]
pub(crate) struct RuleText {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) stop_processing: bool,
    pub(crate) syntax: Syntax,
    /// None without a `match`: everything matches.
    pub(crate) pattern: Option<MatchText>,
    /// `logicalGrouping="MatchAny"`.
    pub(crate) any: bool,
    pub(crate) track_all_captures: bool,
    pub(crate) conditions: Vec<ConditionText>,
    /// Names and values of `serverVariables/set`.
    pub(crate) server_variables: Vec<(String, String)>,
    pub(crate) action: Option<ActionText>,
    /// The directory of the declaring file, relative to the root of the site.
    pub(crate) base: String,
}

/// `patternSyntax`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    EcmaScript,
    Wildcard,
    ExactMatch,
}

/// A `match`.
#[derive(Debug, Clone)]
pub(crate) struct MatchText {
    pub(crate) url: String,
    pub(crate) ignore_case: bool,
    pub(crate) negate: bool,
}

/// A `conditions/add`.
#[derive(Debug, Clone)]
pub(crate) struct ConditionText {
    pub(crate) input: String,
    pub(crate) test: TestText,
    pub(crate) ignore_case: bool,
    pub(crate) negate: bool,
}

/// `pattern` or `matchType`.
#[derive(Debug, Clone)]
pub(crate) enum TestText {
    Pattern(String),
    IsFile,
    IsDirectory,
}

/// An `action`.
#[derive(Debug, Clone)]
pub(crate) enum ActionText {
    Rewrite { url: String, append_query: bool },
    Redirect { url: String, append_query: bool, status: u16 },
    CustomResponse { status: u16, substatus: u16, reason: Option<String>, description: Option<String> },
    AbortRequest,
    None,
}

/// A `rewriteMap`.
#[derive(Debug, Clone)]
pub(crate) struct RewriteMap {
    pub(crate) name: String,
    pub(crate) default: String,
    pub(crate) entries: Vec<(String, String)>,
}

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRule {
    pub(crate) part: Part,
    pub(crate) why: String,
}

/// Where a rule is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Match,
    /// By its place among the conditions, from 0.
    Condition(usize),
    Action,
}
