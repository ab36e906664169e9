//! The door for fuzzing: any bytes in, and a panic when the HTTP/1 codec breaks one of its promises.
//!
//! They are: no panic of its own; one result, however the bytes were split and whatever follows them; and what it
//! accepts is exactly what `naive` accepts, understood in the same way. The property tests and the replay of the
//! corpus come through here too.

mod fastcgi;
mod naive;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use self::fastcgi::{cgi_head, records as fastcgi_records};
use self::naive::{Head, Size};
use crate::http1::chunked::{BadChunk, Chunked};
use crate::http1::fields::Known;
use crate::http1::framing::Framing;
use crate::http1::request::{BadHead, RequestHead};
use crate::http1::response::{self, Asked, ResponseHead};
use crate::http1::{MAX_FIELDS, Version};

/// Heads are parsed at this offset too, with other bytes in front.
const OFFSET: usize = 7;

/// What a client sends first.
pub fn request_head(bytes: &[u8]) {
    let parse = |bytes: &[u8], start: usize| {
        let mut head = RequestHead::default();
        head.parse(bytes, start, MAX_FIELDS).map(|complete| complete.then_some(head))
    };
    let end = |parsed: &Result<Option<RequestHead>, BadHead>| match parsed {
        Ok(head) => Ok(head.as_ref().map(|head| head.end)),
        Err(bad) => Err(*bad),
    };
    let parsed = parse(bytes, 0);
    same_in_any_split(bytes, |bytes| end(&parse(bytes, 0)));
    let reference = naive::head(bytes, true)
        .filter(|head| head.is_unambiguous_request() && head.fields.len() <= MAX_FIELDS);
    let Ok(Some(head)) = parsed else {
        assert!(reference.is_none(), "refused, {:?}, although sound: {reference:?}", end(&parsed));
        return;
    };
    let reference = reference.expect("accepted although malformed or ambiguous");
    assert_eq!(head.end, reference.length, "the head ends elsewhere");
    check_request(&head, bytes, &reference);

    let shifted = [&[b'\n'; OFFSET][..], bytes].concat();
    let moved = parse(&shifted, OFFSET).ok().flatten().expect("accepted at the beginning only");
    assert_eq!(moved.end, head.end + OFFSET);
    check_request(&moved, &shifted, &reference);

    // Used again for another request, a head keeps nothing of the one before.
    let mut reused = moved;
    assert_eq!(reused.parse(bytes, 0, MAX_FIELDS), Ok(true));
    assert_eq!(format!("{reused:?}"), format!("{head:?}"));
}

fn check_request(head: &RequestHead, bytes: &[u8], reference: &Head) {
    let (method, target, version) = reference.request_line().expect("was found sound");
    let http10 = version == b'0';
    assert_eq!(head.method_name.in_bytes(bytes), method);
    assert_eq!(head.target.in_bytes(bytes), target);
    assert_eq!(head.version == Version::Http10, http10);
    assert_eq!(head.host.map(|host| host.in_bytes(bytes)), reference.values("host").next());
    assert_eq!(Some(size(head.framing)), reference.size(http10, false));
    assert_eq!(head.contradictory_length, reference.has_both_lengths());
    assert_eq!(head.is_persistent(), reference.keeps_connection(http10) && !reference.has_both_lengths());
    let expects = reference.values("expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"));
    assert_eq!(head.expects_continue, expects && !http10 && head.framing != Framing::None);
    let offers = reference.list("upgrade");
    let offers_h2c = offers.iter().any(|offer| offer.split('/').next().is_some_and(|it| it.trim() == "h2c"));
    let asks = reference.list("connection").iter().any(|option| option == "upgrade");
    let offered = reference.values("upgrade").next().is_some();
    assert_eq!(head.upgrade, offered && !offers_h2c && asks && !http10 && head.framing == Framing::None);
    assert_eq!(head.fields.len(), reference.fields.len());
    for (index, (name, value)) in reference.fields.iter().enumerate() {
        let field = head.fields[index];
        assert!(field.name.in_bytes(bytes).eq_ignore_ascii_case(name.as_bytes()));
        assert_eq!(field.value.in_bytes(bytes), value);
        assert_eq!(field.known, known(name));
        assert_eq!(bytes[head.line(index)], [&reference.lines[index][..], b"\r\n"].concat());
    }
    assert_eq!(&bytes[head.fields_end..head.end], b"\r\n");
}

