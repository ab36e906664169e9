//! `X-Sendfile` and `X-Accel-Redirect` where a folder is allowed for them: the file is served as any other of the host, with
//! what the program said of it, and nothing outside of that folder ever is.

use super::{act, ask, failure, ostler_yml, request, scripted_arguments};
use crate::harness::{Host, Message, Setup, Site};

const FIELDS: [&str; 3] = ["X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file"];

/// A site whose `act.fcgi` may have files of `files` beside the site sent, and of `site/protected` in it.
fn site() -> (Site, Setup) {
    let site = Site::named("sites")
        .file("site/act.fcgi", "")
        .file("site/web.config", "<configuration/>")
        .file("site/protected/page.txt", "protected")
        .file("site/open.txt", "open")
        .file("notes/here", "")
        .file("files/report.txt", "0123456789")
        .file("files/a b/ä.html", "in a folder")
        .file("files/empty.txt", "")
        .file("files-too/secret.txt", "the secret")
        .file("secret.txt", "the secret");
    let command = format!("command: python3 {}", scripted_arguments(&site));
    let config = ostler_yml(
        &site,
        &format!(
            "sites:\n- root: site\n  fastCgi:\n    '*.fcgi':\n      {command}\n      sendFilesBelow: [files, site/protected]\n"
        ),
    );
    (site, config)
}

