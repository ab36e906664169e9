//! The head of a request: parsed strictly, kept as an index over the received bytes.

use std::mem::MaybeUninit;

use super::fields::{self, ConnectionOptions, Field, Known};
use super::framing::{Ambiguous, Framing, FramingFields};
use super::{MAX_FIELDS, Span, Version};

/// The methods whose meaning matters to an intermediary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Connect,
    Other,
}

impl Method {
    fn of(name: &[u8]) -> Method {
        match name {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"OPTIONS" => Method::Options,
            b"TRACE" => Method::Trace,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }

    /// Whether doing it twice is doing it once (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Connect | Method::Other)
    }
}

/// Why a head was refused. The connection is closed after the answer; no worker sees any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHead {
    /// Not HTTP, or HTTP that leaves doubt; with what is wrong.
    Malformed(&'static str),
    TooManyFields,
    Version,
    UnknownCoding,
    /// `CONNECT` asks for a forward proxy.
    Connect,
}

impl From<Ambiguous> for BadHead {
    fn from(ambiguous: Ambiguous) -> BadHead {
        match ambiguous {
            Ambiguous::UnknownCoding => BadHead::UnknownCoding,
            other => BadHead::Malformed(other.explanation()),
        }
    }
}

/// An index over the bytes of one request head; spans count from the beginning of those bytes.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) method_name: Span,
    pub(crate) target: Span,
    pub(crate) version: Version,
    pub(crate) host: Option<Span>,
    pub(crate) framing: Framing,
    pub(crate) connection: ConnectionOptions,
    /// Transfer-Encoding and Content-Length came together.
    pub(crate) contradictory_length: bool,
    pub(crate) expects_continue: bool,
    /// The client asks for another protocol, and we would let it.
    pub(crate) upgrade: bool,
    /// In the order received.
    pub(crate) fields: Vec<Field>,
    /// Where the fields end and the closing CR LF begins.
    pub(crate) fields_end: usize,
    /// Where the head ends and the body begins.
    pub(crate) end: usize,
}

impl Default for RequestHead {
    fn default() -> Self {
        RequestHead {
            method: Method::Other,
            method_name: Span::EMPTY,
            target: Span::EMPTY,
            version: Version::Http11,
            host: None,
            framing: Framing::None,
            connection: ConnectionOptions::default(),
            contradictory_length: false,
            expects_continue: false,
            upgrade: false,
            fields: Vec::new(),
            fields_end: 0,
            end: 0,
        }
    }
}

