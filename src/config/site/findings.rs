//! What is said about one piece of configuration, and what must not run because of it.

use crate::config::source::{Level, Note, Source};

/// Notes on the pieces of one file that hold for one path.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) notes: Vec<Note>,
    /// Errors that concern applications only.
    pub(super) application: Vec<Note>,
    /// The first error that concerns everything.
    pub(super) broken: Option<Note>,
    /// What is found now concerns applications only.
    pub(super) about_applications: bool,
    /// An element that is not known is an error here.
    pub(super) refuses_unknown: bool,
}

impl Findings {
    pub(super) fn warn(&mut self, source: &Source, what: impl Into<String>) {
        self.push(Note::warning(source.clone(), what));
    }

    pub(super) fn error(&mut self, source: &Source, what: impl Into<String>, help: impl Into<String>) {
        self.push(Note::error(source.clone(), what).with_help(help));
    }

    pub(super) fn push(&mut self, note: Note) {
        if note.level == Level::Error {
            if self.about_applications {
                self.application.push(note.clone());
            } else if self.broken.is_none() {
                self.broken = Some(note.clone());
            }
        }
        self.notes.push(note);
    }
}
