//! How much a client is told: which of iisnode's three renderings a failure gets.

use crate::config::iisnode::DevErrors;
use crate::failure::{Failure, Side};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendering {
    /// A known trouble explained; nothing of what workers print is in it.
    Known { status_200: bool },
    /// Everything there is, for who writes the program.
    DevPage { status_200: bool },
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Rendering, choose};
    use crate::config::iisnode::DevErrors;
    use crate::failure::Failure;

    /// What a client elsewhere and one on the machine get, with development errors as iisnode has them by default.
    #[test]
    fn every_condition_is_shown_as_iisnode_shows_it() {
        const KNOWN: Rendering = Rendering::Known { status_200: true };
        const DEV: Rendering = Rendering::DevPage { status_200: true };
        // iisnode's plain ones are explained on the machine itself, with their status.
        const CANDID: Rendering = Rendering::DevPage { status_200: false };
        const PLAIN: Rendering = Rendering::Plain;
        let application = || "shop".to_owned();
        let settings = |is_yml| Failure::BadSettings { is_yml, notes: Arc::from([]) };
        let refused = |status, substatus| Failure::Refused { status, substatus, why: String::new() };
        let program = |refilling| Failure::ProgramNotFound {
            application: application(),
            program: "x".to_owned(),
            command: "x".to_owned(),
            refilling,
        };
        for (failure, elsewhere, local) in [
            (settings(false), PLAIN, KNOWN),
            (settings(true), PLAIN, KNOWN),
            (Failure::Broken { what: "x".into() }, PLAIN, KNOWN),
            (Failure::NotFound("x".to_owned()), PLAIN, CANDID),
            (program(false), KNOWN, KNOWN),
            (program(true), KNOWN, KNOWN),
            (Failure::Overflow { application: application(), retry_after: Duration::ZERO }, PLAIN, CANDID),
            (Failure::Stopping, PLAIN, CANDID),
            (Failure::Exhausted("x"), PLAIN, CANDID),
            (Failure::ConnectBusy, DEV, DEV),
            (Failure::ConnectRefused(io::ErrorKind::ConnectionRefused.into()), DEV, DEV),
            (Failure::ConnectTimeout, DEV, DEV),
            (Failure::NotReady { application: application(), after: Duration::ZERO }, DEV, DEV),
            (Failure::Failing { application: application(), why: "x".into() }, DEV, DEV),
            (Failure::NotSent, DEV, DEV),
            (Failure::NotRead, DEV, DEV),
            (Failure::AnswerHeadTooLarge(1), DEV, DEV),
            (Failure::ClosedBeforeAnswer, DEV, DEV),
            (Failure::BadAnswer("x"), DEV, DEV),
            (Failure::ClosedInHead, DEV, DEV),
            (Failure::BadAnswerBody("x"), DEV, DEV),
            (Failure::Truncated, DEV, DEV),
            (Failure::HeadTooLarge(1), PLAIN, PLAIN),
            (Failure::BadBody("x"), PLAIN, PLAIN),
            (refused(501, 0), PLAIN, CANDID),
            (refused(404, 8), PLAIN, CANDID),
            (refused(413, 1), PLAIN, CANDID),
            (Failure::Offline(Arc::from([])), PLAIN, PLAIN),
            (Failure::Replaced { status: 404 }, PLAIN, PLAIN),
        ] {
            assert_eq!(choose(&failure, DevErrors::Ok200, false), elsewhere, "{failure:?} elsewhere");
            assert_eq!(choose(&failure, DevErrors::Ok200, true), local, "{failure:?} on the machine");
        }
    }

    #[test]
    fn without_development_errors_only_configuration_is_explained_and_only_on_the_machine() {
        let broken = Failure::Broken { what: "x".into() };
        let yml = Failure::BadSettings { is_yml: true, notes: Arc::from([]) };
        let crash = Failure::Failing { application: "shop".to_owned(), why: "x".into() };
        for (failure, client_is_local, rendering) in [
            (&broken, true, Rendering::Known { status_200: true }),
            (&yml, true, Rendering::Known { status_200: true }),
            (&broken, false, Rendering::Plain),
            (&yml, false, Rendering::Plain),
            (&crash, true, Rendering::Plain),
            (&crash, false, Rendering::Plain),
            (&Failure::Stopping, true, Rendering::Plain),
        ] {
            assert_eq!(choose(failure, DevErrors::Off, client_is_local), rendering, "{failure:?}");
        }
    }

    #[test]
    fn the_same_pages_come_with_their_status_if_a_site_wants_that() {
        let crash = Failure::Failing { application: "shop".to_owned(), why: "x".into() };
        let broken = Failure::Broken { what: "x".into() };
        let status_200 = false;
        assert_eq!(choose(&crash, DevErrors::TrueStatus, false), Rendering::DevPage { status_200 });
        assert_eq!(choose(&broken, DevErrors::TrueStatus, true), Rendering::Known { status_200 });
    }

    #[test]
    fn that_logs_are_closed_is_explained_to_those_they_are_closed_to() {
        for dev_errors in [DevErrors::Off, DevErrors::Ok200, DevErrors::TrueStatus] {
            let rendering = choose(&Failure::LogsClosed, dev_errors, false);
            assert_eq!(rendering, Rendering::Known { status_200: false });
        }
    }
}