impl RequestHead {
    /// Indexes the head at `bytes[start..]`; false when its end has not been received yet.
    ///
    /// The result depends on the bytes alone, not on how they arrived.
    pub(crate) fn parse(&mut self, bytes: &[u8], start: usize, max_fields: usize) -> Result<bool, BadHead> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let room = &mut room[..max_fields.min(MAX_FIELDS)];
        let mut parsed = httparse::Request::new(&mut []);
        let length = match parsed.parse_with_uninit_headers(&bytes[start..], room) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyFields),
            Err(httparse::Error::Version) => return Err(BadHead::Version),
            Err(error) => return Err(BadHead::Malformed(explain(error))),
        };
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(BadHead::Malformed("the request line is incomplete"));
        };
        self.end = start + length;
        self.fields_end = self.end - 2;
        self.method_name = Span::of(method.as_bytes(), bytes);
        self.method = Method::of(method.as_bytes());
        self.target = Span::of(target.as_bytes(), bytes);
        self.version = if version == 0 { Version::Http10 } else { Version::Http11 };
        self.index_fields(parsed.headers, bytes);
        self.check_lines(bytes, start)?;
        self.read_fields(bytes)?;
        self.check_target(bytes)?;
        Ok(true)
    }

    fn index_fields(&mut self, parsed: &[httparse::Header<'_>], bytes: &[u8]) {
        self.fields.clear();
        self.fields.extend(parsed.iter().map(|header| Field {
            name: Span::of(header.name.as_bytes(), bytes),
            value: Span::of(header.value, bytes),
            known: Known::of(header.name.as_bytes()),
        }));
    }

    /// The parser forgives LF without CR; the next server in the chain may not, or may see two requests.
    fn check_lines(&self, bytes: &[u8], start: usize) -> Result<(), BadHead> {
        const LINE_END: BadHead = BadHead::Malformed("a line does not end with CR LF");
        let leading = &bytes[start..self.method_name.start as usize];
        if !leading.chunks(2).all(|pair| pair == b"\r\n") {
            return Err(LINE_END);
        }
        let line_end = self.target.end() + b" HTTP/1.1\r\n".len();
        let starts = self.fields.iter().map(|field| field.name.start as usize).chain([self.fields_end]);
        if bytes.get(self.target.end()) != Some(&b' ') || !fields::ends_line(bytes, line_end) {
            return Err(LINE_END);
        }
        if starts.clone().next() != Some(line_end)
            || !starts.skip(1).all(|start| fields::ends_line(bytes, start))
            || !fields::ends_line(bytes, self.end)
        {
            return Err(LINE_END);
        }
        Ok(())
    }

    fn read_fields(&mut self, bytes: &[u8]) -> Result<(), BadHead> {
        let mut framing = FramingFields::default();
        let (mut upgrade_offered, mut h2c_offered) = (false, false);
        self.host = None;
        self.connection = ConnectionOptions::default();
        self.expects_continue = false;
        for field in &self.fields {
            let value = field.value.in_bytes(bytes);
            match field.known {
                Known::Other => {}
                Known::Host if self.host.is_some() => return Err(BadHead::Malformed("two Host fields")),
                Known::Host => self.host = Some(field.value),
                Known::ContentLength => framing.content_length(value)?,
                Known::TransferEncoding => framing.transfer_encoding(value)?,
                Known::Connection => self.connection.read(value),
                Known::Expect => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
                Known::Upgrade => {
                    upgrade_offered = true;
                    h2c_offered |= fields::members(value).any(is_h2c);
                }
                _ => {}
            }
        }
        let http10 = self.version == Version::Http10;
        self.framing = framing.of_request(http10)?;
        self.contradictory_length = framing.contradicts_itself();
        // h2c would carry requests past us unseen, so it is never offered to a worker. Nor is anything with a body: where
        // that ends and the new protocol begins would be for both sides to guess.
        self.upgrade = upgrade_offered
            && !h2c_offered
            && self.connection.upgrade
            && !http10
            && self.framing == Framing::None;
        self.expects_continue &= !http10 && self.framing != Framing::None;
        if self.connection.names_fields {
            for essential in ["content-length", "transfer-encoding", "host"] {
                if fields::is_named_in_connection(&self.fields, bytes, essential.as_bytes()) {
                    return Err(BadHead::Malformed(
                        "Connection names a field that frames or routes the request",
                    ));
                }
            }
        }
        match self.host {
            None if !http10 => Err(BadHead::Malformed("Host is missing")),
            Some(host) if !is_host(host.in_bytes(bytes)) => {
                Err(BadHead::Malformed("Host is not a host name"))
            }
            _ => Ok(()),
        }
    }

    fn check_target(&self, bytes: &[u8]) -> Result<(), BadHead> {
        let target = self.target.in_bytes(bytes);
        if self.method == Method::Connect {
            return Err(BadHead::Connect);
        }
        if target.iter().any(|&byte| byte <= b' ' || byte == 0x7f || byte == b'#') {
            return Err(BadHead::Malformed("the target holds a character that must be percent-encoded"));
        }
        if target[0] == b'/' || (target == b"*" && self.method == Method::Options) {
            return Ok(());
        }
        let Some(authority) = absolute_authority(target) else {
            return Err(BadHead::Malformed("the target is neither a path nor a URL"));
        };
        let host = self.host.map(|host| host.in_bytes(bytes));
        if !is_host(authority)
            || authority.is_empty()
            || host.is_some_and(|host| !host.eq_ignore_ascii_case(authority))
        {
            return Err(BadHead::Malformed("the target's host contradicts Host"));
        }
        Ok(())
    }

    /// Whether the connection may carry another request after this one.
    pub(crate) fn is_persistent(&self) -> bool {
        let wished = match self.version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        };
        wished && !self.contradictory_length
    }

    /// From the name of field `index` to the next line.
    pub(crate) fn line(&self, index: usize) -> std::ops::Range<usize> {
        let end = self.fields.get(index + 1).map_or(self.fields_end, |next| next.name.start as usize);
        self.fields[index].name.start as usize..end
    }
}

/// The authority of `http://authority/path`.
fn absolute_authority(target: &[u8]) -> Option<&[u8]> {
    let rest = [&b"http://"[..], b"https://"]
        .iter()
        .find(|scheme| target.len() >= scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme))
        .map(|scheme| &target[scheme.len()..])?;
    let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Whether an offered protocol, with or without a version, is HTTP/2 in the clear.
fn is_h2c(protocol: &[u8]) -> bool {
    let name = protocol.split(|&byte| byte == b'/').next();
    name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"h2c"))
}

/// `uri-host [":" port]` of RFC 9110, 7.2; empty is allowed there. With two colons nobody knows where the port begins.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let is_port = |rest: &[u8]| match rest {
        [] => true,
        [b':'] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit) && parses_as_port(port),
        _ => false,
    };
    if let Some(address) = value.strip_prefix(b"[") {
        return address.iter().position(|&byte| byte == b']').is_some_and(|end| {
            end > 0
                && address[..end].iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
                && is_port(&address[end + 1..])
        });
    }
    let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    value[..end].iter().all(is_name_byte) && is_port(&value[end..])
}

fn parses_as_port(digits: &[u8]) -> bool {
    std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

fn explain(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => {
            "a field name holds a character that is not allowed, or a line is folded"
        }
        httparse::Error::HeaderValue => "a field value holds a character that is not allowed",
        httparse::Error::NewLine => "a line does not end with CR LF",
        httparse::Error::Token => "the request line is not METHOD TARGET HTTP/1.1",
        _ => "this is not HTTP",
    }
}
