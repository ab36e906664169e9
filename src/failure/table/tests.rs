//! The table of failures, row by row, against IIS's and iisnode's numbers.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Failure, Manner, Side};

/// Every failure there is, with its status for any application, and IIS's numbers.
fn every_failure() -> Vec<(Failure, u16, (u16, u16))> {
    let application = || "shop".to_owned();
    let program_not_found = |refilling| Failure::ProgramNotFound {
        application: application(),
        program: "nothing".to_owned(),
        command: "nothing server.js".to_owned(),
        why: None,
        refilling,
    };
    let notes: Arc<[String]> = Arc::from(["iisnode.yml:1:1: error: no".to_owned()]);
    vec![
        (Failure::Malformed("x"), 400, (400, 0)),
        (Failure::HeadTooLarge(1), 431, (431, 0)),
        (Failure::TooManyFields(1), 431, (431, 0)),
        (Failure::Version, 505, (505, 0)),
        (Failure::UnknownCoding, 501, (501, 0)),
        (Failure::Connect, 405, (405, 0)),
        (Failure::BadBody("x"), 400, (400, 0)),
        (Failure::HeadTimeout, 408, (408, 0)),
        (Failure::BodyTooSlow, 408, (408, 0)),
        (Failure::ClientGone, 400, (400, 0)),
        (Failure::ClientTooSlow, 400, (400, 0)),
        (Failure::Refused { status: 404, substatus: 8, why: "hidden".to_owned() }, 404, (404, 8)),
        (
            Failure::OtherVerbs {
                numbers: (404, 3),
                path: "a.php".to_owned(),
                method: "GET".to_owned(),
                handler: "PHP".to_owned(),
                verbs: "POST".to_owned(),
            },
            404,
            (404, 3),
        ),
        (Failure::NotFound("/a.js".to_owned()), 404, (404, 0)),
        (Failure::Broken { what: "web.config:1:1: no".into() }, 500, (500, 19)),
        (Failure::BadSettings { is_yml: true, notes: notes.clone() }, 500, (500, 1000)),
        (Failure::BadSettings { is_yml: false, notes }, 500, (500, 1000)),
        (program_not_found(false), 500, (500, 1000)),
        (program_not_found(true), 503, (503, 1002)),
        (Failure::Offline(Arc::from(*b"later")), 503, (503, 0)),
        (Failure::LogsClosed, 403, (403, 6)),
        (Failure::Replaced { status: 404 }, 404, (404, 0)),
        (
            Failure::Overflow { application: application(), retry_after: Duration::from_secs(1) },
            503,
            (503, 1002),
        ),
        (Failure::NotReady { application: application(), after: Duration::from_secs(1) }, 504, (500, 1001)),
        (Failure::Failing { application: application(), why: "no".into() }, 503, (500, 1002)),
        (Failure::Stopping, 503, (503, 1001)),
        (Failure::Exhausted("open files"), 503, (503, 1000)),
        (Failure::FileCut, 500, (500, 0)),
        (
            Failure::Closed { application: application(), limit: 10, opens_in: Duration::from_secs(1) },
            503,
            (502, 5),
        ),
        (Failure::Silent { after: Duration::from_secs(1) }, 504, (502, 3)),
        (Failure::ConnectRefused(io::ErrorKind::ConnectionRefused.into()), 502, (500, 1001)),
        (Failure::ConnectBusy, 502, (503, 1003)),
        (Failure::ConnectTimeout, 504, (500, 1001)),
        (Failure::NotSent, 502, (500, 1006)),
        (Failure::NotRead, 502, (500, 1011)),
        (Failure::ClosedBeforeAnswer, 502, (500, 1013)),
        (Failure::ClosedInHead, 502, (500, 1014)),
        (Failure::BadAnswer("not an HTTP/1 status line"), 502, (500, 1013)),
        (Failure::BadAnswer("a line does not end with CR LF"), 502, (500, 1014)),
        (Failure::AnswerHeadTooLarge(1), 502, (500, 1012)),
        (Failure::Truncated, 502, (500, 1016)),
        (Failure::BadAnswerBody("x"), 502, (500, 1015)),
        (Failure::ParameterTooLarge("HTTP_COOKIE".to_owned()), 431, (431, 0)),
        (Failure::BodyTooLarge(1), 413, (413, 0)),
        (Failure::NotSpooled(io::ErrorKind::StorageFull.into()), 500, (500, 0)),
        (Failure::Inactive { after: Duration::from_secs(1) }, 504, (500, 0)),
        (Failure::Unfinished { after: Duration::from_secs(1) }, 504, (500, 0)),
        (Failure::Rejected("is busy"), 502, (500, 0)),
        (Failure::UnknownRole, 502, (500, 0)),
        (Failure::BadRecord("x"), 502, (500, 0)),
        (Failure::BadCgi("x"), 502, (502, 2)),
        (Failure::EndedInHead { exit_code: 1 }, 502, (502, 2)),
        (Failure::Shorter, 502, (502, 2)),
        (Failure::Complained, 500, (500, 0)),
        (Failure::Blank { status: 500, said: Arc::from(*b"x") }, 500, (500, 0)),
        (Failure::RedirectLoop(1), 500, (500, 0)),
    ]
}

