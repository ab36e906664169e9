//! Many applications in one site: which script a URL means, whose settings hold, and that none disturbs another.

use super::{app, ask, counts, failure, post, says, text, texts};
use crate::harness::{PATIENCE, RawClient, Site, eventually, handlers, signal, web_config, workers_of};

const NO_HIDDEN: &str =
    r#"<security><requestFiltering><hiddenSegments><clear/></hiddenSegments></requestFiltering></security>"#;

#[test]
fn handler_paths_are_understood_in_all_their_forms() {
    for (path, script, url) in [
        ("server.js", "server.js", "/server.js"),
        ("server.js", "deep/server.js", "/deep/server.js/info?q"),
        ("*.js", "any.js", "/any.js/path/info"),
        ("SERVER.JS", "server.js", "/server.js"),
        ("/server.js", "server.js", "/server.js"),
        ("dist/index.js", "dist/index.js", "/dist/index.js"),
        ("/bin/www", "bin/www", "/bin/www"),
        (
            "node_modules/next/dist/bin/next",
            "node_modules/next/dist/bin/next",
            "/node_modules/next/dist/bin/next/a",
        ),
        ("api/*", "api/v1/users.js", "/api/v1/users.js/5"),
        (r"dist\index.js", "dist/index.js", "/dist/index.js"),
    ] {
        let config = web_config(&format!("{}{NO_HIDDEN}", handlers([path])));
        let site = Site::named("site").web_config(&config).file(script, &app("r.end(q.url)"));
        assert_eq!(text(&site.serve(), url), url, "{path}");
    }
}

#[test]
fn a_path_with_a_slash_matches_only_below_its_web_config() {
    let config = web_config(&handlers(["dist/index.js"]));
    let site = Site::named("site").web_config(&config).file("other/dist/index.js", "the text of a file");
    assert_eq!(text(&site.serve(), "/other/dist/index.js"), "the text of a file");
}

#[test]
fn every_script_is_an_application_of_its_own_and_one_in_any_letter_case() {
    let site = Site::handling("*.js").file("a.js", &counts()).file("b.js", &counts());
    let host = site.serve();
    assert_eq!(texts(&host, "/a.js", 2), ["1", "2"]);
    assert_eq!(texts(&host, "/b.js", 1), ["1"]);
    assert_eq!(texts(&host, "/A.JS", 1), ["3"]);
    assert_eq!(workers_of(host.pid()).len(), 2);
}

#[test]
fn the_first_handler_that_takes_path_and_verb_gets_the_request() {
    let config = r#"<handlers><add name="r" path="hello.js" verb="GET,HEAD" modules="iisNode"/><add name="e" path="echo.js" verb="POST" modules="IISNODE"/></handlers>"#;
    let site = Site::named("site")
        .web_config(&web_config(config))
        .file("hello.js", &says("hello"))
        .file("echo.js", &says("echo"));
    let host = site.serve();
    assert_eq!(
        (text(&host, "/hello.js"), post(&host, "/echo.js", "x").text()),
        ("hello".into(), "echo".into())
    );
    let refused = post(&host, "/hello.js", "x");
    assert!([404, 405].contains(&refused.status()), "{}", refused.status());
}

