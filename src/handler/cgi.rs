//! What a FastCGI program is told of a request: the variables of CGI/1.1, those that every program needs beside them, and
//! those of IIS that programs written for it read.
//!
//! Pure, so that `ostler explain` tells the same as is sent.

use std::io::Write;

use super::variables::Scene;
use crate::exchange::{Client, Exchange, Peer};
use crate::failure::Failure;
use crate::fastcgi::record::{Params, put_begin};
use crate::http1::fields::{self, Known};
use crate::http1::framing::Framing;
use crate::http1::request::RequestHead;
use crate::http1::{Span, Version};
use crate::pool::FastCgiPassing;

/// What the usual request takes.
const USUAL_BYTES: usize = 2048;

/// The facts of one request for a program.
pub(crate) struct Cgi<'r> {
    pub(crate) head: &'r RequestHead,
    /// The head is an index over these.
    pub(crate) bytes: &'r [u8],
    pub(crate) peer: &'r Peer,
    pub(crate) over_http2: bool,
    pub(crate) scene: Scene<'r>,
    pub(crate) passing: &'r FastCgiPassing,
    /// Path and query after rewriting, if that has changed them.
    pub(crate) target: Option<&'r str>,
    /// Of the body, if there is one; always known.
    pub(crate) body_bytes: Option<u64>,
    /// Field lines of the host's own, each with its CR LF: they stand in for those of the client.
    pub(crate) told: &'r str,
    /// Another program has had the host serve this in its place, which is a GET.
    pub(crate) is_redirected: bool,
    /// Fields that only the host may send are not the client's.
    pub(crate) guards_identity: bool,
}

