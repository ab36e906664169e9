//! The page for who writes the program or runs the site: what happened, where, what to do next, and all that was seen.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use super::escape::{escape, printed};
use super::template::fill;
use super::{Rendering, Report, hints};
use crate::exchange::reply::reason;
use crate::failure::{Failure, Manner, Side};
use crate::pool::journal::{Cause, Ending, Excerpt};

/// As much of stderr as a tail keeps; one that is full begins in the middle of a line.
const FULL_TAIL_BYTES: usize = 64 * 1024;

const PORT_TAKEN: &str = "End the program that has the port, or name another port where yours is set; where none is set \
    each start gets one that is free.";

pub(super) fn page(report: &Report<'_>, rendering: Rendering) -> String {
    let (status, _) = report.numbers;
    let values = [
        ("number", &*report.number()),
        ("reason", reason(status)),
        ("happened", &escape(&sentence(&report.failure.in_words(report.manner)))),
        ("where", &place(report)),
        ("sections", &sections(report)),
        ("note", note(report, rendering)),
        ("request", &escape(report.request_id)),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    fill(include_str!("../../../www/error.html"), &values)
}

pub(super) fn place(report: &Report<'_>) -> String {
    let url = escape(report.url);
    match report.application {
        Some(application) => {
            format!("<code>{url}</code>, for the application <code>{}</code>", escape(application))
        }
        None => format!("<code>{url}</code>"),
    }
}

fn sections(report: &Report<'_>) -> String {
    let mut out = String::new();
    let about_workers = report.failure.side() == Side::Upstream;
    let unknown = Excerpt::default();
    let journal = report.journal.as_ref().unwrap_or(&unknown);
    if let Failure::BadSettings { notes, .. } = report.failure {
        section(&mut out, "", "What is wrong", &list(notes.iter().map(|note| escape(note))));
    }
    section(&mut out, "next", "What to do next", &next(report, journal));
    if about_workers || matches!(report.failure, Failure::ProgramNotFound { .. }) {
        sections_of_workers(&mut out, report, journal);
    }
    section(&mut out, "", "For search engines and reports", &numbers(report));
    out
}

/// What is known of the workers: their last words, how they are started, how they ended.
pub(super) fn sections_of_workers(out: &mut String, report: &Report<'_>, journal: &Excerpt) {
    let about_workers = report.failure.side() == Side::Upstream;
    // What a server of its own prints is not heard here, but for what it says of requests.
    let is_heard = report.manner != Manner::FastCgiServer || report.live_stderr.is_some();
    if about_workers && is_heard {
        let title = match said(report, journal) {
            Said { is_both: true, .. } => "What the worker wrote",
            Said { is_both: false, .. } => "What the worker wrote to stderr",
        };
        section(out, "", title, &output(report, journal));
    }
    if !journal.run.command.is_empty() {
        section(out, "", "How workers are started", &start(report, journal));
    }
    if about_workers && !journal.endings.is_empty() {
        let endings = list(endings(journal).map(|ending| escape(&ending)));
        section(out, "", "How workers ended, latest first", &endings);
    }
}

/// How workers ended, in words, latest first.
pub(super) fn endings(journal: &Excerpt) -> impl Iterator<Item = String> {
    journal.endings.iter().map(|ending| told(ending))
}

pub(super) fn section(out: &mut String, class: &str, title: &str, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<section class=\"{class}\"><h2>{title}</h2>{content}</section>");
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("<li>{item}</li>")).collect();
    format!("<ul>{items}</ul>")
}

pub(super) fn next(report: &Report<'_>, journal: &Excerpt) -> String {
    let (found, todo) = found_and_todo(report, journal);
    let found = found.map(|found| format!("<p><strong>{}</strong></p>", escape(&found)));
    format!("{}<p>{}</p>", found.unwrap_or_default(), escape(&todo))
}

/// What was found out about it, and what to do next.
pub(super) fn found_and_todo(report: &Report<'_>, journal: &Excerpt) -> (Option<String>, Cow<'static, str>) {
    let advice = report.failure.advice(report.manner);
    match journal.diagnosis(report.worker) {
        _ if report.failure.side() != Side::Upstream => (None, advice),
        Some(found) => (Some(sentence(found)), report.manner.listening_advice().into()),
        None if is_port_taken(journal) => (None, PORT_TAKEN.into()),
        None => (hints::of(said(report, journal).bytes, report.manner).map(Cow::into_owned), advice),
    }
}

fn is_port_taken(journal: &Excerpt) -> bool {
    journal.endings.first().is_some_and(|ending| matches!(ending.cause, Cause::PortTaken { .. }))
}

/// What is known of what a worker wrote.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) bytes: &'a [u8],
    /// To both of its outputs, not only to stderr.
    is_both: bool,
}

