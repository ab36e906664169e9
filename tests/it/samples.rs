//! Every sample runs with the command its README shows, and does what the README says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Host, RawClient, Setup, curl, node, repository, with_packages};
use crate::{samples_iisnode, samples_programs};

/// The samples that have a test below or in `samples_iisnode`; a folder without one is a failure.
const TESTED: [&str; 7] = ["esm", "express", "hello", "socketio", "sse", "upload-download", "websocket"];

/// The sample, started by the command in its README, with its packages installed.
fn start(sample: &str) -> Host {
    setup(sample).start()
}

fn setup(sample: &str) -> Setup {
    let folder = with_packages(Path::new(&format!("samples/{sample}")));
    let command = console(&folder).into_iter().find(|command| command.starts_with("ostler run ")).unwrap();
    let mut words = command.split_whitespace().skip(2);
    assert_eq!(words.next(), Some(format!("samples/{sample}").as_str()), "{command}");
    Host::of(&folder).args(words).instances(2)
}

/// The commands of the console block of a README.
#[track_caller]
fn console(folder: &Path) -> Vec<String> {
    dialogue(folder).into_iter().map(|(command, _)| command).collect()
}

/// The same, each command with what is shown as its output.
#[track_caller]
pub(crate) fn dialogue(folder: &Path) -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let blocks = readme.split("```console\n").skip(1).collect::<Vec<_>>();
    assert_eq!(blocks.len(), 1, "one console block in the README of {}", folder.display());
    let block = blocks[0].split("```").next().unwrap_or_default();
    let said = block.split("$ ").skip(1).filter_map(|said| said.split_once('\n'));
    said.map(|(command, output)| (command.to_owned(), output.to_owned())).collect()
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository("samples")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

#[test]
fn every_sample_has_a_test() {
    let there = folders().into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let tested =
        TESTED.into_iter().chain(samples_iisnode::TESTED).chain(samples_programs::TESTED).map(str::to_owned);
    assert_eq!(there.collect::<BTreeSet<_>>(), tested.collect());
}

#[test]
fn every_sample_with_packages_says_how_to_install_them() {
    for folder in folders() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let installs = format!("npm ci --prefix samples/{name}");
        let has_packages = folder.join("package-lock.json").exists();
        assert_eq!(console(&folder).contains(&installs), has_packages, "{name}");
    }
}

/// A lock file that names a registry would install from there and nowhere else.
#[test]
fn lock_files_name_no_registry() {
    for folder in folders().into_iter().chain([repository("tests")]) {
        if let Ok(lock) = std::fs::read_to_string(folder.join("package-lock.json")) {
            assert!(!lock.contains("\"resolved\""), "{} holds `resolved`", folder.display());
        }
    }
}

#[test]
fn hello_is_answered_by_two_workers_in_turn() {
    let mut host = start("hello");
    let mut client = RawClient::connect(&host);
    let answers = [client.get("/").text(), client.get("/").text()].map(|text| text.trim_end().to_owned());
    assert_eq!(
        BTreeSet::from(answers),
        BTreeSet::from(["Hello from worker 0", "Hello from worker 1"].map(str::to_owned))
    );
    host.stop();
}

#[test]
fn express_answers_and_reads_json() {
    let mut host = start("express");
    assert!(RawClient::connect(&host).get("/").text().starts_with("Express, answered by worker "));
    let url = host.url("/sum");
    let answer = curl(["--json", "[1, 2, 39]", &url]).success();
    assert_eq!(answer.text(), r#"{"sum":42}"#);
    host.stop();
}

#[test]
fn esm_listens_after_its_greeting_is_read() {
    let mut host = start("esm");
    assert_eq!(RawClient::connect(&host).get("/").text(), "Hello from an ES module\n");
    host.stop();
}

#[test]
fn websocket_echoes_and_shows_a_page() {
    let mut host = start("websocket");
    assert!(RawClient::connect(&host).get("/").text().contains("new WebSocket("));
    let workers = [0, 1].map(|_| node("ws.mjs", [host.url("/").as_str()]).json()["greeting"].to_string());
    assert_ne!(workers[0], workers[1], "two connections, two workers");
    host.stop();
}

#[test]
fn socketio_gives_each_client_one_worker() {
    let mut host = start("socketio");
    let mut client = RawClient::connect(&host);
    let page = client.get("/");
    assert!(page.text().contains("/socket.io/socket.io.js"));
    let cookie = page.head.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("iisnode.session.cookie="), "{cookie}");
    assert!(client.get("/socket.io/socket.io.js").text().contains("Socket.IO"));

    let outcome = node("socketio.mjs", [host.url("").as_str(), "4", "polling,websocket"]).json();
    assert_eq!((&outcome["clients"], &outcome["transports"]), (&json!(4), &json!(["websocket"])));
    host.stop();
}

#[test]
fn upload_download_counts_what_comes_and_sends_what_is_asked_for() {
    let mut host = start("upload-download");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    let url = |path: &str| host.url(path);
    // What one worker sends is what the other one counts.
    let mut sums = Vec::new();
    for (path, fields) in [
        ("/download?bytes=20000003", &["-H", "Expect:"][..]),
        ("/download?bytes=20000003&chunked", &["-H", "Transfer-Encoding: chunked"]),
    ] {
        curl(["--output", file.to_str().unwrap(), &url(path)]).success();
        let data = format!("@{}", file.display());
        let upload = url("/upload");
        let answer = curl(fields.iter().copied().chain(["--data-binary", &data, &upload])).json();
        assert_eq!(answer["bytes"], 20_000_003);
        sums.push(answer["sha256"].to_string());
    }
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0].len(), 66);
    host.stop();
}

#[test]
fn upload_download_stops_sending_when_the_client_leaves() {
    let host = start("upload-download");
    let mut client = RawClient::connect(&host);
    client.send("GET /download?bytes=5000000000 HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    drop(client);
    host.wait_for_line("GET /download?bytes=5000000000 ended early");
}

#[test]
fn sse_sends_each_event_at_once_and_stops_when_the_listener_leaves() {
    let mut host = start("sse");
    assert!(RawClient::connect(&host).get("/").text().contains("new EventSource("));
    let mut client = RawClient::connect(&host);
    client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_head().field("content-type"), Some("text/event-stream"));
    for event in 0..3 {
        let begun = std::time::Instant::now();
        assert_eq!(client.read_chunk().1, format!("id: {event}\ndata: tick {event}\n\n").into_bytes());
        assert!(begun.elapsed() < Duration::from_secs(2), "events were gathered");
    }
    drop(client);
    host.wait_for_line("a listener left after ");
    host.stop();
}
