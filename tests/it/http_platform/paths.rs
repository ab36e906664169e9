//! Which program is started: relative, quoted, spelled as on Windows, found in PATH, or not there at all.

use super::{PORT, ask, executable, failure, json, node_site, says_pid, site, starts, tells, text};
use crate::harness::{Host, Site};

const RUNS: &str = "#!/bin/sh\nSTARTED_BY=$0 exec node app.js\n";

/// A site whose application tells what program started it.
fn started_by(process_path: &str, script: &str) -> Site {
    let app = super::app("r.end(process.env.STARTED_BY ?? 'nobody')");
    let site = site(&format!("processPath=\"{process_path}\""), PORT).file("app.js", &app);
    executable(site, script, RUNS)
}

#[test]
fn a_program_of_the_site_is_found_in_every_spelling() {
    for (process_path, script) in [
        (r".\run.sh", "run.sh"),
        ("./run.sh", "run.sh"),
        ("run.sh", "run.sh"),
        (r"bin\run.sh", "bin/run.sh"),
        (r".\bin\run.sh", "bin/run.sh"),
        (r".\my tools\run it.sh", "my tools/run it.sh"),
        ("my tools/run it.sh", "my tools/run it.sh"),
        (r"%WHERE%\run.sh", "there/run.sh"),
    ] {
        let site = started_by(process_path, script);
        let host = Host::of(site.path()).without_waiting().env("WHERE", "there").start();
        let by = text(&host, "/");
        assert!(by.ends_with(script), "{process_path}: {by}");
    }
}

#[test]
fn an_absolute_path_is_taken_as_it_is() {
    let site = started_by("%TOOLS%/one run.sh", "one run.sh");
    let tools = site.path().to_str().unwrap();
    let host = Host::of(site.path()).without_waiting().env("TOOLS", tools).start();
    assert!(text(&host, "/").ends_with("one run.sh"));
}

#[test]
fn a_program_of_the_site_is_taken_before_one_of_the_same_name_in_path() {
    let site = started_by("python3", "python3");
    assert!(text(&site.serve(), "/").ends_with("python3"));
}

#[test]
fn arguments_are_split_as_on_windows_and_no_shell_reads_them() {
    let site = tells(
        "%HTTP_PLATFORM_PORT% &quot;two words&quot; a&quot;b c&quot;d 'single' $HOME ; * &gt;made.txt `id` \\d+ &quot;&quot;",
        "",
    );
    let seen = json(&site.serve(), "/");
    let arguments = seen["arguments"].as_array().unwrap()[1..].to_vec();
    let expected = ["two words", "ab cd", "'single'", "$HOME", ";", "*", ">made.txt", "`id`", "\\d+", ""];
    assert_eq!(arguments, expected.map(serde_json::Value::from));
    assert!(!site.path().join("made.txt").exists());
}

