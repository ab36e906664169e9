//! PHP with one row of `handlers` and nothing else: its pages, forms, cookies, uploads and headers.

use super::{PHP, exchange, fnv, json, php_site, pid, posted, programs, row, text};
use crate::harness::{Site, curl, web_config};
use crate::iisnode::ask;

#[test]
fn one_row_of_handlers_is_all_it_takes() {
    let site = Site::named("site")
        .web_config(&web_config(&format!("<handlers>{}</handlers>", row("*.php", PHP, "Either"))))
        .file("index.txt", "a file")
        .file("hello.php", "<?php echo 'Hello from PHP ', PHP_SAPI;");
    let mut host = site.serve();
    assert_eq!(text(&host, "/hello.php"), "Hello from PHP cgi-fcgi");
    assert_eq!(text(&host, "/index.txt"), "a file");
    // That another program than the one named runs is said.
    host.wait_for_line("php-cgi");
    let workers = programs(&host, "php-cgi");
    assert_eq!(workers.len(), 1, "{workers:?}");
    host.stop();
    super::all_end(&workers, "php-cgi");
}

#[test]
fn the_next_request_is_answered_by_the_same_process() {
    let site = php_site("").file("pid.php", super::SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    for _ in 0..20 {
        assert_eq!(pid(&host, "/pid.php"), first);
    }
}

/// The source of a page is never sent, whatever its URL looks like.
#[test]
fn no_spelling_of_a_url_shows_the_source() {
    let site = php_site("").file("secret.php", "<?php /* password */ echo 'page';");
    let host = site.serve();
    for target in [
        "/secret.php",
        "/secret.PHP",
        "/secret.ph%70",
        "/secret.php/",
        "/secret.php/x.txt",
        "/./secret.php",
        "/secret.php%20",
        "/secret.php.",
        "/secret.php::$DATA",
    ] {
        let response = ask(&host, target, &[]);
        assert!(!response.text().contains("password"), "{target}: {}", response.text());
    }
    assert_eq!(text(&host, "/secret.ph%70"), "page");
}

#[test]
fn a_form_its_query_and_its_cookies_arrive() {
    let host_site = php_site("");
    let host = host_site.serve();
    let url = host.url("/tells.php?a=1&b[]=x&b[]=%C3%A4");
    let told: serde_json::Value =
        curl(["-b", "one=1; two=zwei", "-d", "name=Jos%C3%A9&list[]=1&list[]=2", &url]).success().json();
    assert_eq!(told["get"], serde_json::json!({"a": "1", "b": ["x", "ä"]}));
    assert_eq!(told["post"], serde_json::json!({"name": "José", "list": ["1", "2"]}));
    assert_eq!(told["cookies"], serde_json::json!({"one": "1", "two": "zwei"}));
}

#[test]
fn an_uploaded_file_arrives_as_it_was() {
    let bytes = (0..1_500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>();
    let site = php_site("");
    std::fs::write(site.path().join("upload.bin"), &bytes).unwrap();
    let host = site.serve();
    let part = format!("upload=@{}", site.path().join("upload.bin").display());
    let told = curl(["-F", "title=x", "-F", &part, &host.url("/tells.php")]).success().json();
    assert_eq!(told["files"]["upload"], serde_json::json!(["upload.bin", bytes.len(), 0, fnv(&bytes)]));
    assert_eq!(told["post"]["title"], "x");
}

#[test]
fn a_raw_body_arrives_whatever_its_method_is() {
    let site = php_site("");
    let host = site.serve();
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let answer = exchange(&host, method, "/tells.php", b"a body\0\xff");
        assert_eq!((answer.status, answer.whole), (200, true), "{method}");
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((&told["server"]["REQUEST_METHOD"], &told["length"]), (&method.into(), &8.into()));
        assert_eq!(told["hash"], fnv(b"a body\0\xff"));
    }
}

#[test]
fn statuses_headers_and_cookies_of_a_page_reach_the_client() {
    let site = php_site("").file(
        "page.php",
        "<?php http_response_code(418); header('X-One: 1'); header('X-Two: a'); header('X-Two: b', false); \
         setcookie('a', '1'); setcookie('b', '2'); echo 'tea';",
    );
    let host = site.serve();
    let response = ask(&host, "/page.php", &[]);
    assert_eq!((response.status(), response.text().as_str()), (418, "tea"));
    assert_eq!(response.head.field(super::ERROR), None);
    assert_eq!(response.head.all("x-two"), ["a", "b"]);
    assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
    assert!(!response.head.has("status"), "{:?}", response.head.fields);
}

/// The page's own 404 and 500 are its own affair.
#[test]
fn error_pages_of_a_program_pass() {
    let site = php_site("")
        .file("missing.php", "<?php http_response_code(404); echo 'my own page';")
        .file("fails.php", "<?php http_response_code(500); echo 'my own failure';");
    let host = site.serve();
    for (target, status, page) in
        [("/missing.php", 404, "my own page"), ("/fails.php", 500, "my own failure")]
    {
        let response = ask(&host, target, &[]);
        assert_eq!((response.status(), response.text().as_str()), (status, page));
    }
}

#[test]
fn a_redirect_of_a_page_is_the_clients() {
    let site = php_site("").file("away.php", "<?php header('Location: /tells.php?x=1');");
    let host = site.serve();
    let response = ask(&host, "/away.php", &[]);
    assert_eq!((response.status(), response.head.field("location")), (302, Some("/tells.php?x=1")));
}

#[test]
fn a_password_arrives() {
    let host_site = php_site("");
    let host = host_site.serve();
    let told = curl(["-u", "wanda:s3cret", &host.url("/tells.php")]).success().json();
    assert_eq!(told["server"]["PHP_AUTH_USER"], "wanda");
    assert_eq!(told["server"]["PHP_AUTH_PW"], "s3cret");
}

#[test]
fn sessions_live_from_page_to_page() {
    let site = php_site("").file(
        "count.php",
        "<?php ini_set('session.save_path', __DIR__); session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;",
    );
    let host = site.serve();
    let jar = site.path().join("jar");
    let jar = jar.to_str().unwrap();
    for expected in ["1", "2", "3"] {
        let seen = curl(["-b", jar, "-c", jar, &host.url("/count.php")]).success().text();
        assert_eq!(seen, expected);
    }
}

#[test]
fn what_a_page_flushes_arrives_before_its_end() {
    let site = php_site("").file(
        "slow.php",
        "<?php header('Content-Type: text/plain'); echo 'first'; while (ob_get_level()) ob_end_flush(); flush(); \
         while (!file_exists(__DIR__ . '/go')) { usleep(5000); clearstatcache(); } echo 'last';",
    );
    let host = site.serve();
    let mut client = crate::harness::RawClient::connect(&host);
    client.send("GET /slow.php HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(client.read_chunk().1, b"first");
    site.write("go", "");
    assert_eq!(client.read_chunk().1, b"last");
    assert_eq!(client.read_chunk().1, b"");
}

#[test]
fn a_script_that_is_edited_is_run_anew_at_once() {
    let site = php_site("").file("page.php", "<?php echo 'one';");
    let host = site.serve();
    assert_eq!(text(&host, "/page.php"), "one");
    site.write("new.php", "<?php echo 'new';");
    assert_eq!(text(&host, "/new.php"), "new");
    site.remove("page.php");
    assert_eq!(ask(&host, "/page.php", &[]).status(), 404);
}

#[test]
fn http_2_leads_to_the_same_pages() {
    let site = php_site("");
    let host = site.serve();
    let told = curl(["--http2-prior-knowledge", "-d", "a=b", &host.url("/tells.php?x=y")]).success().json();
    assert_eq!((&told["post"]["a"], &told["get"]["x"]), (&"b".into(), &"y".into()));
    assert_eq!(told["server"]["SERVER_PROTOCOL"], "HTTP/2.0");
    assert!(told["server"]["HTTP_HOST"].as_str().unwrap().starts_with("127.0.0.1:"), "{told}");
}

/// The empty body of a POST is a body.
#[test]
fn an_empty_post_has_length_zero() {
    let site = php_site("");
    let host = site.serve();
    let told = posted(&host, "/tells.php", "");
    assert_eq!((&told["server"]["CONTENT_LENGTH"], &told["length"]), (&"0".into(), &0.into()));
    assert_eq!(json(&host, "/tells.php")["length"], 0);
}
