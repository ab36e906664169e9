//! `ostler explain` of FastCGI: real files, external servers, wildcards; what it tells is what the program is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{PHP, act, json, pool, row, scripted};
use crate::harness::{RawClient, Site, ostler, repository, web_config};

/// What `explain` says in `folder` of a URL.
#[track_caller]
fn explain(folder: &Site, url: &str) -> String {
    ostler(["explain", url, folder.path().to_str().unwrap()]).success().text()
}

/// The lines of `NAME=value` below a heading.
fn variables(said: &str, heading: &str) -> BTreeMap<String, String> {
    let lines = said.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines
        .filter_map(|line| line.trim_start().split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// The FastCGI files of the corpus: number, the script they need, and the path info that `/index.php/some/info` or, where
/// every path is theirs, `/some/info` leads to.
const CORPUS: &[(&str, &str, &str)] = &[
    ("055", "index.php", "/some/info"),
    ("058", "index.php", "/some/info"),
    ("059", "handler.fcgi", "/some/info"),
    // Its rule leads to the front page alone.
    ("060", "index.php", ""),
    ("062", "", "/handler.fcgi/some/info"),
];

#[test]
fn every_fastcgi_file_of_the_corpus_is_explained() {
    let beside = || repository("../shared/corpus");
    let corpus = std::env::var_os("OSTLER_CORPUS").map_or_else(beside, PathBuf::from);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if !name.ends_with(".web.config") || !text.contains("modules=\"FastCgiModule\"") {
            continue;
        }
        let Some((number, script, info)) = CORPUS.iter().find(|(number, ..)| name.starts_with(number)) else {
            panic!("{name} is not in the table");
        };
        numbers.push(*number);
        // One of them sends everybody to TLS, which is a proxy's here.
        let site = Site::named("site").web_config(&text.replace("pattern=\"off\"", "pattern=\"never\""));
        let is_php = *script == "index.php";
        if !script.is_empty() {
            site.write(script, "");
        }
        let url = if is_php { "/index.php/some/info?a=b" } else { "/some/info?a=b" };
        let said = explain(&site, url);
        let root = site.path().canonicalize().unwrap();
        let told = variables(&said, "told with the request");
        assert_eq!(told.get("PATH_INFO").map_or("", String::as_str), *info, "{name}\n{said}");
        assert_eq!(PathBuf::from(&told["SCRIPT_FILENAME"]), root.join(script), "{name}\n{said}");
        assert_eq!((told["QUERY_STRING"].as_str(), told["REQUEST_URI"].as_str()), ("a=b", url), "{name}");
        assert!(told.len() >= 24, "every variable: {said}");
        for heading in ["application  the pool ", "command  "] {
            assert!(said.lines().any(|line| line.starts_with(heading)), "{name}: `{heading}`\n{said}");
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, CORPUS.iter().map(|(number, ..)| *number).collect::<Vec<_>>());
}

/// What is explained is sent: the same variables, but for those of the connection.
#[test]
fn what_is_explained_is_what_is_sent() {
    let site = scripted_with_variables();
    let host = site.serve();
    for target in ["/act.fcgi?tells", "/act.fcgi/some/info?tells", "/act.fcgi/a%20b?tells"] {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let sent: serde_json::Value = serde_json::from_slice(&client.read_response("GET").body).unwrap();
        let sent: BTreeMap<String, String> = serde_json::from_value(sent["variables"].clone()).unwrap();
        let explained = variables(&explain(&site, target), "told with the request");
        let without = |all: BTreeMap<String, String>| {
            let of_connection = ["REMOTE_PORT", "SERVER_PORT"];
            all.into_iter()
                .filter(|(name, _)| !of_connection.contains(&name.as_str()))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(without(explained), without(sent), "{target}");
    }
    // And of the process.
    let of_process = variables(&explain(&site, "/act.fcgi"), "variables");
    let told = json(&host, &act("environment"))["variables"].clone();
    assert_eq!((of_process["ONE"].as_str(), &told["ONE"]), ("1", &"1".into()));
}

fn scripted_with_variables() -> Site {
    let variable =
        "<environmentVariables><environmentVariable name=\"ONE\" value=\"1\"/></environmentVariables>";
    super::scripted_with("", variable)
}

#[test]
fn a_server_elsewhere_is_named_by_its_address() {
    let site = Site::named("sites").file("site/a.php", "").file(
        "ostler.yml",
        "fastCgi:\n  '*.php': {server: 'unix:/run/php/fpm.sock', maxInstances: 7}\nsites:\n- root: site\n",
    );
    let config = site.path().join("ostler.yml");
    let said = ostler(["explain", "/a.php/x", "--config", config.to_str().unwrap()]).success().text();
    for word in ["/run/php/fpm.sock", "ostler.yml:2", "PATH_INFO=/x", "is asked"] {
        assert!(said.contains(word), "`{word}` is missing in\n{said}");
    }
}

/// Each value with the place that said it.
#[test]
fn settings_are_told_with_their_places() {
    let row = row("*.php", PHP, "Either");
    let site = Site::named("site").file("a.php", "").web_config(&web_config(&format!(
        "<handlers>{row}</handlers>\n{}",
        pool(PHP, "", "maxInstances=\"3\"\nqueueLength=\"9\"", "")
    )));
    let said = explain(&site, "/a.php");
    for (name, value, place) in [
        ("maxInstances", "3", "web.config:5"),
        ("queueLength", "9", "web.config:6"),
        ("idleTimeout", "300", "default"),
    ] {
        let line = said.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        assert!(line.contains(value) && line.contains(place), "{name}: {line}\n{said}");
    }
}

/// What would not be run says why, and names no variables.
#[test]
fn what_is_no_script_is_explained_as_what_it_is() {
    let site = scripted("").file("up/img.jpg", "").file("plain.txt", "");
    for (url, word) in [("/up/img.jpg/x.fcgi", "404"), ("/missing.fcgi", "404"), ("/plain.txt", "file")] {
        let said = explain(&site, url);
        assert!(said.contains(word) && !said.contains("SCRIPT_FILENAME"), "{url}\n{said}");
    }
}
