//! Pools: one request at a time for each program, no more programs than needed or allowed, a queue with an end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{
    PHP, act, all_end, failure, goes_on, notes, nothing_violated, php_site, pid, pool, programs, row,
    scripted, starts, text,
};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually, holds_for, web_config};

/// So many clients, each with a request of this behaviour on its way.
#[track_caller]
pub(super) fn at_once(host: &Host, behaviour: &str, clients: usize) -> Vec<RawClient> {
    (0..clients)
        .map(|_| {
            let mut client = RawClient::connect(host);
            client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act(behaviour)));
            client
        })
        .collect()
}

#[track_caller]
pub(super) fn pids(clients: &mut [RawClient]) -> BTreeSet<String> {
    clients
        .iter_mut()
        .map(|client| {
            let response = client.read_response("GET");
            assert_eq!(response.status(), 200, "{}", response.text());
            response.text()
        })
        .collect()
}

#[test]
fn nothing_is_started_before_the_first_request() {
    let site = scripted("").file("file.txt", "a file");
    let host = site.serve();
    assert_eq!(text(&host, "/file.txt"), "a file");
    assert!(starts(&site).is_empty() && programs(&host, "fcgi.py").is_empty());
}

#[test]
fn requests_one_after_the_other_need_one_program() {
    let site = scripted(r#"maxInstances="4""#);
    let host = site.serve();
    let first = goes_on(&host);
    for _ in 0..30 {
        assert_eq!(goes_on(&host), first);
    }
    assert_eq!(starts(&site), [first]);
}

// Row 2.
#[test]
fn one_program_serves_one_request_at_a_time() {
    let site = scripted(r#"maxInstances="1""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=0.05", 8);
    assert_eq!(pids(&mut clients).len(), 1);
    let spans = notes(&site, "spans.log");
    assert_eq!(spans.len(), 16);
    assert!(
        spans.chunks(2).all(|pair| pair[0].ends_with("begins") && pair[1].ends_with("ends")),
        "{spans:?}"
    );
    nothing_violated(&site);
}

#[test]
fn three_programs_are_started_under_load_and_no_more() {
    let site = scripted(r#"maxInstances="3""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=0.2", 12);
    assert_eq!(pids(&mut clients).len(), 3);
    assert_eq!(starts(&site).len(), 3);
    nothing_violated(&site);
}

#[test]
fn three_requests_at_once_are_served_at_once() {
    let site = scripted(r#"maxInstances="3""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=3", 3);
    eventually(PATIENCE, "three that have begun and none that has ended", || {
        let spans = notes(&site, "spans.log");
        assert!(!spans.iter().any(|line| line.ends_with("ends")), "one waited for another: {spans:?}");
        (spans.len() == 3).then_some(())
    });
    assert_eq!(pids(&mut clients).len(), 3);
}

#[test]
fn two_requests_need_no_third_program() {
    let site = scripted(r#"maxInstances="10""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=0.3", 2);
    pids(&mut clients);
    assert!(starts(&site).len() <= 2, "{:?}", starts(&site));
}

#[test]
fn a_full_queue_is_told_at_once() {
    let site = scripted(r#"maxInstances="1" queueLength="2""#);
    let host = site.serve();
    goes_on(&host);
    let mut busy = at_once(&host, "takes=4", 1);
    eventually(PATIENCE, "a busy program", || (notes(&site, "spans.log").len() == 1).then_some(()));
    let mut waiting = at_once(&host, "pid", 6);
    let begun = Instant::now();
    let mut refused = 0;
    eventually(Duration::from_secs(3), "four refusals before the program is free", || {
        waiting.retain_mut(|client| {
            if client.is_silent_for(Duration::from_millis(1)) {
                return true;
            }
            let response = client.read_response("GET");
            assert_eq!(failure(&response), (503, "503.4"), "{}", response.text());
            assert!(response.head.has("retry-after"), "{:?}", response.head.fields);
            refused += 1;
            false
        });
        (refused == 4).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(waiting.len(), 2);
    pids(&mut busy);
    pids(&mut waiting);
    nothing_violated(&site);
}

// Row 4.
#[test]
fn an_idle_program_is_ended_and_the_next_request_starts_another() {
    let site = scripted(r#"maxInstances="2" idleTimeout="10""#);
    let mut host = site.serve();
    let first = goes_on(&host);
    let begun = Instant::now();
    all_end(&[first], "the idle program");
    assert!(begun.elapsed() >= Duration::from_secs(8), "ended after {:?}", begun.elapsed());
    assert_ne!(goes_on(&host), first);
    host.stop();
}

/// IIS finds out by itself how many are good; here at least two, and not without end.
#[test]
fn zero_instances_leave_the_number_to_the_host() {
    let site = scripted(r#"maxInstances="0""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=0.3", 40);
    let used = pids(&mut clients).len();
    assert!((2..40).contains(&used), "{used} programs");
}

/// As on IIS, where the pair of path and arguments is the pool.
#[test]
fn pools_of_one_program_with_different_arguments_are_apart() {
    let rows = [("a", "-d user_agent=first"), ("b", "-d user_agent=second")];
    let handlers =
        rows.map(|(name, arguments)| row(&format!("{name}*.php"), &format!("{PHP}|{arguments}"), "Either"));
    let pools = rows.map(|(_, arguments)| pool(PHP, arguments, r#"maxInstances="1""#, "")).concat();
    let pools = pools.replace("</fastCgi><fastCgi>", "");
    let says = "<?php echo ini_get('user_agent'), ' ', getmypid();";
    let site = Site::named("site")
        .web_config(&web_config(&format!("<handlers>{}</handlers>{pools}", handlers.concat())))
        .file("a.php", says)
        .file("a2.php", says)
        .file("b.php", says);
    let host = site.serve();
    let (a, b) = (text(&host, "/a.php"), text(&host, "/b.php"));
    assert!(a.starts_with("first ") && b.starts_with("second "), "{a} {b}");
    assert_eq!(text(&host, "/a2.php"), a, "one pool for all scripts of a row");
    assert_eq!(programs(&host, "php-cgi").len(), 2);
}

/// All scripts of a site share the pool: it is the program's, not the script's.
#[test]
fn many_scripts_share_one_program() {
    let site = (0..20).fold(php_site(r#"maxInstances="1""#), |site, number| {
        site.file(&format!("folder{number}/pid.php"), super::SAYS_PID)
    });
    let host = site.serve();
    let first = pid(&host, "/folder0/pid.php");
    for number in 1..20 {
        assert_eq!(pid(&host, &format!("/folder{number}/pid.php")), first);
    }
}

/// A script that asks its own site while all programs are busy gets an answer in time, whatever it is.
#[test]
fn a_script_that_asks_its_own_site_does_not_block_it_for_ever() {
    let site = php_site(r#"maxInstances="2""#)
        .file("pid.php", super::SAYS_PID)
        .file("nested.php", "<?php echo 'inner ', file_get_contents('http://' . $_SERVER['REMOTE_ADDR'] . ':' . $_SERVER['SERVER_PORT'] . '/pid.php');");
    let host = site.serve();
    assert!(text(&host, "/nested.php").starts_with("inner "));
    holds_for(Duration::from_millis(100), "two programs", || programs(&host, "php-cgi").len() <= 2);
}
