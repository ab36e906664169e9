//! What is said of a program that does not start, and to whom.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Rendering, Report, render};
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Manner};
use crate::pool::journal::{Cause, Ending, Excerpt, Run};

const FULL: Rendering = Rendering::Startup { is_detailed: true };
const CAUSES: Rendering = Rendering::Startup { is_detailed: false };

fn journal(cause: Cause, diagnosis: Option<&str>) -> Excerpt {
    Excerpt {
        run: Run {
            command: "java -jar 'my app.jar'".to_owned(),
            working_directory: PathBuf::from("/srv/shop"),
            port: "a TCP port number",
        },
        endings: vec![Arc::new(Ending {
            slot: 0,
            pid: Some(4711),
            how: "exited with code 3 before it accepted a connection".to_owned(),
            after: Duration::from_millis(80),
            at: Instant::now(),
            stderr: b"\x1b[31mError: <script>\x1b[0m \x07".to_vec(),
            output: Vec::new(),
            diagnosis: diagnosis.map(str::to_owned),
            cause,
        })],
        diagnosis: None,
        ever_ready: false,
    }
}

fn report(failure: &Failure, manner: Manner, journal: Excerpt, wants_html: bool) -> Report<'_> {
    Report {
        failure,
        manner,
        numbers: failure.numbers(manner),
        for_everybody: false,
        help_link: Some("https://help.example/?a=b&c"),
        application: Some("/shop"),
        journal: Some(journal),
        worker: None,
        live_stderr: None,
        request_id: "0123456789abcdef",
        url: "/shop/<b>",
        wants_html,
    }
}

fn failing() -> Failure {
    Failure::Failing { application: "shop".to_owned(), why: "the worker exited with code 3".into() }
}

fn body(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
}

#[track_caller]
fn says(reply: &Reply, all: &[&str]) {
    for part in all {
        assert!(body(reply).contains(part), "no {part:?} in {}", body(reply));
    }
}

const PUBLIC: [&str; 4] = [
    "could not be started",
    "ended before it could answer",
    "does not listen on the port it was given",
    "https://go.microsoft.com/fwlink/?linkid=808681",
];

#[test]
fn everybody_learns_what_it_can_be_and_where_to_look() {
    let failure = failing();
    for (manner, heading) in [
        (Manner::AspNetCore, "HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure"),
        (Manner::HttpPlatform, "HTTP Error 502.5 - Process Failure"),
    ] {
        for (wants_html, media_type, link) in [
            (true, "text/html; charset=utf-8", "<a href=\"https://help.example/?a=b&amp;c\""),
            (false, "text/plain; charset=utf-8", "https://help.example/?a=b&c"),
        ] {
            let reply = render(&report(&failure, manner, journal(Cause::Ended, None), wants_html), CAUSES);
            assert_eq!((reply.status, field(&reply, "X-Ostler-Error")), (502, Some("502.5")));
            assert_eq!(field(&reply, "Content-Type"), Some(media_type));
            says(&reply, &[heading, link, "0123456789abcdef"]);
            says(&reply, &PUBLIC);
            for secret in ["java", "jar", "/srv", "exited", "code 3", "Error: ", "4711", "This is what"] {
                assert!(!body(&reply).contains(secret), "{secret} in {}", body(&reply));
            }
        }
    }
}

#[test]
fn who_may_know_sees_all_that_was_seen() {
    let failure = failing();
    let page = render(&report(&failure, Manner::AspNetCore, journal(Cause::Ended, None), true), FULL);
    says(&page, &PUBLIC);
    says(
        &page,
        &[
            "shop does not start: the worker exited with code 3.",
            "<strong>The process was started and ended before it could answer.</strong> This is what happened.",
            "java -jar &apos;my app.jar&apos;",
            "/srv/shop",
            "<dt>ASPNETCORE_PORT</dt><dd>a TCP port number</dd>",
            "worker 0 (pid 4711) exited with code 3",
            "<pre>Error: &lt;script&gt; [x07]</pre>",
            "/shop/&lt;b&gt;",
            "Only clients on this machine",
        ],
    );
    assert!(!body(&page).contains("<script") && !body(&page).contains("node"));
    let text = render(&report(&failure, Manner::HttpPlatform, journal(Cause::Ended, None), false), FULL);
    says(
        &text,
        &["command: java -jar 'my app.jar'", "/srv/shop", "Error: <script> [x07]", "exited with code 3"],
    );
    assert!(!body(&text).contains('\x1b'));
}

#[test]
fn the_true_cause_is_marked() {
    let not_ready = Failure::NotReady { application: "shop".to_owned(), after: Duration::from_secs(9) };
    let not_found = Failure::ProgramNotFound {
        why: None,
        application: "shop".to_owned(),
        program: "java".to_owned(),
        command: "java".to_owned(),
        refilling: false,
    };
    for (failure, cause, marked) in [
        (&not_found, Cause::Ended, PUBLIC[0]),
        (&failing(), Cause::NoProgram("java".to_owned()), PUBLIC[0]),
        (&failing(), Cause::NotStarted, PUBLIC[0]),
        (&failing(), Cause::Ended, PUBLIC[1]),
        (&failing(), Cause::Silent, PUBLIC[2]),
        (&not_ready, Cause::Ended, PUBLIC[2]),
    ] {
        let page = render(&report(failure, Manner::HttpPlatform, journal(cause, None), true), FULL);
        let strong = body(&page).split("<li><strong>").nth(1).unwrap_or_default();
        assert!(strong.split("</strong>").next().is_some_and(|text| text.contains(marked)), "{failure:?}");
        assert_eq!(body(&page).matches("This is what happened.").count(), 1);
    }
}

