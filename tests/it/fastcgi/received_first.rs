//! A program is asked when all of a request is here, and only for a client that still is.

use super::{act, ask, goes_on, notes, php_site, pid, request, scripted};
use crate::harness::{Host, PATIENCE, RawClient, eventually};

/// The default of `maxInstances` is small: so many clients who say nothing more would be all there is.
#[test]
fn clients_that_owe_their_body_keep_no_program_busy() {
    let site = php_site(r#"maxInstances="1""#).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    let owing: Vec<RawClient> = (0..4)
        .map(|_| {
            let mut client = RawClient::connect(&host);
            client.send("POST /pid.php HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nonly ");
            client
        })
        .collect();
    assert_eq!(pid(&host, "/pid.php"), first);
    for mut client in owing {
        client.send("half.");
        assert_eq!(client.read_response("POST").status(), 200);
    }
    assert_eq!(pid(&host, "/pid.php"), first, "nobody had to end");
}

/// Head and body in one piece, so large that they fill what the host reads into.
#[test]
fn a_client_that_leaves_after_its_body_is_noticed() {
    let site = scripted(r#"maxInstances="1""#);
    let host = site.serve();
    goes_on(&host);
    let mut busy = RawClient::connect(&host);
    busy.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("takes=1")));
    eventually(PATIENCE, "the request at its worker", || {
        notes(&site, "requests.log").iter().any(|line| line.contains("takes")).then_some(())
    });
    for length in [10, 20_000, 100_000] {
        let mut leaving = RawClient::connect(&host);
        let head =
            format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n", act("ghost"));
        leaving.send([head.as_bytes(), &vec![b'x'; length]].concat());
    }
    assert_eq!(busy.read_response("GET").status(), 200);
    goes_on(&host);
    let ghosts = notes(&site, "requests.log").iter().filter(|line| line.contains("ghost")).count();
    assert_eq!(ghosts, 0, "nobody waits for these");
}

#[test]
fn what_is_kept_for_programs_has_a_limit() {
    let site = scripted(r#"maxInstances="1""#);
    let host = Host::of(site.path()).without_waiting().limit("spooledBytes", "1MiB").start();
    for _ in 0..3 {
        let body = "x".repeat(1_200_000);
        let response = request(&host, "POST", &act("tells"), &["Content-Length: 1200000"], &body);
        assert_eq!(response.status(), 503);
        assert!(response.text().contains("spooledBytes"), "{}", response.text());
        // It is given back when its request is over, which its client may see a moment earlier.
        eventually(PATIENCE, "room", || {
            let body = "x".repeat(900_000);
            let response = request(&host, "POST", &act("tells"), &["Content-Length: 900000"], &body);
            (response.status() == 200).then_some(())
        });
    }
    assert_eq!(ask(&host, &act("tells"), &[]).status(), 200);
}
