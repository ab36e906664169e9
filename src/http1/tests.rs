//! What the codec makes of messages one by one: the legal, the ambiguous, and the exact outcome of each.

use super::chunked::{BadChunk, Chunked};
use super::framing::Framing;
use super::request::{BadHead, RequestHead};
use super::response::{Asked, BadResponse, ResponseHead, rewrite_in_place};
use super::{MAX_FIELDS, fields::Known};

const PLAIN: Asked = Asked { head_only: false, upgrade: false, http10: false };

fn request(text: &str) -> Result<Option<RequestHead>, BadHead> {
    let mut head = RequestHead::default();
    head.parse(text.as_bytes(), 0, MAX_FIELDS).map(|complete| complete.then_some(head))
}

/// A request with these lines behind its request line.
fn get(lines: &str) -> Result<RequestHead, BadHead> {
    request(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).map(|head| head.expect("the head is complete"))
}

fn with_host(lines: &str) -> Result<RequestHead, BadHead> {
    get(&format!("Host: a.example\r\n{lines}"))
}

fn response(text: &str, asked: Asked) -> Result<ResponseHead, BadResponse> {
    ResponseHead::parse(text.as_bytes(), 0, asked).map(|head| head.expect("the head is complete"))
}

/// Why `parsed` was refused; empty when it was not.
fn refusal<T>(parsed: Result<T, BadHead>) -> String {
    match parsed {
        Ok(_) => String::new(),
        Err(BadHead::Malformed(why)) => why.to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[test]
fn a_request_has_the_length_its_fields_state() {
    for (lines, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::None),
        ("Content-Length: 5\r\n", Framing::Length(5)),
        ("Content-Length: 0005\r\n", Framing::Length(5)),
        ("content-length:\t9223372036854775807 \r\n", Framing::Length(i64::MAX as u64)),
        ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
        ("Transfer-Encoding: CHUNKED\r\n", Framing::Chunked),
        ("Transfer-Encoding: gzip, chunked\r\n", Framing::Chunked),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Framing::Chunked),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", Framing::Chunked),
        ("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", Framing::Chunked),
    ] {
        let head = with_host(lines).unwrap_or_else(|bad| panic!("{lines:?}: {bad:?}"));
        assert_eq!(head.framing, framing, "{lines:?}");
        let both = lines.contains("Length") && lines.contains("Encoding");
        assert_eq!((head.contradictory_length, head.is_persistent()), (both, !both), "{lines:?}");
    }
}

#[test]
fn a_length_in_doubt_is_refused() {
    for (lines, why) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "two Content-Length"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "two Content-Length"),
        ("Content-Length: 5, 5\r\n", "not a decimal"),
        ("Content-Length:\r\n", "not a decimal"),
        ("Content-Length: +5\r\n", "not a decimal"),
        ("Content-Length: -5\r\n", "not a decimal"),
        ("Content-Length: 0x5\r\n", "not a decimal"),
        ("Content-Length: 5 5\r\n", "not a decimal"),
        ("Content-Length: 18446744073709551616\r\n", "not a decimal"),
        ("Content-Length: x\r\nTransfer-Encoding: chunked\r\n", "not a decimal"),
        ("Transfer-Encoding: gzip\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked, gzip\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked, chunked\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", "chunked once, and last"),
        ("Transfer-Encoding:\r\n", "chunked once, and last"),
        ("Transfer-Encoding: chunked,\r\n", "chunked once, and last"),
        ("Transfer-Encoding: , chunked\r\n", "chunked once, and last"),
        ("Transfer-Encoding: gzip,, chunked\r\n", "chunked once, and last"),
        ("Transfer-Encoding: identity\r\n", "UnknownCoding"),
        ("Transfer-Encoding: xchunked\r\n", "UnknownCoding"),
        ("Transfer-Encoding: \"chunked\"\r\n", "UnknownCoding"),
        ("Transfer-Encoding: chunked;q=1\r\n", "UnknownCoding"),
        ("Transfer-Encoding: \x0bchunked\r\n", "not allowed"),
        ("Transfer-Encoding : chunked\r\n", "not allowed"),
        ("Transfer-Encoding\r\n", "not allowed"),
        (" Transfer-Encoding: chunked\r\n", "folded"),
        ("X: a\r\n Transfer-Encoding: chunked\r\n", "folded"),
        ("X: a\r\n\tb\r\n", "folded"),
        ("X: a\nTransfer-Encoding: chunked\r\n", "CR LF"),
        ("X: a\rTransfer-Encoding: chunked\r\n", "not allowed"),
        ("X: a\0\r\n", "not allowed"),
        (": a\r\n", "not allowed"),
        ("X\u{e9}: a\r\n", "not allowed"),
    ] {
        let refusal = refusal(with_host(lines));
        assert!(refusal.contains(why), "{lines:?}: {refusal:?}, expected {why:?}");
    }
    let http10 = request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(refusal(http10), "Transfer-Encoding in HTTP/1.0");
}

