//! The three limits of time: silence, silence before the first word, and the whole request.

use std::time::{Duration, Instant};

use super::{Exchange, act, all_end, ask, exchange, goes_on, is_failure, nothing_violated, scripted, text};

/// A broken limit may not be off by more than this on a busy machine.
const SLACK: Duration = Duration::from_secs(6);

// Row 5.
#[test]
fn a_program_that_falls_silent_is_ended_and_the_next_request_is_served() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    // Its first word was another answer's: nothing is doubled.
    let first = goes_on(&host);
    let begun = Instant::now();
    is_failure(&ask(&host, &act("silent=120"), &[]));
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(10) + SLACK, "{took:?}");
    host.wait_for_line("activityTimeout");
    all_end(&[first], "the silent one");
    assert_ne!(goes_on(&host), first);
    nothing_violated(&site);
}

#[test]
fn the_first_word_of_a_program_may_take_twice_as_long() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    assert_eq!(text(&host, &act("silent=12")), "at last");
}

#[test]
fn silence_within_a_body_ends_it_and_the_client_sees_that_it_was_not_whole() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    goes_on(&host);
    let begun = Instant::now();
    let cut: Exchange = exchange(&host, "GET", &act("silent-in-body"), b"");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10) + SLACK, "{took:?}");
    assert_eq!((cut.status, cut.whole, &cut.body[..]), (200, false, &b"half"[..]));
    goes_on(&host);
}

#[test]
fn a_request_that_goes_on_and_on_is_ended_even_if_its_program_speaks_all_the_time() {
    let site = scripted(r#"maxInstances="1" requestTimeout="10""#);
    let host = site.serve();
    let first = goes_on(&host);
    let begun = Instant::now();
    let cut = exchange(&host, "GET", &act("drips"), b"");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(10) + SLACK, "{took:?}");
    assert!(cut.status == 200 && !cut.whole && cut.body.starts_with(b"drop drop "), "{}", cut.status);
    host.wait_for_line("requestTimeout");
    all_end(&[first], "the one without end");
    assert_ne!(goes_on(&host), first);
}

#[test]
fn a_silent_request_ends_by_the_limit_of_the_whole_if_that_comes_first() {
    let site = scripted(r#"maxInstances="1" requestTimeout="10" activityTimeout="60""#);
    let host = site.serve();
    goes_on(&host);
    let begun = Instant::now();
    is_failure(&ask(&host, &act("silent=120"), &[]));
    assert!(begun.elapsed() < Duration::from_secs(10) + SLACK, "{:?}", begun.elapsed());
    goes_on(&host);
}

/// The limits are the program's, not its clients': who sends slowly or reads slowly is no fault of it.
#[test]
fn a_slow_upload_is_no_silence_of_the_program() {
    let site = scripted(r#"maxInstances="1" activityTimeout="10""#);
    let host = site.serve();
    goes_on(&host);
    let mut client = crate::harness::RawClient::connect(&host);
    client.send(format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: 12\r\n\r\n", act("tells")));
    // One byte a second, for longer than the limit.
    for _ in 0..12 {
        assert!(client.is_silent_for(Duration::from_secs(1)), "given up");
        client.send("x");
    }
    assert_eq!(client.read_response("POST").status(), 200);
}
