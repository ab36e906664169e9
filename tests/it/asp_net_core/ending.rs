//! How workers are asked to go: by a message, by SIGTERM, and not at all when time is over.

use std::time::{Duration, Instant};

use super::{Section, between, next_pid, notes, pid, plain, text, touch, wait_for_end_of};
use crate::harness::{Host, PATIENCE, Site, eventually, workers_of};

/// What makes a host let its workers go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    TouchedConfiguration,
    Offline,
    Stop,
}

const CAUSES: [Cause; 3] = [Cause::TouchedConfiguration, Cause::Offline, Cause::Stop];

/// Makes the only worker of a site go; how long that took, and what it noted.
#[track_caller]
fn gone(section: &Section, cause: Cause) -> (Duration, Vec<String>) {
    let site = section.site();
    let mut host = site.serve();
    let old = pid(&host, "");
    let begun = Instant::now();
    act(cause, &site, &mut host, old);
    wait_for_end_of(old);
    (begun.elapsed(), notes(&site, Some(old)))
}

#[track_caller]
fn act(cause: Cause, site: &Site, host: &mut Host, old: u32) {
    match cause {
        Cause::TouchedConfiguration => {
            touch(site, "web.config");
            next_pid(host, "", old);
        }
        Cause::Offline => site.write("app_offline.htm", "closed"),
        Cause::Stop => host.stop(),
    }
}

fn has(notes: &[String], what: &str) -> bool {
    notes.iter().any(|note| note == what)
}

/// Row 16, with seconds for tens of them.
#[test]
fn a_worker_that_hears_the_message_ends_by_itself_in_its_own_time() {
    for cause in CAUSES {
        let section = Section::new().set("shutdownTimeLimit", 20).variable("SHUTDOWN_DELAY", 1500);
        let (took, notes) = gone(&section, cause);
        between(took, 1500, 12_000);
        assert!(has(&notes, "message") && has(&notes, "ended"), "{cause:?}: {notes:?}");
    }
}

/// Row 16: the message is answered with 200 by whoever does not know it.
#[test]
fn a_worker_that_ignores_the_message_is_asked_with_sigterm_and_waited_for() {
    for cause in CAUSES {
        let section =
            Section::acting("ignores-message").set("shutdownTimeLimit", 20).variable("SHUTDOWN_DELAY", 1500);
        let (took, notes) = gone(&section, cause);
        between(took, 1500, 12_000);
        assert!(
            has(&notes, "message") && has(&notes, "sigterm") && has(&notes, "ended"),
            "{cause:?}: {notes:?}"
        );
    }
}

/// Row 16.
#[test]
fn a_worker_that_takes_longer_than_its_limit_is_killed() {
    for cause in CAUSES {
        let section = Section::new().set("shutdownTimeLimit", 2).variable("SHUTDOWN_DELAY", 60_000);
        let (took, notes) = gone(&section, cause);
        between(took, 1500, 12_000);
        assert!(has(&notes, "message") && !has(&notes, "ended"), "{cause:?}: {notes:?}");
    }
}

/// Row 16, for the worst of workers.
#[test]
fn a_worker_that_ignores_message_and_sigterm_is_killed_at_its_limit() {
    for cause in CAUSES {
        let section = Section::acting("ignores-message ignores-sigterm").set("shutdownTimeLimit", 1);
        let (took, notes) = gone(&section, cause);
        between(took, 500, 12_000);
        assert!(!has(&notes, "ended"), "{cause:?}: {notes:?}");
    }
}

/// Whatever has become of its generation meanwhile, and of the host.
#[test]
fn that_a_worker_was_killed_is_said_on_the_terminal_with_its_answer_to_the_message() {
    for cause in CAUSES {
        let site = Section::acting("ignores-message ignores-sigterm").set("shutdownTimeLimit", 1).site();
        let mut host = site.serve();
        let old = pid(&host, "");
        act(cause, &site, &mut host, old);
        let line = host.wait_for_line(&format!("worker 0 (pid {old}) was asked to end"));
        assert!(line.ends_with("answered 200, did not end within 1 s and was killed"), "{cause:?}: {line}");
        assert_eq!(host.lines().iter().filter(|line| line.contains("was killed")).count(), 1);
    }
}

