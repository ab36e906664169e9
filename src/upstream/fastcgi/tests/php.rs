//! The program that matters most: php-cgi, with its listening socket as descriptor 0.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use super::{FastCgiPassing, GET, Host, told};
use crate::failure::Failure;

struct Php {
    child: Child,
    folder: tempfile::TempDir,
    host: Host,
}

impl Php {
    #[expect(clippy::disallowed_methods, reason = "the test is the owner and ends it with its drop")]
    fn start(told: FastCgiPassing) -> Php {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let child = Command::new("php-cgi")
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .env("PHP_FCGI_MAX_REQUESTS", "100")
            .spawn()
            .expect("php-cgi is installed");
        let host = Host::new(&socket, told);
        Php { child, folder, host }
    }

    fn script(&mut self, method: &str, text: &str) {
        let path = self.folder.path().join("a.php");
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.host.params = [
            ("SCRIPT_FILENAME", path.as_str()),
            ("SCRIPT_NAME", "/a.php"),
            ("REQUEST_METHOD", method),
            ("REDIRECT_STATUS", "200"),
            ("CONTENT_TYPE", "application/octet-stream"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn php_answers_one_request_after_the_other_on_one_connection() {
    let mut php = Php::start(told());
    php.script(
        "GET",
        "<?php header('X-A: b'); http_response_code(418); echo getmypid(), ' ', str_repeat('x', 9);",
    );
    for _ in 0..20 {
        let (ended, received) = php.host.ask(GET);
        assert!(ended.is_ok(), "{:?}", ended.err());
        assert!(received.starts_with("HTTP/1.1 418 ") && received.contains("X-A: b\r\n"), "{received}");
        assert!(received.ends_with(&format!("\r\n\r\n{} xxxxxxxxx", php.child.id())), "{received}");
        assert!(
            php.host
                .block_on(async { php.host.worker.take_parked().map(|socket| php.host.worker.park(socket)) })
                .is_some()
        );
    }
}

#[test]
fn php_is_given_bodies_of_both_kinds() {
    let mut php = Php::start(told());
    php.script("POST", "<?php echo md5(file_get_contents('php://input')), $_SERVER['CONTENT_LENGTH'];");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n{}\r\n0\r\n\r\n",
        "a".repeat(200_000)
    );
    let (ended, received) = php.host.ask(request);
    assert!(ended.is_ok(), "{:?}", ended.err());
    // Of two hundred thousand times the letter a.
    assert!(received.ends_with("200000"), "{received}");
    let chunked = received.split("\r\n\r\n").nth(1).unwrap().to_owned();
    php.host.params.push(("CONTENT_LENGTH".to_owned(), "200000".to_owned()));
    let request =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "a".repeat(200_000));
    let (ended, received) = php.host.ask(request);
    assert!(ended.is_ok(), "{:?}", ended.err());
    assert_eq!(received.split("\r\n\r\n").nth(1).unwrap(), chunked);
}

#[test]
fn php_that_reads_nothing_of_a_body_serves_the_next_request() {
    let mut php = Php::start(told());
    php.script("POST", "<?php echo 'unread';");
    php.host.params.push(("CONTENT_LENGTH".to_owned(), "500000".to_owned()));
    let request =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n{}", "a".repeat(500_000));
    for _ in 0..3 {
        let (ended, received) = php.host.ask(&request);
        assert!(ended.is_ok() && received.contains("unread"), "{:?}", ended.err());
    }
    php.script("GET", "<?php echo 'next';");
    assert!(php.host.ask(GET).1.ends_with("next"));
}

#[test]
fn php_whose_client_has_left_ends_its_script_with_its_next_output_and_serves_the_next_request() {
    let mut php = Php::start(told());
    php.script("GET", "<?php while (true) { echo str_repeat('x', 9000); flush(); }");
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let client = std::thread::spawn(move || {
        use std::io::{Read, Write};
        theirs.write_all(GET.as_bytes()).unwrap();
        theirs.read_exact(&mut [0; 20_000]).unwrap();
    });
    let ended = php.host.serve(ours);
    client.join().unwrap();
    assert!(matches!(ended, Err(Failure::ClientGone)));
    php.script("GET", "<?php echo getmypid();");
    assert!(php.host.ask(GET).1.ends_with(&php.child.id().to_string()));
}

#[test]
fn php_that_hangs_is_given_up() {
    let step = std::time::Duration::from_millis(300);
    let mut php = Php::start(FastCgiPassing { activity_timeout: step, ..told() });
    php.script("GET", "<?php sleep(60);");
    let (ended, _) = php.host.ask(GET);
    assert!(matches!(ended, Err(Failure::Inactive { .. })));
    assert!(php.host.worker.is_withdrawn());
}
