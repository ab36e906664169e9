//! The head a worker is sent: the client's, line by line as received, less what concerns only the client's connection,
//! plus what the worker cannot know.

use crate::base::buffers::{Block, Buffers};
use crate::exchange::Client;
use crate::http1::fields::{self, Known};
use crate::http1::request::RequestHead;
use crate::http1::{Span, Version};
use crate::pool::Passing;
use std::rc::Rc;

/// Room for what is added beyond a copy of the client's head.
const ADDED_BYTES: usize = 256;

/// Writes the head for the worker into a new block, with room for the beginning of the body behind it.
///
/// `told` are whole lines that the site adds.
pub(crate) fn write(client: &Client<'_>, passing: &Passing, told: &str, buffers: &Rc<Buffers>) -> Block {
    let (head, bytes) = (client.head(), client.head_bytes());
    let start = head.method_name.start as usize;
    let mut out = buffers.at_least(head.end - start + ADDED_BYTES + told.len());
    // Kept lines that follow each other are copied in one piece; the request line begins the first.
    let mut run = start..head.fields.first().map_or(head.fields_end, |field| field.name.start as usize);
    let mut had_proto = false;
    for (index, field) in head.fields.iter().enumerate() {
        let line = head.line(index);
        if is_kept(head, index, bytes, passing) {
            had_proto |= field.known == Known::XForwardedProto;
            run.end = line.end;
        } else {
            out.put(&bytes[run]);
            run = line.end..line.end;
        }
    }
    out.put(&bytes[run]);
    if head.upgrade {
        out.put(b"Connection: Upgrade\r\n");
    } else if head.version == Version::Http10 {
        // The request stays HTTP/1.0, so that the worker does not answer in chunks; its connection is kept all the same.
        out.put(b"Connection: keep-alive\r\n");
    }
    if passing.forwarded_for
        && let Some(ip) = &client.peer().ip
    {
        put_forwarded_for(&mut out, head, bytes, ip.as_bytes());
        if !had_proto {
            out.put(b"X-Forwarded-Proto: http\r\n");
        }
    }
    out.put(told.as_bytes());
    out.put(b"\r\n");
    out
}

/// Whether a line passes. Hop-by-hop fields and those named in `Connection` end here.
fn is_kept(head: &RequestHead, index: usize, bytes: &[u8], passing: &Passing) -> bool {
    let field = head.fields[index];
    match field.known {
        Known::Connection
        | Known::KeepAlive
        | Known::Te
        | Known::Trailer
        | Known::Proxy
        | Known::Http2Settings => false,
        Known::Upgrade => head.upgrade,
        // Merged into one line below.
        Known::XForwardedFor if passing.forwarded_for => false,
        Known::ContentLength => !head.contradictory_length,
        Known::Other if passing.guards_identity && is_identity(field.name.in_bytes(bytes)) => false,
        _ if head.connection.names_fields => {
            !fields::is_named_in_connection(&head.fields, bytes, field.name.in_bytes(bytes))
        }
        _ => true,
    }
}

/// What only the host may say: who the user is, and which URL was asked for.
fn is_identity(name: &[u8]) -> bool {
    const ORIGINAL_URL: &[u8] = b"X-Original-URL";
    const PROMOTED: &[u8] = b"X-iisnode-";
    // Nearly every field is told from these by its first letter. Workers that read `_` like `-` are not fooled either.
    if !matches!(name.first(), Some(b'x' | b'X')) {
        return false;
    }
    let is = |one: &u8, other: &u8| one.eq_ignore_ascii_case(other) || (*one == b'_' && *other == b'-');
    let begins_with =
        |start: &[u8]| name.len() >= start.len() && name.iter().zip(start).all(|(a, b)| is(a, b));
    begins_with(PROMOTED) || (name.len() == ORIGINAL_URL.len() && begins_with(ORIGINAL_URL))
}

/// The addresses the client brought, then its own unless it was the last already.
fn put_forwarded_for(out: &mut Block, head: &RequestHead, bytes: &[u8], ip: &[u8]) {
    out.put(b"X-Forwarded-For: ");
    let mut last: &[u8] = b"";
    let brought =
        head.fields.iter().filter(|field| field.known == Known::XForwardedFor && field.value != Span::EMPTY);
    for value in
        brought.map(|field| field.value.in_bytes(bytes).trim_ascii()).filter(|value| !value.is_empty())
    {
        if !last.is_empty() {
            out.put(b", ");
        }
        out.put(value);
        last = value;
    }
    if fields::members(last).last() != Some(ip) {
        if !last.is_empty() {
            out.put(b", ");
        }
        out.put(ip);
    }
    out.put(b"\r\n");
}
