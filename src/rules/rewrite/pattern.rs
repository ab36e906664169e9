//! Patterns in their three syntaxes, what they capture, and the limit on their work.

use fancy_regex::{Regex, RegexBuilder};
use smallvec::SmallVec;

use super::ecmascript;
use super::text::Syntax;

/// The engine gives up after so many steps back, within a few milliseconds: no URL may cost more.
const BACKTRACK_LIMIT: usize = 100_000;

/// A compiled pattern this large is a mistake.
const SIZE_LIMIT: usize = 2 << 20;

/// A pattern reached the limit of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GaveUp;

/// Where text comes from, which says how it is written into a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Origin {
    /// From the site's author, or from a field of the request.
    #[default]
    Plain,
    /// From a decoded path.
    Decoded,
    /// From the URL as it came, escapes and query included.
    Raw,
}

/// What groups of patterns captured.
#[derive(Debug, Default)]
pub(super) struct Groups {
    text: String,
    spans: SmallVec<[(usize, usize, Origin); 8]>,
}

impl Groups {
    /// Group 0 is all that matched; "" for a group that took no part or does not exist.
    pub(super) fn get(&self, group: usize) -> (&str, Origin) {
        self.spans
            .get(group)
            .map_or(("", Origin::Plain), |&(start, end, origin)| (&self.text[start..end], origin))
    }

    /// All of `input` is group 0; true, as for a pattern that matches.
    pub(super) fn all(&mut self, input: &str, origin: Origin) -> bool {
        self.extend(input, origin, std::iter::once(Some((0, input.len()))));
        true
    }

    /// Appends the groups of one match; all but the first give no group 0.
    fn extend(&mut self, input: &str, origin: Origin, spans: impl Iterator<Item = Option<(usize, usize)>>) {
        let offset = self.text.len();
        let skip = usize::from(!self.spans.is_empty());
        self.text.push_str(input);
        for span in spans.skip(skip) {
            let (start, end) = span.unwrap_or_default();
            self.spans.push((offset + start, offset + end, origin));
        }
    }
}

#[derive(Debug)]
pub(super) struct Pattern(Kind);

#[derive(Debug)]
enum Kind {
    /// All of the input; in lower case unless case counts.
    Exact {
        text: Box<str>,
        ignore_case: bool,
    },
    Regex {
        regex: Box<Regex>,
        easy: Easy,
    },
}

/// What is known of a pattern without running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Easy {
    /// Matches anywhere, be it the empty text.
    Always,
    /// Matches all of any single line, in group 0 and in so many more.
    Line(usize),
    /// Both.
    AlwaysLine(usize),
    No,
}

impl Easy {
    fn of(syntax: Syntax, pattern: &str) -> Easy {
        match (syntax, pattern) {
            (Syntax::Wildcard, "*") => Easy::AlwaysLine(1),
            (Syntax::EcmaScript, "(.*)" | "^(.*)") => Easy::AlwaysLine(1),
            (Syntax::EcmaScript, ".*" | "^.*") => Easy::AlwaysLine(0),
            (Syntax::EcmaScript, "^(.*)$") => Easy::Line(1),
            (Syntax::EcmaScript, "^.*$") => Easy::Line(0),
            (Syntax::EcmaScript, "" | "^" | "$" | "/*" | "\\/*") => Easy::Always,
            _ => Easy::No,
        }
    }
}

impl Pattern {
    /// # Errors
    /// What is wrong with the pattern, as a fragment of a sentence.
    pub(super) fn new(syntax: Syntax, text: &str, ignore_case: bool) -> Result<Pattern, String> {
        let translated = match syntax {
            Syntax::ExactMatch => {
                let text = if ignore_case { text.to_lowercase() } else { text.to_owned() };
                return Ok(Pattern(Kind::Exact { text: text.into(), ignore_case }));
            }
            Syntax::EcmaScript => ecmascript::translate(text)?,
            Syntax::Wildcard => wildcard(text),
        };
        let regex = RegexBuilder::new(&translated)
            .case_insensitive(ignore_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(SIZE_LIMIT)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Pattern(Kind::Regex { regex: Box::new(regex), easy: Easy::of(syntax, text) }))
    }

    /// How many groups there are beside group 0.
    pub(super) fn groups(&self) -> usize {
        match &self.0 {
            Kind::Exact { .. } => 0,
            Kind::Regex { regex, .. } => regex.captures_len() - 1,
        }
    }

    pub(super) fn is_match(&self, input: &str) -> Result<bool, GaveUp> {
        match &self.0 {
            Kind::Exact { text, ignore_case } => Ok(exact(text, input, *ignore_case)),
            Kind::Regex { easy: Easy::Always | Easy::AlwaysLine(_), .. } => Ok(true),
            Kind::Regex { easy: Easy::Line(_), .. } if is_one_line(input) => Ok(true),
            Kind::Regex { regex, .. } => regex.is_match(input).map_err(|_| GaveUp),
        }
    }

    /// The same, and appends to `groups` what was captured.
    pub(super) fn capture(&self, input: &str, origin: Origin, groups: &mut Groups) -> Result<bool, GaveUp> {
        match &self.0 {
            Kind::Exact { text, ignore_case } => {
                let matched = exact(text, input, *ignore_case);
                Ok(matched && groups.all(input, origin))
            }
            Kind::Regex { easy: Easy::Line(more) | Easy::AlwaysLine(more), .. } if is_one_line(input) => {
                groups.extend(input, origin, std::iter::repeat_n(Some((0, input.len())), more + 1));
                Ok(true)
            }
            Kind::Regex { regex, .. } => {
                let Some(captures) = regex.captures(input).map_err(|_| GaveUp)? else { return Ok(false) };
                let spans = (0..captures.len())
                    .map(|group| captures.get(group).map(|span| (span.start(), span.end())));
                groups.extend(input, origin, spans);
                Ok(true)
            }
        }
    }
}

/// `*` is anything and a group; all else is itself, from start to end.
fn wildcard(text: &str) -> String {
    let mut out = String::from(r"\A");
    for next in text.chars() {
        match next {
            '*' => out.push_str(r"([\x{0}-\x{10FFFF}]*)"),
            other => super::class::write_char(other, &mut out),
        }
    }
    out.push_str(r"\z");
    out
}

fn exact(text: &str, input: &str, ignore_case: bool) -> bool {
    match ignore_case {
        false => input == text,
        true if input.is_ascii() => input.eq_ignore_ascii_case(text),
        true => input.to_lowercase() == text,
    }
}

/// Whether `.*` takes all of `text`. U+2028 and U+2029 begin with 0xE2, as some others do, which then go the long way.
fn is_one_line(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | 0xe2))
}

#[cfg(test)]
mod tests;
