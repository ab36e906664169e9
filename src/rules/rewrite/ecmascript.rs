//! ECMAScript patterns in the language of the regex engine.
//!
//! The language is that of `RegExp` without flags, with the leniences browsers keep (stray braces, `[\w-.]`, octal
//! escapes). What the engine understands differently is spelled out: `\d`, `\w`, `\s`, `.`, `$`, word boundaries,
//! classes, references to groups that took no part. Differences that stay: a group inside a repetition keeps what it
//! held in an earlier turn, characters outside the basic plane count as one, the Kelvin sign and the long s are a `k`
//! and an `s` where case does not count, and the empty group cannot be repeated.

use super::class::{self, Ranges};

/// Deeper nesting is no URL pattern.
const MAX_DEPTH: usize = 50;

/// A pattern that matches what `pattern` matches, its groups numbered alike.
///
/// # Errors
/// What is wrong with the pattern, as a fragment of a sentence.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let (groups, names) = count_groups(&chars);
    let mut reader = Reader { chars, at: 0 };
    let mut out = String::with_capacity(pattern.len() * 2);
    // For each open group: what closes it, and whether it may be repeated afterwards.
    let mut open: Vec<(&'static str, bool)> = Vec::new();
    let mut repeatable = false;
    while let Some(next) = reader.next() {
        match next {
            '|' => {
                out.push('|');
                repeatable = false;
            }
            '^' | '$' => {
                out.push_str(if next == '^' { r"\A" } else { r"\z" });
                repeatable = false;
            }
            '(' => {
                let (opening, closing, may_repeat) = group(&mut reader)?;
                if open.len() == MAX_DEPTH {
                    return Err(format!("groups are nested more than {MAX_DEPTH} deep"));
                }
                out.push_str(opening);
                open.push((closing, may_repeat));
                repeatable = false;
            }
            ')' => {
                let Some((closing, may_repeat)) = open.pop() else {
                    return Err("a `)` closes nothing".to_owned());
                };
                out.push_str(closing);
                repeatable = may_repeat;
            }
            '*' | '+' | '?' | '{' => {
                let bounds = if next == '{' { bounds(&mut reader)? } else { Some(next.to_string()) };
                match bounds {
                    None => {
                        out.push_str(r"\{");
                        repeatable = true;
                    }
                    Some(_) if !repeatable => return Err(format!("`{next}` repeats nothing")),
                    Some(bounds) => {
                        out.push_str(&bounds);
                        if reader.take('?') {
                            out.push('?');
                        }
                        repeatable = false;
                    }
                }
            }
            '.' => {
                class::write(&class::any_but_line_ends(), false, &mut out);
                repeatable = true;
            }
            '[' => {
                let (ranges, negated) = read_class(&mut reader)?;
                class::write(&ranges, negated, &mut out);
                repeatable = true;
            }
            '\\' => repeatable = escape(&mut reader, groups, &names, &mut out)?,
            literal => {
                class::write_char(literal, &mut out);
                repeatable = true;
            }
        }
    }
    if open.is_empty() { Ok(out) } else { Err("a `(` is not closed".to_owned()) }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    fn take_all(&mut self, wanted: &str) -> bool {
        let before = self.at;
        let there = wanted.chars().all(|wanted| self.take(wanted));
        if !there {
            self.at = before;
        }
        there
    }

    /// Digits of `radix`, at most `most`, as far as their value stays below `limit`.
    fn number(&mut self, radix: u32, most: usize, limit: u32) -> Option<u32> {
        let mut value = None;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|next| next.to_digit(radix)) else { break };
            let more = value.unwrap_or(0u32).saturating_mul(radix).saturating_add(digit);
            if more >= limit {
                break;
            }
            value = Some(more);
            self.at += 1;
        }
        value
    }

    /// Exactly `digits` hexadecimal digits, or none.
    fn hex(&mut self, digits: usize) -> Option<u32> {
        let before = self.at;
        let value = self.number(16, digits, u32::MAX);
        if self.at - before == digits {
            return value;
        }
        self.at = before;
        None
    }
}

