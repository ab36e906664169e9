//! One request whose answer may break off: what came, and whether it was whole.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::harness::{Host, PATIENCE};

/// What came in answer to a request.
#[derive(Debug)]
pub(super) struct Exchange {
    /// 0 if not even the status came.
    pub(super) status: u16,
    /// Lines of the head.
    pub(super) head: String,
    /// Without chunks.
    pub(super) body: Vec<u8>,
    /// The framing said that this was all.
    pub(super) whole: bool,
}

impl Exchange {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends a request, `Connection: close` and all, and reads until the connection ends.
#[track_caller]
pub(super) fn exchange(host: &Host, method: &str, target: &str, body: &[u8]) -> Exchange {
    let mut stream = connect(host);
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // An answer may come before the body has left, and the connection may end with it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    read(&mut stream, method)
}

#[track_caller]
pub(super) fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], host.port()))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads an answer to its end, or to the end of the connection.
#[track_caller]
pub(super) fn read(stream: &mut TcpStream, method: &str) -> Exchange {
    let mut all = Vec::new();
    let mut part = [0; 64 * 1024];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => all.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("neither an answer nor an end ({error}) after {} bytes", all.len()),
        }
    }
    parse(&all, method)
}

fn parse(mut all: &[u8], method: &str) -> Exchange {
    while all.starts_with(b"HTTP/1.1 100 ") {
        all = end_of_head(all).map_or(&[][..], |end| &all[end..]);
    }
    let Some(end) = end_of_head(all) else {
        return Exchange { status: 0, head: String::new(), body: all.to_vec(), whole: false };
    };
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut exchange = Exchange { status, head, body: all[end..].to_vec(), whole: false };
    if method == "HEAD" || matches!(status, 204 | 304) {
        exchange.whole = exchange.body.is_empty();
    } else if exchange.field("transfer-encoding").is_some() {
        (exchange.body, exchange.whole) = unchunk(&all[end..]);
    } else if let Some(length) = exchange.field("content-length") {
        exchange.whole = length.parse() == Ok(exchange.body.len());
    }
    exchange
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else { return (body, false) };
        rest = &rest[line + 2..];
        if size == 0 {
            return (body, rest == b"\r\n");
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

/// FNV-1a of 64 bits, in the words of PHP's `hash('fnv1a64', …)`.
pub(super) fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[test]
fn a_hash_is_that_of_php_and_a_cut_answer_is_not_whole() {
    assert_eq!(fnv(&[b'x'; 100]), "052c9e7cec411035");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let cut = parse(chunked.as_bytes(), "GET");
    assert_eq!((cut.status, &cut.body[..], cut.whole), (200, &b"abc"[..], false));
    assert!(parse(format!("{chunked}0\r\n\r\n").as_bytes(), "GET").whole);
    assert!(!parse(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "GET").whole);
}
