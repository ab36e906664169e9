//! Failures as pages: from a report to what the client reads. Pure; who asks and what was logged is the caller's matter.
//!
//! [`choose`] and its kin decide how much is told, [`render`] tells it. [`short`] is for applications that are no site's.

mod bare;
mod choose;
mod developer;
mod escape;
mod hints;
mod plain;
mod startup;
mod template;

use std::borrow::Cow;

pub(crate) use self::choose::{
    Rendering, choose, choose_for_command, choose_for_fast_cgi, choose_for_program,
};
pub(crate) use self::plain::short;
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Manner, Side};
use crate::pool::journal::Excerpt;

/// Everything that is known of a request that failed.
pub(crate) struct Report<'a> {
    pub(crate) failure: &'a Failure,
    pub(crate) manner: Manner,
    /// Status and substatus.
    pub(crate) numbers: (u16, u16),
    /// It is for development that details are shown, and to everybody.
    pub(crate) for_everybody: bool,
    /// Where the host's owner has written down more.
    pub(crate) help_link: Option<&'a str>,
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

impl Report<'_> {
    /// What stands at the head of a page, and in the field of the response.
    fn number(&self) -> String {
        match (self.manner, self.numbers) {
            (Manner::Command, (status, _)) => status.to_string(),
            (_, (status, substatus)) => format!("{status}.{substatus}"),
        }
    }
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
    let (status, _) = report.numbers;
    let shown = if rendering.is_ok() { 200 } else { status };
    let (html, text) = ("text/html; charset=utf-8", "text/plain; charset=utf-8");
    let (media_type, body) = match (failure, rendering) {
        (Failure::Offline(page), _) => (html, Vec::from(&**page)),
        (_, Rendering::Plain) if report.wants_html => (html, plain::html(report).into_bytes()),
        (_, Rendering::Plain) => (text, plain::text(report).into_bytes()),
        (_, Rendering::Startup { is_detailed }) => match report.wants_html {
            true => (html, startup::html(report, is_detailed).into_bytes()),
            false => (text, startup::text(report, is_detailed).into_bytes()),
        },
        // iisnode's page is HTML for everybody.
        (_, Rendering::Known { .. } | Rendering::DevPage { .. })
            if !report.wants_html && report.manner != Manner::Iisnode =>
        {
            (text, bare::text(report).into_bytes())
        }
        (_, Rendering::Known { .. } | Rendering::DevPage { .. }) => {
            (html, developer::page(report, rendering).into_bytes())
        }
    };
    let code = match report.manner {
        Manner::Command => Cow::Borrowed(failure.code()),
        _ => Cow::Owned(report.number()),
    };
    let mut fields = vec![
        ("Content-Type", Cow::Borrowed(media_type)),
        ("Cache-Control", Cow::Borrowed("no-cache")),
        ("X-Ostler-Error", code),
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
