//! A request and its answer pass as they were written: target, fields, their order, case and number.

use crate::harness::{Body, FakeWorker, Host, RawClient};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn request_fields_keep_order_case_and_duplicates() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nX-b: 1\r\nHost: test\r\nx-A: 2\r\nX-B: 3\r\nx-empty:\r\nx-a: 2\r\n\r\n");
    assert_eq!(client.read_response("GET").status(), 200);

    let head = worker.request().head;
    assert_eq!(head.lines("x-")[..5], ["X-b: 1", "x-A: 2", "X-B: 3", "x-empty: ", "x-a: 2"]);
    assert_eq!(head.all("host"), ["test"]);
}

#[test]
fn response_fields_keep_order_case_and_duplicates() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 201 Made it so\r\nset-Cookie: a=1\r\nX-Two: b\r\nSet-Cookie: c=2\r\nx-two: a\r\n\
         Content-length: 0\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let response = RawClient::connect(&host).get("/");

    assert_eq!(response.head.start, "HTTP/1.1 201 Made it so");
    let kept = ["set-Cookie: a=1", "X-Two: b", "Set-Cookie: c=2", "x-two: a", "Content-length: 0"];
    let all = response.head.lines("");
    assert_eq!(all.iter().filter(|line| kept.contains(&line.as_str())).collect::<Vec<_>>(), kept);
}

#[test]
fn a_status_nobody_has_heard_of_passes() {
    let worker = FakeWorker::answering("HTTP/1.1 999 Not my fault\r\nContent-Length: 0\r\n\r\n");
    let host = Host::before([&worker]).start();
    assert_eq!(RawClient::connect(&host).get("/").head.start, "HTTP/1.1 999 Not my fault");
}

#[test]
fn the_target_reaches_the_worker_byte_by_byte() {
    for target in [
        "/",
        "/a%2Fb/../c?x=%zz",
        "//double//slash",
        "/./a/../../b",
        "/?",
        "/a;b=c,d?e=f&g[]=h|i^j{k}",
        "/%00%ff",
        "/x?y=http://z/?w",
        "*",
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let worker = FakeWorker::answering(OK);
        let host = Host::before([&worker]).start();
        let mut client = RawClient::connect(&host);
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        assert_eq!(client.read_response(method).status(), 200, "{target}");
        assert_eq!(worker.request().head.start, format!("{method} {target} HTTP/1.1"));
    }
}

/// RFC 9112 3.2.2: the authority of an absolute target counts, and `Host` has to follow it.
#[test]
fn an_absolute_target_is_served_with_its_own_authority() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET http://example.test/a?b HTTP/1.1\r\nHost: example.test\r\n\r\n");
    assert_eq!(client.read_response("GET").status(), 200);

    let head = worker.request().head;
    assert!(
        ["GET /a?b HTTP/1.1", "GET http://example.test/a?b HTTP/1.1"].contains(&head.start.as_str()),
        "{}",
        head.start
    );
    assert_eq!(head.all("host"), ["example.test"]);
}

/// RFC 9112 3.2.2: the target decides; refusing the contradiction is as good, passing it on is not.
#[test]
fn a_host_that_contradicts_an_absolute_target_never_reaches_the_worker() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET http://one.test/ HTTP/1.1\r\nHost: two.test\r\n\r\n");
    if client.read_response("GET").status() == 200 {
        assert_eq!(worker.request().head.all("host"), ["one.test"]);
    } else {
        assert!(worker.requests().is_empty());
    }
}

#[test]
fn methods_nobody_has_heard_of_pass() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("BREW-Tea! /pot HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response("BREW-Tea!").status(), 200);
    assert_eq!(worker.request().head.start, "BREW-Tea! /pot HTTP/1.1");
}

#[test]
fn bytes_above_ascii_in_values_pass_unchanged() {
    let worker = FakeWorker::answering(
        b"HTTP/1.1 200 OK\r\nX-Back: caf\xe9 \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n".to_vec(),
    );
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(b"GET / HTTP/1.1\r\nHost: test\r\nX-There: caf\xe9 \xe2\x82\xac\r\n\r\n");
    let response = client.read_response("GET");

    // The harness reads heads as Latin-1, one character a byte.
    let same = Some("caf\u{e9} \u{e2}\u{82}\u{ac}");
    assert_eq!(response.head.field("x-back"), same);
    assert_eq!(worker.request().head.field("x-there"), same);
}

