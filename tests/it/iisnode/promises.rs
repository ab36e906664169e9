//! Promises of recycling that were broken once: whom a new version may keep waiting, and whom it may never harm.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{FROM_AFAR, app, ask, failure, says, text, texts};
use crate::harness::{Host, PATIENCE, RawClient, Site, alive, eventually, holds_for, signal};

/// Code that goes on with `then` once a file of this name is there.
fn when(file: &str, then: &str) -> String {
    format!(
        "const t = setInterval(() => {{ if (require('fs').existsSync('{file}')) {{ clearInterval(t); {then}; }} }}, 5);"
    )
}

/// Code that notes in `starts.log` that a worker was started.
const NOTES_START: &str = "require('fs').appendFileSync('starts.log', 'started\\n');\n";

#[test]
fn an_application_that_writes_a_watched_file_while_it_starts_still_answers_its_first_request() {
    let writes = "require('fs').writeFileSync('generated.js', String(process.hrtime.bigint()));\n";
    let site = Site::iisnode("hello.js", &format!("{writes}{NOTES_START}{}", says("here")))
        .yml("recycleMode: strict\n");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "here");
    assert!(site.read("starts.log").lines().count() < 10, "{}", site.read("starts.log"));
}

#[test]
fn a_client_that_waits_while_many_watched_files_are_written_is_answered_by_few_starts() {
    let slow = when("go", "require('http').createServer((q, r) => r.end('here')).listen(process.env.PORT)");
    let site = Site::iisnode("hello.js", &format!("{NOTES_START}{slow}")).yml("recycleMode: strict\n");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "a worker that starts", || site.path().join("starts.log").exists().then_some(()));
    for file in 0..30 {
        site.write(&format!("deployed{file}.js"), "1");
        if file == 10 {
            site.write("go", "");
        }
        holds_for(Duration::from_millis(20), "the host", || alive(host.pid()));
    }
    assert_eq!(client.read_response("GET").text(), "here");
    assert_eq!(text(&host, "/hello.js"), "here");
    let starts = site.read("starts.log").lines().count();
    assert!(starts < 10, "{starts} workers for one client");
}