#[test]
fn every_failure_has_the_numbers_people_know_it_by() {
    for (failure, status, iis) in every_failure() {
        let numbers = failure.numbers(Manner::Iisnode);
        assert_eq!((failure.status(), numbers), (status, iis), "{failure:?}");
    }
}

#[test]
fn every_failure_says_what_to_do_next() {
    for (failure, ..) in every_failure() {
        let advice = failure.advice(Manner::Iisnode);
        assert!(advice.ends_with('.') && !advice.contains("  "), "{failure:?}: {advice}");
    }
}

#[test]
fn a_code_means_one_thing() {
    let kinds: BTreeSet<_> = every_failure()
        .iter()
        .map(|(failure, ..)| (failure.code(), std::mem::discriminant(failure)))
        .map(|(code, kind)| (code, format!("{kind:?}")))
        .collect();
    let codes: BTreeSet<_> = kinds.iter().map(|(code, _)| code).collect();
    assert_eq!(codes.len(), kinds.len(), "{kinds:?}");
}

#[test]
fn what_iisnode_blames_on_the_worker_is_the_workers() {
    for (failure, _, (_, substatus)) in every_failure() {
        let with_page = matches!(substatus, 1003..=1018);
        assert!(!with_page || failure.side() == Side::Upstream, "{failure:?}");
    }
}

#[test]
fn a_program_that_is_missing_is_told_with_what_was_looked_for() {
    let failure = |why: Option<&str>| Failure::ProgramNotFound {
        application: "/shop".to_owned(),
        program: "dotnet".to_owned(),
        command: "dotnet ./Shop.dll".to_owned(),
        why: why.map(str::to_owned),
        refilling: false,
    };
    for (why, told) in [
        (None, "there is no program `dotnet`"),
        (Some(".NET is not installed: …"), ".NET is not installed: …"),
    ] {
        let failure = failure(why);
        assert_eq!(failure.to_string(), format!("/shop cannot be started with `dotnet ./Shop.dll`: {told}"));
        for (manner, advised) in [
            (Manner::Iisnode, "nodeProcessCommandLine"),
            (Manner::HttpPlatform, "processPath"),
            (Manner::AspNetCore, "processPath"),
        ] {
            assert!(failure.advice(manner).contains(advised), "{}", failure.advice(manner));
        }
    }
}

#[test]
fn nobody_is_told_to_publish_the_source_of_a_program() {
    for (path, is_script) in [
        ("/a.php", true),
        ("/b/A.PHP7", true),
        ("/x.phtml", true),
        ("/b.aspx", true),
        ("/x.fcgi", true),
        ("/x.pl", true),
        ("/x.md", false),
        ("/php", false),
    ] {
        let why = format!("{path}: the site serves no files of this type");
        let failure = Failure::Refused { status: 404, substatus: 3, why };
        assert_eq!(!failure.advice(Manner::Iisnode).contains("mimeMap"), is_script, "{path}");
    }
}
