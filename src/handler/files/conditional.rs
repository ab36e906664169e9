//! Whether a request's conditions hold for a file (RFC 9110, 13). Pure.
//!
//! What cannot be read does not count, except where counting would send part of one version and part of another.

use std::time::{Duration, SystemTime};

use smallvec::SmallVec;

use crate::http1::fields::Known;
use crate::http1::request::{Method, RequestHead};

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// Strong, with its quotes.
    pub(super) etag: String,
    /// In whole seconds, and not in the future; None if HTTP cannot say it.
    pub(super) modified: Option<SystemTime>,
}

/// The fields of a request that make it conditional, and its range.
#[derive(Debug, Default)]
pub(super) struct Conditions<'a> {
    if_match: Lines<'a>,
    if_none_match: Lines<'a>,
    if_modified_since: Lines<'a>,
    if_unmodified_since: Lines<'a>,
    if_range: Lines<'a>,
    range: Lines<'a>,
}

type Lines<'a> = SmallVec<[&'a [u8]; 1]>;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// 412.
    Failed,
    /// 304.
    NotModified,
    Whole,
    /// What the range asks for, still to be read.
    Range(&'a [u8]),
}

/// The seconds since 1970 of the last moment HTTP has a date for.
const LAST_SECOND: i128 = 253_402_300_799;

impl Validators {
    /// `modified_ns` is counted from 1970.
    pub(super) fn new(modified_ns: i128, length: u64, now: SystemTime) -> Validators {
        let seconds = modified_ns.div_euclid(1_000_000_000).min(LAST_SECOND);
        let modified = u64::try_from(seconds)
            .ok()
            .map(|seconds| (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).min(now));
        Validators { etag: format!("\"{modified_ns:x}-{length:x}\""), modified }
    }
}

impl<'a> Conditions<'a> {
    pub(super) fn of(head: &RequestHead, bytes: &'a [u8]) -> Conditions<'a> {
        let mut conditions = Conditions::default();
        for field in head.fields.iter().filter(|field| field.known == Known::Other) {
            let name = field.name.in_bytes(bytes);
            let lines = match name.len() {
                5 if name.eq_ignore_ascii_case(b"range") => &mut conditions.range,
                8 if name.eq_ignore_ascii_case(b"if-match") => &mut conditions.if_match,
                8 if name.eq_ignore_ascii_case(b"if-range") => &mut conditions.if_range,
                13 if name.eq_ignore_ascii_case(b"if-none-match") => &mut conditions.if_none_match,
                17 if name.eq_ignore_ascii_case(b"if-modified-since") => &mut conditions.if_modified_since,
                19 if name.eq_ignore_ascii_case(b"if-unmodified-since") => {
                    &mut conditions.if_unmodified_since
                }
                _ => continue,
            };
            lines.push(field.value.in_bytes(bytes).trim_ascii());
        }
        conditions
    }

    /// In the order of RFC 9110, 13.2.2, for a GET or HEAD.
    pub(super) fn verdict(&self, method: Method, now: &Validators, today: SystemTime) -> Verdict<'a> {
        if !self.if_match.is_empty() {
            if !lists_tag(&self.if_match, &now.etag, Compare::Strong) {
                return Verdict::Failed;
            }
        } else if self.modified_after(&self.if_unmodified_since, now) == Some(true) {
            return Verdict::Failed;
        }
        if !self.if_none_match.is_empty() {
            if lists_tag(&self.if_none_match, &now.etag, Compare::Weak) {
                return Verdict::NotModified;
            }
        } else if self.modified_after(&self.if_modified_since, now) == Some(false) {
            return Verdict::NotModified;
        }
        match *self.range {
            [range] if method == Method::Get && self.range_counts(now, today) => Verdict::Range(range),
            _ => Verdict::Whole,
        }
    }

    /// Whether the file is younger than the one date that `lines` hold; None if they hold anything else.
    fn modified_after(&self, lines: &Lines<'a>, now: &Validators) -> Option<bool> {
        let [line] = **lines else { return None };
        Some(now.modified? > date(line)?)
    }

    /// Whether `If-Range` names this very version.
    fn range_counts(&self, now: &Validators, today: SystemTime) -> bool {
        match *self.if_range {
            [] => true,
            [line] if line.ends_with(b"\"") => line == now.etag.as_bytes(),
            [line] => {
                // A date says which version it was only when its second was over.
                let is_over = |modified: SystemTime| {
                    today.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1))
                };
                now.modified.is_some_and(|modified| is_over(modified) && date(line) == Some(modified))
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

/// Whether a list of entity tags, which may go over several lines, names `etag` or everything.
fn lists_tag(lines: &[&[u8]], etag: &str, compare: Compare) -> bool {
    lines.iter().any(|line| *line == b"*" || line_lists_tag(line, etag.as_bytes(), compare))
}

fn line_lists_tag(mut rest: &[u8], etag: &[u8], compare: Compare) -> bool {
    loop {
        // Commas may stand inside of tags, so these are read one by one.
        rest = rest.trim_ascii_start();
        if let Some(next) = rest.strip_prefix(b",") {
            rest = next;
            continue;
        }
        let weak = rest.strip_prefix(b"W/");
        let tag = weak.unwrap_or(rest);
        let Some(end) = tag.strip_prefix(b"\"").and_then(|text| memchr::memchr(b'"', text)) else {
            return false;
        };
        let (tag, behind) = tag.split_at(end + 2);
        if tag == etag && (weak.is_none() || compare == Compare::Weak) {
            return true;
        }
        rest = behind;
    }
}

/// Any of the three forms of a date there are.
fn date(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Conditions, Validators, Verdict};
    use crate::http1::request::{Method, RequestHead};

    /// Of the file: 1994-11-06 08:49:37 and a bit, 10 bytes.
    const SECONDS: u64 = 784_111_777;
    const TAG: &str = "\"ae1b981bc490a01-a\"";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn verdict(method: Method, lines: &str, age: Duration) -> String {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let mut head = RequestHead::default();
        assert!(head.parse(bytes.as_bytes(), 0, 100).unwrap(), "{lines}");
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS) + age;
        let now = Validators::new(i128::from(SECONDS) * 1_000_000_000 + 1, 10, today);
        assert_eq!(now.etag, TAG);
        match Conditions::of(&head, bytes.as_bytes()).verdict(method, &now, today) {
            Verdict::Failed => "412".into(),
            Verdict::NotModified => "304".into(),
            Verdict::Whole => "200".into(),
            Verdict::Range(range) => String::from_utf8_lossy(range).into_owned(),
        }
    }

