//! What programs are told, as tables.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Cgi, begin};
use crate::config::fastcgi::StderrMode;
use crate::exchange::Peer;
use crate::failure::Failure;
use crate::handler::variables::Scene;
use crate::http1::request::RequestHead;
use crate::pool::FastCgiPassing;

fn passing(tells_https_off: bool) -> FastCgiPassing {
    FastCgiPassing {
        site_id: 7,
        document_root: "/srv/site".to_owned(),
        site_root: "/srv/site".to_owned(),
        most_head_bytes: 64 * 1024,
        stderr: StderrMode::Pass,
        activity_timeout: Duration::from_secs(70),
        request_timeout: Duration::from_secs(90),
        tells_https_off,
        redirects_locally: true,
        sends_files_below: Vec::new(),
        keeps_connection: true,
    }
}

struct Case {
    text: String,
    head: RequestHead,
    peer: Peer,
    passing: FastCgiPassing,
}

impl Case {
    fn new(request_line: &str, fields: &str, from: Option<&str>) -> Case {
        let text = format!("{request_line}|{fields}|").replace('|', "\r\n");
        let mut head = RequestHead::default();
        assert!(head.parse(text.as_bytes(), 0, 64).unwrap(), "{text}");
        let peer = Peer::new(from.map(|from| from.parse::<SocketAddr>().unwrap()), None);
        Case { text, head, peer, passing: passing(false) }
    }

    fn cgi(&self) -> Cgi<'_> {
        Cgi {
            head: &self.head,
            bytes: self.text.as_bytes(),
            peer: &self.peer,
            over_http2: false,
            scene: Scene { physical_root: "/srv/site", url: "/a.php", script: "a.php", path_info: "" },
            passing: &self.passing,
            target: None,
            body_bytes: None,
            told: "",
            is_redirected: false,
            guards_identity: true,
        }
    }
}

/// All that is told; a name that came twice would be found here.
fn told(cgi: &Cgi<'_>) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = Vec::new();
    let put = |name: &[u8], value: &[u8]| {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!told.iter().any(|(there, _)| there.as_bytes() == name), "{} is told twice", text(name));
        told.push((text(name), text(value)));
        Ok::<(), ()>(())
    };
    cgi.each(put).unwrap();
    told
}

fn value(cgi: &Cgi<'_>, name: &str) -> Option<String> {
    told(cgi).into_iter().find(|(there, _)| there == name).map(|(_, value)| value)
}

#[test]
fn a_program_is_told_what_cgi_says_and_what_php_needs() {
    let case = Case::new(
        "POST /blog/a%20b.php/x%2Fy?q=%20&r HTTP/1.1",
        "Host: shop.example:8080|Content-Type: a/b; c|Content-Length: 5|Accept: x|",
        Some("[::1]:5678"),
    );
    let scene = Scene {
        physical_root: "/elsewhere",
        url: "/blog/a b.php/x/y",
        script: "blog/a b.php",
        path_info: "/x/y",
    };
    let cgi = Cgi { scene, body_bytes: Some(5), ..case.cgi() };
    for (name, expected) in [
        ("GATEWAY_INTERFACE", Some("CGI/1.1")),
        ("SERVER_PROTOCOL", Some("HTTP/1.1")),
        ("SERVER_NAME", Some("shop.example")),
        ("SERVER_PORT", Some("8080")),
        ("REQUEST_METHOD", Some("POST")),
        ("QUERY_STRING", Some("q=%20&r")),
        ("REQUEST_URI", Some("/blog/a%20b.php/x%2Fy?q=%20&r")),
        ("UNENCODED_URL", Some("/blog/a%20b.php/x%2Fy?q=%20&r")),
        ("SCRIPT_NAME", Some("/blog/a b.php")),
        ("PATH_INFO", Some("/x/y")),
        ("PATH_TRANSLATED", Some("/srv/site/x/y")),
        ("SCRIPT_FILENAME", Some("/srv/site/blog/a b.php")),
        ("DOCUMENT_ROOT", Some("/srv/site")),
        ("DOCUMENT_URI", Some("/blog/a b.php/x/y")),
        ("CONTENT_LENGTH", Some("5")),
        ("CONTENT_TYPE", Some("a/b; c")),
        ("REMOTE_ADDR", Some("::1")),
        ("REMOTE_HOST", Some("::1")),
        ("REMOTE_PORT", Some("5678")),
        ("REQUEST_SCHEME", Some("http")),
        ("REDIRECT_STATUS", Some("200")),
        ("FCGI_ROLE", Some("RESPONDER")),
        ("APPL_PHYSICAL_PATH", Some("/srv/site/")),
        ("SERVER_PORT_SECURE", Some("0")),
        ("HTTP_ACCEPT", Some("x")),
        ("HTTP_HOST", Some("shop.example:8080")),
        // Nobody was authenticated, nothing is encrypted, nothing was rewritten.
        ("REMOTE_USER", None),
        ("AUTH_TYPE", None),
        ("HTTPS", None),
        ("IIS_WasUrlRewritten", None),
        ("HTTP_CONTENT_TYPE", None),
        ("HTTP_CONTENT_LENGTH", None),
    ] {
        assert_eq!(value(&cgi, name).as_deref(), expected, "{name}");
    }
}

