//! The access log: a line for each request, whoever answers it and however it ends.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{
    FakeWorker, Host, PATIENCE, RawClient, Setup, Site, curl, eventually, holds_for, ostler, web_config,
};

/// A log that is not there yet.
struct Log {
    _folder: TempDir,
    path: PathBuf,
}

impl Log {
    fn new() -> Log {
        let folder = tempfile::tempdir().unwrap();
        Log { path: folder.path().join("access.log"), _folder: folder }
    }

    fn of(&self, setup: Setup) -> Setup {
        setup.args(["--access-log", self.path.to_str().unwrap()])
    }

    /// Exactly so many lines, as soon as they are there.
    #[track_caller]
    fn lines(&self, count: usize) -> Vec<String> {
        let lines = eventually(PATIENCE, &format!("{count} lines of the access log"), || {
            let lines = read(&self.path);
            (lines.len() >= count).then_some(lines)
        });
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines(1).remove(0)
    }
}

/// The whole lines of a file.
fn read(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// What stands behind `key=`.
#[track_caller]
fn value<'l>(line: &'l str, key: &str) -> &'l str {
    let value = line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {key} in {line}"))
}

#[track_caller]
fn milliseconds(line: &str, key: &str) -> f64 {
    let text = value(line, key);
    assert_eq!(text.split('.').nth(1).map(str::len), Some(3), "{line}");
    text.parse().unwrap()
}

/// From the request on, without what is different each time.
#[track_caller]
fn told(line: &str) -> &str {
    let (before, rest) = line.split_once("] ").unwrap();
    let date = before.strip_prefix("127.0.0.1 - - [").unwrap_or_else(|| panic!("{line}"));
    assert!(date.len() == "21/Nov/2026:13:12:06 +0000".len() && date.ends_with(" +0000"), "{line}");
    milliseconds(line, "time_ms");
    rest.split_once(" queue_ms=").unwrap().0
}

#[test]
fn a_request_has_a_line_in_the_combined_format_with_fields_behind_it() {
    let (log, worker) = (Log::new(), FakeWorker::saying("hello"));
    let host = log.of(Host::before([&worker])).start();
    let fields = "Host: test\r\nReferer: http://from/\r\nUser-Agent: tea/1\r\n";
    let mut client = RawClient::connect(&host);
    client.send(format!("GET /a%20b?c=d HTTP/1.1\r\n{fields}\r\n"));
    assert_eq!(client.read_response("GET").text(), "hello");
    let line = log.line();
    let expected =
        "\"GET /a%20b?c=d HTTP/1.1\" 200 5 \"http://from/\" \"tea/1\" host=test app=upstreams pid=-";
    assert_eq!(told(&line), expected);
    assert_eq!(milliseconds(&line, "queue_ms"), 0.0);
    assert!(milliseconds(&line, "time_ms") > 0.0);
}

#[test]
fn what_a_client_writes_is_escaped_and_cut() {
    let (log, worker) = (Log::new(), FakeWorker::saying("hello"));
    let host = log.of(Host::before([&worker])).start();
    let long = "x".repeat(9000);
    let mut client = RawClient::connect(&host);
    client.send(b"GET / HTTP/1.0\r\nUser-Agent: \"caf\xc3\xa9\" a\\b\tc 200 1\r\n\r\n");
    client.read_response("GET");
    log.line();
    let mut client = RawClient::connect(&host);
    client.get(&format!("/{long}"));
    let lines = log.lines(2);
    let expected =
        r#""GET / HTTP/1.0" 200 5 "-" "\x22caf\xC3\xA9\x22 a\x5Cb\x09c 200 1" host=- app=upstreams pid=-"#;
    assert_eq!(told(&lines[0]), expected);
    let request = told(&lines[1]).split('"').nth(1).unwrap();
    assert_eq!(request.len(), 8192);
    assert!(request.starts_with("GET /xxx") && request.ends_with("x... HTTP/1.1"));
}

