//! What programs print: in a file named as on IIS, or nowhere, and never in the way.

use super::{NOTES_START, app, ask, failure, node_site, of_apps, pid, starts, text};
use crate::harness::{Host, PATIENCE, Site, eventually, holds_for};

fn prints() -> String {
    format!(
        "{NOTES_START}console.log('out'); console.error('err');\n{}",
        app("console.log(`asked for ${q.url}`); r.end(String(process.pid))")
    )
}

/// The log files in a folder of the site whose names begin so.
fn logs(site: &Site, folder: &str, stem: &str) -> Vec<String> {
    let mut names = site.list(folder);
    names.retain(|name| name.starts_with(stem) && name.ends_with(".log"));
    names
}

#[track_caller]
fn logs_of(site: &Site, folder: &str, stem: &str, pid: u32) -> String {
    eventually(PATIENCE, "a log with both streams", || {
        let names = logs(site, folder, stem);
        let name = names.iter().find(|name| name.ends_with(&format!("_{pid}.log")))?;
        let text = std::fs::read_to_string(site.path().join(folder).join(name)).unwrap();
        (text.contains("out\n") && text.contains("err\n") && text.contains("asked for /")).then_some(text)
    })
}

// Row 11.
#[test]
fn a_log_is_named_after_stem_time_and_process_and_holds_both_streams() {
    let site = node_site(&prints(), r#"stdoutLogEnabled="true" stdoutLogFile=".\logs\stdout""#);
    let host = site.serve();
    let pid = pid(&host, "/tea");
    let log = logs_of(&site, "logs", "stdout_", pid);
    assert!(log.contains("asked for /tea\n"), "{log}");
    let names = logs(&site, "logs", "stdout_");
    assert_eq!(names.len(), 1, "{names:?}");
    let time = names[0].strip_prefix("stdout_").unwrap().strip_suffix(&format!("_{pid}.log")).unwrap();
    assert!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "{names:?}");
    assert!(time.starts_with("20"), "{names:?}");
}

// Row 11.
#[test]
fn the_folder_of_logs_is_made_wherever_it_is_said_to_be() {
    for (setting, folder, stem) in [
        (r#"stdoutLogFile=".\logs\deep\stdout""#, "logs/deep", "stdout_"),
        (r#"stdoutLogFile="logs\out""#, "logs", "out_"),
        (r#"stdoutLogFile="logs/out""#, "logs", "out_"),
        (r#"stdoutLogFile="%WHERE%\my log""#, "there", "my log_"),
        (r#"stdoutLogFile="%ROOT%/elsewhere/out""#, "elsewhere", "out_"),
        ("", "", "httpplatform-stdout_"),
    ] {
        let site = node_site(&prints(), &format!("stdoutLogEnabled=\"true\" {setting}"));
        let setup = Host::of(site.path()).without_waiting().env("WHERE", "there");
        let host = setup.env("ROOT", site.path().to_str().unwrap()).start();
        let pid = pid(&host, "/");
        logs_of(&site, folder, stem, pid);
        assert_eq!(logs(&site, folder, stem).len(), 1, "{setting}");
    }
}

#[test]
fn every_process_has_a_log_of_its_own() {
    let attributes = r#"stdoutLogEnabled="true" stdoutLogFile="logs\stdout" processesPerApplication="3""#;
    let site = node_site(&prints(), attributes);
    let host = site.serve();
    for pid in [(); 3].map(|()| pid(&host, "/")) {
        let log = logs_of(&site, "logs", "stdout_", pid);
        assert_eq!(log.matches("out\n").count(), 1, "{log}");
    }
    eventually(PATIENCE, "three logs", || (logs(&site, "logs", "stdout_").len() == 3).then_some(()));
}

// Row 11.
#[test]
fn a_log_that_cannot_be_written_is_a_warning_and_the_application_runs() {
    let attributes = r#"stdoutLogEnabled="true" stdoutLogFile="blocked\stdout""#;
    let site = node_site(&prints(), attributes).file("blocked", "a file");
    let host = site.serve();
    assert_eq!(pid(&host, "/"), starts(&site, "")[0]);
    host.wait_for_line("blocked");
}

#[test]
fn without_logging_no_file_is_written_and_the_page_of_a_failed_start_shows_the_last_words() {
    let site = node_site("console.error('my last words'); process.exit(4);", r#"startupRetryCount="1""#);
    let response = ask(&site.serve(), "/", &[]);
    assert_eq!(failure(&response), (502, "502.5"));
    assert!(response.text().contains("my last words"), "{}", response.text());
    assert_eq!(site.list(""), ["app.js", "web.config"]);
}

// Row 12; twice as much as there, and to both streams.
#[test]
fn twenty_megabytes_of_output_hold_nobody_up_with_or_without_a_log() {
    for attributes in ["", r#"stdoutLogEnabled="true" stdoutLogFile="logs\stdout""#] {
        let site = node_site("import('./floods.mjs')", attributes).file("floods.mjs", &of_apps("floods.mjs"));
        assert_eq!(text(&site.serve(), "/"), "wrote it all\n", "{attributes}");
    }
}

/// Logs in the folder of the application are nothing that changes it.
#[test]
fn writing_a_log_recycles_nothing() {
    let site = node_site(&prints(), r#"stdoutLogEnabled="true""#);
    let host = site.serve();
    let first = pid(&host, "/");
    holds_for(PATIENCE / 60, "the same process", || pid(&host, "/") == first);
    assert_eq!(starts(&site, ""), [first]);
}
