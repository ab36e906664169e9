//! What changes with whom it is told to, failure by failure.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::super::Failure;
use super::Manner;

const PROGRAMS: [Manner; 2] = [Manner::HttpPlatform, Manner::AspNetCore];

fn program_not_found(refilling: bool) -> Failure {
    Failure::ProgramNotFound {
        why: None,
        application: "shop".to_owned(),
        program: "nothing".to_owned(),
        command: "nothing at all".to_owned(),
        refilling,
    }
}

/// With the numbers the modules have for programs.
fn failures() -> Vec<(Failure, (u16, u16))> {
    let application = || "shop".to_owned();
    let second = Duration::from_secs(1);
    vec![
        (program_not_found(false), (502, 5)),
        (program_not_found(true), (502, 5)),
        (Failure::Failing { application: application(), why: "no".into() }, (502, 5)),
        (Failure::NotReady { application: application(), after: second }, (502, 5)),
        (Failure::Closed { application: application(), limit: 10, opens_in: second }, (502, 5)),
        (Failure::ConnectRefused(ErrorKind::ConnectionRefused.into()), (502, 3)),
        (Failure::ConnectBusy, (502, 3)),
        (Failure::ConnectTimeout, (502, 3)),
        (Failure::NotSent, (502, 3)),
        (Failure::NotRead, (502, 3)),
        (Failure::ClosedBeforeAnswer, (502, 3)),
        (Failure::ClosedInHead, (502, 3)),
        (Failure::BadAnswer("not an HTTP/1 status line"), (502, 3)),
        (Failure::AnswerHeadTooLarge(1), (502, 3)),
        (Failure::Truncated, (502, 3)),
        (Failure::BadAnswerBody("x"), (502, 3)),
        (Failure::Silent { after: second }, (502, 3)),
        (Failure::BadSettings { is_yml: false, notes: Arc::from([]) }, (500, 0)),
        (Failure::Overflow { application: application(), retry_after: second }, (503, 2)),
        (Failure::Stopping, (503, 0)),
        (Failure::Exhausted("open files"), (503, 0)),
        (Failure::Offline(Arc::from(*b"later")), (503, 0)),
        (Failure::FileCut, (500, 0)),
        (Failure::Broken { what: "web.config:1:1: no".into() }, (500, 19)),
        (Failure::NotFound("x".to_owned()), (404, 0)),
        (Failure::Refused { status: 404, substatus: 8, why: String::new() }, (404, 8)),
        (Failure::HeadTooLarge(1), (431, 0)),
        (Failure::BadBody("x"), (400, 0)),
        (Failure::LogsClosed, (403, 6)),
    ]
}

#[test]
fn programs_have_the_numbers_their_modules_have() {
    for (failure, numbers) in failures() {
        for manner in PROGRAMS {
            assert_eq!(failure.numbers(manner), numbers, "{failure:?}");
            assert_ne!(numbers.0, 200);
        }
        assert_eq!(failure.numbers(Manner::Command), (failure.status(), 0), "{failure:?}");
    }
}

#[test]
fn who_runs_another_program_reads_nothing_of_node() {
    for (failure, _) in failures() {
        for manner in [Manner::HttpPlatform, Manner::AspNetCore, Manner::Command] {
            let told = [failure.advice(manner).into_owned(), failure.in_words(manner)].join(" ");
            let lower = told.to_ascii_lowercase();
            assert!(
                !lower.contains("node") && !lower.contains("process.env"),
                "{failure:?} {manner:?}: {told}"
            );
            assert!(!told.contains("  ") && failure.advice(manner).ends_with('.'), "{failure:?}: {told}");
        }
    }
}

