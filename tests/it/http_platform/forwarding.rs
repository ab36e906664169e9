//! What a program is told with each request, what it cannot be told by others, and what comes back.

use std::net::TcpStream;

use serde_json::Value;

use super::{app, ask, json, node_site, text};
use crate::harness::{Host, Message, Site, Wire};

/// Answers with the fields as they came, name and value, and its token.
fn shows_fields() -> Site {
    let shows = "r.end(JSON.stringify({ raw: q.rawHeaders, fields: q.headers, token: process.env.HTTP_PLATFORM_TOKEN }))";
    node_site(&app(shows), "")
}

#[track_caller]
fn parsed(response: &Message) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("not JSON: {}", response.text()))
}

/// The answer to a GET with these fields, and the address it was asked from.
#[track_caller]
fn seen(host: &Host, ip: &str, fields: &[&str]) -> (Value, String) {
    let stream = TcpStream::connect((ip, host.port())).unwrap();
    let address = stream.local_addr().unwrap().to_string();
    let mut wire = Wire::new(stream);
    let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    wire.send(format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
    (parsed(&wire.read_response("GET")), address)
}

// Row 16.
#[test]
fn address_with_port_and_scheme_of_the_client_follow_those_that_were_sent() {
    let site = shows_fields();
    let host = site.serve();
    for (sent, addresses, schemes) in [
        (&[][..], "", "http"),
        (&["X-Forwarded-For: 1.1.1.1"], "1.1.1.1, ", "http"),
        (&["x-forwarded-for: 1.1.1.1:99, 2.2.2.2"], "1.1.1.1:99, 2.2.2.2, ", "http"),
        (&["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https"], "1.1.1.1, ", "https, http"),
    ] {
        let (seen, address) = seen(&host, "127.0.0.1", sent);
        assert_eq!(seen["fields"]["x-forwarded-for"], format!("{addresses}{address}"), "{sent:?}");
        assert_eq!(seen["fields"]["x-forwarded-proto"], schemes, "{sent:?}");
    }
}

// Row 16.
#[test]
fn an_address_of_ipv6_stands_in_brackets() {
    let site = shows_fields();
    let host = Host::run([site.path().to_str().unwrap(), "--listen", "[::1]:0"]).start();
    let (seen, address) = seen(&host, "::1", &["X-Forwarded-For: 1.1.1.1"]);
    assert!(address.starts_with("[::1]:"), "{address}");
    assert_eq!(seen["fields"]["x-forwarded-for"], format!("1.1.1.1, {address}"));
}

// Row 16.
#[test]
fn fields_by_which_a_program_knows_its_host_are_taken_from_clients_in_any_letter_case() {
    let site = shows_fields();
    let forged = [
        "MS-ASPNETCORE-TOKEN: forged",
        "ms-aspnetcore-token: forged",
        "Ms-AspNetCore-ClientCert: forged",
        "MS-ASPNETCORE-WINAUTHTOKEN: forged",
        "ms-aspnetcore-anything: forged",
        "X-IIS-WindowsAuthToken: forged",
        "x-iis-windowsauthtoken: forged",
        "X-IIS-WINDOWSAUTHTOKEN: forged",
    ];
    let host = site.serve();
    for fields in [&forged[..], &forged[..1], &forged[5..6]] {
        let seen = parsed(&ask(&host, "/", fields));
        assert!(!seen.to_string().contains("forged"), "{seen}");
        assert!(seen["fields"]["x-iis-windowsauthtoken"].is_null(), "{seen}");
    }
}

#[test]
fn each_request_carries_the_token_its_program_was_started_with() {
    let site = shows_fields();
    let host = site.serve();
    for _ in 0..2 {
        let seen = parsed(&ask(&host, "/", &["MS-ASPNETCORE-TOKEN: forged"]));
        let token = seen["token"].as_str().unwrap();
        assert_eq!(token.len(), 36, "a UUID: {token}");
        assert_eq!(seen["fields"]["ms-aspnetcore-token"], token);
    }
}

#[test]
fn tokens_of_two_programs_differ() {
    let site = shows_fields();
    let tokens = [(); 2].map(|()| json(&site.serve(), "/")["token"].take());
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn nothing_else_is_added_and_what_was_sent_stays_as_it_was() {
    let site = shows_fields();
    let host = site.serve();
    let sent = ["X-Tea: green", "x-TEA: black", "Cookie: a=b; c=d", "Forwarded: for=1.1.1.1", "X-Empty:"];
    let seen = parsed(&ask(&host, "/", &sent));
    let raw = seen["raw"].as_array().unwrap().chunks(2);
    let raw = raw.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    let raw = raw.collect::<Vec<_>>();
    for field in sent {
        let (name, value) = field.split_once(':').unwrap();
        assert!(raw.contains(&(name.to_owned(), value.trim().to_owned())), "{field} in {raw:?}");
    }
    let known = [
        "host",
        "x-tea",
        "cookie",
        "forwarded",
        "x-empty",
        "x-forwarded-for",
        "x-forwarded-proto",
        "ms-aspnetcore-token",
        "connection",
    ];
    for (name, value) in &raw {
        assert!(known.contains(&name.to_lowercase().as_str()), "{name}: {value} was added");
    }
    assert_eq!(seen["fields"]["host"], "test");
}

#[test]
fn method_path_and_query_arrive_as_they_were_sent() {
    let site = node_site(&app("r.end(`${q.method} ${q.url}`)"), "");
    let host = site.serve();
    for url in ["/", "/a%2Fb//c/%3D", "/x.txt?y=%20%2F&&", "/%C3%A4?", "/web.txt", "/dir/", "/a.b/c"] {
        assert_eq!(text(&host, url), format!("GET {url}"));
    }
    for method in ["PUT", "DELETE", "PATCH", "PROPFIND"] {
        let response = super::request(&host, method, "/x", &["Content-Length: 0"], "");
        assert_eq!(response.text(), format!("{method} /x"));
    }
}

/// Also what lies in the folder belongs to the program: the handler says so.
#[test]
fn every_url_goes_to_the_program_even_those_of_files() {
    let site = node_site(&app("r.end(`program ${q.url}`)"), "").file("page.html", "a file");
    let host = site.serve();
    for url in ["/page.html", "/app.js", "/no/such/thing"] {
        assert_eq!(text(&host, url), format!("program {url}"));
    }
}

#[test]
fn fields_of_the_answer_pass_repeated_ones_repeated() {
    let answers = app(
        "r.setHeader('Set-Cookie', ['a=1', 'b=2']); r.setHeader('Server', 'horse/1'); r.setHeader('X-Powered-By', 'oats'); r.end()",
    );
    let response = ask(&node_site(&answers, "").serve(), "/", &[]);
    assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.head.all("server"), ["horse/1"]);
    assert_eq!(response.head.all("x-powered-by"), ["oats"]);
    assert_eq!(response.head.all("date").len(), 1);
    assert!(!ask(&node_site(&app("r.end()"), "").serve(), "/", &[]).head.has("server"));
}
