//! A line of the access log: the combined format, and `key=value` fields behind it.
//!
//! What a client wrote can neither end a line nor pretend to be another field: quotes, backslashes and all bytes that
//! are not printable ASCII stand as `\\xHH`, as nginx writes them. What is too long is cut and ends with `...`.

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::super::respond::Mark;
use super::Ended;
use crate::exchange::{Client, Exchange};
use crate::http1::Version;

// As written, escapes included: so a line has 13 KiB at the most.
const MOST_REQUEST_BYTES: usize = 8 * 1024;
const MOST_REFERER_BYTES: usize = 2 * 1024;
const MOST_AGENT_BYTES: usize = 1024;
const MOST_NAME_BYTES: usize = 512;
const CUT: &[u8] = b"...";

/// A line without the number of bytes and the time, which are known last.
pub(super) struct Draft {
    line: Vec<u8>,
    /// Where the date goes.
    date_at: usize,
    /// Where the number of bytes goes.
    bytes_at: usize,
    begun: Instant,
}

impl Draft {
    /// Writes into `line`, which is empty.
    pub(super) fn new(mut line: Vec<u8>, exchange: &Exchange<'_>, ended: &Ended<'_>) -> Draft {
        let (client, used) = (&exchange.client, ended.used);
        line.extend_from_slice(client.peer().ip.as_deref().unwrap_or("unix:").as_bytes());
        line.extend_from_slice(b" - - [");
        let date_at = line.len();
        line.extend_from_slice(&Date::default().text);
        line.extend_from_slice(b"] \"");
        put_request(&mut line, client, ended.is_refused);
        let status = match client.given().status {
            0 => ended.unanswered as u16,
            status => status,
        };
        put(&mut line, format_args!("\" {status} "));
        let bytes_at = line.len();
        line.extend_from_slice(b" \"");
        put_escaped(&mut line, field(client, ended.is_refused, b"referer"), MOST_REFERER_BYTES, is_quotable);
        line.extend_from_slice(b"\" \"");
        put_escaped(&mut line, field(client, ended.is_refused, b"user-agent"), MOST_AGENT_BYTES, is_quotable);
        line.extend_from_slice(b"\" host=");
        put_escaped(&mut line, field(client, ended.is_refused, b"host"), MOST_NAME_BYTES, is_bare);
        line.extend_from_slice(b" app=");
        let application = used.generation.as_ref().map_or("", |generation| &generation.pool.settings().name);
        put_escaped(&mut line, application.as_bytes(), MOST_NAME_BYTES, is_bare);
        match used.worker.as_ref().and_then(|worker| worker.pid()) {
            Some(pid) => put(&mut line, format_args!(" pid={pid}")),
            None => line.extend_from_slice(b" pid=-"),
        }
        put_milliseconds(&mut line, " queue_ms=", used.waited.as_micros());
        if let Some(Mark { error, request }) = &ended.failed {
            put(&mut line, format_args!(" error={error} request={request}"));
        }
        Draft { line, date_at, bytes_at, begun: ended.begun }
    }

    /// The whole line, with its end.
    pub(super) fn finish(self, body_bytes: u64, date: &[u8; DATE_BYTES]) -> Vec<u8> {
        let mut line = self.line;
        put_milliseconds(&mut line, " time_ms=", self.begun.elapsed().as_micros());
        line.push(b'\n');
        let behind = line.len();
        put(&mut line, format_args!("{body_bytes}"));
        let digits = line.len() - behind;
        line[self.bytes_at..].rotate_right(digits);
        line[self.date_at..self.date_at + DATE_BYTES].copy_from_slice(date);
        line
    }
}

fn put_request(line: &mut Vec<u8>, client: &Client<'_>, is_refused: bool) {
    if is_refused {
        let received = client.received();
        let first = memchr::memchr(b'\n', received).map_or(received, |end| &received[..end]);
        put_escaped(line, first.trim_ascii_end(), MOST_REQUEST_BYTES, is_quotable);
        return;
    }
    let (head, bytes) = (client.head(), client.head_bytes());
    let version: &[u8] = match (client, head.version) {
        (Client::H2(_), _) => b" HTTP/2.0",
        (Client::H1(_), Version::Http10) => b" HTTP/1.0",
        (Client::H1(_), Version::Http11) => b" HTTP/1.1",
    };
    let method = head.method_name.in_bytes(bytes);
    put_escaped(line, method, MOST_NAME_BYTES, is_quotable);
    line.push(b' ');
    let most = MOST_REQUEST_BYTES - method.len().min(MOST_NAME_BYTES) - version.len() - 1;
    put_escaped(line, head.target.in_bytes(bytes), most, is_quotable);
    line.extend_from_slice(version);
}

/// The first value of a field; empty if there is none.
fn field<'c>(client: &'c Client<'_>, is_refused: bool, name: &[u8]) -> &'c [u8] {
    if is_refused {
        return b"";
    }
    let (head, bytes) = (client.head(), client.head_bytes());
    let named = head.fields.iter().find(|field| field.name.in_bytes(bytes).eq_ignore_ascii_case(name));
    named.map_or(b"", |field| field.value.in_bytes(bytes))
}

