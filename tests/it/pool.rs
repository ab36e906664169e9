//! Who gets the next request, how many one worker may have, and what becomes of those for whom there is no place.

use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::harness::{FakeWorker, Host, PATIENCE, RawClient, Setup, Site, eventually};

/// The slots that answer so many requests one after the other.
fn slots(client: &mut RawClient, requests: usize) -> Vec<u64> {
    (0..requests)
        .map(|_| {
            let answer: serde_json::Value = serde_json::from_slice(&client.get("/").body).unwrap();
            answer["slot"].as_u64().unwrap()
        })
        .collect()
}

#[test]
fn requests_go_round_in_strict_rotation() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let got = slots(&mut RawClient::connect(&host), 8);
    assert!(got == [1, 0, 1, 0, 1, 0, 1, 0] || got == [0, 1, 0, 1, 0, 1, 0, 1], "{got:?}");
}

/// The rotation belongs to the pool, not to a connection or a thread.
#[test]
fn the_rotation_is_one_for_all_connections() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(3).args(["--threads", "2"]).start();
    let got = (0..12).flat_map(|_| slots(&mut RawClient::connect(&host), 1)).collect::<Vec<_>>();
    assert!(got.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 3), "{got:?}");
}

/// Holds requests until it is told to let them go; one worker's place is taken by each.
struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    fn closed() -> Gate {
        Gate { open: Arc::new((Mutex::new(false), Condvar::new())) }
    }

    fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }

    /// A worker that answers `/now` at once and everything else when the gate opens.
    fn worker(&self, name: &'static str) -> FakeWorker {
        let open = self.open.clone();
        FakeWorker::remembering(move |wire, request| {
            if !request.head.start.contains("/now") {
                let (lock, opened) = &*open;
                let guard = lock.lock().unwrap();
                drop(opened.wait_timeout_while(guard, PATIENCE, |open| !*open).unwrap());
            }
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            wire.try_send(response).is_ok()
        })
    }
}

