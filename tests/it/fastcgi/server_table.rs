//! All of `$_SERVER` for requests of many kinds, as a table: nothing is missing, and nothing is there that nobody asked for.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{FROM_AFAR, php_site};
use crate::harness::{Host, RawClient, Site, curl};

/// What PHP itself puts in, whatever the host says.
const OF_PHP: [&str; 4] = ["PHP_SELF", "REQUEST_TIME", "REQUEST_TIME_FLOAT", "argv"];

/// Those of every request.
const ALWAYS: [&str; 29] = [
    "APPL_MD_PATH",
    "APPL_PHYSICAL_PATH",
    "DOCUMENT_ROOT",
    "DOCUMENT_URI",
    "FCGI_ROLE",
    "GATEWAY_INTERFACE",
    "HTTP_HOST",
    "INSTANCE_ID",
    "INSTANCE_META_PATH",
    "PHP_SELF",
    "QUERY_STRING",
    "REDIRECT_STATUS",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_PORT",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_TIME",
    "REQUEST_TIME_FLOAT",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PORT_SECURE",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "UNENCODED_URL",
    "URL",
];

/// `$_SERVER` without what is of the process: PHP puts the variables it was started with in, too.
#[track_caller]
fn server(host: &Host, request: &str) -> Map<String, Value> {
    let mut client = RawClient::connect(host);
    client.send(request);
    let response = client.read_response("GET");
    assert_eq!(response.status(), 200, "{request}: {}", response.text());
    only_of_the_request(serde_json::from_slice(&response.body).unwrap())
}