/// Appends text of others, escaped and cut; `-` if there is none.
fn put_escaped(line: &mut Vec<u8>, text: &[u8], most: usize, is_plain: fn(u8) -> bool) {
    if text.is_empty() {
        line.push(b'-');
    }
    let begin = line.len();
    // What cannot be part of it is not looked at.
    let mut rest = &text[..text.len().min(most + 1)];
    while let Some(&next) = rest.first() {
        let plain = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
        line.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        if plain == 0 {
            put(line, format_args!("\\x{next:02X}"));
            rest = &rest[1..];
        }
    }
    if line.len() - begin > most {
        let mut end = begin + most - CUT.len();
        // An escape is left whole or left out; a backslash begins nothing else.
        if let Some(cut) = line[begin..end].iter().rev().take(3).position(|byte| *byte == b'\\') {
            end -= cut + 1;
        }
        line.truncate(end);
        line.extend_from_slice(CUT);
    }
}

fn is_quotable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Plain where nothing but a space says that the text is over.
fn is_bare(byte: u8) -> bool {
    is_quotable(byte) && byte != b' '
}

fn put(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    let _ = line.write_fmt(text);
}

fn put_milliseconds(line: &mut Vec<u8>, key: &str, micros: u128) {
    put(line, format_args!("{key}{}.{:03}", micros / 1000, micros % 1000));
}

pub(super) const DATE_BYTES: usize = "21/Nov/2026:13:12:06 +0000".len();

/// A moment as the log writes it, in UTC; put into words once a second.
pub(super) struct Date {
    second: u64,
    text: [u8; DATE_BYTES],
}

impl Default for Date {
    fn default() -> Date {
        Date { second: 0, text: *b"01/Jan/1970:00:00:00 +0000" }
    }
}

impl Date {
    pub(super) fn at(&mut self, now: SystemTime) -> &[u8; DATE_BYTES] {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second {
            // `Sat, 21 Nov 2026 13:12:06 GMT`: every part has its place.
            let text = httpdate::fmt_http_date(now);
            for (to, from) in [(0..2, 5..7), (3..6, 8..11), (7..11, 12..16), (12..20, 17..25)] {
                if let Some(part) = text.as_bytes().get(from) {
                    self.text[to].copy_from_slice(part);
                }
            }
            self.second = second;
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, UNIX_EPOCH};

    use super::{Date, Draft, is_bare, is_quotable, put_escaped};

    fn escaped(text: &[u8], most: usize, is_plain: fn(u8) -> bool) -> String {
        let mut line = b"before ".to_vec();
        put_escaped(&mut line, text, most, is_plain);
        String::from_utf8(line).unwrap().strip_prefix("before ").unwrap().to_owned()
    }

    #[test]
    fn nothing_a_client_writes_ends_a_line_or_a_field() {
        for (text, quoted, bare) in [
            (&b""[..], "-", "-"),
            (b"plain", "plain", "plain"),
            (b"two words", "two words", "two\\x20words"),
            (b"a\"b\\c", "a\\x22b\\x5Cc", "a\\x22b\\x5Cc"),
            (b"\r\n\t\0\x1b[0m", "\\x0D\\x0A\\x09\\x00\\x1B[0m", "\\x0D\\x0A\\x09\\x00\\x1B[0m"),
            ("\u{e9}\x7f".as_bytes(), "\\xC3\\xA9\\x7F", "\\xC3\\xA9\\x7F"),
        ] {
            assert_eq!(escaped(text, 100, is_quotable), quoted);
            assert_eq!(escaped(text, 100, is_bare), bare);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_escapes_and_ends_with_dots() {
        for (text, most, expected) in [
            (&b"12345678"[..], 8, "12345678"),
            (b"123456789", 8, "12345..."),
            (b"\n\n", 8, "\\x0A\\x0A"),
            (b"\n\n\n", 8, "\\x0A..."),
            (b"1\n\n", 8, "1\\x0A..."),
            (b"12\n\n", 8, "12..."),
            (b"123\n\n", 8, "123..."),
            (b"1234\n\n", 8, "1234..."),
        ] {
            let cut = escaped(text, most, is_quotable);
            assert_eq!(cut, expected, "{text:?}");
            assert!(cut.len() <= most);
        }
        assert_eq!(escaped(&[0; 100_000], 8192, is_quotable).len(), 4 * 2047 + 3);
    }

    #[test]
    fn a_date_is_the_one_of_its_second_however_often_it_is_asked_for() {
        let mut date = Date::default();
        for (seconds, text) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (1795266726, "21/Nov/2026:13:12:06 +0000"),
            (1795266726, "21/Nov/2026:13:12:06 +0000"),
            (951_782_400, "29/Feb/2000:00:00:00 +0000"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999);
            assert_eq!(std::str::from_utf8(date.at(moment)).unwrap(), text);
        }
    }

    #[test]
    fn the_bytes_and_the_date_of_a_line_are_put_where_they_belong() {
        let line = b"::1 - - [00/Mon/0000:00:00:00 +0000] \"GET / HTTP/1.1\" 200  \"-\"".to_vec();
        let bytes_at = line.len() - b" \"-\"".len();
        let draft = Draft { line, date_at: 9, bytes_at, begun: Instant::now() };
        let line = String::from_utf8(draft.finish(12_345, &Date::default().text)).unwrap();
        let start = "::1 - - [01/Jan/1970:00:00:00 +0000] \"GET / HTTP/1.1\" 200 12345 \"-\" time_ms=0.";
        assert!(line.starts_with(start) && line.ends_with('\n'), "{line}");
    }
}
