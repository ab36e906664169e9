//! What reaches a worker of a request, and what reaches a client of its answer.

use serde_json::Value;

use super::{Section, ask, asking, failure, json, parsed, plain, text};
use crate::harness::{Body, Host, Message, RawClient};

/// A request as its worker saw it.
#[track_caller]
fn told(answer: &Message) -> Value {
    assert_eq!(failure(answer), (200, "no error field"), "{}", answer.text());
    parsed(&answer.text())
}

/// Row 36.
#[test]
fn fields_of_clients_with_the_modules_name_never_reach_the_application() {
    let site = Section::new().site();
    let host = site.serve();
    let token = json(&host, "/environment")["ASPNETCORE_TOKEN"].clone();
    let forged = [
        "MS-ASPNETCORE: a",
        "ms-aspnetcore: a",
        "MS-ASPNETCORE-TOKEN: forged",
        "Ms-AspNetCore-Token: forged",
        "MS-ASPNETCORE-EVENT: shutdown",
        "MS-ASPNETCORE-CLIENTCERT: forged",
        "ms-aspnetcore-WINAUTHTOKEN: forged",
        "MS-ASPNETCORE-something-entirely-different: forged",
        "MS-ASPNETCORELONGER: forged",
        "X-Original-For: forged",
        "X-Original-Proto: forged",
        "x-original-host: forged",
    ];
    let seen = told(&ask(&host, "/request", &forged));
    let fields = seen["headers"].as_object().unwrap();
    let ours = fields.iter().filter(|(name, _)| name.starts_with("ms-aspnetcore")).collect::<Vec<_>>();
    assert_eq!(ours, [(&"ms-aspnetcore-token".to_owned(), &token)]);
    assert!(!seen.to_string().contains("forged"), "{seen}");
    // The message that ends a worker is the host's to send.
    let message = super::request(
        &host,
        "POST",
        "/iisintegration",
        &["MS-ASPNETCORE-EVENT: shutdown", "Content-Length: 0"],
        "",
    );
    assert_eq!(message.text(), "/iisintegration");
}

/// Section 6 of the reference.
#[test]
fn a_worker_is_told_address_port_and_scheme_of_the_client_after_what_was_said_before() {
    let site = Section::new().site();
    let host = site.serve();
    for (sent, before_address, protocol) in [
        (&[][..], "", "http"),
        (&["X-Forwarded-For: 1.2.3.4:5"], "1.2.3.4:5, ", "http"),
        (&["X-Forwarded-Proto: https", "X-Forwarded-For: a, b"], "a, b, ", "https, http"),
    ] {
        let headers = &told(&ask(&host, "/request", sent))["headers"];
        let address = headers["x-forwarded-for"].as_str().unwrap();
        let port = address.strip_prefix(&format!("{before_address}127.0.0.1:"));
        assert!(port.is_some_and(|port| port.parse::<u16>().is_ok()), "{sent:?}: {address}");
        assert_eq!(headers["x-forwarded-proto"], protocol, "{sent:?}");
    }
}

/// Section 6 of the reference.
#[test]
fn host_and_version_are_kept_and_the_fields_of_one_connection_are_not() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET /request HTTP/1.1\r\nHost: shop.example:8080\r\nConnection: close, X-Hop\r\nX-Hop: a\r\nX-End: b\r\n\r\n");
    let seen = told(&client.read_response("GET"));
    assert_eq!((&seen["version"], &seen["headers"]["host"]), (&"1.1".into(), &"shop.example:8080".into()));
    assert_eq!((&seen["headers"]["x-end"], seen["headers"]["x-hop"].as_str()), (&"b".into(), None));
    assert_ne!(seen["headers"]["connection"], "close, X-Hop");
}

/// Row 46.
#[test]
fn the_target_reaches_the_application_byte_for_byte() {
    let site = Section::new().site();
    let host = site.serve();
    for target in [
        "/Path/%3F%3F?query",
        "/Query/%3FPath?query?",
        "/a//b///c",
        "//b",
        "/a%2Fb%2fc",
        "/x?a=%20%2F&&b=c?d",
        "/%C3%A4/%E7%A7%81",
        "/?",
        "/ends/",
        "/UPPER/lower",
        "/;a=b/c,d/(e)/!~*'",
    ] {
        assert_eq!(text(&host, target), target);
    }
}

