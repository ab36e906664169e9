//! The page of a program that does not start: 502.5, as the modules for programs have it, with what may have been wrong
//! for everybody, and what was for those who may know.

use std::fmt::Write;

use super::Report;
use super::bare;
use super::developer::{list, next, place, section, sections_of_workers, sentence};
use super::escape::{escape, visible};
use super::template::fill;
use crate::exchange::reply::reason;
use crate::failure::{Failure, Manner};
use crate::pool::journal::{Cause, Excerpt};

/// Where Microsoft tells what to do about it; people look for this number.
const HELP: &str = "https://go.microsoft.com/fwlink/?linkid=808681";

pub(super) fn html(report: &Report<'_>, is_detailed: bool) -> String {
    let (status, _) = report.numbers;
    let unknown = Excerpt::default();
    let journal = report.journal.as_ref().unwrap_or(&unknown);
    let values = [
        ("number", &*report.number()),
        ("reason", reason(status)),
        ("happened", &escape(&heading(report))),
        // What an application is called is nothing for strangers.
        ("where", &if is_detailed { place(report) } else { format!("<code>{}</code>", escape(report.url)) }),
        ("sections", &sections(report, journal, is_detailed)),
        ("note", note(report, is_detailed)),
        ("request", &escape(report.request_id)),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    fill(include_str!("../../../www/error.html"), &values)
}

fn sections(report: &Report<'_>, journal: &Excerpt, is_detailed: bool) -> String {
    let mut out = String::new();
    let found = true_cause(report.failure, journal).filter(|_| is_detailed);
    let causes = causes(report.manner).into_iter().enumerate().map(|(index, cause)| match found {
        Some(found) if found == index => format!("<strong>{cause}</strong> This is what happened."),
        _ => cause.to_owned(),
    });
    if is_detailed {
        let happened = escape(&sentence(&report.failure.in_words(report.manner)));
        section(&mut out, "", "What happened", &format!("<p>{happened}</p>"));
    }
    section(&mut out, "", "What it can be", &list(causes));
    match is_detailed {
        true => section(&mut out, "next", "What to do next", &next(report, journal)),
        false => {
            section(&mut out, "next", "What to look at next", &list(steps(report.manner).map(str::to_owned)))
        }
    }
    if is_detailed {
        sections_of_workers(&mut out, report, journal);
    }
    if report.manner != Manner::Command {
        let links = [Some(HELP), report.help_link].into_iter().flatten().map(link);
        section(&mut out, "", "More help", &list(links));
    }
    out
}

/// The same for programs, and for those who ask with one.
pub(super) fn text(report: &Report<'_>, is_detailed: bool) -> String {
    let unknown = Excerpt::default();
    let journal = report.journal.as_ref().unwrap_or(&unknown);
    let mut out = match report.manner {
        Manner::Command => {
            let status = report.numbers.0;
            format!("{status} {} ({})\n", reason(status), report.failure.code())
        }
        _ => format!("{}\n", heading(report)),
    };
    // Writing to a String cannot fail.
    if is_detailed {
        bare::put_details(&mut out, report, journal);
    } else {
        out.push_str("\nWhat it can be:\n");
        causes(report.manner).iter().for_each(|cause| out.extend(["- ", cause, "\n"]));
        out.push_str("\nWhat to look at next:\n");
        steps(report.manner).for_each(|step| out.extend(["- ", step, "\n"]));
    }
    if report.manner != Manner::Command {
        let links = [Some(HELP), report.help_link].into_iter().flatten();
        out.push('\n');
        links.for_each(|link| out.extend([&*visible(link), "\n"]));
    }
    let _ = write!(out, "\nrequest {}\n", report.request_id);
    out
}

fn heading(report: &Report<'_>) -> String {
    let (status, substatus) = report.numbers;
    match report.manner {
        Manner::AspNetCore => {
            format!("HTTP Error {status}.{substatus} - ANCM Out-Of-Process Startup Failure")
        }
        Manner::HttpPlatform | Manner::Iisnode | Manner::FastCgi | Manner::FastCgiServer => {
            format!("HTTP Error {status}.{substatus} - Process Failure")
        }
        Manner::Command => "The application does not start".to_owned(),
    }
}

fn causes(manner: Manner) -> [&'static str; 3] {
    [
        "The process of the application could not be started.",
        "The process was started and ended before it could answer.",
        match manner {
            Manner::Command => "The process runs and does not listen where PORT says.",
            _ => "The process runs and does not listen on the port it was given.",
        },
    ]
}

/// Which of the causes it was, counted from 0.
fn true_cause(failure: &Failure, journal: &Excerpt) -> Option<usize> {
    match (failure, journal.endings.first().map(|ending| &ending.cause)) {
        (Failure::ProgramNotFound { .. }, _) => Some(0),
        // It had no time to do any of these.
        (Failure::NotReady { after, .. }, _) if after.is_zero() => None,
        (Failure::NotReady { .. }, _) => Some(2),
        (_, Some(Cause::NoProgram(_) | Cause::NotStarted)) => Some(0),
        (_, Some(Cause::Exited | Cause::Ended)) => Some(1),
        (
            _,
            Some(Cause::Silent | Cause::Elsewhere(_) | Cause::PortTaken { .. } | Cause::Unfit | Cause::Hung),
        ) => Some(2),
        (_, None) => journal.diagnosis.as_ref().map(|_| 2),
    }
}

fn steps(manner: Manner) -> impl Iterator<Item = &'static str> {
    let own = match manner {
        Manner::AspNetCore => {
            "Check that processPath and arguments in web.config name what was published, and that its runtime is installed."
        }
        Manner::HttpPlatform => {
            "Check that processPath and arguments in web.config name a program of this machine."
        }
        Manner::Iisnode | Manner::FastCgi | Manner::FastCgiServer | Manner::Command => {
            "Check that the command names a program of this machine."
        }
    };
    [
        "Read what the application printed: in its log file, if stdoutLogEnabled is on, or in the log of the host.",
        own,
        "Run the command by hand in the folder of the application, with the same environment.",
        "Ask for this page on the machine itself, where it may tell more.",
    ]
    .into_iter()
}

/// What is no address of the web is shown and leads nowhere.
fn link(address: &str) -> String {
    let text = escape(address);
    match address.starts_with("https://") || address.starts_with("http://") {
        true => format!("<a href=\"{text}\" rel=\"noreferrer\">{text}</a>"),
        false => text,
    }
}

fn note(report: &Report<'_>, is_detailed: bool) -> &'static str {
    match is_detailed {
        true if report.for_everybody => {
            "Everybody sees these details because the application runs in development; in production others than clients \
             on this machine see the causes alone."
        }
        true => "Only clients on this machine see these details.",
        false => "Whoever runs the site finds the reason in the log of the host, by the number below.",
    }
}

#[cfg(test)]
mod tests;