    fn told(lines: &str) -> String {
        let lines = lines.replace("TAG", TAG).replace("THEN", THEN).replace("BEFORE", BEFORE);
        let lines: String =
            lines.replace("AFTER", AFTER).split('|').map(|line| format!("{line}\r\n")).collect();
        verdict(Method::Get, &lines, Duration::from_secs(3600))
    }

    #[test]
    fn conditions_are_weighed_in_their_order() {
        for (lines, status) in [
            ("Accept: */*", "200"),
            ("If-Match: TAG", "200"),
            ("If-Match: *", "200"),
            ("If-Match: \"x\"", "412"),
            ("If-Match: W/TAG", "412"),
            ("If-Match: \"x\", \"a,b\" ,TAG", "200"),
            ("If-Match: \"x\"|If-Match: TAG", "200"),
            ("If-Match: nonsense", "412"),
            ("If-Match: TAG|If-Unmodified-Since: BEFORE", "200"),
            ("If-Unmodified-Since: THEN", "200"),
            ("If-Unmodified-Since: AFTER", "200"),
            ("If-Unmodified-Since: BEFORE", "412"),
            ("If-Unmodified-Since: yesterday", "200"),
            ("If-None-Match: TAG", "304"),
            ("If-None-Match: W/TAG", "304"),
            ("If-None-Match: *", "304"),
            ("if-none-match: \"x\", W/\"y\",TAG", "304"),
            ("If-None-Match: \"x\"|If-None-Match: TAG", "304"),
            ("If-None-Match: \"x\"", "200"),
            ("If-None-Match: \"x", "200"),
            ("If-None-Match: x TAG", "200"),
            ("If-None-Match: \"x, TAG", "200"),
            ("If-None-Match: \"x\"|If-Modified-Since: THEN", "200"),
            ("If-Modified-Since: THEN", "304"),
            ("If-Modified-Since: AFTER", "304"),
            ("If-Modified-Since: BEFORE", "200"),
            ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", "304"),
            ("If-Modified-Since: Sun Nov  6 08:49:37 1994", "304"),
            ("If-Modified-Since: yesterday", "200"),
            ("If-Modified-Since: THEN|If-Modified-Since: THEN", "200"),
            ("If-Match: \"x\"|If-None-Match: TAG", "412"),
            ("If-Match: TAG|If-None-Match: TAG", "304"),
            ("Range: bytes=0-1", "bytes=0-1"),
            ("Range: bytes=0-1|Range: bytes=4-5", "200"),
            ("Range: bytes=0-1|If-None-Match: TAG", "304"),
            ("Range: bytes=0-1|If-Match: \"x\"", "412"),
            ("Range: bytes=0-1|If-Range: TAG", "bytes=0-1"),
            ("Range: bytes=0-1|If-Range: W/TAG", "200"),
            ("Range: bytes=0-1|If-Range: \"x\"", "200"),
            ("Range: bytes=0-1|If-Range: THEN", "bytes=0-1"),
            ("Range: bytes=0-1|If-Range: AFTER", "200"),
            ("Range: bytes=0-1|If-Range: BEFORE", "200"),
            ("Range: bytes=0-1|If-Range: nonsense", "200"),
            ("Range: bytes=0-1|If-Range: TAG|If-Range: TAG", "200"),
            ("If-Range: \"x\"", "200"),
        ] {
            assert_eq!(told(lines), status, "{lines}");
        }
    }

    #[test]
    fn a_range_is_for_get_alone_and_a_fresh_date_vouches_for_nothing() {
        let hour = Duration::from_secs(3600);
        assert_eq!(verdict(Method::Head, "Range: bytes=0-1\r\n", hour), "200");
        let lines = format!("Range: bytes=0-1\r\nIf-Range: {THEN}\r\n");
        assert_eq!(verdict(Method::Get, &lines, Duration::from_millis(900)), "200");
        assert_eq!(verdict(Method::Get, &lines, Duration::from_secs(1)), "bytes=0-1");
    }

    #[test]
    fn dates_that_http_cannot_say_are_left_out() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS);
        assert_eq!(Validators::new(-1, 0, now).modified, None);
        assert_eq!(Validators::new(i128::from(i64::MAX) * 1_000_000_000, 0, now).modified, Some(now));
        assert_ne!(Validators::new(-1, 0, now).etag, Validators::new(1, 0, now).etag);
    }
}
