//! What workers write is kept in files: named, rolled, counted and swept as iisnode did.

use super::{app, ask, failure, says, text};
use crate::harness::{PATIENCE, Site, eventually};

/// A server that logs `Request<n>` before each answer.
fn logs_requests() -> String {
    format!("let n = 0;\n{}", app("console.log(`Request${++n}`); r.end('logged')"))
}

/// A server that logs 1024 letters and a line end before each answer, the first of them counting up.
fn logs_kilobytes() -> String {
    format!("let n = 0;\n{}", app("console.log(String(n++).padEnd(1024, 'x')); r.end('logged')"))
}

/// The log files of one stream.
fn files(site: &Site, folder: &str, stream: &str) -> Vec<String> {
    let names = site.list(folder);
    names.into_iter().filter(|name| name.contains(&format!("-{stream}-"))).collect()
}

/// Looked at right after the answer: by then every line is in the file.
#[test]
fn the_lines_of_a_request_are_on_disk_when_its_answer_is_there() {
    let site = Site::iisnode("hello.js", &logs_requests());
    let host = site.serve();
    assert_eq!(site.list("iisnode"), [] as [&str; 0], "nothing was written yet");
    for n in 1..=5 {
        text(&host, "/hello.js");
        let names = site.list("iisnode");
        assert!(names.len() == 2 && names.contains(&"index.html".to_owned()), "{names:?}");
        let log = names.iter().find(|name| name.ends_with(".txt")).unwrap();
        let lines = (1..=n).map(|n| format!("Request{n}\n")).collect::<String>();
        assert_eq!(site.read(&format!("iisnode/{log}")), lines);
    }
}

#[test]
fn a_log_file_is_named_after_machine_worker_stream_and_time() {
    let site = Site::iisnode(
        "hello.js",
        &app("console.log('out'); console.error('err'); r.end(String(process.pid))"),
    );
    let pid = text(&site.serve(), "/hello.js");
    for (stream, said) in [("stdout", "out\n"), ("stderr", "err\n")] {
        let names = files(&site, "iisnode", stream);
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(site.read(&format!("iisnode/{}", names[0])), said);
        let (machine, rest) = names[0].split_once(&format!("-{pid}-{stream}-")).unwrap();
        let created = rest.strip_suffix(".txt").unwrap();
        assert!(!machine.is_empty() && created.len() == 13 && created.parse::<u64>().is_ok(), "{names:?}");
    }
}

#[test]
fn what_a_worker_writes_is_kept_byte_for_byte() {
    let writes = "process.stdout.write(Buffer.from([0, 255, 13, 10, 10, 27])); process.stdout.write('ä\\n', () => r.end())";
    let site = Site::iisnode("hello.js", &app(writes));
    text(&site.serve(), "/hello.js");
    let name = files(&site, "iisnode", "stdout").remove(0);
    let kept = std::fs::read(site.path().join("iisnode").join(name)).unwrap();
    assert_eq!(kept, b"\x00\xff\r\n\n\x1b\xc3\xa4\n");
}

#[test]
fn a_file_that_has_grown_beyond_its_size_is_followed_by_another() {
    let site = Site::iisnode("hello.js", &logs_kilobytes()).set(r#"maxLogFileSizeInKB="1""#);
    let host = site.serve();
    text(&host, "/hello.js");
    text(&host, "/hello.js");
    let names = site.list("iisnode");
    assert_eq!(names.len(), 3, "{names:?}");
    let sizes =
        files(&site, "iisnode", "stdout").into_iter().map(|name| site.read(&format!("iisnode/{name}")).len());
    assert_eq!(sizes.collect::<Vec<_>>(), [1025, 1025]);
}

#[test]
fn the_oldest_files_go_when_there_are_too_many_or_too_much_and_only_our_own() {
    for quota in [r#"maxLogFiles="3""#, r#"maxTotalLogFileSizeInKB="3""#] {
        let site = Site::iisnode("hello.js", &logs_kilobytes())
            .set(&format!(r#"maxLogFileSizeInKB="1" {quota}"#))
            .file("iisnode/notes.txt", &"n".repeat(5000))
            .file("iisnode/old-1-stdout.txt", "not a name of ours");
        let host = site.serve();
        for n in 0..12 {
            text(&host, "/hello.js");
            let names = files(&site, "iisnode", "stdout");
            assert!(names.len() <= 4, "{quota}: {names:?}");
            let newest = site.read(&format!("iisnode/{}", names.last().unwrap()));
            assert!(newest.starts_with(&format!("{n}x")), "{quota}: {newest:.9} after {n}");
        }
        assert_eq!(site.read("iisnode/notes.txt").len(), 5000);
        assert_eq!(site.read("iisnode/old-1-stdout.txt"), "not a name of ours");
    }
}

#[test]
fn the_log_directory_may_be_elsewhere_in_any_spelling() {
    for (script, directory, folder) in [
        ("hello.js", "logs", "logs"),
        ("hello.js", r"log\iisnode", "log/iisnode"),
        ("dist/hello.js", "iisnode", "dist/iisnode"),
        ("dist/hello.js", r"..\logs", "logs"),
        ("hello.js", "%WHERE%/here", "there/here"),
    ] {
        let site = Site::iisnode(script, &logs_requests()).set(&format!("logDirectory=\"{directory}\""));
        let host = crate::harness::Host::of(site.path()).without_waiting().env("WHERE", "there").start();
        text(&host, &format!("/{script}"));
        assert_eq!(files(&site, folder, "stdout").len(), 1, "{directory}");
    }
}

#[test]
fn a_log_directory_that_cannot_be_made_is_a_warning() {
    let site =
        Site::iisnode("hello.js", &logs_requests()).set(r#"logDirectory="blocked/logs""#).file("blocked", "");
    let host = site.serve();
    assert_eq!(text(&host, "/hello.js"), "logged");
    host.wait_for_line("blocked");
}

#[test]
fn without_logging_nothing_is_written_and_an_error_page_still_shows_the_last_words() {
    let site = Site::iisnode("hello.js", &says("")).set(r#"loggingEnabled="false""#);
    site.write("hello.js", "console.error('my last words'); process.exit(4);");
    let response = ask(&site.serve(), "/hello.js", &[]);
    assert_eq!(failure(&response), (200, "500.1002"));
    assert!(response.text().contains("my last words"), "{}", response.text());
    assert_eq!(site.list("iisnode"), [] as [&str; 0]);
}

/// Writing logs into a watched folder must not make an application recycle itself for ever.
#[test]
fn log_files_never_count_as_changes() {
    let counts = format!("let n = 0;\n{}", app("console.log(n); r.end(String(++n))"));
    let site = Site::iisnode("hello.js", &counts)
        .set(r#"logDirectory="logs" watchedFiles="*.js;logs\*;logs\*.txt""#);
    let host = site.serve();
    let mut last = String::new();
    for n in 1..=5 {
        last = text(&host, "/hello.js");
        assert_eq!(last, n.to_string());
    }
    eventually(PATIENCE, "one log", || (files(&site, "logs", "stdout").len() == 1).then_some(()));
    assert_eq!(last, "5");
}