impl<'r> Cgi<'r> {
    pub(crate) fn of(
        exchange: &'r Exchange<'_>,
        scene: Scene<'r>,
        passing: &'r FastCgiPassing,
        guards_identity: bool,
    ) -> Cgi<'r> {
        let client = &exchange.client;
        let body_bytes = match (&exchange.spool, client.head().framing) {
            (Some(spool), _) => Some(spool.length()),
            (None, Framing::Length(length)) => Some(length),
            _ => None,
        };
        Cgi {
            head: client.head(),
            bytes: client.head_bytes(),
            peer: client.peer(),
            over_http2: matches!(client, Client::H2(_)),
            scene,
            passing,
            target: exchange.target.as_deref(),
            body_bytes,
            told: &exchange.told,
            is_redirected: exchange.redirects > 0,
            guards_identity,
        }
    }

    /// Calls `put` with every variable, each name once, until it fails.
    pub(crate) fn each<E>(&self, mut put: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        let target = path_and_query(self.head.target.in_bytes(self.bytes));
        let current = self.target.map_or(target, str::as_bytes);
        let query = memchr::memchr(b'?', current).map_or(&b""[..], |at| &current[at + 1..]);
        let root = self.passing.document_root.as_bytes();
        let script_name = script_name(self.scene);
        let path_info = match self.scene.path_info {
            // Together they are the path, which at the root is a slash.
            "" if script_name.is_empty() => "/",
            path_info => path_info,
        };
        let mut both = Vec::with_capacity(root.len() + script_name.len() + path_info.len());
        put(b"SCRIPT_FILENAME", script_filename(self.passing, self.scene).as_bytes())?;
        put(b"SCRIPT_NAME", script_name.as_bytes())?;
        both.extend_from_slice(script_name.as_bytes());
        both.extend_from_slice(path_info.as_bytes());
        put(b"DOCUMENT_URI", &both)?;
        // IIS leaves the path info out, but this is never empty.
        put(b"URL", if script_name.is_empty() { &both } else { script_name.as_bytes() })?;
        if !path_info.is_empty() {
            put(b"PATH_INFO", path_info.as_bytes())?;
            both.clear();
            both.extend_from_slice(root);
            both.extend_from_slice(path_info.as_bytes());
            put(b"PATH_TRANSLATED", &both)?;
        }
        put(b"DOCUMENT_ROOT", if root.is_empty() { b"/" } else { root })?;
        put(b"REQUEST_METHOD", self.method())?;
        put(b"QUERY_STRING", query)?;
        put(b"REQUEST_URI", target)?;
        put(b"REQUEST_SCHEME", b"http")?;
        put(b"SERVER_PROTOCOL", self.protocol())?;
        put(b"GATEWAY_INTERFACE", b"CGI/1.1")?;
        put(b"SERVER_SOFTWARE", concat!("ostler/", env!("CARGO_PKG_VERSION")).as_bytes())?;
        // php-cgi refuses to run without it where it does not know that it speaks FastCGI.
        put(b"REDIRECT_STATUS", b"200")?;
        put(b"FCGI_ROLE", b"RESPONDER")?;
        self.put_ends(&mut put)?;
        self.put_body(&mut put)?;
        self.put_iis(target, &mut put)?;
        self.put_told(&mut put)?;
        self.put_fields(&mut put)
    }

    fn method(&self) -> &[u8] {
        if self.is_redirected { b"GET" } else { self.head.method_name.in_bytes(self.bytes) }
    }

    fn protocol(&self) -> &'static [u8] {
        match self.head.version {
            _ if self.over_http2 => b"HTTP/2.0",
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
        }
    }

    /// Who speaks with whom.
    fn put_ends<E>(&self, put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        let host = self.head.host.map_or(&b""[..], |host| host.in_bytes(self.bytes));
        let colon = host.iter().rposition(|byte| *byte == b':');
        let colon = colon.filter(|at| host[at + 1..].iter().all(u8::is_ascii_digit));
        put(b"SERVER_NAME", &host[..colon.unwrap_or(host.len())])?;
        let port = colon.map_or(&b""[..], |at| &host[at + 1..]);
        match (port, self.peer.served_port) {
            ([], 0) => put(b"SERVER_PORT", b"80")?,
            ([], served) => put_number(b"SERVER_PORT", served.into(), put)?,
            (said, _) => put(b"SERVER_PORT", said)?,
        }
        // Behind a Unix socket stands a proxy that says in fields of its own who the client is.
        let ip = self.peer.ip.as_deref().unwrap_or_default().as_bytes();
        put(b"REMOTE_ADDR", ip)?;
        put(b"REMOTE_HOST", ip)?;
        if !ip.is_empty() {
            put_number(b"REMOTE_PORT", self.peer.port.into(), put)?;
        }
        if self.passing.tells_https_off {
            put(b"HTTPS", b"off")?;
        }
        Ok(())
    }

    fn put_body<E>(&self, put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.is_redirected {
            return Ok(());
        }
        let said = |name: &[u8]| {
            let mut fields = self.head.fields.iter();
            let field = fields.find(|field| field.name.in_bytes(self.bytes).eq_ignore_ascii_case(name))?;
            Some(field.value.in_bytes(self.bytes).trim_ascii())
        };
        match self.body_bytes {
            Some(length) => put_number(b"CONTENT_LENGTH", length, put)?,
            None if self.head.framing == Framing::None && said(b"content-length").is_some() => {
                put(b"CONTENT_LENGTH", b"0")?;
            }
            None => {}
        }
        said(b"content-type").map_or(Ok(()), |media_type| put(b"CONTENT_TYPE", media_type))
    }

    /// What programs written for IIS look for.
    fn put_iis<E>(
        &self,
        target: &[u8],
        put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        put(b"UNENCODED_URL", target)?;
        put(b"APPL_PHYSICAL_PATH", [self.passing.document_root.as_bytes(), b"/"].concat().as_slice())?;
        let id = self.passing.site_id;
        put(b"APPL_MD_PATH", format!("/LM/W3SVC/{id}/ROOT").as_bytes())?;
        put_number(b"INSTANCE_ID", id.into(), put)?;
        put(b"INSTANCE_META_PATH", format!("/LM/W3SVC/{id}").as_bytes())?;
        put(b"SERVER_PORT_SECURE", b"0")?;
        if self.target.is_some() && !self.is_redirected {
            put(b"IIS_WasUrlRewritten", b"1")?;
        }
        Ok(())
    }

    /// What the host says in fields, of several with one name the last.
    fn put_told<E>(&self, put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut name = Vec::new();
        let lines: Vec<(&str, &str)> = told_fields(self.told).collect();
        for (index, (field, value)) in lines.iter().enumerate() {
            if !lines[index + 1..].iter().any(|(later, _)| later.eq_ignore_ascii_case(field)) {
                variable(&mut name, field.as_bytes());
                put(&name, value.as_bytes())?;
            }
        }
        Ok(())
    }

    fn put_fields<E>(&self, put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        let (mut variable_name, mut joined) = (Vec::new(), Vec::new());
        for (index, field) in self.head.fields.iter().enumerate() {
            let name = field.name.in_bytes(self.bytes);
            if !self.passes(name, field.known) || self.is_repeated(index, name) {
                continue;
            }
            variable(&mut variable_name, name);
            let first = field.value.in_bytes(self.bytes).trim_ascii();
            let mut rest = self.head.fields[index + 1..]
                .iter()
                .filter(|later| later.name.in_bytes(self.bytes).eq_ignore_ascii_case(name))
                .map(|later| later.value)
                .peekable();
            if rest.peek().is_none() {
                put(&variable_name, first)?;
                continue;
            }
            let between: &[u8] = if field.known == Known::Cookie { b"; " } else { b", " };
            joined.clear();
            joined.extend_from_slice(first);
            rest.for_each(|value: Span| {
                joined.extend_from_slice(between);
                joined.extend_from_slice(value.in_bytes(self.bytes).trim_ascii());
            });
            put(&variable_name, &joined)?;
        }
        Ok(())
    }

    /// Whether a field of the client's is told.
    fn passes(&self, name: &[u8], known: Known) -> bool {
        let is_of_connection = match known {
            Known::Connection
            | Known::KeepAlive
            | Known::Te
            | Known::Trailer
            | Known::Proxy
            | Known::Http2Settings
            | Known::Upgrade
            | Known::TransferEncoding
            // The host has answered it.
            | Known::Expect
            // These have variables of their own.
            | Known::ContentLength => true,
            _ => name.eq_ignore_ascii_case(b"content-type"),
        };
        // With `_`, or with `.` in PHP, it would be taken for the field that is spelled with `-`; and Proxy for the proxy
        // that the program is to use. Proxy-Authorization and its kin are of the connection.
        let is_false_friend =
            name.iter().any(|byte| matches!(byte, b'_' | b'.')) || name.eq_ignore_ascii_case(b"proxy");
        let is_hosts = || {
            (self.guards_identity && fields::is_identity(name))
                || told_fields(self.told).any(|(told, _)| told.as_bytes().eq_ignore_ascii_case(name))
        };
        let is_named = || {
            self.head.connection.names_fields
                && fields::is_named_in_connection(&self.head.fields, self.bytes, name)
        };
        !is_of_connection && !is_false_friend && fields::is_token(name) && !is_hosts() && !is_named()
    }

    /// Whether a field of this name has come before, and has been joined with this one.
    fn is_repeated(&self, index: usize, name: &[u8]) -> bool {
        let before = &self.head.fields[..index];
        before.iter().any(|earlier| earlier.name.in_bytes(self.bytes).eq_ignore_ascii_case(name))
    }
}