#[test]
fn what_is_not_there_is_told_as_cgi_wants_it() {
    let case = Case::new("GET http://[::1]/a.php HTTP/1.0", "Host: [::1]|", None);
    for (name, expected) in [
        ("QUERY_STRING", Some("")),
        ("PATH_INFO", None),
        ("PATH_TRANSLATED", None),
        ("CONTENT_LENGTH", None),
        ("CONTENT_TYPE", None),
        ("SERVER_NAME", Some("[::1]")),
        ("SERVER_PORT", Some("80")),
        ("SERVER_PROTOCOL", Some("HTTP/1.0")),
        ("REQUEST_URI", Some("/a.php")),
        ("REMOTE_ADDR", Some("")),
        ("REMOTE_PORT", None),
    ] {
        assert_eq!(value(&case.cgi(), name).as_deref(), expected, "{name}");
    }
    let case = Case::new("POST /a.php HTTP/1.1", "Host: a|Content-Length: 0|", None);
    assert_eq!(value(&case.cgi(), "CONTENT_LENGTH").as_deref(), Some("0"));
    let case = Case { passing: passing(true), ..case };
    assert_eq!(value(&case.cgi(), "HTTPS").as_deref(), Some("off"));
    assert_eq!(
        value(&Cgi { over_http2: true, ..case.cgi() }, "SERVER_PROTOCOL").as_deref(),
        Some("HTTP/2.0")
    );
}

#[test]
fn fields_become_variables_unless_they_would_be_taken_for_others() {
    for (fields, expected) in [
        ("X-A: b|", &[("HTTP_X_A", "b")][..]),
        ("Authorization: Basic eA==|", &[("HTTP_AUTHORIZATION", "Basic eA==")]),
        ("X-A: 1|x-a: 2|X-B: |X-A: 3|", &[("HTTP_X_A", "1, 2, 3"), ("HTTP_X_B", "")]),
        ("Cookie: a=1|cookie: b=2|", &[("HTTP_COOKIE", "a=1; b=2")]),
        // httpoxy.
        ("Proxy: http://evil/|pRoXy: x|", &[]),
        ("X_A: forged|X-A: b|Content_Length: 7|", &[("HTTP_X_A", "b")]),
        ("Connection: close, X-Own|X-Own: a|Keep-Alive: 1|TE: trailers|Upgrade: x|", &[]),
        ("Proxy-Authorization: x|Proxy-Connection: y|", &[]),
        ("X-Original-URL: /forged|X-iisnode-AUTH_USER: me|", &[]),
        ("Content-Type: a/b|", &[]),
    ] {
        let case = Case::new("GET / HTTP/1.1", &format!("Host: a|{fields}"), None);
        let mut there = told(&case.cgi());
        there.retain(|(name, _)| name.starts_with("HTTP_") && name != "HTTP_HOST");
        let there: Vec<_> = there.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(there, expected, "{fields}");
    }
}

