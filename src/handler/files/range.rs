//! Which bytes of a file a `Range` field asks for (RFC 9110, 14). Pure.
//!
//! Ranges cost the client a few bytes and us a part with a head for each, so many small ones, or ones that lie over
//! each other, are answered with the whole file, which is always allowed.

use std::ops::Range;

use smallvec::SmallVec;

use crate::http1::fields;

/// Parts of one response, after those that touch have become one.
const MOST_PARTS: usize = 16;
/// Ranges that are looked at.
const MOST_RANGES: usize = 64;
/// Overlaps that an honest client may ask for (RFC 9110, 17.15).
const MOST_OVERLAPS: usize = 2;

pub(super) type Parts = SmallVec<[Range<u64>; 1]>;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The field does not count.
    Whole,
    /// One part or more, none of them empty.
    Parts(Parts),
    /// No byte of the file.
    Nothing,
}

/// What `value` asks of a file of `length` bytes.
pub(super) fn wanted(value: &[u8], length: u64) -> Wanted {
    let Some(parts) = satisfiable(value, length) else { return Wanted::Whole };
    if parts.is_empty() {
        return Wanted::Nothing;
    }
    let Some(parts) = coalesced(parts) else { return Wanted::Whole };
    let asked: u64 = parts.iter().map(|part| part.end - part.start).sum();
    if parts.len() > MOST_PARTS || (parts.len() > 1 && asked >= length) {
        return Wanted::Whole;
    }
    Wanted::Parts(parts)
}

/// The ranges that have bytes in the file, in the order asked for; None if the field is no set of byte ranges.
fn satisfiable(value: &[u8], length: u64) -> Option<Parts> {
    let equals = memchr::memchr(b'=', value)?;
    // Of an empty file there is nothing a range could name; some clients ask for `0-` of everything.
    if !value[..equals].trim_ascii().eq_ignore_ascii_case(b"bytes") || length == 0 {
        return None;
    }
    let mut parts = Parts::new();
    let mut count = 0;
    for range in fields::members(&value[equals + 1..]) {
        count += 1;
        if count > MOST_RANGES {
            return None;
        }
        let dash = memchr::memchr(b'-', range)?;
        let part = match (&range[..dash], &range[dash + 1..]) {
            (b"", last) => length - number(last)?.min(length)..length,
            (first, b"") => number(first)?..length,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                first..last.saturating_add(1).min(length)
            }
        };
        if part.start < part.end {
            parts.push(part);
        }
    }
    (count > 0).then_some(parts)
}

/// The parts with those that overlap made one; None if too many do.
fn coalesced(parts: Parts) -> Option<Parts> {
    let mut sorted = parts.clone();
    sorted.sort_unstable_by_key(|part| part.start);
    let mut merged = Parts::new();
    let mut overlaps = 0;
    for part in sorted {
        match merged.last_mut() {
            Some(last) if part.start < last.end => {
                overlaps += 1;
                last.end = last.end.max(part.end);
            }
            Some(last) if part.start == last.end => last.end = part.end,
            _ => merged.push(part),
        }
    }
    if overlaps > MOST_OVERLAPS {
        return None;
    }
    // Asked for in another order, they are sent in it, unless they had to be put together.
    Some(if merged.len() == parts.len() { parts } else { merged })
}

/// A number of digits alone; one that is too large is larger than any file.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::{Wanted, wanted};

    fn parts(parts: &[Range<u64>]) -> Wanted {
        Wanted::Parts(parts.iter().cloned().collect())
    }

    fn part(part: Range<u64>) -> Wanted {
        parts(std::slice::from_ref(&part))
    }

    #[test]
    fn a_range_names_bytes_or_nothing_or_does_not_count() {
        for (value, expected) in [
            ("bytes=0-9", part(0..10)),
            ("bytes=0-0", part(0..1)),
            ("bytes=90-", part(90..100)),
            ("bytes=90-1000", part(90..100)),
            ("bytes=-10", part(90..100)),
            ("bytes=-1000", part(0..100)),
            ("bytes=0-99", part(0..100)),
            ("Bytes = 5-6", part(5..7)),
            ("bytes= 5-6 ,, 8-9", parts(&[5..7, 8..10])),
            ("bytes=8-9,5-6", parts(&[8..10, 5..7])),
            ("bytes=5-6,7-9", part(5..10)),
            ("bytes=7-9,5-8,1-1", parts(&[1..2, 5..10])),
            ("bytes=0-1,200-300", part(0..2)),
            ("bytes=0-18446744073709551615", part(0..100)),
            ("bytes=0-99999999999999999999999", part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200,300-400", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-5", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=,", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1", Wanted::Whole),
            ("bytes=1-2-3", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0x1-2", Wanted::Whole),
            ("bytes 1-2", Wanted::Whole),
            ("items=1-2", Wanted::Whole),
            ("", Wanted::Whole),
            // More than the file itself.
            ("bytes=0-60,62-99,0-10", parts(&[0..61, 62..100])),
            ("bytes=0-49,50-99", part(0..100)),
        ] {
            assert_eq!(wanted(value.as_bytes(), 100), expected, "{value}");
        }
    }

    #[test]
    fn many_small_or_overlapping_ranges_are_the_whole_file() {
        let list = |count: u64, step: u64| {
            let ranges: Vec<String> = (0..count).map(|n| format!("{}-{}", n * step, n * step)).collect();
            format!("bytes={}", ranges.join(","))
        };
        let length = 1_000_000;
        assert!(matches!(wanted(list(16, 10).as_bytes(), length), Wanted::Parts(parts) if parts.len() == 16));
        assert_eq!(wanted(list(17, 10).as_bytes(), length), Wanted::Whole);
        assert_eq!(wanted(list(64, 1).as_bytes(), length), part(0..64));
        assert_eq!(wanted(list(65, 1).as_bytes(), length), Wanted::Whole);
        assert_eq!(wanted(b"bytes=0-,0-,0-,0-", length), Wanted::Whole);
        assert_eq!(wanted(b"bytes=0-,1-,2-", length), part(0..length));
    }

    #[test]
    fn of_an_empty_file_every_range_is_the_whole() {
        for value in ["bytes=0-", "bytes=-1", "bytes=5-9"] {
            assert_eq!(wanted(value.as_bytes(), 0), Wanted::Whole, "{value}");
        }
    }
}
