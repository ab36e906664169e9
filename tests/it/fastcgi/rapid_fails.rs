//! Programs that fail too quickly: nothing is started for a while, and everybody is told at once.

use std::time::Duration;

use super::{act, ask, exchange, failure, goes_on, is_failure, php_site, pool, row, scripted, starts};
use crate::harness::{Host, PATIENCE, Site, eventually, holds_for, web_config};

#[track_caller]
fn is_closed(host: &Host) {
    let response = eventually(PATIENCE, "a closed gate", || {
        let response = ask(host, &act("pid"), &[]);
        (response.status() != 200 && response.head.has("retry-after")).then_some(response)
    });
    assert!((500..=503).contains(&response.status()), "{}", response.status());
    assert!(response.text().contains("rapidFailsPerMinute"), "{}", response.text());
}

#[test]
fn more_ends_than_allowed_in_a_minute_close_the_gate() {
    let site = scripted(r#"maxInstances="1" rapidFailsPerMinute="2""#);
    let host = site.serve();
    for _ in 0..3 {
        goes_on(&host);
        exchange(&host, "GET", &act("leaves=exit,head"), b"");
    }
    is_closed(&host);
    let before = starts(&site).len();
    holds_for(Duration::from_millis(500), "nothing is started", || {
        ask(&host, &act("pid"), &[]);
        starts(&site).len() == before
    });
}

#[test]
fn as_many_as_are_allowed_leave_it_open() {
    let site = scripted(r#"maxInstances="1" rapidFailsPerMinute="3""#);
    let host = site.serve();
    for _ in 0..3 {
        exchange(&host, "GET", &act("leaves=exit,head"), b"");
        goes_on(&host);
    }
}

/// A request that can be repeated ends two programs, and is one failure.
#[test]
fn a_request_that_is_repeated_counts_once() {
    let site = php_site(r#"maxInstances="2" rapidFailsPerMinute="3""#)
        .file("dies.php", "<?php posix_kill(getmypid(), 9);")
        .file("pid.php", super::SAYS_PID);
    let host = site.serve();
    for _ in 0..3 {
        is_failure(&ask(&host, "/dies.php", &[]));
    }
    super::pid(&host, "/pid.php");
    is_failure(&ask(&host, "/dies.php", &[]));
    eventually(PATIENCE, "a closed gate", || {
        let response = ask(&host, "/pid.php", &[]);
        (response.status() == 503 && response.text().contains("rapidFailsPerMinute")).then_some(())
    });
}

/// PHP ends by itself, with code 0, after its own number of requests: no failure.
#[test]
fn ends_that_were_meant_do_not_count() {
    let site = scripted(r#"maxInstances="1" rapidFailsPerMinute="2" instanceMaxRequests="2""#);
    let host = site.serve();
    for _ in 0..12 {
        goes_on(&host);
    }
    assert!(starts(&site).len() >= 6);
}

/// Whoever asks gets the reason at once, again and again, and a corrected file opens the gate.
#[test]
fn a_program_that_does_not_exist_is_named() {
    let config = |program: &str| {
        web_config(&format!(
            "<handlers>{}</handlers>{}",
            row("*.php", program, "Either"),
            pool(program, "", "", "")
        ))
    };
    let site =
        Site::named("site").web_config(&config("no-such-program")).file("page.php", "<?php echo 'page';");
    let host = site.serve();
    for _ in 0..3 {
        let response = ask(&host, "/page.php", &[]);
        assert!((500..=503).contains(&response.status()), "{}", response.status());
        assert!(failure(&response).1.starts_with("50"), "{}", failure(&response).1);
        assert!(response.text().contains("no-such-program"), "{}", response.text());
    }
    host.wait_for_line("no-such-program");
    site.write("web.config", &config("php-cgi"));
    assert_eq!(super::text(&host, "/page.php"), "page");
}

#[test]
fn a_program_that_exits_at_once_is_told_with_its_words_and_its_code() {
    let config = web_config(&format!(
        "<handlers>{0}</handlers>{1}",
        row("*.php", "python3|broken.py", "Either"),
        pool("python3", "broken.py", r#"rapidFailsPerMinute="2""#, "")
    ));
    let site = Site::named("site").file("page.php", "");
    let script = site.path().join("broken.py");
    let site = site
        .file("broken.py", "import sys\nprint('the module is missing', file=sys.stderr)\nsys.exit(7)\n")
        .web_config(&config.replace("broken.py", script.to_str().unwrap()));
    let host = site.serve();
    for _ in 0..6 {
        let response = ask(&host, "/page.php", &[]);
        assert!((500..=503).contains(&response.status()), "{} {}", response.status(), response.text());
    }
    host.wait_for_line("the module is missing");
    host.wait_for_line("code 7");
}
