//! Every sample of a program runs with the command its README shows, answers what the README shows, and keeps its promise.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Host, PATIENCE, RawClient, curl, eventually};
use crate::samples_iisnode::{get, start};

/// The samples that have a test below.
pub(crate) const TESTED: [&str; 7] = [
    "aspnetcore-contract",
    "flask-waitress",
    "java-httpserver",
    "node-numeric-port",
    "ruby-webrick",
    "side-by-side",
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

/// The process that answers each of the three programs of `side-by-side`.
fn processes(host: &Host) -> [String; 3] {
    ["/api/", "/blog/", "/files/"].map(|target| {
        let response = get(host, target);
        assert_eq!(response.status(), 200, "{target}: {}", response.text());
        response
            .head
            .field("x-process")
            .unwrap_or_else(|| panic!("{target}: {:?}", response.head.fields))
            .to_owned()
    })
}

#[test]
fn side_by_side_replaces_each_of_its_programs_for_reasons_of_its_own() {
    let (site, mut host) = start("side-by-side");
    let first = processes(&host);
    assert_eq!(processes(&host), first);

    site.write("api/greeting.json", r#"{ "greeting": "Saved" }"#);
    assert!(get(&host, "/api/").text().contains("Saved"));
    let second = processes(&host);
    assert_eq!([second[0] == first[0], second[1] == first[1], second[2] == first[2]], [false, true, true]);

    site.write(
        "files/server.py",
        &site.read("files/server.py").replace("not shared", "nothing of this name"),
    );
    assert_eq!(get(&host, "/files/none").text(), "nothing of this name\n");
    let third = processes(&host);
    assert_eq!([third[0] == second[0], third[1] == second[1], third[2] == second[2]], [true, true, false]);

    site.write("blog/posts/third.txt", "Read anew.\n");
    assert_eq!(get(&host, "/blog/index.php/third").text(), "Read anew.\n");
    eventually(PATIENCE, "the next process after a hundred requests", || {
        (processes(&host)[1] != third[1]).then_some(())
    });
    let last = processes(&host);
    assert_eq!([last[0] == third[0], last[2] == third[2]], [true, true]);

    // What is a program in one folder is nothing special in another, and never shown as text where it is one.
    assert!(!get(&host, "/blog/web.config").text().contains("scriptProcessor"));
    assert_eq!(get(&host, "/blog/index.php/none").text(), "There is no post none.\n");
    host.stop();
}
