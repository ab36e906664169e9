//! Connections that are kept and ended, programs that take too long, clients that leave.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::{
    Answered, FastCgiPassing, GET, HEAD, Host, PATIENCE, answer, end, out, read_request, record, told,
    with_program,
};
use crate::failure::Failure;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
const STEP: Duration = Duration::from_millis(100);

#[expect(clippy::disallowed_methods, reason = "how long somebody says nothing is what is tested")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Counts connections and requests.
fn counting(counts: &Arc<[AtomicUsize; 2]>, keeps: bool) -> impl FnMut(usize, UnixStream) + Send + 'static {
    let counts = counts.clone();
    move |_, mut socket| {
        counts[0].fetch_add(1, Ordering::SeqCst);
        while read_request(&socket).is_some() {
            counts[1].fetch_add(1, Ordering::SeqCst);
            socket.write_all(&answer("fine")).unwrap();
            if !keeps {
                return;
            }
        }
    }
}

#[test]
fn one_connection_carries_all_requests() {
    for (request, keeps, connections) in [(GET, true, 1), (GET, false, 5), (POST, true, 1)] {
        let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let told = FastCgiPassing { keeps_connection: keeps, ..told() };
        with_program(told, counting(&counts, keeps), |host| {
            for _ in 0..5 {
                assert!(matches!(host.ask(request).0, Ok(Answered::Whole)));
            }
        });
        let counts = counts.each_ref().map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [connections, 5], "{request}");
    }
}

#[test]
fn a_kept_connection_ends_with_the_withdrawal_of_its_worker() {
    let (closed, is_closed) = mpsc::channel();
    let program = move |_, mut socket: UnixStream| {
        while read_request(&socket).is_some() {
            socket.write_all(&answer("fine")).unwrap();
        }
        closed.send(()).unwrap();
    };
    with_program(told(), program, |host| {
        assert!(host.ask(GET).0.is_ok());
        host.pool.withdraw(&host.worker);
        is_closed.recv_timeout(PATIENCE).unwrap();
    });
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let program = |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&answer("fine")).unwrap();
    };
    with_program(told(), program, |host| {
        for _ in 0..5 {
            assert!(host.ask(GET).0.is_ok());
        }
    });
}

#[test]
fn a_program_that_says_nothing_is_given_up_and_gets_no_other_request() {
    let told = FastCgiPassing { activity_timeout: 3 * STEP, ..told() };
    for beginning in [vec![], [out(HEAD), out("half")].concat()] {
        let has_begun = !beginning.is_empty();
        let program = move |_, mut socket: UnixStream| {
            read_request(&socket).unwrap();
            socket.write_all(&beginning).unwrap();
            let _ = socket.read(&mut [0]);
        };
        with_program(told.clone(), program, move |host| {
            let (ended, received) = host.ask(GET);
            // Twice as long before its first word.
            let after = if has_begun { 3 * STEP } else { 6 * STEP };
            assert!(matches!(ended, Err(Failure::Inactive { after: there }) if there == after));
            assert_eq!(received.contains("half"), has_begun);
            assert!(host.worker.is_withdrawn());
        });
    }
}

#[test]
fn a_program_that_complains_all_the_time_is_not_silent_but_may_take_too_long() {
    let told = FastCgiPassing { activity_timeout: 3 * STEP, request_timeout: 12 * STEP, ..told() };
    let program = |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        while socket.write_all(&record(7, b"still here\n", 0)).is_ok() {
            pause(STEP);
        }
    };
    with_program(told, program, |host| {
        let (ended, _) = host.ask(GET);
        assert!(matches!(ended, Err(Failure::Unfinished { .. })), "{:?}", ended.err());
        assert!(host.worker.is_withdrawn());
    });
}

#[test]
fn a_script_that_goes_on_after_its_answer_keeps_its_worker_but_not_its_client() {
    let (go_on, until) = mpsc::channel::<()>();
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&out("Content-Type: a/b\nContent-Length: 4\n\ndone")).unwrap();
        until.recv_timeout(PATIENCE).unwrap();
        socket.write_all(&end(0)).unwrap();
        let _ = socket.read(&mut [0]);
    };
    with_program(told(), program, |host| {
        let (ended, received) = host.ask(GET);
        assert!(ended.is_ok() && received.ends_with("done"), "{received}");
        assert!(host.pool.lease_now().is_none(), "its worker is busy");
        go_on.send(()).unwrap();
        drop(host.lease());
        assert!(host.worker.take_parked().is_some(), "and its connection is good");
    });
}

#[test]
fn a_script_that_goes_on_in_silence_after_its_answer_is_given_up() {
    let told = FastCgiPassing { activity_timeout: 3 * STEP, ..told() };
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&out("Content-Type: a/b\nContent-Length: 4\n\ndone")).unwrap();
        let _ = socket.read(&mut [0]);
    };
    with_program(told, program, |host| {
        assert!(host.ask(GET).0.is_ok());
        assert!(host.pool.lease_now().is_none() && !host.worker.is_withdrawn(), "its worker is busy");
        let why = host.block_on(host.worker.reported_stuck());
        assert!(why.contains("activityTimeout"), "{why}");
    });
}

