//! The imitation keeps to the contract that the library of ASP.NET Core keeps, as it is asked without a host between.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::{Section, json, next_pid, notes, pid, plain, text};
use crate::harness::{Host, Message, PATIENCE, Site, Wire, alive, command, eventually, repository};

/// One request to a port, with these fields.
#[track_caller]
fn say(port: u16, start: &str, fields: &[&str]) -> Message {
    let mut wire = Wire::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    wire.send(format!(
        "{start} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n{fields}\r\n"
    ));
    wire.read_response(start.split(' ').next().unwrap())
}

/// Where the worker of an application listens, and the field that opens it.
#[track_caller]
fn paired(host: &Host, application: &str) -> (u16, String) {
    let environment = json(host, &format!("{application}/environment"));
    let token = environment["ASPNETCORE_TOKEN"].as_str().unwrap();
    let port = environment["ASPNETCORE_PORT"].as_str().unwrap().parse().unwrap();
    (port, format!("MS-ASPNETCORE-TOKEN: {token}"))
}

/// Killed when dropped.
struct Alone(Child);

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// L1.
#[test]
fn without_a_token_a_worker_listens_for_itself_and_knows_nobody() {
    let folder = Site::named("alone");
    let mut node = command("node");
    node.arg(repository("tests/apps/asp_net_core.mjs")).current_dir(folder.path());
    node.env("ASPNETCORE_PORT", "1").env("ASPNETCORE_APPL_PATH", "/").env_remove("ASPNETCORE_TOKEN");
    let mut alone = Alone(node.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(alone.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let port = port.trim().parse().unwrap();
    assert_eq!(say(port, "GET /hello", &[]).text(), "/hello");
    assert_eq!(say(port, "GET /hello", &["MS-ASPNETCORE-TOKEN: any"]).text(), "/hello");
    let message = say(port, "POST /iisintegration", &["MS-ASPNETCORE-EVENT: shutdown"]);
    assert_eq!((message.status(), message.text().as_str()), (200, "/iisintegration"));
}

/// L2.
#[test]
fn a_request_with_a_wrong_token_is_refused_by_the_worker() {
    let site = Section::new().site();
    let host = site.serve();
    let (port, token) = paired(&host, "");
    for wrong in [&[][..], &["MS-ASPNETCORE-TOKEN: wrong"], &["MS-ASPNETCORE-TOKEN:"]] {
        assert_eq!(say(port, "GET /pid", wrong).status(), 400, "{wrong:?}");
    }
    assert_eq!(say(port, "GET /pid", &[&token]).text(), text(&host, "/pid"));
}

/// L3: the worker ends, and the host has another one when it is asked.
#[test]
fn the_message_is_answered_with_202_and_ends_the_worker() {
    let site = Section::new().site();
    let host = site.serve();
    let old = pid(&host, "");
    let (port, token) = paired(&host, "");
    let message = say(port, "POST /iisintegration", &[&token, "MS-ASPNETCORE-EVENT: Shutdown"]);
    assert_eq!(message.status(), 202);
    eventually(PATIENCE, "the end of the worker", || (!alive(old)).then_some(()));
    assert!(notes(&site, Some(old)).contains(&"message".to_owned()));
    assert_ne!(next_pid_in_the_end(&host, old), old);
}

/// A worker that ends by itself may cost a request that is already on its way.
#[track_caller]
fn next_pid_in_the_end(host: &Host, old: u32) -> u32 {
    eventually(PATIENCE, "a new worker", || (super::ask(host, "/pid", &[]).status() == 200).then_some(()));
    next_pid(host, "", old)
}

/// L4.
#[test]
fn a_message_with_another_verb_path_or_event_is_a_request_like_any_other() {
    let site = Section::new().site();
    let host = site.serve();
    let worker = pid(&host, "");
    let (port, token) = paired(&host, "");
    let event = "MS-ASPNETCORE-EVENT: shutdown";
    for (start, fields) in [
        ("GET /iisintegration", [token.as_str(), event]),
        ("PUT /iisintegration", [&token, event]),
        ("POST /iisintegration/more", [&token, event]),
        ("POST /app/iisintegration", [&token, event]),
        ("POST /", [&token, event]),
        ("POST /iisintegration", [&token, "MS-ASPNETCORE-EVENT: start"]),
        ("POST /iisintegration", [&token, "X-Event: shutdown"]),
    ] {
        let answer = say(port, start, &fields);
        let target = start.split(' ').nth(1).unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (200, target), "{start} {fields:?}");
    }
    assert_eq!(say(port, "POST /iisintegration", &["MS-ASPNETCORE-TOKEN: wrong", event]).status(), 400);
    assert_eq!(pid(&host, ""), worker);
    assert!(!notes(&site, Some(worker)).contains(&"message".to_owned()));
}

/// L5.
#[test]
fn the_port_wins_over_the_urls_that_a_worker_was_configured_with() {
    let site = Section::new()
        .variable("ASPNETCORE_URLS", "http://127.0.0.1:1/")
        .variable("URLS", "http://127.0.0.1:1/")
        .site();
    let host = site.serve();
    assert_eq!(json(&host, "/environment")["ASPNETCORE_PORT"], text(&host, "/port"));
}

/// L6.
#[test]
fn a_worker_splits_the_path_of_its_application_off_whatever_its_letter_case() {
    let site = Section::new().below(plain(), "app1");
    let host = site.serve();
    let (port, token) = paired(&host, "/app1");
    for (target, split) in [
        ("/app1/base", r#"["/app1","/base"]"#),
        ("/APP1/base", r#"["/APP1","/base"]"#),
        ("/app10/base", "/app10/base"),
    ] {
        assert_eq!(say(port, &format!("GET {target}"), &[&token]).text(), split);
    }
}