/// Starts a request and leaves it in flight at the worker.
#[track_caller]
fn hold(host: &Host, worker: &FakeWorker) -> RawClient {
    let before = worker.requests().len();
    let mut client = RawClient::connect(host);
    client.send("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "a request held by the worker", || (worker.requests().len() > before).then_some(()));
    client
}

fn capped(setup: Setup, cap: usize) -> Setup {
    setup.args(["--max-concurrent", &cap.to_string()])
}

#[test]
fn when_every_worker_is_at_its_cap_the_next_request_is_a_503_with_retry_after() {
    let gate = Gate::closed();
    let worker = gate.worker("one");
    let host = capped(Host::before([&worker]), 2).start();
    let mut held = [hold(&host, &worker), hold(&host, &worker)];

    let mut overflow = RawClient::connect(&host);
    let response = overflow.get("/now");
    assert_eq!(response.status(), 503);
    let seconds = response.head.field("retry-after").and_then(|value| value.parse::<u64>().ok());
    assert!(seconds.is_some(), "{:?}", response.head);
    assert_eq!(worker.requests().len(), 2, "an overflowing request reached the worker");

    gate.open();
    for client in &mut held {
        assert_eq!(client.read_response("GET").text(), "one");
    }
    assert_eq!(overflow.get("/now").text(), "one", "the connection of an overflow lives on");
}

#[test]
fn a_full_worker_is_passed_over_before_anything_overflows() {
    let gate = Gate::closed();
    let (full, free) = (gate.worker("full"), FakeWorker::saying("free"));
    let host = capped(Host::before([&full, &free]), 1).start();
    let mut held = RawClient::connect(&host);
    // The rotation decides who is first; ask until the gate holds one.
    eventually(PATIENCE, "the gated worker held", || {
        let mut client = RawClient::connect(&host);
        client.send("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n");
        if client.is_silent_for(Duration::from_millis(200)) && full.requests().len() == 1 {
            held = client;
            return Some(());
        }
        None
    });
    let mut client = RawClient::connect(&host);
    for _ in 0..6 {
        assert_eq!(client.get("/now").text(), "free");
    }
    gate.open();
    assert_eq!(held.read_response("GET").text(), "full");
}

#[test]
fn a_queue_takes_as_many_as_it_is_long_and_serves_them_in_order() {
    let gate = Gate::closed();
    let worker = gate.worker("one");
    let host =
        capped(Host::before([&worker]), 1).limit("queueLength", "2").limit("queueTimeout", "10s").start();
    let mut held = hold(&host, &worker);

    let mut waiting = Vec::new();
    for target in ["/now?first", "/now?second"] {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        assert!(client.is_silent_for(Duration::from_millis(200)), "{target} did not wait");
        waiting.push(client);
    }
    assert_eq!(RawClient::connect(&host).get("/now?third").status(), 503);

    gate.open();
    assert_eq!(held.read_response("GET").status(), 200);
    for client in &mut waiting {
        assert_eq!(client.read_response("GET").status(), 200);
    }
    let targets = worker.requests().into_iter().map(|request| request.head.start).collect::<Vec<_>>();
    assert_eq!(targets[1..], ["GET /now?first HTTP/1.1", "GET /now?second HTTP/1.1"]);
}

#[test]
fn a_client_that_leaves_the_queue_takes_its_place_with_it() {
    let gate = Gate::closed();
    let worker = gate.worker("one");
    let host =
        capped(Host::before([&worker]), 1).limit("queueLength", "1").limit("queueTimeout", "10s").start();
    let mut held = hold(&host, &worker);
    let mut impatient = RawClient::connect(&host);
    impatient.send("GET /now?impatient HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(impatient.is_silent_for(Duration::from_millis(200)));
    drop(impatient);
    let mut next = eventually(PATIENCE, "a free place in the queue", || {
        let mut client = RawClient::connect(&host);
        client.send("GET /now?patient HTTP/1.1\r\nHost: test\r\n\r\n");
        client.is_silent_for(Duration::from_millis(200)).then_some(client)
    });
    gate.open();
    held.read_response("GET");
    assert_eq!(next.read_response("GET").status(), 200);
    assert!(!worker.requests().iter().any(|request| request.head.start.contains("impatient")));
}

/// The place is taken until the last byte has left, not until the head has.
#[test]
fn a_slow_download_holds_its_place_until_its_last_byte() {
    let (go, went) = channel::<()>();
    let went = Mutex::new(went);
    let worker = FakeWorker::remembering(move |wire, request| {
        if request.head.start.contains("/now") {
            return wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok();
        }
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
        went.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        wire.try_send("lf").is_ok()
    });
    let host = capped(Host::before([&worker]), 1).start();
    let mut download = RawClient::connect(&host);
    download.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    download.read_head();
    assert_eq!(download.read_exact(2), b"ha");
    assert_eq!(RawClient::connect(&host).get("/now").status(), 503, "the place is free before the last byte");
    go.send(()).unwrap();
    assert_eq!(download.read_exact(2), b"lf");
    eventually(PATIENCE, "the place free again", || {
        (RawClient::connect(&host).get("/now").status() == 200).then_some(())
    });
}

#[test]
fn a_tunnel_holds_its_place_until_it_ends() {
    let worker = FakeWorker::scripted(|wire, _| {
        while let Some(request) = wire.try_read_request() {
            if request.head.has("upgrade") {
                wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n");
                wire.time_to_end();
                return;
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let host = capped(Host::before([&worker]), 1).start();
    let mut tunnel = RawClient::connect(&host);
    tunnel.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n");
    assert_eq!(tunnel.read_head().status(), 101);
    assert_eq!(RawClient::connect(&host).get("/").status(), 503);
    drop(tunnel);
    eventually(PATIENCE, "the place of the tunnel free again", || {
        (RawClient::connect(&host).get("/").status() == 200).then_some(())
    });
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let worker = FakeWorker::scripted(|wire, number| {
        wire.read_request();
        if number == 0 {
            wire.time_to_end();
        } else {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            wire.time_to_end();
        }
    });
    let host = capped(Host::before([&worker]), 1).start();
    let mut leaving = RawClient::connect(&host);
    leaving.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "the request at the worker", || (worker.connections() == 1).then_some(()));
    drop(leaving);
    eventually(PATIENCE, "its place free again", || {
        (RawClient::connect(&host).get("/").status() == 200).then_some(())
    });
}

#[test]
fn requests_wait_while_the_workers_start() {
    let site = Site::with_app("slow-start");
    let host = Host::of(site.path()).without_waiting().start();
    let begun = Instant::now();
    let response = RawClient::connect(&host).get("/");
    assert_eq!((response.status(), response.text()), (200, "at last\n".to_owned()));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

/// A request that did not reach a dead server goes to the next one; nobody is told.
#[test]
fn a_dead_upstream_is_left_out_until_it_answers_again() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("later.sock");
    let address = format!("unix:{}", dead.display());
    let living = FakeWorker::saying("living");
    let host = Host::before_addresses([living.address().as_str(), address.as_str()]).start();
    let mut client = RawClient::connect(&host);
    for _ in 0..6 {
        let response = client.get("/");
        assert_eq!((response.status(), response.text()), (200, "living".to_owned()));
    }

    let listener = std::os::unix::net::UnixListener::bind(&dead).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut wire = crate::harness::Wire::new(stream);
                if !wire.says_anything() {
                    return;
                }
                while wire.try_read_request().is_some() {
                    let _ = wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrisen");
                }
            });
        }
    });
    eventually(PATIENCE * 2, "an answer of the one that was dead", || {
        (client.get("/").text() == "risen").then_some(())
    });
}

#[test]
fn with_every_upstream_dead_requests_are_refused_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("nobody.sock").display());
    let host = Host::before_addresses([address.as_str()]).limit("startTimeout", "500ms").start();
    let status = RawClient::connect(&host).get("/").status();
    assert!([502, 503, 504].contains(&status), "{status}");
}

/// The worker closed an idle connection just as the host used it: a GET is simply asked again.
#[test]
fn a_get_that_met_a_closing_connection_is_asked_again() {
    let worker = FakeWorker::scripted(|wire, number| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if number == 0 {
            // Reads the second request, says nothing, and closes.
            let _ = wire.try_read_request();
            return;
        }
        while wire.try_read_request().is_some() {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let host = Host::before([&worker]).args(["--threads", "1"]).start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(worker.connections(), 2);
}

/// Nobody can know whether a POST had been carried out.
#[test]
fn a_post_that_met_a_closing_connection_is_not_asked_again() {
    let worker = FakeWorker::scripted(|wire, _| {
        while let Some(request) = wire.try_read_request() {
            if request.head.start.starts_with("POST") {
                return;
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let host = Host::before([&worker]).args(["--threads", "1"]).start();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/").status(), 200);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.read_response("POST").status(), 502);
    assert_eq!(worker.connections(), 1);
}