#[test]
fn what_the_host_says_stands_in_for_what_clients_say() {
    let case = Case::new("GET /old?a HTTP/1.1", "Host: a|X-Queue-Time: forged|", None);
    let told = "X-Original-URL: /old?a\r\nX-Queue-Time: 0\r\nX-Queue-Time: 7\r\n";
    let cgi = Cgi { told, target: Some("/a.php?b"), ..case.cgi() };
    for (name, expected) in [
        ("HTTP_X_ORIGINAL_URL", "/old?a"),
        ("HTTP_X_QUEUE_TIME", "7"),
        ("IIS_WasUrlRewritten", "1"),
        ("REQUEST_URI", "/old?a"),
        ("QUERY_STRING", "b"),
    ] {
        assert_eq!(value(&cgi, name).as_deref(), Some(expected), "{name}");
    }
}

#[test]
fn what_is_served_in_place_of_another_is_a_get_without_a_body() {
    let case = Case::new("POST /a.php?x HTTP/1.1", "Host: a|Content-Length: 5|Content-Type: a/b|", None);
    let cgi = Cgi { is_redirected: true, target: Some("/b.php?y"), body_bytes: Some(5), ..case.cgi() };
    assert_eq!(value(&cgi, "REQUEST_METHOD").as_deref(), Some("GET"));
    assert_eq!(value(&cgi, "QUERY_STRING").as_deref(), Some("y"));
    assert_eq!((value(&cgi, "CONTENT_LENGTH"), value(&cgi, "CONTENT_TYPE")), (None, None));
}

#[test]
fn a_variable_that_fits_no_record_is_refused_by_name() {
    let cookie = "x".repeat(60_000);
    let case = Case::new("GET / HTTP/1.1", &format!("Host: a|Cookie: {cookie}|"), None);
    assert!(begin(&case.cgi(), &case.passing).is_ok());
    let case = Case::new("GET / HTTP/1.1", &format!("Host: a|Cookie: {cookie}|Cookie: {cookie}|"), None);
    let refused = begin(&case.cgi(), &case.passing).unwrap_err();
    assert!(matches!(&refused, Failure::ParameterTooLarge(name) if name == "HTTP_COOKIE"), "{refused}");
    assert_eq!(refused.status(), 431);
}

#[test]
fn the_port_is_the_one_the_client_names_or_else_the_one_it_has_reached() {
    let here = "127.0.0.1:8080".parse::<SocketAddr>().unwrap();
    for (host, expected) in [("a", "8080"), ("a:", "8080"), ("a:81", "81"), ("[::1]", "8080")] {
        let mut case = Case::new("GET /a.php HTTP/1.1", &format!("Host: {host}|"), Some("127.0.0.1:5678"));
        case.peer = Peer::new(Some(here), Some(here));
        assert_eq!(value(&case.cgi(), "SERVER_PORT").as_deref(), Some(expected), "{host}");
    }
}

#[test]
fn script_name_and_path_info_together_are_the_path() {
    let case = Case::new("GET / HTTP/1.1", "Host: a|", None);
    for (script, path_info, expected) in [
        ("", "/", ["", "/", "/", "/", "/srv/site"]),
        ("", "", ["", "/", "/", "/", "/srv/site"]),
        ("", "/a.fcgi/x", ["", "/a.fcgi/x", "/a.fcgi/x", "/a.fcgi/x", "/srv/site"]),
        ("blog", "/", ["/blog", "/", "/blog/", "/blog", "/srv/site/blog"]),
        ("blog", "/x/", ["/blog", "/x/", "/blog/x/", "/blog", "/srv/site/blog"]),
        ("a.php", "/x", ["/a.php", "/x", "/a.php/x", "/a.php", "/srv/site/a.php"]),
    ] {
        let scene = Scene { script, path_info, ..Scene::default() };
        let told = ["SCRIPT_NAME", "PATH_INFO", "DOCUMENT_URI", "URL", "SCRIPT_FILENAME"]
            .map(|name| value(&Cgi { scene, ..case.cgi() }, name).unwrap());
        assert_eq!(told, expected, "{script:?} {path_info:?}");
    }
}
