//! Clients that go away: their script ends as it would have them, and its worker is there for others.

use super::{act, goes_on, notes, nothing_violated, php_site, pid, programs, scripted};
use crate::harness::{Host, PATIENCE, RawClient, eventually, holds_for};

/// A client that leaves in the middle of an answer, with a reset.
#[track_caller]
fn leaves_within_the_body(host: &Host, target: &str, before: &[u8]) {
    use std::io::{Read, Write};
    let mut stream = super::exchange::connect(host);
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).unwrap();
    let mut read = Vec::new();
    let mut part = [0; 1024];
    while !read.windows(before.len()).any(|window| window == before) {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "ended before {before:?}");
        read.extend_from_slice(&part[..length]);
    }
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

// Row 10.
#[test]
fn a_script_whose_client_has_gone_ends_and_its_worker_serves_the_next() {
    let site = scripted(r#"maxInstances="1""#);
    let host = site.serve();
    let program = goes_on(&host);
    for number in 1..=3 {
        leaves_within_the_body(&host, &act("drips"), b"drop ");
        assert_eq!(goes_on(&host), program);
        assert_eq!(notes(&site, "noticed.log").len(), number);
    }
    nothing_violated(&site);
}

#[test]
fn a_page_of_php_whose_client_has_gone_ends() {
    let endless = "<?php ignore_user_abort(false); register_shutdown_function(fn () => touch(__DIR__ . '/ended')); \
        while (ob_get_level()) ob_end_flush(); while (true) { echo 'drop '; flush(); usleep(5000); }";
    let site = php_site(r#"maxInstances="1""#).file("endless.php", endless).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let program = pid(&host, "/pid.php");
    leaves_within_the_body(&host, "/endless.php", b"drop ");
    // One worker is all there is.
    assert_eq!(pid(&host, "/pid.php"), program);
    assert!(site.path().join("ended").exists());
    assert_eq!(programs(&host, "php-cgi"), [program]);
}

/// A script that says nothing goes on to its end: it may have an order to book.
#[test]
fn a_client_that_leaves_before_the_answer_ends_no_script() {
    let site = scripted(r#"maxInstances="1""#);
    let host = site.serve();
    let program = goes_on(&host);
    let mut client = RawClient::connect(&host);
    client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("takes=1")));
    eventually(PATIENCE, "its beginning", || (!notes(&site, "spans.log").is_empty()).then_some(()));
    drop(client);
    assert_eq!(goes_on(&host), program);
    assert_eq!(notes(&site, "spans.log"), [format!("{program} begins"), format!("{program} ends")]);
    nothing_violated(&site);
}

#[test]
fn a_script_that_wants_to_finish_without_its_client_does() {
    let books = "<?php ignore_user_abort(true); while (ob_get_level()) ob_end_flush(); \
        for ($i = 0; $i < 100; $i++) { echo 'drop '; flush(); usleep(5000); } \
        file_put_contents(__DIR__ . '/booked', connection_aborted());";
    let site = php_site(r#"maxInstances="1""#).file("books.php", books).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let program = pid(&host, "/pid.php");
    leaves_within_the_body(&host, "/books.php", b"drop ");
    assert_eq!(pid(&host, "/pid.php"), program);
    assert_eq!(std::fs::read_to_string(site.path().join("booked")).unwrap(), "1");
}

#[test]
fn a_client_that_dies_in_its_upload_frees_the_worker() {
    let site = php_site(r#"maxInstances="1""#).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    for sent in [0, 10_000, 400_000] {
        let mut client = RawClient::connect(&host);
        client.send("POST /tells.php HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n");
        client.send(vec![b'x'; sent]);
        drop(client);
        pid(&host, "/pid.php");
    }
    let scripted = scripted(r#"maxInstances="1""#);
    let host = scripted.serve();
    let mut client = RawClient::connect(&host);
    client.send(format!(
        "POST {} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        act("tells")
    ));
    drop(client);
    goes_on(&host);
    nothing_violated(&scripted);
}

#[test]
fn clients_that_come_and_go_leave_no_processes_and_no_files_open() {
    let site = php_site(r#"maxInstances="2""#)
        .file("big.php", "<?php echo str_repeat('0123456789', 300000);")
        .file("pid.php", super::SAYS_PID);
    let host = site.serve();
    pid(&host, "/pid.php");
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap().count();
    let before = descriptors();
    for _ in 0..30 {
        leaves_within_the_body(&host, "/big.php", b"0123456789");
    }
    pid(&host, "/pid.php");
    eventually(PATIENCE, "as few descriptors as before", || (descriptors() <= before + 8).then_some(()));
    holds_for(std::time::Duration::from_millis(200), "no more programs than allowed", || {
        programs(&host, "php-cgi").len() <= 2
    });
}

/// A client that reads slowly holds its connection, not the only worker.
#[test]
fn a_slow_reader_does_not_hold_the_worker_for_an_answer_of_a_megabyte() {
    let site = php_site(r#"maxInstances="1""#)
        .file("big.php", "<?php echo str_repeat('0123456789', 100000);")
        .file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let mut slow = RawClient::connect(&host);
    slow.send("GET /big.php HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(slow.read_head().status(), 200);
    pid(&host, "/pid.php");
    let mut body = Vec::new();
    loop {
        let (_, data) = slow.read_chunk();
        if data.is_empty() {
            break;
        }
        body.extend(data);
    }
    assert_eq!(body.len(), 1_000_000);
}
