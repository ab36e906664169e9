//! A bit of everything at once: nothing gets stuck, and nothing is left over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Section, ask, asking, json, pid, plain, starts, text, touch};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually, holds_for, workers_of};

/// How long the mix goes on.
const MIXED: Duration = Duration::from_secs(5);

/// Statuses that a client may see while workers are killed, replaced and taken off.
const FINE: [u16; 3] = [200, 502, 503];

/// One of the things clients do. An answer may be cut when its worker is killed, so only its beginning counts.
#[track_caller]
fn ask_something(host: &Host, turn: usize) {
    let body = "body".repeat(turn % 1000);
    let (start, body) = match turn % 7 {
        0 => ("GET /app/hello", ""),
        1 => ("POST /app/echo", body.as_str()),
        2 => ("GET /app/drip?3,5", ""),
        3 => ("GET /app/status?200,Fine,body", ""),
        4 => ("GET /app/sleep?20", ""),
        5 => return drop(asking(host, "/app/hang")),
        _ => ("GET /ping.txt", ""),
    };
    let mut client = RawClient::connect(host);
    let length = body.len();
    client.send(format!(
        "{start} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let said = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert!(FINE.iter().any(|status| said.starts_with(&format!("HTTP/1.1 {status} "))), "{start}: {said:?}");
    assert!(turn % 7 != 6 || said.ends_with("pong"), "files have nothing to do with it: {said}");
}

/// One of the things that happen to an application, which leaves it open.
fn disturb(site: &Site, host: &Host, turn: usize) {
    match turn % 3 {
        0 => touch(site, "app/web.config"),
        1 => {
            site.write("app/app_offline.htm", "closed");
            eventually(PATIENCE, "the page", || (ask(host, "/app/hello", &[]).status() == 503).then_some(()));
            site.remove("app/app_offline.htm");
        }
        _ => drop(ask(host, "/app/kill", &[])),
    }
}

/// Row 52, of seconds rather than minutes.
#[test]
fn a_mix_of_everything_leaves_no_request_stuck_and_no_process_behind() {
    let section = Section::new()
        .set("processesPerApplication", 2)
        .set("rapidFailsPerMinute", 100)
        .set("shutdownTimeLimit", 2)
        .set("requestTimeout", "00:00:10");
    let site = section.below(plain(), "app");
    let mut host = site.serve();
    pid(&host, "/app");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in 0..3 {
            let (host, done) = (&host, &done);
            scope.spawn(move || {
                let mut turn = client * 3;
                let begun = Instant::now();
                // A bound of its own, should the disturbances fail.
                while !done.load(Ordering::SeqCst) && begun.elapsed() < MIXED * 8 {
                    ask_something(host, turn);
                    turn += 1;
                }
            });
        }
        let begun = Instant::now();
        let mut turn = 0;
        while begun.elapsed() < MIXED {
            disturb(&site, &host, turn);
            holds_for(Duration::from_millis(150), "files", || ask(&host, "/ping.txt", &[]).status() == 200);
            turn += 1;
        }
        done.store(true, Ordering::SeqCst);
    });
    eventually(PATIENCE, "an application as before", || {
        (ask(&host, "/app/hello", &[]).status() == 200).then_some(())
    });
    eventually(PATIENCE, "two workers and no more", || {
        text(&host, "/app/hello");
        (workers_of(host.pid()).len() == 2).then_some(())
    });
    let counts = eventually(PATIENCE, "nobody who waits", || {
        let counts = json(&host, "/app/counts");
        (counts["waiting"] == 0).then_some(counts)
    });
    assert_eq!(counts["active"], 1, "{counts}");
    assert_eq!(starts(&site), 0, "the root is no application");
    host.stop();
}