/// What a worker answers first.
pub fn response_head(bytes: &[u8]) {
    for (head_only, upgrade, http10) in
        [(false, false, false), (true, false, false), (false, true, false), (false, false, true)]
    {
        let asked = Asked { head_only, upgrade, http10 };
        let end = |bytes: &[u8]| ResponseHead::parse(bytes, 0, asked).map(|head| head.map(|head| head.end));
        same_in_any_split(bytes, end);
        let reference = naive::head(bytes, false)
            .filter(|head| is_unambiguous_response(head, asked) && head.fields.len() <= MAX_FIELDS);
        let parsed = ResponseHead::parse(bytes, 0, asked);
        let Ok(Some(head)) = parsed else {
            assert!(reference.is_none(), "refused, {parsed:?}, although sound: {reference:?}");
            continue;
        };
        let reference = reference.expect("accepted although malformed or ambiguous");
        assert_eq!(head.end, reference.length, "the head ends elsewhere");
        check_response(&head, asked, bytes, &reference);
        check_rewriting(&head, bytes, &reference);
    }
}

fn is_unambiguous_response(head: &Head, asked: Asked) -> bool {
    head.status_line().is_some_and(|(version, status)| {
        head.size(version == b'0', true).is_some() && (status != 101 || asked.upgrade)
    })
}

fn check_response(head: &ResponseHead, asked: Asked, bytes: &[u8], reference: &Head) {
    let (version, status) = reference.status_line().expect("was found sound");
    let http10 = version == b'0';
    assert_eq!(head.status, status);
    let announced = reference.size(http10, true).expect("was found sound");
    let never_has_body = status < 200 || status == 204;
    let expected = if asked.head_only || never_has_body || status == 304 { Size::None } else { announced };
    assert_eq!(size(head.framing), expected);
    let in_vain = never_has_body && matches!(announced, Size::Bytes(_) | Size::Chunks);
    let persistent = reference.keeps_connection(http10)
        && expected != Size::UntilClose
        && !reference.has_both_lengths()
        && !in_vain;
    assert_eq!(head.persistent, persistent);
    let named_date = reference.list("connection").iter().any(|option| option == "date");
    assert_eq!(head.has_date, reference.values("date").next().is_some() && !named_date);
    let dropped: Vec<Vec<u8>> = head.dropped.iter().map(|line| bytes[line.clone()].to_vec()).collect();
    let lines = reference.lines.iter().zip(&reference.fields);
    let expected: Vec<Vec<u8>> = lines
        .filter(|(_, (name, _))| !is_for_client(name, status, asked, reference))
        .map(|(line, _)| [line, &b"\r\n"[..]].concat())
        .collect();
    assert_eq!(dropped, expected, "other lines are left out");
}

/// RFC 9110, 7.6.1, and what a client must not be told about bodies.
fn is_for_client(name: &str, status: u16, asked: Asked, reference: &Head) -> bool {
    let never_has_body = status < 200 || status == 204;
    match name {
        "connection" | "upgrade" => status == 101,
        "keep-alive" | "te" | "http2-settings" => false,
        _ if known(name) == Known::Proxy => false,
        "content-length" => !reference.has_both_lengths() && !never_has_body,
        "transfer-encoding" => !never_has_body && status != 304 && !asked.http10,
        _ => !reference.list("connection").iter().any(|option| option == name),
    }
}

/// The head rewritten in its buffer is the head built anew, and the bytes behind it stay.
fn check_rewriting(head: &ResponseHead, bytes: &[u8], reference: &Head) {
    for added in ["", "Date: now\r\n", "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n"] {
        let mut expected = [&reference.start_line[..], b"\r\n"].concat();
        let mut line_start = expected.len();
        for line in &reference.lines {
            let line = [line, &b"\r\n"[..]].concat();
            if !head.dropped.iter().any(|dropped| dropped.start == line_start) {
                expected.extend_from_slice(&line);
            }
            line_start += line.len();
        }
        for part in [added.as_bytes(), b"\r\n", &bytes[head.end..]] {
            expected.extend_from_slice(part);
        }
        let mut buffer = [&vec![b'?'; added.len()], bytes].concat();
        let (start, end) = (added.len(), head.end + added.len());
        let moved = |line: &Range<usize>| line.start + added.len()..line.end + added.len();
        let dropped: Vec<_> = head.dropped.iter().map(moved).collect();
        let start = response::rewrite_in_place(&mut buffer, start, end, &dropped, added.as_bytes());
        assert_eq!(buffer[start..], expected, "rewriting lost or kept something");
    }
}

