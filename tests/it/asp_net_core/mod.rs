//! Sites of the ASP.NET Core Module: what an application and its web.config may rely on, out of process.
//!
//! Black box, and without .NET: the worker is `tests/apps/asp_net_core.mjs`, which keeps to the contract of the module.
//! A comment before each test names its row in the table of functional tests that the reference of the module ends with.
//!
//! Rows without a test, and why:
//! - 21, the debug log: it is a file of the module about itself; `OSTLER_LOG` has its place. That its settings do no harm
//!   is tested.
//! - 35 and 37, https and client certificates at the front: the host speaks no TLS.
//! - 38 and 39, Windows tokens and basic authentication at the front: there are none here.
//! - 49, a front without WebSockets: this one always has them. What an application that has none answers is tested.
//! - 51, recycling of the pool by its private memory: a pool has no process of its own here.
//! - the in-process half of 11, 29 and 46: nothing runs inside of the host.
//! - of 2 the size limits, which are the library's; of 26 the locked page, as nothing locks a file against the host here;
//!   of 25 two https bindings; of 34 compression at the front and its cache.

mod changes;
mod commands;
mod contract;
mod ending;
mod environment;
mod errors;
mod forwarding;
mod hello;
mod limits;
mod logs;
mod mixed;
mod offline;
mod requests;
mod starts;
mod websockets;

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{Host, Message, PATIENCE, RawClient, Site, alive, eventually, signal, web_config};

/// Says how a request that failed was answered.
const ERROR: &str = "x-ostler-error";

/// Makes a request count as one from another machine.
const FROM_AFAR: &str = "X-Forwarded-For: 203.0.113.9";

const IMITATION: &str = include_str!("../../apps/asp_net_core.mjs");

const HANDLERS: &str = r#"<handlers><add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified"/></handlers>"#;

/// An `aspNetCore` section; it runs the imitation worker unless it is told otherwise.
#[derive(Clone)]
struct Section {
    attributes: Vec<(String, String)>,
    variables: String,
    settings: String,
    /// Elements of `system.webServer` beside the section.
    beside: String,
}

impl Section {
    fn new() -> Section {
        let section = Section {
            attributes: Vec::new(),
            variables: String::new(),
            settings: String::new(),
            beside: String::new(),
        };
        section.set("processPath", "node").set("arguments", r".\worker.mjs")
    }

    /// A worker that acts as these words of the imitation say.
    fn acting(acts: &str) -> Section {
        Section::new().variable("ACTS", acts)
    }

    /// One attribute, in place of any before.
    fn set(mut self, name: &str, value: impl ToString) -> Section {
        self.attributes.retain(|(other, _)| other != name);
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    fn variable(mut self, name: &str, value: impl ToString) -> Section {
        let value = escaped(&value.to_string());
        self.variables += &format!("<environmentVariable name=\"{name}\" value=\"{value}\"/>");
        self
    }

    fn handler_setting(mut self, name: &str, value: &str) -> Section {
        self.settings += &format!("<handlerSetting name=\"{name}\" value=\"{value}\"/>");
        self
    }

    fn beside(mut self, element: &str) -> Section {
        self.beside += element;
        self
    }

    fn elements(&self) -> String {
        let attributes =
            self.attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value)));
        format!(
            "{HANDLERS}{}\n<aspNetCore{}><environmentVariables>{}</environmentVariables><handlerSettings>{}</handlerSettings></aspNetCore>",
            self.beside,
            attributes.collect::<String>(),
            self.variables,
            self.settings
        )
    }

    fn config(&self) -> String {
        web_config(&self.elements())
    }

    /// The same as `dotnet publish` writes it: applications below inherit nothing.
    fn published(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration>\n  <location path=\".\" inheritInChildApplications=\"false\">\n    <system.webServer>\n{}\n    </system.webServer>\n  </location>\n</configuration>\n",
            self.elements()
        )
    }

    /// A site that is one application.
    fn site(&self) -> Site {
        Site::named("site").web_config(&self.config()).file("worker.mjs", IMITATION)
    }

    /// The same site with this application in a folder of it.
    fn below(&self, site: Site, folder: &str) -> Site {
        site.file(&format!("{folder}/web.config"), &self.config())
            .file(&format!("{folder}/worker.mjs"), IMITATION)
    }
}

