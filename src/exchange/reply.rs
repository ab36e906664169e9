//! A response made by the host itself.

use std::borrow::Cow;
use std::time::SystemTime;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Cow<'static, [u8]>,
    /// Nothing may follow on this connection.
    pub(crate) close: bool,
}

impl Reply {
    pub(crate) fn text(status: u16, body: String) -> Reply {
        Reply {
            status,
            fields: vec![("Content-Type", Cow::Borrowed("text/plain; charset=utf-8"))],
            body: Cow::Owned(body.into_bytes()),
            close: false,
        }
    }

    /// The head in HTTP/1 form.
    pub(crate) fn head_text(&self, connection: Option<&str>) -> String {
        use std::fmt::Write;
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.fields {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Date: {}\r\nContent-Length: {}\r\n", date_now(), self.body.len());
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
