//! What goes wrong is said: with its number in a field always, on a page for people while they develop.

use std::os::unix::fs::PermissionsExt;

use super::{ERROR, FROM_AFAR, app, ask, failure, post, says, text};
use crate::harness::{PATIENCE, RawClient, Site, eventually};

/// A page that says all these words.
#[track_caller]
fn page_says(response: &crate::harness::Message, expected: (u16, &str), words: &[&str]) {
    let page = response.text();
    assert_eq!(failure(response), expected, "{page}");
    assert_eq!(response.head.field("content-type").map(|kind| kind.starts_with("text/html")), Some(true));
    assert_eq!(response.head.field("cache-control"), Some("no-cache"));
    for word in words {
        assert!(page.contains(word), "`{word}` is missing in {page}");
    }
}

/// Gives nothing away.
#[track_caller]
fn page_hides(response: &crate::harness::Message, expected: (u16, &str), words: &[&str]) {
    assert_eq!(failure(response), expected, "{}", response.text());
    for word in words {
        assert!(!response.text().contains(word), "`{word}` is given away in {}", response.text());
    }
}

#[test]
fn a_program_that_does_not_exist_is_a_page_or_with_dev_errors_off_a_bare_500() {
    for (more, on) in [("", true), (r#"devErrorsEnabled="false""#, false)] {
        let site = Site::iisnode("hello.js", &says(""))
            .set(&format!(r#"nodeProcessCommandLine="idontexist.exe" {more}"#));
        let response = ask(&site.serve(), "/hello.js", &[]);
        if on {
            page_says(&response, (200, "500.1000"), &["nodeProcessCommandLine", "PATH", "idontexist"]);
        } else {
            page_hides(&response, (500, "500.1000"), &["idontexist"]);
        }
    }
}

#[test]
fn a_program_that_vanishes_while_the_host_runs_has_the_number_of_a_worker_that_cannot_be_replaced() {
    let ends = app("r.end('bye'); r.on('close', () => process.exit())");
    let site = Site::iisnode("hello.js", &ends).file("runs", "#!/bin/sh\nexec node \"$@\"\n");
    let program = site.path().join("runs");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let site = site.set(&format!(r#"nodeProcessCommandLine="{}""#, program.display()));
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "bye");
    site.remove("runs");
    let response = eventually(PATIENCE, "a page", || {
        let response = ask(&host, "/hello.js", &[]);
        response.head.has(ERROR).then_some(response)
    });
    page_says(&response, (200, "503.1002"), &["nodeProcessCommandLine", "there is no program", "runs"]);
}

#[test]
fn an_unknown_attribute_is_a_page_with_its_place_for_those_at_the_machine() {
    let site = Site::iisnode("hello.js", &says("")).set(r#"idontexist="12""#);
    let host = site.serve();
    page_says(&ask(&host, "/hello.js", &[]), (200, "500.1000"), &["web.config:5:", "idontexist"]);
    page_hides(&ask(&host, "/hello.js", &[FROM_AFAR]), (500, "500.1000"), &["web.config", "idontexist"]);
}

/// Also with development errors off: who sits at the machine may read its files anyway.
#[test]
fn a_bad_iisnode_yml_is_a_page_with_its_place_for_those_at_the_machine() {
    let site = Site::iisnode("hello.js", &says("")).yml("devErrorsEnabled: false\nloggingEnabled: foobar\n");
    let host = site.serve();
    let words = ["unable to read the configuration file iisnode.yml", "iisnode.yml:2:", "foobar"];
    page_says(&ask(&host, "/hello.js", &[]), (200, "500.1000"), &words);
    page_hides(&ask(&host, "/hello.js", &[FROM_AFAR]), (500, "500.1000"), &words);
}

#[test]
fn a_variable_of_the_host_that_makes_no_sense_is_a_configuration_error() {
    let site = Site::iisnode("hello.js", &says(""));
    let setup = crate::harness::Host::of(site.path()).without_waiting();
    let host = setup.env("IISNODE_loggingEnabled", "perhaps").start();
    page_says(&ask(&host, "/hello.js", &[]), (200, "500.1000"), &["IISNODE_loggingEnabled", "perhaps"]);
}

#[test]
fn a_web_config_broken_while_the_host_runs_is_mended_without_a_restart() {
    let site = Site::iisnode("hello.js", &says("here"));
    let host = site.serve();
    let fine = site.read("web.config");
    assert_eq!(text(&host, "/hello.js"), "here");
    site.write("web.config", "<configuration>\n  <system.webServer>\n    <iisnode a=\"\"b\"\"/>\n");
    // Whatever is answered meanwhile, it gives nothing away; the host says what is wrong.
    let response = ask(&host, "/hello.js", &[FROM_AFAR]);
    assert!(!response.text().contains("web.config"), "{}", response.text());
    host.wait_for_line("web.config:3:");
    site.write("web.config", &fine);
    assert_eq!(text(&host, "/hello.js"), "here");
}

#[test]
fn a_site_that_starts_with_a_broken_web_config_says_so_and_heals() {
    let site = Site::iisnode("hello.js", &says("here"));
    let fine = site.read("web.config");
    site.write("web.config", "<configuration>\n  <iisnode a=\"\"b\"\"/>\n");
    let host = site.serve();
    page_says(&ask(&host, "/hello.js", &[]), (200, "500.19"), &["web.config:2:"]);
    site.write("web.config", &fine);
    assert_eq!(text(&host, "/hello.js"), "here");
}

#[test]
fn a_script_that_does_not_even_start_is_a_page_with_its_last_words_command_and_exit_code() {
    let site = Site::iisnode("hello.js", "this is not <javascript> at all");
    let response = ask(&site.serve(), "/hello.js", &[]);
    let words = ["SyntaxError", "&lt;javascript&gt;", "hello.js", "node", "exit", "500", "1002", "devErrors"];
    page_says(&response, (200, "500.1002"), &words);
    assert!(!response.text().contains("<javascript>"), "the output of the worker must be escaped");
}

#[test]
fn the_page_names_the_exit_code_or_the_signal() {
    for (end, word) in [("process.exit(37)", "37"), ("process.kill(process.pid, 'SIGKILL')", "SIGKILL")] {
        let site = Site::iisnode("hello.js", &format!("console.error('oh dear'); {end};"));
        page_says(&ask(&site.serve(), "/hello.js", &[]), (200, "500.1002"), &["oh dear", word]);
    }
}

#[test]
fn with_dev_errors_status_the_same_page_has_its_true_status() {
    let site = Site::iisnode("hello.js", "process.exit(37)").yml("devErrors: status\n");
    page_says(&ask(&site.serve(), "/hello.js", &[]), (500, "500.1002"), &["37"]);
}

#[test]
fn with_dev_errors_off_nothing_is_given_away() {
    let site = Site::iisnode("hello.js", "console.error('the password is tea'); process.exit(37)")
        .yml("devErrorsEnabled: false\n");
    let response = ask(&site.serve(), "/hello.js", &[]);
    page_hides(&response, (500, "500.1002"), &["the password", "code 37", "hello.js", "process.exit"]);
}

#[test]
fn a_worker_that_lives_and_does_not_listen_is_told_apart_from_one_that_listens_elsewhere() {
    let patience = r#"maxNamedPipeConnectionRetry="10" namedPipeConnectionRetryDelay="200""#;
    let silent = Site::iisnode("hello.js", "setInterval(() => {}, 1000)").set(patience);
    let host = silent.serve();
    // Not only for who waits, but also while it is about to be started once more.
    for _ in 0..2 {
        page_says(&ask(&host, "/hello.js", &[]), (200, "500.1001"), &["process.env.PORT"]);
    }
    let elsewhere = "const s = require('http').createServer().listen(0, '127.0.0.1', () => require('fs').writeFileSync('port.txt', String(s.address().port)))";
    let elsewhere = Site::iisnode("hello.js", elsewhere).set(patience);
    let response = ask(&elsewhere.serve(), "/hello.js", &[]);
    page_says(&response, (200, "500.1001"), &["PORT", elsewhere.read("port.txt").as_str()]);
}

/// The number that monitoring rules are written for.
#[test]
fn a_worker_that_ends_before_it_answers_is_told_as_a_lost_answer() {
    let site = Site::iisnode("hello.js", &app("console.error('farewell'); process.exit(5)"));
    let response = post(&site.serve(), "/hello.js", "x");
    let (status, error) = failure(&response);
    assert!(status == 200 && ["500.1011", "500.1013", "500.1014"].contains(&error), "{status} {error}");
    assert!(response.text().contains("farewell"), "{}", response.text());
}

#[test]
fn an_answer_that_is_no_http_or_has_too_large_a_head_has_its_own_number() {
    let raw = |answer: &str| {
        format!(
            "require('net').createServer((c) => c.on('data', () => c.end({answer}))).listen(process.env.PORT)"
        )
    };
    for (answer, error) in [
        ("'good morning\\r\\n\\r\\n'", "500.1013"),
        ("'HTTP/1.1 200 OK\\r\\nno field here\\r\\n\\r\\n'", "500.1014"),
        ("'HTTP/1.1 200 OK\\r\\nX-Large: ' + 'x'.repeat(200000) + '\\r\\n\\r\\n'", "500.1012"),
    ] {
        let site = Site::iisnode("hello.js", &raw(answer));
        let response = post(&site.serve(), "/hello.js", "x");
        assert_eq!(response.head.field(ERROR), Some(error), "{answer}: {}", response.text());
    }
}

#[test]
fn a_script_that_is_not_there_is_a_404() {
    let site = Site::iisnode("hello.js", &says("")).file("below/x.txt", "");
    site.remove("hello.js");
    let host = site.serve();
    for url in
        ["/hello.js", "/hello.js/path/info", "/below/hello.js", "/no/such/folder/hello.js", "/absent.txt"]
    {
        assert_eq!(failure(&ask(&host, url, &[])), (404, "404.0"), "{url}");
    }
}

#[test]
fn when_the_workers_are_full_the_next_request_is_told_when_to_come_back() {
    let release = "const t = setInterval(() => { if (fs.existsSync('release')) { clearInterval(t); r.end('held'); } }, 5)";
    let holds = app(&format!(
        "const fs = require('fs'); if (q.url.endsWith('hold')) {{ fs.writeFileSync('held', ''); {release}; }} else r.end('free')"
    ));
    let site = Site::iisnode("hello.js", &holds).set(r#"maxConcurrentRequestsPerProcess="1""#);
    let host = site.serve();
    let mut held = RawClient::connect(&host);
    held.send("GET /hello.js?hold HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually(PATIENCE, "a held request", || site.path().join("held").exists().then_some(()));
    let overflow = ask(&host, "/hello.js", &[]);
    assert_eq!(failure(&overflow), (503, "503.1002"), "{}", overflow.text());
    assert!(overflow.head.has("retry-after"), "{:?}", overflow.head);
    site.write("release", "");
    assert_eq!(held.read_response("GET").text(), "held");
    // The place is given back when the last byte has left, which the client may see first.
    eventually(PATIENCE, "the place given back", || {
        (ask(&host, "/hello.js", &[]).text() == "free").then_some(())
    });
}

/// Pages of the host are for failures of the host.
#[test]
fn an_error_the_application_answers_itself_is_left_alone() {
    let fails = app("r.statusCode = Number(q.url.split('?')[1]); r.end('my own page')");
    for more in ["", r#"<httpErrors existingResponse="PassThrough"/>"#, r#"<httpErrors errorMode="Custom"/>"#]
    {
        let site = Site::iisnode("hello.js", &fails).element(more);
        let host = site.serve();
        for status in [400, 404, 500, 503] {
            let response = ask(&host, &format!("/hello.js?{status}"), &[]);
            assert_eq!((response.status(), response.text().as_str()), (status, "my own page"), "{more}");
            assert!(!response.head.has(ERROR), "{:?}", response.head);
        }
    }
}

#[test]
fn an_application_without_a_web_config_keeps_the_true_status_of_its_failures() {
    let site = Site::named("plain").file("server.js", "process.exit(37)");
    let status = ask(&site.serve(), "/", &[]).status();
    assert!((500..600).contains(&status), "{status}");
}
