//! Bodies in both directions: streamed whatever their size, and never collected in the host.

use std::io::Write;

use super::{app, failure, node_site, request};
use crate::harness::{Body, Host, RawClient};

const MIB: usize = 1024 * 1024;
const PARTS: usize = 100;

/// Counts what comes, and says how it was framed.
fn counts() -> String {
    app(
        "let n = 0; q.on('data', (part) => n += part.length).on('end', () => r.end(`${n} ${q.headers['transfer-encoding'] ?? ''}${q.headers['content-length'] ?? ''}`))",
    )
}

/// The most memory the host has ever held, in KiB.
fn peak(host: &Host) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[track_caller]
fn upload(host: &Host) -> String {
    let mut client = RawClient::connect(host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut chunk = Vec::with_capacity(MIB + 16);
    write!(chunk, "{MIB:x}\r\n").unwrap();
    chunk.resize(chunk.len() + MIB, b'o');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..PARTS {
        client.send(&chunk);
    }
    client.send("0\r\n\r\n");
    client.read_response("POST").text()
}

// Row 15.
#[test]
fn an_upload_of_unknown_length_arrives_whole_and_in_no_memory_of_the_host() {
    let site = node_site(&counts(), "");
    let host = site.serve();
    request(&host, "POST", "/", &["Content-Length: 1"], "x");
    let before = peak(&host);
    assert_eq!(upload(&host), format!("{} chunked", PARTS * MIB));
    let grown = peak(&host) - before;
    assert!(grown < 32 * 1024, "the host grew by {grown} KiB");
}

#[test]
fn the_framing_of_an_upload_is_kept() {
    let site = node_site(&counts(), "");
    let host = site.serve();
    for (framing, body, told) in [
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "7 chunked"),
        ("Transfer-Encoding: chunked", "0\r\n\r\n", "0 chunked"),
        ("Content-Length: 3", "abc", "3 3"),
        ("Content-Length: 0", "", "0 0"),
    ] {
        assert_eq!(request(&host, "POST", "/", &[framing], body).text(), told, "{body:?}");
    }
}

#[test]
fn a_large_answer_comes_down_as_it_was_framed() {
    let sends = app(&format!(
        "const mib = Buffer.alloc({MIB}, 'o'); if (q.url === '/length') r.setHeader('Content-Length', 30 * {MIB}); for (let i = 0; i < 30; i++) r.write(mib); r.end();"
    ));
    let site = node_site(&sends, "");
    let host = site.serve();
    for (target, framing) in [("/length", Body::Length(30 * MIB as u64)), ("/chunks", Body::Chunked)] {
        let response = request(&host, "GET", target, &[], "");
        assert_eq!((response.framing, response.body.len()), (framing, 30 * MIB), "{target}");
    }
}

/// The limit is the site's, thirty million bytes unless it says otherwise.
#[test]
fn an_upload_larger_than_the_sites_limit_is_refused_before_its_body() {
    let limits = r#"<security><requestFiltering><requestLimits maxAllowedContentLength="40000000"/></requestFiltering></security>"#;
    for (site, least) in
        [(node_site(&counts(), ""), 30_000_001), (node_site(&counts(), "").element(limits), 40_000_001)]
    {
        let host = site.serve();
        let mut client = RawClient::connect(&host);
        client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {least}\r\n\r\n"));
        assert_eq!(failure(&client.read_response("POST")), (413, "413.1"), "{least}");
    }
}
