//! How long a worker may be silent, and a client away.

use super::{Section, ask, asking, between, fails, failure, json, pid, text, timed};
use crate::harness::{PATIENCE, RawClient, eventually};

/// Row 15, with seconds for minutes.
#[test]
fn a_worker_that_answers_within_the_request_timeout_is_waited_for() {
    let site = Section::new().set("requestTimeout", "00:00:05").site();
    let host = site.serve();
    pid(&host, "");
    let (said, took) = timed(|| text(&host, "/sleep?1500"));
    assert!(said.starts_with("slept"), "{said}");
    between(took, 1500, 6500);
}

/// Row 15.
#[test]
fn a_worker_that_is_silent_for_longer_than_the_request_timeout_is_given_up_and_goes_on() {
    let site = Section::new().set("requestTimeout", "00:00:01").site();
    let host = site.serve();
    let first = pid(&host, "");
    for body in ["", "a body"] {
        let (answer, took) = timed(|| {
            super::request(
                &host,
                if body.is_empty() { "GET" } else { "POST" },
                "/sleep?30000",
                &[&format!("Content-Length: {}", body.len())],
                body,
            )
        });
        assert_eq!(failure(&answer), (502, "502.3"), "{}", answer.text());
        between(took, 1000, 6000);
    }
    assert_eq!(pid(&host, ""), first, "silence ends a request and no process");
}

/// Section 6 of the reference: the limit is for each piece.
#[test]
fn a_stream_that_moves_may_take_longer_than_the_request_timeout() {
    let site = Section::new().set("requestTimeout", "00:00:02").site();
    let host = site.serve();
    pid(&host, "");
    let (said, took) = timed(|| text(&host, "/drip?7,500"));
    assert_eq!(said, (0..7).map(|n| format!("drop {n};")).collect::<String>());
    between(took, 3000, 10_000);
}

/// Pieces are passed on as they come.
#[test]
fn nothing_of_a_stream_waits_for_the_rest() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = asking(&host, "/hang?begun");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read_chunk().1, b"begun");
}

/// A limit on silence holds after the head too, where only the end of the connection can tell.
#[test]
fn a_stream_that_stands_still_for_longer_than_the_request_timeout_is_cut() {
    let site = Section::new().set("requestTimeout", "00:00:01").site();
    let host = site.serve();
    pid(&host, "");
    let mut client = asking(&host, "/hang?begun");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read_chunk().1, b"begun");
    let took = client.time_to_end();
    between(took, 300, 8000);
}

/// Row 41.
#[test]
fn a_hundred_clients_that_leave_at_any_time_are_told_to_the_application_and_harm_nobody() {
    let site = Section::new().site();
    let host = site.serve();
    let first = pid(&host, "");
    for n in 0..100 {
        let mut client = match n % 4 {
            // In the middle of a head, of a body, before an answer, and in the middle of one.
            0 => partly(&host, "GET /hang HTTP/1.1\r\nHo"),
            1 => partly(&host, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nabc"),
            2 => asking(&host, "/hang"),
            _ => asking(&host, "/hang?begun"),
        };
        if n % 4 == 3 {
            client.read_head();
        }
    }
    eventually(PATIENCE, "no request that waits", || {
        let counts = json(&host, "/counts");
        // The request that asks is active itself.
        (counts["waiting"] == 0 && counts["active"] == 1 && counts["aborted"].as_u64() >= Some(25))
            .then_some(())
    });
    assert_eq!(pid(&host, ""), first);
    fails(&host, "/abort", (502, "502.3"));
    assert_eq!(ask(&host, "/pid", &[]).status(), 200);
}

fn partly(host: &crate::harness::Host, bytes: &str) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send(bytes);
    client
}
