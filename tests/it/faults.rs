//! Under mixed load workers are killed and stopped: what may be lost is what only they had, and nothing else.
//!
//! The load comes from `tests/clients/mixed.mjs`: small and slow GETs, counted POSTs, uploads and downloads of some
//! megabytes, all at once. It sends the signals itself, so it knows what was in flight.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{FakeWorker, Host, PATIENCE, RawClient, Site, eventually, node};

/// The outcome of some seconds of mixed load with this fault in the middle.
#[track_caller]
fn load_with(fault: &str) -> Outcome {
    let site = Site::with_app("mixed");
    let host = Host::of(site.path()).instances(2).start();
    let outcome = node("mixed.mjs", [host.url("").as_str(), fault, "2"]).json();
    // "mixed.0 | counted p7 by 4711"
    let lines = host.lines();
    let counted = lines.iter().filter_map(|line| {
        let (id, pid) = line.split_once("| counted ")?.1.split_once(" by ")?;
        Some((id.to_owned(), pid.parse().unwrap()))
    });
    let outcome = Outcome { counted: counted.collect(), told: outcome };
    outcome.holds_whatever_happens();
    outcome
}

struct Outcome {
    told: Value,
    /// Each POST a worker began with, and its pid.
    counted: Vec<(String, u64)>,
}

impl Outcome {
    fn number(&self, kind: &str, what: &str) -> u64 {
        self.told["kinds"][kind][what].as_u64().unwrap()
    }

    #[track_caller]
    fn holds_whatever_happens(&self) {
        for kind in ["get", "slow", "post", "upload", "download"] {
            assert!(self.number(kind, "fine") > 0, "no {kind} was fine: {}", self.told);
            assert_eq!(self.number(kind, "unanswered"), 0, "{kind}: {}", self.told);
            assert_eq!(self.number(kind, "silent"), 0, "a {kind} was wrong and looked right: {}", self.told);
        }
        let mut ids = self.counted.iter().map(|(id, _)| id).collect::<Vec<_>>();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "a POST was done twice: {}", self.told);
    }

    fn failures(&self) -> &Vec<Value> {
        self.told["failures"].as_array().unwrap()
    }

    /// Among the failures only POSTs without an answer, and downloads that had begun.
    #[track_caller]
    fn lost_only_what_a_dead_worker_had(&self) {
        let victims = self.told["victims"].as_array().unwrap();
        for failure in self.failures() {
            match failure["kind"].as_str().unwrap() {
                "post" => {
                    let id = failure["id"].as_str().unwrap();
                    let by = self.counted.iter().find(|(counted, _)| counted == id);
                    assert!(
                        by.is_none_or(|(_, pid)| victims.contains(&(*pid).into())),
                        "{id}: {}",
                        self.told
                    );
                }
                "upload" => {}
                "download" => assert_eq!(failure["begun"], true, "{}", self.told),
                _ => panic!("a GET failed: {}", self.told),
            }
        }
        let kinds = self.told["kinds"].as_object().unwrap();
        let in_flight = kinds.values().map(|kind| kind["atFault"].as_u64().unwrap());
        assert!(self.failures().len() as u64 <= in_flight.sum(), "{}", self.told);
    }
}

#[test]
fn one_of_two_workers_killed_takes_only_its_posts_and_begun_downloads_along() {
    let outcome = load_with("kill-one");
    outcome.lost_only_what_a_dead_worker_had();
    assert_eq!(outcome.told["fiftyFine"], true, "{}", outcome.told);
}

#[test]
fn both_workers_killed_take_only_what_was_in_flight_along() {
    let outcome = load_with("kill-both");
    outcome.lost_only_what_a_dead_worker_had();
    assert_eq!(outcome.told["fiftyFine"], true, "{}", outcome.told);
}

/// Six seconds are longer than Node keeps an idle connection: on waking, a worker closes those on which requests wait.
#[test]
fn a_worker_stopped_for_six_seconds_loses_nothing() {
    let outcome = load_with("stop-one");
    assert!(outcome.failures().is_empty(), "{}", outcome.told);
}

/// A worker that ends without having read a request cannot have acted on it, whatever its method.
#[test]
fn a_post_that_was_not_read_is_answered_by_another_worker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let silent = UnixListener::bind(&path).unwrap();
    let other = FakeWorker::saying("here");
    let addresses = [format!("unix:{}", path.display()), other.address()];
    let host = Host::before_addresses(addresses.iter().map(String::as_str)).start();
    // In turn, but who is asked first depends on which of the two was found first.
    let mut unanswered = eventually(PATIENCE, "a request that meets the worker who does not read", || {
        let mut client = RawClient::connect(&host);
        client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody");
        client.is_silent_for(Duration::from_millis(500)).then_some(client)
    });
    let before = other.requests().len();
    std::fs::remove_file(&path).unwrap();
    drop(silent);
    assert_eq!(unanswered.read_response("POST").text(), "here");
    assert_eq!(other.requests().len(), before + 1);
}

/// A client that still sends its body when the answer comes would use the connection again, and lose that request.
#[test]
fn a_connection_that_ends_for_a_body_left_unread_says_so() {
    let dies = FakeWorker::scripted(|wire, _| drop(wire.read_head()));
    let refuses = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send("HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
    for (worker, status) in [(dies, 502), (refuses, 413)] {
        let host = Host::before([&worker]).start();
        let mut client = RawClient::connect(&host);
        client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nthe beginning");
        let answer = client.read_response("POST");
        assert_eq!((answer.status(), answer.head.field("connection")), (status, Some("close")));
    }
}
