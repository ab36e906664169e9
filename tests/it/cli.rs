//! The command line: lines a person can read, and one helpful sentence where something is wrong.

use crate::harness::{Host, RawClient, Site, curl, ostler};

/// Refused with exit code 2 and one sentence on stderr that holds all these words.
#[track_caller]
fn refused<'a>(arguments: impl IntoIterator<Item = &'a str>, words: &[&str]) {
    let arguments = arguments.into_iter().collect::<Vec<_>>();
    let outcome = ostler(arguments.iter().copied());
    let said = outcome.stderr.trim_end();
    assert_eq!(outcome.status.code(), Some(2), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say `{word}`: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.lines().count() <= 4, "{arguments:?} says too much:\n{said}");
}

#[test]
fn a_start_says_where_what_and_that_it_is_ready_in_this_order() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let lines = host.lines();
    let place = |wanted: &str| lines.iter().position(|line| line.starts_with(wanted));
    let (url, app, workers) = (place("ostler "), place("app "), place("workers "));
    assert_eq!(url, Some(0), "{lines:#?}");
    assert!(url < app && app < workers, "{lines:#?}");
    assert!(lines[0].contains(&format!("http://127.0.0.1:{}/", host.port())));
    let app = &lines[app.unwrap()];
    assert!(app.contains("app.mjs") && app.contains("package.json"), "what was found and why: {app}");
    let ready = &lines[workers.unwrap()];
    assert!(ready.contains('2') && ready.contains("ready in") && ready.contains("ms"), "{ready}");
}

#[test]
fn an_application_is_found_by_its_start_script_its_main_or_its_name() {
    let server = |text: &str| {
        format!("require('http').createServer((q, r) => r.end('{text}')).listen(process.env.PORT)")
    };
    let script = r#"{ "scripts": { "start": "node started.js" }, "main": "main.js" }"#;
    for (found, site) in [
        (
            "start",
            Site::named("a")
                .file("package.json", script)
                .file("started.js", &server("start"))
                .file("server.js", ""),
        ),
        (
            "main",
            Site::named("b")
                .file("package.json", r#"{ "main": "main.js" }"#)
                .file("main.js", &server("main")),
        ),
        (
            "server",
            Site::named("c").file("server.js", &server("server")).file("app.js", "").file("index.js", ""),
        ),
        ("app", Site::named("d").file("app.js", &server("app")).file("index.js", "")),
        ("index", Site::named("e").file("index.js", &server("index")).file("package.json", "{}")),
    ] {
        let host = Host::of(site.path()).instances(1).start();
        assert_eq!(RawClient::connect(&host).get("/").text(), found);
    }
}

#[test]
fn every_listener_is_shown_and_serves() {
    let site = Site::with_app("whoami");
    let socket = site.path().join("host.sock").display().to_string();
    let unix = format!("unix:{socket}");
    let host = Host::of(site.path()).args(["--listen", "127.0.0.1:0", "--listen", &unix]).start();
    host.wait_for_line(&unix);
    let urls = host.lines().iter().filter(|line| line.contains("http://127.0.0.1:")).count();
    assert_eq!(urls, 2, "{:#?}", host.lines());
    let answer = curl(["--unix-socket", socket.as_str(), "http://test/"]).success();
    assert!(answer.text().contains("\"slot\""));
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::with_app("whoami");
    refused(["run", site.path().to_str().unwrap(), "--listen", &address], &[&address, "in use"]);
}

#[test]
fn a_bad_address_is_named_with_what_is_allowed() {
    let site = Site::with_app("whoami");
    refused(["run", site.path().to_str().unwrap(), "--listen", "here"], &["here", "HOST:PORT", "unix:"]);
    refused(["run", "--listen", "0", "--upstream", "unix:"], &["unix:", "HOST:PORT"]);
}

#[test]
fn a_missing_folder_is_named() {
    refused(["run", "no/such/folder", "--listen", "0"], &["no/such/folder"]);
}

#[test]
fn a_folder_with_nothing_to_run_says_what_would_be_run() {
    let site = Site::named("empty");
    let words = ["empty", "web.config", "Procfile", "package.json", "server.js", "app.js", "index.js"];
    refused(["run", site.path().to_str().unwrap(), "--listen", "0"], &words);
}

#[test]
fn a_package_json_that_cannot_be_read_is_named() {
    let site = Site::named("broken").file("package.json", "{ \"main\": ");
    refused(["run", site.path().to_str().unwrap(), "--listen", "0"], &["package.json"]);
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let site = Site::with_app("whoami");
    let folder = site.path().to_str().unwrap();
    refused(["run", folder, "--listen", "0", "--exec", "no-such-program-here x"], &["no-such-program-here"]);
}

#[test]
fn a_bad_limit_is_named_with_what_is_allowed() {
    let site = Site::with_app("whoami");
    let folder = site.path().to_str().unwrap();
    for (limit, words) in [
        ("headByte=1KiB", &["headByte", "headBytes"][..]),
        ("headBytes=lots", &["headBytes", "lots"]),
        ("idleTimeout=5 bananas", &["idleTimeout", "5 bananas"]),
        ("idleTimeout=-5s", &["idleTimeout", "-5s"]),
        ("connections", &["connections", "NAME=VALUE"]),
        ("queueLength=", &["queueLength"]),
    ] {
        refused(["run", folder, "--listen", "0", "--limit", limit], words);
    }
}

#[test]
fn numbers_out_of_range_are_named_with_what_is_allowed() {
    let site = Site::with_app("whoami");
    let folder = site.path().to_str().unwrap();
    for (option, value) in [
        ("--instances", "100000"),
        ("--instances", "many"),
        ("--threads", "100000"),
        ("--transport", "pigeon"),
    ] {
        refused(["run", folder, "--listen", "0", option, value], &[option, value]);
    }
}

#[test]
fn an_unknown_command_or_option_is_named() {
    refused(["gallop"], &["gallop"]);
    refused(["run", "--sadle"], &["--sadle"]);
}

#[test]
fn help_shows_examples() {
    for arguments in [&["--help"][..], &["run", "--help"]] {
        let help = ostler(arguments.iter().copied()).success().text();
        assert!(help.contains("ostler run"), "{help}");
        assert!(help.to_lowercase().contains("example"), "{help}");
    }
    let help = ostler(["run", "--help"]).success().text();
    for option in
        ["--listen", "--instances", "--exec", "--upstream", "--max-concurrent", "--threads", "--limit"]
    {
        assert!(help.contains(option), "{option} is missing in\n{help}");
    }
}

#[test]
fn version_is_one_line() {
    assert_eq!(ostler(["--version"]).success().text(), format!("ostler {}\n", env!("CARGO_PKG_VERSION")));
}