/// How many groups capture, and the names of those that have one (empty for the others), in order.
fn count_groups(chars: &[char]) -> (usize, Vec<String>) {
    let mut names = Vec::new();
    let mut in_class = false;
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                let rest = &chars[at + 1..];
                if rest.first() != Some(&'?') {
                    names.push(String::new());
                } else if rest.get(1) == Some(&'<') && !matches!(rest.get(2), Some('=' | '!')) {
                    names.push(rest[2..].iter().take_while(|next| **next != '>').collect());
                }
            }
            _ => {}
        }
        at += 1;
    }
    (names.len(), names)
}

/// What follows a `(`: how the group opens and closes, and whether it may be repeated.
fn group(reader: &mut Reader) -> Result<(&'static str, &'static str, bool), String> {
    // Lookaheads may be repeated in ECMAScript, but not in the engine: they stand in a group of their own.
    for (written, opening, closing, may_repeat) in [
        ("?:", "(?:", ")", true),
        ("?=", "(?:(?=", "))", true),
        ("?!", "(?:(?!", "))", true),
        ("?<=", "(?<=", ")", false),
        ("?<!", "(?<!", ")", false),
    ] {
        if reader.take_all(written) {
            return Ok((opening, closing, may_repeat));
        }
    }
    if reader.take_all("?<") {
        let start = reader.at;
        while reader.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
            reader.at += 1;
        }
        if reader.at == start || !reader.take('>') {
            return Err("the name of a group is not closed with `>`".to_owned());
        }
        // Referred to by number.
        return Ok(("(", ")", true));
    }
    if reader.peek() == Some('?') {
        return Err("`(?` begins no group that ECMAScript knows".to_owned());
    }
    Ok(("(", ")", true))
}

/// What follows a `{`, if it counts repetitions; None leaves a plain brace.
fn bounds(reader: &mut Reader) -> Result<Option<String>, String> {
    const LIMIT: u32 = 1000;
    let before = reader.at;
    let least = reader.number(10, 9, u32::MAX);
    let open = reader.take(',');
    let most = if open { reader.number(10, 9, u32::MAX) } else { least };
    let Some(least) = least.filter(|_| reader.take('}')) else {
        reader.at = before;
        return Ok(None);
    };
    if most.is_some_and(|most| most < least) {
        return Err("the numbers of a repetition are out of order".to_owned());
    }
    if most.unwrap_or(least) > LIMIT {
        return Err(format!("a repetition of more than {LIMIT} is too large"));
    }
    Ok(Some(match most {
        None => format!("{{{least},}}"),
        Some(most) => format!("{{{least},{most}}}"),
    }))
}

/// What follows a backslash outside a class; whether it may be repeated.
fn escape(reader: &mut Reader, groups: usize, names: &[String], out: &mut String) -> Result<bool, String> {
    const WORD: &str = "[0-9A-Za-z_]";
    let mut refer = |group: usize| {
        // A group that took no part matches nothing at all, which always succeeds.
        out.push_str(&format!("(?:(?({group})\\{group}|))"));
        Ok(true)
    };
    match reader.peek() {
        None => return Err("the pattern ends with a backslash".to_owned()),
        Some('b' | 'B') => {
            let (one, other) = if reader.take('b') { ("!", "=") } else { ("=", "!") };
            reader.take('B');
            out.push_str(&format!("(?:(?<={WORD})(?{one}{WORD})|(?<!{WORD})(?{other}{WORD}))"));
            return Ok(false);
        }
        Some('k') if names.iter().any(|name| !name.is_empty()) => {
            reader.at += 1;
            if !reader.take('<') {
                return Err("`\\k` names no group".to_owned());
            }
            let mut name = String::new();
            while let Some(next) = reader.next().filter(|next| *next != '>') {
                name.push(next);
            }
            let Some(at) = names.iter().position(|known| *known == name) else {
                return Err(format!("there is no group named `{name}`"));
            };
            return refer(at + 1);
        }
        Some('1'..='9') => {
            let before = reader.at;
            if let Some(group) = reader.number(10, 4, 10_000)
                && group as usize <= groups
            {
                return refer(group as usize);
            }
            reader.at = before;
        }
        Some(_) => {}
    }
    match class_of_escape(reader) {
        Some(ranges) => class::write(&ranges, false, out),
        None => class::write_char(char_of_escape(reader, false)?, out),
    }
    Ok(true)
}