/// Heads below this make no variable that is too long for a record.
const HARMLESS_BYTES: usize = 32 * 1024;

/// Refuses what no program can be told before one is started for it.
///
/// # Errors
/// A variable is longer than what programs can be told.
pub(super) fn check(
    exchange: &Exchange<'_>,
    scene: Scene<'_>,
    passing: &FastCgiPassing,
    guards_identity: bool,
) -> Result<(), Failure> {
    if exchange.client.head_bytes().len() < HARMLESS_BYTES {
        return Ok(());
    }
    begin(&Cgi::of(exchange, scene, passing, guards_identity), passing).map(drop)
}

/// The begin of a request and its parameters, as they go to the program.
///
/// # Errors
/// A variable is longer than what programs can be told.
pub(super) fn begin(cgi: &Cgi<'_>, passing: &FastCgiPassing) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(USUAL_BYTES);
    put_begin(&mut out, passing.keeps_connection);
    let mut params = Params::new(&mut out);
    cgi.each(|name, value| {
        params
            .put(name, value)
            .map_err(|_| Failure::ParameterTooLarge(String::from_utf8_lossy(name).into_owned()))
    })?;
    params.end();
    Ok(out)
}

/// Empty for a program that has all paths of the site.
fn script_name(scene: Scene<'_>) -> String {
    if scene.script.is_empty() { String::new() } else { ["/", scene.script].concat() }
}

pub(super) fn script_filename(passing: &FastCgiPassing, scene: Scene<'_>) -> String {
    format!("{}{}", passing.document_root, script_name(scene))
}

/// `HTTP_` and the name of a field in capitals, with `_` for `-`.
fn variable(out: &mut Vec<u8>, name: &[u8]) {
    out.clear();
    out.extend_from_slice(b"HTTP_");
    out.extend(name.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
}

fn told_fields(told: &str) -> impl Iterator<Item = (&str, &str)> {
    told.split("\r\n").filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

/// A target without the scheme and authority that proxies are sent.
fn path_and_query(target: &[u8]) -> &[u8] {
    let Some(authority) = memchr::memmem::find(target, b"://").filter(|_| !target.starts_with(b"/")) else {
        return target;
    };
    let rest = &target[authority + 3..];
    rest.iter().position(|byte| *byte == b'/').map_or(b"/", |at| &rest[at..])
}

fn put_number<E>(
    name: &[u8],
    number: u64,
    put: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    // The longest number has twenty digits.
    let mut text = [0; 20];
    let mut rest = &mut text[..];
    let _ = write!(rest, "{number}");
    let unused = rest.len();
    put(name, &text[..20 - unused])
}

#[cfg(test)]
mod tests;
