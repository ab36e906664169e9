//! Applications are started, told apart, multiplied and replaced.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::{Section, ask, crash, fails, failure, json, next_pid, notes, pid, plain, starts, text, touch};
use crate::harness::{Host, PATIENCE, alive, eventually, workers_of};

/// Row 1.
#[test]
fn the_worker_that_answers_is_the_configured_program_and_another_after_a_recycle() {
    let site = Section::new().site();
    let host = site.serve();
    assert_eq!(workers_of(host.pid()), [] as [u32; 0], "nobody has asked yet");
    assert_eq!(text(&host, "/hello"), "/hello");
    let first = pid(&host, "");
    assert_eq!(workers_of(host.pid()), [first]);
    let program = std::fs::read_link(format!("/proc/{first}/exe")).unwrap();
    assert!(
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("node")),
        "{program:?}"
    );
    assert_eq!(pid(&host, ""), first);
    touch(&site, "web.config");
    assert_ne!(next_pid(&host, "", first), first);
}

/// Row 2.
#[test]
fn a_worker_runs_in_the_folder_of_its_application() {
    let site = Section::new().site();
    let root = site.path().canonicalize().unwrap();
    assert_eq!(text(&site.serve(), "/cwd"), root.to_str().unwrap());
    let site = Section::new().below(plain(), "deep/app1");
    let root = site.path().join("deep/app1").canonicalize().unwrap();
    assert_eq!(text(&site.serve(), "/deep/app1/cwd"), root.to_str().unwrap());
}

/// Row 3.
#[test]
fn ten_clients_with_ten_requests_each_are_answered_by_one_cold_start() {
    let site = Section::new().variable("START_DELAY", 300).site();
    let host = site.serve();
    std::thread::scope(|scope| {
        for client in 0..10 {
            let host = &host;
            scope.spawn(move || {
                for request in 0..10 {
                    let target = format!("/hello/{client}/{request}");
                    assert_eq!(text(host, &target), target);
                }
            });
        }
    });
    assert_eq!(starts(&site), 1);
}

/// Row 4.
#[test]
fn ten_applications_started_at_once_do_not_get_into_each_others_way() {
    let site = (0..10).fold(plain(), |site, n| Section::new().below(site, &format!("app{n}")));
    let host = site.serve();
    let ports = std::thread::scope(|scope| {
        let asked = (0..10).map(|n| {
            let host = &host;
            scope.spawn(move || text(host, &format!("/app{n}/port")))
        });
        let asked = asked.collect::<Vec<_>>();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect::<BTreeSet<_>>()
    });
    assert_eq!(ports.len(), 10, "{ports:?}");
    assert_eq!(text(&host, "/ping.txt"), "pong");
}

/// Row 6.
#[test]
fn a_worker_that_is_killed_is_replaced_for_the_next_request_three_times() {
    let site = Section::new().site();
    let host = site.serve();
    let mut seen = vec![pid(&host, "")];
    for round in 1..=3 {
        crash(seen[round - 1]);
        let next = pid(&host, "");
        assert!(!seen.contains(&next), "{next} after {seen:?}");
        seen.push(next);
    }
    assert_eq!(starts(&site), 4);
}

/// What row 6 leaves open: the request that a worker died of. One that cannot be repeated is nobody else's; another may
/// be tried once more, and not until no worker is left.
#[test]
fn a_request_whose_worker_dies_is_told_so_and_kills_few_others() {
    let site = Section::new().site();
    let host = site.serve();
    let first = pid(&host, "");
    let answer = super::post(&host, "/kill", "once");
    assert_eq!(failure(&answer), (502, "502.3"));
    assert_ne!(next_pid_after_a_crash(&host, first), first);
    assert_eq!(starts(&site), 2);
    fails(&host, "/kill", (502, "502.3"));
    next_pid_after_a_crash(&host, first);
    assert!(starts(&site) <= 4, "{} workers for one request", starts(&site) - 2);
}

#[track_caller]
fn next_pid_after_a_crash(host: &Host, old: u32) -> u32 {
    eventually(PATIENCE, "a new worker", || {
        let answer = ask(host, "/pid", &[]);
        (answer.status() == 200).then(|| answer.text().parse().unwrap()).filter(|&pid| pid != old)
    })
}

/// Row 7: what IIS calls its worker process is the host here.
#[test]
fn a_host_that_is_killed_takes_its_workers_along_and_the_next_one_starts_anew() {
    let site = Section::acting("ignores-sigterm").set("processesPerApplication", 2).site();
    let mut host = site.serve();
    let mut old = BTreeSet::new();
    eventually(PATIENCE, "two workers", || {
        old.insert(pid(&host, ""));
        (old.len() == 2).then_some(())
    });
    host.signal(Signal::SIGKILL);
    host.wait_for_end();
    eventually(PATIENCE, "the end of its workers", || old.iter().all(|&pid| !alive(pid)).then_some(()));
    let next = site.serve();
    assert!(!old.contains(&pid(&next, "")));
}