#[test]
fn a_request_names_one_host() {
    for host in
        ["", "a", "a:80", "a:", "a.example", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b", "%61", "~!$&'()*+;="]
    {
        let head = get(&format!("Host: {host}\r\n")).unwrap_or_else(|bad| panic!("{host}: {bad:?}"));
        let found = head.host.unwrap();
        assert_eq!(found.len as usize, host.len());
    }
    for host in [
        "a b", "a/b", "a@b", "a?b", "a#b", "a,b", "a\\b", "é", "a:b", "a:80:90", "[::1", "::1", "[]",
        "[::1]x",
    ] {
        assert_eq!(refusal(get(&format!("Host: {host}\r\n"))), "Host is not a host name", "{host}");
    }
    assert_eq!(refusal(get("")), "Host is missing");
    assert_eq!(refusal(get("Host: a\r\nHost: a\r\n")), "two Host fields");
    assert_eq!(refusal(get("Host: a\r\nhost:\r\n")), "two Host fields");
    assert_eq!(refusal(request("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n")), "two Host fields");
    assert!(request("GET / HTTP/1.0\r\n\r\n").unwrap().unwrap().host.is_none());
}

#[test]
fn a_target_is_a_path_or_the_url_of_the_host() {
    let of = |line: &str| refusal(request(&format!("{line} HTTP/1.1\r\nHost: a:1\r\n\r\n")));
    for line in
        ["GET /", "GET //a//../%2e?q=|{}\"<>\\", "GET /é", "OPTIONS *", "GET http://A:1", "GET HTTPS://a:1/?"]
    {
        assert_eq!(of(line), "", "{line}");
    }
    for (line, why) in [
        ("GET *", "neither a path nor a URL"),
        ("GET a", "neither a path nor a URL"),
        ("GET ftp://a:1/", "neither a path nor a URL"),
        ("GET ?a", "neither a path nor a URL"),
        ("GET /#a", "percent-encoded"),
        ("GET http://b/", "contradicts Host"),
        ("GET http://a:1@b/", "contradicts Host"),
        ("GET http:///a", "contradicts Host"),
        ("CONNECT a:1", "Connect"),
        ("GET  /", "request line"),
        ("GET / b", "Version"),
        ("G(T /", "request line"),
        ("GET /\0", "request line"),
        (" GET /", "request line"),
    ] {
        let refusal = of(line);
        assert!(refusal.contains(why), "{line}: {refusal}, expected {why}");
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1,1"] {
        assert_eq!(refusal(request(&format!("GET / {version}\r\nHost: a\r\n\r\n"))), "Version", "{version}");
    }
}

#[test]
fn lines_end_with_cr_lf_and_empty_ones_may_come_first() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "GET / HTTP/1.0\r\n\n",
        "GET / HTTP/1.0\n\r\n",
    ] {
        assert_eq!(refusal(request(text)), "a line does not end with CR LF", "{text:?}");
    }
    let text = "\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = request(text).unwrap().unwrap();
    assert_eq!((head.target.in_bytes(text.as_bytes()), head.end), (&b"/x"[..], text.len()));
}

#[test]
fn what_connection_says_is_heeded() {
    for (lines, persistent) in [
        ("", true),
        ("Connection: close\r\n", false),
        ("Connection: keep-alive, CLOSE\r\n", false),
        ("Connection: x\r\nConnection: close\r\n", false),
        ("Connection: closed\r\n", true),
    ] {
        assert_eq!(with_host(lines).unwrap().is_persistent(), persistent, "{lines}");
    }
    for (lines, persistent) in
        [("", false), ("Connection: Keep-Alive\r\n", true), ("Connection: keep-alive, close\r\n", false)]
    {
        let head = request(&format!("GET / HTTP/1.0\r\n{lines}\r\n")).unwrap().unwrap();
        assert_eq!(head.is_persistent(), persistent, "HTTP/1.0, {lines}");
    }
    for name in ["host", "Content-Length", "TRANSFER-ENCODING"] {
        let refusal = refusal(with_host(&format!("Connection: close, {name}\r\n")));
        assert!(refusal.contains("Connection names"), "{name}: {refusal}");
    }
    assert!(with_host("Connection: X-Private\r\nX-Private: 1\r\n").unwrap().connection.names_fields);
}

