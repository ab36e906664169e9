//! The page for who writes the program or runs the site: what happened, where, what to do next, and all that was seen.

use std::fmt::Write;
use std::time::Duration;

use super::escape::{escape, printed};
use super::template::fill;
use super::{Rendering, Report, hints};
use crate::exchange::reply::reason;
use crate::failure::{Failure, Side};
use crate::pool::journal::{Cause, Ending, Excerpt};

/// As much of stderr as a tail keeps; one that is full begins in the middle of a line.
const FULL_TAIL_BYTES: usize = 64 * 1024;

pub(super) fn page(report: &Report<'_>, rendering: Rendering) -> String {
    let (status, substatus) = report.failure.iis();
    let values = [
        ("number", &*format!("{status}.{substatus}")),
        ("reason", reason(status)),
        ("happened", &escape(&sentence(&report.failure.to_string()))),
        ("where", &place(report)),
        ("sections", &sections(report)),
        ("note", note(report.failure, rendering)),
        ("request", &escape(report.request_id)),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    fill(include_str!("../../../www/error.html"), &values)
}

fn place(report: &Report<'_>) -> String {
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
    section(&mut out, "next", "What to do next", &next(report, journal, about_workers));
    if about_workers {
        section(&mut out, "", "What the worker wrote to stderr", &output(report, journal));
    }
    let knows_command = !journal.run.command.is_empty();
    if knows_command && (about_workers || matches!(report.failure, Failure::ProgramNotFound { .. })) {
        section(&mut out, "", "How workers are started", &start(journal));
    }
    if about_workers && !journal.endings.is_empty() {
        let endings = list(journal.endings.iter().map(|ending| told(ending)));
        section(&mut out, "", "How workers ended, latest first", &endings);
    }
    section(&mut out, "", "For search engines and reports", &numbers(report.failure));
    out
}

fn section(out: &mut String, class: &str, title: &str, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<section class=\"{class}\"><h2>{title}</h2>{content}</section>");
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("<li>{item}</li>")).collect();
    format!("<ul>{items}</ul>")
}

/// Why a worker that is alive does not answer, if that was found out.
fn diagnosis<'a>(report: &Report<'_>, journal: &'a Excerpt) -> Option<&'a str> {
    let ended = || journal.ending(report.worker).and_then(|ending| ending.diagnosis.as_deref());
    journal.diagnosis.as_deref().or_else(ended)
}

fn next(report: &Report<'_>, journal: &Excerpt, about_workers: bool) -> String {
    const LISTENS_ELSEWHERE: &str = "Have it listen on process.env.PORT, or set `transport: tcp` in iisnode.yml if it \
        can only listen on a TCP port: PORT is a number then.";
    let advice = report.failure.advice();
    let (found, todo) = match about_workers {
        true => match diagnosis(report, journal) {
            Some(found) => (Some(sentence(found)), LISTENS_ELSEWHERE),
            None => (hints::of(said(report, journal)).map(str::to_owned), advice),
        },
        false => (None, advice),
    };
    let found = found.map(|found| format!("<p><strong>{}</strong></p>", escape(&found)));
    format!("{}<p>{}</p>", found.unwrap_or_default(), escape(todo))
}

/// The last the worker wrote to stderr.
fn said<'a>(report: &'a Report<'_>, journal: &'a Excerpt) -> &'a [u8] {
    let ended = || journal.ending(report.worker).map(|ending| &*ending.stderr);
    report.live_stderr.as_deref().filter(|said| !said.is_empty()).or_else(ended).unwrap_or_default()
}

fn output(report: &Report<'_>, journal: &Excerpt) -> String {
    let said = said(report, journal);
    let whole_lines = match said.iter().position(|&byte| byte == b'\n') {
        Some(first) if said.len() >= FULL_TAIL_BYTES => &said[first + 1..],
        _ => said,
    };
    match &*printed(whole_lines) {
        "" => "<p>Nothing. What it printed to stdout is in its log file, if logging is on.</p>".to_owned(),
        said => format!("<div class=\"tail\"><pre>{said}</pre></div>"),
    }
}

fn start(journal: &Excerpt) -> String {
    let run = &journal.run;
    format!(
        "<dl><dt>command</dt><dd>{}</dd><dt>folder</dt><dd>{}</dd><dt>PORT</dt><dd>{}</dd></dl>",
        escape(&run.command),
        escape(&run.working_directory.to_string_lossy()),
        run.port
    )
}

fn told(ending: &Ending) -> String {
    let ago = match ending.at.elapsed() {
        now if now < Duration::from_secs(1) => "just now".to_owned(),
        past => format!("{} ago", in_words(past)),
    };
    let how = escape(&ending.how);
    match ending.pid {
        // How long it was waited for is in its story.
        Some(pid) if ending.cause == Cause::Silent => {
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
fn numbers(failure: &Failure) -> String {
    let (status, substatus) = failure.iis();
    format!(
        "<pre>HRESULT: {:#x}\nHTTP status: {status}\nHTTP subStatus: {substatus}\nHTTP reason: {}</pre>",
        failure.internal_code(),
        reason(status)
    )
}

fn note(failure: &Failure, rendering: Rendering) -> &'static str {
    match (failure, rendering) {
        (Failure::LogsClosed, _) => "",
        (Failure::Broken { .. } | Failure::BadSettings { .. }, Rendering::Known { status_200: true }) => {
            "Only clients on this machine see this page, with HTTP status 200 as iisnode has it; others get the true \
             status and nothing else. The true status is in the field X-Ostler-Error."
        }
        (Failure::Broken { .. } | Failure::BadSettings { .. }, _) => {
            "Only clients on this machine see this page; others get the status and nothing else."
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
fn sentence(text: &str) -> String {
    let text = text.trim_end().trim_end_matches('.');
    let first_word = text.split(' ').next().unwrap_or_default();
    let is_word = ["a", "the", "there", "this", "every", "no", "logs", "your"].contains(&first_word);
    match text.chars().next() {
        Some(first) if is_word => format!("{}{}.", first.to_uppercase(), &text[first.len_utf8()..]),
        _ => format!("{text}."),
    }
}
