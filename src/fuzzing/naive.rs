//! A second reader of HTTP/1, written from the grammar of RFC 9110 and RFC 9112 and from nothing else: it splits, copies
//! and compares, knows neither buffers nor splits, and shares no code with the codec it judges.

/// A head, copied out of the bytes it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) start_line: Vec<u8>,
    /// Each line without its CR LF.
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    /// From the first byte of the connection to the last of the head.
    pub(super) length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    None,
    Bytes(u64),
    Chunks,
    UntilClose,
}

const CODINGS: [&str; 6] = ["chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress"];

/// The head `bytes` begin with, if it is complete and of the grammar; its start line is not looked into.
pub(super) fn head(bytes: &[u8], leading_lines: bool) -> Option<Head> {
    let mut begin = 0;
    while leading_lines && bytes[begin..].starts_with(b"\r\n") {
        begin += 2;
    }
    let end = begin + find(&bytes[begin..], b"\r\n\r\n")?;
    let mut lines = split(&bytes[begin..end], b"\r\n");
    if lines.iter().flatten().any(|byte| b"\r\n".contains(byte)) {
        return None;
    }
    let start_line = lines.remove(0);
    let fields = lines.iter().map(|line| field(line)).collect::<Option<Vec<_>>>()?;
    Some(Head { start_line, lines, fields, length: end + 4 })
}

/// `field-name ":" OWS field-value OWS`; the name in lower case.
pub(super) fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    let clean = value.iter().all(|&byte| byte == b'\t' || (0x20..=0x7e).contains(&byte) || byte >= 0x80);
    (is_token(name) && clean).then(|| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
}

pub(super) fn is_token(name: &[u8]) -> bool {
    const DELIMITERS: &[u8] = b"\"(),/:;<=>?@[\\]{}";
    !name.is_empty() && name.iter().all(|byte| (0x21..=0x7e).contains(byte) && !DELIMITERS.contains(byte))
}

impl Head {
    /// Method, target, and the digit behind `HTTP/1.`.
    pub(super) fn request_line(&self) -> Option<(Vec<u8>, Vec<u8>, u8)> {
        let parts: [Vec<u8>; 3] = split(&self.start_line, b" ").try_into().ok()?;
        let [method, target, version] = parts;
        Some((method, target, version_digit(&version)?))
    }

    /// The digit behind `HTTP/1.`, and the status.
    pub(super) fn status_line(&self) -> Option<(u8, u16)> {
        let digit = version_digit(self.start_line.get(..8)?)?;
        let rest = self.start_line[8..].strip_prefix(b" ")?;
        let status: u16 = std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()?;
        let reason = &rest[3..];
        // The space before an empty reason is left out by many, and nobody minds.
        let clean = reason.iter().all(|&byte| byte == b'\t' || byte >= 0x20 && byte != 0x7f);
        ((reason.is_empty() || reason[0] == b' ') && clean && status >= 100).then_some((digit, status))
    }

    pub(super) fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The members of a list field over all its lines, in lower case.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let members = self.values(name).flat_map(|value| split(value, b","));
        let texts = members.map(|member| String::from_utf8_lossy(trim(&member)).to_ascii_lowercase());
        texts.filter(|member| !member.is_empty()).collect()
    }

    /// RFC 9112, 6.3, for a message that may have a body; `None` where anyone might read it differently.
    pub(super) fn size(&self, http10: bool, response: bool) -> Option<Size> {
        let lengths: Vec<&[u8]> = self.values("content-length").collect();
        let length = match lengths[..] {
            [] => None,
            [digits] if digits.iter().all(u8::is_ascii_digit) && digits.len() < 20 => {
                Some(std::str::from_utf8(digits).ok()?.parse().ok()?)
            }
            _ => return None,
        };
        if self.values("transfer-encoding").next().is_some() {
            let codings = self.list("transfer-encoding");
            let commas: usize = self
                .values("transfer-encoding")
                .map(|value| 1 + value.iter().filter(|&&byte| byte == b',').count())
                .sum();
            let (last, others) = codings.split_last()?;
            let sound = last == "chunked"
                && !others.contains(last)
                && commas == codings.len()
                && codings.iter().all(|coding| CODINGS.contains(&coding.as_str()));
            return (sound && !http10).then_some(Size::Chunks);
        }
        Some(match length {
            Some(0) => Size::None,
            Some(length) => Size::Bytes(length),
            None if response => Size::UntilClose,
            None => Size::None,
        })
    }

    pub(super) fn has_both_lengths(&self) -> bool {
        self.values("content-length").next().is_some() && self.values("transfer-encoding").next().is_some()
    }

    pub(super) fn keeps_connection(&self, http10: bool) -> bool {
        let options = self.list("connection");
        let has = |option: &str| options.iter().any(|own| own == option);
        !has("close") && (!http10 || has("keep-alive"))
    }

    /// Whether a request may go to a worker at all: one host, one target, one length.
    pub(super) fn is_unambiguous_request(&self) -> bool {
        let Some((method, target, version)) = self.request_line() else { return false };
        let hosts: Vec<&[u8]> = self.values("host").collect();
        let named = self.list("connection");
        let routed = ["content-length", "transfer-encoding", "host"];
        is_token(&method)
            && method != b"CONNECT"
            && self.size(version == b'0', false).is_some()
            && !routed.iter().any(|name| named.iter().any(|own| own == name))
            && hosts.len() <= 1
            && (version == b'0' || hosts.len() == 1)
            && hosts.iter().all(|host| is_host(host))
            && is_target(&method, &target, hosts.first().copied())
    }
}