#[test]
fn upgrades_are_let_through_except_to_http2_and_behind_a_body() {
    for (lines, upgrade) in [
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
        ("Connection: keep-alive, upgrade\r\nUpgrade: any/1, other\r\n", true),
        ("Upgrade: websocket\r\n", false),
        ("Connection: Upgrade\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: h2c/2\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", true),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", false),
    ] {
        assert_eq!(with_host(lines).unwrap().upgrade, upgrade, "{lines}");
    }
}

#[test]
fn a_body_is_expected_only_where_there_is_one() {
    for (lines, expects) in [
        ("Expect: 100-continue\r\nContent-Length: 1\r\n", true),
        ("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", true),
        ("Expect: 100-continue\r\n", false),
        ("Expect: 200-ok\r\nContent-Length: 1\r\n", false),
    ] {
        assert_eq!(with_host(lines).unwrap().expects_continue, expects, "{lines}");
    }
}

#[test]
fn more_fields_than_allowed_are_refused() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n";
    let mut head = RequestHead::default();
    assert_eq!(head.parse(text.as_bytes(), 0, 3), Ok(true));
    assert_eq!(head.parse(text.as_bytes(), 0, 2), Err(BadHead::TooManyFields));
}

#[test]
fn a_response_has_the_length_that_status_and_request_allow() {
    let head_only = Asked { head_only: true, upgrade: false, http10: false };
    for (text, asked, framing, persistent) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", PLAIN, Framing::Length(5), true),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", PLAIN, Framing::None, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", PLAIN, Framing::Chunked, true),
        ("HTTP/1.1 200 OK\r\n\r\n", PLAIN, Framing::UntilClose, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", PLAIN, Framing::Length(5), false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head_only, Framing::None, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head_only, Framing::None, true),
        ("HTTP/1.1 200 OK\r\n\r\n", head_only, Framing::None, true),
        ("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", PLAIN, Framing::None, true),
        ("HTTP/1.1 204 No\r\n\r\n", PLAIN, Framing::None, true),
        ("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", PLAIN, Framing::None, true),
        // A body that must not be may come all the same: nobody else is to be given it.
        ("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", PLAIN, Framing::None, false),
        ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", PLAIN, Framing::None, false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            PLAIN,
            Framing::Chunked,
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
            PLAIN,
            Framing::Length(5),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
            PLAIN,
            Framing::Length(5),
            false,
        ),
    ] {
        let head = response(text, asked).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
        assert_eq!((head.framing, head.persistent), (framing, persistent), "{text:?}, {asked:?}");
    }
}

#[test]
fn a_response_in_doubt_is_refused() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "ready on port 80\r\n\r\n",
    ] {
        assert!(response(text, PLAIN).is_err(), "{text:?}");
    }
    let upgraded = "HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    let head = response(upgraded, Asked { head_only: false, upgrade: true, http10: false }).unwrap();
    assert!(head.dropped.is_empty() && head.framing == Framing::None);
}

#[test]
fn a_client_gets_the_lines_meant_for_it() {
    for (lines, kept) in [
        ("A: 1\r\nConnection: b, keep-alive\r\nB: 2\r\nC: 3\r\n", "A: 1\r\nC: 3\r\n"),
        ("Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: x\r\nTE: x\r\n", ""),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n"),
        // Nobody may strip the framing.
        ("Connection: Content-Length\r\nContent-Length: 1\r\n", "Content-Length: 1\r\n"),
    ] {
        for added in ["", "D: 4\r\n", "Longer: than what was dropped, by far, for once, I should think\r\n"] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\nbody");
            let head = response(&text, PLAIN).unwrap();
            let room = added.len();
            let mut bytes = [vec![0; room], text.into_bytes()].concat();
            let dropped: Vec<_> =
                head.dropped.iter().map(|line| line.start + room..line.end + room).collect();
            let start = rewrite_in_place(&mut bytes, room, head.end + room, &dropped, added.as_bytes());
            let expected = format!("HTTP/1.1 200 OK\r\n{kept}{added}\r\nbody");
            assert_eq!(String::from_utf8_lossy(&bytes[start..]), expected);
        }
    }
    let head = response("HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout=7\r\n\r\n", PLAIN).unwrap();
    assert_eq!(head.keep_alive_seconds, Some(7));
}