#[track_caller]
fn recycled_with_a_full_queue(mode: &str) {
    let notes = "require('fs').writeFileSync(`held${++n}`, '');";
    let holds = app(&format!("{notes} {}", when("release", "r.end('old')")));
    let site = Site::iisnode("hello.js", &format!("let n = 0;\n{holds}"))
        .set(r#"maxConcurrentRequestsPerProcess="2""#)
        .yml(&format!("recycleMode: {mode}\n"));
    let host = Host::of(site.path()).without_waiting().limit("queueLength", "100").start();
    let clients = (0..12).map(|_| {
        let mut client = RawClient::connect(&host);
        client.send("GET /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
        client
    });
    let mut clients = clients.collect::<Vec<_>>();
    eventually(PATIENCE, "a full worker", || site.path().join("held2").exists().then_some(()));
    for client in &mut clients {
        assert!(client.is_silent_for(Duration::from_millis(20)), "answered before its worker had room");
    }
    assert!(!site.path().join("held3").exists(), "more than the cap were handed over");
    site.write("hello.js", &says("new"));
    assert_eq!(text(&host, "/hello.js"), "new");
    site.write("release", "");
    let answers = clients.iter_mut().map(|client| client.read_response("GET"));
    let answers = answers.map(|answer| (answer.status(), answer.text())).collect::<Vec<_>>();
    assert!(
        answers.iter().all(|(status, said)| *status == 200 && ["old", "new"].contains(&said.as_str())),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|(_, said)| said == "old").count(), 2, "{answers:?}");
}

#[test]
fn requests_in_the_overflow_queue_are_answered_when_the_script_is_recycled_meanwhile() {
    recycled_with_a_full_queue("strict");
    recycled_with_a_full_queue("safe");
}

#[test]
fn a_broken_web_config_is_shown_at_the_machine_and_harms_nobody_elsewhere() {
    let site = Site::iisnode("hello.js", &app("r.end(String(process.pid))")).file("ping.txt", "pong");
    let host = site.serve();
    let fine = site.read("web.config");
    let pid = text(&host, "/hello.js");
    for _ in 0..2 {
        site.write("web.config", "<configuration>\n  <system.webServer>\n    <iisnode a=\"\"b\"\"/>\n");
        let local = ask(&host, "/hello.js", &[]);
        assert_eq!(failure(&local), (200, "500.19"), "{}", local.text());
        assert!(local.text().contains("web.config:3:"), "{}", local.text());
        let afar = ask(&host, "/hello.js", &[FROM_AFAR]);
        assert_eq!((failure(&afar), afar.text()), ((200, "no error field"), pid.clone()));
        assert_eq!(ask(&host, "/ping.txt", &[FROM_AFAR]).text(), "pong");
        site.write("web.config", &fine);
        text(&host, "/hello.js");
        let mended = ask(&host, "/hello.js", &[FROM_AFAR]);
        assert_eq!(failure(&mended), (200, "no error field"), "{}", mended.text());
        if mended.text() != pid {
            // A mended file may count as changed; from then on the new worker is the one that stays.
            return;
        }
    }
}

/// A mistake in one folder freezes nothing else.
#[test]
fn while_one_web_config_is_broken_edits_elsewhere_in_the_site_hold() {
    let field = |value: &str| {
        crate::harness::web_config(&format!(
            "<httpProtocol><customHeaders><add name=\"X-Edit\" value=\"{value}\"/></customHeaders></httpProtocol>"
        ))
    };
    let site = Site::named("site")
        .web_config(&field("root 1"))
        .file("x.txt", "x")
        .file("a/x.txt", "x")
        .file("a/web.config", &field("a 1"))
        .file("b/x.txt", "x");
    let host = site.serve();
    let seen = |url: &str| {
        ["Via: nobody", FROM_AFAR, "Accept: text/html"].map(|from| {
            let answer = ask(&host, url, &[from]);
            let edit = answer.head.field("x-edit").unwrap_or("none").to_owned();
            (answer.head.field(super::ERROR).unwrap_or("served").to_owned(), edit)
        })
    };
    let served = |edit: &str| ("served".to_owned(), edit.to_owned());
    assert_eq!(seen("/a/x.txt"), [served("a 1"), served("a 1"), served("a 1")]);
    site.write("a/web.config", "<configuration>\n<iisnode a=\"\"b\"\"/>\n");
    assert_eq!(seen("/a/x.txt")[..2], [served("a 1"), served("a 1")]);
    assert_eq!(seen("/a/x.txt")[2].0, "500.19");
    assert_eq!(seen("/x.txt"), [served("root 1"), served("root 1"), served("root 1")]);
    site.write("web.config", &field("root 2"));
    site.write("b/web.config", &field("b 1"));
    assert_eq!(seen("/x.txt"), [served("root 2"), served("root 2"), served("root 2")]);
    assert_eq!(seen("/b/x.txt"), [served("b 1"), served("b 1"), served("b 1")]);
    assert_eq!(seen("/a/x.txt")[..2], [served("a 1"), served("a 1")]);
    site.write("a/web.config", &field("a 2"));
    assert_eq!(seen("/a/x.txt"), [served("a 2"), served("a 2"), served("a 2")]);
}

#[test]
fn a_folder_that_was_broken_from_the_beginning_does_not_help_a_bad_edit_to_take_the_site_down() {
    let site = Site::iisnode("hello.js", &app("r.end(String(process.pid))"))
        .file("old/web.config", "<configuration>\n<iisnode a=\"\"b\"\"/>\n")
        .file("old/x.txt", "x");
    let host = site.serve();
    let pid = text(&host, "/hello.js");
    assert_eq!(ask(&host, "/old/x.txt", &[FROM_AFAR]).status(), 500);
    let fine = site.read("web.config");
    site.write("web.config", "<configuration>\n  <system.webServer>\n    <iisnode a=\"\"b\"\"/>\n");
    let afar = ask(&host, "/hello.js", &[FROM_AFAR]);
    assert_eq!((failure(&afar), afar.text()), ((200, "no error field"), pid));
    assert_eq!(failure(&ask(&host, "/hello.js", &[])), (200, "500.19"));
    site.write("web.config", &fine);
    text(&host, "/hello.js");
    site.write("old/web.config", &crate::harness::web_config(""));
    assert_eq!(text(&host, "/old/x.txt"), "x");
}

/// What a folder said in places of its own counts until it is mended.
#[test]
fn what_a_web_config_hid_in_one_place_stays_hidden_while_it_is_broken() {
    let hides = r#"<location path="inner"><system.webServer><security><requestFiltering><hiddenSegments><add segment="secret.txt"/></hiddenSegments></requestFiltering></security></system.webServer></location>"#;
    let site = Site::named("site")
        .web_config(&crate::harness::web_config(""))
        .file("a/web.config", &format!("<configuration>{hides}</configuration>"))
        .file("a/inner/secret.txt", "hush")
        .file("a/inner/open.txt", "open");
    let host = site.serve();
    for _ in 0..2 {
        assert_eq!(failure(&ask(&host, "/a/inner/secret.txt", &[FROM_AFAR])), (404, "404.8"));
        assert_eq!(ask(&host, "/a/inner/open.txt", &[FROM_AFAR]).text(), "open");
        site.write("a/web.config", "<configuration>\n<iisnode a=\"\"b\"\"/>\n");
    }
}

#[test]
fn a_bad_iisnode_yml_is_shown_at_the_machine_and_the_old_workers_serve_the_others() {
    for yml in ["recycleMode: strict\n", "recycleMode: safe\n"] {
        let site = Site::iisnode("hello.js", &app("r.end(String(process.pid))")).yml(yml);
        let host = site.serve();
        let pid = text(&host, "/hello.js");
        site.write("iisnode.yml", &format!("{yml}loggingEnabled: foobar\n"));
        for _ in 0..3 {
            let local = ask(&host, "/hello.js", &[]);
            assert_eq!(failure(&local), (200, "500.1000"), "{}", local.text());
            assert!(local.text().contains("iisnode.yml:2:"), "{}", local.text());
            let afar = ask(&host, "/hello.js", &[FROM_AFAR]);
            assert_eq!((failure(&afar), afar.text()), ((200, "no error field"), pid.clone()));
        }
        site.write("iisnode.yml", &format!("{yml}# mended\n"));
        text(&host, "/hello.js");
        assert_eq!(failure(&ask(&host, "/hello.js", &[FROM_AFAR])), (200, "no error field"));
    }
}

#[test]
fn a_recycle_mode_made_strict_while_a_new_version_is_prepared_lets_only_the_newest_answer() {
    let second = format!(
        "require('fs').writeFileSync('begun', '');\n{}",
        when("go", "require('http').createServer((q, r) => r.end('2')).listen(process.env.PORT)")
    );
    let site = Site::iisnode("hello.js", &says("1")).yml("recycleMode: safe\n");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "1");
    site.write("hello.js", &second);
    assert_eq!(text(&host, "/hello.js"), "1");
    eventually(PATIENCE, "a second version", || site.path().join("begun").exists().then_some(()));
    site.write("iisnode.yml", "recycleMode: strict\n");
    let mut client = RawClient::connect(&host);
    client.send("GET /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(client.is_silent_for(Duration::from_millis(300)), "answered by a version that is stale");
    site.write("go", "");
    assert_eq!(client.read_response("GET").text(), "2");
    assert!(texts(&host, "/hello.js", 20).iter().all(|version| version == "2"));
    site.write("hello.js", &says("3"));
    assert!(texts(&host, "/hello.js", 20).iter().all(|version| version == "3"));
}

#[test]
fn what_a_draining_worker_wishes_does_not_recycle_the_next_generation() {
    let wishes = "process.on('SIGTERM', () => require('net').connect(process.env.IISNODE_CONTROL_PIPE).on('error', () => process.exit()).end('recycle', () => { require('fs').writeFileSync('wished', ''); process.exit(); }));\n";
    let script = format!("{wishes}{}", app("r.end(String(process.pid))"));
    let site = Site::iisnode("hello.js", &script).set(r#"recycleSignalEnabled="true""#);
    let host = site.serve();
    let first = text(&host, "/hello.js");
    site.write("hello.js", &format!("{script}// changed"));
    let second = text(&host, "/hello.js");
    assert_ne!(first, second);
    let old = first.parse().unwrap();
    eventually(PATIENCE, "the end of the old worker", || (!alive(old)).then_some(()));
    assert!(site.list("").contains(&"wished".to_owned()), "the old worker had no time to wish");
    assert_eq!(texts(&host, "/hello.js", 20), vec![second.clone(); 20]);
    holds_for(Duration::from_millis(300), "the second worker", || text(&host, "/hello.js") == second);
}

#[test]
fn a_sticky_client_whose_worker_died_is_given_one_cookie_and_no_more() {
    let listen =
        "require('http').createServer((q, r) => r.end(String(process.pid))).listen(process.env.PORT)";
    // Workers that are started later do not come up, so that the place of the dead one stays empty.
    let script =
        format!("if (!require('fs').existsSync('closed')) {listen}; else {{ {} }}", when("go", listen));
    let site = Site::iisnode("hello.js", &script)
        .set(r#"nodeProcessStickySessions="true" nodeProcessCountPerApplication="2""#);
    let host = site.serve();
    let cookie = |answer: &crate::harness::Message| {
        let all = answer.head.all("set-cookie");
        assert_eq!(all.len(), 1, "{:?}", answer.head);
        format!("Cookie: {}", all[0].split(';').next().unwrap())
    };
    let one = ask(&host, "/hello.js", &[]);
    let two = ask(&host, "/hello.js", &[]);
    assert_ne!(one.text(), two.text());
    let held = cookie(&one);
    site.write("closed", "");
    let dead = one.text().parse().unwrap();
    signal(dead, Signal::SIGKILL);
    let again = ask(&host, "/hello.js", &[&held]);
    assert_eq!((again.status(), again.text()), (200, two.text()));
    let moved = cookie(&again);
    assert_eq!(moved, cookie(&two));
    let kept = ask(&host, "/hello.js", &[&moved]);
    assert_eq!((kept.text(), kept.head.has("set-cookie")), (two.text(), false));
    // Asked for again and again while nobody is there, it is one cookie each time.
    for _ in 0..5 {
        cookie(&ask(&host, "/hello.js", &[&held]));
    }
}