/// The last the worker wrote to stderr; of one that was never ready both outputs, from their beginning.
pub(super) fn said<'a>(report: &'a Report<'_>, journal: &'a Excerpt) -> Said<'a> {
    if let Some(bytes) = report.live_stderr.as_deref().filter(|said| !said.is_empty()) {
        return Said { bytes, is_both: false };
    }
    match journal.ending(report.worker) {
        Some(ending) if ending.output.is_empty() => Said { bytes: &ending.stderr, is_both: false },
        Some(ending) => Said { bytes: &ending.output, is_both: true },
        None => Said::default(),
    }
}

fn output(report: &Report<'_>, journal: &Excerpt) -> String {
    let said = said(report, journal).bytes;
    let whole_lines = match said.iter().position(|&byte| byte == b'\n') {
        Some(first) if said.len() >= FULL_TAIL_BYTES => &said[first + 1..],
        _ => said,
    };
    match &*printed(whole_lines) {
        "" => "<p>Nothing. What it printed to stdout is in its log file, if logging is on.</p>".to_owned(),
        said => format!("<div class=\"tail\"><pre>{said}</pre></div>"),
    }
}

fn start(report: &Report<'_>, journal: &Excerpt) -> String {
    let run = &journal.run;
    let port = match report.manner {
        Manner::FastCgi => "listens on",
        manner => manner.port_variable(),
    };
    format!(
        "<dl><dt>command</dt><dd>{}</dd><dt>folder</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd></dl>",
        escape(&run.command),
        escape(&run.working_directory.to_string_lossy()),
        port,
        run.port
    )
}

fn told(ending: &Ending) -> String {
    let ago = match ending.at.elapsed() {
        now if now < Duration::from_secs(1) => "just now".to_owned(),
        past => format!("{} ago", in_words(past)),
    };
    let how = &ending.how;
    match ending.pid {
        // How long it was waited for is in its story.
        Some(pid) if ending.cause.is_timeout() => {
            format!("worker {} (pid {pid}) {how}, {ago}", ending.slot)
        }
        Some(pid) => {
            let after = in_words(ending.after);
            format!("worker {} (pid {pid}) {how}, {after} after its start, {ago}", ending.slot)
        }
        None => format!("worker {}, {ago}: {how}", ending.slot),
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// The block iisnode's page has, by which people search for help.
fn numbers(report: &Report<'_>) -> String {
    let (status, substatus) = report.numbers;
    format!(
        "<pre>HRESULT: {:#x}\nHTTP status: {status}\nHTTP subStatus: {substatus}\nHTTP reason: {}</pre>",
        report.failure.internal_code(report.manner),
        reason(status)
    )
}

fn note(report: &Report<'_>, rendering: Rendering) -> &'static str {
    match (report.failure, rendering) {
        (Failure::LogsClosed, _) => "",
        (Failure::Broken { .. } | Failure::BadSettings { .. }, Rendering::Known { status_200: true }) => {
            "Only clients on this machine see this page, with HTTP status 200 as iisnode has it; others get the true \
             status and nothing else. The true status is in the field X-Ostler-Error."
        }
        (Failure::Broken { .. } | Failure::BadSettings { .. }, _) => {
            "Only clients on this machine see this page; others get the status and nothing else."
        }
        _ if report.for_everybody => {
            "Everybody sees this page because the application runs in development; in production others than clients on \
             this machine get a short one."
        }
        _ if report.manner != Manner::Iisnode => {
            "Only clients on this machine see this page; others get a short one."
        }
        (_, rendering) if rendering.is_ok() => {
            "This page has HTTP status 200 because <code>devErrorsEnabled</code> is on, as iisnode does it; the true \
             status is in the field X-Ostler-Error. <code>devErrors: status</code> in iisnode.yml sends it as the \
             status; <code>devErrorsEnabled: false</code> shows visitors a short page instead, which is right for \
             production."
        }
        (failure, _)
            if failure.side() == Side::Upstream || matches!(failure, Failure::ProgramNotFound { .. }) =>
        {
            "Everybody sees this page because <code>devErrorsEnabled</code> is on; \
             <code>devErrorsEnabled: false</code> in iisnode.yml shows visitors a short one instead, which is right \
             for production."
        }
        _ => {
            "Only clients on this machine see this page, because <code>devErrorsEnabled</code> is on; others get a short \
             one."
        }
    }
}

/// With a capital letter and a full stop; names of programs and settings may stand first and stay as they are.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim_end().trim_end_matches('.');
    let first_word = text.split(' ').next().unwrap_or_default();
    let is_word = ["a", "the", "there", "this", "every", "no", "logs", "your"].contains(&first_word);
    match text.chars().next() {
        Some(first) if is_word => format!("{}{}.", first.to_uppercase(), &text[first.len_utf8()..]),
        _ => format!("{text}."),
    }
}