fn is_target(method: &[u8], target: &[u8], host: Option<&[u8]>) -> bool {
    let Ok(text) = std::str::from_utf8(target) else { return false };
    if text.chars().any(|c| c <= ' ' || c == '\x7f' || c == '#') {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://")) else {
        return text.starts_with('/') || (text == "*" && method == b"OPTIONS");
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default().as_bytes();
    !authority.is_empty()
        && is_host(authority)
        && host.is_none_or(|host| host.to_ascii_lowercase() == authority)
}

fn is_host(host: &[u8]) -> bool {
    let text = String::from_utf8_lossy(host);
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix(':').unwrap_or(&text);
    let port = text[name.len()..].trim_start_matches(':');
    if !port.is_empty() && port.parse::<u64>().ok().is_none_or(|port| port > 65535) {
        return false;
    }
    match name.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| {
            !address.is_empty() && address.chars().all(|c| "0123456789abcdefABCDEF:.".contains(c))
        }),
        None => name.chars().all(|c| c.is_ascii_alphanumeric() || "-._~!$&'()*+;=%".contains(c)),
    }
}

/// A whole chunked body.
pub(super) struct Chunks {
    pub(super) length: usize,
    pub(super) data: Vec<u8>,
    pub(super) trailers: Vec<u8>,
}

/// The chunked body `bytes` begin with, if it is complete and of the grammar.
pub(super) fn chunks(bytes: &[u8]) -> Option<Chunks> {
    const LATE: [&str; 14] = [
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-proto",
        "proxy-connection",
    ];
    let (mut at, mut data, mut trailers) = (0, Vec::new(), Vec::new());
    loop {
        let line = line(&bytes[at..])?;
        at += line.len() + 2;
        let digits = line.split(|&byte| byte == b';').next()?;
        let extension = line.get(digits.len() + 1..).unwrap_or_default();
        let clean = extension.iter().all(|&byte| byte == b'\t' || byte >= 0x20 && byte != 0x7f);
        if !clean || extension.len() > 1024 || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit)
        {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let chunk = bytes.get(at..at.checked_add(size)?.checked_add(2)?)?;
        data.extend_from_slice(chunk.strip_suffix(b"\r\n")?);
        at += chunk.len();
    }
    loop {
        let line = line(&bytes[at..])?;
        at += line.len() + 2;
        if line.is_empty() {
            return Some(Chunks { length: at, data, trailers });
        }
        let (name, _) = field(line)?;
        let late = LATE.contains(&name.as_str()) || name.starts_with("proxy-") && name.len() >= 16;
        let late = late || is_of_the_host(&name.replace('_', "-"));
        if late || trailers.len() + line.len() > 16 * 1024 {
            return None;
        }
        trailers.extend_from_slice(line);
        trailers.extend_from_slice(b"\r\n");
    }
}

/// Whether a lower-case name is one that clients have no say in.
fn is_of_the_host(name: &str) -> bool {
    let names =
        ["x-original-url", "x-original-for", "x-original-proto", "x-original-host", "x-iis-windowsauthtoken"];
    names.contains(&name) || name.starts_with("ms-aspnetcore") || name.starts_with("x-iisnode-")
}

/// Up to the first line end, which must be CR LF.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let line = &bytes[..find(bytes, b"\r\n")?];
    (!line.iter().any(|byte| b"\r\n".contains(byte))).then_some(line)
}

fn version_digit(version: &[u8]) -> Option<u8> {
    version.strip_prefix(b"HTTP/1.").filter(|rest| *rest == b"0" || *rest == b"1").map(|rest| rest[0])
}

pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn split(mut bytes: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some(at) = find(bytes, separator) {
        parts.push(bytes[..at].to_vec());
        bytes = &bytes[at + separator.len()..];
    }
    parts.push(bytes.to_vec());
    parts
}
