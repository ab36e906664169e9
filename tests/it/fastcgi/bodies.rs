//! Bodies of requests: every size on both sides of a record, without a length, faster and slower than the program.

use std::time::Duration;

use serde_json::Value;

use super::{
    Exchange, act, exchange, failure, fnv, goes_on, notes, nothing_violated, php_site, posted, request,
    scripted,
};
use crate::harness::{Host, RawClient, curl};

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

// Row 9.
#[test]
fn bodies_around_the_size_of_a_record_arrive() {
    let php = php_site("");
    let (php, scripted) = (php.serve(), scripted(""));
    let own = scripted.serve();
    for length in
        [0, 1, 2, 127, 128, 8192, 16_384, 16_385, 65_527, 65_528, 65_529, 65_535, 65_536, 131_056, 131_057]
    {
        let body = bytes(length);
        for (host, target) in [(&php, "/tells.php".to_owned()), (&own, act("tells"))] {
            let told = posted(host, &target, &body);
            assert_eq!((&told["length"], &told["hash"]), (&length.into(), &fnv(&body).into()), "{target}");
        }
    }
    nothing_violated(&scripted);
}

#[test]
fn a_hundred_megabytes_arrive() {
    // PHP's own limit does not hold for types it does not parse.
    let site = php_site("").file("count.php", "<?php $n = 0; $in = fopen('php://input', 'r'); while (!feof($in)) $n += strlen(fread($in, 1 << 20)); echo $n, ' ', $_SERVER['CONTENT_LENGTH'];");
    // Without this the host's own limit is IIS's, 30,000,000 bytes.
    let limits = r#"<security><requestFiltering><requestLimits maxAllowedContentLength="200000000"/></requestFiltering></security>"#;
    let site = site.element(limits);
    let host = site.serve();
    let path = site.path().join("zeros");
    std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let data = format!("@{}", path.display());
    let said = curl([
        "-H",
        "Content-Type: application/octet-stream",
        "-H",
        "Expect:",
        "--data-binary",
        &data,
        &host.url("/count.php"),
    ]);
    assert_eq!(said.success().text(), format!("{0} {0}", 100 << 20));
}

/// PHP would see an empty body: it must be counted before it is told.
#[test]
fn a_body_of_unknown_length_arrives_with_its_length() {
    let site = php_site("");
    let host = site.serve();
    for length in [0, 1, 5000, 70_000, 300_000] {
        let body = bytes(length);
        let mut client = RawClient::connect(&host);
        client.send("POST /tells.php HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in body.chunks(3000) {
            client.send(format!("{:x}\r\n", part.len()));
            client.send(part);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        let response = client.read_response("POST");
        assert_eq!(response.status(), 200, "{length}: {}", response.text());
        let told: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((&told["length"], &told["hash"]), (&length.into(), &fnv(&body).into()));
        assert_eq!(told["server"]["CONTENT_LENGTH"], length.to_string());
        assert!(told["server"]["HTTP_TRANSFER_ENCODING"].is_null(), "{told:#}");
    }
}

#[test]
fn a_body_of_http_2_without_a_length_arrives() {
    let site = php_site("");
    let host = site.serve();
    let body = bytes(200_000);
    let path = site.path().join("body.bin");
    std::fs::write(&path, &body).unwrap();
    // curl knows no length of what comes through a pipe.
    let pipe = format!(
        "cat '{}' | curl -s --noproxy '*' --http2-prior-knowledge -X POST -H 'Content-Type: a/b' -T - '{}'",
        path.display(),
        host.url("/tells.php")
    );
    let mut shell = crate::harness::command("sh");
    let told = shell.args(["-c", &pipe]).output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["length"], &told["hash"]), (&body.len().into(), &fnv(&body).into()));
}

/// What was spooled does not stay on the disk.
#[test]
fn nothing_of_a_spooled_body_is_left() {
    let site = php_site("");
    let spool = crate::harness::Site::named("spool");
    let setup = Host::of(site.path()).without_waiting();
    let host = setup.env("TMPDIR", spool.path().to_str().unwrap()).start();
    let url = host.url("/tells.php");
    let data = site.path().join("zeros");
    std::fs::File::create(&data).unwrap().set_len(3 << 20).unwrap();
    let told = curl([
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Content-Type: a/b",
        "--data-binary",
        &format!("@{}", data.display()),
        &url,
    ]);
    assert_eq!(told.success().json()["length"], 3 << 20);
    let left = walk(spool.path());
    assert!(!left.iter().any(|length| *length >= 1 << 20), "files of these lengths are left: {left:?}");
}

fn walk(folder: &std::path::Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut lengths = Vec::new();
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => lengths.append(&mut walk(&entry.path())),
            Ok(metadata) => lengths.push(metadata.len()),
            Err(_) => {}
        }
    }
    lengths
}