/// Row 11.
#[test]
fn two_applications_of_a_site_are_two_processes_that_know_their_paths() {
    let site = Section::new().below(plain(), "one");
    let site = Section::new().below(site, "two");
    let host = site.serve();
    assert_ne!(pid(&host, "/one"), pid(&host, "/two"));
    for path in ["/one", "/two"] {
        assert_eq!(json(&host, &format!("{path}/environment"))["ASPNETCORE_APPL_PATH"], path);
        // The path is told and not taken away.
        assert_eq!(text(&host, &format!("{path}/else?x")), format!("{path}/else?x"));
    }
}

/// Row 11, the other half: out of process, both models get along.
#[test]
fn an_in_process_application_is_served_out_of_process_with_one_warning() {
    for model in ["inprocess", "InProcess"] {
        let site = Section::new().set("hostingModel", "OutOfProcess").below(plain(), "one");
        let site = Section::new().set("hostingModel", model).below(site, "two");
        let host = site.serve();
        let pids = [pid(&host, "/one"), pid(&host, "/two"), pid(&host, "/two")];
        assert!(pids[0] != pids[1] && pids[1] == pids[2], "{pids:?}");
        let warnings = || {
            let lines = host.lines().into_iter().map(|line| line.to_lowercase());
            let about = |line: &String| line.contains("hostingmodel") || line.contains("inprocess");
            lines.filter(|line| line.contains("warn") && about(line)).collect::<Vec<_>>()
        };
        eventually(PATIENCE, "a warning", || (!warnings().is_empty()).then_some(()));
        text(&host, "/two/pid");
        assert_eq!(warnings().len(), 1, "{:?}", warnings());
    }
}

/// Row 13, with its other number below.
#[test]
fn two_processes_of_an_application_share_its_requests_and_one_is_left_when_it_shall_be_one() {
    let site = Section::new().set("processesPerApplication", 2).site();
    let host = site.serve();
    let two = exactly(&host, 2);
    site.write("web.config", &Section::new().set("processesPerApplication", 1).config());
    let one = eventually(PATIENCE, "a process of the new settings", || {
        let answer = ask(&host, "/pid", &[]);
        assert!([200, 503].contains(&answer.status()), "{:?}", failure(&answer));
        answer.text().parse::<u32>().ok().filter(|pid| !two.contains(pid))
    });
    assert_eq!(exactly(&host, 1), BTreeSet::from([one]));
    eventually(PATIENCE, "the end of the others", || (workers_of(host.pid()) == [one]).then_some(()));
}

/// Row 13.
#[test]
fn ten_processes_of_an_application_share_its_requests() {
    let site = Section::new().set("processesPerApplication", 10).site();
    let host = site.serve();
    exactly(&host, 10);
    assert_eq!(starts(&site), 10);
}

/// Sees that so many processes answer, all of them and no others within twenty requests.
#[track_caller]
fn exactly(host: &Host, processes: usize) -> BTreeSet<u32> {
    let mut known = BTreeSet::new();
    eventually(PATIENCE, "that many processes", || {
        known.insert(pid(host, ""));
        (known.len() >= processes).then_some(())
    });
    let seen = (0..20).map(|_| pid(host, "")).collect::<BTreeSet<_>>();
    assert_eq!(seen, known);
    seen
}

/// The site as `dotnet publish` leaves it, with another application in a folder below.
#[test]
fn what_does_not_inherit_leaves_the_applications_below_to_themselves() {
    let site = Section::new().variable("WHO", "above").site();
    site.write("web.config", &Section::new().variable("WHO", "above").published());
    let site =
        site.file("app1/worker.mjs", super::IMITATION).file("app1/web.config", &Section::new().published());
    let host = site.serve();
    let (above, below) = (json(&host, "/environment"), json(&host, "/app1/environment"));
    assert_eq!((above["WHO"].as_str(), below["WHO"].as_str()), (Some("above"), None));
    assert_eq!(
        (&above["ASPNETCORE_APPL_PATH"], &below["ASPNETCORE_APPL_PATH"]),
        (&"/".into(), &"/app1".into())
    );
    assert_ne!(above["ASPNETCORE_PORT"], below["ASPNETCORE_PORT"]);
    assert_ne!(above["ASPNETCORE_TOKEN"], below["ASPNETCORE_TOKEN"]);
    let (first, second) = (pid(&host, ""), pid(&host, "/app1"));
    assert_ne!(first, second);
    let longer = ask(&host, "/app10/pid", &[]);
    assert_eq!(
        longer.head.field("x-pid"),
        Some(first.to_string().as_str()),
        "a longer name is no application"
    );
    assert_eq!(json(&host, "/app1/base"), serde_json::json!(["/app1", "/base"]));
    let own = notes(&site, None);
    assert!(own.iter().filter(|what| *what == "started").count() == 1, "{own:?}");
}
