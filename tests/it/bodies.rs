//! Bodies pass as they are framed, at once, and never look whole when they are not.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::harness::{Body, FakeWorker, Host, PATIENCE, RawClient, Wire, eventually};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_length_stays_a_length_on_the_way_to_the_worker() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello world");
    client.read_response("POST");

    let request = worker.request();
    assert_eq!((request.framing, request.text()), (Body::Length(11), "hello world".to_owned()));
    assert!(!request.head.has("transfer-encoding"));
}

#[test]
fn chunks_stay_chunks_on_the_way_to_the_worker_with_their_trailers() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         5\r\nhello\r\n06\r\n world\r\n0\r\nX-Sum: 11\r\nx-Sum: 12\r\n\r\n",
    );
    client.read_response("POST");

    let request = worker.request();
    assert_eq!((request.framing, request.text()), (Body::Chunked, "hello world".to_owned()));
    assert!(!request.head.has("content-length"));
    assert_eq!(
        request.trailers,
        [("X-Sum".to_owned(), "11".to_owned()), ("x-Sum".to_owned(), "12".to_owned())]
    );
}

#[test]
fn a_length_stays_a_length_on_the_way_to_the_client() {
    let worker = FakeWorker::saying("hello world");
    let host = Host::before([&worker]).start();
    let response = RawClient::connect(&host).get("/");
    assert_eq!((response.framing, response.text()), (Body::Length(11), "hello world".to_owned()));
    assert!(!response.head.has("transfer-encoding"));
}

#[test]
fn chunks_stay_chunks_on_the_way_to_the_client_with_their_trailers() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!((response.framing, response.text()), (Body::Chunked, "hello world".to_owned()));
        assert_eq!(response.trailers, [("X-Sum".to_owned(), "11".to_owned())]);
    }
    assert_eq!(worker.connections(), 1);
}

#[test]
fn chunk_extensions_do_no_harm() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d;e\"\r\nabc\r\n0;last\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2;x=\"y z\"\r\nhi\r\n0\r\n\r\n",
    );
    assert_eq!(client.read_response("POST").text(), "abc");
    assert_eq!(worker.request().text(), "hi");
}

/// RFC 9112 6.3: chunked overrides the length, which is removed; the connection does not live on.
#[test]
fn with_both_framings_chunked_wins_and_the_connection_is_closed() {
    let worker = FakeWorker::answering(OK);
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    assert_eq!(client.read_response("POST").status(), 200);
    client.expect_end();

    let request = worker.request();
    assert_eq!((request.framing, request.text()), (Body::Chunked, "abc".to_owned()));
    assert!(!request.head.has("content-length"), "{:?}", request.head);
}

#[test]
fn large_bodies_arrive_whole_both_ways() {
    let block = (0..251_u8).collect::<Vec<_>>().repeat(16_000);
    let worker = FakeWorker::remembering(|wire, request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        wire.try_send(head).and_then(|()| wire.try_send(&request.body)).is_ok()
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..2 {
        client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", block.len()));
        client.send(&block);
        assert!(client.read_response("POST").body == block, "the body came back changed");
    }
}

/// Every write of the worker is passed on before the next one is made.
#[test]
fn each_write_of_the_worker_reaches_the_client_before_the_next() {
    let (go, went) = channel::<()>();
    let worker = FakeWorker::scripted(waiting_for(went, |wire, wait| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for event in 0..5 {
            wait();
            wire.send(format!("7\r\nevent {event}\r\n"));
        }
        wire.send("0\r\n\r\n");
    }));
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_head().status(), 200);
    for event in 0..5 {
        go.send(()).unwrap();
        assert_eq!(client.read_chunk().1, format!("event {event}").into_bytes());
    }
    assert_eq!(client.read_chunk().1, b"");
}

/// The same for a body with a length, and for one that ends with the connection.
#[test]
fn parts_of_a_body_of_any_framing_are_passed_on_at_once() {
    for head in ["Content-Length: 6\r\n", "Connection: close\r\n"] {
        let (go, went) = channel::<()>();
        let worker = FakeWorker::scripted(waiting_for(went, move |wire, wait| {
            wire.read_request();
            wire.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n"));
            for part in ["ab", "cd", "ef"] {
                wait();
                wire.send(part);
            }
        }));
        let host = Host::before([&worker]).start();
        let mut client = RawClient::connect(&host);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        client.read_head();
        for part in ["ab", "cd", "ef"] {
            go.send(()).unwrap();
            assert_eq!(client.read_exact(2), part.as_bytes(), "{head}");
        }
    }
}