#[test]
fn a_program_that_listens_elsewhere_is_told_the_variable_that_it_should_read() {
    let failure = failing();
    let elsewhere = || journal(Cause::Silent, Some("your program is alive but listens on TCP port 3000"));
    let page = render(&report(&failure, Manner::HttpPlatform, elsewhere(), true), FULL);
    says(&page, &["Your program is alive but listens on TCP port 3000.", "HTTP_PLATFORM_PORT"]);
    let text = render(&report(&failure, Manner::HttpPlatform, elsewhere(), false), FULL);
    says(&text, &["Your program is alive but listens on TCP port 3000."]);
}

#[test]
fn a_command_keeps_its_short_line_and_says_more_below() {
    let failure = failing();
    let text = render(&report(&failure, Manner::Command, journal(Cause::Ended, None), false), FULL);
    assert_eq!((text.status, field(&text, "X-Ostler-Error")), (503, Some("failing")));
    assert!(body(&text).starts_with("503 Service Unavailable (failing)\n"));
    says(&text, &["shop does not start", "java -jar", "Error: <script>"]);
    let page = render(&report(&failure, Manner::Command, journal(Cause::Ended, None), true), FULL);
    says(&page, &["<p class=\"number\">503 Service Unavailable</p>", "<dt>PORT</dt>"]);
    for nothing in ["linkid", "502", "ANCM"] {
        assert!(!body(&page).contains(nothing), "{nothing}");
    }
}

#[test]
fn a_link_that_is_none_is_only_shown() {
    let failure = failing();
    let mut report = report(&failure, Manner::AspNetCore, journal(Cause::Ended, None), true);
    report.help_link = Some("javascript:alert(1)");
    let page = render(&report, CAUSES);
    says(&page, &["<li>javascript:alert(1)</li>"]);
    assert!(!body(&page).contains("href=\"javascript"));
}

#[test]
fn who_does_not_ask_for_html_gets_text_also_of_other_failures() {
    let silent = Failure::Silent { after: Duration::from_secs(1) };
    let broken = Failure::BadSettings { is_yml: false, notes: Arc::from(["web.config:4:9: no".to_owned()]) };
    let known = Rendering::Known { status_200: false };
    let dev = Rendering::DevPage { status_200: false };
    for (failure, rendering, words) in [
        (&silent, dev, ["502.3 Bad Gateway\n", "The worker said nothing for 1 s.", "requestTimeout"]),
        (&broken, known, ["500.0 Internal Server Error\n", "- web.config:4:9: no\n", "`ostler check`"]),
    ] {
        for manner in [Manner::AspNetCore, Manner::HttpPlatform] {
            let text = render(&report(failure, manner, journal(Cause::Ended, None), false), rendering);
            assert_eq!(field(&text, "Content-Type"), Some("text/plain; charset=utf-8"));
            says(&text, &words);
            says(&text, &["request 0123456789abcdef"]);
            assert!(!body(&text).contains("<style") && !body(&text).contains('\x1b'));
            let page = render(&report(failure, manner, journal(Cause::Ended, None), true), rendering);
            assert!(body(&page).contains("<style"));
        }
        let page = render(&report(failure, Manner::Iisnode, journal(Cause::Ended, None), false), rendering);
        assert!(body(&page).contains("<style"), "iisnode's page is HTML for everybody");
    }
}

#[test]
fn a_box_that_holds_both_outputs_says_so() {
    let failure = failing();
    for (output, heading) in [
        ("", "<h2>What the worker wrote to stderr</h2>"),
        ("printed to both", "<h2>What the worker wrote</h2>"),
    ] {
        let mut seen = journal(Cause::Ended, None);
        if let Some(ending) = seen.endings.first_mut().and_then(Arc::get_mut) {
            ending.output = output.as_bytes().to_vec();
        }
        let page = render(&report(&failure, Manner::HttpPlatform, seen, true), FULL);
        says(&page, &[heading, output]);
    }
}

#[test]
fn a_limit_of_no_time_is_what_is_wrong_and_not_where_the_program_listens() {
    let failure = Failure::NotReady { application: "shop".to_owned(), after: Duration::ZERO };
    let page = render(&report(&failure, Manner::AspNetCore, Excerpt::default(), true), FULL);
    says(&page, &["A limit of 0 s gives a program no time to start", "startupTimeLimit"]);
    assert!(
        !body(&page).contains("Have the program listen") && !body(&page).contains("This is what happened")
    );
}

#[test]
fn who_meets_a_port_that_is_taken_is_told_to_take_another() {
    let failure = failing();
    let taken = Cause::PortTaken { port: 5000, program: Some("nginx".to_owned()) };
    let page = render(&report(&failure, Manner::AspNetCore, journal(taken, None), true), FULL);
    says(&page, &["End the program that has the port, or name another port"]);
}

#[test]
fn pages_of_a_command_do_not_speak_of_node_or_iisnode() {
    let failures = [
        failing(),
        Failure::NotReady { application: "shop".to_owned(), after: Duration::from_secs(9) },
        Failure::ClosedBeforeAnswer,
        Failure::BadAnswer("nonsense"),
        Failure::ConnectBusy,
        Failure::Silent { after: Duration::from_secs(1) },
    ];
    for failure in failures {
        for rendering in [FULL, Rendering::DevPage { status_200: true }] {
            let page =
                render(&report(&failure, Manner::Command, journal(Cause::Ended, None), true), rendering);
            for word in ["Node", "node.yml", "iisnode", "500.1", "process.env", "ASPNETCORE", "web.config"] {
                assert!(!body(&page).contains(word), "{word} in {}", body(&page));
            }
        }
    }
}