/// Section 6 of the reference: the path is the one that IIS has at the end, which rules may have made.
#[test]
fn a_rewritten_url_is_the_one_the_application_sees() {
    let rule = r#"<rewrite><rules><rule name="r"><match url="^old/(.*)"/><action type="Rewrite" url="new/{R:1}"/></rule></rules></rewrite>"#;
    let site = Section::new().beside(rule).site();
    let host = site.serve();
    assert_eq!(text(&host, "/old/hello?x=1"), "/new/hello?x=1");
    assert_eq!(text(&host, "/young/a%2Fb?x=1"), "/young/a%2Fb?x=1");
}

/// Row 46: everything from blank to tilde; the percent and plus signs that a filter may take for double escaping apart.
#[test]
fn every_encoded_character_reaches_the_application_encoded() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for byte in (0x20..=0x7e_u8).filter(|byte| !b"%+".contains(byte)) {
        let target = format!("/a%{byte:02X}b?c%{byte:02X}d");
        let answer = client.get(&target);
        assert_eq!((failure(&answer), answer.text()), ((200, "no error field"), target));
    }
}

/// Row 46.
#[test]
fn steps_upwards_are_never_taken_out_of_an_application() {
    let site = Section::new().below(plain(), "app1");
    let site = Section::new().below(site, "app2");
    let host = site.serve();
    let [one, two] = ["/app1/pid", "/app2/pid"].map(|target| text(&host, target));
    assert_ne!(one, two);
    for target in ["/app1/a/../pid", "/app1/a/%2E%2E/pid", "/app1/./pid"] {
        let answer = ask(&host, target, &[]);
        // As it was sent or resolved, by the same application.
        assert_eq!(answer.head.field("x-pid"), Some(one.as_str()), "{target}: {}", answer.text());
        assert!([target, one.as_str()].contains(&answer.text().as_str()), "{target}: {}", answer.text());
    }
    for target in ["/../web.config", "/app1/../../web.config", "/app1/%2e%2e/web.config"] {
        let answer = ask(&host, target, &[]);
        assert!(!answer.text().contains("configuration>"), "{target}: {}", answer.text());
        assert!(answer.status() >= 400, "{target}: {}", answer.status());
    }
}

/// Row 46.
#[test]
fn control_characters_in_a_target_are_refused() {
    let site = Section::new().site();
    let host = site.serve();
    text(&host, "/pid");
    for target in ["/a\u{1}b", "/a\u{1f}b", "/a\u{7f}b", "/a%00b", "/a%01b", "/a%1Fb"] {
        let answer = ask(&host, target, &[]);
        assert_eq!(answer.status(), 400, "{target:?}: {}", answer.text());
        assert_eq!(answer.head.field("x-pid"), None, "{target:?}");
    }
}

/// Row 46: the application splits its path off, in any letter case.
#[test]
fn an_application_below_is_found_in_any_letter_case_and_sees_the_whole_path_as_it_was_sent() {
    let site = Section::new().below(plain(), "app1");
    let host = site.serve();
    for (target, split) in [
        ("/app1/base", ["/app1", "/base"]),
        ("/APP1/base", ["/APP1", "/base"]),
        ("/App1/base", ["/App1", "/base"]),
    ] {
        assert_eq!(json(&host, target), serde_json::json!(split), "{target}");
    }
}

