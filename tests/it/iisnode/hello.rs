//! The first things anybody tries: a script, its default document, its folder, its variables.

use super::{app, ask, counts, json, post, request, says, text, texts};
use crate::harness::{Body, RawClient, Site, web_config};

#[test]
fn a_script_named_by_a_handler_answers_its_url() {
    let site = Site::iisnode("hello.js", &says("Hello, world!"));
    let host = site.serve();
    let response = ask(&host, "/hello.js", &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "Hello, world!"));
    assert!(!response.head.has("iisnode-debug"), "{:?}", response.head);
}

#[test]
fn one_worker_answers_request_after_request() {
    let site = Site::iisnode("hello.js", &counts());
    assert_eq!(texts(&site.serve(), "/hello.js", 5), ["1", "2", "3", "4", "5"]);
}

#[test]
fn the_url_of_a_folder_is_answered_by_its_default_document() {
    let documents = r#"<defaultDocument><files><add value="index.js"/></files></defaultDocument>"#;
    let site = Site::iisnode("index.js", &says("[defaultdocument]"))
        .file("below/index.js", &says("[below]"))
        .element(documents);
    let host = site.serve();
    assert_eq!(text(&host, "/"), "[defaultdocument]");
    assert_eq!(text(&host, "/?query"), "[defaultdocument]");
    assert_eq!(text(&host, "/below/"), "[below]");
}

#[test]
fn a_default_document_may_be_a_page_and_the_first_that_exists_is_taken() {
    let documents = r#"<defaultDocument><files><clear/><add value="first.html"/><add value="second.html"/></files></defaultDocument>"#;
    let site = Site::iisnode("hello.js", &says("")).element(documents).file("second.html", "second");
    let response = ask(&site.serve(), "/", &[]);
    assert_eq!(response.text(), "second");
    assert_eq!(response.head.field("content-type").map(|kind| kind.starts_with("text/html")), Some(true));
}

#[test]
fn a_posted_body_reaches_the_script_and_its_answer_comes_back() {
    let site = Site::iisnode("echo.js", &app("q.pipe(r)"));
    let response = post(&site.serve(), "/echo.js", "posted body");
    assert_eq!((response.status(), response.text().as_str()), (200, "posted body"));
}

#[test]
fn a_worker_stands_in_the_folder_of_its_script() {
    let reads = app("r.end(require('fs').readFileSync('file.txt'))");
    let site = Site::iisnode("hello.js", &reads)
        .file("file.txt", "at the top")
        .file("deep/down/hello.js", &reads)
        .file("deep/down/file.txt", "deep down");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "at the top");
    assert_eq!(text(&host, "/deep/down/hello.js"), "deep down");
}

#[test]
fn app_settings_are_variables_of_the_worker_except_one_without_a_name() {
    let reads = app(
        "const { one, two, none, [''] : nameless } = process.env; r.end(JSON.stringify([one, two, none, nameless ?? 'not there']))",
    );
    let settings = [("one", "value1"), ("two", "value2"), ("", "nobody"), ("none", "")];
    let site = Site::iisnode("hello.js", &reads).app_settings(&settings);
    assert_eq!(json(&site.serve(), "/hello.js"), serde_json::json!(["value1", "value2", "", "not there"]));
}

#[test]
fn node_env_is_set_and_without_debugging_and_logging_their_urls_belong_to_the_script() {
    let site = Site::iisnode("hello.js", &app("r.end(`NODE_ENV=${process.env.NODE_ENV} ${q.url}`)"))
        .set(r#"node_env="production" loggingEnabled="false" debuggingEnabled="false""#);
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "NODE_ENV=production /hello.js");
    assert_eq!(text(&host, "/hello.js/debug"), "NODE_ENV=production /hello.js/debug");
    assert_eq!(ask(&host, "/hello.js.logs/0.txt", &[]).status(), 404);
}

#[test]
fn answers_of_known_length_in_one_chunk_and_in_ten_arrive_whole() {
    let ten = "let i = 0; const t = setInterval(() => { r.write(`part ${i};`); if (++i === 10) { clearInterval(t); r.end(); } }, 200)";
    let site = Site::iisnode(
        "hello.js",
        &app(&format!(
            "if (q.url.endsWith('length')) {{ r.setHeader('Content-Length', 5); r.end('whole'); }} else if (q.url.endsWith('one')) {{ r.write('one chunk'); r.end(); }} else {{ {ten} }}"
        )),
    );
    let host = site.serve();
    let response = ask(&host, "/hello.js?length", &[]);
    assert_eq!((response.framing, response.text().as_str()), (Body::Length(5), "whole"));
    let response = ask(&host, "/hello.js?one", &[]);
    assert_eq!((response.framing, response.text().as_str()), (Body::Chunked, "one chunk"));
    let mut client = RawClient::connect(&host);
    client.send("GET /hello.js?ten HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    for i in 0..10 {
        assert_eq!(client.read_chunk().1, format!("part {i};").as_bytes());
    }
}

#[test]
fn two_workers_take_turns() {
    let site = Site::iisnode("hello.js", &counts()).set(r#"nodeProcessCountPerApplication="2""#);
    assert_eq!(texts(&site.serve(), "/hello.js", 4), ["1", "1", "2", "2"]);
}

#[test]
fn fields_of_ones_own_go_both_ways_also_empty_ones() {
    let copies = app("r.setHeader('x-bar', q.headers['x-foo'] ?? 'missing'); r.end()");
    let site = Site::iisnode("hello.js", &copies);
    let host = site.serve();
    for (sent, got) in [("X-Foo: tea", "tea"), ("X-Foo:", ""), ("X-Other: 1", "missing")] {
        assert_eq!(ask(&host, "/hello.js", &[sent]).head.field("x-bar"), Some(got), "{sent}");
    }
}

#[test]
fn a_file_beside_the_applications_is_served_as_it_is() {
    let site = Site::iisnode("hello.js", &says("no")).file("ping.txt", "pong");
    assert_eq!(text(&site.serve(), "/ping.txt"), "pong");
}

/// The letter case of a name never mattered where these sites come from.
#[test]
fn a_web_config_may_be_written_in_any_letter_case() {
    for name in ["Web.config", "WEB.CONFIG", "web.Config"] {
        let config = web_config(&crate::harness::handlers(["hello.js"]));
        let site = Site::named("site").file("hello.js", &says("here")).file(name, &config);
        assert_eq!(text(&site.serve(), "/hello.js"), "here", "{name}");
    }
}

/// Without a web.config nothing has changed: the found application gets every URL.
#[test]
fn without_a_web_config_every_url_goes_to_the_application_found() {
    let site = Site::named("plain").file("server.js", &app("r.end(q.url)")).file("ping.txt", "pong");
    let host = site.serve();
    for url in ["/", "/ping.txt", "/server.js", "/any/thing"] {
        assert_eq!(request(&host, "GET", url, &[], "").text(), url);
    }
}
