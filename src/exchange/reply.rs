//! A response made by the host itself.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::SystemTime;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The reason phrase, if not the usual one.
    pub(crate) reason: Option<Box<str>>,
    pub(crate) fields: Vec<(&'static str, Cow<'static, str>)>,
    /// Further field lines, each with its CR LF.
    pub(crate) extra: String,
    pub(crate) body: Cow<'static, [u8]>,
    /// Nothing may follow on this connection.
    pub(crate) close: bool,
}

impl Reply {
    pub(crate) fn text(status: u16, body: String) -> Reply {
        Reply {
            status,
            reason: None,
            fields: vec![("Content-Type", Cow::Borrowed("text/plain; charset=utf-8"))],
            extra: String::new(),
            body: Cow::Owned(body.into_bytes()),
            close: false,
        }
    }

    /// Nothing but a status: for redirects, and for answers that are all fields.
    pub(crate) fn empty(status: u16) -> Reply {
        Reply {
            status,
            reason: None,
            fields: Vec::new(),
            extra: String::new(),
            body: Cow::Borrowed(b""),
            close: false,
        }
    }

    /// The head in HTTP/1 form.
    pub(crate) fn head_text(&self, connection: Option<&str>) -> String {
        let mut lines = String::with_capacity(self.extra.len() + 64);
        for (name, value) in &self.fields {
            // Writing to a String cannot fail.
            let _ = write!(lines, "{name}: {value}\r\n");
        }
        lines.push_str(&self.extra);
        let opening = Opening { status: self.status, lines: &lines, length: Some(self.body.len() as u64) };
        opening.head_with(self.reason.as_deref().unwrap_or(reason(self.status)), connection)
    }
}

/// The head of a response made by the host whose body is sent piece by piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) status: u16,
    /// Field lines, each with its CR LF; none that says how long the body is, or what becomes of the connection.
    pub(crate) lines: &'a str,
    /// Of the body, also when the client asks for the head alone; None if the status allows no body.
    pub(crate) length: Option<u64>,
}

impl Opening<'_> {
    /// The head in HTTP/1 form.
    pub(crate) fn head_text(&self, connection: Option<&str>) -> String {
        self.head_with(reason(self.status), connection)
    }

    fn head_with(&self, reason: &str, connection: Option<&str>) -> String {
        let mut head = String::with_capacity(self.lines.len() + 192);
        // Writing to a String cannot fail.
        let _ = write!(head, "HTTP/1.1 {} {reason}\r\n{}", self.status, self.lines);
        let _ = write!(head, "Date: {}\r\n", date_now());
        if let Some(length) = self.length {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        if let Some(connection) = connection {
            let _ = write!(head, "Connection: {connection}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

pub(crate) fn date_now() -> httpdate::HttpDate {
    httpdate::HttpDate::from(SystemTime::now())
}

/// The reason phrase of `status`.
pub(crate) fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}
