//! Records cut anywhere, programs that die at any byte, and what no program may send.

use std::io::Write;

use super::{
    Answered, FastCgiPassing, GET, HEAD, always, answer, end, out, read_request, record, told, with_program,
};
use crate::config::fastcgi::StderrMode;
use crate::failure::Failure;

/// Whatever is legal, in one answer.
fn odd_answer() -> Vec<u8> {
    [
        record(7, b"before", 255),
        record(6, b"Content-Ty", 255),
        record(7, b"between\n", 1),
        vec![1, 11, 0, 0, 0, 8, 3, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        record(6, b"", 0),
        record(6, b"pe: a/b\r\n\r", 0),
        record(6, b"\nhe", 7),
        record(6, b"llo", 0),
        record(7, b"", 0),
        end(0),
    ]
    .concat()
}

#[test]
fn an_answer_means_the_same_wherever_it_is_cut() {
    let bytes = odd_answer();
    let whole = bytes.len();
    let mut cut = 0;
    let program = move |_, mut socket: std::os::unix::net::UnixStream| {
        while read_request(&socket).is_some() {
            cut += 1;
            let (first, second) = bytes.split_at(cut);
            socket.write_all(first).unwrap();
            std::thread::yield_now();
            socket.write_all(second).unwrap();
        }
    };
    with_program(told(), program, |host| {
        for cut in 1..whole {
            let (ended, received) = host.ask(GET);
            assert!(ended.is_ok(), "cut at {cut}: {:?}", ended.err());
            let body = received.split_once("\r\n\r\n").unwrap().1;
            let data: String = body.split("\r\n").filter(|line| line.parse::<u8>().is_err()).collect();
            assert_eq!(data, "hello", "cut at {cut}: {received}");
        }
    });
}

#[test]
fn a_program_that_dies_at_any_byte_is_told_and_its_connection_never_used_again() {
    let bytes = odd_answer();
    let whole = bytes.len();
    let mut length = 0;
    let program = move |_, mut socket: std::os::unix::net::UnixStream| {
        if read_request(&socket).is_some() {
            socket.write_all(&bytes[..length]).unwrap();
            length += 1;
        }
    };
    with_program(told(), program, |host| {
        host.tell_its_end();
        for length in 0..whole {
            let (ended, received) = host.ask(GET);
            match ended {
                Err(Failure::ClosedBeforeAnswer | Failure::ClosedInHead) => assert_eq!(received, ""),
                Err(Failure::Truncated) => assert!(!received.ends_with("0\r\n\r\n")),
                Err(other) => panic!("after {length} bytes: {other:?}"),
                Ok(_) => panic!("after {length} bytes it is whole: {received}"),
            }
            drop(host.lease());
            assert!(host.worker.take_parked().is_none());
        }
    });
}

#[test]
fn what_no_program_may_send_is_told_by_its_own_cause() {
    type Is = fn(&Failure) -> bool;
    let too_large = format!("Content-Type: a/b\nX-A: {}\n", "x".repeat(70_000));
    let cases: Vec<(Vec<u8>, Is)> = vec![
        (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), |failure| matches!(failure, Failure::BadRecord(_))),
        (record(99, b"x", 0), |failure| matches!(failure, Failure::BadRecord(_))),
        (vec![1, 6, 0, 2, 0, 0, 0, 0], |failure| matches!(failure, Failure::BadRecord(_))),
        (end(1), |failure| matches!(failure, Failure::Rejected(_))),
        (end(2), |failure| matches!(failure, Failure::Rejected(_))),
        (end(3), |failure| matches!(failure, Failure::UnknownRole)),
        (end(9), |failure| matches!(failure, Failure::BadRecord(_))),
        (end(0), |failure| matches!(failure, Failure::EndedInHead { exit_code: 0 })),
        ([out("Content-Type: a/b\n"), end(0)].concat(), |failure| {
            matches!(failure, Failure::EndedInHead { .. })
        }),
        ([out("PHP Warning\n\nx"), end(0)].concat(), |failure| matches!(failure, Failure::BadCgi(_))),
        ([out("Status: 100\n\n"), end(0)].concat(), |failure| matches!(failure, Failure::BadCgi(_))),
        ([out(&too_large), out("\n"), end(0)].concat(), |failure| {
            matches!(failure, Failure::AnswerHeadTooLarge(_))
        }),
    ];
    for (bytes, is_it) in cases {
        let said = String::from_utf8_lossy(&bytes).chars().take(40).collect::<String>();
        with_program(told(), always(bytes), move |host| {
            let (ended, received) = host.ask(GET);
            let failure = ended.err().expect("it is refused");
            assert!(is_it(&failure) && received.is_empty(), "{said:?}: {failure:?}");
            host.block_on(host.worker.drained());
            if host.worker.is_withdrawn() {
                // Nobody knows where the next record would begin, or what it is doing.
                return assert!(matches!(failure, Failure::BadRecord(_)), "{said:?}");
            }
            // The next request is none the worse for it.
            let (ended, _) = host.ask(GET);
            assert!(is_it(&ended.err().unwrap()), "{said:?}");
        });
    }
}

#[test]
fn what_is_written_to_stderr_changes_the_answer_as_the_pool_says() {
    let complaint = record(7, b"PHP Notice: x", 0);
    let before = [complaint.clone(), answer("page")].concat();
    let behind = [out(HEAD), out("page"), complaint, end(0)].concat();
    for bytes in [before, behind] {
        for (mode, body, is_stuck) in [
            (StderrMode::Pass, Some("page"), false),
            (StderrMode::Ignore, Some("page"), false),
            (StderrMode::ReturnIn500, Some("PHP Notice: x"), false),
            (StderrMode::Generic500, None, false),
            (StderrMode::Terminate, None, true),
        ] {
            let told = FastCgiPassing { stderr: mode, ..told() };
            with_program(told, always(bytes.clone()), move |host| {
                let (ended, received) = host.ask(GET);
                match body {
                    Some(body) => {
                        assert!(matches!(ended, Ok(Answered::Whole)), "{mode:?}");
                        assert!(
                            received.ends_with(&format!("\r\n\r\n{body}"))
                                || received.contains(&format!("\r\n{body}\r\n")),
                            "{mode:?}: {received}"
                        );
                        assert_eq!(received.starts_with("HTTP/1.1 500"), mode == StderrMode::ReturnIn500);
                    }
                    None => {
                        assert!(matches!(ended, Err(Failure::Complained)) && received.is_empty(), "{mode:?}")
                    }
                }
                assert_eq!(host.worker.is_withdrawn(), is_stuck, "{mode:?}");
            });
        }
        // Without a complaint they are as any other.
        let told = FastCgiPassing { stderr: StderrMode::Generic500, ..told() };
        with_program(told, always(answer("page")), |host| {
            assert!(host.ask(GET).1.ends_with("\r\n\r\npage"));
        });
    }
}
