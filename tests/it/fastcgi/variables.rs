//! The variables of CGI: what each says, and which must never be there.

use serde_json::Value;

use super::{FROM_AFAR, act, ask, json, php_site, scripted};
use crate::harness::{Host, RawClient};

/// The variables that a request with these fields leads to.
#[track_caller]
fn variables(host: &Host, target: &str, fields: &[&str]) -> Value {
    let response = ask(host, target, fields);
    assert_eq!(response.status(), 200, "{}", response.text());
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    told["variables"].clone()
}

#[track_caller]
fn are(told: &Value, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(told[*name], *value, "{name} in {told:#}");
    }
}

#[test]
fn every_variable_of_the_standard_says_what_it_should() {
    let site = scripted("");
    let host = site.serve();
    let told = variables(&host, &act("tells"), &["Accept: text/*", "User-Agent: a test"]);
    let root = site.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    are(
        &told,
        &[
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_METHOD", "GET"),
            ("QUERY_STRING", "tells"),
            ("REQUEST_URI", "/act.fcgi?tells"),
            ("SCRIPT_NAME", "/act.fcgi"),
            ("SCRIPT_FILENAME", &format!("{root}/act.fcgi")),
            ("DOCUMENT_URI", "/act.fcgi"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REQUEST_SCHEME", "http"),
            ("REDIRECT_STATUS", "200"),
            ("FCGI_ROLE", "RESPONDER"),
            ("HTTP_HOST", "test"),
            ("HTTP_ACCEPT", "text/*"),
            ("HTTP_USER_AGENT", "a test"),
            ("SERVER_NAME", "test"),
            ("SERVER_PORT", &host.port().to_string()),
        ],
    );
    assert_eq!(told["DOCUMENT_ROOT"].as_str().unwrap().trim_end_matches('/'), root);
    assert!(told["SERVER_SOFTWARE"].as_str().unwrap().contains('/'), "{told:#}");
    assert!(told["REMOTE_PORT"].as_str().unwrap().parse::<u16>().unwrap() > 0);
    let without = ["HTTPS", "REMOTE_USER", "AUTH_TYPE", "REMOTE_IDENT", "CONTENT_LENGTH", "CONTENT_TYPE"];
    for name in without {
        let value = told[name].as_str().unwrap_or_default();
        assert_eq!(value, "", "{name}");
    }
    assert_eq!(told["PATH_INFO"].as_str().unwrap_or_default(), "");
    assert!(told["PATH_TRANSLATED"].is_null(), "{told:#}");
}

#[test]
fn a_request_is_begun_as_a_responder_on_a_connection_that_is_kept() {
    let site = scripted("");
    let told = json(&site.serve(), &act("tells"));
    assert_eq!((&told["role"], &told["flags"]), (&1.into(), &1.into()));
    assert!((1..=65535).contains(&told["id"].as_u64().unwrap()), "0 is for management: {told}");
}

#[test]
fn the_query_and_the_url_are_told_as_they_came() {
    let site = php_site("");
    let host = site.serve();
    for (target, query) in [
        ("/tells.php", ""),
        ("/tells.php?", ""),
        ("/tells.php?a=%20b+c&%C3%A4=%2F", "a=%20b+c&%C3%A4=%2F"),
        ("/tells.php??a=?", "?a=?"),
        ("/tells.php?/../x//y", "/../x//y"),
        ("/tel%6cs.php?x", "x"),
        ("/.//tells.php?x", "x"),
    ] {
        let server = json(&host, target)["server"].clone();
        assert_eq!(
            (&server["QUERY_STRING"], &server["REQUEST_URI"]),
            (&query.into(), &target.into()),
            "{target}"
        );
        assert_eq!(server["SCRIPT_NAME"], "/tells.php", "{target}");
        assert_eq!(server["PHP_SELF"], "/tells.php", "{target}");
    }
}

#[test]
fn a_body_is_told_by_its_length_and_type_and_not_as_fields() {
    let site = scripted("");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    let target = act("tells");
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent-Type: text/x; charset=\"a b\"\r\n\r\nhello"
    ));
    let response = client.read_response("POST");
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    are(&told["variables"], &[("CONTENT_LENGTH", "5"), ("CONTENT_TYPE", "text/x; charset=\"a b\"")]);
    for name in ["HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"] {
        assert!(told["variables"][name].is_null(), "{name}");
    }
    assert_eq!((&told["length"], &told["hash"]), (&5.into(), &super::fnv(b"hello").into()));
}