/// `\d` and its kin.
fn class_of_escape(reader: &mut Reader) -> Option<Ranges> {
    let ranges = match reader.peek()? {
        'd' => class::digits(),
        'D' => class::complement(&class::digits()),
        'w' => class::word(),
        'W' => class::complement(&class::word()),
        's' => class::space(),
        'S' => class::complement(&class::space()),
        _ => return None,
    };
    reader.at += 1;
    Some(ranges)
}

/// The character an escape stands for.
fn char_of_escape(reader: &mut Reader, in_class: bool) -> Result<char, String> {
    let Some(next) = reader.next() else { return Err("the pattern ends with a backslash".to_owned()) };
    Ok(match next {
        't' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'b' if in_class => '\u{8}',
        '0'..='7' => {
            reader.at -= 1;
            // At most 0o377: the third digit counts only if it fits.
            let value = reader.number(8, 3, 0o400).unwrap_or_default();
            char::from_u32(value).unwrap_or('\0')
        }
        'c' => match reader.peek() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                reader.at += 1;
                char::from(letter as u8 % 32)
            }
            Some(other) if in_class && (other.is_ascii_digit() || other == '_') => {
                reader.at += 1;
                char::from(other as u8 % 32)
            }
            // A plain backslash, and the `c` is read next.
            _ => {
                reader.at -= 1;
                '\\'
            }
        },
        'x' => reader.hex(2).and_then(char::from_u32).unwrap_or('x'),
        'u' => match reader.hex(4) {
            None => 'u',
            Some(first @ 0xd800..=0xdbff) if reader.take_all("\\u") => {
                let second = reader.hex(4).filter(|second| (0xdc00..=0xdfff).contains(second));
                let both = second.and_then(|second| {
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                });
                both.ok_or_else(|| "half of a surrogate pair matches nothing".to_owned())?
            }
            Some(value) => {
                char::from_u32(value).ok_or_else(|| "half of a surrogate pair matches nothing".to_owned())?
            }
        },
        other => other,
    })
}

/// What follows a `[`: its characters, and whether all others are meant.
fn read_class(reader: &mut Reader) -> Result<(Ranges, bool), String> {
    enum Member {
        One(char),
        Many(Ranges),
    }
    let member = |reader: &mut Reader| match reader.next() {
        None => Err("a `[` is not closed".to_owned()),
        Some('\\') => match class_of_escape(reader) {
            Some(ranges) => Ok(Member::Many(ranges)),
            None => char_of_escape(reader, true).map(Member::One),
        },
        Some(next) => Ok(Member::One(next)),
    };
    let negated = reader.take('^');
    let mut ranges = Ranges::new();
    while !reader.take(']') {
        let first = member(reader)?;
        let is_range =
            reader.peek() == Some('-') && !matches!(reader.chars.get(reader.at + 1), None | Some(']'));
        if !is_range {
            match first {
                Member::One(one) => ranges.push((one, one)),
                Member::Many(many) => ranges.extend(many),
            }
            continue;
        }
        reader.at += 1;
        match (first, member(reader)?) {
            (Member::One(first), Member::One(last)) if first > last => {
                return Err(format!("the range `{first}-{last}` is out of order"));
            }
            (Member::One(first), Member::One(last)) => ranges.push((first, last)),
            // A range from or to a set is none: the dash is itself.
            (first, last) => {
                ranges.push(('-', '-'));
                for member in [first, last] {
                    match member {
                        Member::One(one) => ranges.push((one, one)),
                        Member::Many(many) => ranges.extend(many),
                    }
                }
            }
        }
    }
    Ok((ranges, negated))
}
