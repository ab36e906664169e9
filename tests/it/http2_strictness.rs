//! HTTP/2 that can be read in two ways, or in none, never reaches a worker.

use crate::harness::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Fields, FrameClient, GET, GOAWAY, HEADERS, PING, POST,
    SETTINGS, frame, headers, packed,
};
use crate::harness::{FakeWorker, Host, PATIENCE, RawClient, eventually};

/// A place that is not given back shows in the next request.
fn with_one_place(worker: &FakeWorker) -> Host {
    Host::before([worker]).args(["--max-concurrent", "1"]).start()
}

#[track_caller]
fn still_serves(host: &Host) {
    eventually(PATIENCE, "the worker's place given back", || {
        (RawClient::connect(host).get("/").status() == 200).then_some(())
    });
}

/// How many of the requests the worker got name this target.
fn asked_for(worker: &FakeWorker, target: &str) -> usize {
    worker.requests().iter().filter(|request| request.head.start.contains(target)).count()
}

#[test]
fn frames_that_make_no_sense_end_the_connection() {
    let nonsense = [
        ("data on a stream never opened", frame(DATA, 0, 1, b"x")),
        ("an even stream", headers(END_STREAM, 2, GET)),
        ("headers on stream 0", headers(END_STREAM, 0, GET)),
        ("a push", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("settings of odd length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        ("a window beyond 31 bits", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("a ping of 7 bytes", frame(PING, 0, 0, &[0; 7])),
        ("a frame of 1 MB", frame(0x42, 0, 0, &vec![0; 1024 * 1024])),
        ("padding longer than the frame", frame(DATA, 8, 1, &[200, 0, 0])),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &packed(GET))),
        (
            "another frame inside a head",
            [frame(HEADERS, 0, 1, &packed(GET)), frame(PING, 0, 0, &[0; 8])].concat(),
        ),
        ("an index beyond the table", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0x7f])),
    ];
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    for (what, bytes) in nonsense {
        let mut client = FrameClient::connect(&host);
        client.send(&bytes);
        let frames = client.end();
        assert!(frames.iter().any(|frame| frame.kind == GOAWAY), "{what}: {frames:?}");
    }
    still_serves(&host);
}

// Requests that can be read in two ways.

/// Sends one request, with a body if its head does not end the stream; how it ended.
#[track_caller]
fn ask(host: &Host, fields: &Fields<'_>, body: Option<&[u8]>) -> End {
    let mut client = FrameClient::connect(host);
    client.send(headers(if body.is_some() { 0 } else { END_STREAM }, 1, fields));
    if let Some(body) = body {
        client.send(frame(DATA, END_STREAM, 1, body));
    }
    client.end_of(1)
}

/// `fields` with some in the place of those of the same name, or behind them.
fn with<'f>(fields: &Fields<'f>, others: &Fields<'f>) -> Vec<(&'f str, &'f str)> {
    let kept = fields.iter().filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
    kept.chain(others).copied().collect()
}