#[test]
fn what_is_refused_and_what_fails_has_a_line_too() {
    let log = Log::new();
    let host = log.of(Host::before_addresses(["unix:/nowhere/socket"])).start();
    let mut client = RawClient::connect(&host);
    let failed = client.get("/failed");
    log.line();
    let mut client = RawClient::connect(&host);
    client.send("GET /good HTTP/1.1\r\nHost: test\r\n\r\nNO SUCH\"THING\r\n\r\n");
    client.read_response("GET");
    assert_eq!(client.read_response("GET").status(), 400);
    let lines = log.lines(3);
    let start = format!("\"GET /failed HTTP/1.1\" {} {} ", failed.status(), failed.body.len());
    assert!(told(&lines[0]).starts_with(&start), "{start}, {}", lines[0]);
    assert!(told(&lines[2]).starts_with(r#""NO SUCH\x22THING" 400 "#), "{}", lines[2]);
    assert!(told(&lines[2]).ends_with(r#" "-" "-" host=- app=- pid=-"#), "{}", lines[2]);
}

#[test]
fn a_client_that_leaves_without_an_answer_has_499() {
    let (go, went) = channel::<()>();
    let went = Mutex::new(went);
    let worker = FakeWorker::remembering(move |_, _| {
        let _ = went.lock().unwrap().recv_timeout(PATIENCE);
        false
    });
    let log = Log::new();
    let host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    client.send("GET /late HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "the request at the worker", || (!worker.requests().is_empty()).then_some(()));
    drop(client);
    let line = log.line();
    assert!(told(&line).starts_with("\"GET /late HTTP/1.1\" 499 0 "), "{line}");
    drop(go);
}

#[test]
fn the_bytes_are_those_of_the_body_by_whatever_way_they_go() {
    const LARGE: usize = 3 * 1024 * 1024;
    let worker = FakeWorker::remembering(|wire, request| {
        let head = "HTTP/1.1 200 OK\r\n";
        if request.head.start.contains("/chunked") {
            let chunks = "5\r\nhello\r\n0\r\n\r\n";
            return wire.try_send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}")).is_ok();
        }
        let body = if request.head.start.starts_with("HEAD") { 0 } else { LARGE };
        let head = format!("{head}Content-Length: {LARGE}\r\n\r\n");
        wire.try_send(head).and_then(|()| wire.try_send(vec![b'x'; body])).is_ok()
    });
    let log = Log::new();
    let host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/large").body.len(), LARGE);
    client.send("HEAD /large HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_response("HEAD");
    assert_eq!(client.get("/chunked").text(), "hello");
    log.lines(3);
    let mut client = RawClient::connect(&host);
    client.send("GET /chunked HTTP/1.0\r\n\r\n");
    client.read_to_end();
    let bytes: Vec<String> =
        log.lines(4).iter().map(|line| told(line).split(' ').nth(4).unwrap().to_owned()).collect();
    // Chunks as they are on the wire; HTTP/1.0 gets what is in them.
    assert_eq!(bytes, [LARGE.to_string(), "0".to_owned(), "15".to_owned(), "5".to_owned()]);
}

#[test]
fn the_streams_of_http_2_have_lines_as_well() {
    let (log, worker) = (Log::new(), FakeWorker::saying("hello"));
    let host = log.of(Host::before([&worker])).start();
    let url = host.url("/two");
    curl(["--http2-prior-knowledge", "--user-agent", "tea/2", url.as_str()]).success();
    let expected = format!(
        "\"GET /two HTTP/2.0\" 200 5 \"-\" \"tea/2\" host=127.0.0.1:{} app=upstreams pid=-",
        host.port()
    );
    assert_eq!(told(&log.line()), expected);
}

#[test]
fn a_tunnel_has_its_line_at_its_end_with_the_bytes_that_went_to_the_client() {
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tea/2\r\n\r\n";
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(format!("{SWITCH}first"));
        wire.read_exact(3);
        wire.send("second");
        wire.time_to_end();
    });
    let log = Log::new();
    let host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    client.send("GET /tea HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: tea/2\r\n\r\n");
    assert_eq!(client.read_head().status(), 101);
    client.read_exact(5);
    client.send("ask");
    client.read_exact(6);
    holds_for(Duration::from_millis(200), "no line while it is open", || read(&log.path).is_empty());
    drop(client);
    let line = log.line();
    assert!(told(&line).starts_with("\"GET /tea HTTP/1.1\" 101 11 "), "{line}");
    assert!(milliseconds(&line, "time_ms") >= 200.0, "{line}");
}

#[test]
fn the_worker_that_answered_and_its_application_are_named() {
    let (log, site) = (Log::new(), Site::with_app("whoami"));
    let host = log.of(Host::of(site.path())).start();
    let answer: serde_json::Value = serde_json::from_slice(&RawClient::connect(&host).get("/").body).unwrap();
    let line = log.line();
    assert_eq!(value(&line, "pid"), answer["pid"].to_string());
    assert_ne!(value(&line, "app"), "-");
}

#[test]
fn files_and_pages_of_the_host_have_no_application() {
    let log = Log::new();
    let site = Site::iisnode("app.js", "").file("a.txt", "static");
    let host = log.of(Host::of(site.path()).without_waiting()).start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/a.txt").text(), "static");
    let lost = client.get("/absent.txt");
    let lines = log.lines(2);
    assert!(told(&lines[0]).starts_with("\"GET /a.txt HTTP/1.1\" 200 6 "), "{lines:?}");
    let start = format!("\"GET /absent.txt HTTP/1.1\" {} {} ", lost.status(), lost.body.len());
    assert!(told(&lines[1]).starts_with(&start), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(" host=test app=- pid=- ")), "{lines:?}");
}

#[test]
fn the_time_in_the_queue_is_told_of_who_is_served_and_of_who_is_not() {
    let (go, went) = channel::<()>();
    let went = Mutex::new(went);
    let worker = FakeWorker::remembering(move |wire, _| {
        let _ = went.lock().unwrap().recv_timeout(PATIENCE);
        wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_ok()
    });
    let log = Log::new();
    let queue = Host::before([&worker]).limit("queueLength", "1").limit("queueTimeout", "300ms");
    let host = log.of(queue.args(["--max-concurrent", "1"])).start();
    let mut held = RawClient::connect(&host);
    held.send("GET /held HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "the request at the worker", || (!worker.requests().is_empty()).then_some(()));
    assert_eq!(RawClient::connect(&host).get("/waits").status(), 503);
    log.line();
    go.send(()).unwrap();
    held.read_response("GET");
    let lines = log.lines(2);
    assert!(told(&lines[0]).starts_with("\"GET /waits HTTP/1.1\" 503 "), "{lines:?}");
    assert!(milliseconds(&lines[0], "queue_ms") >= 300.0, "{lines:?}");
    assert_eq!(milliseconds(&lines[1], "queue_ms"), 0.0, "{lines:?}");
}

#[test]
fn a_log_that_was_moved_away_goes_on_in_a_new_file_and_no_line_is_lost() {
    let (log, worker) = (Log::new(), FakeWorker::saying("hello"));
    let host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    client.get("/");
    log.line();
    let moved = log.path.with_extension("1");
    std::fs::rename(&log.path, &moved).unwrap();
    let mut sent = 1;
    eventually(PATIENCE, "a new file", || {
        client.get("/");
        sent += 1;
        log.path.exists().then_some(())
    });
    eventually(PATIENCE, "every line", || (read(&moved).len() + read(&log.path).len() == sent).then_some(()));
}

#[test]
fn a_host_that_ends_has_written_every_line() {
    let (log, worker) = (Log::new(), FakeWorker::saying("hello"));
    let mut host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    (0..100).for_each(|_| drop(client.get("/")));
    drop(client);
    host.stop();
    assert_eq!(read(&log.path).len(), 100);
}

#[test]
fn a_hyphen_means_the_standard_output() {
    let worker = FakeWorker::saying("hello");
    let host = Host::before([&worker]).args(["--access-log", "-"]).start();
    RawClient::connect(&host).get("/out");
    host.wait_for_line("\"GET /out HTTP/1.1\" 200 5 ");
}

#[test]
fn a_log_that_cannot_be_written_is_wrong_usage() {
    let path = Log::new().path.join("below");
    let path = path.to_str().unwrap();
    let upstream = ["--upstream", "unix:/nowhere/socket", "--listen", "127.0.0.1:0"];
    let outcome = ostler(["run", "--access-log", path].into_iter().chain(upstream));
    assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains(path), "{}", outcome.stderr);
}

/// What a person reads on the page leads to the reason.
#[test]
fn the_number_on_a_page_is_found_in_the_access_log_and_with_the_reason_in_the_hosts_own() {
    let (log, worker) = (Log::new(), FakeWorker::answering("nonsense"));
    let host = log.of(Host::before([&worker])).start();
    let mut client = RawClient::connect(&host);
    client.get("/");
    let line = log.line();
    assert_eq!(value(&line, "error"), "bad_answer");
    let number = value(&line, "request");
    let told = host.wait_for_line(number);
    assert!(told.contains("upstreams") && told.contains("not valid HTTP/1"), "{told}");
    assert_eq!(number.len(), 16);
}

#[test]
fn a_failure_of_a_site_has_status_and_substatus_and_the_number_of_its_page() {
    let log = Log::new();
    let config = r#"<handlers><add name="h" path="*" verb="*" modules="httpPlatformHandler" /></handlers>
        <httpPlatform processPath="node" arguments="-e process.exit(3)" />"#;
    let site = Site::named("shop").web_config(&web_config(config));
    let host = log.of(Host::of(site.path()).without_waiting()).start();
    let page = RawClient::connect(&host).get("/").text();
    let line = log.line();
    assert_eq!(value(&line, "error"), "502.5");
    let number = value(&line, "request");
    assert!(page.contains(number), "{page}");
    assert!(host.wait_for_line(&format!("request {number} to ")).contains("shop"));
}
