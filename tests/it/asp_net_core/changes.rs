//! A changed web.config replaces the processes of its application, and of those below it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Section, ask, failure, json, next_pid, pid, plain, starts, text, touch, wait_for_end_of};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually, holds_for};

/// Moves a file away and back, asking in between.
#[track_caller]
fn away_and_back(site: &Site, name: &str, between: impl FnOnce()) {
    let (here, there) = (site.path().join(name), site.path().join(format!("{name}.away")));
    std::fs::rename(&here, &there).unwrap();
    between();
    std::fs::rename(&there, &here).unwrap();
}

/// The process that answers after whatever is answered while a web.config is away.
#[track_caller]
fn pid_in_the_end(host: &Host, application: &str, old: u32) -> u32 {
    eventually(PATIENCE, "another process", || {
        let answer = ask(host, &format!("{application}/pid"), &[]);
        let pid = (answer.status() == 200).then(|| answer.text().parse::<u32>().ok()).flatten();
        pid.filter(|&pid| pid != old)
    })
}

/// Row 8.
#[test]
fn a_web_config_of_a_parent_that_goes_and_comes_back_replaces_the_process() {
    let site = Section::new().below(plain(), "app");
    let host = site.serve();
    let old = pid(&host, "/app");
    away_and_back(&site, "web.config", || {
        ask(&host, "/app/pid", &[]);
    });
    pid_in_the_end(&host, "/app", old);
    wait_for_end_of(old);
}

/// Row 8.
#[test]
fn a_web_config_that_goes_and_comes_back_replaces_the_process() {
    let site = Section::new().below(plain(), "app");
    let host = site.serve();
    let old = pid(&host, "/app");
    away_and_back(&site, "app/web.config", || {
        let without = ask(&host, "/app/pid", &[]);
        assert_ne!(without.text(), old.to_string(), "there is no application now");
        wait_for_end_of(old);
        // Nobody holds its files any more.
        site.write("app/worker.mjs", &format!("{}\n// replaced\n", super::IMITATION));
    });
    pid_in_the_end(&host, "/app", old);
}

/// Row 9.
#[test]
fn a_touched_web_config_replaces_the_process_and_is_read_again() {
    let site = Section::new().variable("SAYS", "one").site();
    let host = site.serve();
    let first = pid(&host, "");
    touch(&site, "web.config");
    let second = next_pid(&host, "", first);
    wait_for_end_of(first);
    site.write("web.config", &Section::new().variable("SAYS", "two").config());
    next_pid(&host, "", second);
    assert_eq!(json(&host, "/environment")["SAYS"], "two");
}

/// Section 8.2 of the reference: those below are affected, those beside are not; port and token are new.
#[test]
fn a_touched_web_config_replaces_the_processes_below_it_and_none_beside_it() {
    let site = Section::new().below(plain(), "one");
    let site = Section::new().below(site, "one/below");
    let site = Section::new().below(site, "two");
    let host = site.serve();
    let [one, below, two] = ["/one", "/one/below", "/two"].map(|path| pid(&host, path));
    let token = json(&host, "/one/environment")["ASPNETCORE_TOKEN"].clone();
    touch(&site, "one/web.config");
    next_pid(&host, "/one", one);
    next_pid(&host, "/one/below", below);
    assert_eq!(pid(&host, "/two"), two);
    assert_ne!(json(&host, "/one/environment")["ASPNETCORE_TOKEN"], token);
}

/// Row 9.
#[test]
fn with_rotation_disallowed_a_touched_web_config_changes_nothing() {
    let section = Section::new().handler_setting("DisallowRotationOnConfigChange", "true");
    let site = section.site();
    let host = site.serve();
    let first = pid(&host, "");
    touch(&site, "web.config");
    holds_for(Duration::from_secs(1), "the same process", || pid(&host, "") == first);
    assert_eq!(starts(&site), 1);
}

/// Other files are the application's own.
#[test]
fn files_of_the_application_change_nothing() {
    let site = Section::new().site().file("app.dll", "1");
    let host = site.serve();
    let first = pid(&host, "");
    for name in ["app.dll", "worker.mjs", "appsettings.json", "app", "app_offline.html"] {
        site.write(name, super::IMITATION);
        holds_for(Duration::from_millis(200), "the same process", || pid(&host, "") == first);
    }
}

/// Tells the clients to leave, also when the test fails in between.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Four clients ask without a pause while `disturb` is called a hundred times, or for eight seconds; they may see
/// answers and 503 only. How many of each there were.
#[track_caller]
pub(super) fn under_load(host: &Host, disturb: impl Fn(usize)) -> (usize, usize) {
    let (done, served, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let ask_without_pause = || {
        let begun = Instant::now();
        while !done.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE * 2 {
            let answer = RawClient::connect(host).get("/hello");
            let seen = if answer.status() == 200 { &served } else { &refused };
            assert!([200, 503].contains(&answer.status()), "{:?} {}", failure(&answer), answer.text());
            seen.fetch_add(1, Ordering::SeqCst);
        }
    };
    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        let _leaving = Leaving(&done);
        for _ in 0..4 {
            scope.spawn(ask_without_pause);
        }
        let begun = Instant::now();
        for round in 0..100 {
            let before = count(&served) + count(&refused);
            disturb(round);
            eventually(PATIENCE, "traffic all the while", || {
                (count(&served) + count(&refused) >= before + 4).then_some(())
            });
            if begun.elapsed() > Duration::from_secs(8) {
                break;
            }
        }
    });
    (count(&served), count(&refused))
}

/// Row 10.
#[test]
fn while_web_config_is_touched_under_load_only_answers_and_503_are_seen() {
    let site = Section::new().site();
    let host = site.serve();
    pid(&host, "");
    let (served, _) = under_load(&host, |_| touch(&site, "web.config"));
    assert!(served > 0);
    assert_eq!(text(&host, "/hello"), "/hello");
}
