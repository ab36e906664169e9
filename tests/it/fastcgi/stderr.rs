//! What programs write to stderr while they answer: in the log always, in the answer as `stderrMode` says.

use super::{act, ask, failure, goes_on, php_config, php_site, pid, scripted, starts, text};
use crate::harness::Message;

const SAID: &str = "the secret of stderr";

/// The answers to requests whose worker writes to stderr before, between and after what it answers.
#[track_caller]
fn answers(mode: &str, looks: impl Fn(&Message, &str)) {
    let site = scripted(&format!("stderrMode=\"{mode}\""));
    let host = site.serve();
    for place in ["before", "between"] {
        let response = ask(&host, &act(&format!("stderr={place}")), &[]);
        looks(&response, place);
    }
    goes_on(&host);
}

// Row 6.
#[test]
fn unless_told_otherwise_the_answer_passes_and_the_words_are_in_the_log() {
    let site = scripted("");
    let host = site.serve();
    for place in ["before", "between", "after"] {
        assert_eq!(text(&host, &act(&format!("stderr={place}"))), "the page", "{place}");
    }
    host.wait_for_line(SAID);
    assert_eq!(starts(&site).len(), 1);
}

#[test]
fn return_stderr_in_500_answers_with_the_words() {
    answers("ReturnStdErrIn500", |response, place| {
        assert_eq!(failure(response).0, 500, "{place}: {}", response.text());
        assert!(response.text().contains(SAID), "{place}: {}", response.text());
        assert!(!response.text().contains("the page"), "{place}");
    });
}

#[test]
fn return_generic_500_answers_without_them() {
    answers("ReturnGeneric500", |response, place| {
        assert_eq!(failure(response).0, 500, "{place}: {}", response.text());
        assert!(!response.text().contains("the page"), "{place}");
    });
    // Strangers see nothing of it in any case.
    let site = scripted(r#"stderrMode="ReturnGeneric500""#);
    let response = ask(&site.serve(), &act("stderr=before"), &[super::FROM_AFAR]);
    assert!(!response.text().contains(SAID), "{}", response.text());
}

#[test]
fn ignore_and_return_200_lets_the_answer_pass() {
    answers("IgnoreAndReturn200", |response, place| {
        assert_eq!((response.status(), response.text().as_str()), (200, "the page"), "{place}");
    });
}

#[test]
fn terminate_process_ends_the_worker() {
    let site = scripted(r#"stderrMode="TerminateProcess""#);
    let host = site.serve();
    let first = goes_on(&host);
    let response = ask(&host, &act("stderr=before"), &[]);
    assert_eq!(failure(&response).0, 500, "{}", response.text());
    assert!(!response.text().contains("the page"));
    super::all_end(&[first], "the worker");
    assert_ne!(goes_on(&host), first);
}

#[test]
fn words_and_no_answer_are_a_failure() {
    let site = scripted("");
    let host = site.serve();
    super::is_failure(&ask(&host, &act("stderr=only"), &[]));
    host.wait_for_line(SAID);
    goes_on(&host);
}

/// More than any proxy keeps for it; it must neither block nor grow.
#[test]
fn a_flood_before_the_answer_delays_nothing() {
    let site = scripted("");
    let host = site.serve();
    assert_eq!(text(&host, &act("stderr-flood")), "after a flood");
    goes_on(&host);
}

#[test]
fn a_notice_of_php_does_not_spoil_its_page() {
    let notices = "<?php ini_set('display_errors', '0'); ini_set('log_errors', '1'); ini_set('error_log', ''); \
        echo 'page'; error_log('a word for the log'); echo $undefined; echo ' end';";
    let site = php_site("").file("notices.php", notices).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    assert_eq!(text(&host, "/notices.php"), "page end");
    host.wait_for_line("a word for the log");
    pid(&host, "/pid.php");
    site.write("web.config", &php_config(r#"stderrMode="ReturnStdErrIn500""#));
    let response = ask(&host, "/notices.php", &[]);
    assert_eq!(response.status(), 500);
    assert!(response.text().contains("a word for the log"), "{}", response.text());
}

/// A fatal error is PHP's 500 with PHP's page, or none; what it said is in the log.
#[test]
fn a_fatal_error_of_php_is_a_500_and_its_reason_is_in_the_log() {
    let fatal = "<?php ini_set('display_errors', '0'); ini_set('log_errors', '1'); ini_set('error_log', ''); no_such_function();";
    let site = php_site("").file("fatal.php", fatal).file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let before = pid(&host, "/pid.php");
    assert_eq!(ask(&host, "/fatal.php", &[]).status(), 500);
    host.wait_for_line("no_such_function");
    assert_eq!(pid(&host, "/pid.php"), before, "the process did nothing wrong");
}

#[test]
fn the_words_of_every_request_are_on_lines_of_their_own() {
    let site = scripted("");
    let host = site.serve();
    for _ in 0..3 {
        ask(&host, &act("stderr=before"), &[]);
    }
    crate::harness::eventually(crate::harness::PATIENCE, "three lines", || {
        let said = host.lines().iter().filter(|line| line.contains(SAID)).count();
        (said == 3).then_some(())
    });
}

/// The page of a failure and the words of its program name the same request.
#[test]
fn the_words_are_told_with_the_number_of_the_page() {
    let site = scripted(r#"stderrMode="ReturnGeneric500""#);
    let host = site.serve();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let page = ask(&host, &act("stderr=before"), &[super::FROM_AFAR]);
        let text = page.text();
        let id =
            text.lines().find_map(|line| line.strip_prefix("request ")).unwrap_or_else(|| panic!("{text}"));
        crate::harness::eventually(crate::harness::PATIENCE, "its words", || {
            host.lines().iter().any(|line| line.contains(SAID) && line.contains(id)).then_some(())
        });
        assert!(seen.insert(id.to_owned()), "{id} is that of another request");
    }
}