#[test]
fn heads_that_http_2_forbids_never_reach_a_worker() {
    let target = (":path", "/forbidden");
    let forbidden: &[&Fields<'_>] = &[
        &[("host", "other")],
        &[(":authority", "a@b/c")],
        &[(":authority", "a b")],
        &[("connection", "close")],
        &[("keep-alive", "timeout=5")],
        &[("proxy-connection", "keep-alive")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "websocket")],
        &[("te", "gzip")],
        &[("X-Upper", "1")],
        &[("", "1")],
        &[("x y", "1")],
        &[("x:y", "1")],
        &[("x\r\nsmuggled", "1")],
        &[("x", "1\r\nsmuggled: 2")],
        &[("x", "1\nsmuggled: 2")],
        &[("x", "1\0")],
        &[("x", "1"), (":late", "1")],
        &[(":unknown", "1")],
        &[(":status", "200")],
        &[(":method", "GET /smuggled HTTP/1.1\r\nx:")],
        &[(":method", "")],
        &[(":path", "")],
        &[(":path", "/forbidden HTTP/1.1\r\nsmuggled: 1\r\nx:")],
        &[(":path", "/forbidden smuggled")],
        &[(":path", "forbidden")],
        &[(":path", "http://other/forbidden")],
        &[("content-length", "5"), ("content-length", "6")],
        &[("content-length", "5, 5")],
        &[("content-length", "+5")],
        &[("content-length", "")],
    ];
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    for others in forbidden {
        let end = ask(&host, &with(&with(GET, &[target]), others), None);
        let refused = !matches!(&end, End::Answered(body) if body.ends_with(b"still here"));
        assert!(refused, "{others:?} was answered");
    }
    let missing =
        [&GET[1..], &[GET[0], GET[2], GET[3]], &[GET[0], GET[1], GET[3]], &[GET[0], GET[1], target]];
    for fields in missing {
        let end = ask(&host, fields, None);
        assert!(
            !matches!(&end, End::Answered(body) if body.ends_with(b"still here")),
            "{fields:?} was answered"
        );
    }
    assert_eq!(
        (asked_for(&worker, "forbidden"), asked_for(&worker, "smuggled")),
        (0, 0),
        "{:#?}",
        worker.requests()
    );
    still_serves(&host);
}

#[test]
fn twice_the_same_pseudo_field_is_refused() {
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    for field in GET {
        let end = ask(&host, &[&[*field], GET].concat(), None);
        assert!(matches!(end, End::Reset(_) | End::Closed), "{field:?}: {end:?}");
    }
    still_serves(&host);
}

#[test]
fn a_body_of_another_length_than_announced_is_refused() {
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    let bodies: [(&str, Option<&[u8]>); 4] =
        [("5", None), ("5", Some(b"four")), ("5", Some(b"longer")), ("0", Some(b"x"))];
    for (length, body) in bodies {
        let end = ask(&host, &with(POST, &[("content-length", length)]), body);
        let refused = !matches!(&end, End::Answered(answer) if answer.ends_with(b"still here"));
        assert!(refused, "{length} for {body:?} was answered");
    }
    still_serves(&host);
}

#[test]
fn trailers_that_http_2_forbids_are_refused() {
    let trailers: &[&Fields<'_>] = &[
        &[("content-length", "5")],
        &[("transfer-encoding", "chunked")],
        &[("connection", "close")],
        &[("host", "other")],
        &[("X-Upper", "1")],
        &[("x", "1\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n")],
    ];
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    for fields in trailers {
        let mut client = FrameClient::connect(&host);
        client.send(headers(0, 1, POST));
        client.send(frame(DATA, 0, 1, b"body"));
        client.send(headers(END_STREAM, 1, fields));
        let end = client.end_of(1);
        let refused = !matches!(&end, End::Answered(body) if body.ends_with(b"still here"));
        assert!(refused, "{fields:?} was answered");
    }
    assert_eq!(asked_for(&worker, "smuggled"), 0);
    still_serves(&host);
}

/// RFC 9113 8.1 has them refused; hyper leaves them out, so that they mean nothing to anybody.
#[test]
fn pseudo_fields_among_trailers_go_no_further() {
    let worker = FakeWorker::saying("still here");
    let host = with_one_place(&worker);
    let mut client = FrameClient::connect(&host);
    client.send(headers(0, 1, POST));
    client.send(frame(DATA, 0, 1, b"body"));
    client.send(headers(END_STREAM, 1, &[(":path", "/smuggled"), (":method", "PUT"), ("x-sum", "4")]));
    assert!(matches!(client.end_of(1), End::Answered(_)));
    let request = worker.request();
    assert_eq!(request.head.start, "POST / HTTP/1.1");
    assert_eq!(request.trailers, [("x-sum".to_owned(), "4".to_owned())]);
    still_serves(&host);
}