#[test]
fn the_end_of_chunks_is_found_and_what_follows_left_alone() {
    for (text, length) in [
        ("0\r\n\r\n", 5),
        ("0\r\n\r\nGET /", 5),
        ("5\r\nhello\r\n0\r\n\r\n", 15),
        ("00000a;x=\"y\";z\r\n0\r\n\r\n0\r\n\r\n\r\n000\r\n\r\n", 35),
        ("0\r\nX-Sum: a\r\nDate:\r\n\r\n", 22),
    ] {
        let mut scanner = Chunked::default();
        assert_eq!(scanner.scan(text.as_bytes()), Ok(length.min(text.len())), "{text:?}");
        assert!(scanner.is_done(), "{text:?}");
    }
    for text in ["", "5", "5\r\nhell", "5\r\nhello\r\n", "0\r\n", "0\r\nX: y\r\n", "0\r\n\r"] {
        let mut scanner = Chunked::default();
        assert_eq!((scanner.scan(text.as_bytes()), scanner.is_done()), (Ok(text.len()), false), "{text:?}");
    }
}

#[test]
fn chunks_in_doubt_are_refused_before_another_could_end_the_body() {
    for (text, why) in [
        ("\r", "not a hexadecimal"),
        ("x", "not a hexadecimal"),
        ("0x", "not a hexadecimal"),
        ("+", "not a hexadecimal"),
        (" ", "not a hexadecimal"),
        ("5 ", "not a hexadecimal"),
        ("5_", "not a hexadecimal"),
        ("5\n", "not a hexadecimal"),
        ("5\rh", "not framed"),
        ("1\r\naX", "not framed"),
        ("1\r\na\n", "not framed"),
        ("1\r\na\rX", "not framed"),
        ("0000000000000005", "too many digits"),
        ("5;a=\n", "control byte"),
        ("5;a=\0", "control byte"),
        ("5;a\rb", "not framed"),
        ("0\r\n\rX", "not framed"),
        ("0\r\n\n", "not allowed"),
        ("0\r\nX: a\n", "not allowed"),
        ("0\r\nX: a\0", "not allowed"),
        ("0\r\nX: a\rb", "does not end"),
        ("0\r\nX\r\n", "no colon"),
        ("0\r\n X: a\r\n", "not allowed"),
        ("0\r\nContent-Length: 5\r\n", "must not come late"),
        ("0\r\nhost: a\r\n", "must not come late"),
        ("0\r\nProxy-Authorization: a\r\n", "must not come late"),
        ("0\r\nMS_AspNetCore-Token: a\r\n", "only the host"),
        ("0\r\nX-Original-URL: /\r\n", "only the host"),
    ] {
        let mut scanner = Chunked::default();
        let before = &text.as_bytes()[..text.len() - 1];
        assert_eq!(scanner.scan(before), Ok(before.len()), "{text:?}: refused early");
        let bad = scanner.scan(&text.as_bytes()[before.len()..]);
        assert!(matches!(bad, Err(BadChunk(told)) if told.contains(why)), "{text:?}: {bad:?}");
    }
    let long = format!("5;{}\r\n", "x".repeat(1025));
    assert!(Chunked::default().scan(long.as_bytes()).is_err());
    let many = format!("0\r\n{}", "X: y\r\n".repeat(4000));
    assert!(Chunked::default().scan(many.as_bytes()).is_err());
}

#[test]
fn fields_are_known_in_any_case_and_by_the_whole_name() {
    for (name, known) in [
        ("CONTENT-LENGTH", Known::ContentLength),
        ("transfer-encoding", Known::TransferEncoding),
        ("Proxy-Authorization", Known::Proxy),
        ("Content_Length", Known::Other),
        ("Content-Lengt", Known::Other),
        ("Transfer-Encodings", Known::Other),
        ("Proxies-Are-Not-All", Known::Other),
        ("", Known::Other),
    ] {
        assert_eq!(Known::of(name.as_bytes()), known, "{name}");
    }
}
