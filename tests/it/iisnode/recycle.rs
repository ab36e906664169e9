//! Changed files: the next request sees the new version, whoever wrote it and however.

use std::time::Duration;

use super::{app, ask, counts, failure, post, says, text, texts};
use crate::harness::{PATIENCE, RawClient, Site, alive, eventually, workers_of};

fn version(version: usize) -> String {
    says(&format!("Hello, world {version}"))
}

/// No waiting anywhere: a request that starts after the write sees what was written.
#[test]
fn a_request_after_the_script_was_written_is_answered_by_the_new_version() {
    let site = Site::iisnode("hello.js", &version(1));
    let host = site.serve();
    let mut kept = RawClient::connect(&host);
    assert_eq!(kept.get("/hello.js").text(), "Hello, world 1");
    for next in 2..6 {
        site.write("hello.js", &version(next));
        assert_eq!(kept.get("/hello.js").text(), format!("Hello, world {next}"));
    }
}

#[test]
fn a_script_replaced_by_a_rename_is_seen_as_well() {
    let site = Site::iisnode("hello.js", &version(1));
    let host = site.serve();
    for next in 1..4 {
        site.replace("hello.js", &version(next));
        assert_eq!(text(&host, "/hello.js"), format!("Hello, world {next}"));
    }
}

#[test]
fn a_changed_module_that_is_watched_counts_as_a_change() {
    for watched in [
        r"*.js;node_modules\*.js",
        "*.js;node_modules/*.js;",
        r"node_modules\tea.js",
        r"*.js;no\such\*;..\site\node_modules\*.js",
    ] {
        let site = Site::iisnode("hello.js", &app("r.end(require('tea'))"))
            .set(&format!("watchedFiles=\"{watched}\""))
            .file("node_modules/tea.js", "module.exports = 'tea 1'");
        let host = site.serve();
        assert_eq!(text(&host, "/hello.js"), "tea 1");
        site.write("node_modules/tea.js", "module.exports = 'tea 2'");
        assert_eq!(text(&host, "/hello.js"), "tea 2", "{watched}");
    }
}

#[test]
fn a_watched_folder_that_does_not_exist_harms_nobody() {
    let site =
        Site::iisnode("hello.js", &version(1)).set(r#"watchedFiles="*.js;idontexist\*;not\here\either.js""#);
    assert_eq!(text(&site.serve(), "/hello.js"), "Hello, world 1");
}

/// Counters in memory show whether a worker is still the same.
#[test]
fn files_that_are_not_watched_change_nothing() {
    let site = Site::iisnode("hello.js", &counts()).file("below/other.js", "1");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "1");
    for name in ["notes.txt", "below/other.js", "below/new.js", "iisnode/own.js"] {
        site.write(name, "2");
        text(&host, "/hello.js");
    }
    assert_eq!(text(&host, "/hello.js"), "6");
}

#[test]
fn watched_files_that_appear_or_go_are_changes() {
    let site = Site::iisnode("hello.js", &counts()).set(r#"watchedFiles="*.js;restart.txt""#);
    let host = site.serve();
    assert_eq!(texts(&host, "/hello.js", 2), ["1", "2"]);
    site.write("restart.txt", "");
    assert_eq!(texts(&host, "/hello.js", 2), ["1", "2"]);
    site.write("another.js", "");
    assert_eq!(texts(&host, "/hello.js", 2), ["1", "2"]);
    site.remove("another.js");
    assert_eq!(texts(&host, "/hello.js", 2), ["1", "2"]);
}

#[test]
fn a_changed_web_config_recycles_and_is_read_again() {
    let site = Site::iisnode("hello.js", &app("r.end(process.env.NODE_ENV)")).set(r#"node_env="one""#);
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "one");
    site.write("web.config", &site.read("web.config").replace("\"one\"", "\"two\""));
    assert_eq!(text(&host, "/hello.js"), "two");
}

#[test]
fn an_iisnode_yml_the_application_itself_rewrites_holds_for_the_next_request() {
    let writes = "q.on('data', (workers) => require('fs').writeFileSync('iisnode.yml', `nodeProcessCountPerApplication: ${workers}`)).on('end', () => r.end('written'))";
    let app = app(&format!("if (q.method === 'POST') {writes}; else r.end(String(++n))"));
    let site = Site::iisnode("hello.js", &format!("let n = 0;\n{app}"));
    let host = site.serve();
    assert_eq!(post(&host, "/hello.js", "2").text(), "written");
    assert_eq!(texts(&host, "/hello.js", 4), ["1", "1", "2", "2"]);
    assert_eq!(post(&host, "/hello.js", "4").text(), "written");
    assert_eq!(texts(&host, "/hello.js", 8), ["1", "1", "1", "1", "2", "2", "2", "2"]);
}

#[test]
fn a_broken_iisnode_yml_is_an_error_until_it_is_mended_or_gone() {
    let site = Site::iisnode("hello.js", &version(1));
    let host = site.serve();
    let broken = [": foo", "   : bar", "loggingEnabled: foobar"];
    let fine = ["", "foo:", "foo:    # comment", "foo: bar", "baz:7", "\n\n   \n", "foo: bar\n\nbaz:7\n"];
    for yml in fine.into_iter().chain(broken).chain(broken).chain(fine) {
        site.write("iisnode.yml", yml);
        let response = ask(&host, "/hello.js", &[]);
        if broken.contains(&yml) {
            assert_eq!(failure(&response), (200, "500.1000"), "{yml:?}");
            let page = response.text();
            assert!(page.contains("unable to read the configuration file iisnode.yml"), "{yml:?}: {page}");
        } else {
            assert_eq!(response.text(), "Hello, world 1", "{yml:?}");
        }
        site.remove("iisnode.yml");
        assert_eq!(text(&host, "/hello.js"), "Hello, world 1", "after {yml:?}");
    }
}

#[test]
fn a_deleted_line_of_iisnode_yml_gives_the_default_back() {
    let site = Site::iisnode("hello.js", &app("r.end(process.env.NODE_ENV ?? 'not set')"))
        .yml("node_env: tea\nloggingEnabled: true\n");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "tea");
    site.write("iisnode.yml", "loggingEnabled: true\n");
    assert_eq!(text(&host, "/hello.js"), "not set");
}

