//! WebSockets of a program, with `ws` at both ends.

use super::{NOTES_START, node_config, node_site, pid, text};
use crate::harness::{RawClient, Site, eventually, node, repository, with_packages};

/// An echo in `ws` that closes when it is told `close`, and answers other requests with its pid.
fn echo() -> Site {
    with_packages("tests".as_ref());
    let ws = repository("tests/node_modules/ws");
    let code = format!(
        "{NOTES_START}const server = require('http').createServer((q, r) => r.end(String(process.pid)));
const {{ WebSocketServer }} = require('{}');
new WebSocketServer({{ server, perMessageDeflate: {{ threshold: 0 }} }}).on('connection', (socket) => {{
  socket.on('message', (data, binary) => String(data) === 'close' ? socket.close(4002, 'bye') : socket.send(data, {{ binary }}));
  socket.on('close', (code) => require('fs').writeFileSync('closed.txt', String(code)));
}});
server.listen(Number(process.env.PORT), '127.0.0.1');",
        ws.display()
    );
    node_site(&code, "")
}

// Row 17.
#[test]
fn a_thousand_messages_come_back_and_either_side_may_close_with_and_without_compression() {
    let site = echo();
    let host = site.serve();
    text(&host, "/");
    for compression in ["plain", "deflate"] {
        for (closer, code) in [("client", 4001), ("server", 4002)] {
            let outcome = node("ws-thousand.mjs", [host.url("/").as_str(), compression, closer]).json();
            assert_eq!(outcome["echoed"], 1000, "{outcome}");
            assert_eq!(outcome["code"], code, "{closer}: {outcome}");
            let extensions = outcome["extensions"].as_str().unwrap();
            assert_eq!(extensions.contains("permessage-deflate"), compression == "deflate", "{outcome}");
        }
    }
}

#[test]
fn a_web_socket_may_be_the_first_request() {
    let outcome = node("ws-thousand.mjs", [echo().serve().url("/").as_str(), "plain", "client"]).json();
    assert_eq!(outcome["echoed"], 1000, "{outcome}");
}

/// A text frame as a client sends it; a mask of zeros leaves the text as it is.
#[track_caller]
fn echoed(client: &mut RawClient, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    client.send([&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat());
    assert_eq!(client.read_exact(2), [0x81, length]);
    assert_eq!(client.read_exact(text.len()), text.as_bytes());
}

#[test]
fn an_open_socket_is_held_by_the_old_program_while_the_new_one_answers() {
    let site = echo();
    let host = site.serve();
    let old = pid(&host, "/");
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_eq!(client.read_head().status(), 101);
    echoed(&mut client, "before");
    site.write("web.config", &node_config(r#"startupTimeLimit="30""#));
    assert_ne!(pid(&host, "/"), old);
    echoed(&mut client, "after");
    client.send([0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1]);
    assert_eq!(client.read_exact(4), [0x88, 2, 0x0f, 0xa1]);
    super::all_end(&[old], "the old program");
}

#[test]
fn a_client_that_vanishes_ends_its_socket_at_the_program() {
    let site = echo();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_eq!(client.read_head().status(), 101);
    echoed(&mut client, "here");
    drop(client);
    eventually(crate::harness::PATIENCE, "1006, no close frame", || {
        (std::fs::read_to_string(site.path().join("closed.txt")).ok()? == "1006").then_some(())
    });
}
