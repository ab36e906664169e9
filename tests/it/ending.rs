//! The end of a host: what is in flight is finished, what ignores the request to go is made to, and nothing is left.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{
    Host, PATIENCE, RawClient, Site, alive, children_of, eventually, holds_for, workers_of,
};

#[test]
fn sigterm_and_sigint_finish_what_is_in_flight_and_exit_with_0() {
    for which in [Signal::SIGTERM, Signal::SIGINT] {
        let site = Site::with_app("slow");
        let mut host = Host::of(site.path()).start();
        let mut client = RawClient::connect(&host);
        client.send("GET /?ms=800 HTTP/1.1\r\nHost: test\r\n\r\n");
        host.wait_for_line("GET /?ms=800 begins");
        host.signal(which);
        let response = client.read_response("GET");
        assert_eq!((response.status(), response.text()), (200, "slow\n".to_owned()), "{which}");
        assert_eq!(host.wait_for_end().code(), Some(0), "{which}");
    }
}

#[test]
fn a_draining_host_takes_no_new_connections_and_closes_idle_ones() {
    let site = Site::with_app("slow");
    let mut host = Host::of(site.path()).start();
    let mut idle = RawClient::connect(&host);
    assert_eq!(idle.get("/?ms=0").status(), 200);
    let mut busy = RawClient::connect(&host);
    busy.send("GET /?ms=1500 HTTP/1.1\r\nHost: test\r\n\r\n");
    host.wait_for_line("GET /?ms=1500 begins");
    host.signal(Signal::SIGTERM);
    idle.expect_end();
    let address = format!("127.0.0.1:{}", host.port());
    eventually(Duration::from_secs(1), "new connections refused", || {
        std::net::TcpStream::connect(&address).is_err().then_some(())
    });
    assert_eq!(busy.read_response("GET").text(), "slow\n");
    busy.expect_end();
    assert_eq!(host.wait_for_end().code(), Some(0));
}

#[test]
fn an_answer_given_while_draining_announces_the_end_of_its_connection() {
    let site = Site::with_app("slow");
    let mut host = Host::of(site.path()).start();
    let mut client = RawClient::connect(&host);
    client.send("GET /?ms=500 HTTP/1.1\r\nHost: test\r\n\r\n");
    host.wait_for_line("GET /?ms=500 begins");
    host.signal(Signal::SIGTERM);
    let response = client.read_response("GET");
    assert_eq!(response.head.field("connection"), Some("close"));
    host.wait_for_end();
}

#[test]
fn a_second_signal_ends_at_once() {
    let site = Site::with_app("slow");
    let mut host = Host::of(site.path()).start();
    let workers = workers_of(host.pid());
    let mut client = RawClient::connect(&host);
    client.send("GET /?ms=30000 HTTP/1.1\r\nHost: test\r\n\r\n");
    host.wait_for_line("GET /?ms=30000 begins");
    host.signal(Signal::SIGTERM);
    holds_for(Duration::from_millis(300), "the host drains", || !host.has_ended());
    let begun = Instant::now();
    host.signal(Signal::SIGTERM);
    host.wait_for_end();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    eventually(PATIENCE, "the end of the workers", || workers.iter().all(|&pid| !alive(pid)).then_some(()));
}

#[test]
fn draining_is_bounded_by_grace() {
    let site = Site::with_app("endless");
    let mut host = Host::of(site.path()).limit("grace", "500ms").start();
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    let begun = Instant::now();
    host.signal(Signal::SIGTERM);
    assert_eq!(host.wait_for_end().code(), Some(0));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_worker_that_ignores_sigterm_is_killed_after_grace() {
    let site = Site::with_app("ignores-sigterm");
    let mut host = Host::of(site.path()).instances(2).limit("grace", "500ms").start();
    let workers = workers_of(host.pid());
    assert_eq!(workers.len(), 2);
    host.stop();
    assert!(host.lines().iter().any(|line| line.contains("no, thank you")), "it was asked first");
    assert!(workers.iter().all(|&pid| !alive(pid)), "a worker is left");
    for (slot, pid) in workers.iter().enumerate() {
        let line = host.wait_for_line(&format!("(pid {pid}) did not end within"));
        assert!(line.contains("worker ") && line.ends_with("ms and was killed"), "{slot}: {line}");
    }
}

#[test]
fn grandchildren_end_with_the_worker() {
    let site = Site::with_app("grandchild");
    let mut host = Host::of(site.path()).instances(1).limit("grace", "1s").start();
    let grandchild = RawClient::connect(&host).get("/").text().parse::<u32>().unwrap();
    assert!(alive(grandchild));
    host.stop();
    eventually(PATIENCE, "the end of the grandchild", || (!alive(grandchild)).then_some(()));
}

#[test]
fn grandchildren_of_a_killed_worker_end_too() {
    let site = Site::with_app("grandchild");
    let host = Host::of(site.path()).instances(1).start();
    let mut client = RawClient::connect(&host);
    let first = client.get("/").text().parse::<u32>().unwrap();
    crate::harness::signal(workers_of(host.pid())[0], Signal::SIGKILL);
    eventually(PATIENCE, "the end of the grandchild", || (!alive(first)).then_some(()));
    assert_ne!(client.get("/").text(), first.to_string());
}

#[test]
fn the_folder_of_the_sockets_is_removed() {
    let site = Site::with_app("whoami");
    let mut host = Host::of(site.path()).instances(2).start();
    let answer: serde_json::Value = serde_json::from_slice(&RawClient::connect(&host).get("/").body).unwrap();
    let socket = Path::new(answer["port"].as_str().unwrap()).to_owned();
    assert!(socket.exists());
    host.stop();
    assert!(!socket.parent().unwrap().exists(), "{} is left", socket.parent().unwrap().display());
}

/// The keeper outlives the host for a moment, to end what the kernel does not end with it.
#[test]
fn nothing_is_left_of_a_host_that_is_killed_not_even_grandchildren() {
    let site = Site::with_app("grandchild");
    let mut host = Host::of(site.path()).instances(1).start();
    let grandchild = RawClient::connect(&host).get("/").text().parse::<u32>().unwrap();
    let family = [children_of(host.pid()), vec![grandchild]].concat();
    let environment = std::fs::read(format!("/proc/{}/environ", workers_of(host.pid())[0])).unwrap();
    let port = environment.split(|&byte| byte == 0).find_map(|variable| variable.strip_prefix(b"PORT="));
    let socket = Path::new(std::str::from_utf8(port.unwrap()).unwrap()).to_owned();
    assert!(socket.exists() && family.iter().all(|&pid| alive(pid)));
    host.signal(Signal::SIGKILL);
    host.wait_for_end();
    eventually(PATIENCE, "the end of the workers, their children and the keeper", || {
        family.iter().all(|&pid| !alive(pid)).then_some(())
    });
    assert!(!socket.parent().unwrap().exists(), "the folder of the sockets is left");
}

/// Ending while the workers have not even started takes no longer than ending them.
#[test]
fn a_host_can_be_ended_while_its_workers_start() {
    let site = Site::with_app("never-listens");
    let mut host = Host::of(site.path()).without_waiting().start();
    host.wait_for_line("app");
    host.stop();
}
