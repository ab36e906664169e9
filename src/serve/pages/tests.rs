//! What pages say, and what they must not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Rendering, Report, accepts_html, render, short};
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Manner};
use crate::pool::journal::{Cause, Ending, Excerpt, Run};

const DEV: Rendering = Rendering::DevPage { status_200: true };
const KNOWN: Rendering = Rendering::Known { status_200: true };

fn report<'a>(failure: &'a Failure, journal: Option<Excerpt>) -> Report<'a> {
    Report {
        failure,
        manner: Manner::Iisnode,
        numbers: failure.numbers(Manner::Iisnode),
        for_everybody: false,
        help_link: None,
        application: Some("/shop/server.js"),
        journal,
        worker: None,
        live_stderr: None,
        request_id: "0123456789abcdef",
        url: "/shop/<script>?a=b&c",
        wants_html: true,
    }
}

fn journal(stderr: &[u8], diagnosis: Option<&str>) -> Excerpt {
    Excerpt {
        run: Run {
            command: "node --flag 'my server.js'".to_owned(),
            working_directory: PathBuf::from("/srv/shop"),
            port: "the path of a Unix socket",
        },
        endings: vec![Arc::new(Ending {
            slot: 2,
            pid: Some(4711),
            how: "exited with code 3 before it accepted a connection".to_owned(),
            after: Duration::from_millis(80),
            at: Instant::now(),
            stderr: stderr.to_vec(),
            output: Vec::new(),
            diagnosis: diagnosis.map(str::to_owned),
            cause: Cause::Ended,
        })],
        diagnosis: None,
        ever_ready: false,
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

#[test]
fn the_page_of_a_crash_at_start_tells_everything_that_was_seen() {
    let failure = failing();
    let stderr = b"\x1b[31mSyntaxError: <b> & 'c'\x1b[0m\n{{version}}\x00\n";
    let reply = render(&report(&failure, Some(journal(stderr, None))), DEV);
    assert_eq!(reply.status, 200);
    assert_eq!(field(&reply, "Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(field(&reply, "X-Ostler-Error"), Some("500.1002"));
    assert_eq!(field(&reply, "Cache-Control"), Some("no-cache"));
    assert_eq!(field(&reply, "Retry-After"), None, "a 200 is nothing to try again");
    says(
        &reply,
        &[
            "shop does not start: the worker exited with code 3.",
            "/shop/&lt;script&gt;?a=b&amp;c",
            "/shop/server.js",
            "node --flag &apos;my server.js&apos;",
            "/srv/shop",
            "the path of a Unix socket",
            "worker 2 (pid 4711) exited with code 3 before it accepted a connection, 80 ms after its start",
            "<pre>SyntaxError: &lt;b&gt; &amp; &apos;c&apos;\n{{version}}[x00]</pre>",
            "HRESULT: 0x2\nHTTP status: 500\nHTTP subStatus: 1002\nHTTP reason: Internal Server Error</pre>",
            "<code>devErrorsEnabled</code>",
            "0123456789abcdef",
        ],
    );
    assert!(!body(&reply).contains("<script"), "nothing runs in an error page");
    assert!(!body(&reply).contains("http://") && !body(&reply).contains("https://"), "nothing is fetched");
}

#[test]
fn a_program_that_listens_elsewhere_is_told_so() {
    let failure = Failure::NotReady { application: "shop".to_owned(), after: Duration::from_secs(25) };
    let found = "your program is alive but listens on TCP port 3000, not on PORT";
    let reply = render(&report(&failure, Some(journal(b"", Some(found)))), DEV);
    says(
        &reply,
        &[
            "Your program is alive but listens on TCP port 3000, not on PORT.",
            "transport: tcp",
            "<p>Nothing. ",
        ],
    );
}

#[test]
fn what_the_last_words_usually_mean_is_said_first() {
    let reply = render(&report(&failing(), Some(journal(b"Error: Cannot find module 'express'", None))), DEV);
    says(&reply, &["<strong>A module is missing.", "Look at its output below"]);
}

#[test]
fn the_words_of_the_worker_that_failed_are_shown_and_not_those_of_another() {
    let failure = Failure::ClosedBeforeAnswer;
    let mut report = report(&failure, Some(journal(b"of another", None)));
    report.worker = Some(1);
    let reply = render(&report, DEV);
    assert!(!body(&reply).contains("of another"));
    assert_eq!(field(&reply, "X-Ostler-Error"), Some("500.1013"));
    report.live_stderr = Some(b"its own".to_vec());
    says(&render(&report, DEV), &["<pre>its own</pre>", "HRESULT: 0x6d"]);
    report.live_stderr = None;
    report.worker = Some(4711);
    says(&render(&report, DEV), &["<pre>of another</pre>"]);
}

#[test]
fn a_full_tail_begins_with_a_whole_line() {
    let failure = failing();
    let mut stderr = vec![b'x'; 64 * 1024 - 5];
    stderr.extend(b"\nlast");
    says(&render(&report(&failure, Some(journal(&stderr, None))), DEV), &["<pre>last</pre>"]);
}

#[test]
fn a_wrong_iisnode_yml_is_named_with_every_place() {
    let notes =
        Arc::from(["iisnode.yml:3:1: error: `: foo` has no name".to_owned(), "second <one>".to_owned()]);
    let failure = Failure::BadSettings { is_yml: true, notes };
    let reply = render(&report(&failure, None), KNOWN);
    assert_eq!((reply.status, field(&reply, "X-Ostler-Error")), (200, Some("500.1000")));
    says(
        &reply,
        &[
            "unable to read the configuration file iisnode.yml",
            "iisnode.yml:3:1: error: `: foo` has no name",
            "second &lt;one&gt;",
            "HRESULT: 0x408",
            "Only clients on this machine",
        ],
    );
}

#[test]
fn a_program_that_is_not_there_is_named_with_its_setting_and_path() {
    let failure = Failure::ProgramNotFound {
        application: "shop".to_owned(),
        program: "idontexist.exe".to_owned(),
        command: "idontexist.exe server.js".to_owned(),
        why: None,
        refilling: false,
    };
    let reply = render(&report(&failure, None), KNOWN);
    assert_eq!(reply.status, 200);
    says(&reply, &["idontexist.exe", "nodeProcessCommandLine", "PATH", "HRESULT: 0x404"]);
    assert_eq!(render(&report(&failure, None), Rendering::Plain).status, 500);
}

#[test]
fn a_wrong_web_config_points_at_the_section_or_the_line() {
    let failure =
        Failure::BadSettings { is_yml: false, notes: Arc::from(["web.config:4:9: error: no".to_owned()]) };
    says(
        &render(&report(&failure, None), KNOWN),
        &["system.webServer/iisnode", "web.config:4:9", "HRESULT: 0x407"],
    );
    let failure = Failure::Broken { what: "web.config:2:5: error: not closed".into() };
    let reply = render(&report(&failure, None), Rendering::Known { status_200: false });
    assert_eq!((reply.status, field(&reply, "X-Ostler-Error")), (500, Some("500.19")));
    says(&reply, &["web.config:2:5", "500.19 Internal Server Error"]);
}

#[test]
fn the_plain_page_gives_nothing_away() {
    let failure = failing();
    let mut report = report(&failure, Some(journal(b"secret", None)));
    let html = render(&report, Rendering::Plain);
    assert_eq!((html.status, field(&html, "X-Ostler-Error")), (500, Some("500.1002")));
    assert_eq!(field(&html, "Retry-After"), Some("1"));
    says(&html, &["<h1>500 Internal Server Error</h1>", "request 0123456789abcdef"]);
    report.wants_html = false;
    let text = render(&report, Rendering::Plain);
    assert_eq!(field(&text, "Content-Type"), Some("text/plain; charset=utf-8"));
    assert!(body(&text).starts_with("500 Internal Server Error\n"));
    assert!(body(&text).ends_with("\nrequest 0123456789abcdef\n"));
    for reply in [html, text] {
        for secret in ["secret", "shop", "node ", "exited", "ostler", "/srv"] {
            assert!(!body(&reply).contains(secret), "{secret}: {}", body(&reply));
        }
    }
}

#[test]
fn a_refusal_is_explained_only_on_the_page_for_developers() {
    let failure =
        Failure::Refused { status: 404, substatus: 8, why: "the segment \"bin\" is hidden".to_owned() };
    let plain = render(&report(&failure, None), Rendering::Plain);
    assert_eq!((plain.status, field(&plain, "X-Ostler-Error")), (404, Some("404.8")));
    assert!(!body(&plain).contains("bin") && !plain.close);
    let candid = render(&report(&failure, None), Rendering::DevPage { status_200: false });
    assert_eq!(candid.status, 404);
    says(&candid, &["The segment &quot;bin&quot; is hidden.", "404.8 Not Found", "hiddenSegments"]);
    assert!(!body(&candid).contains("stderr"), "no worker had a part in it");
}

#[test]
fn a_site_that_is_offline_says_so_in_its_own_words() {
    let failure = Failure::Offline(Arc::from(*b"<p>back at noon</p>"));
    let reply = render(&report(&failure, None), Rendering::Plain);
    assert_eq!((reply.status, body(&reply)), (503, "<p>back at noon</p>"));
    assert_eq!(field(&reply, "Content-Type"), Some("text/html; charset=utf-8"));
    assert!(field(&reply, "Retry-After").is_some());
}

#[test]
fn closed_logs_name_the_setting_that_opens_them() {
    let reply = render(&report(&Failure::LogsClosed, None), Rendering::Known { status_200: false });
    assert_eq!(reply.status, 403);
    says(&reply, &["logAccess: anyone", "Logs are not shown"]);
}

#[test]
fn what_is_no_sites_gets_one_line_and_a_code() {
    let reply = short(&Failure::ConnectBusy);
    assert_eq!((reply.status, body(&reply)), (502, "502 Bad Gateway (connect_busy)\n"));
    assert_eq!(field(&reply, "X-Ostler-Error"), Some("connect_busy"));
    let reply = short(&Failure::HeadTooLarge(9));
    assert!(reply.close && body(&reply).contains("larger than 9 bytes"), "the client may know its own fault");
    assert!(field(&short(&Failure::Connect), "Allow").is_some());
}

#[test]
fn programs_are_told_from_browsers() {
    for (accept, html) in [
        (&b"text/html,application/xhtml+xml;q=0.9"[..], true),
        (b"Text/HTML", true),
        (b"*/*", false),
        (b"", false),
    ] {
        assert_eq!(accepts_html(accept), html);
    }
}
