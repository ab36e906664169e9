//! A changed file recycles: no request is lost, the old program may put its things in order, and then it is gone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::{NOTES_START, PORT, all_end, app, ask, node_config, node_site, pid, says_pid, site, starts};
use crate::harness::{PATIENCE, RawClient, Site, alive, eventually, holds_for};

const CLIENTS: usize = 6;

/// Tells the clients to leave, also when the test fails in between.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The same settings in other words each time.
fn config(version: usize) -> String {
    node_config("").replace("<configuration>", &format!("<configuration><!-- {version} -->"))
}

// Row 18.
#[test]
fn an_edit_of_the_web_config_under_load_loses_no_request() {
    let site = node_site(&says_pid(), "");
    let host = site.serve();
    let mut last = pid(&host, "/");
    let mut old = Vec::new();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask_without_pause = |mut client: RawClient| {
        let begun = Instant::now();
        while !done.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
            let response = client.get("/");
            assert!([200, 503].contains(&response.status()), "{}: {}", response.status(), response.text());
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        let _leaving = Leaving(&done);
        for _ in 0..CLIENTS {
            let client = RawClient::connect(&host);
            scope.spawn(|| ask_without_pause(client));
        }
        for version in 1..=3 {
            let before = answered.load(Ordering::SeqCst);
            old.push(last);
            site.write("web.config", &config(version));
            last = eventually(PATIENCE, "a new pid", || {
                let response = ask(&host, "/", &[]);
                response.text().parse().ok().filter(|pid| response.status() == 200 && !old.contains(pid))
            });
            eventually(PATIENCE, "traffic all the while", || {
                (answered.load(Ordering::SeqCst) > before + 2 * CLIENTS).then_some(())
            });
        }
    });
    all_end(&old, "the old programs");
    assert!(alive(last));
}

fn watching(files: &[&str]) -> Site {
    let file = |path| format!("<file path=\"{path}\"/>");
    let files = files.iter().map(file).collect::<String>();
    site(
        r#"processPath="node" arguments="app.js""#,
        &format!("{PORT}<recycleOnFileChange>{files}</recycleOnFileChange>"),
    )
    .file("app.js", &says_pid())
}

// Row 20: no waiting, the next request is answered by the new program.
#[test]
fn a_listed_file_that_is_made_changed_or_gone_recycles() {
    for (path, name) in
        [(r".\touch.txt", "touch.txt"), ("touch.txt", "touch.txt"), (r"sub\touch.txt", "sub/touch.txt")]
    {
        let site = watching(&["other.txt", path]).file("sub/here.txt", "");
        let host = site.serve();
        let mut pids = vec![pid(&host, "/")];
        for change in ["made", "changed", "gone", "made again"] {
            if change == "gone" {
                site.remove(name)
            } else {
                site.write(name, change)
            }
            let next = pid(&host, "/");
            assert!(!pids.contains(&next), "{path} was {change}");
            pids.push(next);
        }
        all_end(&pids[..4], "the old programs");
    }
}

#[test]
fn a_file_that_is_not_listed_changes_nothing() {
    let site = watching(&["touch.txt"]);
    let host = site.serve();
    let first = pid(&host, "/");
    for name in ["other.txt", "data/cache.db", "app.js"] {
        site.write(name, &format!("// {name}"));
        assert_eq!(pid(&host, "/"), first, "{name}");
    }
}

#[test]
fn listed_files_may_be_cleared_and_a_nameless_one_is_an_error() {
    let cleared =
        r#"<recycleOnFileChange><file path="a.txt"/><clear/><file path="b.txt"/></recycleOnFileChange>"#;
    let attributes = r#"processPath="node" arguments="app.js""#;
    let site_ = site(attributes, &format!("{PORT}{cleared}")).file("app.js", &says_pid());
    let host = site_.serve();
    let first = pid(&host, "/");
    site_.write("a.txt", "");
    assert_eq!(pid(&host, "/"), first);
    site_.write("b.txt", "");
    assert_ne!(pid(&host, "/"), first);
    let nameless = site(attributes, r#"<recycleOnFileChange><file path=""/></recycleOnFileChange>"#);
    assert_eq!(super::failure(&ask(&nameless.serve(), "/", &[])), (500, "500.0"));
}

#[test]
fn the_old_program_is_asked_to_go_and_may_finish_what_it_does() {
    let goes = "process.on('SIGTERM', () => { require('fs').writeFileSync('asked.txt', 'asked'); process.exit(); });\n";
    let slow = app(
        "if (q.url === '/slow') { r.write('begun, '); setTimeout(() => r.end(String(process.pid)), 1000); } else r.end(String(process.pid))",
    );
    let site = node_site(&format!("{NOTES_START}{goes}{slow}"), "");
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    assert_eq!(client.read_chunk().1, b"begun, ");
    site.write("web.config", &config(1));
    let new = pid(&host, "/");
    let old = starts(&site, "")[0];
    assert_ne!(new, old);
    assert_eq!(client.read_chunk().1, old.to_string().as_bytes());
    all_end(&[old], "the old program");
    assert_eq!(site.read("asked.txt"), "asked");
}

/// Ten seconds are all it gets.
#[test]
fn a_program_that_ignores_the_request_to_go_is_ended_and_nobody_waits_for_that() {
    let stays = "process.on('SIGTERM', () => {});\n";
    let site = node_site(&format!("{stays}{}", says_pid()), "");
    let host = site.serve();
    let old = pid(&host, "/");
    site.write("web.config", &config(1));
    let new = pid(&host, "/");
    assert!(new != old && alive(old), "the new one waited for the end of the old one");
    all_end(&[old], "the one that ignores");
    assert_eq!(pid(&host, "/"), new);
    host.wait_for_line(&format!("worker 0 (pid {old}) did not end within 10 s and was killed"));
}

#[test]
fn a_page_app_offline_takes_the_program_off_and_its_removal_brings_it_back() {
    let site = node_site(&says_pid(), "");
    let host = site.serve();
    let old = pid(&host, "/");
    site.write("app_offline.htm", "<h1>We are painting the stable</h1>");
    let response = ask(&host, "/any/thing", &[]);
    assert_eq!((response.status(), response.text().as_str()), (503, "<h1>We are painting the stable</h1>"));
    all_end(&[old], "the program");
    assert_eq!(starts(&site, ""), [old]);
    site.remove("app_offline.htm");
    assert_ne!(pid(&host, "/"), old);
}

#[test]
fn many_edits_between_two_requests_cost_few_starts() {
    let site = node_site(&says_pid(), "");
    let host = site.serve();
    pid(&host, "/");
    for version in 0..30 {
        site.write("web.config", &config(version));
    }
    pid(&host, "/");
    holds_for(PATIENCE / 60, "few starts", || starts(&site, "").len() < 6);
}
