//! Starts that take long, or never end well: their limits, their number, and what is left of them.

use std::time::Duration;

use super::{NOTES_START, all_end, app, ask, failure, node_site, pid, says_pid, starts};
use crate::harness::{PATIENCE, RawClient, eventually, holds_for};

const STAYS: &str = "setInterval(() => {}, 1000);";

// Row 6.
#[test]
fn a_program_that_never_listens_is_tried_as_often_as_allowed_and_leaves_nothing() {
    let site = super::site(r#"processPath=".\start.sh" startupTimeLimit="1" startupRetryCount="3""#, "");
    let stays = "#!/bin/sh\necho $$ >> starts.log\nexec sleep 300\n";
    let site = super::executable(site, "start.sh", stays);
    let host = site.serve();
    let response = ask(&host, "/", &[]);
    assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
    assert!(response.text().contains("listen"), "{}", response.text());
    let started = starts(&site, "");
    assert_eq!(started.len(), 3, "{started:?}");
    all_end(&started, "what never listened");
    holds_for(Duration::from_secs(2), "nobody asks, nothing starts", || starts(&site, "").len() == 3);
    // The next request is another occasion.
    assert_eq!(failure(&ask(&host, "/", &[])), (502, "502.5"));
    assert!(starts(&site, "").len() > 3);
}

/// Zero is not "for ever".
#[test]
fn a_start_limit_of_zero_is_no_time_at_all() {
    let site = node_site(&format!("{NOTES_START}{STAYS}"), r#"startupTimeLimit="0" startupRetryCount="1""#);
    let host = site.serve();
    assert_eq!(failure(&ask(&host, "/", &[])), (502, "502.5"));
    eventually(PATIENCE, "nothing left", || crate::harness::workers_of(host.pid()).is_empty().then_some(()));
}

// Row 7. The client's patience is half of the limit.
#[test]
fn a_program_that_exits_at_once_fails_long_before_the_limit() {
    let code = format!("{NOTES_START}console.error('the database of horses is missing'); process.exit(3);");
    let site = node_site(&code, r#"startupTimeLimit="60" startupRetryCount="2""#);
    let host = site.serve();
    let response = ask(&host, "/", &[]);
    assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
    let page = response.text();
    for word in ["exited with code 3", "the database of horses is missing"] {
        assert!(page.contains(word), "`{word}` is missing: {page}");
    }
    assert_eq!(starts(&site, "").len(), 2);
    host.wait_for_line("exited with code 3");
}

// Row 8.
#[test]
fn a_program_that_listens_somewhere_else_is_told_where() {
    let elsewhere = "const s = require('http').createServer((q, r) => r.end('here')); s.listen(0, '127.0.0.1', () => require('fs').writeFileSync('port.txt', String(s.address().port)));";
    let site =
        node_site(&format!("{NOTES_START}{elsewhere}"), r#"startupTimeLimit="4" startupRetryCount="1""#);
    let host = site.serve();
    let response = ask(&host, "/", &[]);
    assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
    let port = site.read("port.txt");
    assert!(response.text().contains(&port), "{port} is missing: {}", response.text());
    host.wait_for_line(&port);
    all_end(&starts(&site, ""), "what listened elsewhere");
}

/// Ten seconds were the default once, and cost many a slow program its life.
#[test]
fn a_program_that_takes_more_than_ten_seconds_is_waited_for_by_all_who_ask_meanwhile() {
    let slow = format!("setTimeout(() => {{ {} }}, 10500);", app("r.end(String(process.pid))"));
    let site = node_site(&format!("{NOTES_START}{slow}"), "");
    let host = site.serve();
    let mut clients = (0..5).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for client in &mut clients {
        let response = client.read_response("GET");
        assert_eq!((response.status(), response.text()), (200, starts(&site, "")[0].to_string()));
    }
    assert_eq!(starts(&site, "").len(), 1);
}

#[test]
fn a_start_that_works_at_the_second_try_costs_its_client_nothing() {
    let only_later =
        "if (require('fs').readFileSync('starts.log', 'utf8').split('\\n').length < 3) process.exit(1);\n";
    let code = format!("{NOTES_START}{only_later}{}", app("r.end(String(process.pid))"));
    let site = node_site(&code, r#"startupRetryCount="3""#);
    let pid = pid(&site.serve(), "/");
    assert_eq!(starts(&site, "")[1..], [pid]);
}

#[test]
fn a_program_that_was_missing_and_appears_is_started() {
    let site = super::site(r#"processPath=".\run.sh" rapidFailsPerMinute="1""#, super::PORT)
        .file("app.js", &says_pid());
    let host = site.serve();
    for _ in 0..5 {
        assert_eq!(failure(&ask(&host, "/", &[])), (502, "502.5"));
    }
    let site = super::executable(site, "run.sh", "#!/bin/sh\nexec node app.js\n");
    eventually(PATIENCE, "an answer", || {
        (ask(&host, "/", &[]).text() == starts(&site, "").first()?.to_string()).then_some(())
    });
}
