//! Bodies: their framing is kept, and they are streamed whatever their size.

use std::io::Write;

use super::{app, failure, request};
use crate::harness::{Body, RawClient, Site};

const MIB: usize = 1024 * 1024;

#[test]
fn the_framing_of_an_upload_is_kept() {
    let tells = app(
        "let all = ''; q.on('data', (part) => all += part).on('end', () => r.end(`${q.headers['transfer-encoding'] === 'chunked'}-${all}`))",
    );
    let site = Site::iisnode("hello.js", &tells);
    let host = site.serve();
    for (framing, body, told) in [
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", "true-abc"),
        ("Content-Length: 3", "def", "false-def"),
        ("Transfer-Encoding: chunked", "0\r\n\r\n", "true-"),
        ("Content-Length: 0", "", "false-"),
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "true-abcdefg"),
    ] {
        assert_eq!(request(&host, "POST", "/hello.js", &[framing], body).text(), told, "{body:?}");
    }
}

/// 30 MiB in chunks to every GET, and the count of what a POST brought, or with `?both` the 30 MiB.
fn large() -> Site {
    Site::iisnode(
        "hello.js",
        &format!(
            "const sends = (r) => {{ const mib = Buffer.alloc({MIB}, 'o'); for (let i = 0; i < 30; i++) r.write(mib); r.end(); }};\n{}",
            app(
                "let n = 0; q.on('data', (part) => n += part.length).on('end', () => q.method === 'GET' || q.url.endsWith('both') ? sends(r) : r.end(String(n)))"
            )
        ),
    )
}

/// Sends 31 MiB in chunks.
#[track_caller]
fn upload(client: &mut RawClient, target: &str) {
    client.send(format!("POST {target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"));
    let mut chunk = Vec::with_capacity(MIB + 16);
    write!(chunk, "{MIB:x}\r\n").unwrap();
    chunk.resize(chunk.len() + MIB, b'o');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..31 {
        client.send(&chunk);
    }
    client.send("0\r\n\r\n");
}

#[test]
fn thirty_mebibytes_in_chunks_come_down() {
    let site = large();
    let response = request(&site.serve(), "GET", "/hello.js", &[], "");
    assert_eq!((response.framing, response.body.len()), (Body::Chunked, 31_457_280));
}

/// More than the size a request may declare by default: what is not declared is not limited.
#[test]
fn thirty_one_mebibytes_in_chunks_go_up() {
    let site = large();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    upload(&mut client, "/hello.js");
    assert_eq!(client.read_response("POST").text(), "32505856");
}

#[test]
fn one_request_takes_thirty_one_mebibytes_up_and_thirty_down() {
    let site = large();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    upload(&mut client, "/hello.js?both");
    assert_eq!(client.read_response("POST").body.len(), 31_457_280);
}

#[test]
fn a_declared_length_above_the_sites_limit_is_refused_before_the_body() {
    let limits = r#"<security><requestFiltering><requestLimits maxAllowedContentLength="1000"/></requestFiltering></security>"#;
    for (site, least) in [(large(), 30_000_001), (large().element(limits), 1001)] {
        let host = site.serve();
        let mut client = RawClient::connect(&host);
        client.send(format!("POST /hello.js HTTP/1.1\r\nHost: test\r\nContent-Length: {least}\r\n\r\n"));
        assert_eq!(failure(&client.read_response("POST")), (413, "413.1"), "{least}");
    }
    let site = large().element(limits);
    let body = "o".repeat(1000);
    let response = request(&site.serve(), "POST", "/hello.js", &["Content-Length: 1000"], &body);
    assert_eq!(response.text(), "1000");
}
