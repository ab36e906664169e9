//! Ports, and starts that fail: how often they are tried, and when they are given up.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::{Section, between, crash, fails, failure, notes, pid, plain, starts, text, timed, touch};
use crate::harness::{Host, PATIENCE, alive, eventually, holds_for, workers_of};

/// A port that nobody listens on, below those the system gives away by itself, and another one for each caller.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    let candidates =
        std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::SeqCst)) % 10_000);
    let mut free = candidates.take(1000).filter(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    free.next().unwrap()
}

/// Row 5.
#[test]
fn a_fixed_port_is_used_and_an_empty_one_means_any() {
    let port = free_port();
    let site = Section::new().variable("ASPNETCORE_PORT", port).site();
    let host = site.serve();
    assert_eq!(text(&host, "/port"), port.to_string());
    assert_eq!(text(&host, "/address"), "127.0.0.1");
    let site = Section::new().variable("ASPNETCORE_PORT", "").site();
    let chosen = text(&site.serve(), "/port").parse::<u16>().unwrap();
    assert!(chosen >= 1025, "{chosen}");
}

/// Row 5.
#[test]
fn a_fixed_port_that_makes_no_sense_is_an_error_at_once_and_harms_nobody_else() {
    for port in ["1024", "48001", "65536", "-1", "onehundred", "80.5"] {
        let site = Section::new().variable("ASPNETCORE_PORT", port).below(plain(), "app");
        let host = site.serve();
        let (answer, took) = timed(|| super::ask(&host, "/app/pid", &[]));
        // A failed start for the module, and a section that cannot be used for who reads it with care.
        assert!([(502, "502.5"), (500, "500.0")].contains(&failure(&answer)), "{port}: {}", answer.text());
        between(took, 0, 5000);
        assert_eq!(workers_of(host.pid()), [] as [u32; 0], "{port}");
        assert_eq!(text(&host, "/ping.txt"), "pong", "{port}");
    }
}

/// The port has to be the worker's own.
#[test]
fn a_fixed_port_that_somebody_else_has_is_a_failed_start() {
    let port = free_port();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for acts in ["", "never-listens"] {
        let site = Section::acting(acts).variable("ASPNETCORE_PORT", port).set("startupTimeLimit", 1).site();
        fails(&site.serve(), "/pid", (502, "502.5"));
    }
}

/// Row 14.
#[test]
fn a_start_may_take_as_long_as_its_limit() {
    let site = Section::new().set("startupTimeLimit", 10).variable("START_DELAY", 1500).site();
    let host = site.serve();
    let (_, took) = timed(|| pid(&host, ""));
    between(took, 1500, 10_000);
    assert_eq!(starts(&site), 1);
}

/// Row 14.
#[test]
fn a_start_that_takes_longer_than_its_limit_fails_and_leaves_nothing_behind() {
    for acts in ["never-listens", "elsewhere", "never-listens ignores-sigterm"] {
        let site = Section::acting(acts).set("startupTimeLimit", 1).below(plain(), "app");
        let host = site.serve();
        let (_, took) = timed(|| {
            std::thread::scope(|scope| {
                let asked = scope.spawn(|| fails(&host, "/app/pid", (502, "502.5")));
                let (_, others) = timed(|| text(&host, "/ping.txt"));
                between(others, 0, 900);
                asked.join().unwrap();
            });
        });
        between(took, 1000, 12_000);
        eventually(PATIENCE, "no worker", || workers_of(host.pid()).is_empty().then_some(()));
    }
}

/// A limit of 0 is no patience, rather than no limit.
#[test]
fn a_start_limit_of_zero_is_not_for_ever() {
    let site = Section::acting("never-listens").set("startupTimeLimit", 0).site();
    let host = site.serve();
    let (_, took) = timed(|| fails(&host, "/pid", (502, "502.5")));
    between(took, 0, 8000);
}

/// Section 5 of the reference: two attempts for each request, and no memory of it.
#[test]
fn a_start_that_fails_is_tried_twice_for_each_request_that_asks() {
    let site = Section::acting("exits").site();
    let host = site.serve();
    for requests in 1..=2 {
        fails(&host, "/pid", (502, "502.5"));
        assert_eq!(starts(&site), 2 * requests);
        holds_for(Duration::from_millis(300), "no start that nobody asked for", || {
            starts(&site) == 2 * requests
        });
    }
    site.write("web.config", &Section::new().config());
    assert_eq!(text(&host, "/mended"), "/mended");
}

/// Row 12.
#[test]
fn an_application_that_ends_too_often_is_given_up_with_a_word_about_the_limit() {
    for limit in [5, 1, 0] {
        let site = Section::new().set("rapidFailsPerMinute", limit).site();
        let host = site.serve();
        let kills = crash_until_it_is_given_up(&host, limit);
        assert!(kills >= limit, "given up after {kills} of {limit}");
        let started = starts(&site);
        let (page, took) = timed(|| fails(&host, "/pid", (502, "502.5")));
        between(took, 0, 3000);
        assert!(page.contains("502.5"), "{page}");
        assert_eq!(starts(&site), started, "nothing is started");
        let names_it = |line: &String| {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric());
            line.to_lowercase().contains("minute") && words.any(|word| word == limit.to_string())
        };
        eventually(PATIENCE, "a line with the limit", || host.lines().iter().any(names_it).then_some(()));
    }
}

/// How often the worker had to be killed.
#[track_caller]
fn crash_until_it_is_given_up(host: &Host, limit: usize) -> usize {
    for kills in 0..limit + 3 {
        let answer = super::ask(host, "/pid", &[]);
        if answer.status() != 200 {
            assert_eq!(failure(&answer), (502, "502.5"), "after {kills}: {}", answer.text());
            return kills;
        }
        crash(answer.text().parse().unwrap());
    }
    panic!("still started after {} ends with a limit of {limit}", limit + 3);
}

/// Row 12, for those that never become ready.
#[test]
fn starts_that_fail_count_as_ends_and_a_changed_file_opens_the_gate() {
    let site = Section::acting("exits").set("rapidFailsPerMinute", 1).below(plain(), "app");
    let host = site.serve();
    let started = || {
        let notes = std::fs::read_to_string(site.path().join("app/notes.log")).unwrap_or_default();
        notes.lines().filter(|line| line.ends_with(" started")).count()
    };
    for _ in 0..3 {
        fails(&host, "/app/pid", (502, "502.5"));
        assert_eq!(started(), 2);
    }
    assert_eq!(text(&host, "/ping.txt"), "pong");
    site.write("app/web.config", &Section::new().set("rapidFailsPerMinute", 1).config());
    pid(&host, "/app");
}

/// Row 12: one application's trouble is nobody else's.
#[test]
fn a_gate_that_is_closed_is_opened_by_a_touched_web_config_and_never_closed_for_others() {
    let site = Section::new().set("rapidFailsPerMinute", 0).below(plain(), "one");
    let site = Section::new().set("rapidFailsPerMinute", 0).below(site, "two");
    let host = site.serve();
    crash(pid(&host, "/one"));
    let other = pid(&host, "/two");
    fails(&host, "/one/pid", (502, "502.5"));
    assert_eq!(pid(&host, "/two"), other);
    touch(&site, "one/web.config");
    let again = eventually(PATIENCE, "an open gate", || {
        let answer = super::ask(&host, "/one/pid", &[]);
        (answer.status() == 200).then(|| answer.text().parse::<u32>().unwrap())
    });
    assert!(alive(again));
    assert_eq!(notes(&site, None), [] as [&str; 0], "the root is no application");
}
