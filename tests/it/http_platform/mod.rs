//! Sites as HttpPlatformHandler served them: any program that listens on the port it is given.
//!
//! Black box, like the tests of iisnode: a folder is written, the real host serves it with real programs, and what
//! clients see is compared with the promise. The few words all these tests share are here.

mod environment;
mod failures;
mod families;
mod forwarding;
mod languages;
mod neighbours;
mod nested;
mod output;
mod paths;
mod ports;
mod rapid_fails;
mod recycle;
mod settings;
mod starting;
mod timeouts;
mod transfers;
mod websockets;
mod workers;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::harness::{Host, PATIENCE, Site, alive, eventually, repository, web_config};
use crate::iisnode::{ERROR, FROM_AFAR, ask, failure, json, request, text};

/// The child element by which programs that know nothing of the module are told their port.
const PORT: &str = r#"<environmentVariables><environmentVariable name="PORT" value="%HTTP_PLATFORM_PORT%"/></environmentVariables>"#;

/// Code that notes the pid of each start in a file of the application.
const NOTES_START: &str = "require('fs').appendFileSync('starts.log', `${process.pid}\\n`);\n";

/// Code of an application whose port is in `PORT` as a number: it answers each request `q` with this body.
fn app(body: &str) -> String {
    format!(
        "require('http').createServer((q, r) => {{ {body} }}).listen(Number(process.env.PORT), '127.0.0.1');\n"
    )
}

/// An application that answers with its pid, and notes its starts.
fn says_pid() -> String {
    format!("{NOTES_START}{}", app("r.end(String(process.pid))"))
}

/// The `handlers` element that gives this path to the module.
fn handler(path: &str) -> String {
    format!(
        "<handlers><add name=\"httpPlatformHandler\" path=\"{path}\" verb=\"*\" modules=\"httpPlatformHandler\" resourceType=\"Unspecified\"/></handlers>"
    )
}

/// An `httpPlatform` element with these attributes and children, for every URL.
fn platform(attributes: &str, children: &str) -> String {
    format!("{}\n<httpPlatform {attributes}>{children}</httpPlatform>", handler("*"))
}

/// A site of one program.
fn site(attributes: &str, children: &str) -> Site {
    Site::named("site").web_config(&web_config(&platform(attributes, children)))
}

/// The web.config of an application in Node.js, `app.js`, with these attributes besides.
fn node_config(attributes: &str) -> String {
    web_config(&platform(&format!("processPath=\"node\" arguments=\"app.js\" {attributes}"), PORT))
}

/// A site of one application in Node.js.
fn node_site(code: &str, attributes: &str) -> Site {
    Site::named("site").web_config(&node_config(attributes)).file("app.js", code)
}

/// A site of `tests/apps/tells.py`, which tells in JSON what it was given, with these arguments.
fn tells(arguments: &str, children: &str) -> Site {
    site(&format!("processPath=\"python3\" arguments=\"-u tells.py {arguments}\""), children)
        .file("tells.py", &of_apps("tells.py"))
}

/// The text of a file of `tests/apps`.
fn of_apps(name: &str) -> String {
    std::fs::read_to_string(repository("tests/apps").join(name)).unwrap()
}

/// A file of the site that can be executed.
fn executable(site: Site, name: &str, text: &str) -> Site {
    use std::os::unix::fs::PermissionsExt;
    let site = site.file(name, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(site.path().join(name), mode).unwrap();
    site
}

/// The pid that an application answers with.
#[track_caller]
fn pid(host: &Host, target: &str) -> u32 {
    text(host, target).trim().parse().unwrap()
}

/// The pids an application has noted at its starts so far.
fn starts(site: &Site, folder: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(site.path().join(folder).join("starts.log")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[track_caller]
fn all_end(pids: &[u32], what: &str) {
    eventually(PATIENCE, &format!("the end of {what}, {pids:?}"), || {
        pids.iter().all(|&pid| !alive(pid)).then_some(())
    });
}

/// A port a site may fix and nobody listens on, outside of those the kernel gives out by itself; each is given once.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = (std::process::id() % 10_000) as u16 + NEXT.fetch_add(1, Ordering::SeqCst);
        let port = 12_000 + number % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
