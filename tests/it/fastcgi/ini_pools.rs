//! The pools of a `fcgiext.ini`: each of its settings holds, with the defaults of that file and not those of IIS 7.

use std::os::unix::fs::PermissionsExt;

use super::{
    SAYS_PID, act, all_end, ask, failure, goes_on, is_failure, json, notes, nothing_violated, pid,
    scripted_arguments,
};
use crate::harness::{PATIENCE, RawClient, Site, eventually};

/// A site whose `act.fcgi` is answered by `tests/apps/fcgi.py`, in a pool with these lines.
fn site(lines: &str) -> Site {
    let site = Site::named("site").web_config("<configuration/>").file("act.fcgi", "").file("notes/here", "");
    let arguments = scripted_arguments(&site);
    site.write(
        "fcgiext.ini",
        &format!("[Types]\nfcgi=Pool\n[Pool]\nExePath=python3\nArguments={arguments}\n{lines}\n"),
    );
    site
}

#[test]
fn the_number_of_programs_and_the_length_of_the_queue_hold() {
    let site = site("MaxInstances=1\nQueueLength=1\nUnhealthyOnQueueFull=1\nResponseBufferLimit=4194304");
    let host = site.serve();
    let only = goes_on(&host);
    let connect = |behaviour: &str| {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", act(behaviour)));
        client
    };
    let mut busy = connect("takes=1");
    eventually(PATIENCE, "a busy program", || (notes(&site, "spans.log").len() == 1).then_some(()));
    let mut two = [connect("pid"), connect("pid")];
    let refused = eventually(PATIENCE, "who is not waited for", || {
        two.iter_mut().position(|client| !client.is_silent_for(std::time::Duration::from_millis(1)))
    });
    let response = two[refused].read_response("GET");
    assert_eq!(failure(&response), (503, "503.4"), "{}", response.text());
    assert_eq!(busy.read_response("GET").text(), only.to_string());
    assert_eq!(two[1 - refused].read_response("GET").text(), only.to_string());
    nothing_violated(&site);
}

#[test]
fn a_program_is_replaced_after_its_number_of_requests() {
    let site = site("MaxInstances=1\nInstanceMaxRequests=3\nProtocol=Tcp\nFlushNamedPipe=1");
    let host = site.serve();
    let seen = (0..9).map(|_| goes_on(&host)).collect::<Vec<_>>();
    assert_eq!(seen.chunk_by(|a, b| a == b).map(<[u32]>::len).collect::<Vec<_>>(), [3, 3, 3], "{seen:?}");
    all_end(&seen[..6], "those replaced");
}

/// By name or by number; what is not said is passed to the log, where IIS 6 would answer each notice with 500.
#[test]
fn what_becomes_of_stderr_is_said_by_name_or_number() {
    for (mode, status, told) in [
        ("", 200, false),
        ("StderrMode=ReturnStderrIn500", 500, true),
        ("StderrMode=0", 500, true),
        ("StderrMode=ReturnGeneric500", 500, false),
        ("stderrmode=ignoreandreturn200", 200, false),
        ("StderrMode=2", 200, false),
        ("StderrMode=3", 500, false),
    ] {
        let site = site(mode);
        let host = site.serve();
        let response = ask(&host, &act("stderr=before"), &[super::FROM_AFAR]);
        let text = response.text();
        assert_eq!(
            (response.status(), text.contains("the secret of stderr")),
            (status, told),
            "{mode}: {text}"
        );
        assert_eq!(text == "the page", status == 200, "{mode}: {text}");
    }
}

#[test]
fn more_ends_in_a_minute_than_allowed_close_the_gate() {
    let site = site("MaxInstances=1\nRapidFailsPerMinute=2");
    let host = site.serve();
    let closed = (0..10).map(|_| ask(&host, &act("leaves=exit,head"), &[])).find(|response| {
        is_failure(response);
        response.status() == 503
    });
    let closed = closed.expect("the gate closes");
    assert!(closed.head.has("retry-after"), "{:?}", closed.head.fields);
}

/// As on a console: quotes group words.
#[test]
fn arguments_are_taken_apart_at_blanks_outside_of_quotes() {
    let site = site("");
    let ini = site.read("fcgiext.ini");
    let line = ini.lines().find(|line| line.starts_with("Arguments=")).unwrap();
    site.write("fcgiext.ini", &ini.replace(line, &format!("{line} \"two words\" last")));
    let told = json(&site.serve(), &act("environment"));
    assert_eq!(told["arguments"].as_array().unwrap()[2..], ["two words", "last"], "{told:#}");
}

/// A relative path starts at the folder of the program.
#[test]
fn a_change_of_the_file_beside_the_program_replaces_it() {
    let tools = Site::named("tools").file("php", "#!/bin/sh\nexec php-cgi \"$@\"\n").file("php.ini", "");
    let program = tools.path().join("php");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ini = format!(
        "[Types]\nphp=PHP\n[PHP]\nExePath={}\nMaxInstances=1\nMonitorChangesTo=php.ini\n",
        program.display()
    );
    let site = Site::named("site")
        .web_config("<configuration/>")
        .file("fcgiext.ini", &ini)
        .file("pid.php", SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    assert_eq!(pid(&host, "/pid.php"), first);
    tools.write("php.ini", "memory_limit = 64M\n");
    eventually(PATIENCE, "another program", || (pid(&host, "/pid.php") != first).then_some(()));
    all_end(&[first], "the one before the change");
}

/// Two sections with one program are two pools.
#[test]
fn sections_with_the_same_program_are_apart() {
    let site = site("MaxInstances=1");
    let ini = site.read("fcgiext.ini");
    let section = ini.split_once("[Pool]").unwrap().1;
    site.write("fcgiext.ini", &format!("{ini}[Types]\nother=Other\n[Other]{section}"));
    let site = site.file("act.other", "");
    let host = site.serve();
    let (one, other) = (goes_on(&host), pid(&host, "/act.other?pid"));
    assert_ne!(one, other);
    assert_eq!((goes_on(&host), pid(&host, "/act.other?pid")), (one, other));
}