fn escaped(value: &str) -> String {
    value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// A site without an application at its root.
fn plain() -> Site {
    Site::named("site").web_config(&web_config("")).file("ping.txt", "pong")
}

/// A GET with these fields, on a connection of its own.
#[track_caller]
fn ask(host: &Host, target: &str, fields: &[&str]) -> Message {
    request(host, "GET", target, fields, "")
}

#[track_caller]
fn post(host: &Host, target: &str, body: &str) -> Message {
    request(host, "POST", target, &[&format!("Content-Length: {}", body.len())], body)
}

#[track_caller]
fn request(host: &Host, method: &str, target: &str, fields: &[&str], body: &str) -> Message {
    let mut client = RawClient::connect(host);
    let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n{body}"));
    client.read_response(method)
}

/// A GET that is sent and not yet answered.
#[track_caller]
fn asking(host: &Host, target: &str) -> RawClient {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
    client
}

/// The text of a GET that must succeed.
#[track_caller]
fn text(host: &Host, target: &str) -> String {
    let response = ask(host, target, &[]);
    assert_eq!(failure(&response), (200, "no error field"), "{target}: {}", response.text());
    response.text()
}

#[track_caller]
fn json(host: &Host, target: &str) -> serde_json::Value {
    parsed(&text(host, target))
}

#[track_caller]
fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

/// The process that answers.
#[track_caller]
fn pid(host: &Host, application: &str) -> u32 {
    text(host, &format!("{application}/pid")).parse().unwrap()
}

/// Waits for a process other than `old`; until then nothing but an answer or "come back later" may be seen.
#[track_caller]
fn next_pid(host: &Host, application: &str, old: u32) -> u32 {
    eventually(PATIENCE, "another process", || {
        let answer = ask(host, &format!("{application}/pid"), &[]);
        assert!([200, 503].contains(&answer.status()), "{:?} {}", failure(&answer), answer.text());
        if answer.status() == 503 {
            return None;
        }
        answer.text().parse().ok().filter(|&pid| pid != old)
    })
}

/// A status and the field that says what went wrong.
#[track_caller]
fn failure(response: &Message) -> (u16, &str) {
    (response.status(), response.head.field(ERROR).unwrap_or("no error field"))
}

/// Sees that a request fails with this number, and gives its page.
#[track_caller]
fn fails(host: &Host, target: &str, expected: (u16, &str)) -> String {
    let response = ask(host, target, &[]);
    assert_eq!(failure(&response), expected, "{target}: {}", response.text());
    response.text()
}

/// Ends a worker as a crash does, and waits until its host has heard of it.
#[track_caller]
fn crash(pid: u32) {
    signal(pid, Signal::SIGKILL);
    let entry = format!("/proc/{pid}");
    eventually(PATIENCE, "the host taking note of the end of its worker", || {
        (!Path::new(&entry).exists()).then_some(())
    });
}

#[track_caller]
fn wait_for_end_of(pid: u32) {
    eventually(PATIENCE, "the end of a worker", || (!alive(pid)).then_some(()));
}

/// Changes nothing of the file but its time.
#[track_caller]
fn touch(site: &Site, name: &str) {
    // A file that is written anew is empty for a moment, which is a mistake to whoever reads it then.
    let file = std::fs::OpenOptions::new().append(true).open(site.path().join(name)).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
}

/// What has happened to one worker, in its own words, or with `None` to all of them.
fn notes(site: &Site, pid: Option<u32>) -> Vec<String> {
    let all = std::fs::read_to_string(site.path().join("notes.log")).unwrap_or_default();
    let words = all.lines().filter_map(|line| line.split_once(' '));
    words
        .filter(|(who, _)| pid.is_none_or(|pid| *who == pid.to_string()))
        .map(|(_, what)| what.to_owned())
        .collect()
}

/// How many workers have been started.
fn starts(site: &Site) -> usize {
    notes(site, None).iter().filter(|what| *what == "started").count()
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (act(), begun.elapsed())
}

#[track_caller]
fn between(took: Duration, least: u64, most: u64) {
    assert!(
        (Duration::from_millis(least)..Duration::from_millis(most)).contains(&took),
        "{took:?} is not between {least} and {most} ms"
    );
}
