//! Why an application cannot run at all, as its requests are told.

use std::sync::Arc;

use super::generation::ErrorStyle;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its settings cannot be read; whole sentences, each with its place.
    BadSettings { notes: Vec<String>, is_yml: bool },
    ProgramNotFound {
        program: String,
        command: String,
        /// What was looked for, and what would help, in one sentence, if more is known than that it is not there.
        why: Option<String>,
        /// How its failures are shown, as there is no generation to say so.
        errors: Option<Box<ErrorStyle>>,
    },
    /// `app_offline.htm` lies in its folder; the page.
    Offline(Arc<[u8]>),
    /// Its script has gone.
    Gone(String),
    /// The machine would not.
    Machine(String),
}

impl Refusal {
    /// Whether it is the settings that are wrong, so that what ran before them may go on.
    pub(crate) fn is_of_settings(&self) -> bool {
        matches!(self, Refusal::BadSettings { .. } | Refusal::ProgramNotFound { .. })
    }

    pub(crate) fn gone(what: impl Into<String>) -> Refusal {
        Refusal::Gone(what.into())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::BadSettings { notes, .. } => f.write_str(&notes.join("; ")),
            Refusal::ProgramNotFound { why: Some(why), .. } => f.write_str(why),
            Refusal::ProgramNotFound { program, command, why: None, .. } => {
                write!(f, "there is no program `{program}` to run `{command}` with")
            }
            Refusal::Offline(_) => f.write_str("app_offline.htm lies in its folder"),
            Refusal::Gone(why) | Refusal::Machine(why) => f.write_str(why),
        }
    }
}
