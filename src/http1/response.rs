//! The head of a worker's response: parsed as strictly as a request, and rewritten in the buffer it arrived in.

use std::mem::MaybeUninit;
use std::ops::Range;

use smallvec::SmallVec;

use super::fields::{self, ConnectionOptions, Field, Known};
use super::framing::{Framing, FramingFields};
use super::{MAX_FIELDS, Span, Version};

/// Lines to leave out, in order.
pub(crate) type Lines = SmallVec<[Range<usize>; 8]>;

#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// Whether the worker's connection may carry another request after this response.
    pub(crate) persistent: bool,
    /// The worker has said `Connection: close`.
    pub(crate) wants_close: bool,
    /// `Keep-Alive: timeout=N`: after so many idle seconds the worker closes.
    pub(crate) keep_alive_seconds: Option<u32>,
    pub(crate) has_date: bool,
    /// The lines that are not the client's business.
    pub(crate) dropped: Lines,
    pub(crate) end: usize,
}

/// A response head that leaves doubt, with what is wrong. The connection it came on is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadResponse(pub(crate) &'static str);

/// What of the request decides how its response is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) head_only: bool,
    pub(crate) upgrade: bool,
    /// HTTP/1.0 knows no chunks; the body is taken out of them.
    pub(crate) http10: bool,
}

impl ResponseHead {
    /// Indexes the head at `bytes[start..]`; `None` when its end has not been received yet.
    pub(crate) fn parse(
        bytes: &[u8],
        start: usize,
        asked: Asked,
    ) -> Result<Option<ResponseHead>, BadResponse> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let length = match config.parse_response_with_uninit_headers(&mut parsed, &bytes[start..], &mut room)
        {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(BadResponse("too many fields")),
            Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
                return Err(BadResponse("a line is no field"));
            }
            Err(_) => return Err(BadResponse("not an HTTP/1 response head")),
        };
        let (Some(status), Some(version)) = (parsed.code, parsed.version) else {
            return Err(BadResponse("the status line is incomplete"));
        };
        if !(100..=999).contains(&status) || bytes[start] != b'H' {
            return Err(BadResponse("not an HTTP/1 status line"));
        }
        let end = start + length;
        let fields: SmallVec<[Field; 32]> = parsed
            .headers
            .iter()
            .map(|header| Field {
                name: Span::of(header.name.as_bytes(), bytes),
                value: Span::of(header.value, bytes),
                known: Known::of(header.name.as_bytes()),
            })
            .collect();
        check_lines(&fields, bytes, start, end)?;
        let version = if version == 0 { Version::Http10 } else { Version::Http11 };
        read_fields(&fields, bytes, status, version, end, asked).map(Some)
    }

    pub(crate) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }
}

fn check_lines(fields: &[Field], bytes: &[u8], start: usize, end: usize) -> Result<(), BadResponse> {
    let first_field = fields.first().map_or(end - 2, |field| field.name.start as usize);
    let mut starts = fields.iter().skip(1).map(|field| field.name.start as usize).chain([end - 2, end]);
    let status_line = &bytes[start..first_field];
    if !fields::ends_line(bytes, first_field)
        || memchr::memchr(b'\n', status_line) != Some(status_line.len() - 1)
    {
        return Err(BadResponse("the status line does not end with CR LF"));
    }
    if !starts.all(|start| fields::ends_line(bytes, start)) {
        return Err(BadResponse("a line does not end with CR LF"));
    }
    Ok(())
}

