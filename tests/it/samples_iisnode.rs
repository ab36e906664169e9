//! Every iisnode sample runs with the command its README shows, answers what the README shows, and keeps its promise.
//!
//! Each test serves a copy: sites write logs beside their scripts, and some tests change files.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::harness::{Host, Message, PATIENCE, RawClient, Site, curl, eventually, node, with_packages};
use crate::samples::dialogue;

/// The samples that have a test below.
pub(crate) const TESTED: [&str; 7] = [
    "azure",
    "iisnode-esm",
    "iisnode-express",
    "iisnode-hello",
    "iisnode-websocket",
    "safe-recycle",
    "workers-and-logs",
];

/// Where READMEs say that a host listens.
const SHOWN_BASE: &str = "http://127.0.0.1:8080/";

/// A copy of a sample, served by the command of its README, whose shown answers have been seen.
#[track_caller]
pub(crate) fn start(sample: &str) -> (Site, Host) {
    let site = copy(sample);
    let dialogue = dialogue(site.path());
    let command = dialogue.iter().find_map(|(command, _)| command.strip_prefix("ostler run ")).unwrap();
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some(format!("samples/{sample}").as_str()), "{command}");
    let host = Host::of(site.path()).args(words).without_waiting().start();
    for (command, shown) in dialogue.iter().filter(|(command, _)| command.starts_with("curl ")) {
        let words = shell_words::split(&command.replace(SHOWN_BASE, &host.url("/"))).unwrap();
        let answer = curl(words[1..].iter().map(String::as_str)).success().text();
        // What differs from run to run is not shown.
        if !shown.is_empty() {
            assert_eq!(answer.trim_end(), shown.trim_end(), "{command}");
        }
    }
    (site, host)
}

#[track_caller]
fn copy(sample: &str) -> Site {
    let from = with_packages(Path::new(&format!("samples/{sample}")));
    let site = Site::named(sample);
    copy_folder(&from, site.path());
    site
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_name().to_str().unwrap() {
            // Thousands of files that no test changes.
            "node_modules" => std::os::unix::fs::symlink(from, to).unwrap(),
            // Logs, if somebody has run the sample where it is.
            "iisnode" => {}
            _ if from.is_dir() => {
                std::fs::create_dir(&to).unwrap();
                copy_folder(&from, &to);
            }
            _ => drop(std::fs::copy(from, to).unwrap()),
        }
    }
}

#[track_caller]
pub(crate) fn get(host: &Host, target: &str) -> Message {
    RawClient::connect(host).get(target)
}

#[track_caller]
fn get_with(host: &Host, target: &str, field: &str) -> Message {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"));
    client.read_response("GET")
}

#[test]
fn iisnode_hello_answers_at_the_url_of_its_script_and_never_shows_it() {
    let (_site, mut host) = start("iisnode-hello");
    assert_eq!(get(&host, "/hello.js").head.field("x-ostler-error"), None);
    let hidden = get(&host, "/web.config");
    assert_eq!((hidden.status(), hidden.head.field("x-ostler-error")), (404, Some("404.8")));
    host.stop();
}

#[test]
fn azure_sends_files_of_public_itself_and_gives_the_rest_to_the_script() {
    let (_site, mut host) = start("azure");
    assert!(get(&host, "/").text().contains("<h1>A page of server.js</h1>"));
    let style = get(&host, "/style.css");
    assert_eq!((style.status(), style.head.field("content-type")), (200, Some("text/css")));
    let tag = style.head.field("etag").unwrap();
    assert_eq!(get_with(&host, "/style.css", &format!("If-None-Match: {tag}")).status(), 304);
    assert_eq!(get_with(&host, "/style.css", "Range: bytes=0-3").text(), "body");
    host.stop();
}