// Row 13.
#[test]
fn the_field_that_programs_would_take_for_their_proxy_never_arrives() {
    let site = php_site("");
    let host = site.serve();
    let response = ask(&host, "/tells.php", &["Proxy: http://evil.example", "PROXY: http://evil.example"]);
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    assert!(told["server"]["HTTP_PROXY"].is_null(), "{told:#}");
    assert_eq!(told["proxy"], false);
    let scripted = scripted("");
    let told = variables(&scripted.serve(), &act("tells"), &["pRoXy: http://evil.example"]);
    assert!(told["HTTP_PROXY"].is_null(), "{told:#}");
}

#[test]
fn fields_that_would_look_like_others_never_arrive() {
    let site = scripted("");
    let host = site.serve();
    let fields = ["X_Y: forged", "X-Y: right", "X_Z: forged", "Content_Length: 9", "Remote_Addr: 1.2.3.4"];
    let response = ask(&host, &act("tells"), &fields);
    assert_eq!(response.status(), 200, "{}", response.text());
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    let told = &told["variables"];
    assert_eq!(told["HTTP_X_Y"], "right");
    for name in ["HTTP_X_Z", "HTTP_CONTENT_LENGTH", "HTTP_REMOTE_ADDR"] {
        assert!(told[name].is_null(), "{name} in {told:#}");
    }
    assert!(!told.to_string().contains("forged"), "{told:#}");
}

#[test]
fn authorization_arrives_and_hop_by_hop_fields_do_not() {
    let site = scripted("");
    let host = site.serve();
    let fields = [
        "Authorization: Bearer token",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Cookie: a=1",
        "X-Kept: 1",
    ];
    let told = variables(&host, &act("tells"), &fields);
    are(&told, &[("HTTP_AUTHORIZATION", "Bearer token"), ("HTTP_COOKIE", "a=1"), ("HTTP_X_KEPT", "1")]);
    for name in ["HTTP_CONNECTION", "HTTP_X_HOP", "HTTP_KEEP_ALIVE", "HTTP_TRANSFER_ENCODING", "HTTP_TE"] {
        assert!(told[name].is_null(), "{name} in {told:#}");
    }
}

#[test]
fn a_repeated_field_is_one_variable() {
    let site = scripted("");
    let fields = ["X-A: 1", "x-a: 2", "X-A: 3", "Cookie: a=1", "Cookie: b=2"];
    let told = variables(&site.serve(), &act("tells"), &fields);
    are(&told, &[("HTTP_X_A", "1, 2, 3"), ("HTTP_COOKIE", "a=1; b=2")]);
}

#[test]
fn bytes_beyond_ascii_arrive_as_they_came() {
    let site = scripted("").file("f\u{e4}\u{20ac}.fcgi", "");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send(b"GET /f%C3%A4%E2%82%AC.fcgi?tells HTTP/1.1\r\nHost: test\r\nX-Raw: \xc3\xa4\xff\r\n\r\n");
    let response = client.read_response("GET");
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    let told = &told["variables"];
    // The worker reads bytes as Latin-1.
    let latin = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    assert_eq!(told["HTTP_X_RAW"], latin(b"\xc3\xa4\xff"));
    assert_eq!(told["SCRIPT_NAME"], latin("/f\u{e4}\u{20ac}.fcgi".as_bytes()));
    assert_eq!(told["REQUEST_URI"], "/f%C3%A4%E2%82%AC.fcgi?tells");
}

/// Without a setting that trusts a proxy, nobody can say who he is.
#[test]
fn forwarded_fields_change_no_variable() {
    let site = scripted("");
    let fields = [FROM_AFAR, "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"];
    let told = variables(&site.serve(), &act("tells"), &fields);
    are(&told, &[("REMOTE_ADDR", "127.0.0.1"), ("REQUEST_SCHEME", "http"), ("SERVER_NAME", "test")]);
    assert!(told["HTTPS"].is_null() || told["HTTPS"] == "off", "{told:#}");
}

#[test]
fn no_variable_is_told_twice() {
    let site = scripted("");
    let host = site.serve();
    let told = ask(&host, &act("names"), &["X-A: 1", "X-A: 2", "Cookie: a", "Cookie: b"]);
    let names: Vec<String> = serde_json::from_slice(&told.body).unwrap();
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!(names.len(), once.len(), "{names:?}");
    super::nothing_violated(&site);
}