/// The behaviour that answers with these lines and a body of its own.
fn head(lines: &str) -> String {
    let escaped: String = lines
        .bytes()
        .map(|byte| match byte {
            b'|' | b'/' | b':' | b'-' | b'=' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    act(&format!("header={escaped}"))
}

#[track_caller]
fn sends(host: &Host, field: &str, path: &str, fields: &[&str]) -> Message {
    ask(host, &head(&format!("Content-Type: text/plain|{field}: {path}")), fields)
}

#[test]
fn a_file_below_the_folder_is_sent_in_the_place_of_the_page() {
    let (site, config) = site();
    let host = config.start();
    let root = site.path().to_str().unwrap();
    for field in FIELDS {
        for (path, text) in [
            (format!("{root}/files/report.txt"), "0123456789"),
            (format!("{root}/files/a b/ä.html"), "in a folder"),
            (format!("{root}/files/empty.txt"), ""),
            (format!("{root}/site/protected/page.txt"), "protected"),
            // As a path of the site, too.
            ("/protected/page.txt".to_owned(), "protected"),
        ] {
            let response = sends(&host, field, &path, &[]);
            assert_eq!((response.status(), response.text().as_str()), (200, text), "{field} {path}");
            assert!(!response.head.has(field), "{:?}", response.head.fields);
            assert_eq!(
                response.head.field("content-length"),
                Some(&*text.len().to_string()),
                "{field} {path}"
            );
        }
    }
    super::goes_on(&host);
}

/// The program says what the file is, and the host what it has of it.
#[test]
fn what_the_program_says_of_the_file_goes_with_it() {
    let (site, config) = site();
    let host = config.start();
    let path = site.path().join("files/report.txt");
    let lines = format!(
        "Status: 200 OK|Content-Type: application/pdf|Content-Disposition: attachment; filename=\"r.pdf\"|\
         Cache-Control: private, max-age=5|Set-Cookie: a=1|Set-Cookie: b=2|Content-Length: 3|ETag: \"mine\"|\
         X-Sendfile: {}",
        path.display()
    );
    let response = ask(&host, &head(&lines), &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "0123456789"));
    let head = &response.head;
    for (name, value) in [
        ("content-type", "application/pdf"),
        ("content-disposition", "attachment; filename=\"r.pdf\""),
        ("cache-control", "private, max-age=5"),
        ("content-length", "10"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(head.all(name), [value], "{name} in {:?}", head.fields);
    }
    assert_eq!(head.all("set-cookie"), ["a=1", "b=2"]);
    assert_ne!(head.field("etag"), Some("\"mine\""), "the tag is that of the file");
    assert!(!head.has("status") && head.has("last-modified"), "{:?}", head.fields);
}

#[test]
fn ranges_conditions_and_head_are_those_of_files() {
    let (site, config) = site();
    let host = config.start();
    let path = site.path().join("files/report.txt");
    let path = path.to_str().unwrap();
    let part = sends(&host, "X-Sendfile", path, &["Range: bytes=2-4"]);
    assert_eq!((part.status(), part.text().as_str()), (206, "234"));
    assert_eq!(part.head.field("content-range"), Some("bytes 2-4/10"));
    let beyond = sends(&host, "X-Sendfile", path, &["Range: bytes=10-"]);
    assert_eq!(beyond.status(), 416);
    let whole = sends(&host, "X-Sendfile", path, &[]);
    let tag = whole.head.field("etag").unwrap().to_owned();
    let since = whole.head.field("last-modified").unwrap().to_owned();
    for condition in [format!("If-None-Match: {tag}"), format!("If-Modified-Since: {since}")] {
        let response = sends(&host, "X-Sendfile", path, &[&condition]);
        assert_eq!((response.status(), response.body.len()), (304, 0), "{condition}");
    }
    let target = head(&format!("Content-Type: text/plain|X-Sendfile: {path}"));
    let response = request(&host, "HEAD", &target, &[], "");
    assert_eq!((response.status(), response.head.field("content-length")), (200, Some("10")));
}

/// Not by dots, not by a link, not by a name that begins like the folder's: the page is sent, or there is no such file.
#[test]
fn nothing_outside_of_the_folder_is_ever_sent() {
    let (site, config) = site();
    let root = site.path().to_str().unwrap();
    std::os::unix::fs::symlink(format!("{root}/secret.txt"), format!("{root}/files/link.txt")).unwrap();
    std::os::unix::fs::symlink(root, format!("{root}/files/out")).unwrap();
    let host = config.start();
    for field in FIELDS {
        for path in [
            format!("{root}/secret.txt"),
            format!("{root}/files/../secret.txt"),
            format!("{root}/files/a b/../../secret.txt"),
            format!("{root}/files/link.txt"),
            format!("{root}/files/out/secret.txt"),
            format!("{root}/files-too/secret.txt"),
            format!("{root}/files/%2e%2e/secret.txt"),
            format!("{root}//secret.txt"),
            format!("file://{root}/secret.txt"),
            "/protected/../../secret.txt".to_owned(),
            "../secret.txt".to_owned(),
            "/etc/passwd".to_owned(),
            "/open.txt".to_owned(),
            format!("{root}/site/open.txt"),
            "/act.fcgi".to_owned(),
        ] {
            let response = sends(&host, field, &path, &[]);
            let text = response.text();
            let is_page = response.status() == 200 && text == "the body";
            assert!(is_page || response.status() == 404, "{field} {path}: {} {text}", response.status());
            assert!(!response.head.has(field), "{:?}", response.head.fields);
        }
    }
    super::goes_on(&host);
}

/// What the folder does not have is no page of the program, which believes it sent a file.
#[test]
fn a_file_that_is_not_there_is_not_found() {
    let (site, config) = site();
    let host = config.start();
    let root = site.path().to_str().unwrap();
    for path in ["files/missing.txt", "files/a b", "files/report.txt/x"] {
        let response = sends(&host, "X-Sendfile", &format!("{root}/{path}"), &[]);
        assert_eq!(failure(&response).0, 404, "{path}: {}", response.text());
    }
}

/// Allowed for one pool, not for another of the same site.
#[test]
fn the_permission_is_that_of_one_pool() {
    let (site, _) = site();
    let command = format!("command: python3 {}", scripted_arguments(&site));
    let text = format!(
        "sites:\n- root: site\n  fastCgi:\n    '*.fcgi':\n      {command}\n      sendFilesBelow: files\n    '*.other':\n      {command}\n"
    );
    site.write("site/act.other", "");
    let host = ostler_yml(&site, &text).start();
    let target =
        head(&format!("Content-Type: text/plain|X-Sendfile: {}/files/report.txt", site.path().display()));
    assert_eq!(ask(&host, &target, &[]).text(), "0123456789");
    let other = ask(&host, &target.replace("act.fcgi", "act.other"), &[]);
    assert_eq!((other.status(), other.text().as_str()), (200, "the body"));
    assert!(!other.head.has("x-sendfile"));
}

/// A program decides after it has read a form, too.
#[test]
fn a_post_is_answered_with_a_file() {
    let (site, config) = site();
    let host = config.start();
    let target =
        head(&format!("Content-Type: text/plain|X-Sendfile: {}/files/report.txt", site.path().display()));
    let response = request(&host, "POST", &target, &["Content-Length: 6"], "a=form");
    assert_eq!((response.status(), response.text().as_str()), (200, "0123456789"));
    super::goes_on(&host);
}

#[test]
fn a_part_that_is_not_there_is_told_with_the_length() {
    let (site, config) = site();
    let path = site.path().join("files/report.txt");
    let beyond = sends(&config.start(), "X-Sendfile", path.to_str().unwrap(), &["Range: bytes=10-"]);
    assert_eq!((beyond.status(), beyond.head.field("content-range")), (416, Some("bytes */10")));
}
