//! Files beside the applications: served as browsers want them, and nothing that is not theirs to see.

use std::os::unix::fs::symlink;

use super::{ask, failure, request, says, text};
use crate::harness::{RawClient, Site};

fn site() -> Site {
    Site::iisnode("hello.js", &says("hello")).file("ping.txt", "pong")
}

const SECRET: &str = "nobody may read this";

/// Each target on a connection of its own is refused, and never answered with the secret.
#[track_caller]
fn all_refused<'a>(site: &Site, targets: impl IntoIterator<Item = &'a str>) {
    let host = site.serve();
    for target in targets {
        let response = RawClient::connect(&host).get(target);
        assert!(!response.text().contains(SECRET), "{target} gives the secret away");
        assert!([400, 403, 404].contains(&response.status()), "{target}: {}", response.status());
    }
    assert_eq!(text(&host, "/ping.txt"), "pong");
}

#[test]
fn a_file_has_length_type_tag_and_time_and_a_head_has_the_same() {
    let site = site();
    let host = site.serve();
    let got = ask(&host, "/ping.txt", &[]);
    let head = request(&host, "HEAD", "/ping.txt", &[], "");
    assert_eq!((got.text().as_str(), head.body.len()), ("pong", 0));
    for name in ["content-length", "content-type", "etag", "last-modified", "accept-ranges"] {
        assert!(got.head.has(name), "{name} is missing in {:?}", got.head);
        assert_eq!(got.head.field(name), head.head.field(name), "{name}");
    }
    assert_eq!(got.head.field("content-length"), Some("4"));
    assert!(got.head.field("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
}

#[test]
fn a_file_that_has_not_changed_is_not_sent_again() {
    let site = site();
    let host = site.serve();
    let got = ask(&host, "/ping.txt", &[]);
    let (tag, time) = (got.head.field("etag").unwrap(), got.head.field("last-modified").unwrap());
    for (fields, status) in [
        (vec![format!("If-None-Match: {tag}")], 304),
        (vec![format!("If-None-Match: \"other\", W/{}", tag.trim_start_matches("W/"))], 304),
        (vec!["If-None-Match: *".to_owned()], 304),
        (vec![format!("If-Modified-Since: {time}")], 304),
        (vec!["If-None-Match: \"other\"".to_owned(), format!("If-Modified-Since: {time}")], 200),
        (vec!["If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT".to_owned()], 200),
        (vec!["If-Match: \"other\"".to_owned()], 412),
    ] {
        let fields = fields.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(ask(&host, "/ping.txt", &fields).status(), status, "{fields:?}");
    }
    site.write("ping.txt", "pong again");
    let response = ask(&host, "/ping.txt", &[&format!("If-None-Match: {tag}")]);
    assert_eq!((response.status(), response.text().as_str()), (200, "pong again"));
}

#[test]
fn a_part_of_a_file_can_be_asked_for() {
    let site = site();
    let host = site.serve();
    let tag = ask(&host, "/ping.txt", &[]).head.field("etag").unwrap().to_owned();
    let if_range = format!("If-Range: {tag}");
    for (fields, status, range, body) in [
        (&["Range: bytes=1-2"][..], 206, Some("bytes 1-2/4"), "on"),
        (&["Range: bytes=2-"], 206, Some("bytes 2-3/4"), "ng"),
        (&["Range: bytes=-1"], 206, Some("bytes 3-3/4"), "g"),
        (&["Range: bytes=0-99"], 206, Some("bytes 0-3/4"), "pong"),
        (&["Range: bytes=1-2", "If-Range: \"other\""], 200, None, "pong"),
        (&["Range: bytes=1-2", if_range.as_str()], 206, Some("bytes 1-2/4"), "on"),
        (&["Range: lines=1-2"], 200, None, "pong"),
        (&["Range: bytes=2-1"], 200, None, "pong"),
    ] {
        let got = ask(&host, "/ping.txt", fields);
        let seen = (got.status(), got.head.field("content-range"), got.text());
        assert_eq!(seen, (status, range, body.to_owned()), "{fields:?}");
    }
    let beyond = ask(&host, "/ping.txt", &["Range: bytes=4-"]);
    assert_eq!((beyond.status(), beyond.head.field("content-range")), (416, Some("bytes */4")));
}

#[test]
fn files_have_the_type_of_their_extension_and_a_web_config_may_add_and_take_away() {
    let map = r#"<staticContent><remove fileExtension=".woff2"/><mimeMap fileExtension=".woff2" mimeType="font/woff2"/><mimeMap fileExtension=".tea" mimeType="application/tea"/></staticContent>"#;
    let types = [
        ("a.html", "text/html"),
        ("a.css", "text/css"),
        ("a.JS", "javascript"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.tea", "application/tea"),
    ];
    let site = types.iter().fold(site().element(map), |site, (name, _)| site.file(name, "x"));
    let host = site.serve();
    for (name, kind) in types {
        let response = ask(&host, &format!("/{name}"), &[]);
        let found = response.head.field("content-type").unwrap_or_default().to_owned();
        assert!(response.status() == 200 && found.contains(kind), "{name}: {found}");
    }
}

#[test]
fn a_file_only_takes_get_and_head() {
    let site = site();
    let host = site.serve();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let response = request(&host, method, "/ping.txt", &["Content-Length: 0"], "");
        assert_eq!(response.status(), 405, "{method}");
    }
    assert_eq!(site.read("ping.txt"), "pong");
}

#[test]
fn a_file_in_another_letter_case_is_found_when_only_one_fits() {
    let site = site().file("Docs/Read Me.TXT", "docs").file("two.txt", "two").file("TWO.txt", "TWO");
    let host = site.serve();
    for (url, found) in
        [("/PING.TXT", "pong"), ("/docs/read%20me.txt", "docs"), ("/two.txt", "two"), ("/TWO.txt", "TWO")]
    {
        assert_eq!(text(&host, url), found, "{url}");
    }
    assert_eq!(ask(&host, "/Two.txt", &[]).status(), 404, "two fit");
}

#[test]
fn a_folder_is_never_listed() {
    let site = site().file("below/x.txt", "x");
    let host = site.serve();
    for url in ["/", "/below/", "/below"] {
        let response = ask(&host, url, &[]);
        assert!([301, 302, 307, 308, 403, 404].contains(&response.status()), "{url}: {}", response.status());
        assert!(!response.text().contains("x.txt"), "{url}: {}", response.text());
    }
}

#[test]
fn configuration_is_never_served_in_any_spelling() {
    let site = site().yml(&format!("# {SECRET}\n")).element(&format!("<!-- {SECRET} -->"));
    let site = site.file("below/Web.Config", &format!("<configuration><!-- {SECRET} --></configuration>"));
    let site = site.file("below/IISNode.yml", &format!("# {SECRET}\n"));
    all_refused(
        &site,
        [
            "/web.config",
            "/WEB.CONFIG",
            "/Web.config?x",
            "/%77eb.config",
            "/web%2econfig",
            "/web.config/",
            "/./web.config",
            "//web.config",
            "/below/../web.config",
            "/below/..%2fweb.config",
            "/below%5c..%5cweb.config",
            "/web.config%20",
            "/web.config.",
            "/web.config::$DATA",
            "/web.config%00.txt",
            "/hello.js/../web.config",
            "/iisnode.yml",
            "/IISNODE.YML",
            "/%69isnode.yml",
            "/below/web.config",
            "/below/iisnode.yml",
            "/BELOW/WEB.CONFIG",
            "/below//iisnode.yml",
        ],
    );
}

#[test]
fn hidden_segments_are_not_there_in_any_spelling() {
    let segments = r#"<security><requestFiltering><hiddenSegments><add segment="node_modules"/><remove segment="App_Code"/></hiddenSegments></requestFiltering></security>"#;
    let site =
        ["bin/x.txt", "App_Data/x.txt", "app_data/deep/x.txt", "node_modules/tea/x.txt", "a/bin/x.txt"]
            .iter()
            .fold(site().element(segments), |site, name| site.file(name, SECRET))
            .file("App_Code/x.txt", "open")
            .file("cabin/x.txt", "open");
    let targets = [
        "/bin/x.txt",
        "/BIN/x.txt",
        "/%62in/x.txt",
        "/a/bin/x.txt",
        "/App_Data/x.txt",
        "/app_data/deep/x.txt",
        "/node_modules/tea/x.txt",
        "/a/../bin/x.txt",
        "//bin//x.txt",
        "/a%2f..%2fbin/x.txt",
        "/bin%5cx.txt",
    ];
    all_refused(&site, targets);
    let host = site.serve();
    for target in &targets[..7] {
        assert_eq!(failure(&ask(&host, target, &[])), (404, "404.8"), "{target}");
    }
    assert_eq!((text(&host, "/App_Code/x.txt"), text(&host, "/cabin/x.txt")), ("open".into(), "open".into()));
}

#[test]
fn no_spelling_of_a_path_leads_out_of_the_site() {
    let site =
        site().file("below/x.txt", "x").file("../secret.txt", SECRET).file("../site2/secret.txt", SECRET);
    all_refused(
        &site,
        [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/.%2e/secret.txt",
            "/%2E./secret.txt",
            "/..%2fsecret.txt",
            "/..%5csecret.txt",
            "/..\\secret.txt",
            "/%2e%2e%2fsecret.txt",
            "/below/../../secret.txt",
            "/below/%2e%2e/%2e%2e/secret.txt",
            "//../secret.txt",
            "/..//secret.txt",
            "/../../../../../../../../etc/passwd",
            "/%252e%252e/secret.txt",
            "/..%c0%afsecret.txt",
            "/%c0%ae%c0%ae/secret.txt",
            "/..;/secret.txt",
            "/....//secret.txt",
            "/ping.txt/../../secret.txt",
            "/../site2/secret.txt",
            "/%00/../secret.txt",
            "/ping.txt%00",
            "/%2e%2e%00/secret.txt",
            "/hello.js/../../secret.txt",
            "/file:///etc/passwd",
        ],
    );
}

#[test]
fn no_link_leads_out_of_the_site_and_one_that_stays_inside_is_followed() {
    let site = site().file("../outside/secret.txt", SECRET).file("below/x.txt", "x");
    let outside = site.path().parent().unwrap().join("outside");
    symlink(&outside, site.path().join("folder")).unwrap();
    symlink(outside.join("secret.txt"), site.path().join("linked.txt")).unwrap();
    symlink("../outside/secret.txt", site.path().join("relative.txt")).unwrap();
    symlink("below/x.txt", site.path().join("inside.txt")).unwrap();
    all_refused(&site, ["/folder/secret.txt", "/linked.txt", "/relative.txt", "/Linked.TXT", "/folder/"]);
    assert_eq!(text(&site.serve(), "/inside.txt"), "x");
}

/// Links and case must not open what names keep shut.
#[test]
fn no_link_inside_the_site_opens_what_is_hidden() {
    let site = site().file("App_Data/x.txt", SECRET).yml(&format!("# {SECRET}\n"));
    symlink("App_Data/x.txt", site.path().join("data.txt")).unwrap();
    symlink("iisnode.yml", site.path().join("settings.txt")).unwrap();
    all_refused(&site, ["/data.txt", "/settings.txt"]);
}
