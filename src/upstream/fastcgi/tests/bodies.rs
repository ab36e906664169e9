//! Bodies of requests on their way to a program.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::{Answered, always, answer, end, out, read_request, told, with_program};
use crate::failure::Failure;

/// Answers with how many bytes came, and a sum over them, and the parameters.
fn summing(_: usize, mut socket: UnixStream) {
    while let Some(request) = read_request(&socket) {
        let sum: u64 = request.body.iter().map(|byte| u64::from(*byte)).sum();
        let params = String::from_utf8_lossy(&request.params).into_owned();
        let text = format!("{} {sum} {params}", request.body.len());
        socket.write_all(&answer(&text)).unwrap();
    }
}

fn body_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn bodies_arrive_whole_whatever_their_size() {
    with_program(told(), summing, |host| {
        for length in [0, 1, 4000, 65_528, 65_529, 3_000_000] {
            let body = body_of(length);
            let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            let (ended, received) = host.ask([head.as_bytes(), &body].concat());
            assert!(matches!(ended, Ok(Answered::Whole)), "{length}");
            assert!(received.contains(&format!("\r\n\r\n{length} {sum} ")), "{length}: {received}");
        }
    });
}

#[test]
fn a_body_in_chunks_is_kept_until_its_length_is_known() {
    with_program(told(), summing, |host| {
        for (length, chunk) in [(0, 1), (7, 3), (65_536, 1000), (65_537, 70_000), (400_000, 9999)] {
            let body = body_of(length);
            let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
            let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for piece in body.chunks(chunk) {
                request.extend(format!("{:x}\r\n", piece.len()).bytes());
                request.extend(piece);
                request.extend(b"\r\n");
            }
            request.extend(b"0\r\n\r\n");
            let (ended, received) = host.ask(request);
            assert!(matches!(ended, Ok(Answered::Whole)), "{length}");
            let expected = format!("\r\n\r\n{length} {sum} ");
            assert!(received.contains(&expected), "{length}: {received}");
            assert!(received.ends_with(&format!("CONTENT_LENGTH{length}")), "{received}");
        }
    });
}

#[test]
fn a_body_in_chunks_that_is_too_large_reaches_nobody() {
    let program = |_, _: UnixStream| panic!("it was asked");
    with_program(told(), program, |host| {
        let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        request.extend(b"200000\r\n");
        request.extend(vec![b'x'; 0x20_0000]);
        let (ended, _) = host.ask(request);
        assert!(matches!(ended, Err(Failure::BodyTooLarge(limit)) if limit == 1 << 20));
    });
}

#[test]
fn a_program_that_answers_before_it_has_read_the_body_gets_no_other_request_on_that_connection() {
    let program = |_, mut socket: UnixStream| {
        // The begin and no more of it than a byte.
        let _ = std::io::Read::read(&mut socket, &mut [0]);
        let _ = socket.write_all(&answer("early"));
        let _ = std::io::Read::read_to_end(&mut socket, &mut Vec::new());
    };
    with_program(told(), program, |host| {
        let length = 8 << 20;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let (ended, received) = host.ask([head.as_bytes(), &vec![b'x'; length]].concat());
        assert!(ended.is_ok() && received.contains("early"), "{received}");
        drop(host.lease());
        assert!(host.worker.take_parked().is_none());
    });
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    with_program(told(), summing, |host| {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let (ours, theirs) = UnixStream::pair().unwrap();
        let client = std::thread::spawn(move || {
            let mut theirs = theirs;
            theirs.write_all(head.as_bytes()).unwrap();
            let mut word = [0; 25];
            std::io::Read::read_exact(&mut theirs, &mut word).unwrap();
            theirs.write_all(&[1, 1, 1]).unwrap();
            let mut received = String::new();
            let _ = std::io::Read::read_to_string(&mut theirs, &mut received);
            (String::from_utf8_lossy(&word).into_owned(), received)
        });
        assert!(host.serve(ours).is_ok());
        let (word, received) = client.join().unwrap();
        assert_eq!(word, "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(received.contains("\r\n\r\n3 3 "), "{received}");
    });
}

#[test]
fn one_that_is_written_only_while_it_is_read_dead_locks_nobody() {
    // Fills its output before it reads the body.
    let program = |_, mut socket: UnixStream| {
        let large = "y".repeat(2_000_000);
        socket.write_all(&[out(super::HEAD), out(large)].concat()).unwrap();
        read_request(&socket).unwrap();
        socket.write_all(&end(0)).unwrap();
    };
    with_program(told(), program, |host| {
        let length = 2 << 20;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let (ended, received) = host.ask([head.as_bytes(), &vec![b'x'; length]].concat());
        assert!(ended.is_ok() && received.matches('y').count() > 1_999_999);
    });
    with_program(told(), always(answer("fine")), |host| assert!(host.ask(super::GET).0.is_ok()));
}

/// Its place and its connection come back with its END_REQUEST, and its client waits for neither.
#[test]
fn a_program_that_reads_its_body_after_its_answer_is_given_all_of_it() {
    let (go_on, until) = std::sync::mpsc::channel::<()>();
    let (tell, told_of) = std::sync::mpsc::channel();
    let program = move |_, mut socket: UnixStream| {
        socket.write_all(&out("Content-Type: a/b\nContent-Length: 5\n\nhello")).unwrap();
        until.recv_timeout(super::PATIENCE).unwrap();
        tell.send(read_request(&socket).unwrap().body).unwrap();
        socket.write_all(&end(0)).unwrap();
        let _ = std::io::Read::read(&mut socket, &mut [0]);
    };
    with_program(told(), program, |host| {
        let body = body_of(3 << 20);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        let (ended, received) = host.ask([head.as_bytes(), &body].concat());
        assert!(ended.is_ok() && received.ends_with("\r\n\r\nhello"), "{received}");
        assert!(host.pool.lease_now().is_none(), "its worker is busy");
        go_on.send(()).unwrap();
        drop(host.lease());
        assert!(told_of.recv().unwrap() == body);
        assert!(host.worker.take_parked().is_some(), "and its connection is good");
    });
}

#[test]
fn a_program_that_answers_without_reading_its_body_and_never_ends_is_given_up() {
    let limit = std::time::Duration::from_millis(300);
    let told = super::FastCgiPassing { request_timeout: limit, ..told() };
    let program = |_, mut socket: UnixStream| {
        socket.write_all(&out("Content-Type: a/b\nContent-Length: 5\n\nhello")).unwrap();
        let _ = rustix::net::recv(&socket, &mut [0], rustix::net::RecvFlags::empty());
        while socket.write_all(&super::record(7, b"x", 0)).is_ok() {
            std::thread::yield_now();
        }
    };
    with_program(told, program, |host| {
        let body = body_of(1 << 20);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        let (ended, received) = host.ask([head.as_bytes(), &body].concat());
        assert!(ended.is_ok() && received.ends_with("\r\n\r\nhello"), "{received}");
        let why = host.block_on(host.worker.reported_stuck());
        assert!(why.contains("requestTimeout"), "{why}");
        host.block_on(host.worker.drained());
    });
}