#[test]
fn hop_by_hop_fields_and_those_named_in_connection_stop_at_the_host() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nConnection: x-private, keep-alive\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nX-Public: 2\r\nContent-Length: 0\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: X-Secret , close\r\nx-secret: 1\r\nKeep-Alive: 7\r\n\
         Proxy-Connection: close\r\nTE: gzip\r\nX-Open: 2\r\n\r\n",
    );
    let response = client.read_response("GET");

    let request = worker.request().head;
    for gone in ["x-secret", "keep-alive", "proxy-connection", "te"] {
        assert!(!request.has(gone), "{gone} reached the worker: {request:?}");
    }
    assert_eq!(request.field("x-open"), Some("2"));
    for gone in ["x-private", "keep-alive", "proxy-connection"] {
        assert!(!response.head.has(gone), "{gone} reached the client: {:?}", response.head);
    }
    assert_eq!(response.head.field("x-public"), Some("2"));
    client.expect_end();
}

/// A client cannot use `Connection` to take away fields that decide about framing or routing.
#[test]
fn connection_cannot_remove_the_fields_a_message_stands_on() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nConnection: host, content-length\r\nContent-Length: 3\r\n\r\nabc",
    );
    let status = client.read_response("POST").status();
    if status == 200 {
        let request = worker.request();
        assert_eq!(request.body, b"abc");
        assert_eq!(request.head.all("host"), ["test"]);
    } else {
        assert_eq!((status, worker.requests().len()), (400, 0));
    }
}

#[test]
fn head_is_answered_with_the_length_and_without_a_body() {
    let worker = FakeWorker::answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n");
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
        let response = client.read_response("HEAD");
        assert_eq!(response.head.field("content-length"), Some("1234"));
    }
    assert_eq!(worker.connections(), 1, "an answer to HEAD leaves the connection usable");
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    for start in ["204 No Content", "304 Not Modified"] {
        let worker = FakeWorker::answering(format!("HTTP/1.1 {start}\r\nETag: \"x\"\r\n\r\n"));
        let host = Host::before([&worker]).start();
        let mut client = RawClient::connect(&host);
        for _ in 0..2 {
            let response = client.get("/");
            assert_eq!(response.head.start, format!("HTTP/1.1 {start}"));
            assert!(!response.head.has("transfer-encoding"), "{:?}", response.head);
        }
        assert_eq!(worker.connections(), 1);
    }
}

#[test]
fn a_304_may_name_the_length_of_what_it_does_not_send() {
    let worker = FakeWorker::answering("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n");
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        assert_eq!(client.get("/").status(), 304);
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let worker = FakeWorker::saying("again");
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..50 {
        assert_eq!(client.get("/").text(), "again");
    }
    assert_eq!(worker.requests().len(), 50);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let worker = FakeWorker::remembering(|wire, request| {
        let target = request.head.start.split(' ').nth(1).unwrap_or_default();
        wire.try_send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len())).is_ok()
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "GET /1 HTTP/1.1\r\nHost: test\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc\
         POST /3 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\
         GET /4 HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    for target in ["/1", "/2", "/3", "/4"] {
        assert_eq!(client.read_response("GET").text(), target);
    }
    let bodies = worker.requests().into_iter().map(|request| request.text()).collect::<Vec<_>>();
    assert_eq!(bodies, ["", "abc", "x", ""]);
}

#[test]
fn empty_lines_before_a_request_are_forgiven() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response("GET").status(), 200);
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for byte in
        b"POST /slowly HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    {
        client.send([*byte]);
    }
    assert_eq!(client.read_response("POST").status(), 200);
    assert_eq!(worker.request().body, b"ab");
}

#[test]
fn connection_close_of_the_client_is_kept() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let response = client.read_response("GET");
    assert_eq!(response.head.field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_response("GET").text(), "ok");
    client.expect_end();
}

#[test]
fn http_1_0_stays_open_when_asked_to() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        client.send("GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
        let response = client.read_response("GET");
        assert_eq!(response.text(), "ok");
        assert!(
            response.head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("keep-alive"))
        );
    }
}

/// HTTP/1.0 knows no chunks: what the worker sends in chunks ends with the connection.
#[test]
fn http_1_0_never_gets_chunks() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-End: 1\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
    let response = client.read_response("GET");
    assert_eq!((response.framing, response.text()), (Body::UntilClose, "abcde".to_owned()));
}

#[test]
fn an_answer_of_http_1_0_from_the_worker_ends_with_its_connection() {
    let worker = FakeWorker::remembering(|wire, _| {
        let _ = wire.try_send("HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nuntil the end");
        false
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    let response = client.get("/");
    assert_eq!(response.text(), "until the end");
    assert!(response.head.start.starts_with("HTTP/1.1 200"), "{}", response.head.start);
}