fn read_fields(
    fields: &[Field],
    bytes: &[u8],
    status: u16,
    version: Version,
    end: usize,
    asked: Asked,
) -> Result<ResponseHead, BadResponse> {
    let mut framing = FramingFields::default();
    let mut connection = ConnectionOptions::default();
    let mut keep_alive_seconds = None;
    let mut has_date = false;
    for field in fields {
        let value = field.value.in_bytes(bytes);
        match field.known {
            Known::Connection => connection.read(value),
            Known::ContentLength => {
                framing.content_length(value).map_err(|why| BadResponse(why.explanation()))?
            }
            Known::TransferEncoding => {
                framing.transfer_encoding(value).map_err(|why| BadResponse(why.explanation()))?
            }
            Known::KeepAlive => keep_alive_seconds = keep_alive_seconds.or(timeout_in(value)),
            Known::Date => has_date = true,
            _ => {}
        }
    }
    let http10 = version == Version::Http10;
    if status == 101 && !asked.upgrade {
        return Err(BadResponse("101 although no upgrade was asked for"));
    }
    let bodiless = asked.head_only || status < 200 || status == 204 || status == 304;
    let framed = framing.of_response(http10).map_err(|why| BadResponse(why.explanation()))?;
    // On these, fields that speak of a body would have the client wait for one.
    let misleading = status < 200 || status == 204;
    let mut dropped = Lines::new();
    for (index, field) in fields.iter().enumerate() {
        let drop = match field.known {
            Known::Connection | Known::Upgrade => status != 101,
            Known::KeepAlive | Known::Te | Known::Proxy | Known::Http2Settings => true,
            Known::ContentLength => framing.contradicts_itself() || misleading,
            Known::TransferEncoding => misleading || status == 304 || asked.http10,
            _ => {
                connection.names_fields
                    && fields::is_named_in_connection(fields, bytes, field.name.in_bytes(bytes))
            }
        };
        if drop {
            has_date &= field.known != Known::Date;
            let line_end = fields.get(index + 1).map_or(end - 2, |next| next.name.start as usize);
            dropped.push(field.name.start as usize..line_end);
        }
    }
    let wished = if http10 { connection.keep_alive && !connection.close } else { !connection.close };
    // A worker that announces a body where there can be none may well send it, as the answer to someone else.
    let announced_in_vain = misleading && matches!(framed, Framing::Length(_) | Framing::Chunked);
    let framing_of_body = if bodiless { Framing::None } else { framed };
    Ok(ResponseHead {
        status,
        framing: framing_of_body,
        persistent: wished
            && framing_of_body != Framing::UntilClose
            && !framing.contradicts_itself()
            && !announced_in_vain,
        wants_close: connection.close,
        keep_alive_seconds,
        has_date,
        dropped,
        end,
    })
}

/// N of `timeout=N`.
fn timeout_in(value: &[u8]) -> Option<u32> {
    fields::members(value).find_map(|member| {
        let seconds = member.strip_prefix(b"timeout=")?;
        std::str::from_utf8(seconds).ok()?.parse().ok()
    })
}

/// Leaves out `dropped`, appends `added` lines, and moves what remains so that it ends where the body begins.
///
/// The head lies at `bytes[start..end]`; the new one begins at the returned offset, which needs as many free bytes in
/// front of `start` as `added` is longer than what is dropped. Nothing behind `end` moves, so head and first body
/// bytes leave in one piece and without a copy of the body.
pub(crate) fn rewrite_in_place(
    bytes: &mut [u8],
    start: usize,
    end: usize,
    dropped: &[Range<usize>],
    added: &[u8],
) -> usize {
    let fields_end = end - 2;
    let removed: usize = dropped.iter().map(Range::len).sum();
    // Kept pieces, first to last; each will move by `added` minus what is dropped behind it.
    let mut pieces: SmallVec<[(Range<usize>, usize); 9]> = SmallVec::new();
    let mut from = start;
    let mut to = start + removed - added.len().min(start + removed);
    debug_assert!(start + removed >= added.len(), "not enough headroom");
    for line in dropped.iter().map(|line| (line.start, line.end)).chain([(fields_end, fields_end)]) {
        pieces.push((from..line.0, to));
        to += line.0 - from;
        from = line.1;
    }
    let new_start = pieces[0].1;
    // Those that move towards the front go first to last, the others last to first: no piece lands on one yet to move.
    for (piece, to) in pieces.iter().filter(|(piece, to)| *to < piece.start) {
        bytes.copy_within(piece.clone(), *to);
    }
    for (piece, to) in pieces.iter().rev().filter(|(piece, to)| *to > piece.start) {
        bytes.copy_within(piece.clone(), *to);
    }
    bytes[fields_end - added.len()..fields_end].copy_from_slice(added);
    new_start
}