#[test]
fn iisnode_express_is_two_applications_that_each_see_their_whole_urls() {
    let (_site, mut host) = start("iisnode-express");
    let missing = get(&host, "/admin");
    assert!((missing.status(), missing.text().contains("Cannot GET /admin")) == (404, true));
    let unsent = get(&host, "/package.json");
    assert!((unsent.status(), unsent.text().contains("Cannot GET /package.json")) == (404, true));
    host.stop();
}

#[test]
fn iisnode_esm_reads_its_greeting_again_when_that_is_saved() {
    let (site, mut host) = start("iisnode-esm");
    std::fs::write(site.path().join("greeting.txt"), "Saved again\n").unwrap();
    assert_eq!(get(&host, "/").text(), "Saved again\n");
    host.stop();
}

#[test]
fn iisnode_websocket_echoes_and_its_page_is_a_file() {
    let (_site, mut host) = start("iisnode-websocket");
    let page = get(&host, "/");
    assert!(page.text().contains("new WebSocket(") && page.head.has("etag"), "{page:?}");
    let outcome = node("ws.mjs", [host.url("/server.js").as_str()]).json();
    assert!(outcome["greeting"].as_str().is_some_and(|text| text.starts_with("process ")), "{outcome}");
    assert_eq!((&outcome["text"], &outcome["large"]), (&json!("hello"), &json!(3_000_000)));
    host.stop();
}

#[test]
fn workers_and_logs_answers_by_four_processes_in_turn() {
    let (_site, mut host) = start("workers-and-logs");
    host.wait_for_line("4 ready");
    let mut client = RawClient::connect(&host);
    let answers = (0..12).map(|_| client.get("/").text()).collect::<Vec<_>>();
    assert_eq!(answers[..4].iter().collect::<BTreeSet<_>>().len(), 4, "{answers:?}");
    assert!(answers[..4] == answers[4..8] && answers[..4] == answers[8..], "{answers:?}");
    host.stop();
}

#[test]
fn workers_and_logs_shows_what_was_printed_to_clients_here_and_to_no_others() {
    let (_site, mut host) = start("workers-and-logs");
    host.wait_for_line("4 ready");
    let answers = [0, 1, 2, 3].map(|round| get(&host, &format!("/server.js/{round}")).text());
    let index = get(&host, "/iisnode/index.html");
    assert_eq!(index.head.field("x-ostler-error"), None);
    let names = links(&index.text());
    let logs = names.iter().map(|log| get(&host, &format!("/iisnode/{log}")).text()).collect::<String>();
    for (round, answer) in answers.iter().enumerate() {
        let line = format!("{} answers GET /server.js/{round}", answer.trim_end());
        assert!(logs.lines().any(|printed| printed == line), "`{line}` is missing in\n{logs}");
    }
    for name in names.iter().map(String::as_str).chain(["index.html"]) {
        let closed = get_with(&host, &format!("/iisnode/{name}"), "X-Forwarded-For: 203.0.113.9");
        assert_eq!(closed.status(), 403, "{name}");
        assert!(closed.text().contains("logAccess"), "the page names the setting: {}", closed.text());
    }
    host.stop();
}

/// The log files that an index page links to.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    targets.filter(|target| target.ends_with(".txt")).map(str::to_owned).collect()
}

#[test]
fn safe_recycle_goes_on_as_it_was_until_the_new_version_is_ready() {
    let (site, mut host) = start("safe-recycle");
    let script = site.path().join("server.js");
    let good = std::fs::read_to_string(&script).unwrap();
    let mut client = RawClient::connect(&host);
    let mut answer = || client.get("/").text();

    std::fs::write(&script, "this is nonsense").unwrap();
    assert_eq!(answer(), "This is version 1\n");
    host.wait_for_line("goes on as it was");
    assert_eq!(answer(), "This is version 1\n");

    std::fs::write(&script, good.replace("version 1", "version 2")).unwrap();
    eventually(PATIENCE, "version 2", || match answer().as_str() {
        "This is version 2\n" => Some(()),
        old => {
            assert_eq!(old, "This is version 1\n", "no request fails");
            None
        }
    });
    host.stop();
}
