//! The end of the host, or of a pool: requests are answered first, nothing is left behind.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{
    SAYS_PID, act, all_end, notes, nothing_violated, php_config_with, php_site, pid, programs, scripted,
    starts,
};
use crate::harness::{PATIENCE, RawClient, Site, alive, children_of, eventually};

// Row 14.
#[test]
fn a_request_under_way_is_answered_and_then_all_ends() {
    let site = scripted(r#"maxInstances="2" signalBeforeTerminateSeconds="5""#);
    let mut host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("takes=1")));
    eventually(PATIENCE, "its beginning", || (!notes(&site, "spans.log").is_empty()).then_some(()));
    host.signal(Signal::SIGTERM);
    assert_eq!(client.read_response("GET").status(), 200);
    assert_eq!(host.wait_for_end().code(), Some(0));
    all_end(&starts(&site), "the programs");
    nothing_violated(&site);
}

/// php-cgi ends on its signal only once its connection is closed.
#[test]
fn idle_php_ends_at_once_however_long_it_might_take() {
    let site = php_site(r#"signalBeforeTerminateSeconds="60""#).file("pid.php", SAYS_PID);
    let mut host = site.serve();
    let worker = pid(&host, "/pid.php");
    let begun = Instant::now();
    host.stop();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    all_end(&[worker], "php-cgi");
}

#[test]
fn a_host_that_is_killed_leaves_no_program() {
    let site = php_site("").file("pid.php", SAYS_PID);
    let mut host = site.serve();
    let worker = pid(&host, "/pid.php");
    host.signal(Signal::SIGKILL);
    host.wait_for_end();
    all_end(&[worker], "php-cgi");
}

const CHILDREN: &str = "<environmentVariables><environmentVariable name=\"PHP_FCGI_CHILDREN\" value=\"3\"/></environmentVariables>";

/// A program that forks: its children are in its group, and go with it.
#[test]
fn children_of_php_end_with_it() {
    let site = Site::named("site")
        .web_config(&php_config_with(r#"maxInstances="1""#, CHILDREN))
        .file("pid.php", SAYS_PID);
    let mut host = site.serve();
    pid(&host, "/pid.php");
    let programs = programs(&host, "php-cgi");
    let all =
        programs.iter().flat_map(|&parent| children_of(parent)).chain(programs.clone()).collect::<Vec<_>>();
    assert!(all.contains(&pid(&host, "/pid.php")), "{all:?}");
    host.stop();
    all_end(&all, "php-cgi and its children");
}

#[test]
fn children_of_a_killed_php_end_too_and_the_next_request_is_served() {
    let site = Site::named("site")
        .web_config(&php_config_with(r#"maxInstances="1" rapidFailsPerMinute="50""#, CHILDREN))
        .file("pid.php", SAYS_PID);
    let mut host = site.serve();
    pid(&host, "/pid.php");
    let parents = programs(&host, "php-cgi");
    let children = parents.iter().flat_map(|&parent| children_of(parent)).collect::<Vec<_>>();
    for &parent in &parents {
        crate::harness::signal(parent, Signal::SIGKILL);
    }
    all_end(&children, "the children of php-cgi");
    assert!(!children.contains(&pid(&host, "/pid.php")));
    host.stop();
}

/// The private sockets of programs are gone with them.
#[test]
fn no_socket_is_left() {
    let folder = Site::named("temporary");
    let site = php_site("").file("pid.php", SAYS_PID);
    let setup = crate::harness::Host::of(site.path()).without_waiting();
    let mut host = setup.env("TMPDIR", folder.path().to_str().unwrap()).start();
    pid(&host, "/pid.php");
    host.stop();
    assert_eq!(folder.list(""), Vec::<String>::new());
}

#[test]
fn a_program_that_ignores_its_signal_is_killed() {
    let site = scripted(r#"maxInstances="1" signalBeforeTerminateSeconds="1""#);
    let mut host = crate::harness::Host::of(site.path()).without_waiting().limit("grace", "2s").start();
    let mut client = RawClient::connect(&host);
    client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("silent=120")));
    let worker = eventually(PATIENCE, "its beginning", || {
        notes(&site, "requests.log").iter().any(|line| line.contains("silent")).then(|| starts(&site)[0])
    });
    host.signal(Signal::SIGTERM);
    host.wait_for_end();
    all_end(&[worker], "the one that did not want to");
    assert!(!alive(worker));
}
