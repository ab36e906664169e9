//! Odd lines in the head of a program's answer, which old programs send.

use super::{act, ask, goes_on, scripted};
use crate::harness::{Host, Message};

#[track_caller]
fn answer(host: &Host, lines: &str) -> Message {
    ask(host, &act(&format!("header={}", lines.replace(' ', "%20"))), &[])
}

#[test]
fn folded_lines_are_one() {
    let site = scripted("");
    let host = site.serve();
    let response = answer(&host, "Content-Type: a/b|X-Long: one| two|%09three|X-Next: 4");
    assert_eq!((response.status(), response.text().as_str()), (200, "the body"));
    let told = response.head.field("x-long").unwrap();
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(response.head.field("x-next"), Some("4"));
}

/// Of programs that believe they speak for the server.
#[test]
fn a_first_line_of_http_is_a_status() {
    let site = scripted("");
    let host = site.serve();
    for (line, status) in [("HTTP/1.1 404 Not Found", 404), ("HTTP/1.0 201", 201)] {
        let response = answer(&host, &format!("{line}|Content-Type: a/b"));
        assert_eq!((response.status(), response.text().as_str()), (status, "the body"), "{line}");
    }
}

#[test]
fn cookies_and_other_fields_may_repeat() {
    let site = scripted("");
    let response = answer(
        &site.serve(),
        "Content-Type: a/b|Set-Cookie: a=1; path=/|set-cookie: b=2|Link: <a>|Link: <b>|Vary: Accept",
    );
    assert_eq!(response.head.all("set-cookie"), ["a=1; path=/", "b=2"]);
    assert_eq!(response.head.all("link").join(", "), "<a>, <b>");
}

#[test]
fn two_lengths_that_differ_are_a_failure() {
    let site = scripted("");
    let host = site.serve();
    super::is_failure(&answer(&host, "Content-Type: a/b|Content-Length: 3|Content-Length: 8"));
    for wrong in ["-1", "x", "8, 8 8", "+8"] {
        super::is_failure(&answer(&host, &format!("Content-Type: a/b|Content-Length: {wrong}")));
    }
    goes_on(&host);
}

/// A page for HEAD that names another place in the site: its head, and no body.
#[test]
fn a_local_location_of_a_head_has_no_body() {
    let site = scripted("").file("static.txt", "a file");
    let host = site.serve();
    let mut client = crate::harness::RawClient::connect(&host);
    client.send(format!("HEAD {} HTTP/1.1\r\nHost: test\r\n\r\n", act("header=Location:%20/static.txt")));
    let response = client.read_response("HEAD");
    assert_eq!((response.status(), response.head.field("content-length")), (200, Some("6")));
    assert_eq!(client.get("/static.txt").text(), "a file");
}
