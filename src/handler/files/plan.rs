//! What a response with a file consists of: status, fields, and the pieces of its body. Pure.

use std::fmt::Write;
use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use httpdate::HttpDate;
use smallvec::{SmallVec, smallvec};

use super::conditional::Validators;
use crate::rules::files::ClientCache;

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// What stands between parts of the file.
    Text(Vec<u8>),
    /// These bytes of the file.
    File(Range<u64>),
}

pub(super) type Pieces = SmallVec<[Piece; 1]>;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) status: u16,
    /// Field lines, each with its CR LF.
    pub(super) lines: String,
    /// Of all pieces; None if the status allows no body.
    pub(super) length: Option<u64>,
    pub(super) pieces: Pieces,
}

/// A file, as far as its response tells of it.
pub(super) struct Described<'a> {
    pub(super) media_type: &'a str,
    pub(super) length: u64,
    pub(super) validators: &'a Validators,
    pub(super) client_cache: &'a ClientCache,
    pub(super) cache_control: Option<&'a str>,
    pub(super) fields: &'a str,
}

/// HTTP has no dates beyond the year 9999.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

impl Described<'_> {
    pub(super) fn whole(&self) -> Plan {
        let pieces = if self.length == 0 { Pieces::new() } else { smallvec![Piece::File(0..self.length)] };
        let lines = self.lines(Some(self.media_type), None);
        Plan { status: 200, lines, length: Some(self.length), pieces }
    }

    pub(super) fn not_modified(&self) -> Plan {
        Plan { status: 304, lines: self.lines(None, None), length: None, pieces: Pieces::new() }
    }

    /// One part as it is, several with a head each; `boundary` is asked for what separates them.
    pub(super) fn parts(
        &self,
        parts: &[Range<u64>],
        boundary: impl FnOnce() -> io::Result<u128>,
    ) -> io::Result<Plan> {
        if let [part] = parts {
            let content_range = format!("bytes {}-{}/{}", part.start, part.end - 1, self.length);
            let lines = self.lines(Some(self.media_type), Some(&content_range));
            let length = part.end - part.start;
            return Ok(Plan {
                status: 206,
                lines,
                length: Some(length),
                pieces: smallvec![Piece::File(part.clone())],
            });
        }
        let boundary = format!("{:032x}", boundary()?);
        let mut pieces = Pieces::new();
        for (index, part) in parts.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\r\n" };
            let text = format!(
                "{line_end}--{boundary}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                self.media_type,
                part.start,
                part.end - 1,
                self.length
            );
            pieces.push(Piece::Text(text.into_bytes()));
            pieces.push(Piece::File(part.clone()));
        }
        pieces.push(Piece::Text(format!("\r\n--{boundary}--\r\n").into_bytes()));
        let length = pieces.iter().map(Piece::length).sum();
        let lines = self.lines(Some(&format!("multipart/byteranges; boundary={boundary}")), None);
        Ok(Plan { status: 206, lines, length: Some(length), pieces })
    }

    fn lines(&self, content_type: Option<&str>, content_range: Option<&str>) -> String {
        let mut lines = String::with_capacity(256 + self.fields.len());
        // Writing to a String cannot fail.
        if let Some(content_type) = content_type {
            let _ = write!(lines, "Content-Type: {content_type}\r\nAccept-Ranges: bytes\r\n");
        }
        if let Some(content_range) = content_range {
            let _ = write!(lines, "Content-Range: {content_range}\r\n");
        }
        let _ = write!(lines, "ETag: {}\r\n", self.validators.etag);
        if let Some(modified) = self.validators.modified {
            let _ = write!(lines, "Last-Modified: {}\r\n", HttpDate::from(modified));
        }
        self.put_cache_line(&mut lines);
        lines.push_str(self.fields);
        lines
    }

    fn put_cache_line(&self, lines: &mut String) {
        let _ = match (self.cache_control, self.client_cache) {
            (Some(value), _) => write!(lines, "Cache-Control: {value}\r\n"),
            (None, ClientCache::Unset) => Ok(()),
            (None, ClientCache::Disable) => write!(lines, "Cache-Control: no-cache\r\n"),
            (None, ClientCache::MaxAge(age)) => {
                write!(lines, "Cache-Control: max-age={}\r\n", age.as_secs())
            }
            (None, ClientCache::Expires(at)) => {
                let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LAST_DATE);
                write!(lines, "Expires: {}\r\n", HttpDate::from(SystemTime::UNIX_EPOCH + since))
            }
        };
    }
}

