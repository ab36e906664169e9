//! Programs that go away at every stage of a request: what the client sees, and that the next one is served.

use nix::sys::signal::Signal;

use super::{
    Exchange, act, exchange, goes_on, is_failure, notes, nothing_violated, php_site, pid, scripted, starts,
};
use crate::harness::{Host, Message, PATIENCE, RawClient, Site, alive, eventually, signal};

const WAYS: [&str; 3] = ["close", "exit", "kill"];

fn site() -> Site {
    scripted(r#"maxInstances="1" rapidFailsPerMinute="100""#)
}

#[track_caller]
fn get(host: &Host, behaviour: &str) -> Message {
    super::ask(host, &act(behaviour), &[])
}

#[test]
fn before_a_word_of_the_answer_it_is_a_page() {
    for way in WAYS {
        for stage in ["begin", "stdin", "head"] {
            let site = site();
            let host = site.serve();
            goes_on(&host);
            is_failure(&get(&host, &format!("leaves={way},{stage}")));
            goes_on(&host);
            nothing_violated(&site);
        }
    }
}

#[test]
fn within_the_body_the_answer_is_cut_off_and_never_whole() {
    for way in WAYS {
        for stage in ["body", "counted"] {
            let site = site();
            let host = site.serve();
            let cut: Exchange = exchange(&host, "GET", &act(&format!("leaves={way},{stage}")), b"");
            assert!(cut.status == 200 && !cut.whole, "{way} {stage}: {} {}", cut.status, cut.body.len());
            assert!(cut.body.iter().all(|&byte| byte == b'b'), "{way} {stage}");
            goes_on(&host);
        }
    }
}

/// Without END_REQUEST nobody knows whether it was all.
#[test]
fn after_the_body_but_without_its_end_the_answer_is_not_whole() {
    let site = site();
    let host = site.serve();
    let cut = exchange(&host, "GET", &act("leaves=close,all"), b"");
    assert!(!cut.whole || cut.status >= 500, "{cut:?}");
    goes_on(&host);
}

/// It ended of itself and well: nobody notices, however often, and it counts as no failure.
#[test]
fn a_worker_that_exits_well_between_requests_costs_no_request() {
    let site = scripted(r#"maxInstances="1" rapidFailsPerMinute="2""#);
    let host = site.serve();
    for _ in 0..12 {
        let mut client = RawClient::connect(&host);
        let response = client.get(&act("after-answer=0"));
        assert_eq!(response.status(), 200, "{}", response.text());
        let gone: u32 = response.text().parse().unwrap();
        assert_ne!(goes_on(&host), gone);
    }
    nothing_violated(&site);
}

#[test]
fn a_worker_that_is_killed_between_requests_costs_no_request() {
    let site = php_site(r#"maxInstances="1" rapidFailsPerMinute="100""#).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    for _ in 0..5 {
        let worker = pid(&host, "/pid.php");
        signal(worker, Signal::SIGKILL);
        super::all_end(&[worker], "it");
        assert_ne!(pid(&host, "/pid.php"), worker);
    }
}

/// Twice would be once too often.
#[test]
fn a_post_that_a_worker_has_read_is_never_sent_again() {
    let site = site();
    let host = site.serve();
    goes_on(&host);
    let failed = exchange(&host, "POST", &act("leaves=exit,stdin"), b"an order");
    assert!((500..=504).contains(&failed.status), "{failed:?}");
    let orders = notes(&site, "requests.log").iter().filter(|line| line.contains("leaves")).count();
    assert_eq!(orders, 1);
    goes_on(&host);
}

/// A worker that dies while others wait for it: they go to the next.
#[test]
fn who_waits_in_the_queue_is_served_by_the_next_worker() {
    let site = site();
    let host = site.serve();
    let first = goes_on(&host);
    let mut victim = RawClient::connect(&host);
    // It may have been acted on, so it is nobody else's.
    victim.send(format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", act("silent=60")));
    eventually(PATIENCE, "the request at its worker", || {
        notes(&site, "requests.log").iter().any(|line| line.contains("silent")).then_some(())
    });
    let mut waiting = (0..5).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for client in &mut waiting {
        client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("pid")));
    }
    signal(first, Signal::SIGKILL);
    is_failure(&victim.read_response("POST"));
    for client in &mut waiting {
        let response = client.read_response("GET");
        assert_eq!(response.status(), 200, "{}", response.text());
        assert_ne!(response.text(), first.to_string());
    }
    assert!(!alive(first));
    assert!(starts(&site).len() >= 2);
}

#[test]
fn a_page_of_php_that_kills_its_process_is_a_failure_and_the_next_page_is_none() {
    let site = php_site(r#"rapidFailsPerMinute="100""#)
        .file("dies.php", "<?php posix_kill(getmypid(), 9);")
        .file("dies-late.php", "<?php echo str_repeat('x', 200000); while (ob_get_level()) ob_end_flush(); flush(); posix_kill(getmypid(), 9);")
        .file("exits.php", "<?php echo 'exit is no failure'; exit(3);")
        .file("pid.php", super::SAYS_PID);
    let host = site.serve();
    is_failure(&super::ask(&host, "/dies.php", &[]));
    host.wait_for_line("SIGKILL");
    pid(&host, "/pid.php");
    let cut = exchange(&host, "GET", "/dies-late.php", b"");
    assert!(!cut.whole, "{} {}", cut.status, cut.body.len());
    let before = pid(&host, "/pid.php");
    assert_eq!(super::text(&host, "/exits.php"), "exit is no failure");
    assert_eq!(pid(&host, "/pid.php"), before);
}
