//! Failures that come too quickly close the gate: nothing is started, and everybody is told at once.
//!
//! That the gate opens when the minute is over is shown beside the code, where a minute costs nothing.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{NOTES_START, ask, failure, node_config, node_site, pid, says_pid, starts};
use crate::harness::{Host, Message, PATIENCE, Site, eventually, holds_for, signal};

/// Kills the worker so often, each time when the next one has answered.
#[track_caller]
fn kill(host: &Host, times: usize) -> u32 {
    let mut last = 0;
    for _ in 0..times {
        last = eventually(PATIENCE, "the next worker", || {
            let response = ask(host, "/", &[]);
            response.text().parse::<u32>().ok().filter(|&pid| response.status() == 200 && pid != last)
        });
        signal(last, Signal::SIGKILL);
    }
    last
}

/// An answer that the gate is closed.
#[track_caller]
fn closed(host: &Host) -> Message {
    eventually(PATIENCE, "a closed gate", || {
        let response = ask(host, "/", &[]);
        let closed = failure(&response) == (502, "502.5") && response.head.has("retry-after");
        closed.then_some(response)
    })
}

#[track_caller]
fn stays_closed(host: &Host, site: &Site, so_many_starts: usize) {
    holds_for(Duration::from_secs(1), "nothing is started", || {
        let response = ask(host, "/", &[]);
        failure(&response).1 == "502.5" && starts(site, "").len() == so_many_starts
    });
}

// Row 10.
#[test]
fn more_ends_than_allowed_in_a_minute_close_the_gate_and_every_request_is_told_when_it_opens() {
    let site = node_site(&says_pid(), r#"rapidFailsPerMinute="2""#);
    let host = site.serve();
    kill(&host, 3);
    let response = closed(&host);
    let seconds = response.head.field("retry-after").unwrap().parse::<u64>().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    assert!(response.text().contains("rapidFailsPerMinute"), "{}", response.text());
    stays_closed(&host, &site, 3);
    host.wait_for_line("minute");
}

#[test]
fn as_many_ends_as_are_allowed_leave_the_gate_open() {
    let site = node_site(&says_pid(), r#"rapidFailsPerMinute="3""#);
    let host = site.serve();
    let last = kill(&host, 3);
    eventually(PATIENCE, "the fourth worker", || {
        let response = ask(&host, "/", &[]);
        (response.status() == 200 && response.text() != last.to_string()).then_some(())
    });
}

#[test]
fn a_limit_of_zero_closes_the_gate_at_the_first_end() {
    let site = node_site(&says_pid(), r#"rapidFailsPerMinute="0""#);
    let host = site.serve();
    kill(&host, 1);
    closed(&host);
    stays_closed(&host, &site, 1);
}

#[test]
fn starts_that_fail_count_as_well() {
    let site = node_site(
        &format!("{NOTES_START}process.exit(3);"),
        r#"startupRetryCount="2" rapidFailsPerMinute="3""#,
    );
    let host = site.serve();
    for _ in 0..6 {
        assert_eq!(failure(&ask(&host, "/", &[])), (502, "502.5"));
    }
    closed(&host);
    stays_closed(&host, &site, 4);
}

/// The gate belongs to what was, not to what is now there.
#[test]
fn an_edited_web_config_opens_the_gate() {
    let site = node_site(&says_pid(), r#"rapidFailsPerMinute="0""#);
    let host = site.serve();
    kill(&host, 1);
    closed(&host);
    site.write("web.config", &node_config(r#"rapidFailsPerMinute="5""#));
    let new = pid(&host, "/");
    assert_eq!(starts(&site, "")[1..], [new]);
}
