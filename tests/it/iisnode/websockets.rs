//! WebSockets of an iisnode application, with `ws` as the server, and raw frames or `ws` as the client.

use super::says;
use crate::harness::{
    Host, PATIENCE, RawClient, Site, alive, eventually, node, repository, with_packages, workers_of,
};

/// A server of WebSockets that does this with each `socket`.
fn sockets(body: &str) -> Site {
    with_packages("tests".as_ref());
    let ws = repository("tests/node_modules/ws");
    let app = format!(
        "const server = require('http').createServer();\nconst {{ WebSocketServer }} = require('{}');\nnew WebSocketServer({{ server }}).on('connection', (socket) => {{ {body} }});\nserver.listen(process.env.PORT);\n",
        ws.display()
    );
    Site::iisnode("server.js", &app).element(r#"<webSocket enabled="false"/>"#)
}

/// A client that has been switched to frames, asking as Firefox does.
#[track_caller]
fn switched(host: &Host) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send("GET /server.js HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    let head = client.read_head();
    assert_eq!((head.status(), head.all("connection").len()), (101, 1), "{head:?}");
    assert_eq!(head.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
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

#[test]
fn one_two_three_and_the_close_of_the_server_arrive() {
    let site = sockets("socket.send('one'); socket.send('two'); socket.send('three'); socket.close(1000)");
    let host = site.serve();
    let mut client = switched(&host);
    assert_eq!([(); 3].map(|()| read_text(&mut client)), ["one", "two", "three"]);
    assert_eq!(client.read_exact(4), [0x88, 2, 0x03, 0xe8]);
}

#[test]
fn messages_are_echoed_in_their_order_until_the_client_closes() {
    let site = sockets("socket.on('message', (data) => socket.send(String(data)))");
    let host = site.serve();
    let mut client = switched(&host);
    for n in 1..=5 {
        client.send(frame(&format!("message {n}")));
        assert_eq!(read_text(&mut client), format!("message {n}"));
    }
    client.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    assert_eq!(client.read_exact(4), [0x88, 2, 0x03, 0xe8]);
    client.expect_end();
}

#[test]
fn the_ws_client_is_content_whatever_the_web_config_says_of_web_sockets() {
    for enabled in ["true", "false"] {
        let site = sockets(
            "socket.send('welcome'); socket.on('message', (data, binary) => socket.send(data, { binary }))",
        );
        site.write("web.config", &site.read("web.config").replace("\"false\"", &format!("\"{enabled}\"")));
        let outcome = node("ws.mjs", [site.serve().url("/server.js").as_str()]).json();
        assert_eq!(
            (&outcome["greeting"], &outcome["text"]),
            (&"welcome".into(), &"hello".into()),
            "{outcome}"
        );
        assert_eq!((&outcome["large"], &outcome["code"]), (&3_000_000.into(), &4001.into()), "{outcome}");
    }
}

#[test]
fn an_open_socket_is_held_through_a_recycle_and_cut_when_its_time_is_over() {
    let site = sockets("socket.on('message', (data) => socket.send(String(data)))")
        .set(r#"gracefulShutdownTimeout="3000""#);
    let host = site.serve();
    let mut client = switched(&host);
    let old = workers_of(host.pid());
    site.write("server.js", &says("new"));
    assert_eq!(super::text(&host, "/server.js"), "new");
    client.send(frame("still there"));
    assert_eq!(read_text(&mut client), "still there");
    client.read_to_end();
    eventually(PATIENCE, "the end of the old worker", || old.iter().all(|&pid| !alive(pid)).then_some(()));
}

#[test]
fn an_open_socket_counts_against_the_cap_of_its_worker_until_it_closes() {
    let site = sockets("socket.send('open')").set(r#"maxConcurrentRequestsPerProcess="1""#);
    let host = site.serve();
    let mut client = switched(&host);
    assert_eq!(read_text(&mut client), "open");
    assert_eq!(super::failure(&super::ask(&host, "/server.js", &[])), (503, "503.1002"));
    drop(client);
    eventually(PATIENCE, "a free place", || {
        let mut next = RawClient::connect(&host);
        next.send("GET /server.js HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        (next.read_head().status() == 101).then_some(())
    });
}
