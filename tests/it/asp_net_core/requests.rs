//! Bodies of requests: small, large, in chunks, slow, and read in part only.

use super::{Section, ask, parsed, pid, post, request, text};
use crate::harness::RawClient;

/// Row 32.
#[test]
fn forms_are_echoed_whatever_their_size() {
    let site = Section::new().site();
    let host = site.serve();
    for size in [0, 1, 20, 500, 600, 9000, 300_000] {
        let form = format!("name={}", "ä+%20".repeat(size / 5));
        let answer = request(
            &host,
            "POST",
            "/echo",
            &["Content-Type: application/x-www-form-urlencoded", &format!("Content-Length: {}", form.len())],
            &form,
        );
        assert_eq!(answer.text(), form);
        assert_eq!(answer.head.field("x-framing"), Some(form.len().to_string().as_str()));
    }
}

/// Row 33.
#[test]
fn a_hundred_posts_in_chunks_on_one_connection_are_echoed() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for n in 0..100 {
        let body = (0..n % 7).map(|part| format!("{n}.{part};")).collect::<Vec<_>>();
        client.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in &body {
            client.send(format!("{:x}\r\n{part}\r\n", part.len()));
        }
        client.send("0\r\n\r\n");
        let answer = client.read_response("POST");
        assert_eq!((answer.text(), answer.head.field("x-framing")), (body.concat(), Some("chunked")));
    }
}

/// Row 33.
#[test]
fn a_body_that_is_read_in_part_does_no_harm_to_its_answer_or_the_next_request() {
    let site = Section::new().site();
    let host = site.serve();
    let body = "abcdefgh".repeat(50_000);
    for _ in 0..5 {
        assert_eq!(post(&host, "/partial", &body).text(), "abcd");
        assert_eq!(post(&host, "/echo", "next").text(), "next");
    }
}

/// Row 33.
#[test]
fn a_body_that_comes_byte_by_byte_arrives() {
    let site = Section::new().site();
    let host = site.serve();
    pid(&host, "");
    let mut client = RawClient::connect(&host);
    for byte in "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello world".bytes() {
        client.send([byte]);
        // The application may answer what it has.
        client.is_silent_for(std::time::Duration::from_millis(3));
    }
    assert_eq!(client.read_response("POST").text(), "hello world");
}

/// Row 33: question and answer take turns in one request.
#[test]
fn pieces_of_body_and_answer_may_take_turns() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("POST /turns HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for n in 0..20 {
        let part = format!("part {n}");
        client.send(format!("{:x}\r\n{part}\r\n", part.len()));
        if n == 0 {
            assert_eq!(client.read_head().status(), 200);
        }
        assert_eq!(String::from_utf8(client.read_chunk().1).unwrap(), format!("got {part};"));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.read_chunk().1, b"done");
    assert_eq!(client.read_chunk().1, b"");
}

/// Row 45: refused where it can be read in two ways, and else without the length.
#[test]
fn a_length_beside_chunks_never_reaches_the_application() {
    let site = Section::new().site();
    let host = site.serve();
    for fields in [
        ["Transfer-Encoding: chunked", "Content-Length: 3"],
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked", "Via: nobody"],
    ] {
        let answer = request(&host, "POST", "/request", &fields, "3\r\nabc\r\n0\r\n\r\n");
        if answer.status() == 200 {
            let headers = &parsed(&answer.text())["headers"];
            assert!(headers["content-length"].is_null(), "{fields:?}: {headers}");
            let coding = headers["transfer-encoding"].as_str();
            assert!(coding.is_some_and(|coding| coding.ends_with("chunked")), "{fields:?}: {headers}");
        } else {
            assert!([400, 501].contains(&answer.status()), "{fields:?}: {}", answer.head.start);
        }
    }
    let answer = request(&host, "POST", "/echo", &["Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(answer.text(), "abc");
}

/// Section 6 of the reference: methods are the application's.
#[test]
fn methods_of_every_kind_reach_the_application() {
    let site = Section::new().site();
    let host = site.serve();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let fields = if method == "GET" { "Via: nobody" } else { "Content-Length: 0" };
        let answer = request(&host, method, "/request", &[fields], "");
        assert_eq!(answer.status(), 200, "{method}: {}", answer.text());
        assert_eq!(parsed(&answer.text())["method"], method);
    }
}

/// With `resourceType="Unspecified"` no file and no default document comes first.
#[test]
fn files_of_the_folder_are_the_applications_to_send() {
    let site = Section::new().site().file("index.html", "a file").file("ping.txt", "a file");
    let host = site.serve();
    for target in ["/", "/index.html", "/ping.txt"] {
        assert_eq!(text(&host, target), target);
    }
    assert_eq!(ask(&host, "/web.config", &[]).status(), 404);
}
