//! Scripts that go on when their client has its answer: they end when they are done, not when somebody else is.

use nix::sys::signal::Signal;

use super::{SAYS_PID, all_end, php_site, pid};
use crate::harness::{PATIENCE, Site, eventually};

/// Answers, waits for the file `go`, and books.
const BOOKS: &str = "<?php header('Content-Length: 5'); echo 12345; while (ob_get_level()) ob_end_flush(); flush(); \
    touch(__DIR__ . '/answered'); \
    for ($i = 0; $i < 3000 && !file_exists(__DIR__ . '/go'); $i++) { usleep(10000); clearstatcache(); } touch(__DIR__ . '/booked');";

fn booking(attributes: &str) -> Site {
    php_site(attributes).file("books.php", BOOKS).file("pid.php", SAYS_PID)
}

fn is_booked(site: &Site) {
    eventually(PATIENCE, "what the script does behind its answer", || {
        site.path().join("booked").exists().then_some(())
    });
}

#[test]
fn a_script_goes_on_behind_its_answer_while_the_host_ends() {
    let site = booking("");
    let mut host = site.serve();
    let program = pid(&host, "/pid.php");
    pid(&host, "/books.php");
    host.signal(Signal::SIGTERM);
    // Who listens no more is ending.
    eventually(PATIENCE, "the end of the listener", || {
        std::net::TcpStream::connect(("127.0.0.1", host.port())).is_err().then_some(())
    });
    site.write("go", "");
    host.wait_for_end();
    assert!(site.path().join("booked").exists());
    all_end(&[program], "php-cgi");
}

#[test]
fn a_script_goes_on_behind_its_answer_while_its_program_is_replaced() {
    let site = booking(r#"maxInstances="1" instanceMaxRequests="2""#);
    let host = site.serve();
    let program = pid(&host, "/pid.php");
    pid(&host, "/books.php");
    site.write("web.config", &super::php_config(r#"maxInstances="2""#));
    // Of the next generation.
    assert_ne!(pid(&host, "/pid.php"), program);
    site.write("go", "");
    is_booked(&site);
    all_end(&[program], "the program of before");
}
