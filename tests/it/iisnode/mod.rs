//! Sites as iisnode served them: what their web.config, iisnode.yml and applications may rely on.
//!
//! Black box: a folder is written, the real host serves it, and what clients see is compared with the promise. The
//! few words all these tests share are here.

mod applications;
mod errors;
mod files;
mod forwarding;
mod hello;
mod http_errors;
mod logs;
mod logs_shown;
mod promises;
mod promises_disk;
mod promises_http;
mod promises_settings;
mod recycle;
mod recycle_load;
mod rewriting;
mod rewriting_rules;
mod settings;
mod transfers;
mod websockets;
mod workers;

use crate::harness::{Host, Message, RawClient};

/// Says how a request that failed was answered, whatever its status.
pub(crate) const ERROR: &str = "x-ostler-error";

/// Makes a request count as one from another machine.
pub(crate) const FROM_AFAR: &str = "X-Forwarded-For: 203.0.113.9";

/// A server that answers each request `q` with what this body does with `r`.
fn app(body: &str) -> String {
    format!("require('http').createServer((q, r) => {{ {body} }}).listen(process.env.PORT);\n")
}

/// A server that always says this.
fn says(text: &str) -> String {
    app(&format!("r.end('{text}')"))
}

/// A server that counts its requests, in the memory of one worker.
fn counts() -> String {
    format!("let n = 0;\n{}", app("r.end(String(++n))"))
}

/// A GET with these fields, on a connection of its own.
#[track_caller]
pub(crate) fn ask(host: &Host, target: &str, fields: &[&str]) -> Message {
    request(host, "GET", target, fields, "")
}

#[track_caller]
fn post(host: &Host, target: &str, body: &str) -> Message {
    request(host, "POST", target, &[&format!("Content-Length: {}", body.len())], body)
}

#[track_caller]
pub(crate) fn request(host: &Host, method: &str, target: &str, fields: &[&str], body: &str) -> Message {
    let mut client = RawClient::connect(host);
    let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n{body}"));
    client.read_response(method)
}

/// The text of a GET that must succeed.
#[track_caller]
pub(crate) fn text(host: &Host, target: &str) -> String {
    let response = ask(host, target, &[]);
    assert_eq!(response.status(), 200, "{target}: {}", response.text());
    assert_eq!(response.head.field(ERROR), None, "{target}: {}", response.text());
    response.text()
}

#[track_caller]
pub(crate) fn json(host: &Host, target: &str) -> serde_json::Value {
    let text = text(host, target);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

/// The texts of so many GETs, one after the other.
#[track_caller]
fn texts(host: &Host, target: &str, requests: usize) -> Vec<String> {
    (0..requests).map(|_| text(host, target)).collect()
}

/// An error page: its status and the field that says what went wrong.
#[track_caller]
pub(crate) fn failure(response: &Message) -> (u16, &str) {
    (response.status(), response.head.field(ERROR).unwrap_or("no error field"))
}
