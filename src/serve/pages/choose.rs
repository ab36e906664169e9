//! How much a client is told: which rendering a failure gets, by whose application it is.

use crate::config::settings::DevErrors;
use crate::failure::{Failure, Side};
use crate::pool::ProgramErrors;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// A known trouble explained; nothing of what workers print is in it.
    Known { status_200: bool },
    /// Everything there is, for who writes the program.
    DevPage { status_200: bool },
    /// That the program does not start; with all that was seen, or with what it can be.
    Startup { is_detailed: bool },
    /// Status, reason and a number.
    Plain,
}

impl Rendering {
    /// Whether the page hides the failure behind a 200, as iisnode does.
    pub(super) fn is_ok(self) -> bool {
        matches!(self, Rendering::Known { status_200: true } | Rendering::DevPage { status_200: true })
    }
}

/// Errors of configuration are explained on the machine itself whatever the settings say, as it is they that may be
/// unreadable, and nowhere else. The others are explained where development errors are on: those of workers to everybody,
/// with status 200 as iisnode does; those it has no page for on the machine itself, with their status.
pub(crate) fn choose(failure: &Failure, dev_errors: DevErrors, client_is_local: bool) -> Rendering {
    let is_on = dev_errors != DevErrors::Off;
    let status_200 = dev_errors != DevErrors::TrueStatus;
    match failure {
        Failure::LogsClosed => Rendering::Known { status_200: false },
        // What the application has said about it is not for us to explain.
        Failure::Offline(_) | Failure::Replaced { .. } => Rendering::Plain,
        Failure::Broken { .. } | Failure::BadSettings { .. } if client_is_local => {
            Rendering::Known { status_200 }
        }
        Failure::Broken { .. } | Failure::BadSettings { .. } => Rendering::Plain,
        Failure::ProgramNotFound { .. } if is_on => Rendering::Known { status_200 },
        _ if !is_on => Rendering::Plain,
        _ => match failure.side() {
            Side::Upstream => Rendering::DevPage { status_200 },
            Side::Site | Side::Host if client_is_local => Rendering::DevPage { status_200: false },
            Side::Site | Side::Host | Side::Downstream => Rendering::Plain,
        },
    }
}

/// For `httpPlatform` and `aspNetCore`, always with the true status. Startup failures have a page for everybody, unless
/// the site is to show its own; its details, and the page for developers, are for clients on the machine itself, and for
/// everybody if the application runs in development.
pub(crate) fn choose_for_program(
    failure: &Failure,
    errors: &ProgramErrors,
    client_is_local: bool,
) -> Rendering {
    const STATUS_200: bool = false;
    let shown_to_locals = errors.dev_errors != DevErrors::Off && client_is_local;
    match failure {
        Failure::LogsClosed => Rendering::Known { status_200: STATUS_200 },
        Failure::Offline(_) | Failure::Replaced { .. } => Rendering::Plain,
        Failure::Broken { .. } | Failure::BadSettings { .. } if client_is_local => {
            Rendering::Known { status_200: STATUS_200 }
        }
        Failure::Broken { .. } | Failure::BadSettings { .. } => Rendering::Plain,
        failure if failure.is_of_start() && !errors.startup_page => Rendering::Plain,
        failure if failure.is_of_start() => {
            Rendering::Startup { is_detailed: errors.details || shown_to_locals }
        }
        failure => match failure.side() {
            Side::Upstream if errors.details || shown_to_locals => {
                Rendering::DevPage { status_200: STATUS_200 }
            }
            Side::Site | Side::Host if shown_to_locals => Rendering::DevPage { status_200: STATUS_200 },
            _ => Rendering::Plain,
        },
    }
}

/// For FastCGI, always with the true status: what a program wrote may be meant for nobody but who runs it.
pub(crate) fn choose_for_fast_cgi(
    failure: &Failure,
    dev_errors: DevErrors,
    client_is_local: bool,
) -> Rendering {
    match failure {
        Failure::LogsClosed => Rendering::Known { status_200: false },
        Failure::Offline(_) | Failure::Replaced { .. } => Rendering::Plain,
        _ if !client_is_local => Rendering::Plain,
        Failure::Broken { .. } | Failure::BadSettings { .. } => Rendering::Known { status_200: false },
        _ if dev_errors == DevErrors::Off => Rendering::Plain,
        Failure::ProgramNotFound { .. } => Rendering::Known { status_200: false },
        failure => match failure.side() {
            Side::Upstream | Side::Site | Side::Host => Rendering::DevPage { status_200: false },
            Side::Downstream => Rendering::Plain,
        },
    }
}

/// For a command of nobody's `web.config`: who sits at the machine sees why it does not start, and all else is one line,
/// for which this is None.
pub(crate) fn choose_for_command(failure: &Failure, client_is_local: bool) -> Option<Rendering> {
    (failure.is_of_start() && client_is_local).then_some(Rendering::Startup { is_detailed: true })
}

#[cfg(test)]
mod tests;
