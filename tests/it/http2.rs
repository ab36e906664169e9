//! HTTP/2 by prior knowledge meets the same workers, and abuse of it leaves the host answering.

use crate::harness::{FakeWorker, Host, RawClient, Site, curl, node};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[test]
fn curl_is_served_over_http_2() {
    let worker = FakeWorker::saying("over two");
    let host = Host::before([&worker]).start();
    let url = host.url("/a%2Fb?c=d");
    let answer = curl(["--http2-prior-knowledge", "--write-out", " %{http_version}", url.as_str()]).success();
    assert_eq!(answer.text(), "over two 2");

    let head = worker.request().head;
    assert_eq!(head.start, "GET /a%2Fb?c=d HTTP/1.1");
    assert_eq!(head.all("host"), [format!("127.0.0.1:{}", host.port())]);
    assert!(!head.fields.iter().any(|(name, _)| name.starts_with(':')));
}

#[test]
fn bodies_pass_over_http_2_both_ways() {
    let block = (0..251_u8).collect::<Vec<_>>().repeat(8_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    std::fs::write(&file, &block).unwrap();
    let worker = FakeWorker::remembering(|wire, request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        wire.try_send(head).and_then(|()| wire.try_send(&request.body)).is_ok()
    });
    let host = Host::before([&worker]).start();
    let (url, data) = (host.url("/"), format!("@{}", file.display()));
    let answer = curl(["--http2-prior-knowledge", "--data-binary", &data, &url]).success();
    assert!(answer.stdout == block, "{} bytes came back", answer.stdout.len());
    assert!(worker.request().body == block);
}

#[test]
fn many_streams_share_a_connection() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let outcome = node("h2.mjs", ["parallel", &host.url("/")]).json();
    assert_eq!(
        (&outcome["statuses"], &outcome["count"]),
        (&serde_json::json!([200]), &serde_json::json!(50))
    );
}

#[test]
fn trailers_pass_over_http_2_both_ways() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Back\r\n\r\n2\r\nok\r\n0\r\nX-Back: 7\r\n\r\n",
    );
    let host = Host::before([&worker]).start();
    let outcome = node("h2.mjs", ["trailers", &host.url("/")]).json();
    assert_eq!(outcome["status"], 200, "{outcome}");
    assert_eq!(outcome["trailers"]["x-back"], "7");
    assert_eq!(worker.request().trailers, [("x-sum".to_owned(), "5".to_owned())]);
}

#[test]
fn interim_responses_pass_over_http_2_or_are_left_out() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let host = Host::before([&worker]).start();
    let outcome = node("h2.mjs", ["get", &host.url("/")]).json();
    assert_eq!((&outcome["status"], &outcome["body"]), (&200.into(), &"ok".into()));
}

#[test]
fn crumbs_of_a_cookie_are_joined() {
    let worker = FakeWorker::saying("ok");
    let host = Host::before([&worker]).start();
    node("h2.mjs", ["crumbs", &host.url("/")]).json();
    assert_eq!(worker.request().head.all("cookie"), ["a=1; b=2; c=3"]);
}

#[test]
fn a_contradiction_of_authority_and_host_is_refused() {
    let worker = FakeWorker::saying("ok");
    let host = Host::before([&worker]).start();
    let outcome = node("h2.mjs", ["contradiction", &host.url("/")]).json();
    assert!(outcome["status"] == 400 || outcome["reset"] != 0, "{outcome}");
    assert!(worker.requests().is_empty());
}

#[test]
fn hop_by_hop_fields_of_the_worker_do_not_enter_http_2() {
    let worker = FakeWorker::answering(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Stay: 2\r\n\
         Content-Length: 2\r\n\r\nok",
    );
    let host = Host::before([&worker]).start();
    let outcome = node("h2.mjs", ["get", &host.url("/")]).json();
    assert_eq!(outcome["headers"]["x-stay"], "2", "{outcome}");
    for gone in ["connection", "keep-alive", "x-hop"] {
        assert!(outcome["headers"].get(gone).is_none(), "{outcome}");
    }
}

#[test]
fn a_truncated_answer_is_a_reset_stream() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    let host = Host::before([&worker]).start();
    let outcome = node("h2.mjs", ["get", &host.url("/")]).json();
    assert_ne!(outcome["reset"], 0, "{outcome}");
}

#[test]
fn a_stream_that_is_cancelled_takes_only_itself_along() {
    let site = Site::with_app("endless");
    let host = Host::of(site.path()).instances(1).start();
    let outcome = node("h2.mjs", ["cancel", &host.url("/")]).json();
    assert_eq!(outcome["status"], 200, "{outcome}");
}

#[test]
fn a_flood_of_resets_leaves_the_host_answering() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(1).start();
    node("h2.mjs", ["reset", &host.url("/")]).json();
    assert_eq!(RawClient::connect(&host).get("/").status(), 200);
}

/// A frame of HTTP/2: length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Sends the preface, an empty SETTINGS and then the same frame again and again, until the host has had enough.
#[track_caller]
fn flood(first: &[u8], again: &[u8]) {
    let worker = FakeWorker::saying("still here");
    let host = Host::before([&worker]).start();
    let mut abuser = RawClient::connect(&host);
    abuser.send([PREFACE, &frame(4, 0, 0, &[]), first].concat());
    let many = again.repeat(100);
    for _ in 0..500 {
        // Its answers are read so that only the host's own patience ends this.
        if abuser.try_send(&many).is_err() || !abuser.still_open() {
            break;
        }
    }
    assert_eq!(RawClient::connect(&host).get("/").text(), "still here");
}

#[test]
fn a_flood_of_settings_leaves_the_host_answering() {
    flood(&[], &frame(4, 0, 0, &[]));
}

#[test]
fn a_flood_of_pings_leaves_the_host_answering() {
    flood(&[], &frame(6, 0, 0, b"12345678"));
}

/// CVE-2024-27983 and its kin: a head that never ends.
#[test]
fn a_flood_of_continuations_leaves_the_host_answering() {
    flood(&frame(1, 0, 1, &[0x82, 0x86, 0x84]), &frame(9, 0, 1, b"\0\x01a\x01b"));
}

#[test]
fn a_flood_of_empty_data_leaves_the_host_answering() {
    let head = [&[0x83, 0x86, 0x84, 0x41, 4][..], b"test"].concat();
    flood(&frame(1, 4, 1, &head), &frame(0, 0, 1, &[]));
}

/// A preface that never comes is bounded as any other silence.
#[test]
fn half_a_preface_is_ended() {
    let worker = FakeWorker::saying("ok");
    let host =
        Host::before([&worker]).limit("headTimeout", "300ms").limit("firstByteTimeout", "300ms").start();
    let mut client = RawClient::connect(&host);
    client.send(&PREFACE[..10]);
    assert!(client.time_to_end() < std::time::Duration::from_secs(5));
}
