//! Every limit, set small enough to be met: what it does to the one who meets it, and that others do not notice.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::harness::{FakeWorker, Host, PATIENCE, RawClient, Setup, Site, eventually};

const SOON: Duration = Duration::from_secs(5);

fn one_worker() -> FakeWorker {
    FakeWorker::saying("ok")
}

/// The connection ends within a few seconds; what came before its end is returned.
#[track_caller]
fn ends_soon(client: &mut RawClient) -> String {
    let begun = Instant::now();
    let rest = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert!(begun.elapsed() < SOON, "ended only after {:?}", begun.elapsed());
    rest
}

#[test]
fn head_bytes() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("headBytes", "1KiB").start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get(&format!("/{}", "a".repeat(800))).status(), 200);
    client.send(format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "a".repeat(1100)));
    let head = client.read_head();
    assert!([414, 431].contains(&head.status()), "{}", head.start);
    ends_soon(&mut client);
    assert_eq!(worker.requests().len(), 1);
}

#[test]
fn head_fields() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("headFields", "10").start();
    for (fields, status) in [(9, 200), (10, 431)] {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X-A: b\r\n".repeat(fields)));
        assert_eq!(client.read_head().status(), status, "Host and {fields} more");
    }
}

#[test]
fn first_byte_timeout_ends_a_connection_that_says_nothing() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("firstByteTimeout", "200ms").start();
    let mut client = RawClient::connect(&host);
    assert_eq!(ends_soon(&mut client), "");
}

#[test]
fn head_timeout_ends_a_head_that_trickles() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("headTimeout", "300ms").start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: te");
    let begun = Instant::now();
    // A byte now and then must not win more time.
    eventually(SOON, "the end of a head that trickles", || {
        let silent = client.is_silent_for(Duration::from_millis(50));
        (!silent || client.try_send("x").is_err()).then_some(())
    });
    assert!(begun.elapsed() >= Duration::from_millis(250), "ended after {:?}", begun.elapsed());
    let said = ends_soon(&mut client);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(worker.requests().is_empty());
}

#[test]
fn body_rate_ends_an_upload_that_stalls() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("bodyRate", "100KiB").limit("rateGrace", "500ms").start();
    let mut client = RawClient::connect(&host);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nabc");
    let said = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(worker.requests().is_empty(), "half an upload became a whole one");
}

#[test]
fn idle_timeout_ends_a_connection_between_requests() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("idleTimeout", "300ms").start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(ends_soon(&mut client), "");
}

/// Only the pause between requests is idle time, not the wait for a slow worker.
#[test]
fn idle_timeout_does_not_end_a_request_in_flight() {
    let site = Site::with_app("slow");
    let host = Host::of(site.path()).limit("idleTimeout", "200ms").limit("headTimeout", "200ms").start();
    assert_eq!(RawClient::connect(&host).get("/?ms=900").text(), "slow\n");
}

#[test]
fn response_rate_ends_a_client_that_stops_reading() {
    let (told, hears) = std::sync::mpsc::channel::<ErrorKind>();
    let told = std::sync::Mutex::new(told);
    let worker = FakeWorker::scripted(move |wire, _| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let block = vec![b'x'; 64 * 1024];
        let error = loop {
            if let Err(error) = wire.try_send(&block) {
                break error;
            }
        };
        let _ = told.lock().unwrap().send(error.kind());
    });
    let host = Host::before([&worker]).limit("responseRate", "100KiB").limit("rateGrace", "500ms").start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    // The worker's own patience ends as well, but with another word.
    let kind = hears.recv_timeout(PATIENCE * 2).unwrap();
    assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "the worker met {kind:?}");
}

