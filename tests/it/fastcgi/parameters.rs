//! Large requests: many variables go in whole pairs, one that is too large for a record is refused.

use serde_json::Value;

use super::{act, ask, failure, nothing_violated, php_site, scripted};
use crate::harness::{Host, Message, RawClient, Site};

/// A host whose own limit lets such heads through.
fn serve(site: &Site) -> Host {
    Host::of(site.path()).without_waiting().limit("headBytes", "512KiB").start()
}

fn fields(count: usize, length: usize) -> Vec<String> {
    (0..count).map(|number| format!("X-{number}: {}", "v".repeat(length))).collect()
}

#[track_caller]
fn get(host: &Host, target: &str, fields: &[String]) -> Message {
    let mut client = RawClient::connect(host);
    let fields = fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
    client.read_response("GET")
}

// Row 8: php-cgi resets the connection if a pair is split over two records.
#[test]
fn php_gets_more_variables_than_fit_into_one_record() {
    let site = php_site("");
    let host = serve(&site);
    let sent = fields(60, 2700);
    let response = get(&host, "/tells.php", &sent);
    assert_eq!(response.status(), 200, "{}", response.text());
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    for number in 0..60 {
        let value = told["server"][format!("HTTP_X_{number}")].as_str().unwrap_or_default();
        assert_eq!(value.len(), 2700, "HTTP_X_{number}");
    }
}

#[test]
fn no_pair_is_ever_split_wherever_the_record_ends() {
    let site = scripted("");
    let host = serve(&site);
    // Different lengths move the end of the first record over all the places in a pair.
    for length in (900..1100).step_by(7).chain([126, 127, 128, 129]) {
        let count = 70_000 / length;
        let response = get(&host, &act("tells"), &fields(count.min(90), length));
        assert_eq!(response.status(), 200, "{length}: {}", response.text());
        let told: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(told["variables"]["HTTP_X_0"].as_str().map(str::len), Some(length));
    }
    nothing_violated(&site);
}

#[test]
fn a_pair_that_no_record_can_hold_is_refused_and_the_program_never_hears_of_it() {
    let site = php_site("");
    let host = serve(&site);
    let response = get(&host, "/tells.php", &[format!("Cookie: {}", "c".repeat(100_000))]);
    assert_eq!(response.status(), 431, "{}", response.text());
    assert!(failure(&response).1.starts_with("431") || !response.head.has(super::ERROR));
    assert_eq!(super::programs(&host, "php-cgi"), Vec::<u32>::new());
    assert_eq!(ask(&host, "/tells.php", &[]).status(), 200);
}

#[test]
fn a_pair_that_just_fits_arrives() {
    let site = php_site("");
    let host = serve(&site);
    let response = get(&host, "/tells.php", &[format!("Cookie: a={}", "c".repeat(60_000))]);
    assert_eq!(response.status(), 200, "{}", response.text());
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(told["cookies"]["a"].as_str().map(str::len), Some(60_000));
}
