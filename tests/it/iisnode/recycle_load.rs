//! Recycling under load loses nothing, and the two modes differ in what they do with a version that cannot start.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::{ask, failure, says, text};
use crate::harness::{PATIENCE, RawClient, Site, eventually};

const CLIENTS: usize = 8;
const BROKEN: &str = "throw new Error('the new version is lame');";

/// Tells the clients to leave, also when the test fails in between.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Kept-alive clients ask without a pause while the script is rewritten five times; each answer must be a 200 with a
/// version, in strict mode with none older than what was on disk when the request began.
#[track_caller]
fn hammer(mode: &str) {
    let site = Site::iisnode("hello.js", &says("0"))
        .yml(&format!("recycleMode: {mode}\nnodeProcessCountPerApplication: 2\n"));
    let host = site.serve();
    text(&host, "/hello.js");
    let (written, done, answered) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
    let ask_without_pause = |mut client: RawClient| {
        let begun = Instant::now();
        while !done.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE * 4 {
            let least = if mode == "strict" { written.load(Ordering::SeqCst) } else { 0 };
            let response = client.get("/hello.js");
            assert_eq!(failure(&response), (200, "no error field"), "{}", response.text());
            let version = response.text().parse::<usize>().unwrap();
            assert!(version >= least, "version {version} answered after {least} was written");
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        let _leaving = Leaving(&done);
        for _ in 0..CLIENTS {
            let client = RawClient::connect(&host);
            scope.spawn(|| ask_without_pause(client));
        }
        for version in 1..=5 {
            let before = answered.load(Ordering::SeqCst);
            site.write("hello.js", &says(&version.to_string()));
            written.store(version, Ordering::SeqCst);
            eventually(PATIENCE, "the new version and traffic all the while", || {
                let served = text(&host, "/hello.js") == version.to_string();
                (served && answered.load(Ordering::SeqCst) >= before + 2 * CLIENTS).then_some(())
            });
        }
    });
}

#[test]
fn in_strict_mode_no_request_fails_while_the_script_is_rewritten_and_none_sees_an_old_version() {
    hammer("strict");
}

#[test]
fn in_safe_mode_no_request_fails_while_the_script_is_rewritten() {
    hammer("safe");
}

#[test]
fn in_safe_mode_a_version_that_cannot_start_leaves_the_old_one_serving() {
    let site = Site::iisnode("hello.js", &says("old")).yml("recycleMode: safe\n");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "old");
    site.write("hello.js", BROKEN);
    eventually(PATIENCE, "the failure told", || {
        assert_eq!(text(&host, "/hello.js"), "old");
        host.lines().iter().any(|line| line.contains("the new version is lame")).then_some(())
    });
    crate::harness::holds_for(PATIENCE / 60, "the old version serving", || text(&host, "/hello.js") == "old");
    site.write("hello.js", &says("mended"));
    eventually(PATIENCE, "the mended version", || (text(&host, "/hello.js") == "mended").then_some(()));
}

#[test]
fn in_strict_mode_a_version_that_cannot_start_is_shown_and_a_mended_one_heals() {
    let site = Site::iisnode("hello.js", &says("old")).yml("recycleMode: strict\n");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "old");
    site.write("hello.js", BROKEN);
    let response = ask(&host, "/hello.js", &[]);
    assert_eq!(failure(&response), (200, "500.1002"), "{}", response.text());
    assert!(response.text().contains("the new version is lame"), "{}", response.text());
    site.write("hello.js", &says("mended"));
    assert_eq!(text(&host, "/hello.js"), "mended");
}
