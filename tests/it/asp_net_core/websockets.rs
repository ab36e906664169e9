//! WebSockets of an ASP.NET Core application: switched, carried both ways, and closed when the worker goes.

use super::{Section, ask, failure, next_pid, pid, text, touch, wait_for_end_of};
use crate::harness::{Host, PATIENCE, RawClient, eventually, repository, with_packages};

/// A worker that speaks WebSocket at `/ws`.
fn speaking() -> Section {
    with_packages("tests".as_ref());
    Section::new().set("shutdownTimeLimit", 10).variable("WS", repository("tests/node_modules/ws").display())
}

/// Asks for a switch, with these fields besides.
#[track_caller]
fn upgrading(host: &Host, start: &str, fields: &str) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send(format!("{start}\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"));
    client
}

/// A client that has been switched to frames.
#[track_caller]
fn switched(host: &Host) -> RawClient {
    let mut client = upgrading(host, "GET /ws HTTP/1.1", "");
    let head = client.read_head();
    assert_eq!(head.status(), 101, "{head:?}");
    assert_eq!(head.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.field("sec-websocket-extensions"), None);
    client
}

/// A text frame as a client sends it; a mask of zeros leaves the text as it is.
fn frame(text: &str) -> Vec<u8> {
    let length = 0x80 | u8::try_from(text.len()).unwrap();
    [&[0x81, length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[track_caller]
fn read_text(client: &mut RawClient) -> String {
    let head = client.read_exact(2);
    assert_eq!(head[0], 0x81, "not a text frame");
    String::from_utf8(client.read_exact(usize::from(head[1]))).unwrap()
}

/// The code and the reason of a close frame.
#[track_caller]
fn read_close(client: &mut RawClient) -> (u16, String) {
    let head = client.read_exact(2);
    assert_eq!(head[0], 0x88, "not a close frame");
    let payload = client.read_exact(usize::from(head[1]));
    (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8(payload[2..].to_vec()).unwrap())
}

/// Answers a close with the same code.
fn close(client: &mut RawClient, code: u16) {
    let _ = client.try_send([&[0x88, 0x82, 0, 0, 0, 0][..], &code.to_be_bytes()].concat());
}

/// Row 47.
#[test]
fn a_thousand_messages_are_echoed_in_their_order_by_the_same_process() {
    let site = speaking().site();
    let host = site.serve();
    let before = pid(&host, "");
    let mut client = switched(&host);
    for n in 0..1000 {
        client.send(frame(&format!("message {n}")));
        assert_eq!(read_text(&mut client), format!("message {n}"));
    }
    client.send(frame("pid"));
    assert_eq!(read_text(&mut client), before.to_string());
    close(&mut client, 1000);
    assert_eq!(read_close(&mut client).0, 1000);
    client.expect_end();
    assert_eq!(pid(&host, ""), before);
}

/// Row 47: a socket lives longer than any request may be silent.
#[test]
fn a_quiet_socket_outlives_the_request_timeout() {
    let site = speaking().set("requestTimeout", "00:00:01").site();
    let host = site.serve();
    pid(&host, "");
    let mut client = switched(&host);
    assert!(client.is_silent_for(std::time::Duration::from_millis(2500)), "the socket was cut");
    client.send(frame("still there"));
    assert_eq!(read_text(&mut client), "still there");
}

/// Row 47.
#[test]
fn a_close_of_the_server_arrives_with_its_code_and_its_words() {
    let site = speaking().site();
    let host = site.serve();
    let mut client = switched(&host);
    client.send(frame("close for today äöü"));
    assert_eq!(read_close(&mut client), (4001, "for today äöü".to_owned()));
    close(&mut client, 4001);
    client.expect_end();
}

/// Row 47, other than on IIS: extensions are between client and application.
#[test]
fn an_offered_compression_is_the_applications_to_take() {
    let site = speaking().site();
    let host = site.serve();
    let mut client = upgrading(
        &host,
        "GET /ws HTTP/1.1",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    );
    let head = client.read_head();
    assert_eq!(head.status(), 101, "{head:?}");
    let taken = head.field("sec-websocket-extensions");
    assert!(taken.is_some_and(|taken| taken.starts_with("permessage-deflate")), "{taken:?}");
    // A frame may be sent without it.
    client.send(frame("x"));
    assert_eq!(client.read_exact(1)[0] & 0x8f, 0x81);
}

/// Row 47, and section 6 of the reference.
#[test]
fn an_answer_other_than_a_switch_is_an_answer_like_any_other() {
    let site = speaking().site();
    let host = site.serve();
    let answer = upgrading(&host, "GET /elsewhere HTTP/1.1", "").read_response("GET");
    assert_eq!((answer.status(), answer.text().as_str()), (403, "no"));
    assert_eq!(answer.head.field(super::ERROR), None);
}

/// Row 47.
#[test]
fn a_request_in_http_1_0_is_not_switched() {
    let site = speaking().site();
    let host = site.serve();
    pid(&host, "");
    let mut client = upgrading(&host, "GET /ws HTTP/1.0", "");
    assert_ne!(client.read_head().status(), 101);
    assert_eq!(ask(&host, "/pid", &[]).status(), 200);
}

/// Row 47: a body and a switch in one request are two ways to read the same bytes.
#[test]
fn a_request_with_a_body_is_not_switched() {
    let site = speaking().site();
    let host = site.serve();
    pid(&host, "");
    let mut client = upgrading(&host, "POST /ws HTTP/1.1", "Content-Length: 4\r\n");
    let _ = client.try_send("body");
    assert_ne!(client.read_head().status(), 101);
    assert_eq!(ask(&host, "/pid", &[]).status(), 200);
}

/// Row 49, its half that applies: the application decides.
#[test]
fn without_web_sockets_in_the_application_its_requests_are_served() {
    let site = Section::new().site();
    let host = site.serve();
    let answer = upgrading(&host, "GET /ws HTTP/1.1", "").read_response("GET");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "/ws"));
    assert_eq!(text(&host, "/hello"), "/hello");
}

/// A socket does not know the token: the host does.
#[test]
fn a_socket_is_paired_as_requests_are() {
    let site = speaking().site();
    let host = site.serve();
    let mut client = upgrading(&host, "GET /ws HTTP/1.1", "MS-ASPNETCORE-TOKEN: forged\r\n");
    assert_eq!(client.read_head().status(), 101);
}

/// Row 48.
#[test]
fn an_open_socket_is_closed_by_its_server_when_the_application_goes_offline() {
    let site = speaking().site();
    let host = site.serve();
    let old = pid(&host, "");
    let mut client = switched(&host);
    site.write("app_offline.htm", "closed");
    assert_eq!(read_close(&mut client), (1001, "going away".to_owned()));
    close(&mut client, 1001);
    client.expect_end();
    wait_for_end_of(old);
    eventually(PATIENCE, "the page", || {
        let answer = ask(&host, "/pid", &[]);
        (answer.status() == 503 && answer.text() == "closed").then_some(())
    });
}

/// Row 48.
#[test]
fn an_open_socket_is_closed_by_its_server_when_the_configuration_changes() {
    let site = speaking().site();
    let host = site.serve();
    let old = pid(&host, "");
    let mut client = switched(&host);
    touch(&site, "web.config");
    let next = next_pid(&host, "", old);
    assert_eq!(read_close(&mut client), (1001, "going away".to_owned()));
    close(&mut client, 1001);
    client.expect_end();
    wait_for_end_of(old);
    let mut again = switched(&host);
    again.send(frame("pid"));
    assert_eq!(read_text(&mut again), next.to_string());
    assert_eq!(failure(&ask(&host, "/pid", &[])), (200, "no error field"));
}
