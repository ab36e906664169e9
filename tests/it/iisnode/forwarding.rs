//! What the worker is told about the client, and what a client cannot pretend.

use super::{app, ask, json, request, text};
use crate::harness::Site;

fn shows_fields() -> String {
    app("r.end(JSON.stringify(q.headers))")
}

#[track_caller]
fn fields(response: &crate::harness::Message) -> serde_json::Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("not JSON: {}", response.text()))
}

#[test]
fn with_enable_xff_the_worker_learns_address_and_protocol_of_the_client() {
    let site = Site::iisnode("hello.js", &shows_fields()).set(r#"enableXFF="true""#);
    let host = site.serve();
    for (sent, address, protocol) in [
        (&[][..], "127.0.0.1", "http"),
        (&["X-Forwarded-Proto: https"], "127.0.0.1", "https"),
        (&["X-Forwarded-For: 1.1.1.1"], "1.1.1.1, 127.0.0.1", "http"),
        (&["X-Forwarded-For: 127.0.0.1"], "127.0.0.1", "http"),
        (&["X-Forwarded-For: 1.127.0.0.1"], "1.127.0.0.1, 127.0.0.1", "http"),
    ] {
        let seen = fields(&ask(&host, "/hello.js", sent));
        let seen = (seen["x-forwarded-for"].as_str(), seen["x-forwarded-proto"].as_str());
        assert_eq!(seen, (Some(address), Some(protocol)), "{sent:?}");
    }
}

#[test]
fn without_enable_xff_nothing_is_added() {
    let site = Site::iisnode("hello.js", &shows_fields());
    let seen = json(&site.serve(), "/hello.js");
    assert!(seen["x-forwarded-for"].is_null() && seen["x-forwarded-proto"].is_null(), "{seen}");
}

#[test]
fn promoted_server_variables_arrive_as_fields_and_unknown_ones_do_not() {
    let site = Site::iisnode("hello.js", &shows_fields()).set(
        r#"promoteServerVars="REQUEST_METHOD,AUTH_USER, QUERY_STRING ,NO_SUCH_THING,REMOTE_ADDR,SERVER_PORT_SECURE,HTTP_X_TEA,URL""#,
    );
    let seen = fields(&request(&site.serve(), "GET", "/hello.js?a=b", &["X-Tea: green"], ""));
    for (name, value) in [
        ("x-iisnode-request_method", "GET"),
        ("x-iisnode-auth_user", ""),
        ("x-iisnode-query_string", "a=b"),
        ("x-iisnode-remote_addr", "127.0.0.1"),
        ("x-iisnode-server_port_secure", "0"),
        ("x-iisnode-http_x_tea", "green"),
        ("x-iisnode-url", "/hello.js"),
    ] {
        assert_eq!(seen[name], value, "{name} in {seen}");
    }
    assert!(seen["x-iisnode-no_such_thing"].is_null(), "{seen}");
}

/// Applications take these fields for the word of the host.
#[test]
fn promoted_server_variables_cannot_be_forged() {
    let forged = ["X-iisnode-AUTH_USER: admin", "x-IISNODE-logon_user: admin"];
    for site in [
        Site::iisnode("hello.js", &shows_fields()).set(r#"promoteServerVars="AUTH_USER""#),
        Site::iisnode("hello.js", &shows_fields()),
    ] {
        let seen = ask(&site.serve(), "/hello.js", &forged).text();
        assert!(!seen.contains("admin"), "{seen}");
    }
}

#[test]
fn a_field_the_worker_repeats_is_repeated_in_its_letter_case() {
    let repeats = app("r.setHeader('Foo', ['Val1', 'Val2']); r.end()");
    let site = Site::iisnode("hello.js", &repeats);
    let response = ask(&site.serve(), "/hello.js", &[]);
    assert_eq!(response.head.lines("foo"), ["Foo: Val1", "Foo: Val2"]);
}

#[test]
fn the_target_reaches_the_worker_byte_for_byte() {
    let site = Site::iisnode("hello.js", &app("r.end(q.url)"));
    let host = site.serve();
    for url in
        ["/hello.js?x=%20%2F&&", "/hello.js/a%2Fb//c/%3D", "/hello%2Ejs", "/hello.js/%C3%A4?", "/HELLO.js"]
    {
        assert_eq!(text(&host, url), url);
    }
}

/// The time of a response is the worker's, or else the host's; what programs the host runs on is nobody's business.
#[test]
fn nothing_but_a_missing_date_is_added_to_an_answer() {
    let site = Site::iisnode("hello.js", &app("r.sendDate = false; r.end('here')"));
    let response = ask(&site.serve(), "/hello.js", &[]);
    let mut names = response.head.fields.iter().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>();
    names.sort_unstable();
    names.retain(|name| name != "connection");
    assert_eq!(names, ["content-length", "date"]);
}
