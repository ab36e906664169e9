//! Programs that start other programs: any of them may listen, and all of them end, however the end comes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{NOTES_START, PORT, all_end, app, ask, executable, of_apps, pid, says_pid, site, starts, text};
use crate::harness::{Host, PATIENCE, Site, alive, children_of, eventually, signal};

const WRAPPER: &str = "#!/bin/sh\necho $$ > wrapper.pid\nnode app.js\necho ended\n";
const SUPERVISOR: &str = "#!/bin/sh\necho $$ > wrapper.pid\nwhile true; do node app.js; done\n";
const DETACHES: &str = "#!/bin/sh\nsetsid node app.js &\nwait\n";

fn started_by(script: &str) -> Site {
    let site = site(r#"processPath=".\start.sh" startupTimeLimit="20""#, PORT).file("app.js", &says_pid());
    executable(site, "start.sh", script)
}

/// Families of all kinds, each with what it is for people.
fn families() -> Vec<(&'static str, Site)> {
    let shell = site(r#"processPath="sh" arguments="-c &quot;node app.js; true&quot;""#, PORT)
        .file("app.js", &says_pid());
    let npm = site(r#"processPath="npm" arguments="start --silent""#, PORT)
        .file("app.js", &says_pid())
        .file("package.json", r#"{ "private": true, "scripts": { "start": "node app.js" } }"#);
    let prefork = site(r#"processPath="python3" arguments="-u prefork.py %HTTP_PLATFORM_PORT%""#, "")
        .file("prefork.py", &of_apps("prefork.py"));
    vec![("a shell", shell), ("npm start", npm), ("a server that forks", prefork)]
}

/// The processes below the host that stand in the site's folder: its program and all that came of it.
fn family(host: &Host, site: &Site) -> BTreeSet<u32> {
    let folder = std::fs::canonicalize(site.path()).unwrap();
    let stands = |pid: &u32| {
        let directory: PathBuf = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        directory.starts_with(Path::new(&folder))
    };
    descendants(host.pid()).into_iter().filter(stands).collect()
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = children_of(pid);
    let below = children.iter().flat_map(|&child| descendants(child)).collect::<Vec<_>>();
    [children, below].concat()
}

/// The family as soon as it is complete: it answers, and has more than one member.
#[track_caller]
fn answering(host: &Host, site: &Site) -> Vec<u32> {
    let answers = pid(host, "/");
    let family = family(host, site);
    assert!(family.len() > 1 && family.contains(&answers), "{answers} is not in {family:?}");
    family.into_iter().collect()
}

#[track_caller]
fn recycle(kind: &str, site: &Site) {
    let host = site.serve();
    let old = answering(&host, site);
    let config = site.read("web.config");
    site.write("web.config", &config.replace("<configuration>", "<configuration><!-- edited -->"));
    let new = pid(&host, "/");
    assert!(!old.contains(&new), "{kind}: {new} is one of {old:?}");
    all_end(&old, kind);
    assert!(alive(pid(&host, "/")), "{kind}");
}

#[track_caller]
fn stop(kind: &str, site: &Site) {
    let mut host = site.serve();
    let all = answering(&host, site);
    host.stop();
    all_end(&all, kind);
}

#[track_caller]
fn kill(kind: &str, site: &Site) {
    let mut host = site.serve();
    let all = answering(&host, site);
    host.signal(Signal::SIGKILL);
    host.wait_for_end();
    all_end(&all, kind);
}

#[test]
fn a_family_leaves_nothing_behind_when_it_is_recycled() {
    for (kind, site) in families() {
        recycle(kind, &site);
    }
}

#[test]
fn a_family_leaves_nothing_behind_when_the_host_stops() {
    for (kind, site) in families() {
        stop(kind, &site);
    }
}

// Row 19.
#[test]
fn a_family_leaves_nothing_behind_when_the_host_is_killed() {
    for (kind, site) in families() {
        kill(kind, &site);
    }
}

/// It is in no group and no session of its program any more.
#[test]
fn a_child_that_was_detached_ends_with_its_family_whatever_the_end() {
    for end in [recycle, stop, kill] {
        end("a script and its detached child", &started_by(DETACHES));
    }
}

// Row 9.
#[test]
fn when_wrapper_or_child_is_killed_both_are_replaced_and_no_orphan_stays() {
    for victim in ["wrapper", "child"] {
        let site = started_by(WRAPPER);
        let host = site.serve();
        let child = pid(&host, "/");
        let wrapper = site.read("wrapper.pid").trim().parse::<u32>().unwrap();
        assert_ne!(child, wrapper);
        signal(if victim == "child" { child } else { wrapper }, Signal::SIGKILL);
        eventually(PATIENCE, "a new child", || {
            let response = ask(&host, "/", &[]);
            (response.status() == 200 && response.text() != child.to_string()).then_some(())
        });
        all_end(&[child, wrapper], victim);
        let new = site.read("wrapper.pid").trim().parse::<u32>().unwrap();
        assert!(new != wrapper && alive(new), "{victim}");
    }
}

/// Servers for development do so at each edit; it is no crash.
#[test]
fn a_supervisor_that_starts_its_child_anew_on_the_same_port_is_left_alone() {
    let site = started_by(SUPERVISOR);
    let host = site.serve();
    let mut child = pid(&host, "/");
    let supervisor = site.read("wrapper.pid");
    for _ in 0..3 {
        signal(child, Signal::SIGKILL);
        child = eventually(PATIENCE, "the next child", || {
            let response = ask(&host, "/", &[]);
            response.text().parse::<u32>().ok().filter(|&pid| response.status() == 200 && pid != child)
        });
        assert_eq!(site.read("wrapper.pid"), supervisor);
    }
    assert!(alive(supervisor.trim().parse().unwrap()));
    assert_eq!(starts(&site, "").len(), 4, "{:?}", starts(&site, ""));
}

/// More than the sixteen that were looked at once.
#[test]
fn a_wrapper_may_have_many_processes() {
    let many = "#!/bin/sh\nfor n in $(seq 20); do sleep 300 & done\nnode app.js\n";
    let site = started_by(many);
    let mut host = site.serve();
    let all = answering(&host, &site);
    assert!(all.len() > 20, "{all:?}");
    host.stop();
    all_end(&all, "the many");
}

#[test]
fn a_family_that_never_listens_is_ended_as_a_whole() {
    let site = site(r#"processPath=".\start.sh" startupTimeLimit="4" startupRetryCount="1""#, PORT)
        .file("app.js", &format!("{NOTES_START}setInterval(() => {{}}, 1000);"));
    let site = executable(site, "start.sh", "#!/bin/sh\necho $$ >> starts.log\nnode app.js\ntrue\n");
    let host = site.serve();
    assert_eq!(super::failure(&ask(&host, "/", &[])), (502, "502.5"));
    let all = starts(&site, "");
    assert_eq!(all.len(), 2, "{all:?}");
    all_end(&all, "wrapper and child");
}

/// Who asks meanwhile does not notice.
#[test]
fn a_program_that_listens_after_its_wrapper_has_done_other_things_is_waited_for() {
    let prepares = "#!/bin/sh\nfor n in 1 2 3; do sh -c 'exec node -e 0'; done\nexec node app.js\n";
    let site = executable(
        site(r#"processPath="start.sh""#, PORT).file("app.js", &app("r.end('prepared')")),
        "start.sh",
        prepares,
    );
    assert_eq!(text(&site.serve(), "/"), "prepared");
}
