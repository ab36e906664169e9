//! Programs are replaced after their number of requests, when a watched file changes, and when the web.config does;
//! no request is lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    act, all_end, goes_on, json, notes, nothing_violated, php_config, php_config_with, php_site, pid,
    programs, scripted, starts,
};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually};

const LIMIT: &str = "PHP_FCGI_MAX_REQUESTS";

/// So many requests by four clients at once; every one is answered, and by whom.
#[track_caller]
fn storm(host: &Host, target: &str, requests: usize) -> BTreeMap<u32, usize> {
    let answers: Vec<u32> = std::thread::scope(|scope| {
        let clients = (0..4).map(|_| {
            scope.spawn(|| {
                let mut client = RawClient::connect(host);
                (0..requests / 4)
                    .map(|number| {
                        let response = client.get(target);
                        assert_eq!(response.status(), 200, "request {number}: {}", response.text());
                        response.text().parse::<u32>().unwrap()
                    })
                    .collect::<Vec<_>>()
            })
        });
        clients.collect::<Vec<_>>().into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let mut by = BTreeMap::new();
    for pid in answers {
        *by.entry(pid).or_insert(0) += 1;
    }
    by
}

#[test]
fn a_program_is_replaced_after_its_number_of_requests() {
    let site = scripted(r#"maxInstances="1" instanceMaxRequests="5""#);
    let host = site.serve();
    let seen = (0..15).map(|_| goes_on(&host)).collect::<Vec<_>>();
    let runs = seen.chunk_by(|a, b| a == b).map(<[u32]>::len).collect::<Vec<_>>();
    assert_eq!(runs, [5, 5, 5], "{seen:?}");
    all_end(&seen[..10], "those replaced");
    nothing_violated(&site);
}

// Row 3: PHP counts, too, and what it is told by the site may be too little.
#[test]
fn no_request_fails_whatever_limit_php_has_been_given() {
    for limit in [None, Some("11"), Some("10"), Some("9"), Some("3")] {
        let variable = limit.map_or(String::new(), |limit| {
            format!("<environmentVariables><environmentVariable name=\"{LIMIT}\" value=\"{limit}\"/></environmentVariables>")
        });
        let config = php_config_with(r#"maxInstances="3" instanceMaxRequests="10""#, &variable);
        let site = Site::named("site").web_config(&config).file("pid.php", super::SAYS_PID);
        let mut host = site.serve();
        let by = storm(&host, "/pid.php", 200);
        assert!(by.values().all(|&requests| requests <= 10), "{limit:?}: {by:?}");
        assert!(by.len() >= 20, "{limit:?}: {by:?}");
        host.stop();
        all_end(&by.keys().copied().collect::<Vec<_>>(), "every program");
    }
}

#[test]
fn php_is_told_a_limit_that_it_reaches_after_the_host() {
    let site = php_site(r#"instanceMaxRequests="600""#)
        .file("limit.php", "<?php echo json_encode(getenv('PHP_FCGI_MAX_REQUESTS'));");
    let host = site.serve();
    let told = json(&host, "/limit.php");
    let limit: u64 = told.as_str().unwrap_or("0").parse().unwrap();
    assert!(limit == 0 || limit > 600, "{told}");
}

fn watching(site: &Site) -> String {
    php_config(&format!("maxInstances=\"2\" monitorChangesTo=\"{}\"", site.path().join("php.ini").display()))
}

#[test]
fn a_change_of_the_watched_file_replaces_the_programs() {
    let site = Site::named("site").file("pid.php", super::SAYS_PID).file("php.ini", "memory_limit=64M\n");
    let site = {
        let config = watching(&site);
        site.web_config(&config)
    };
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    assert_eq!(pid(&host, "/pid.php"), first);
    site.write("php.ini", "memory_limit=65M\n");
    let second =
        eventually(PATIENCE, "a new program", || Some(pid(&host, "/pid.php")).filter(|&new| new != first));
    all_end(&[first], "the program of before");
    site.replace("php.ini", "memory_limit=66M\n");
    eventually(PATIENCE, "a third program", || (pid(&host, "/pid.php") != second).then_some(()));
}

// Row 15.
#[test]
fn a_change_of_the_watched_file_under_load_costs_no_request() {
    let site = Site::named("site").file("pid.php", super::SAYS_PID).file("php.ini", "memory_limit=64M\n");
    let site = {
        let config = watching(&site);
        site.web_config(&config)
    };
    let mut host = site.serve();
    let done = AtomicBool::new(false);
    let seen: BTreeSet<u32> = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                seen.extend(storm(&host, "/pid.php", 40).keys());
            }
            seen
        });
        let mut last = pid(&host, "/pid.php");
        for size in 65..70 {
            site.write("php.ini", &format!("memory_limit={size}M\n"));
            last = eventually(PATIENCE, "a new program", || {
                Some(pid(&host, "/pid.php")).filter(|&new| new != last)
            });
        }
        done.store(true, Ordering::SeqCst);
        load.join().unwrap()
    });
    assert!(seen.len() >= 3, "{seen:?}");
    host.stop();
    all_end(&seen.into_iter().collect::<Vec<_>>(), "every program");
}

/// Who asked before the change is answered by whom he asked.
#[test]
fn a_busy_program_ends_its_request_first() {
    let site = scripted("");
    site.write("watched", "1");
    let config = site.read("web.config").replace(
        "<application ",
        &format!("<application monitorChangesTo=\"{}\" ", site.path().join("watched").display()),
    );
    site.write("web.config", &config);
    let host = site.serve();
    let first = goes_on(&host);
    let mut busy = RawClient::connect(&host);
    busy.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act("takes=2")));
    eventually(PATIENCE, "its beginning", || (!notes(&site, "spans.log").is_empty()).then_some(()));
    site.write("watched", "22");
    eventually(PATIENCE, "another program", || (goes_on(&host) != first).then_some(()));
    let response = busy.read_response("GET");
    assert_eq!((response.status(), response.text()), (200, first.to_string()));
    all_end(&[first], "the program of before");
    assert_eq!(starts(&site).len(), 2);
    nothing_violated(&site);
}

#[test]
fn a_change_of_the_web_config_makes_a_new_pool_and_the_old_one_ends() {
    let site = php_site(r#"maxInstances="2""#).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    site.write("web.config", &php_config(r#"maxInstances="1" instanceMaxRequests="3""#));
    let second = pid(&host, "/pid.php");
    assert_ne!(second, first, "what a request sees after a write is the new one");
    all_end(&[first], "the program of before");
    // Without the row it is a file that nobody sends.
    site.write("web.config", &crate::harness::web_config(""));
    let plain = super::ask(&host, "/pid.php", &[]);
    assert!(
        !plain.text().contains("getmypid") && plain.status() == 404,
        "{} {}",
        plain.status(),
        plain.text()
    );
    eventually(PATIENCE, "no program", || programs(&host, "php-cgi").is_empty().then_some(()));
}

/// A page is no configuration: PHP reads it anew by itself.
#[test]
fn an_edited_page_replaces_nothing() {
    let site = php_site("").file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    for number in 0..5 {
        // Another name each time: PHP's own cache of files may look away for two seconds.
        site.write(&format!("other{number}.php"), &format!("<?php echo {number};"));
        assert_eq!(super::text(&host, &format!("/other{number}.php")), number.to_string());
    }
    site.write("pid.php", "<?php echo getmypid(), ' ';");
    assert_eq!(pid(&host, "/pid.php"), first);
}