/// A chunked body and what follows it.
pub fn chunked(bytes: &[u8]) {
    let whole = scan(bytes, [bytes.len()]);
    assert_eq!(scan(bytes, (0..=bytes.len()).collect::<Vec<_>>()), whole, "byte by byte it differs");
    assert_eq!(scan(bytes, cuts(bytes)), whole, "split at {:?} it differs", cuts(bytes));
    if whole.bad.is_none() {
        assert_eq!(Chunked::default().scan(bytes), Ok(whole.consumed));
    } else {
        assert_eq!(Chunked::default().scan(bytes).err(), whole.bad);
    }
    match naive::chunks(bytes) {
        Some(reference) => {
            assert!(whole.done, "refused or not ended, although sound: {:?}", whole.bad);
            assert_eq!(whole.consumed, reference.length, "the body ends elsewhere");
            assert_eq!(whole.data, reference.data);
            assert_eq!(whole.trailers, reference.trailers);
        }
        None => assert!(!whole.done, "accepted although malformed"),
    }
    // What came before the offending byte has been passed on: no line may end in it for one who takes LF or CR alone.
    let bare_lf = whole.framing.iter().enumerate().any(|(at, &byte)| {
        byte == b'\n' && at.checked_sub(1).is_none_or(|before| whole.framing[before] != b'\r')
    });
    let bare_cr = whole.framing.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    assert!(!bare_lf && !bare_cr, "passed on a bare line end");
}

/// What a scanner made of bytes that came in pieces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scanned {
    consumed: usize,
    done: bool,
    bad: Option<BadChunk>,
    data: Vec<u8>,
    /// All that is not data, up to the byte that was refused.
    framing: Vec<u8>,
    trailers: Vec<u8>,
}

fn scan(bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> Scanned {
    let mut scanner = Chunked::default();
    let mut scanned = Scanned::default();
    let mut begin = 0;
    'pieces: for cut in cuts.into_iter().chain([bytes.len()]) {
        while begin < cut && !scanner.is_done() {
            let piece = &bytes[begin..cut];
            let mut before = (piece.len() > 1).then(|| scanner.clone());
            match scanner.advance(piece) {
                Ok(advance) => {
                    scanned.data.extend_from_slice(&piece[advance.data.clone()]);
                    scanned.framing.extend_from_slice(&piece[..advance.data.start]);
                    begin += advance.consumed;
                }
                Err(bad) => {
                    scanned.bad = Some(bad);
                    while before.as_mut().is_some_and(|before| before.advance(&bytes[begin..=begin]).is_ok())
                    {
                        scanned.framing.push(bytes[begin]);
                        begin += 1;
                    }
                    break 'pieces;
                }
            }
        }
    }
    scanned.consumed = begin;
    scanned.done = scanner.is_done();
    if scanned.done {
        scanned.trailers = scanner.trailers().to_vec();
    }
    scanned
}

/// Nothing but the end of the head is waited for: no shorter piece is accepted, one that is refused stays refused, and
/// bytes behind the head change nothing.
fn same_in_any_split<E: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    parse: impl Fn(&[u8]) -> Result<Option<usize>, E>,
) {
    let whole = parse(bytes);
    if let Ok(Some(end)) = whole {
        assert!(end <= bytes.len());
        assert_eq!(parse(&bytes[..end - 1]), Ok(None), "accepted, or refused, before it is complete");
        assert_eq!(parse(&bytes[..end]), whole, "depends on what follows");
        for behind in
            [&b"\r\n"[..], b" \t\n\x00 ", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"]
        {
            let followed = [&bytes[..end], behind].concat();
            assert_eq!(parse(&followed), whole, "depends on what follows");
        }
    }
    for cut in cuts(bytes) {
        let part = parse(&bytes[..cut]);
        assert!(part == Ok(None) || part == whole, "{part:?} of the first {cut} bytes, {whole:?} of all");
    }
}

/// Some places to split at, in order: close together in a short input, else as the input itself throws the dice.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    if bytes.len() <= 64 {
        return (0..bytes.len()).step_by(3).collect();
    }
    let dice = bytes.iter().fold(bytes.len(), |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut cuts: Vec<usize> = (1..=8).map(|throw| dice.rotate_left(throw * 7) % bytes.len()).collect();
    cuts.sort_unstable();
    cuts
}

fn size(framing: Framing) -> Size {
    match framing {
        Framing::None => Size::None,
        Framing::Length(length) => Size::Bytes(length),
        Framing::Chunked => Size::Chunks,
        Framing::UntilClose => Size::UntilClose,
    }
}

/// `Known::of` once more, as a list.
fn known(lower_name: &str) -> Known {
    match lower_name {
        "connection" => Known::Connection,
        "content-length" => Known::ContentLength,
        "cookie" => Known::Cookie,
        "date" => Known::Date,
        "expect" => Known::Expect,
        "host" => Known::Host,
        "http2-settings" => Known::Http2Settings,
        "keep-alive" => Known::KeepAlive,
        "te" => Known::Te,
        "trailer" => Known::Trailer,
        "transfer-encoding" => Known::TransferEncoding,
        "upgrade" => Known::Upgrade,
        "x-forwarded-for" => Known::XForwardedFor,
        "x-forwarded-proto" => Known::XForwardedProto,
        name if name.len() >= 16 && name.starts_with("proxy-") => Known::Proxy,
        _ => Known::Other,
    }
}