impl Piece {
    pub(super) fn length(&self) -> u64 {
        match self {
            Piece::Text(text) => text.len() as u64,
            Piece::File(part) => part.end - part.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Described, Piece};
    use crate::handler::files::conditional::Validators;
    use crate::rules::files::ClientCache;

    fn with(client_cache: ClientCache, cache_control: Option<&str>, then: impl FnOnce(Described<'_>)) {
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
        let validators = Validators { etag: "\"a-b\"".into(), modified };
        then(Described {
            media_type: "text/css",
            length: 100,
            validators: &validators,
            client_cache: &client_cache,
            cache_control,
            fields: "X-A: b\r\n",
        });
    }

    #[test]
    fn a_whole_file_is_told_with_all_its_fields() {
        with(ClientCache::Unset, None, |file| {
            let plan = file.whole();
            assert_eq!((plan.status, plan.length), (200, Some(100)));
            assert_eq!(
                plan.lines,
                "Content-Type: text/css\r\nAccept-Ranges: bytes\r\nETag: \"a-b\"\r\n\
                 Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-A: b\r\n"
            );
            let plan = file.not_modified();
            assert!(plan.pieces.is_empty() && plan.length.is_none() && !plan.lines.contains("Content"));
        });
    }

    #[test]
    fn caches_are_told_what_the_policy_says_or_what_stands_in_for_it() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let beyond = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        for (policy, override_with, line) in [
            (ClientCache::Disable, None, "Cache-Control: no-cache\r\n"),
            (ClientCache::MaxAge(Duration::from_secs(60)), None, "Cache-Control: max-age=60\r\n"),
            (ClientCache::MaxAge(Duration::from_secs(60)), Some("no-store"), "Cache-Control: no-store\r\n"),
            (ClientCache::Expires(then), None, "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            (ClientCache::Expires(beyond), None, "Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
        ] {
            with(policy, override_with, |file| {
                let lines = file.whole().lines;
                assert!(lines.contains(line), "{lines}");
                assert_eq!(lines.contains("max-age"), line.contains("max-age"));
            });
        }
    }

    #[test]
    fn parts_are_sent_as_they_are_or_with_heads_between_them() {
        with(ClientCache::Unset, None, |file| {
            let plan = file.parts(std::slice::from_ref(&(5..10)), || panic!("not asked for")).unwrap();
            assert_eq!((plan.status, plan.length), (206, Some(5)));
            assert!(plan.lines.contains("Content-Range: bytes 5-9/100\r\n"));
            assert_eq!(plan.pieces[..], [Piece::File(5..10)]);

            let plan = file.parts(&[5..10, 0..1], || Ok(255)).unwrap();
            let boundary = "000000000000000000000000000000ff";
            assert!(plan.lines.contains(&format!("multipart/byteranges; boundary={boundary}\r\n")));
            assert!(!plan.lines.contains("Content-Range"));
            let text: String = plan
                .pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => String::from_utf8(text.clone()).unwrap(),
                    Piece::File(part) => "x".repeat(usize::try_from(part.end - part.start).unwrap()),
                })
                .collect();
            assert_eq!(Some(text.len() as u64), plan.length);
            assert_eq!(
                text,
                format!(
                    "--{boundary}\r\nContent-Type: text/css\r\nContent-Range: bytes 5-9/100\r\n\r\nxxxxx\r\n\
                     --{boundary}\r\nContent-Type: text/css\r\nContent-Range: bytes 0-0/100\r\n\r\nx\r\n\
                     --{boundary}--\r\n"
                )
            );
        });
    }
}
