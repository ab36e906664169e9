//! Sites of FastCGI programs, as IIS serves them: handler rows of FastCgiModule, pools of `fastCgi`, PHP above all.
//!
//! Black box, written from the specification: a folder is served by the real host with real php-cgi, php-fpm, libfcgi
//! (Perl), Ruby's library, and `tests/apps/fcgi.py`, which misbehaves on request. The words of these tests are here.

mod after_the_answer;
mod application_host;
mod automatic;
mod beside_nginx;
mod bodies;
mod broken;
mod broken_stages;
mod configuration;
mod disconnects;
mod dokuwiki;
mod ending;
mod environment;
mod exchange;
mod explain;
mod external;
mod host_files;
mod ini;
mod ini_comes_and_goes;
mod ini_pools;
mod libraries;
mod nothing_said;
mod options;
mod own_limits;
mod parameters;
mod php;
mod pool_configuration;
mod pool_keys;
mod pools;
mod rapid_fails;
mod received_first;
mod recycle;
mod resource_types;
mod response_lines;
mod responses;
mod scripts;
mod send_file;
mod send_file_allowed;
mod server_file;
mod server_table;
mod slow_clients;
mod stderr;
mod storm;
mod timeouts;
mod told;
mod variables;

use std::process::Stdio;

use self::exchange::{Exchange, exchange, fnv};
use crate::harness::{
    Host, Message, PATIENCE, Site, alive, children_of, command, eventually, repository, web_config,
};
use crate::iisnode::{ERROR, ask, failure, json, request, text};

/// How web.config files name PHP: a path of Windows, for which the program of that name on PATH is run.
const PHP: &str = r"C:\PHP\php-cgi.exe";

/// The field that makes a page of errors one for strangers.
const FROM_AFAR: &str = crate::iisnode::FROM_AFAR;

/// A row of `handlers` for FastCgiModule.
fn row(path: &str, processor: &str, resource_type: &str) -> String {
    format!(
        "<add name=\"{path}\" path=\"{path}\" verb=\"*\" modules=\"FastCgiModule\" scriptProcessor=\"{processor}\" resourceType=\"{resource_type}\"/>"
    )
}

/// A pool of `fastCgi`: its program, arguments, attributes and children.
fn pool(full_path: &str, arguments: &str, attributes: &str, children: &str) -> String {
    let arguments = if arguments.is_empty() { String::new() } else { format!(" arguments=\"{arguments}\"") };
    format!(
        "<fastCgi><application fullPath=\"{full_path}\"{arguments} {attributes}>{children}</application></fastCgi>"
    )
}

/// The web.config of a site of PHP, with these attributes of its pool.
fn php_config(attributes: &str) -> String {
    php_config_with(attributes, "")
}

fn php_config_with(attributes: &str, children: &str) -> String {
    let row = row("*.php", PHP, "Either");
    web_config(&format!("<handlers>{row}</handlers>{}", pool(PHP, "", attributes, children)))
}

/// A site of PHP that has `tells.php`, with these attributes of its pool.
fn php_site(attributes: &str) -> Site {
    Site::named("site").web_config(&php_config(attributes)).file("tells.php", &of_apps("php/tells.php"))
}

/// A page that says the pid of its process.
const SAYS_PID: &str = "<?php echo getmypid();";

/// A site whose `act.fcgi` is answered by `tests/apps/fcgi.py`, as the query string says, with these attributes.
fn scripted(attributes: &str) -> Site {
    scripted_with(attributes, "")
}

fn scripted_with(attributes: &str, children: &str) -> Site {
    let site = Site::named("site").file("act.fcgi", "").file("other.fcgi", "").file("notes/here", "");
    let arguments = scripted_arguments(&site);
    let row = row("*.fcgi", &format!("python3|{arguments}"), "Either");
    let pool = pool("python3", &arguments, attributes, children);
    site.web_config(&web_config(&format!("<handlers>{row}</handlers>{pool}")))
}

fn scripted_arguments(site: &Site) -> String {
    format!("-u {} {}", repository("tests/apps/fcgi.py").display(), site.path().join("notes").display())
}

/// The URL of a behaviour of `fcgi.py`.
fn act(behaviour: &str) -> String {
    format!("/act.fcgi?{behaviour}")
}

/// The lines of a file that workers write to; none before it is there.
fn notes(site: &Site, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(site.path().join("notes").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The pids of all the starts of `fcgi.py` so far.
fn starts(site: &Site) -> Vec<u32> {
    notes(site, "starts.log").iter().map(|line| line.parse().unwrap()).collect()
}

/// That the host kept to the protocol, as its workers saw it.
#[track_caller]
fn nothing_violated(site: &Site) {
    assert_eq!(notes(site, "violations.log"), Vec::<String>::new());
}

/// The text of a file of `tests/apps`.
fn of_apps(name: &str) -> String {
    std::fs::read_to_string(repository("tests/apps").join(name)).unwrap()
}

#[track_caller]
fn pid(host: &Host, target: &str) -> u32 {
    let text = text(host, target);
    text.trim().parse().unwrap_or_else(|_| panic!("no pid: {text}"))
}

/// A POST of this body that must be answered with 200.
#[track_caller]
fn post(host: &Host, target: &str, body: impl AsRef<[u8]>) -> Message {
    let body = body.as_ref();
    let mut client = crate::harness::RawClient::connect(host);
    let head = format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head);
    client.send(body);
    let response = client.read_response("POST");
    assert_eq!(response.status(), 200, "{target}: {}", response.text());
    response
}

#[track_caller]
fn posted(host: &Host, target: &str, body: impl AsRef<[u8]>) -> serde_json::Value {
    serde_json::from_slice(&post(host, target, body).body).unwrap()
}

/// That this is a page of the host for a program that failed. IIS says 500.0; 502 to 504 say it better, and are as good.
#[track_caller]
fn is_failure(response: &Message) {
    let (status, code) = failure(response);
    assert!((500..=504).contains(&status) && status != 501, "{status} {code}: {}", response.text());
    assert!(code.starts_with("50"), "{status} {code}");
}

/// That a next request is answered, and by whom.
#[track_caller]
fn goes_on(host: &Host) -> u32 {
    pid(host, &act("pid"))
}

/// The children of a host that run this program.
fn programs(host: &Host, name: &str) -> Vec<u32> {
    let runs = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(name)
    };
    children_of(host.pid()).into_iter().filter(runs).collect()
}

#[track_caller]
fn all_end(pids: &[u32], what: &str) {
    eventually(PATIENCE, &format!("the end of {what}, {pids:?}"), || {
        pids.iter().all(|&pid| !alive(pid)).then_some(())
    });
}

/// A host that serves what this `ostler.yml` in the folder of `site` says, on a free port.
#[track_caller]
fn ostler_yml(site: &Site, text: &str) -> crate::harness::Setup {
    site.write("ostler.yml", &format!("listen: 127.0.0.1:0\n{text}"));
    Host::run(["--config", site.path().join("ostler.yml").to_str().unwrap()])
}

/// A program that a test runs beside the host; killed when dropped.
struct Beside(std::process::Child);

impl Beside {
    #[track_caller]
    fn start(program: &str, arguments: &[&str]) -> Beside {
        let mut command = command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        Beside(child.unwrap_or_else(|error| panic!("could not start `{program}`, is it installed? {error}")))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Asked first, so that a manager ends its own workers.
        let pid = i32::try_from(self.0.id()).unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