/// Rows 16 and 50: a limit of 0 leaves no time for a message.
#[test]
fn with_a_limit_of_zero_a_worker_is_killed_at_once_and_told_nothing() {
    for cause in CAUSES {
        let section = Section::new().set("shutdownTimeLimit", 0).variable("SHUTDOWN_DELAY", 60_000);
        let (took, notes) = gone(&section, cause);
        between(took, 0, 8000);
        assert!(!has(&notes, "message") && !has(&notes, "ended"), "{cause:?}: {notes:?}");
    }
}

/// Section 8 of the reference, row 6 of its steps: side by side rather than one after the other.
#[test]
fn several_workers_are_stopped_side_by_side() {
    let site = Section::acting("ignores-message ignores-sigterm")
        .set("shutdownTimeLimit", 2)
        .set("processesPerApplication", 4)
        .site();
    let mut host = site.serve();
    eventually(PATIENCE, "four workers", || {
        text(&host, "/pid");
        (workers_of(host.pid()).len() == 4 && notes(&site, None).len() >= 8).then_some(())
    });
    let workers = workers_of(host.pid());
    let ((), took) = super::timed(|| host.stop());
    between(took, 1500, 12_000);
    workers.into_iter().for_each(wait_for_end_of);
}

/// The message goes to the path of the application.
#[test]
fn an_application_below_the_root_hears_the_message_at_its_own_path() {
    let site = Section::new().set("shutdownTimeLimit", 10).below(plain(), "deep/app");
    let mut host = site.serve();
    pid(&host, "/deep/app");
    host.stop();
    let notes = site.read("deep/app/notes.log");
    assert!(notes.contains(" message\n") && notes.contains(" ended\n"), "{notes}");
}

/// A program that knows nothing of the module answers 404, which must lead to the signal.
#[test]
fn a_worker_that_was_not_written_for_the_module_is_asked_with_sigterm() {
    let site = Section::new().site().file(
        "worker.mjs",
        "import { createServer } from 'node:http';\nimport { appendFileSync } from 'node:fs';\nprocess.on('SIGTERM', () => { appendFileSync('notes.log', 'sigterm'); process.exit(); });\ncreateServer((q, r) => { r.statusCode = q.url === '/pid' ? 200 : 404; r.end(String(process.pid)); }).listen(process.env.ASPNETCORE_PORT, '127.0.0.1');\n",
    );
    let mut host = site.serve();
    let old = pid(&host, "");
    let ((), took) = super::timed(|| host.stop());
    between(took, 0, 8000);
    wait_for_end_of(old);
    assert_eq!(site.read("notes.log"), "sigterm");
}

const PRELOAD: &str =
    r#"<applicationInitialization><add initializationPage="/pid"/></applicationInitialization>"#;

/// Row 50.
#[test]
fn a_preloaded_application_starts_without_a_request_and_is_told_to_end() {
    for (limit, told) in [(10, true), (0, false)] {
        let site = Section::new().set("shutdownTimeLimit", limit).beside(PRELOAD).site();
        let mut host = site.serve();
        eventually(PATIENCE, "a worker nobody asked for", || {
            notes(&site, None).iter().any(|note| note.starts_with("listens")).then_some(())
        });
        // Listening is seen from outside a moment later.
        host.wait_for_line("ready");
        host.stop();
        assert_eq!(has(&notes(&site, None), "message"), told, "limit {limit}");
    }
}

/// Section 8.2 of the reference: the old process drains while the new one answers.
#[test]
fn a_request_in_flight_is_finished_by_the_process_that_began_it() {
    let site = Section::new().set("shutdownTimeLimit", 10).site();
    let host = site.serve();
    let old = pid(&host, "");
    let mut client = super::asking(&host, "/drip?4,500");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read_chunk().1, b"drop 0;");
    touch(&site, "web.config");
    assert_ne!(next_pid(&host, "", old), old);
    for n in 1..4 {
        assert_eq!(String::from_utf8(client.read_chunk().1).unwrap(), format!("drop {n};"));
    }
    assert_eq!(client.read_chunk().1, b"");
    wait_for_end_of(old);
}
