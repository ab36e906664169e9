//! Sets of characters as ECMAScript defines them, and how the regex engine reads them.

use std::fmt::Write;

/// First and last of each range, in any order.
pub(super) type Ranges = Vec<(char, char)>;

pub(super) fn digits() -> Ranges {
    vec![('0', '9')]
}

pub(super) fn word() -> Ranges {
    vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]
}

pub(super) fn space() -> Ranges {
    let mut ranges = vec![('\t', '\r'), (' ', ' '), ('\u{2000}', '\u{200a}')];
    for one in ['\u{a0}', '\u{1680}', '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{feff}']
    {
        ranges.push((one, one));
    }
    ranges
}

/// What `.` stands for.
pub(super) fn any_but_line_ends() -> Ranges {
    complement(&vec![('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')])
}

/// All characters that are in none of `ranges`.
pub(super) fn complement(ranges: &Ranges) -> Ranges {
    let mut sorted = ranges.clone();
    sorted.sort_unstable();
    let mut others = Ranges::new();
    let mut next = Some('\0');
    for (first, last) in sorted {
        let Some(from) = next else { break };
        if let Some(before) = before(first)
            && from <= before
        {
            others.push((from, before));
        }
        if last >= from {
            next = after(last);
        }
    }
    if let Some(from) = next {
        others.push((from, char::MAX));
    }
    others
}

/// A class that the engine understands.
pub(super) fn write(ranges: &Ranges, negated: bool, out: &mut String) {
    if ranges.is_empty() {
        // `[]` matches nothing and `[^]` everything; the engine wants something to stand there.
        return out.push_str(if negated { r"[\x{0}-\x{10FFFF}]" } else { r"[^\x{0}-\x{10FFFF}]" });
    }
    out.push_str(if negated { "[^" } else { "[" });
    for &(first, last) in ranges {
        member(first, out);
        if last != first {
            out.push('-');
            member(last, out);
        }
    }
    out.push(']');
}

/// A character that stands for itself.
pub(super) fn write_char(literal: char, out: &mut String) {
    if r"\.+*?()|[]{}^$".contains(literal) {
        out.push('\\');
    }
    out.push(literal);
}

fn member(one: char, out: &mut String) {
    if one.is_ascii_alphanumeric() {
        return out.push(one);
    }
    let number = u32::from(one);
    // Writing to a string cannot fail.
    let _ = write!(out, "\\x{{{number:X}}}");
}

fn before(one: char) -> Option<char> {
    (one > '\0').then(|| ('\0'..one).next_back()).flatten()
}

fn after(one: char) -> Option<char> {
    (one..=char::MAX).nth(1)
}
