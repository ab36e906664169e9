//! `requestTimeout` limits silence, not length; and what is written is passed on at once.

use super::{ERROR, app, ask, failure, node_site, text};
use crate::harness::RawClient;

/// With a limit of two seconds of silence.
const LIMIT: &str = r#"requestTimeout="00:00:02""#;

#[track_caller]
fn asking(host: &crate::harness::Host, target: &str) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
    client
}

// Row 13.
#[test]
fn a_program_that_says_nothing_for_too_long_is_given_up_and_the_limit_named() {
    let site = node_site(&app("if (q.url !== '/silent') r.end('fine')"), LIMIT);
    let host = site.serve();
    assert_eq!(text(&host, "/"), "fine");
    let response = ask(&host, "/silent", &[]);
    assert_eq!(response.head.field(ERROR), Some("502.3"), "{}", response.text());
    assert!([502, 504].contains(&response.status()), "{}", response.status());
    assert!(response.text().contains("requestTimeout"), "{}", response.text());
    assert_eq!(text(&host, "/"), "fine");
}

// Row 13.
#[test]
fn silence_inside_an_answer_ends_it_as_not_whole() {
    let site = node_site(&app("r.write('begun, ')"), LIMIT);
    let host = site.serve();
    let mut client = asking(&host, "/");
    client.read_head();
    assert_eq!(client.read_chunk().1, b"begun, ");
    client.expect_end();
}

// Row 13.
#[test]
fn an_answer_that_comes_steadily_may_take_longer_than_the_limit() {
    let drips = "let n = 0; const t = setInterval(() => { if (n++ < 10) r.write('.'); else { clearInterval(t); r.end(); } }, 400)";
    let site = node_site(&app(drips), LIMIT);
    let response = ask(&site.serve(), "/", &[]);
    assert_eq!((failure(&response), response.text().len()), ((200, "no error field"), 10));
}

#[test]
fn an_upload_that_comes_steadily_may_take_longer_than_the_limit() {
    let counts = app("let n = 0; q.on('data', (part) => n += part.length).on('end', () => r.end(String(n)))");
    let site = node_site(&counts, LIMIT);
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        assert!(client.is_silent_for(std::time::Duration::from_millis(400)), "answered too early");
        client.send("x");
    }
    assert_eq!(client.read_response("POST").text(), "10");
}

/// While the worker starts, it is `startupTimeLimit` that counts.
#[test]
fn the_time_of_a_start_is_not_silence() {
    let slow = format!("setTimeout(() => {{ {} }}, 3000);", app("r.end('at last')"));
    assert_eq!(text(&node_site(&slow, LIMIT).serve(), "/"), "at last");
}

// Row 14. The second event is written after the first has arrived: nothing can have waited for more.
#[test]
fn an_event_arrives_before_the_next_is_written() {
    let events = app(
        "if (q.url === '/events') { r.writeHead(200, { 'Content-Type': 'text/event-stream' }); r.flushHeaders(); globalThis.open = r; } else { globalThis.open.write(`data: ${q.url}\\n\\n`); r.end('written'); }",
    );
    let site = node_site(&events, "");
    let host = site.serve();
    let mut client = asking(&host, "/events");
    let head = client.read_head();
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    for n in 0..10 {
        assert_eq!(text(&host, &format!("/{n}")), "written");
        assert_eq!(client.read_chunk().1, format!("data: /{n}\n\n").as_bytes());
    }
}