/// A path in an argument is as Windows as the one of the program.
#[test]
fn a_file_of_the_site_is_found_by_an_argument_with_backslashes() {
    let site = site(r#"processPath="node" arguments=".\server\app.js""#, PORT)
        .file("server/app.js", &super::app("r.end(process.cwd())"));
    let directory = text(&site.serve(), "/");
    let root = std::fs::canonicalize(site.path()).unwrap();
    assert_eq!(std::fs::canonicalize(directory).unwrap(), root);
}

#[test]
fn a_program_that_is_not_there_is_one_clear_page_that_says_what_was_looked_for() {
    for (process_path, words) in [
        ("idontexist", &["processPath", "idontexist", "PATH"][..]),
        (r".\tools\missing.exe", &["processPath", "missing.exe"]),
        (r"C:\Tools\nowhere\onesuch.exe", &["processPath", "onesuch"]),
    ] {
        let site = site(&format!("processPath=\"{process_path}\" startupTimeLimit=\"60\""), "");
        let host = site.serve();
        for _ in 0..3 {
            let response = ask(&host, "/", &[]);
            assert_eq!(failure(&response), (502, "502.5"), "{process_path}: {}", response.text());
            for word in words {
                assert!(response.text().contains(word), "{word} of {process_path}: {}", response.text());
            }
        }
        host.wait_for_line(words[1]);
    }
}

#[test]
fn a_batch_file_is_named_on_its_page_as_what_cannot_run_here() {
    for name in ["start.cmd", "start.bat"] {
        let site = site(&format!("processPath=\".\\{name}\" startupTimeLimit=\"60\""), PORT)
            .file(name, "@echo off\r\nnode app.js\r\n")
            .file("app.js", &says_pid());
        let host = site.serve();
        let response = ask(&host, "/", &[]);
        assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
        let page = response.text();
        assert!(page.contains(name) && page.contains("batch"), "{page}");
        host.wait_for_line(name);
        assert_eq!(starts(&site, ""), [] as [u32; 0], "something was started");
    }
}

/// A file that exists and cannot be executed is not a file that is missing.
#[test]
fn a_program_that_may_not_be_executed_is_told_so() {
    let site = site(r#"processPath=".\run.sh" startupTimeLimit="60""#, PORT).file("run.sh", RUNS);
    let response = ask(&site.serve(), "/", &[]);
    assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
    let page = response.text();
    assert!(page.contains("run.sh") && page.to_lowercase().contains("execut"), "{page}");
}

/// What a section names, and what `check` and the start of the host say of it, with its place.
#[test]
fn a_program_that_cannot_run_is_an_error_of_check_and_is_told_at_start() {
    for (process_path, word) in [
        ("idontexist", "there is no program `idontexist`"),
        (r".\start.cmd", "batch files cannot run"),
        (r".\run.sh", "is not executable"),
        (r".\test.exe", "there is no program"),
    ] {
        let site = site(&format!("processPath=\"{process_path}\""), PORT)
            .file("start.cmd", "@echo off\r\n")
            .file("run.sh", RUNS);
        let outcome = crate::harness::ostler(["check", site.path().to_str().unwrap()]);
        assert_eq!(outcome.status.code(), Some(2), "{process_path}: {}", outcome.text());
        let told = outcome.text();
        assert!(told.contains("web.config:") && told.contains("error:") && told.contains(word), "{told}");
        let host = site.serve();
        let line = host.wait_for_line(word);
        assert!(line.contains("web.config:") && line.contains("error:"), "{line}");
    }
}

#[test]
fn a_folder_with_nothing_to_run_is_an_error_of_check_as_of_run() {
    let folder = Site::named("empty");
    for command in ["check", "run"] {
        let outcome = crate::harness::ostler([command, folder.path().to_str().unwrap()]);
        assert_eq!(outcome.status.code(), Some(2), "{command}: {}", outcome.text());
        assert!(outcome.stderr.contains("nothing to run in"), "{command}: {}", outcome.stderr);
    }
}

/// One name for an application, and its command, before anybody asks for it.
#[test]
fn a_start_names_each_program_with_its_command_and_tells_what_is_wrong_with_its_section() {
    let api = super::web_config(&super::platform(
        "processPath=\"node\" arguments=\"api.js 8\" proccessesPerApplication=\"2\"",
        "",
    ));
    let site = node_site(&says_pid(), "").file("api/web.config", &api).file("api/api.js", "");
    let broken = super::web_config(&super::platform("processPath=\"node\" startupTimeLimit=\"soon\"", ""));
    let host = site.file("broken/web.config", &broken).serve();
    let root = host.wait_for_line("app      site: `");
    assert!(root.contains("node app.js` (its httpPlatform section; started by its first request)"), "{root}");
    let api = host.wait_for_line("app      /api: `");
    assert!(api.contains("node api.js 8` (its httpPlatform section"), "{api}");
    host.wait_for_line("app      /broken (its httpPlatform section cannot be used)");
    host.wait_for_line("`soon` is not a value for `startupTimeLimit`");
    host.wait_for_line("did you mean `processesPerApplication`?");
}

#[test]
fn a_program_stands_in_the_folder_of_its_web_config() {
    let reads = super::app("r.end(require('fs').readFileSync('file.txt'))");
    let site = node_site(&reads, "").file("file.txt", "beside the web.config");
    assert_eq!(text(&site.serve(), "/deep/down"), "beside the web.config");
}
