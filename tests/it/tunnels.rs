//! Upgrades: whatever protocol the two sides agree on, the host carries its bytes.

use std::time::Duration;

use crate::harness::{FakeWorker, Host, RawClient};

const UPGRADE: &str = "GET /tea HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: tea/2\r\nX-Leaf: green\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tea/2\r\nX-Cup: 1\r\n\r\n";

#[test]
fn a_protocol_nobody_knows_becomes_a_tunnel_of_bytes() {
    let worker = FakeWorker::scripted(|wire, _| {
        let head = wire.read_head();
        assert_eq!(head.field("upgrade"), Some("tea/2"));
        assert!(head.field("connection").is_some_and(|value| value.to_lowercase().contains("upgrade")));
        assert_eq!(head.field("x-leaf"), Some("green"));
        wire.send(format!("{SWITCH}\0greeting\r\n"));
        assert_eq!(wire.read_exact(6), b"\xffask\r\n");
        wire.send(b"\xfetold\n");
        wire.time_to_end();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    let head = client.read_head();
    assert_eq!((head.status(), head.field("upgrade"), head.field("x-cup")), (101, Some("tea/2"), Some("1")));
    assert_eq!(client.read_exact(11), b"\0greeting\r\n");
    client.send(b"\xffask\r\n");
    assert_eq!(client.read_exact(6), b"\xfetold\n");
}

#[test]
fn bytes_a_client_sends_before_the_101_reach_the_worker_after_it() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(SWITCH);
        assert_eq!(wire.read_exact(7), b"too soo");
        wire.send("fine");
        wire.time_to_end();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(format!("{UPGRADE}too soo"));
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(client.read_exact(4), b"fine");
}

/// Large pieces take another way through the host than messages; going back and forth between the two loses nothing.
#[test]
fn bulk_and_messages_take_turns_in_one_tunnel() {
    const BULK: usize = 8 * 1024 * 1024;
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(SWITCH);
        for round in 0..3 {
            assert_eq!(wire.read_exact(5), b"more?");
            let bulk = pattern(BULK, round);
            wire.send(&bulk);
            assert!(wire.read_exact(BULK) == bulk, "what came back in round {round} is something else");
            wire.send("thanks");
        }
        wire.time_to_end();
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    client.read_head();
    for round in 0..3 {
        client.send("more?");
        let bulk = client.read_exact(BULK);
        assert!(bulk == pattern(BULK, round), "what came in round {round} is something else");
        client.send(&bulk);
        assert_eq!(client.read_exact(6), b"thanks");
    }
}

/// Bytes that repeat nowhere soon, so that a lost or doubled piece shows.
fn pattern(length: usize, seed: u8) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32 ^ u32::from(seed);
    let next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// One side may finish and still listen to the other.
#[test]
fn half_a_close_is_half_a_close() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(SWITCH);
        let question = wire.read_to_end();
        wire.send(format!("you said {}", String::from_utf8_lossy(&question)));
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    client.read_head();
    client.send("all there is");
    client.finish_sending();
    assert_eq!(client.read_to_end(), b"you said all there is");
}

#[test]
fn when_the_worker_ends_the_tunnel_the_client_sees_its_end() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(format!("{SWITCH}bye"));
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    client.read_head();
    assert_eq!(client.read_to_end(), b"bye");
}

#[test]
fn a_tunnel_carries_much_both_ways_at_once() {
    const SIZE: usize = 4_000_000;
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(SWITCH);
        // Echoes in parts smaller than any buffer on the way, so that neither side has to hold it all.
        for _ in 0..SIZE / 8000 {
            let part = wire.read_exact(8000);
            wire.send(part);
        }
    });
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    client.read_head();
    for round in 0..SIZE / 8000 {
        let part = vec![(round % 256) as u8; 8000];
        client.send(&part);
        assert!(client.read_exact(8000) == part, "round {round}");
    }
}

#[test]
fn a_worker_that_does_not_want_to_switch_just_answers() {
    let worker = FakeWorker::saying("no tea today");
    let host = Host::before([&worker]).start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    assert_eq!(client.read_response("GET").text(), "no tea today");
    assert_eq!(client.get("/").text(), "no tea today");
}

/// A tunnel may be quiet for longer than any request may.
#[test]
fn a_quiet_tunnel_is_left_alone() {
    let worker = FakeWorker::scripted(|wire, _| {
        wire.read_head();
        wire.send(SWITCH);
        assert_eq!(wire.read_exact(4), b"ping");
        wire.send("pong");
    });
    let host = Host::before([&worker]).limit("idleTimeout", "200ms").limit("headTimeout", "200ms").start();
    let mut client = RawClient::connect(&host);
    client.send(UPGRADE);
    client.read_head();
    assert!(client.is_silent_for(Duration::from_millis(800)), "the tunnel was ended");
    client.send("ping");
    assert_eq!(client.read_exact(4), b"pong");
}

/// 101 without having been asked would turn the rest of the connection over to nobody.
#[test]
fn a_101_nobody_asked_for_is_a_502() {
    let worker = FakeWorker::answering(SWITCH);
    let host = Host::before([&worker]).start();
    assert_eq!(RawClient::connect(&host).get("/").status(), 502);
}
