//! Clients that others wrote: what they expect of a server is what ostler does.

use serde_json::json;

use crate::harness::{FakeWorker, Host, Site, curl, node, repository, with_packages};

#[test]
fn undici_keeps_connections_pipelines_and_sends_bodies_of_both_framings() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let outcome = node("undici.mjs", [host.url("").as_str()]).json();
    assert_eq!(outcome, json!({ "inOrder": true, "length": 1_000_000, "chunked": 1_000_000, "single": 200 }));
}

#[test]
fn autocannon_counts_no_failure() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    for pipelining in [1, 8] {
        let arguments = [host.url("/"), "2000".to_owned(), pipelining.to_string()];
        let outcome = node("autocannon.mjs", arguments.iter().map(String::as_str)).json();
        for failures in ["errors", "timeouts", "mismatches", "non2xx"] {
            assert_eq!(outcome[failures], 0, "pipelining {pipelining}: {outcome}");
        }
        // Each of its ten connections leaves without waiting for the rest of its last pipeline.
        let served = outcome["ok"].as_u64().unwrap();
        assert!(served >= 2000 - 10 * (pipelining - 1), "pipelining {pipelining}: {outcome}");
    }
}

#[test]
fn ws_speaks_text_bytes_large_messages_pings_and_its_closing_handshake() {
    let site = with_packages("samples/websocket".as_ref());
    let host = Host::of(&site).instances(2).start();
    let outcome = node("ws.mjs", [host.url("/").as_str()]).json();
    assert!(outcome["greeting"].as_str().is_some_and(|text| text.starts_with("worker ")), "{outcome}");
    assert_eq!(outcome["text"], "hello");
    assert_eq!(outcome["bytes"], json!([0, 255, 10, 13]));
    assert_eq!(outcome["large"], 3_000_000);
    assert_eq!(outcome["pong"], "beat");
    assert_eq!((&outcome["code"], &outcome["reason"]), (&json!(4001), &json!("done")));
}

#[test]
fn socket_io_holds_its_sessions_on_several_workers() {
    let site = with_packages("samples/socketio".as_ref());
    let host = Host::of(&site).instances(3).args(["--sticky"]).start();
    for (transports, seen) in [
        ("polling", json!(["polling"])),
        ("websocket", json!(["websocket"])),
        ("polling,websocket", json!(["websocket"])),
    ] {
        let outcome = node("socketio.mjs", [host.url("").as_str(), "6", transports]).json();
        assert_eq!(outcome["clients"], 6);
        assert_eq!(outcome["transports"], seen);
        let workers = outcome["workers"].as_array().map_or(0, Vec::len);
        assert!(workers > 1, "{transports}: one worker got them all: {outcome}");
    }
}

#[test]
fn curl_reuses_its_connection() {
    let worker = FakeWorker::saying("ok");
    let host = Host::before([&worker]).start();
    let url = host.url("/");
    let format = "%{num_connects}";
    let outcome = curl(["--write-out", format, &url, "--next", "--write-out", format, &url]).success();
    assert_eq!(outcome.text(), "ok1ok0");
}

#[test]
fn curl_uploads_in_chunks_with_an_expectation() {
    let worker = FakeWorker::remembering(|wire, request| {
        let said = request.body.len().to_string();
        wire.try_send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len())).is_ok()
    });
    let host = Host::before([&worker]).start();
    let file = repository("tests/package-lock.json");
    let length = file.metadata().unwrap().len().to_string();
    let (url, data) = (host.url("/"), format!("@{}", file.display()));
    for fields in
        [&["-H", "Transfer-Encoding: chunked"][..], &["-H", "Expect: 100-continue"], &["-H", "Expect:"]]
    {
        let outcome = curl(fields.iter().copied().chain(["--data-binary", &data, &url])).success();
        assert_eq!(outcome.text(), length, "{fields:?}");
    }
}

#[test]
fn curl_gets_heads_and_old_versions() {
    let worker = FakeWorker::remembering(|wire, request| {
        let body = if request.head.start.starts_with("HEAD") { "" } else { "ok" };
        wire.try_send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}")).is_ok()
    });
    let host = Host::before([&worker]).start();
    let url = host.url("/");
    assert!(curl(["--head", &url]).success().text().contains("Content-Length: 2"));
    assert_eq!(curl(["--http1.0", &url]).success().text(), "ok");
}

#[test]
fn curl_sees_a_truncated_answer_as_an_error() {
    for (head, exit) in [("Content-Length: 10", 18), ("Transfer-Encoding: chunked", 18)] {
        let worker = FakeWorker::scripted(move |wire, _| {
            wire.read_request();
            wire.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nab"));
        });
        let host = Host::before([&worker]).start();
        let outcome = curl([host.url("/").as_str()]);
        assert!([Some(exit), Some(56)].contains(&outcome.status.code()), "{head}: {outcome:?}");
    }
}
