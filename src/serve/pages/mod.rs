//! Failures as pages: from a report to what the client reads. Pure; who asks and what was logged is the caller's matter.
//!
//! [`choose`] decides how much is told, [`render`] tells it. [`short`] is for applications that are no site's.

mod choose;
mod developer;
mod escape;
mod hints;
mod plain;
mod template;

use std::borrow::Cow;

pub(crate) use self::choose::{Rendering, choose};
pub(crate) use self::plain::short;
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Side};
use crate::pool::journal::Excerpt;

/// Everything that is known of a request that failed.
pub(crate) struct Report<'a> {
    pub(crate) failure: &'a Failure,
    pub(crate) application: Option<&'a str>,
    pub(crate) journal: Option<Excerpt>,
    /// The process that had the request, if one had.
    pub(crate) worker: Option<u32>,
    /// The last it wrote, if it is alive.
    pub(crate) live_stderr: Option<Vec<u8>>,
    pub(crate) request_id: &'a str,
    /// As the client asked for it.
    pub(crate) url: &'a str,
    /// Whether the client's Accept names HTML: programs get text.
    pub(crate) wants_html: bool,
}

/// The number by which a person who saw a page and one who reads the log talk about the same request.
pub(crate) fn request_id() -> String {
    // Without random numbers there are worse troubles than two requests with one number.
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}

/// Whether an Accept field names HTML; `*/*` is said by programs too, so it does not count.
pub(crate) fn accepts_html(accept: &[u8]) -> bool {
    let accept = accept.to_ascii_lowercase();
    [&b"text/html"[..], b"application/xhtml+xml"]
        .iter()
        .any(|name| memchr::memmem::find(&accept, name).is_some())
}

pub(crate) fn render(report: &Report<'_>, rendering: Rendering) -> Reply {
    let failure = report.failure;
    let (status, substatus) = failure.iis();
    let shown = if rendering.is_ok() { 200 } else { status };
    let html = "text/html; charset=utf-8";
    let (media_type, body) = match (failure, rendering) {
        (Failure::Offline(page), _) => (html, Vec::from(&**page)),
        (_, Rendering::Plain) if report.wants_html => (html, plain::html(report).into_bytes()),
        (_, Rendering::Plain) => ("text/plain; charset=utf-8", plain::text(report).into_bytes()),
        (_, Rendering::Known { .. } | Rendering::DevPage { .. }) => {
            (html, developer::page(report, rendering).into_bytes())
        }
    };
    let mut fields = vec![
        ("Content-Type", Cow::Borrowed(media_type)),
        ("Cache-Control", Cow::Borrowed("no-cache")),
        ("X-Ostler-Error", Cow::Owned(format!("{status}.{substatus}"))),
    ];
    if shown != 200
        && let Some(after) = failure.retry_after()
    {
        fields.push(("Retry-After", Cow::Owned(after.as_secs().max(1).to_string())));
    }
    fields.extend(allowed(failure).map(|methods| ("Allow", Cow::Borrowed(methods))));
    let close = failure.side() == Side::Downstream;
    Reply { status: shown, reason: None, fields, extra: String::new(), body: Cow::Owned(body), close }
}

/// What a 405 has to say; who refuses a method of a file says it himself.
fn allowed(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::Connect => Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