/// At the limit new connections wait in the backlog while those that are there are served.
#[test]
fn connections_beyond_the_limit_wait_and_are_served_later() {
    let worker = one_worker();
    let host = Host::before([&worker]).args(["--threads", "1"]).limit("connections", "2").start();
    let mut first = RawClient::connect(&host);
    let mut second = RawClient::connect(&host);
    assert_eq!(first.get("/").status(), 200);
    assert_eq!(second.get("/").status(), 200);

    let mut third = RawClient::connect(&host);
    third.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(third.is_silent_for(Duration::from_millis(300)), "a third connection was served");
    assert_eq!(first.get("/").status(), 200, "an existing connection is served at the limit");
    drop(second);
    assert_eq!(third.read_response("GET").status(), 200);
}

#[test]
fn connections_per_client_leave_room_for_others() {
    let worker = one_worker();
    let host = Host::before([&worker]).limit("connectionsPerClient", "2").start();
    let mut first = RawClient::connect(&host);
    let mut second = RawClient::connect(&host);
    assert_eq!(first.get("/").status(), 200);
    assert_eq!(second.get("/").status(), 200);

    let mut third = RawClient::connect(&host);
    let _ = third.try_send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let said = ends_soon(&mut third);
    let refused = said.is_empty() || said.starts_with("HTTP/1.1 503") || said.starts_with("HTTP/1.1 429");
    assert!(refused, "{said}");

    drop(second);
    eventually(PATIENCE, "a place for the next connection", || {
        let mut next = RawClient::connect(&host);
        next.try_send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").ok()?;
        let head = next.try_read_head()?;
        (head.status() == 200).then_some(())
    });
}

/// A host that runs out of descriptors goes on serving those it has, and takes new ones when there is room again.
#[test]
fn running_out_of_descriptors_pauses_accepting_and_nothing_else() {
    let worker = one_worker();
    let host = Host::before([&worker]).args(["--threads", "1"]).start();
    let mut first = RawClient::connect(&host);
    assert_eq!(first.get("/").status(), 200);
    set_descriptor_limit(host.pid(), open_descriptors(host.pid()) + 8);

    let crowd = (0..40).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    assert_eq!(first.get("/").status(), 200);
    let before = cpu_ticks(host.pid());
    assert!(first.is_silent_for(Duration::from_millis(500)));
    assert!(cpu_ticks(host.pid()) - before < 25, "the host spins");
    drop(crowd);
    eventually(PATIENCE, "a new connection served", || {
        let mut client = RawClient::connect(&host);
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        client.try_read_head().filter(|head| head.status() == 200)
    });
}

#[test]
fn queue_timeout_bounds_the_wait_for_a_place() {
    let site = Site::with_app("slow");
    let host =
        one_place(Host::of(site.path())).limit("queueLength", "5").limit("queueTimeout", "300ms").start();
    let mut holder = RawClient::connect(&host);
    holder.send("GET /?ms=3000 HTTP/1.1\r\nHost: test\r\n\r\n");
    host.wait_for_line("GET /?ms=3000");
    let begun = Instant::now();
    let response = RawClient::connect(&host).get("/?ms=0");
    assert_eq!(response.status(), 503);
    assert!(begun.elapsed() >= Duration::from_millis(250), "refused after {:?}", begun.elapsed());
}

#[test]
fn start_timeout_bounds_the_wait_for_a_worker_that_never_listens() {
    let site = Site::with_app("never-listens");
    let host = Host::of(site.path()).limit("startTimeout", "500ms").without_waiting().start();
    let begun = Instant::now();
    let response = RawClient::connect(&host).get("/");
    assert!((500..600).contains(&response.status()), "{}", response.head.start);
    assert!(begun.elapsed() < SOON, "answered after {:?}", begun.elapsed());
}

fn one_place(setup: Setup) -> Setup {
    setup.instances(1).args(["--max-concurrent", "1"])
}

fn open_descriptors(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

/// Lowers the limit of the running host, as an administrator may.
fn set_descriptor_limit(pid: u32, limit: u64) {
    let mut prlimit = crate::harness::command("prlimit");
    prlimit.args([format!("--pid={pid}"), format!("--nofile={limit}:{limit}")]);
    assert!(prlimit.status().expect("prlimit (of util-linux) is missing").success());
}

/// User and system time of a process so far, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
