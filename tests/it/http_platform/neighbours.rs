//! A program that misbehaves gets a clear page of its own within its limit, and its neighbour does not notice.

use super::{NOTES_START, all_end, app, ask, failure, node_config, says_pid, starts, text};
use crate::harness::{Host, Message, PATIENCE, RawClient, Site, alive, eventually};

/// `/bad` runs this code with these attributes; `/good` is an application that answers.
fn beside(code: &str, attributes: &str) -> Site {
    Site::named("site")
        .file("good/web.config", &node_config(""))
        .file("good/app.js", &app("r.end('good')"))
        .file("bad/web.config", &node_config(attributes))
        .file("bad/app.js", &format!("{NOTES_START}{code}"))
}

/// The page of the bad application. All the good one's answers come before it: none waited for the bad one's limit.
#[track_caller]
fn page_while_the_other_answers(host: &Host, site: &Site) -> Message {
    assert_eq!(text(host, "/good/"), "good");
    let mut bad = RawClient::connect(host);
    bad.send("GET /bad/ HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "its start", || (!starts(site, "bad").is_empty()).then_some(()));
    let mut kept = RawClient::connect(host);
    for _ in 0..50 {
        assert_eq!(text(host, "/good/"), "good");
        assert_eq!(kept.get("/good/").text(), "good");
    }
    assert!(bad.is_silent_for(std::time::Duration::from_millis(1)), "answered before its limit");
    let page = bad.read_response("GET");
    assert_eq!(failure(&page), (502, "502.5"), "{}", page.text());
    page
}

/// Asks the bad application and, at the same time, the good one again and again until the bad one has answered.
#[track_caller]
fn page_beside_answers(host: &Host) -> Message {
    assert_eq!(text(host, "/good/"), "good");
    std::thread::scope(|scope| {
        let bad = scope.spawn(|| ask(host, "/bad/", &[]));
        while !bad.is_finished() {
            assert_eq!(text(host, "/good/"), "good");
        }
        bad.join().unwrap()
    })
}

#[test]
fn one_that_never_listens() {
    let site = beside("setInterval(() => {}, 1000);", r#"startupTimeLimit="5" startupRetryCount="1""#);
    let host = site.serve();
    let page = page_while_the_other_answers(&host, &site).text();
    assert!(page.contains("listen") && page.contains("5 s"), "{page}");
    host.wait_for_line("5 s");
    all_end(&starts(&site, "bad"), "it");
}

#[test]
fn one_that_listens_elsewhere() {
    let elsewhere = "const s = require('http').createServer(); s.listen(0, '127.0.0.1', () => require('fs').writeFileSync('port.txt', String(s.address().port)));";
    let site = beside(elsewhere, r#"startupTimeLimit="5" startupRetryCount="1""#);
    let host = site.serve();
    let page = page_while_the_other_answers(&host, &site).text();
    let port = site.read("bad/port.txt");
    assert!(page.contains(&port), "{port} is missing: {page}");
    host.wait_for_line(&port);
    all_end(&starts(&site, "bad"), "it");
}

#[test]
fn one_that_burns_all_its_time_before_it_listens() {
    let site = beside("for (;;) ;", r#"startupTimeLimit="5" startupRetryCount="1""#);
    let host = site.serve();
    page_while_the_other_answers(&host, &site);
    all_end(&starts(&site, "bad"), "it");
}

#[test]
fn one_that_exits_at_once() {
    let site = beside("process.exit(7);", r#"startupTimeLimit="60" startupRetryCount="3""#);
    let host = site.serve();
    let page = page_beside_answers(&host);
    assert_eq!(failure(&page), (502, "502.5"));
    assert!(page.text().contains("exited with code 7"), "{}", page.text());
    host.wait_for_line("exited with code 7");
}

#[test]
fn one_that_prints_a_megabyte_and_exits() {
    let prints = "const fs = require('fs'); for (let i = 0; i < 10486; i++) fs.writeSync(1, 'x'.repeat(99) + '\\n'); fs.writeSync(2, 'and that was all\\n'); process.exit(9);";
    let site = beside(prints, r#"startupTimeLimit="60" startupRetryCount="1""#);
    let host = site.serve();
    let page = page_beside_answers(&host);
    assert_eq!(failure(&page), (502, "502.5"));
    let page = page.text();
    assert!(page.contains("exited with code 9") && page.contains("and that was all"), "{page:.2000}");
    assert!(page.len() < 200_000, "a page of {} bytes", page.len());
    host.wait_for_line("exited with code 9");
}

#[test]
fn one_that_prints_a_megabyte_without_a_line_end() {
    let prints = "const fs = require('fs'); for (let i = 0; i < 1024; i++) fs.writeSync(2, 'x'.repeat(1024)); process.exit(9);";
    let site = beside(prints, r#"startupTimeLimit="60" startupRetryCount="1""#);
    let page = page_beside_answers(&site.serve());
    assert_eq!(failure(&page), (502, "502.5"));
    assert!(page.body.len() < 200_000, "a page of {} bytes", page.body.len());
}

#[test]
fn one_whose_program_does_not_exist() {
    let site = beside("", "");
    site.write("bad/web.config", &site.read("bad/web.config").replace("\"node\"", "\"idontexist\""));
    let page = page_beside_answers(&site.serve());
    assert_eq!(failure(&page), (502, "502.5"));
    assert!(page.text().contains("idontexist"), "{}", page.text());
}

/// A recycle does not wait for it, and neither does anybody else.
#[test]
fn one_that_ignores_the_request_to_go() {
    let site = beside("", "");
    site.write("bad/app.js", &format!("process.on('SIGTERM', () => {{}});\n{}", says_pid()));
    let host = site.serve();
    assert_eq!(text(&host, "/good/"), "good");
    let old = text(&host, "/bad/").parse::<u32>().unwrap();
    site.write("bad/web.config", &node_config(r#"startupTimeLimit="30""#));
    assert_ne!(text(&host, "/bad/"), old.to_string());
    eventually(PATIENCE, "the end within its limit", || {
        assert_eq!(text(&host, "/good/"), "good");
        (!alive(old)).then_some(())
    });
}

#[test]
fn one_that_never_answers_keeps_its_clients_and_nobody_elses() {
    let site = beside(&app(""), r#"requestTimeout="00:00:03""#);
    let host = site.serve();
    assert_eq!(text(&host, "/good/"), "good");
    let mut clients = (0..50).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for client in &mut clients {
        client.send("GET /bad/ HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for _ in 0..50 {
        assert_eq!(text(&host, "/good/"), "good");
    }
    let still = clients.iter_mut().all(|client| client.is_silent_for(std::time::Duration::from_millis(1)));
    assert!(still, "given up before their limit");
    for client in &mut clients {
        assert_eq!(client.read_response("GET").head.field(super::ERROR), Some("502.3"));
    }
}
