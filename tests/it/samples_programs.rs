//! Every sample of a program runs with the command its README shows, answers what the README shows, and keeps its promise.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{PATIENCE, RawClient, curl, eventually};
use crate::samples_iisnode::{get, start};

/// The samples that have a test below.
pub(crate) const TESTED: [&str; 6] = [
    "aspnetcore-contract",
    "flask-waitress",
    "java-httpserver",
    "node-numeric-port",
    "ruby-webrick",
    "static-binary",
];

#[test]
fn flask_waitress_rotates_over_two_processes_keeps_their_output_and_starts_anew_on_save() {
    let (site, mut host) = start("flask-waitress");
    let process = || serde_json::from_str::<Value>(&get(&host, "/process").text()).unwrap();
    let mut seen = BTreeSet::new();
    eventually(PATIENCE, "two processes", || {
        seen.insert(process()["pid"].as_u64().unwrap());
        (seen.len() == 2).then_some(())
    });
    let forwarded: Value = serde_json::from_str(&get(&host, "/forwarded").text()).unwrap();
    assert!(forwarded["X-Forwarded-For"].as_str().unwrap().starts_with("127.0.0.1:"), "{forwarded}");
    assert_eq!(forwarded["X-Forwarded-Proto"], "http");
    eventually(PATIENCE, "the greeting in a log", || {
        let logs = site.list("logs");
        logs.iter()
            .any(|log| site.read(&format!("logs/{log}")).contains("a greeting was asked for"))
            .then_some(())
    });
    site.write("app.py", &site.read("app.py").replace("Hello from Flask!", "Hello again!"));
    assert_eq!(get(&host, "/").text(), "Hello again!\n");
    host.stop();
}

#[test]
fn ruby_webrick_is_started_by_its_first_request_and_kept() {
    let (_site, mut host) = start("ruby-webrick");
    let first = get(&host, "/process").text();
    assert_eq!(get(&host, "/process").text(), first);
    host.stop();
}

#[test]
fn java_httpserver_gets_its_class_path_and_port_in_the_words_of_this_system() {
    let (_site, mut host) = start("java-httpserver");
    assert_eq!(get(&host, "/%2F/x").text(), "Hello from Java! You asked for /%2F/x\n");
    host.stop();
}

#[test]
fn static_binary_serves_its_own_files_and_its_own_404() {
    let (_site, mut host) = start("static-binary");
    let missing = get(&host, "/missing");
    assert_eq!((missing.status(), missing.head.field("x-ostler-error")), (404, None));
    host.stop();
}

#[test]
fn node_numeric_port_leaves_nothing_behind_when_it_is_stopped() {
    let (_site, mut host) = start("node-numeric-port");
    assert_eq!(RawClient::connect(&host).get("/ready").status(), 200);
    host.wait_for_line("starting");
    host.stop();
}

#[test]
fn aspnetcore_contract_hears_only_the_host_and_ends_when_it_is_asked_to() {
    let (_site, mut host) = start("aspnetcore-contract");
    let forged = curl(["-s", "-H", "ms-aspnetcore-TOKEN: forged", &host.url("/orders")]).success().text();
    assert!(forged.starts_with("Hello, 127.0.0.1!"), "{forged}");
    host.stop();
    assert!(host.lines().iter().any(|line| line.contains("asked to end")), "{:?}", host.lines());
}
