//! Which worker has the next request where a site asks for more than turns, and what workers learn of the wait.

use std::time::Duration;

use crate::harness::{Host, Message, RawClient, Site, web_config};

/// Says who answers and how long the request has waited; one that is held has its head at once, and its body when there
/// is a file `go`.
const APP: &str = "
const { existsSync } = require('fs');
require('http').createServer((q, r) => {
  const say = () => r.end(process.pid + ' ' + q.headers['x-queue-time']);
  const look = () => existsSync(__dirname + '/go') ? say() : setTimeout(look, 5);
  r.setHeader('X-Pid', process.pid);
  if (!q.url.includes('hold')) return say();
  r.flushHeaders();
  look();
}).listen(process.env.PORT);
";

/// A site with these settings by its ostler.yml, one `name: value` a line.
fn site(settings: &[&str]) -> Site {
    let defaults = settings.iter().map(|setting| format!("  {setting}\n")).collect::<String>();
    Site::named("site")
        .web_config(&web_config(&crate::harness::handlers(["app.js"])))
        .file("app.js", APP)
        .file("ostler.yml", &format!("defaults:\n{defaults}"))
}

/// Leaves a request in flight, and says in which worker.
#[track_caller]
fn hold(host: &Host) -> (RawClient, String) {
    let mut client = RawClient::connect(host);
    client.send("GET /app.js?hold HTTP/1.1\r\nHost: test\r\n\r\n");
    let pid = client.read_head().field("x-pid").unwrap().to_owned();
    (client, pid)
}

/// The workers that answer so many requests, one after the other.
fn answering(host: &Host, requests: usize) -> Vec<String> {
    let mut client = RawClient::connect(host);
    let pid = |answer: Message| answer.head.field("x-pid").unwrap().to_owned();
    (0..requests).map(|_| pid(client.get("/app.js"))).collect()
}

fn count(pids: &[String], pid: &str) -> usize {
    pids.iter().filter(|other| *other == pid).count()
}

#[test]
fn without_a_word_about_it_requests_go_to_the_next_in_turn_however_busy_that_is() {
    let site = site(&["nodeProcessCountPerApplication: 3"]);
    let host = site.serve();
    let (_held, busy) = hold(&host);
    assert_eq!(count(&answering(&host, 9), &busy), 3);
}

#[test]
fn by_the_fewest_requests_the_busy_worker_is_spared_and_the_idle_ones_take_turns() {
    let site = site(&["nodeProcessCountPerApplication: 3", "loadBalancing: least-requests"]);
    let host = site.serve();
    let (held, busy) = hold(&host);
    let pids = answering(&host, 12);
    assert_eq!(count(&pids, &busy), 0, "{pids:?}");
    for pid in &pids {
        assert!((4..=8).contains(&count(&pids, pid)), "{pids:?}");
    }
    let mut all = vec![(held, busy)];
    all.resize_with(6, || hold(&host));
    let pids: Vec<String> = all.iter().map(|(_, pid)| pid.clone()).collect();
    assert!(pids.iter().all(|pid| count(&pids, pid) == 2), "{pids:?}");
}

#[test]
fn by_the_power_of_two_the_busiest_worker_is_never_picked() {
    let site = site(&["nodeProcessCountPerApplication: 3", "loadBalancing: power-of-two"]);
    let host = site.serve();
    let (_held, busy) = hold(&host);
    let pids = answering(&host, 40);
    assert_eq!(count(&pids, &busy), 0, "{pids:?}");
}

#[test]
fn a_full_worker_is_passed_over_by_every_rule_and_overflow_means_that_all_are() {
    for rule in ["round-robin", "least-requests", "power-of-two"] {
        let rule_line = format!("loadBalancing: {rule}");
        let cap = "maxConcurrentRequestsPerProcess: 2";
        let site = site(&["nodeProcessCountPerApplication: 2", cap, &rule_line]);
        let host = site.serve();
        let held: Vec<_> = (0..4).map(|_| hold(&host)).collect();
        let busy: Vec<String> = held.iter().map(|(_, pid)| pid.clone()).collect();
        assert!(busy.iter().all(|pid| count(&busy, pid) == 2), "{rule}: {busy:?}");
        assert_eq!(RawClient::connect(&host).get("/app.js").status(), 503, "{rule}");
    }
}

#[test]
fn each_application_has_its_own_queue_and_workers_are_told_how_long_a_request_has_waited() {
    let site = site(&[
        "maxConcurrentRequestsPerProcess: 1",
        "queueLength: 2",
        "queueTimeout: 30000",
        "queueTimeHeader: X-Queue-Time",
    ]);
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.get("/app.js");
    // What a client says of it is not passed on.
    client.send("GET /app.js HTTP/1.1\r\nHost: test\r\nX-Queue-Time: 7\r\nx_queue_time: 8\r\n\r\n");
    assert_eq!(waited(&client.read_response("GET")), 0);

    let (mut held, _) = hold(&host);
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(&host);
        client.send("GET /app.js HTTP/1.1\r\nHost: test\r\n\r\n");
        assert!(client.is_silent_for(Duration::from_millis(150)), "it did not wait");
        waiting.push(client);
    }
    assert_eq!(RawClient::connect(&host).get("/app.js").status(), 503, "the queue holds two");
    site.write("go", "");
    held.read_until(b"0\r\n\r\n");
    let waits: Vec<u64> = waiting.iter_mut().map(|client| waited(&client.read_response("GET"))).collect();
    assert!(waits[0] >= 300 && waits[1] >= 150, "{waits:?}");
}

#[test]
fn who_has_waited_for_the_time_of_the_queue_is_sent_away() {
    let site = site(&["maxConcurrentRequestsPerProcess: 1", "queueLength: 2", "queueTimeout: 200"]);
    let host = site.serve();
    let (_held, _) = hold(&host);
    let begun = std::time::Instant::now();
    assert_eq!(RawClient::connect(&host).get("/app.js").status(), 503);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

/// The milliseconds that the worker was told.
#[track_caller]
fn waited(answer: &Message) -> u64 {
    let text = answer.text();
    let told = text.split(' ').nth(1).and_then(|told| told.parse().ok());
    told.unwrap_or_else(|| panic!("no milliseconds in {text:?}"))
}
