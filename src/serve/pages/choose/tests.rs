//! Who is shown what, failure by failure.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Rendering, choose, choose_for_command, choose_for_fast_cgi, choose_for_program};
use crate::config::settings::DevErrors;
use crate::failure::Failure;
use crate::pool::ProgramErrors;

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
        why: None,
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

fn program_errors(dev_errors: DevErrors, startup_page: bool, details: bool) -> ProgramErrors {
    ProgramErrors { dev_errors, startup_page, details, help_link: None }
}

/// A start that failed, an answer that failed, a full house, a hidden path, bad settings.
fn one_of_each() -> [Failure; 5] {
    let application = || "shop".to_owned();
    [
        Failure::Failing { application: application(), why: "x".into() },
        Failure::ClosedBeforeAnswer,
        Failure::Overflow { application: application(), retry_after: Duration::ZERO },
        Failure::Refused { status: 404, substatus: 8, why: String::new() },
        Failure::BadSettings { is_yml: false, notes: Arc::from([]) },
    ]
}

#[test]
fn programs_are_explained_on_the_machine_and_in_development_and_never_with_200() {
    const DEV: Rendering = Rendering::DevPage { status_200: false };
    const KNOWN: Rendering = Rendering::Known { status_200: false };
    const PLAIN: Rendering = Rendering::Plain;
    const FULL: Rendering = Rendering::Startup { is_detailed: true };
    const CAUSES: Rendering = Rendering::Startup { is_detailed: false };
    let (on, off) = (DevErrors::Ok200, DevErrors::Off);
    for (errors, is_local, renderings) in [
        (program_errors(on, true, false), false, [CAUSES, PLAIN, PLAIN, PLAIN, PLAIN]),
        (program_errors(on, true, false), true, [FULL, DEV, DEV, DEV, KNOWN]),
        (program_errors(off, true, false), true, [CAUSES, PLAIN, PLAIN, PLAIN, KNOWN]),
        (program_errors(off, true, true), false, [FULL, DEV, PLAIN, PLAIN, PLAIN]),
        (program_errors(on, false, false), false, [PLAIN, PLAIN, PLAIN, PLAIN, PLAIN]),
        (program_errors(on, false, true), true, [PLAIN, DEV, DEV, DEV, KNOWN]),
    ] {
        for (failure, rendering) in one_of_each().iter().zip(renderings) {
            let chosen = choose_for_program(failure, &errors, is_local);
            assert_eq!(chosen, rendering, "{failure:?} {errors:?} {is_local}");
            assert!(!chosen.is_ok());
        }
    }
}

#[test]
fn a_command_that_does_not_start_is_explained_to_who_sits_at_the_machine() {
    for (failure, is_explained) in one_of_each().iter().zip([true, false, false, false, false]) {
        let chosen = choose_for_command(failure, true);
        assert_eq!(chosen, is_explained.then_some(Rendering::Startup { is_detailed: true }), "{failure:?}");
        assert_eq!(choose_for_command(failure, false), None, "{failure:?}");
    }
}

#[test]
fn what_fast_cgi_programs_write_is_for_the_machine_itself() {
    const KNOWN: Rendering = Rendering::Known { status_200: false };
    const DEV: Rendering = Rendering::DevPage { status_200: false };
    let settings = || Failure::BadSettings { is_yml: false, notes: Arc::from([]) };
    for (failure, shown, with_errors_off) in [
        (Failure::Complained, DEV, Rendering::Plain),
        (Failure::ClosedBeforeAnswer, DEV, Rendering::Plain),
        (settings(), KNOWN, KNOWN),
        (Failure::Offline(Arc::from(*b"later")), Rendering::Plain, Rendering::Plain),
    ] {
        for (dev_errors, expected) in
            [(DevErrors::Ok200, shown), (DevErrors::TrueStatus, shown), (DevErrors::Off, with_errors_off)]
        {
            assert_eq!(choose_for_fast_cgi(&failure, dev_errors, true), expected, "{failure}");
            assert_eq!(choose_for_fast_cgi(&failure, dev_errors, false), Rendering::Plain, "{failure}");
        }
    }
}
