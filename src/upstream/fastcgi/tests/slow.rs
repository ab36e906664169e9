//! Clients that take their answers slowly, and programs that are done before them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::{Answered, FastCgiPassing, GET, Host, PATIENCE, end, out, read_request, told, with_program};
use crate::failure::Failure;

const LENGTH: usize = 5 << 20;

fn body() -> Vec<u8> {
    (0..LENGTH as u32 / 4).flat_map(|number| number.wrapping_mul(0x9e37_79b1).to_be_bytes()).collect()
}

/// What a client gets that reads nothing before `go_on`.
fn asks_and_waits(host: &Host, request: &str, go_on: Receiver<()>) -> (Result<Answered, Failure>, Vec<u8>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let request = request.to_owned();
    let client = std::thread::spawn(move || {
        theirs.write_all(request.as_bytes()).unwrap();
        let waited = go_on.recv_timeout(PATIENCE);
        let mut received = Vec::new();
        let _ = theirs.read_to_end(&mut received);
        waited.map(|()| received)
    });
    let ended = host.serve(ours);
    (ended, client.join().unwrap().expect("the program is done before its client"))
}

fn body_of(received: &[u8]) -> &[u8] {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    &received[end + 4..]
}

#[test]
fn a_program_is_free_before_its_client_has_taken_anything() {
    let (done, go_on) = mpsc::channel();
    let program = move |_, mut socket: UnixStream| {
        while read_request(&socket).is_some() {
            let head = format!("Content-Type: a/b\nContent-Length: {LENGTH}\n\n");
            socket.write_all(&[out(head), out(body()), end(0)].concat()).unwrap();
            let _ = done.send(());
        }
    };
    with_program(told(), program, |host| {
        let (ended, received) = asks_and_waits(host, GET, go_on);
        assert!(matches!(ended, Ok(Answered::Whole)), "{:?}", ended.err());
        assert!(body_of(&received) == body());
        assert!(host.pool.lease_now().is_some() && host.worker.take_parked().is_some());
    });
}

#[test]
fn what_came_before_a_program_died_is_the_clients_and_then_the_cut() {
    let (done, go_on) = mpsc::channel();
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        let head = format!("Content-Type: a/b\nContent-Length: {}\n\n", LENGTH + 1);
        socket.write_all(&[out(head), out(body())].concat()).unwrap();
        drop(socket);
        done.send(()).unwrap();
    };
    with_program(told(), program, |host| {
        host.tell_its_end();
        let (ended, received) = asks_and_waits(host, GET, go_on);
        assert!(matches!(ended, Err(Failure::Truncated)), "{:?}", ended.err());
        assert!(body_of(&received) == body());
    });
}

#[test]
fn a_program_that_falls_silent_is_ended_although_its_client_has_not_read_all() {
    let (done, go_on) = mpsc::channel();
    let limit = Duration::from_millis(500);
    let bytes = [out("Content-Type: a/b\n\n"), out(body())].concat();
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&bytes).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0, "it is closed");
        done.send(()).unwrap();
    };
    with_program(FastCgiPassing { activity_timeout: limit, ..told() }, program, |host| {
        let (ended, received) = asks_and_waits(host, GET, go_on);
        assert!(matches!(ended, Err(Failure::Inactive { .. })), "{:?}", ended.err());
        assert!(received.len() > LENGTH && !received.ends_with(b"0\r\n\r\n"));
        assert!(host.worker.is_withdrawn());
    });
}

/// Longer than a request may take; but it is the client that takes it.
#[test]
fn a_program_that_may_not_be_read_ahead_waits_for_its_client_and_that_is_no_fault_of_it() {
    let limit = Duration::from_millis(500);
    let (blocked, go_on) = mpsc::channel();
    let bytes = out(body());
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&out("Content-Type: a/b\nX-Accel-Buffering: no\n\n")).unwrap();
        socket.set_write_timeout(Some(3 * limit)).unwrap();
        let mut at = 0;
        while let Ok(written) = socket.write(&bytes[at..]) {
            at += written;
            assert!(at < bytes.len(), "it is read ahead");
        }
        blocked.send(()).unwrap();
        socket.set_write_timeout(None).unwrap();
        socket.write_all(&[&bytes[at..], &end(0)].concat()).unwrap();
    };
    with_program(FastCgiPassing { request_timeout: limit, ..told() }, program, |host| {
        let (ended, received) = asks_and_waits(host, GET, go_on);
        assert!(ended.is_ok(), "{:?}", ended.err());
        let text = String::from_utf8_lossy(&received[..200]).into_owned();
        assert!(
            received.len() > LENGTH && received.ends_with(b"\r\n0\r\n\r\n") && !text.contains("Accel"),
            "{text}"
        );
        assert!(!host.worker.is_withdrawn());
    });
}
