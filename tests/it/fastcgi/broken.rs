//! Programs that break the protocol: a clear page within the limits, a line in the log, and the right next answer.

use super::{
    Exchange, act, ask, exchange, goes_on, is_failure, notes, nothing_violated, scripted, starts, text,
};
use crate::harness::{PATIENCE, RawClient, alive, eventually};

/// A broken answer is a page of the host, and the next requests get what is theirs.
#[track_caller]
fn is_a_page(behaviour: &str) {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    goes_on(&host);
    let response = ask(&host, &act(behaviour), &[]);
    is_failure(&response);
    // The URL is the client's own word.
    let page = response.text().replace(&act(behaviour), "");
    for forbidden in ["for somebody else", "wrong version", "garbage"] {
        assert!(!page.contains(forbidden), "{page}");
    }
    for _ in 0..3 {
        goes_on(&host);
    }
    assert!(text(&host, &act("hello")).starts_with("hello from "));
    let said = host.lines();
    assert!(
        said.iter()
            .any(|line| line.contains("FastCGI") || line.contains("fastcgi") || line.contains("worker")),
        "{said:?}"
    );
    nothing_violated(&site);
}

// Row 11.
#[test]
fn garbage_in_the_place_of_records() {
    is_a_page("garbage");
}

#[test]
fn a_record_of_another_version() {
    is_a_page("version");
}

#[test]
fn an_answer_to_another_request() {
    is_a_page("wrong-id");
}

#[test]
fn an_end_without_an_answer() {
    is_a_page("nothing");
}

#[test]
fn an_end_within_the_head() {
    is_a_page("no-head-end");
}

#[test]
fn a_refusal_to_multiplex() {
    is_a_page("ends=1");
}

#[test]
fn a_refusal_for_overload() {
    is_a_page("ends=2");
}

#[test]
fn a_refusal_of_the_role() {
    is_a_page("ends=3");
}

#[test]
fn a_refusal_that_no_standard_knows() {
    is_a_page("ends=77");
}

/// A word for another request is either passed over or the end of the connection; never anybody's answer.
#[test]
fn a_word_for_another_request_before_the_answer_is_not_in_it() {
    let site = scripted("");
    let host = site.serve();
    let response = ask(&host, &act("wrong-id-first"), &[]);
    match response.status() {
        200 => assert_eq!(response.text(), "right"),
        _ => is_failure(&response),
    }
    assert!(!response.text().contains("for somebody else"));
    goes_on(&host);
}

#[test]
fn records_of_management_are_passed_over() {
    let site = scripted("");
    let host = site.serve();
    assert_eq!(text(&host, &act("management")), "right");
    goes_on(&host);
}

#[test]
fn a_record_of_an_unknown_type_is_passed_over_or_refused() {
    let site = scripted("");
    let host = site.serve();
    let response = ask(&host, &act("unknown-type"), &[]);
    match response.status() {
        200 => assert_eq!(response.text(), "right"),
        _ => is_failure(&response),
    }
    goes_on(&host);
}

/// What a program returns is its affair; PHP always says 0.
#[test]
fn an_exit_code_within_the_protocol_changes_no_answer() {
    let site = scripted("");
    let host = site.serve();
    for status in [1, 3, 255] {
        assert_eq!(text(&host, &act(&format!("app-status={status}"))), "with a status");
    }
    goes_on(&host);
}

/// The answer is whole for the client; the program that never ends it is not given another request.
#[test]
fn an_answer_that_is_never_ended_is_whole_and_its_worker_serves_nobody_else() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    let first = goes_on(&host);
    let mut client = RawClient::connect(&host);
    client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("never-ends")));
    assert_eq!(client.read_head().field("content-length"), Some("5"));
    assert_eq!(client.read_exact(5), b"whole");
    // The next one waits until the worker has been given up, or for another worker.
    assert_ne!(goes_on(&host), first);
    super::all_end(&[first], "the worker that never ended its answer");
    nothing_violated(&site);
}

#[test]
fn a_body_that_stops_is_cut_off_and_never_whole() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    let cut: Exchange = exchange(&host, "GET", &act("silent-in-body"), b"");
    assert_eq!((cut.status, cut.whole), (200, false), "{cut:?}");
    assert_eq!(cut.body, b"half");
    goes_on(&host);
}

/// A worker that broke the protocol is not trusted with a further connection before it has been replaced, or reconnected;
/// either way nobody waits for it.
#[test]
fn many_broken_answers_leave_no_process_behind() {
    let site = scripted(r#"maxInstances="2" rapidFailsPerMinute="100""#);
    let mut host = site.serve();
    for behaviour in ["version", "nothing", "ends=1", "no-head-end", "leaves=exit,head", "leaves=close,body"]
    {
        for _ in 0..3 {
            exchange(&host, "GET", &act(behaviour), b"");
        }
    }
    goes_on(&host);
    let all = starts(&site);
    let living = || all.iter().copied().filter(|&pid| alive(pid)).count();
    eventually(PATIENCE, "no more workers than allowed", || (living() <= 2).then_some(()));
    host.stop();
    super::all_end(&all, "every worker");
    assert!(!notes(&site, "requests.log").is_empty());
    nothing_violated(&site);
}