fn only_of_the_request(told: Value) -> Map<String, Value> {
    let of_process = |name: &String| {
        let text = told["environment"][name].as_str();
        text.is_some() && told["server"][name].as_str() == text && !ALWAYS.contains(&name.as_str())
    };
    let all = told["server"].as_object().unwrap();
    all.iter()
        .filter(|(name, _)| !of_process(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// That there are those of every request, these, and no others.
#[track_caller]
fn has_only(told: &Map<String, Value>, more: &[(&str, &str)]) {
    for (name, value) in more {
        assert_eq!(told.get(*name).and_then(Value::as_str), Some(*value), "{name} in {told:#?}");
    }
    let names: BTreeSet<&str> =
        told.keys().map(String::as_str).filter(|name| !matches!(*name, "argv" | "argc")).collect();
    let expected = ALWAYS.into_iter().chain(more.iter().map(|(name, _)| *name)).collect::<BTreeSet<_>>();
    assert_eq!(names, expected);
}

const PAGE: &str = "<?php header('Content-Type: application/json'); $e = getenv(null, true) ?: []; echo json_encode(['server' => $_SERVER, 'environment' => $e]);";

fn site() -> Site {
    php_site("").file("server.php", PAGE)
}

// Row 16.
#[test]
fn a_simple_get_has_those_of_every_request_and_no_others() {
    let site = site();
    let host = site.serve();
    let root = site.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    let told = server(&host, "GET /server.php HTTP/1.1\r\nHost: test\r\n\r\n");
    has_only(
        &told,
        &[
            ("APPL_MD_PATH", "/LM/W3SVC/1/ROOT"),
            ("APPL_PHYSICAL_PATH", &format!("{root}/")),
            ("DOCUMENT_ROOT", root),
            ("DOCUMENT_URI", "/server.php"),
            ("FCGI_ROLE", "RESPONDER"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("HTTP_HOST", "test"),
            ("INSTANCE_ID", "1"),
            ("INSTANCE_META_PATH", "/LM/W3SVC/1"),
            ("PHP_SELF", "/server.php"),
            ("QUERY_STRING", ""),
            ("REDIRECT_STATUS", "200"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_HOST", "127.0.0.1"),
            ("REQUEST_METHOD", "GET"),
            ("REQUEST_SCHEME", "http"),
            ("REQUEST_URI", "/server.php"),
            ("SCRIPT_FILENAME", &format!("{root}/server.php")),
            ("SCRIPT_NAME", "/server.php"),
            ("SERVER_NAME", "test"),
            ("SERVER_PORT", &host.port().to_string()),
            ("SERVER_PORT_SECURE", "0"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("UNENCODED_URL", "/server.php"),
            ("URL", "/server.php"),
        ],
    );
    assert!(told["SERVER_SOFTWARE"].as_str().unwrap().starts_with("ostler/"));
    assert!(OF_PHP.iter().filter(|name| told.contains_key(**name)).count() >= 3);
}

#[test]
fn path_info_a_query_and_fields_add_theirs() {
    let site = site();
    let host = site.serve();
    let root = site.path().canonicalize().unwrap();
    let told = server(
        &host,
        "GET /server.php/in%20fo/%C3%A4?a=%20b HTTP/1.1\r\nHost: shop.example.com:8080\r\nAccept: */*\r\n\
         X-One: 1\r\nx-one: 2\r\nCookie: a=1\r\nCookie: b=2\r\nAuthorization: Basic YTpi\r\nX_Forged: 1\r\nProxy: x\r\n\
         Connection: keep-alive\r\nTE: trailers\r\nEmpty:\r\n\r\n",
    );
    has_only(
        &told,
        &[
            ("PATH_INFO", "/in fo/ä"),
            ("PATH_TRANSLATED", root.join("in fo/ä").to_str().unwrap()),
            ("PHP_SELF", "/server.php/in fo/ä"),
            ("DOCUMENT_URI", "/server.php/in fo/ä"),
            ("REQUEST_URI", "/server.php/in%20fo/%C3%A4?a=%20b"),
            ("UNENCODED_URL", "/server.php/in%20fo/%C3%A4?a=%20b"),
            ("URL", "/server.php"),
            ("QUERY_STRING", "a=%20b"),
            ("SERVER_NAME", "shop.example.com"),
            ("SERVER_PORT", "8080"),
            ("HTTP_HOST", "shop.example.com:8080"),
            ("HTTP_ACCEPT", "*/*"),
            ("HTTP_X_ONE", "1, 2"),
            ("HTTP_COOKIE", "a=1; b=2"),
            ("HTTP_AUTHORIZATION", "Basic YTpi"),
            ("HTTP_EMPTY", ""),
            // Of PHP, by the line before.
            ("PHP_AUTH_USER", "a"),
            ("PHP_AUTH_PW", "b"),
        ],
    );
}

#[test]
fn a_body_adds_its_length_and_its_type() {
    let site = site();
    let host = site.serve();
    let told = server(
        &host,
        "POST /server.php HTTP/1.1\r\nHost: test\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello",
    );
    has_only(&told, &[("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "5"), ("CONTENT_TYPE", "text/x")]);
    // Of unknown length it is counted first; the word for how it came is not passed.
    let told = server(
        &host,
        "PUT /server.php HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    has_only(&told, &[("REQUEST_METHOD", "PUT"), ("CONTENT_LENGTH", "5")]);
}

#[test]
fn other_ways_to_ask_say_which_they_are() {
    let site = site();
    let host = site.serve();
    let old = server(&host, "GET /server.php HTTP/1.0\r\nHost: test\r\n\r\n");
    has_only(&old, &[("SERVER_PROTOCOL", "HTTP/1.0")]);
    let proxied = server(&host, "GET http://other.test/server.php?x HTTP/1.1\r\nHost: other.test\r\n\r\n");
    has_only(&proxied, &[("REQUEST_URI", "/server.php?x"), ("SERVER_NAME", "other.test")]);
    let six = server(&host, "GET /server.php HTTP/1.1\r\nHost: [::1]:81\r\n\r\n");
    has_only(&six, &[("SERVER_NAME", "[::1]"), ("SERVER_PORT", "81")]);
    let two = curl(["--http2-prior-knowledge", "-A", "a test", &host.url("/server.php?a")]).success().json();
    let name = format!("127.0.0.1:{}", host.port());
    has_only(
        &only_of_the_request(two),
        &[
            ("SERVER_PROTOCOL", "HTTP/2.0"),
            ("HTTP_HOST", &name),
            ("HTTP_USER_AGENT", "a test"),
            ("HTTP_ACCEPT", "*/*"),
        ],
    );
}

/// What IIS tells of a rewritten URL, no client can say itself.
#[test]
fn nobody_can_say_that_a_url_was_rewritten() {
    let site = site();
    let fields =
        format!("X-Original-URL: /forged\r\nX-Rewrite-URL: /forged\r\nIIS_WasUrlRewritten: 1\r\n{FROM_AFAR}");
    let told = server(&site.serve(), &format!("GET /server.php HTTP/1.1\r\nHost: test\r\n{fields}\r\n\r\n"));
    assert!(
        !told.contains_key("HTTP_X_ORIGINAL_URL") && !told.contains_key("IIS_WasUrlRewritten"),
        "{told:#?}"
    );
    assert!(!told.contains_key("HTTP_IIS_WASURLREWRITTEN"), "{told:#?}");
}

/// What IIS tells of a rewritten URL; the query is that of the rule.
#[test]
fn a_rewritten_url_is_told_beside_the_new_one() {
    let rule = "<rewrite><rules><rule name=\"r\"><match url=\"^old/(.*)\"/><action type=\"Rewrite\" url=\"server.php/{R:1}?new=1\"/></rule></rules></rewrite>";
    let site = site().element(rule);
    let host = site.serve();
    let root = site.path().canonicalize().unwrap();
    let told = server(&host, "GET /old/page?a HTTP/1.1\r\nHost: test\r\n\r\n");
    has_only(
        &told,
        &[
            ("REQUEST_URI", "/old/page?a"),
            ("UNENCODED_URL", "/old/page?a"),
            ("HTTP_X_ORIGINAL_URL", "/old/page?a"),
            ("IIS_WasUrlRewritten", "1"),
            ("SCRIPT_NAME", "/server.php"),
            ("PATH_INFO", "/page"),
            ("PATH_TRANSLATED", root.join("page").to_str().unwrap()),
            ("QUERY_STRING", "new=1&a"),
        ],
    );
}

/// PHP makes `_` of a dot in the name of a variable: what is spelled with dots is taken for the field that has dashes.
#[test]
fn fields_with_dots_are_no_fields_with_dashes() {
    let site = site();
    let fields = "X.Original.URL: /forged\r\nX-One: right\r\nX.One: forged\r\n";
    let told = server(&site.serve(), &format!("GET /server.php HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
    has_only(&told, &[("HTTP_X_ONE", "right")]);
}
