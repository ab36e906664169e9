//! The pages that give nothing away.

use std::borrow::Cow;

use super::Report;
use super::template::fill;
use crate::exchange::reply::{Reply, reason};
use crate::failure::{Failure, Side};

/// For an application that is no site's: one line, with the code of the failure.
pub(crate) fn short(failure: &Failure) -> Reply {
    let status = failure.status();
    let told = match failure.side() {
        Side::Downstream => format!("{status} {}: {failure}\n", reason(status)),
        Side::Upstream | Side::Site | Side::Host => {
            format!("{status} {} ({})\n", reason(status), failure.code())
        }
    };
    let mut reply = Reply::text(status, told);
    reply.fields.push(("X-Ostler-Error", Cow::Borrowed(failure.code())));
    if let Some(after) = failure.retry_after() {
        reply.fields.push(("Retry-After", Cow::Owned(after.as_secs().max(1).to_string())));
    }
    reply.fields.extend(super::allowed(failure).map(|methods| ("Allow", Cow::Borrowed(methods))));
    reply.close = failure.side() == Side::Downstream;
    reply
}

pub(super) fn html(report: &Report<'_>) -> String {
    let (status, _) = report.numbers;
    let values = [
        ("status", &*status.to_string()),
        ("reason", reason(status)),
        ("told", told(report)),
        ("request", report.request_id),
    ];
    fill(include_str!("../../../www/plain.html"), &values)
}

pub(super) fn text(report: &Report<'_>) -> String {
    let (status, _) = report.numbers;
    format!("{status} {}\n{}\nrequest {}\n", reason(status), told(report), report.request_id)
}

/// What helps a visitor, and says nothing of how the site is made.
fn told(report: &Report<'_>) -> &'static str {
    match report.numbers.0 {
        403 => "You may not see this page.",
        404 => "There is no such page.",
        405 => "This cannot be done with this page.",
        413 => "What was sent is too large.",
        400..500 => "The request was not understood.",
        _ if report.failure.retry_after().is_some() => {
            "The site is busy or being worked on. Please try again in a moment."
        }
        _ => {
            "Something went wrong on our side. Whoever runs the site can find the reason by the number below."
        }
    }
}