/// Row 42.
#[test]
fn statuses_reasons_and_bodies_are_passed_on() {
    let site = Section::new().site();
    let host = site.serve();
    for (query, line, body) in [
        ("200,,hello", "HTTP/1.1 200 OK", "hello"),
        ("200,Rather%20Fine,hello", "HTTP/1.1 200 Rather Fine", "hello"),
        ("400,,", "HTTP/1.1 400 Bad Request", ""),
        ("400,Too%20Odd,why", "HTTP/1.1 400 Too Odd", "why"),
        ("404,,mine", "HTTP/1.1 404 Not Found", "mine"),
        ("500,,mine", "HTTP/1.1 500 Internal Server Error", "mine"),
        ("502,,mine", "HTTP/1.1 502 Bad Gateway", "mine"),
        ("999,Custom,body", "HTTP/1.1 999 Custom", "body"),
        ("999,Custom,", "HTTP/1.1 999 Custom", ""),
    ] {
        let answer = ask(&host, &format!("/status?{query}"), &[]);
        assert_eq!((answer.head.start.as_str(), answer.text().as_str()), (line, body), "{query}");
        assert!(!answer.head.has(super::ERROR), "{query}");
    }
}

/// Row 42.
#[test]
fn answers_without_a_body_have_no_transfer_encoding() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for status in [204, 304, 200] {
        let answer = client.get(&format!("/status?{status}"));
        assert_eq!((answer.status(), answer.body.len()), (status, 0));
        assert!(status == 200 || !answer.head.has("transfer-encoding"), "{:?}", answer.head);
    }
}

/// Row 43, and the fields that may repeat.
#[test]
fn fields_of_an_answer_are_the_applications() {
    let site = Section::new().site();
    let host = site.serve();
    assert_eq!(ask(&host, "/server?Kestrel", &[]).head.all("server"), ["Kestrel"]);
    assert_eq!(ask(&host, "/pid", &[]).head.all("server"), [] as [&str; 0]);
    let repeats = ask(&host, "/repeats", &[]);
    assert_eq!(repeats.head.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(repeats.head.all("x-unknown"), ["1", "2"]);
    assert_eq!(repeats.head.all("location"), ["/elsewhere"]);
}

/// Row 44.
#[test]
fn the_end_of_a_workers_connection_is_the_clients_only_if_a_setting_says_so() {
    let site = Section::new().site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for _ in 0..3 {
        let answer = client.get("/closes");
        assert_eq!((answer.text().as_str(), answer.head.has("connection")), ("closing", false));
    }
    let site = Section::new().handler_setting("forwardResponseConnectionHeader", "true").site();
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    let answer = client.get("/closes");
    let connection = answer.head.field("connection").map(str::to_lowercase);
    assert_eq!((answer.text().as_str(), connection.as_deref()), ("closing", Some("close")));
    client.expect_end();
}

/// Row 34, its middle: what the application has compressed.
#[test]
fn a_compressed_answer_passes_byte_for_byte() {
    let site = Section::new().site();
    let host = site.serve();
    let plain = text(&host, "/gzip?hex");
    for accepted in ["Accept-Encoding: gzip", "Accept-Encoding: identity", "Via: nobody"] {
        let answer = ask(&host, "/gzip", &[accepted]);
        assert_eq!(answer.head.all("content-encoding"), ["gzip"], "{accepted}");
        let hex = answer.body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex, plain, "{accepted}");
    }
}

/// Section 6 of the reference: no length, no buffer.
#[test]
fn an_answer_in_chunks_comes_in_chunks_and_head_has_no_body() {
    let site = Section::new().site();
    let host = site.serve();
    let answer = ask(&host, "/drip?5,1", &[]);
    assert_eq!((answer.framing, answer.text().matches("drop").count()), (Body::Chunked, 5));
    let head = super::request(&host, "HEAD", "/pid", &[], "");
    assert_eq!((head.status(), head.body.len()), (200, 0));
}

/// HTTP/1.0 clients know no chunks.
#[test]
fn a_client_of_http_1_0_gets_a_stream_that_ends_with_its_connection() {
    let site = Section::new().site();
    let host: Host = site.serve();
    text(&host, "/pid");
    let mut client = asking_in_1_0(&host, "/drip?5,1");
    let answer = client.read_response("GET");
    assert_eq!((answer.framing, answer.text().matches("drop").count()), (Body::UntilClose, 5));
    let mut modern = asking(&host, "/drip?1,1");
    assert_eq!(modern.read_response("GET").framing, Body::Chunked);
}

fn asking_in_1_0(host: &Host, target: &str) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.0\r\nHost: test\r\n\r\n"));
    client
}