/// Has a client leave that has got the begin of an answer.
fn leaves(host: &Host) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let client = std::thread::spawn(move || {
        theirs.write_all(GET.as_bytes()).unwrap();
        theirs.read_exact(&mut [0; 20]).unwrap();
    });
    let ended = host.serve(ours);
    client.join().unwrap();
    assert!(matches!(ended, Err(Failure::ClientGone)));
}

#[test]
fn a_script_that_ends_soon_after_its_client_has_left_keeps_its_worker_and_connection() {
    let program = |_, mut socket: UnixStream| {
        while read_request(&socket).is_some() {
            socket.write_all(&[out(HEAD), out("beginning")].concat()).unwrap();
            pause(STEP / 4);
            socket.write_all(&[out("x".repeat(30_000)), end(0)].concat()).unwrap();
        }
    };
    with_program(told(), program, |host| {
        leaves(host);
        assert!(host.pool.lease_now().is_none(), "its worker is busy");
        drop(host.lease());
        assert!(host.worker.take_parked().is_some() && !host.worker.is_withdrawn());
    });
}

#[test]
fn a_script_that_prints_on_without_its_client_finds_nobody_and_keeps_its_worker() {
    let (wrote, has_ended) = mpsc::channel();
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&[out(HEAD), out("beginning")].concat()).unwrap();
        let failed = (0..1000).any(|_| {
            pause(STEP / 10);
            socket.write_all(&out("drop ")).is_err()
        });
        wrote.send(failed).unwrap();
    };
    with_program(told(), program, |host| {
        leaves(host);
        assert!(host.pool.lease_now().is_none(), "its worker is busy");
        drop(host.lease());
        assert!(has_ended.recv_timeout(PATIENCE).unwrap(), "its next word reaches nobody");
        assert!(!host.worker.is_withdrawn() && host.worker.take_parked().is_none());
    });
}

#[test]
fn a_script_that_says_nothing_when_its_client_has_left_goes_on_to_its_end() {
    let (go_on, until) = mpsc::channel::<()>();
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        socket.write_all(&[out(HEAD), out("beginning")].concat()).unwrap();
        until.recv_timeout(PATIENCE).unwrap();
        socket.write_all(&end(0)).unwrap();
        let _ = socket.read(&mut [0]);
    };
    with_program(told(), program, |host| {
        leaves(host);
        pause(3 * STEP);
        assert!(host.pool.lease_now().is_none() && !host.worker.is_withdrawn(), "its worker is busy");
        go_on.send(()).unwrap();
        drop(host.lease());
        assert!(host.worker.take_parked().is_some(), "and its connection is good");
    });
}

#[test]
fn a_script_that_goes_on_for_ever_without_its_client_is_ended_when_its_time_is_over() {
    let (silence, whole) = (3 * STEP, 9 * STEP);
    for (prints, limit) in [(false, "activityTimeout"), (true, "requestTimeout")] {
        let told = FastCgiPassing { activity_timeout: silence, request_timeout: whole, ..told() };
        let (ended, is_ended) = mpsc::channel::<()>();
        let program = move |_, mut socket: UnixStream| {
            read_request(&socket).unwrap();
            socket.write_all(&[out(HEAD), out("beginning")].concat()).unwrap();
            if prints {
                pause(STEP);
                socket.write_all(&out("more")).unwrap();
            }
            is_ended.recv_timeout(PATIENCE).unwrap();
        };
        with_program(told, program, |host| {
            leaves(host);
            let why = host.block_on(host.worker.reported_stuck());
            assert!(why.contains(limit), "{why}");
            host.block_on(host.worker.drained());
            ended.send(()).unwrap();
        });
    }
}

#[test]
fn a_worker_that_is_to_end_goes_on_to_the_end_of_its_script() {
    let ((asked, is_asked), (go_on, until)) = (mpsc::channel(), mpsc::channel());
    let program = move |_, mut socket: UnixStream| {
        read_request(&socket).unwrap();
        asked.send(()).unwrap();
        until.recv_timeout(PATIENCE).unwrap();
        socket.write_all(&out("Content-Type: a/b\nContent-Length: 4\n\ndone")).unwrap();
        until.recv_timeout(PATIENCE).unwrap();
        socket.write_all(&end(0)).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0, "then its connection is closed");
    };
    with_program(told(), program, |host| {
        let (pool, worker, may_answer) = (host.pool.clone(), host.worker.clone(), go_on.clone());
        let recycling = std::thread::spawn(move || {
            is_asked.recv_timeout(PATIENCE).unwrap();
            pool.withdraw(&worker);
            may_answer.send(()).unwrap();
        });
        assert!(host.ask(GET).0.is_ok() && host.worker.in_flight() == 1, "its worker is busy");
        recycling.join().unwrap();
        go_on.send(()).unwrap();
        host.block_on(host.worker.drained());
    });
}