#[test]
fn each_is_told_the_variable_and_the_section_of_its_own() {
    let silent = Failure::ConnectTimeout;
    let settings = Failure::BadSettings { is_yml: false, notes: Arc::from([]) };
    for (manner, variable, section) in [
        (Manner::Iisnode, "process.env.PORT", "iisnode settings"),
        (Manner::HttpPlatform, "HTTP_PLATFORM_PORT", "system.webServer/httpPlatform"),
        (Manner::AspNetCore, "ASPNETCORE_PORT", "system.webServer/aspNetCore"),
        (Manner::Command, "PORT", "the settings of this application"),
    ] {
        assert!(silent.advice(manner).contains(variable) && manner.listening_advice().contains(variable));
        assert!(settings.in_words(manner).contains(section), "{}", settings.in_words(manner));
    }
}

#[test]
fn the_code_people_search_for_is_that_of_windows() {
    for (failure, code) in [
        (Failure::Silent { after: Duration::ZERO }, 0x8007_2ee2),
        (Failure::BadAnswer("x"), 0x8007_2f78),
        (Failure::ClosedBeforeAnswer, 0x8007_2efe),
        (Failure::ConnectBusy, 0x8007_2efd),
        (Failure::Closed { application: String::new(), limit: 1, opens_in: Duration::ZERO }, 0x8007_053d),
        (Failure::Failing { application: String::new(), why: "x".into() }, 0),
        (Failure::Stopping, 0),
    ] {
        assert_eq!(failure.internal_code(Manner::HttpPlatform), code, "{failure:?}");
    }
}

#[test]
fn of_a_server_that_is_not_there_its_address_is_told_and_how_to_get_it_there() {
    let absent = |why: &str| Failure::Failing {
        application: "unix:/x".to_owned(),
        why: format!("the server at unix:/x does not answer: {why}").into(),
    };
    for (failure, told, advised) in [
        (absent("No such file"), "the server at unix:/x does not answer: No such file", "`listen`"),
        (
            absent("Permission denied (os error 13)"),
            "the server at unix:/x does not answer: Permission denied (os error 13)",
            "`listen.owner`",
        ),
        (
            Failure::NotReady { application: "unix:/x".to_owned(), after: Duration::from_secs(30) },
            "the server at unix:/x did not answer in 30 s",
            "`listen`",
        ),
        (
            Failure::ConnectRefused(ErrorKind::PermissionDenied.into()),
            "the worker does not accept connections: permission denied",
            "`listen.mode`",
        ),
    ] {
        assert_eq!(failure.in_words(Manner::FastCgiServer), told);
        assert_eq!(failure.numbers(Manner::FastCgiServer), (502, 0), "{told}");
        let advice = failure.advice(Manner::FastCgiServer);
        assert!(advice.contains(advised) && !advice.contains("command"), "{advice}");
    }
}

/// The statuses that say most, with the few numbers that FastCGI has of its own on IIS.
#[test]
fn fast_cgi_has_true_statuses() {
    let application = || "php-cgi".to_owned();
    let second = Duration::from_secs(1);
    for (failure, expected) in [
        (Failure::Overflow { application: application(), retry_after: second }, (503, 4)),
        (program_not_found(false), (502, 0)),
        (Failure::Failing { application: application(), why: "no".into() }, (502, 0)),
        (Failure::NotReady { application: application(), after: second }, (502, 0)),
        (Failure::Closed { application: application(), limit: 10, opens_in: second }, (503, 0)),
        (Failure::BadSettings { is_yml: false, notes: Arc::from([]) }, (500, 0)),
        (Failure::ClosedBeforeAnswer, (502, 0)),
        (Failure::Truncated, (502, 0)),
        (Failure::Inactive { after: second }, (504, 0)),
        (Failure::BadCgi("x"), (502, 2)),
        (Failure::EndedInHead { exit_code: 1 }, (502, 2)),
        (Failure::Complained, (500, 0)),
        (Failure::ParameterTooLarge("HTTP_COOKIE".to_owned()), (431, 0)),
        (Failure::NotFound("x".to_owned()), (404, 0)),
    ] {
        assert_eq!(failure.numbers(Manner::FastCgi), expected, "{failure}");
        let advice = failure.advice(Manner::FastCgi);
        for foreign in ["nodeProcess", "processPath", "processesPerApplication"] {
            assert!(!advice.contains(foreign), "{failure}: {advice}");
        }
    }
}