#[test]
fn an_application_that_asks_to_be_recycled_is_and_only_that_one() {
    let asks = "if (q.url.endsWith('recycle')) r.on('finish', () => require('net').connect(process.env.IISNODE_CONTROL_PIPE).end('Recycle\\n')); r.end(String(process.pid))";
    let site = Site::handling("*.js")
        .file("hello.js", &app(asks))
        .file("other.js", &app("r.end(String(process.pid))"));
    let site = site.set(r#"recycleSignalEnabled="true""#);
    let host = site.serve();
    let (first, other) = (text(&host, "/hello.js"), text(&host, "/other.js"));
    for _ in 0..2 {
        let asked = text(&host, "/hello.js?recycle");
        eventually(PATIENCE, "another pid", || (text(&host, "/hello.js") != asked).then_some(()));
    }
    assert_ne!(text(&host, "/hello.js"), first);
    assert_eq!(text(&host, "/other.js"), other);
}

/// A worker that is no longer needed is asked to go, so that it can put its things in order.
#[test]
fn a_request_in_flight_is_finished_by_the_version_that_began_it_and_its_worker_is_asked_to_go() {
    let slow = "if (q.url.endsWith('slow')) setTimeout(() => r.end('old'), 1000); else r.end('old')";
    let goes = "process.on('SIGTERM', () => { require('fs').writeFileSync('asked.txt', 'asked'); process.exit(); });\n";
    let site = Site::iisnode("hello.js", &format!("{goes}{}", app(&format!("r.write('begun, '); {slow}"))));
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET /hello.js?slow HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    assert_eq!(client.read_chunk().1, b"begun, ");
    let old = workers_of(host.pid());
    site.write("hello.js", &says("new"));
    assert_eq!(text(&host, "/hello.js"), "new");
    assert_eq!(client.read_chunk().1, b"old");
    eventually(PATIENCE, "the end of the old worker", || old.iter().all(|&pid| !alive(pid)).then_some(()));
    assert_eq!(site.read("asked.txt"), "asked");
    assert_eq!((old.len(), text(&host, "/hello.js").as_str()), (1, "new"));
}

#[test]
fn a_worker_that_drains_longer_than_allowed_is_ended() {
    let stays = "process.on('SIGTERM', () => {});\n";
    let site = Site::iisnode("hello.js", &format!("{stays}{}", app("r.write(String(process.pid))")))
        .set(r#"gracefulShutdownTimeout="500""#);
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    let pid = String::from_utf8(client.read_chunk().1).unwrap().parse().unwrap();
    site.write("hello.js", &says("new"));
    assert_eq!(text(&host, "/hello.js"), "new");
    client.expect_end();
    eventually(PATIENCE, "the end of the old worker", || (!alive(pid)).then_some(()));
}

#[test]
fn the_host_says_which_file_caused_a_recycle() {
    let site = Site::iisnode("hello.js", &version(1)).file("lib.js", "");
    let host = site.serve();
    text(&host, "/hello.js");
    site.write("lib.js", "// changed");
    text(&host, "/hello.js");
    host.wait_for_line("lib.js");
}

#[test]
fn a_page_app_offline_takes_the_applications_off_and_its_removal_brings_them_back() {
    let site = Site::iisnode("hello.js", &version(1)).file("ping.txt", "pong");
    let host = site.serve();
    text(&host, "/hello.js");
    site.write("app_offline.htm", "<h1>We are painting the stable</h1>");
    for url in ["/hello.js", "/", "/hello.js/x"] {
        let response = ask(&host, url, &[]);
        assert_eq!(
            (response.status(), response.text().as_str()),
            (503, "<h1>We are painting the stable</h1>"),
            "{url}"
        );
    }
    eventually(PATIENCE, "the end of the workers", || workers_of(host.pid()).is_empty().then_some(()));
    site.remove("app_offline.htm");
    assert_eq!(text(&host, "/hello.js"), "Hello, world 1");
}

#[test]
fn many_edits_between_two_requests_cost_one_recycle() {
    let site = Site::iisnode("hello.js", &version(0));
    let host = site.serve();
    text(&host, "/hello.js");
    for round in 1..40 {
        site.write("hello.js", &version(round));
    }
    assert_eq!(text(&host, "/hello.js"), "Hello, world 39");
    crate::harness::holds_for(Duration::from_millis(300), "few workers", || {
        workers_of(host.pid()).len() <= 2
    });
}
