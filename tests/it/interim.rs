//! Interim responses: `100 Continue` and its expectation, `103 Early Hints`.

use std::time::Duration;

use crate::harness::{FakeWorker, Host, RawClient};

/// The worker decides whether it wants the body; the host neither asks for it nor sends it unasked.
#[test]
fn a_client_that_expects_100_gets_the_100_of_the_worker() {
    let worker = FakeWorker::scripted(|wire, _| {
        let head = wire.read_head();
        assert_eq!(head.field("expect"), Some("100-continue"));
        wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(wire.read_exact(5), b"hello");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_head().status(), 100);
    client.send("hello");
    assert_eq!(client.read_response("POST").text(), "ok");
}

#[test]
fn a_worker_may_refuse_the_body_a_client_asks_about() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
        wire.time_to_end();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_response("POST").status(), 417);
}

#[test]
fn a_client_that_does_not_wait_for_100_is_served_as_well() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(wire.read_exact(5), b"hello");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    assert_eq!(client.read_head().status(), 100);
    assert_eq!(client.read_response("POST").text(), "ok");
}

#[test]
fn early_hints_arrive_early_and_as_they_were_written() {
    let (go, went) = std::sync::mpsc::channel::<()>();
    let went = std::sync::Mutex::new(went);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_request();
        wire.send(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n",
        );
        went.lock().unwrap().recv_timeout(Duration::from_secs(15)).unwrap();
        wire.send("HTTP/1.1 103 Early Hints\r\nX-Second: yes\r\n\r\n");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let first = client.read_head();
    assert_eq!(first.status(), 103);
    assert_eq!(first.lines("link"), ["Link: </a.css>; rel=preload", "link: </b.js>; rel=preload"]);
    go.send(()).unwrap();
    assert_eq!(client.read_head().field("x-second"), Some("yes"));
    assert_eq!(client.read_response("GET").text(), "ok");
}

/// HTTP/1.0 has no interim responses; a client that speaks it would take one for the answer.
#[test]
fn http_1_0_never_sees_an_interim_response() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_request();
        wire.send("HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.0\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response("GET").status(), 200);
}
