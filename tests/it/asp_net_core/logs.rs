//! What workers print: into a file that is asked for, and else the first of it, for the page of a start that failed.

use super::{Section, fails, next_pid, pid, text, touch};
use crate::harness::{Host, PATIENCE, Site, command, eventually};

/// The logs in a folder, which may hold other things too.
fn logs(site: &Site, folder: &str) -> Vec<String> {
    let is_log = |name: &String| std::path::Path::new(name).extension().is_some_and(|end| end == "log");
    site.list(folder).into_iter().filter(is_log).collect()
}

/// The only log there is, once it holds all these words.
#[track_caller]
fn log_with(site: &Site, folder: &str, words: &[&str]) -> String {
    eventually(PATIENCE, "a log with these words", || {
        let names = logs(site, folder);
        assert!(names.len() <= 1, "{names:?}");
        let log = names.first().map(|name| (site.read(&format!("{folder}/{name}")), name.clone()));
        log.filter(|(log, _)| words.iter().all(|word| log.contains(word))).map(|(_, name)| name)
    })
}

/// The time in UTC, as fourteen digits.
fn now() -> u64 {
    let output = command("date").args(["-u", "+%Y%m%d%H%M%S"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn logging(stem: &str) -> Section {
    Section::new().set("stdoutLogEnabled", true).set("stdoutLogFile", stem)
}

/// Row 18.
#[test]
fn a_log_holds_both_outputs_and_is_named_after_the_start_of_its_process() {
    let site = logging(r".\logs\stdout").site();
    let host = site.serve();
    let before = now();
    let worker = pid(&host, "");
    let after = now();
    text(&host, "/print?Gr%C3%BC%C3%9Fe%20%E7%A7%81");
    let name = log_with(&site, "logs", &["out Grüße 私\n", "err Grüße 私\n"]);
    let stamp = name.strip_prefix("stdout_").and_then(|rest| rest.strip_suffix(&format!("_{worker}.log")));
    let stamp = stamp.unwrap_or_else(|| panic!("{name} of {worker}"));
    assert_eq!(stamp.len(), 14, "{name}");
    assert!((before..=after).contains(&stamp.parse().unwrap()), "{before} {name} {after}");
}

/// Row 18: one file for each start.
#[test]
fn each_process_has_a_log_of_its_own() {
    let site = logging(r".\logs\stdout").set("processesPerApplication", 2).site();
    let host = site.serve();
    let first = pid(&host, "");
    eventually(PATIENCE, "two logs", || {
        text(&host, "/print?here");
        (logs(&site, "logs").len() == 2).then_some(())
    });
    touch(&site, "web.config");
    next_pid(&host, "", first);
    eventually(PATIENCE, "four logs", || {
        text(&host, "/print?here");
        (logs(&site, "logs").len() == 4).then_some(())
    });
}

/// Row 18: paths that are not ASCII; and the folders on the way, as in row 17.
#[test]
fn the_path_of_a_log_may_be_written_in_any_way() {
    for (stem, folder, prefix) in [
        ("stem", "", "stem_"),
        (r".\aspnetcore-stdout", "", "aspnetcore-stdout_"),
        (r"logs\deep\er\stdout", "logs/deep/er", "stdout_"),
        ("logs/stdout", "logs", "stdout_"),
        (r".\Protokolle für 私\Ausgabe é", "Protokolle für 私", "Ausgabe é_"),
        (r".\%WHERE%\stdout", "expanded", "stdout_"),
    ] {
        let site = logging(stem).site();
        let host = Host::of(site.path()).without_waiting().env("WHERE", "expanded").start();
        text(&host, "/print?here");
        eventually(PATIENCE, stem, || {
            let log = logs(&site, folder).into_iter().find(|name| name.starts_with(prefix))?;
            let log = site.read(format!("{folder}/{log}").trim_start_matches('/'));
            log.contains("out here\n").then_some(())
        });
    }
}

/// Row 17.
#[test]
fn logging_that_is_switched_off_again_lets_go_of_its_folder() {
    let site = logging(r".\logs\stdout").site();
    let host = site.serve();
    let old = pid(&host, "");
    text(&host, "/print?here");
    log_with(&site, "logs", &["out here"]);
    site.write("web.config", &logging(r".\logs\stdout").set("stdoutLogEnabled", false).config());
    next_pid(&host, "", old);
    super::wait_for_end_of(old);
    std::fs::remove_dir_all(site.path().join("logs")).unwrap();
    text(&host, "/print?there");
    assert!(!site.path().join("logs").exists());
}

/// Rows 17 and 19.
#[test]
fn a_log_that_cannot_be_written_is_a_warning_and_the_application_runs() {
    let endless = format!("logs\\{}", "x".repeat(300));
    for (stem, named) in [
        (r".\blocked\stdout", "blocked"),
        ("/proc/nowhere/at/all/stdout", "nowhere"),
        (endless.as_str(), "xxxxxxxx"),
    ] {
        let site = logging(stem).site().file("blocked", "a file");
        let host = site.serve();
        text(&host, "/print?here");
        host.wait_for_line(named);
        let worker = pid(&host, "");
        for _ in 0..20 {
            text(&host, "/print?much%20more");
        }
        assert_eq!(pid(&host, ""), worker, "{stem}");
        assert_eq!(site.read("blocked"), "a file");
    }
}

/// Row 20.
#[test]
fn of_a_start_that_fails_the_first_thirty_thousand_characters_are_shown() {
    let site = Section::acting("prints-much exits").site();
    let page = fails(&site.serve(), "/", (502, "502.5"));
    for line in ["line 0000 x", "line 0150 x", "line 0290 x"] {
        assert!(page.contains(line), "`{line}` is missing in a page of {} bytes", page.len());
    }
    for line in ["line 0310 x", "line 0399 x"] {
        assert!(!page.contains(line), "`{line}` is too much");
    }
}

/// Row 20: the same for one that is killed, and in the log of the host.
#[test]
fn the_last_words_of_a_start_that_takes_too_long_are_shown_and_told() {
    let site = Section::acting("says-why never-listens").set("startupTimeLimit", 1).site();
    let host = site.serve();
    let page = fails(&host, "/", (502, "502.5"));
    assert!(page.contains("the database is asleep"), "{page}");
    host.wait_for_line("the database is asleep");
}

/// Row 20.
#[test]
fn without_redirection_nothing_a_worker_prints_is_kept() {
    let site = Section::acting("says-why exits")
        .handler_setting("enableOutOfProcessConsoleRedirection", "false")
        .site();
    let host = site.serve();
    let page = fails(&host, "/", (502, "502.5"));
    assert!(!page.contains("the database is asleep"), "{page}");
    assert!(!host.lines().iter().any(|line| line.contains("the database is asleep")), "{:?}", host.lines());
}

/// Section 9 of the reference: a pipe that nobody reads would stop the worker.
#[test]
fn a_worker_that_prints_very_much_never_waits_for_a_reader() {
    for section in [
        Section::acting("prints-much"),
        Section::acting("prints-much").handler_setting("enableOutOfProcessConsoleRedirection", "false"),
        Section::acting("prints-much").set("stdoutLogEnabled", true).set("stdoutLogFile", r".\blocked\log"),
    ] {
        let site = section.site().file("blocked", "a file");
        let host = site.serve();
        let worker = pid(&host, "");
        let long = "y".repeat(1500);
        for _ in 0..50 {
            text(&host, &format!("/print?{long}"));
        }
        assert_eq!(pid(&host, ""), worker);
    }
}