#[test]
fn a_web_config_below_adds_to_the_one_above_or_takes_away() {
    let clears = web_config(&format!("<handlers><clear/>{}", handlers(["own.js"]).replace("<handlers>", "")));
    let removes = web_config(r#"<handlers><remove name="app.js"/></handlers>"#);
    let below = web_config(r#"<iisnode node_env="below"/>"#);
    let shows = app("r.end(process.env.NODE_ENV)");
    let site = Site::iisnode("app.js", &shows).set(r#"node_env="above""#).file("inherits/app.js", &shows);
    let site = site.file("changes/app.js", &shows).file("changes/web.config", &below);
    let site = site.file("clears/own.js", &shows).file("clears/web.config", &clears);
    let site = site.file("removes/app.js", "text").file("removes/web.config", &removes);
    let host = site.serve();
    for (url, found) in [
        ("/app.js", "above"),
        ("/inherits/app.js", "above"),
        ("/changes/app.js", "below"),
        ("/clears/own.js", "above"),
        ("/removes/app.js", "text"),
    ] {
        assert_eq!(text(&host, url), found, "{url}");
    }
}

#[test]
fn a_location_holds_for_its_path_only() {
    let config = format!(
        r#"<configuration><system.webServer>{}<iisnode node_env="all"/></system.webServer>
        <location path="one/app.js"><system.webServer><iisnode node_env="one"/></system.webServer></location></configuration>"#,
        handlers(["app.js"])
    );
    let shows = app("r.end(process.env.NODE_ENV)");
    let site = Site::named("site").web_config(&config).file("one/app.js", &shows).file("two/app.js", &shows);
    let host = site.serve();
    assert_eq!((text(&host, "/one/app.js"), text(&host, "/two/app.js")), ("one".into(), "all".into()));
}

#[test]
fn an_application_starts_with_its_first_request_or_at_once_when_told_to() {
    let lazy = Site::iisnode("hello.js", &says("hello"));
    let host = lazy.serve();
    assert_eq!(ask(&host, "/absent.txt", &[]).status(), 404);
    assert_eq!(workers_of(host.pid()), [] as [u32; 0]);
    text(&host, "/hello.js");
    assert_eq!(workers_of(host.pid()).len(), 1);
    let page =
        r#"<applicationInitialization><add initializationPage="/hello.js"/></applicationInitialization>"#;
    let eager = Site::iisnode("hello.js", &says("hello")).element(page);
    let host = eager.serve();
    eventually(PATIENCE, "a worker nobody asked for", || (workers_of(host.pid()).len() == 1).then_some(()));
}

#[test]
fn an_application_that_starts_slowly_or_not_at_all_keeps_nobody_else_waiting() {
    let listen = "require('http').createServer((q, r) => r.end('slow')).listen(process.env.PORT)";
    let slow = format!(
        "const t = setInterval(() => {{ if (require('fs').existsSync('go')) {{ clearInterval(t); {listen}; }} }}, 5)"
    );
    let site = Site::handling("*.js")
        .file("slow.js", &slow)
        .file("broken.js", "process.exit(1)")
        .file("quick.js", &says("quick"));
    let host = site.serve();
    let mut waiting = RawClient::connect(&host);
    waiting.send("GET /slow.js HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(failure(&ask(&host, "/broken.js", &[])), (200, "500.1002"));
    for _ in 0..5 {
        assert_eq!(text(&host, "/quick.js"), "quick");
    }
    site.write("go", "");
    assert_eq!(waiting.read_response("GET").text(), "slow");
}

#[test]
fn the_recycle_of_one_application_leaves_the_others_alone() {
    let site = Site::handling("app.js").file("a/app.js", &counts()).file("b/app.js", &counts());
    let host = site.serve();
    assert_eq!((text(&host, "/a/app.js"), text(&host, "/b/app.js")), ("1".into(), "1".into()));
    site.write("a/app.js", &says("new"));
    assert_eq!((text(&host, "/a/app.js"), text(&host, "/b/app.js")), ("new".into(), "2".into()));
}

#[test]
fn a_killed_worker_is_replaced_and_the_other_goes_on() {
    let site = Site::iisnode("hello.js", &app("r.end(String(process.pid))"))
        .yml("nodeProcessCountPerApplication: 2");
    let host = site.serve();
    let pids = texts(&host, "/hello.js", 2);
    assert_ne!(pids[0], pids[1]);
    signal(pids[0].parse().unwrap(), nix::sys::signal::Signal::SIGKILL);
    let seen = texts(&host, "/hello.js", 6);
    assert!(seen.contains(&pids[1]) && !seen.contains(&pids[0]), "{pids:?} then {seen:?}");
    eventually(PATIENCE, "two workers again", || (workers_of(host.pid()).len() == 2).then_some(()));
}

#[test]
fn an_added_script_needs_no_restart_and_a_removed_one_is_a_404() {
    let site = Site::handling("*.js").file("a.js", &says("a"));
    let host = site.serve();
    assert_eq!(ask(&host, "/b.js", &[]).status(), 404);
    site.write("b.js", &says("b"));
    assert_eq!((text(&host, "/a.js"), text(&host, "/b.js")), ("a".into(), "b".into()));
    site.remove("a.js");
    assert_eq!(failure(&ask(&host, "/a.js", &[])), (404, "404.0"));
    assert_eq!(text(&host, "/b.js"), "b");
}

#[test]
fn an_app_offline_page_counts_for_the_folder_it_lies_in() {
    let config = web_config(&handlers(["app.js"]));
    let site = Site::named("site").web_config(&web_config(""));
    let site = ["a", "b"].iter().fold(site, |site, folder| {
        site.file(&format!("{folder}/web.config"), &config).file(&format!("{folder}/app.js"), &says(folder))
    });
    let host = site.serve();
    site.write("a/app_offline.htm", "a is closed");
    let closed = ask(&host, "/a/app.js", &[]);
    assert_eq!((closed.status(), closed.text().as_str()), (503, "a is closed"));
    assert_eq!(text(&host, "/b/app.js"), "b");
}
