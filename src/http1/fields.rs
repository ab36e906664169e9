//! The fields an intermediary must know by name, and the grammar of field names and lists.

use super::Span;

/// Fields that we read, remove or replace; all others pass untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    Cookie,
    Date,
    Expect,
    Host,
    Http2Settings,
    KeepAlive,
    /// `Proxy-Connection` and its kin, meant for the proxy that reads them.
    Proxy,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    XForwardedFor,
    XForwardedProto,
    Other,
}

impl Known {
    pub(crate) fn of(name: &[u8]) -> Known {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            2 if is("te") => Known::Te,
            4 if is("host") => Known::Host,
            4 if is("date") => Known::Date,
            6 if is("cookie") => Known::Cookie,
            6 if is("expect") => Known::Expect,
            7 if is("upgrade") => Known::Upgrade,
            7 if is("trailer") => Known::Trailer,
            10 if is("connection") => Known::Connection,
            10 if is("keep-alive") => Known::KeepAlive,
            14 if is("content-length") => Known::ContentLength,
            14 if is("http2-settings") => Known::Http2Settings,
            15 if is("x-forwarded-for") => Known::XForwardedFor,
            17 if is("transfer-encoding") => Known::TransferEncoding,
            17 if is("x-forwarded-proto") => Known::XForwardedProto,
            16.. if name[..6].eq_ignore_ascii_case(b"proxy-") => Known::Proxy,
            _ => Known::Other,
        }
    }
}

/// One field line of a head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
    pub(crate) known: Known,
}

/// The members of a comma-separated list, without blanks and without empty members.
pub(crate) fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// Whether a field says what only the host may say: who the user is, who the client was, which URL was asked for, and
/// that it is the host who asks.
pub(crate) fn is_identity(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 2] = [b"X-iisnode-", b"MS-ASPNETCORE"];
    const NAMES: [&[u8]; 5] = [
        b"X-Original-URL",
        b"X-Original-For",
        b"X-Original-Proto",
        b"X-Original-Host",
        b"X-IIS-WindowsAuthToken",
    ];
    // Nearly every field is told from these by its beginning. Workers that read `_` like `-` are not fooled either.
    if !matches!(
        name,
        [b'x' | b'X', b'-' | b'_', b'i' | b'I' | b'o' | b'O', ..] | [b'm' | b'M', b's' | b'S', ..]
    ) {
        return false;
    }
    let is = |one: &u8, other: &u8| one.eq_ignore_ascii_case(other) || (*one == b'_' && *other == b'-');
    let begins_with =
        |start: &[u8]| name.len() >= start.len() && name.iter().zip(start).all(|(one, other)| is(one, other));
    PREFIXES.iter().any(|prefix| begins_with(prefix))
        || NAMES.iter().any(|known| known.len() == name.len() && begins_with(known))
}

/// What a `Connection` field says, over all its lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// Some option names a field, which is then meant for us alone.
    pub(crate) names_fields: bool,
}

impl ConnectionOptions {
    pub(crate) fn read(&mut self, value: &[u8]) {
        for option in members(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names_fields = true;
            }
        }
    }
}

/// Whether a `Connection` field among `fields` names `name`.
pub(crate) fn is_named_in_connection(fields: &[Field], bytes: &[u8], name: &[u8]) -> bool {
    fields
        .iter()
        .filter(|field| field.known == Known::Connection)
        .flat_map(|field| members(field.value.in_bytes(bytes)))
        .any(|option| option.eq_ignore_ascii_case(name))
}

/// `token` of RFC 9110, 5.6.2: what a field name may consist of.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// What a field value may consist of: visible characters, blanks, tabs and bytes above ASCII.
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// Whether `bytes[line_end - 2..line_end]` closes a line as RFC 9112 demands: CR LF, not LF alone.
pub(crate) fn ends_line(bytes: &[u8], line_end: usize) -> bool {
    line_end >= 2 && bytes[line_end - 2..line_end] == *b"\r\n"
}
