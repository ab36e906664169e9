//! What is told in detail, as text: for programs, and for those who ask with one.

use std::fmt::Write;

use super::Report;
use super::developer::{endings, found_and_todo, said, sentence};
use super::escape::{uncoloured, visible};
use crate::exchange::reply::reason;
use crate::failure::{Failure, Side};
use crate::pool::journal::Excerpt;

/// The page for developers.
pub(super) fn text(report: &Report<'_>) -> String {
    let unknown = Excerpt::default();
    let journal = report.journal.as_ref().unwrap_or(&unknown);
    let mut out = format!("{} {}\n", report.number(), reason(report.numbers.0));
    put_details(&mut out, report, journal);
    // Writing to a String cannot fail.
    let _ = write!(out, "\nrequest {}\n", report.request_id);
    out
}

/// What happened, what to do about it, and what is known of the workers, if it is about them.
pub(super) fn put_details(out: &mut String, report: &Report<'_>, journal: &Excerpt) {
    let _ = write!(out, "\n{}\n", visible(&sentence(&report.failure.in_words(report.manner))));
    if let Failure::BadSettings { notes, .. } = report.failure {
        notes.iter().for_each(|note| out.extend(["- ", &*visible(note), "\n"]));
    }
    let (found, todo) = found_and_todo(report, journal);
    found.iter().for_each(|found| out.extend([&*visible(found), "\n"]));
    let _ = writeln!(out, "{}", visible(&todo));
    if report.failure.side() != Side::Upstream && !report.failure.is_of_start() {
        return;
    }
    if !journal.run.command.is_empty() {
        let folder = journal.run.working_directory.display().to_string();
        let _ = write!(out, "\ncommand: {}\n folder: {}\n", visible(&journal.run.command), visible(&folder));
    }
    for ending in endings(journal) {
        let _ = writeln!(out, "  ended: {}", visible(&ending));
    }
    let said = uncoloured(said(report, journal).bytes);
    if !said.trim_end().is_empty() {
        let _ = write!(out, "\nIt wrote:\n{}\n", visible(said.trim_end()));
    }
}
