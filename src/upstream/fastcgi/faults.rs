//! Why a program is ended, in words that follow "the worker".

use std::time::Duration;

use crate::config::fastcgi::StderrMode;
use crate::failure::Failure;

/// None for one that goes on.
pub(super) fn why_ended(failure: &Failure, stderr: StderrMode) -> Option<String> {
    match failure {
        Failure::Inactive { after } => Some(inactive(*after)),
        Failure::Unfinished { after } => Some(unfinished(*after)),
        Failure::Complained if stderr == StderrMode::Terminate => {
            Some("wrote to stderr, and stderrMode is TerminateProcess".to_owned())
        }
        _ => None,
    }
}

pub(super) fn inactive(after: Duration) -> String {
    format!("did not send anything for a request within {} s (activityTimeout)", after.as_secs_f32())
}

pub(super) fn unfinished(after: Duration) -> String {
    format!("did not finish a request within {} s (requestTimeout)", after.as_secs_f32())
}
