//! `resourceType`: what must be on the disk before a row has a request, for scripts and for every path.

use super::{act, row, scripted, scripted_arguments};
use crate::harness::{RawClient, Site, web_config};

/// Who answers: the program, or the host with this status.
#[track_caller]
fn answers(host: &crate::harness::Host, target: &str) -> String {
    let mut client = RawClient::connect(host);
    let response = client.get(target);
    match response.status() {
        200 if response.text().starts_with("hello from ") => "program".to_owned(),
        status => format!("{status} {}", response.text()),
    }
}

#[track_caller]
fn are(host: &crate::harness::Host, what: &str, expected: [(&str, &str); 4]) {
    for (target, who) in expected {
        let said = answers(host, target);
        assert!(said.starts_with(who), "{what} {target}: {said}");
    }
}

/// All four, for scripts: a file, a folder of such a name, and nothing.
#[test]
fn a_row_for_scripts_needs_what_it_says() {
    for (kind, file, folder, nothing) in [
        ("File", "program", "40", "404"),
        ("Directory", "404", "program", "404"),
        ("Either", "program", "program", "404"),
        ("Unspecified", "program", "program", "program"),
    ] {
        let site = scripted("").file("folder.fcgi/x", "");
        site.write("web.config", &site.read("web.config").replace("\"Either\"", &format!("\"{kind}\"")));
        let host = site.serve();
        are(
            &host,
            kind,
            [
                (&act("hello"), file),
                ("/folder.fcgi/?hello", folder),
                ("/missing.fcgi?hello", nothing),
                ("/missing.fcgi/info?hello", nothing),
            ],
        );
    }
}

/// For every path; what the row does not have is the host's.
#[test]
fn a_row_for_every_path_needs_what_it_says() {
    for (kind, file, folder, nothing) in [
        ("File", "program", "40", "404"),
        ("Directory", "200 a file", "program", "404"),
        ("Either", "program", "program", "404"),
        ("Unspecified", "program", "program", "program"),
    ] {
        let site = Site::named("site").file("a.txt", "a file").file("folder/x", "").file("notes/here", "");
        let row = row("*", &format!("python3|{}", scripted_arguments(&site)), kind);
        site.write("web.config", &web_config(&format!("<handlers>{row}</handlers>")));
        let host = site.serve();
        are(
            &host,
            kind,
            [
                ("/a.txt?hello", file),
                ("/folder/?hello", folder),
                ("/missing?hello", nothing),
                ("/a/b/c.html?hello", nothing),
            ],
        );
    }
}

/// A hole of old: a script that does not exist must not reach PHP by a row that needs nothing, unless somebody wants it.
#[test]
fn unless_a_row_says_what_it_needs_nothing_need_be_there() {
    let site = scripted("");
    site.write("web.config", &site.read("web.config").replace(" resourceType=\"Either\"", ""));
    let host = site.serve();
    assert_eq!(answers(&host, &act("hello")), "program");
    assert_eq!(answers(&host, "/virtual.fcgi?hello"), "program");
}