/// A program that answers while it reads must not be able to block the host, nor the host it.
#[test]
fn both_ways_flow_at_once() {
    let site = scripted("");
    let host = site.serve();
    let body = bytes(8 << 20);
    let answer = std::thread::scope(|scope| {
        let mut stream = exchange::connect(&host);
        let mut writer = stream.try_clone().unwrap();
        let body = &body;
        let sends = scope.spawn(move || {
            use std::io::Write;
            let head = format!(
                "POST {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                act("both-ways"),
                body.len()
            );
            writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(body)).unwrap();
        });
        let answer = exchange::read(&mut stream, "POST");
        sends.join().unwrap();
        answer
    });
    assert_eq!((answer.status, answer.whole), (200, true));
    assert!(answer.body == body, "{} of {} bytes", answer.body.len(), body.len());
    nothing_violated(&site);
}

#[test]
fn an_answer_before_the_body_was_read_arrives_and_the_next_request_is_not_confused() {
    let site = scripted(r#"maxInstances="1""#);
    let host = site.serve();
    for length in [10, 1000, 100_000, 5 << 20] {
        let answer: Exchange = exchange(&host, "POST", &act("early"), &bytes(length));
        // The client may be cut off in its upload: what it then sees is a matter of TCP.
        assert!(
            answer.status == 200 && answer.body == b"early" || answer.status == 0,
            "{length}: {answer:?}"
        );
        goes_on(&host);
    }
    nothing_violated(&site);
}

#[test]
fn a_page_of_php_that_ignores_its_body_leaves_the_next_request_alone() {
    let site = php_site(r#"maxInstances="1""#).file("ignores.php", "<?php echo 'ignored';");
    let host = site.serve();
    for length in [10, 70_000, 1 << 20] {
        let answer = exchange(&host, "POST", "/ignores.php", &bytes(length));
        assert!(answer.status == 200 && answer.body == b"ignored" || answer.status == 0, "{answer:?}");
        assert_eq!(posted(&host, "/tells.php", "abc")["length"], 3);
    }
}

/// A worker that waited for a slow client could serve nobody else meanwhile.
#[test]
fn slow_uploads_do_not_hold_the_only_worker() {
    let site = php_site(r#"maxInstances="1""#);
    let host = site.serve();
    let mut slow = RawClient::connect(&host);
    slow.send("POST /tells.php HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n");
    slow.send(bytes(40_000));
    for _ in 0..5 {
        assert_eq!(super::json(&host, "/tells.php")["length"], 0);
    }
    assert!(slow.is_silent_for(Duration::from_millis(1)));
    slow.send(&bytes(100_000)[40_000..]);
    let told: Value = serde_json::from_slice(&slow.read_response("POST").body).unwrap();
    assert_eq!(told["hash"], fnv(&bytes(100_000)));
}

#[test]
fn a_client_that_waits_for_100_gets_it() {
    let site = php_site("");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client
        .send("POST /tells.php HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_head().status(), 100);
    client.send("hello");
    let told: Value = serde_json::from_slice(&client.read_response("POST").body).unwrap();
    assert_eq!(told["hash"], fnv(b"hello"));
}

/// More than the site takes is refused before a program hears of it, with a length and without.
#[test]
fn a_body_that_is_too_large_never_reaches_a_program() {
    let limits = r#"<security><requestFiltering><requestLimits maxAllowedContentLength="1000"/></requestFiltering></security>"#;
    let site = scripted("").element(limits);
    let host = site.serve();
    let body = "x".repeat(1001);
    assert_eq!(posted(&host, &act("tells"), &body[1..])["length"], 1000);
    let refused = request(&host, "POST", &act("tells"), &["Content-Length: 1001"], &body);
    assert_eq!(failure(&refused), (413, "413.1"));
    let chunks = format!("3e9\r\n{body}\r\n0\r\n\r\n");
    let refused = request(&host, "POST", &act("tells"), &["Transfer-Encoding: chunked"], &chunks);
    assert_eq!(refused.status(), 413, "{}", refused.text());
    assert_eq!(notes(&site, "requests.log").len(), 1, "{:?}", notes(&site, "requests.log"));
}

/// Who sends too much is refused, and nobody else at that URL: one thread, so that all of them meet.
#[test]
fn a_refused_body_leaves_the_next_request_alone() {
    let limits = r#"<security><requestFiltering><requestLimits maxAllowedContentLength="1000"/></requestFiltering></security>"#;
    let site = scripted("").element(limits);
    let host = Host::of(site.path()).without_waiting().args(["--threads", "1"]).start();
    let refused = request(&host, "POST", &act("tells"), &["Content-Length: 1001"], &"x".repeat(1001));
    assert_eq!(failure(&refused), (413, "413.1"));
    for length in [1000, 10, 1] {
        assert_eq!(posted(&host, &act("tells"), "x".repeat(length))["length"], length);
    }
}

#[test]
fn what_is_served_in_place_of_a_post_has_no_body() {
    let site = scripted("");
    let host = site.serve();
    for pieces in [["hello", ""], ["", "hello"], ["he", "llo"]] {
        let mut client = RawClient::connect(&host);
        let target = act("redirects-early");
        client
            .send(format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n{}", pieces[0]));
        client.send(pieces[1]);
        let response = client.read_response("POST");
        let told: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((&told["length"], &told["variables"]["REQUEST_METHOD"]), (&0.into(), &"GET".into()));
        assert!(told["variables"].get("CONTENT_LENGTH").is_none(), "{told}");
    }
    nothing_violated(&site);
}
