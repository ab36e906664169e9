//! The processes of an application: when they are started, how many there are, and who gets a request.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{NOTES_START, all_end, app, ask, node_config, node_site, pid, says_pid, starts};
use crate::harness::{Host, PATIENCE, eventually, holds_for, signal};

fn pids(host: &Host, requests: usize) -> BTreeSet<u32> {
    (0..requests).map(|_| pid(host, "/")).collect()
}

// Row 4.
#[test]
fn nothing_runs_before_the_first_request_and_the_second_finds_what_the_first_started() {
    let site = node_site(&says_pid(), "");
    let host = site.serve();
    holds_for(Duration::from_millis(300), "nothing runs", || starts(&site, "").is_empty());
    let first = pid(&host, "/");
    assert_eq!(pid(&host, "/again"), first);
    assert_eq!(starts(&site, ""), [first]);
}

// Row 5.
#[test]
fn forty_requests_reach_four_processes_and_after_an_edit_the_only_one() {
    let site = node_site(&says_pid(), r#"processesPerApplication="4""#);
    let host = site.serve();
    let four = pids(&host, 40);
    assert_eq!(four.len(), 4, "{four:?}");
    site.write("web.config", &node_config(r#"processesPerApplication="1""#));
    let one = pids(&host, 10);
    assert!(one.len() == 1 && one.is_disjoint(&four), "{one:?} after {four:?}");
    all_end(&four.into_iter().collect::<Vec<_>>(), "the four");
    assert_eq!(starts(&site, "").len(), 5, "{:?}", starts(&site, ""));
}

#[test]
fn requests_go_round_all_processes() {
    let site = node_site(&says_pid(), r#"processesPerApplication="3""#);
    let host = site.serve();
    let first = eventually(PATIENCE, "three who take turns", || {
        let three = [(); 3].map(|()| pid(&host, "/"));
        (BTreeSet::from(three).len() == 3).then_some(three)
    });
    for round in 0..3 {
        assert_eq!([(); 3].map(|()| pid(&host, "/")), first, "round {round}");
    }
}

/// Each waits for the others before it listens: one after the other they would never be ready.
#[test]
fn the_processes_of_an_application_are_started_side_by_side() {
    let waits = "const t = setInterval(() => { if (require('fs').readFileSync('starts.log', 'utf8').split('\\n').length > 4) { clearInterval(t); serve(); } }, 10);";
    let code = format!("{NOTES_START}{waits}\nfunction serve() {{ {} }}", app("r.end(String(process.pid))"));
    let site = node_site(&code, r#"processesPerApplication="4" startupTimeLimit="15""#);
    assert_eq!(pids(&site.serve(), 8).len(), 4);
}

/// A cold slot costs nobody a start.
#[test]
fn a_process_that_is_not_ready_gets_no_request_while_another_is() {
    let only_the_first = "const first = require('fs').readFileSync('starts.log', 'utf8').startsWith(`${process.pid}\\n`); if (!first) setInterval(() => {}, 1000); else serve();";
    let code = format!(
        "{NOTES_START}{only_the_first}\nfunction serve() {{ {} }}",
        app("r.end(String(process.pid))")
    );
    let site = node_site(&code, r#"processesPerApplication="2" startupTimeLimit="20""#);
    let host = site.serve();
    assert_eq!(pids(&host, 20).into_iter().collect::<Vec<_>>(), starts(&site, "")[..1]);
}

#[test]
fn a_process_that_ends_is_replaced_and_the_host_says_so() {
    let site = node_site(&says_pid(), "");
    let host = site.serve();
    let first = pid(&host, "/");
    signal(first, Signal::SIGKILL);
    eventually(PATIENCE, "another process", || {
        let response = ask(&host, "/", &[]);
        (response.status() == 200 && response.text() != first.to_string()).then_some(())
    });
    host.wait_for_line(&first.to_string());
}

/// With a program that accepts only IPv6, or both through one socket, the port is the same.
#[test]
fn a_process_may_listen_on_any_loopback_address() {
    for address in ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"] {
        let code = app("r.end(String(process.pid))").replace("'127.0.0.1'", &format!("'{address}'"));
        let site = node_site(&code, r#"startupTimeLimit="10" startupRetryCount="1""#);
        let host = site.serve();
        assert_eq!(pid(&host, "/"), pid(&host, "/"), "{address}");
    }
}
