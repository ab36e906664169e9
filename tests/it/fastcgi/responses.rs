//! What programs answer, in all its spellings, and what clients get of it.

use super::{ERROR, act, ask, exchange, goes_on, is_failure, nothing_violated, php_site, scripted, text};
use crate::harness::{Body, Host, Message, RawClient};

/// The answer to these lines of a head, with `the body` after them.
#[track_caller]
fn answer(host: &Host, lines: &str) -> Message {
    ask(host, &act(&format!("header={}", lines.replace(' ', "%20"))), &[])
}

#[test]
fn a_head_may_come_byte_by_byte_between_empty_records_and_words_on_stderr() {
    let site = scripted("");
    let host = site.serve();
    let response = ask(&host, &act("every-byte"), &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "after every byte"));
    assert_eq!(response.head.field("x-long"), Some("v".repeat(50).as_str()));
    goes_on(&host);
}

#[test]
fn lines_may_end_without_carriage_returns() {
    let site = scripted("");
    let response = ask(&site.serve(), &act("line-feeds"), &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "only line feeds\n"));
    assert_eq!(response.head.field("x-one"), Some("1"));
    assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
}

#[test]
fn a_status_may_have_words_or_none() {
    let site = scripted("");
    let host = site.serve();
    for (lines, status, reason) in [
        ("Status: 404|Content-Type: a/b", 404, ""),
        ("Status: 418 I am a teapot|Content-Type: a/b", 418, "I am a teapot"),
        ("status:299 Odd|Content-Type: a/b", 299, "Odd"),
        ("Content-Type: a/b|Status: 503 Later", 503, "Later"),
        ("Content-Type: a/b", 200, ""),
        ("Status: 200", 200, ""),
    ] {
        let response = answer(&host, lines);
        assert_eq!((response.status(), response.text().as_str()), (status, "the body"), "{lines}");
        assert!(response.head.start.contains(reason), "{lines}: {}", response.head.start);
        assert!(
            !response.head.has("status") && !response.head.has(ERROR),
            "{lines}: {:?}",
            response.head.fields
        );
    }
}

#[test]
fn an_impossible_status_is_a_failure() {
    let site = scripted("");
    let host = site.serve();
    for lines in
        ["Status: 101 Switching", "Status: 100", "Status: abc", "Status: 99999", "Status: 0", "Status: -1"]
    {
        let response = answer(&host, lines);
        is_failure(&response);
        goes_on(&host);
    }
}

#[test]
fn fields_of_connections_do_not_pass() {
    let site = scripted("");
    let host = site.serve();
    let lines = "Content-Type: a/b|Connection: close, X-Hop|X-Hop: 1|Keep-Alive: x|Transfer-Encoding: gzip|Upgrade: x|X-Kept: 1";
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        let response = client.get(&act(&format!("header={}", lines.replace(' ', "%20"))));
        assert_eq!((response.status(), response.text().as_str()), (200, "the body"));
        for gone in ["x-hop", "keep-alive", "upgrade"] {
            assert!(!response.head.has(gone), "{gone}: {:?}", response.head.fields);
        }
        assert_eq!(response.head.field("x-kept"), Some("1"));
        assert_ne!(response.head.field("transfer-encoding"), Some("gzip"));
    }
}

/// A name or value with control characters could be two fields for the client.
#[test]
fn no_field_can_smuggle_another() {
    let site = scripted("");
    let host = site.serve();
    for lines in [
        "Content-Type: a/b|X-A: 1%0DSet-Cookie: x=1",
        "Content-Type: a/b|X-A: 1%00",
        "Content-Type: a/b|X A: 1",
        "Content-Type: a/b|no colon",
        "Content-Type: a/b|: no name",
    ] {
        let response = answer(&host, lines);
        assert!(!response.head.has("set-cookie"), "{lines}: {:?}", response.head.fields);
        if response.status() != 200 {
            is_failure(&response);
        }
        let raw = response
            .head
            .fields
            .iter()
            .any(|(name, value)| name.contains(' ') || value.contains(['\0', '\r']));
        assert!(!raw, "{lines}: {:?}", response.head.fields);
    }
}

#[test]
fn a_large_head_passes() {
    let site = scripted("");
    let response = ask(&site.serve(), &act("large-head=40000"), &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "small"));
    assert_eq!(response.head.lines("x-part-").len(), 40);
}

#[test]
fn an_endless_head_ends_in_a_page() {
    let site = scripted("");
    let host = site.serve();
    is_failure(&ask(&host, &act("endless-head"), &[]));
    goes_on(&host);
}

