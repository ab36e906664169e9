//! What a client is told when a program does not answer: the number in a field, the phase on a page for who is near.

use super::{ERROR, FROM_AFAR, app, ask, failure, node_site, pid, request, says_pid, starts, text};
use crate::harness::{PATIENCE, RawClient, eventually};

const EXITS: &str = "console.error('the password is horse'); process.exit(3);";

#[test]
fn a_page_names_the_phase_for_those_at_the_machine_and_gives_nothing_away_to_others() {
    let site = node_site(EXITS, r#"startupRetryCount="1""#);
    let host = site.serve();
    let local = ask(&host, "/", &[]);
    assert_eq!(failure(&local), (502, "502.5"));
    assert_eq!(local.head.field("content-type").map(|kind| kind.starts_with("text/html")), Some(true));
    assert!(local.text().contains("exited with code 3"), "{}", local.text());
    assert!(local.text().contains("the password is horse"), "{}", local.text());
    let afar = ask(&host, "/", &[FROM_AFAR]);
    assert_eq!(failure(&afar), (502, "502.5"));
    assert!(!afar.text().is_empty(), "a page for people");
    let folder = site.path().to_str().unwrap();
    for secret in ["the password is horse", folder, "app.js"] {
        assert!(!afar.text().contains(secret), "`{secret}` is given away: {}", afar.text());
    }
}

/// The worker is there, and this request got no answer from it.
#[test]
fn a_program_that_dies_or_closes_or_talks_nonsense_in_a_request_is_a_502_3() {
    let site = node_site(
        &app(
            "if (q.url === '/dies') process.exit(1); else if (q.url === '/closes') q.socket.destroy(); else if (q.url === '/half') q.socket.end('HTTP/1.1 200 O'); else if (q.url === '/nonsense') q.socket.end('good morning\\r\\n\\r\\n'); else r.end('fine')",
        ),
        "",
    );
    let host = site.serve();
    for target in ["/closes", "/half", "/nonsense", "/dies"] {
        let response = request(&host, "POST", target, &["Content-Length: 0"], "");
        assert_eq!(failure(&response), (502, "502.3"), "{target}: {}", response.text());
        eventually(PATIENCE, "a worker that answers", || {
            (ask(&host, "/", &[]).text() == "fine").then_some(())
        });
    }
}

#[test]
fn a_request_that_a_dying_program_may_have_acted_on_is_not_done_twice() {
    let dies = app(
        "if (q.method === 'POST') { require('fs').appendFileSync('done.log', 'done\\n'); process.exit(1); } r.end('fine')",
    );
    let site = node_site(&dies, "");
    let host = site.serve();
    assert_eq!(text(&host, "/"), "fine");
    let response = request(&host, "POST", "/", &["Content-Length: 0"], "");
    assert_eq!(failure(&response), (502, "502.3"));
    eventually(PATIENCE, "the next worker", || (ask(&host, "/", &[]).text() == "fine").then_some(()));
    assert_eq!(site.read("done.log"), "done\n");
}

#[test]
fn a_program_that_stops_listening_and_lives_on_refuses_and_is_replaced() {
    let closes = format!(
        "{}{}",
        super::NOTES_START,
        "const s = require('http').createServer((q, r) => { r.setHeader('Connection', 'close'); if (q.url === '/close') s.close(); r.end(String(process.pid)); }); s.listen(Number(process.env.PORT), '127.0.0.1'); setInterval(() => {}, 1000);"
    );
    let site = node_site(&closes, "");
    let host = site.serve();
    let old = pid(&host, "/close");
    let answer = eventually(PATIENCE, "another answer", || {
        let response = ask(&host, "/", &[]);
        if response.head.has(ERROR) {
            assert_eq!(failure(&response), (502, "502.3"), "{}", response.text());
            return None;
        }
        (response.text() != old.to_string()).then(|| response.text())
    });
    assert_eq!(answer, starts(&site, "")[1].to_string());
    super::all_end(&[old], "the one that refused");
}

/// What came before stays, and the client sees that it is not whole.
#[test]
fn an_answer_that_ends_before_its_length_ends_the_clients_connection() {
    let site = node_site(
        &app(
            "r.setHeader('Content-Length', 100); r.write('only this'); setTimeout(() => q.socket.destroy(), 50)",
        ),
        "",
    );
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_head().field("content-length"), Some("100"));
    assert_eq!(client.read_to_end(), b"only this");
}

#[test]
fn what_a_program_answers_is_passed_on_whatever_its_status() {
    let site = node_site(&app("r.statusCode = Number(q.url.slice(1)); r.end('my own page')"), "");
    let host = site.serve();
    for status in [400, 404, 500, 502, 503] {
        let response = ask(&host, &format!("/{status}"), &[]);
        assert_eq!(failure(&response), (status, "no error field"));
        assert_eq!(response.text(), "my own page");
    }
}

/// Whoever waits for a start hears of its failure, and one failure is enough for all.
#[test]
fn all_who_wait_for_a_start_are_told_that_it_failed() {
    let code = format!("{}setTimeout(() => process.exit(3), 500);", super::NOTES_START);
    let site = node_site(&code, r#"startupRetryCount="1" rapidFailsPerMinute="100""#);
    let host = site.serve();
    let mut clients = (0..20).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(failure(&client.read_response("GET")), (502, "502.5"));
    }
    assert!(starts(&site, "").len() <= 4, "{:?}", starts(&site, ""));
}

#[test]
fn an_application_that_is_mended_answers_the_next_request() {
    let site = node_site(EXITS, r#"startupRetryCount="1""#);
    let host = site.serve();
    assert_eq!(failure(&ask(&host, "/", &[])), (502, "502.5"));
    site.write("app.js", &says_pid());
    eventually(PATIENCE, "an answer", || {
        let response = ask(&host, "/", &[]);
        (response.status() == 200).then(|| assert_eq!(response.text(), starts(&site, "")[0].to_string()))
    });
}