#[test]
fn each_part_of_an_upload_reaches_the_worker_before_the_next() {
    let (got, parts) = channel::<Vec<u8>>();
    let got = Mutex::new(got);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_head();
        for _ in 0..3 {
            let part = wire.read_exact(4);
            got.lock().unwrap().send(part).unwrap();
        }
        wire.send(OK);
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 12\r\n\r\n");
    for part in ["one,", "two,", "tres"] {
        client.send(part);
        assert_eq!(parts.recv_timeout(PATIENCE).unwrap(), part.as_bytes());
    }
    assert_eq!(client.read_response("POST").status(), 200);
}

#[test]
fn an_answer_may_come_while_the_body_is_still_being_sent() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        assert_eq!(wire.read_exact(5), b"first");
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
        assert_eq!(wire.read_exact(4), b"last");
        wire.send("4\r\nlate\r\n0\r\n\r\n");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nfirst");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read_chunk().1, b"early");
    client.send("last");
    assert_eq!(client.read_chunk().1, b"late");
    assert_eq!(client.read_chunk().1, b"");
}

/// A worker that refuses an upload and closes: the client reads the refusal, not a reset.
#[test]
fn a_refusal_in_the_middle_of_an_upload_reaches_the_client() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!");
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n");
    client.send([b'x'; 64 * 1024]);
    let response = client.read_response("POST");
    assert_eq!((response.status(), response.text()), (413, "no!".to_owned()));
}

#[test]
fn a_client_that_leaves_is_felt_by_the_worker_at_once() {
    let (left, felt) = channel::<Instant>();
    let left = Mutex::new(left);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
        wire.time_to_end();
        left.lock().unwrap().send(Instant::now()).unwrap();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    assert_eq!(client.read_chunk().1, b"hi");
    let gone = Instant::now();
    drop(client);
    let felt = felt.recv_timeout(PATIENCE).unwrap();
    assert!(felt - gone < Duration::from_secs(1), "felt after {:?}", felt - gone);
}

#[test]
fn a_client_that_leaves_before_the_answer_is_felt_too() {
    let (left, felt) = channel::<()>();
    let left = Mutex::new(left);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_request();
        wire.time_to_end();
        left.lock().unwrap().send(()).unwrap();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "the request at the worker", || (worker.connections() == 1).then_some(()));
    drop(client);
    felt.recv_timeout(Duration::from_secs(2)).expect("the worker was not told");
}

#[test]
fn an_upload_cut_short_is_cut_short_for_the_worker() {
    let (ended, seen) = channel::<Vec<u8>>();
    let ended = Mutex::new(ended);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_head();
        ended.lock().unwrap().send(wire.read_to_end()).unwrap();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    drop(client);
    let wire = seen.recv_timeout(PATIENCE).unwrap();
    assert!(!wire.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&wire));
}

#[test]
fn a_truncated_answer_is_truncated_for_the_client() {
    for (answer, got) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "half"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", "8\r\nhalf"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", "4\r\nhalf\r\n0\r\n"),
    ] {
        let worker = FakeWorker::scripted(move |wire, _| {
            wire.read_request();
            wire.send(answer);
        });
        let host = Host::before([&worker]).start();
        let mut client = RawClient::connect(&host);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.read_head().status(), 200);
        let body = String::from_utf8(client.read_to_end()).unwrap();
        assert!(got.starts_with(&body), "{answer:?} arrived as {body:?}");
        assert!(!body.ends_with("0\r\n\r\n"), "{answer:?} looks whole: {body:?}");
    }
}

/// Nothing was said before the end: the client gets an answer, and it is the host's.
#[test]
fn a_worker_that_closes_without_a_word_is_a_502() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_request();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.read_response("POST").status(), 502);
}

/// A script for one connection that waits for the test between its steps.
fn waiting_for(
    signal: Receiver<()>,
    script: impl Fn(&mut Wire, &dyn Fn()) + Send + Sync + 'static,
) -> impl Fn(&mut Wire, usize) + Send + Sync + 'static {
    let signal = Mutex::new(signal);
    move |wire, _| {
        let signal = signal.lock().unwrap();
        script(wire, &|| signal.recv_timeout(PATIENCE).unwrap());
    }
}