#[test]
fn large_bodies_pass_with_a_length_and_without() {
    let site = scripted("");
    let host = site.serve();
    let expected = "0123456789".repeat(20_000);
    let chunked = ask(&host, &act("large=200000"), &[]);
    assert_eq!(chunked.framing, Body::Chunked);
    assert!(chunked.text() == expected, "{} bytes", chunked.body.len());
    let counted = ask(&host, &act("large-with-length=200000"), &[]);
    assert_eq!(counted.framing, Body::Length(200_000));
    assert!(counted.text() == expected, "{} bytes", counted.body.len());
    assert_eq!(ask(&host, &act("large=20000000"), &[]).body.len(), 20_000_000);
}

#[test]
fn clients_of_http_1_0_get_bodies_without_chunks() {
    let site = scripted("");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send(format!("GET {} HTTP/1.0\r\nHost: test\r\n\r\n", act("large=200000")));
    let response = client.read_response("GET");
    assert!(
        response.text() == "0123456789".repeat(20_000),
        "{:?}, {}",
        response.framing,
        response.body.len()
    );
    client.expect_end();
}

#[test]
fn an_answer_that_is_shorter_than_it_said_is_cut_off_and_never_whole() {
    let site = scripted("");
    let host = site.serve();
    let short = exchange(&host, "GET", &act("declares=100,50"), b"");
    // A host that waits with the head may still have room for a page.
    assert!(!short.whole || short.status >= 500, "{short:?}");
    goes_on(&host);
    nothing_violated(&site);
}

#[test]
fn an_answer_that_is_longer_than_it_said_is_cut() {
    let site = scripted("");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    let long = client.get(&act("declares=50,100000"));
    assert_eq!((long.status(), long.text()), (200, "x".repeat(50)));
    // What was too much is nobody's answer.
    assert_eq!(ask(&host, &act("header=Content-Type:a/b"), &[]).text(), "the body");
    goes_on(&host);
}

#[test]
fn head_no_content_and_not_modified_have_no_body() {
    let site = scripted("").file("page.php", "");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for (method, target, status) in [
        ("HEAD", act("large=200000"), 200),
        ("HEAD", act("large-with-length=200000"), 200),
        ("GET", act("header=Status:%20204"), 204),
        ("GET", act("header=Status:%20304|ETag:%20%22a%22"), 304),
        ("GET", act("header=Status:%20204|Content-Length:%208"), 204),
    ] {
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let response = client.read_response(method);
        assert_eq!(response.status(), status, "{method} {target}");
        // The same connection goes on: no byte of a body came after it.
        assert!(client.get(&act("pid")).text().parse::<u32>().is_ok());
    }
}

#[test]
fn a_page_of_php_for_head_has_no_body() {
    let site = php_site("");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("HEAD /tells.php HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response("HEAD").head.field("content-type"), Some("application/json"));
    assert_eq!(client.get("/tells.php").status(), 200);
}

#[test]
fn an_absolute_location_is_the_clients() {
    let site = scripted("");
    let host = site.serve();
    let response = answer(&host, "Location: http://elsewhere.example/x?y");
    assert_eq!(response.status(), 302);
    assert_eq!(response.head.field("location"), Some("http://elsewhere.example/x?y"));
    let with_status = answer(&host, "Status: 301|Location: /other.fcgi?pid");
    assert_eq!((with_status.status(), with_status.head.field("location")), (301, Some("/other.fcgi?pid")));
}

/// RFC 3875, 6.2.2: a path without a status is served in the place of the answer.
#[test]
fn a_location_that_is_a_path_is_served_in_place() {
    let site = scripted("").file("static.txt", "a file");
    let host = site.serve();
    let local = answer(&host, "Location: /other.fcgi?hello");
    assert_eq!(local.status(), 200, "{:?}", local.head.fields);
    assert!(local.text().starts_with("hello from "), "{}", local.text());
    let file = answer(&host, "Location: /static.txt");
    assert_eq!((file.status(), file.text().as_str()), (200, "a file"));
    assert_eq!(answer(&host, "Location: /missing.txt").status(), 404);
    // Neither a POST nor its body is repeated.
    let posted = exchange(&host, "POST", &act("header=Location:%20/other.fcgi?tells"), b"a body");
    let told: serde_json::Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!((&told["variables"]["REQUEST_METHOD"], &told["length"]), (&"GET".into(), &0.into()));
}

#[test]
fn a_circle_of_local_locations_ends() {
    let site = scripted("");
    let host = site.serve();
    // The query is the answer: it leads to the same URL for ever.
    let response = ask(&host, &act("to-itself"), &[]);
    assert!((500..=508).contains(&response.status()), "{} {}", response.status(), response.text());
    let asked = super::notes(&site, "requests.log").len();
    assert!((2..=12).contains(&asked), "{asked} requests for one of a client");
    goes_on(&host);
}

#[test]
fn padding_of_255_bytes_is_no_part_of_an_answer() {
    let site = scripted("");
    let host = site.serve();
    for _ in 0..3 {
        assert_eq!(text(&host, &act("padding")), "padded well");
    }
    assert_eq!(super::starts(&site).len(), 1);
}
