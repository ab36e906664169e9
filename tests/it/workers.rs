//! Worker processes: what they are given, what becomes of what they write, and what happens when they die.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::harness::{
    Host, Outcome, PATIENCE, RawClient, Site, alive, children_of, curl, eventually, signal, workers_of,
};

fn whoami(client: &mut RawClient) -> serde_json::Value {
    let response = client.get("/");
    assert_eq!(response.status(), 200, "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

/// The pids of the workers, by asking them.
fn pids(host: &Host, workers: usize) -> Vec<u32> {
    let mut client = RawClient::connect(host);
    let mut pids =
        (0..workers).map(|_| whoami(&mut client)["pid"].as_u64().unwrap() as u32).collect::<Vec<_>>();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), workers, "not every worker answered");
    pids
}

#[test]
fn a_worker_is_given_a_socket_of_its_own_and_its_slot() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let mut client = RawClient::connect(&host);
    let answers = [whoami(&mut client), whoami(&mut client)];
    let ports = answers.each_ref().map(|answer| answer["port"].as_str().unwrap().to_owned());
    assert!(ports.iter().all(|port| port.starts_with('/')), "{ports:?}");
    assert_ne!(ports[0], ports[1]);
    let mut slots = answers.each_ref().map(|answer| answer["slot"].as_u64().unwrap());
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);

    use std::os::unix::fs::PermissionsExt;
    let folder = std::path::Path::new(&ports[0]).parent().unwrap().to_owned();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn with_transport_tcp_a_worker_is_given_a_port_number() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).args(["--transport", "tcp"]).start();
    let port = whoami(&mut RawClient::connect(&host))["port"].as_str().unwrap().to_owned();
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{port}");
}

#[test]
fn a_command_may_be_given_in_place_of_what_would_be_found() {
    let site = Site::named("plain").file(
        "other.js",
        "require('http').createServer((q, r) => r.end(process.argv[2])).listen(process.env.PORT)",
    );
    let host = Host::of(site.path()).args(["--exec", "node other.js 'two words'"]).start();
    assert_eq!(RawClient::connect(&host).get("/").text(), "two words");
}

#[test]
fn what_workers_write_appears_line_by_line_with_their_name() {
    let site = Site::with_app("talks");
    let host = Host::of(site.path()).instances(2).start();
    for line in ["talks.0 | starting up", "talks.1 | starting up", "talks.0 | a word of warning"] {
        host.wait_for_line(line);
    }
    RawClient::connect(&host).get("/tea");
    host.wait_for_line("| half a line, and the rest for /tea");
}

#[test]
fn a_worker_never_waits_for_its_output_to_be_taken() {
    let site = Site::with_app("floods");
    let host = Host::of(site.path()).instances(1).start();
    let begun = Instant::now();
    assert_eq!(RawClient::connect(&host).get("/").text(), "wrote it all\n");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

/// Nothing reads what the host writes; workers go on all the same.
#[test]
fn a_terminal_that_stands_still_blocks_nobody() {
    let site = Site::with_app("floods");
    let script = format!(
        "exec {} run {} --listen 127.0.0.1:0 --instances 1 | {{ head -n 1; exec sleep 30; }}",
        env!("CARGO_BIN_EXE_ostler"),
        site.path().display()
    );
    let mut shell = crate::harness::command("sh");
    let mut shell = shell.args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut lines = std::io::BufReader::new(shell.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut first).unwrap();
    let url = first.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    let answer = curl([url.as_str()]);
    for pid in children_of(shell.id()) {
        signal(pid, Signal::SIGKILL);
    }
    let _ = shell.kill();
    let _ = shell.wait();
    assert_eq!(answer.success().text(), "wrote it all\n");
}

#[test]
fn a_killed_worker_is_replaced_and_no_get_is_lost() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let victim = pids(&host, 2)[0];
    signal(victim, Signal::SIGKILL);
    let mut client = RawClient::connect(&host);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        assert_ne!(whoami(&mut client)["pid"], victim);
    }
    assert_eq!(pids(&host, 2).len(), 2);
}

#[test]
fn when_all_workers_die_at_once_requests_wait_for_the_new_ones() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(2).start();
    let old = pids(&host, 2);
    for &pid in &old {
        signal(pid, Signal::SIGKILL);
    }
    let begun = Instant::now();
    let mut client = RawClient::connect(&host);
    for _ in 0..4 {
        let pid = whoami(&mut client)["pid"].as_u64().unwrap() as u32;
        assert!(!old.contains(&pid));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "service whole again only after {:?}", begun.elapsed());
}

#[test]
fn a_request_in_flight_on_a_worker_that_dies_is_answered_by_another_or_told() {
    let site = Site::with_app("slow");
    let host = Host::of(site.path()).instances(1).start();
    let mut client = RawClient::connect(&host);
    client.send("POST /?ms=20000 HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    host.wait_for_line("POST /?ms=20000 begins");
    for pid in workers_of(host.pid()) {
        signal(pid, Signal::SIGKILL);
    }
    assert_eq!(client.read_response("POST").status(), 502);
    assert_eq!(client.get("/?ms=0").status(), 200);
}

#[test]
fn a_stopped_worker_loses_nothing() {
    let site = Site::with_app("whoami");
    let host = Host::of(site.path()).instances(1).start();
    let pid = pids(&host, 1)[0];
    signal(pid, Signal::SIGSTOP);
    let mut client = RawClient::connect(&host);
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(client.is_silent_for(Duration::from_secs(2)), "answered by nobody");
    signal(pid, Signal::SIGCONT);
    let response = client.read_response("GET");
    assert_eq!(response.status(), 200);
    let answer: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(answer["pid"], pid);
}

#[test]
fn a_worker_that_cannot_start_is_an_answer_at_once_and_a_reason_on_the_terminal() {
    let site = Site::with_app("crash-at-start");
    let host = Host::of(site.path()).instances(1).without_waiting().start();
    let begun = Instant::now();
    let status = RawClient::connect(&host).get("/").status();
    assert!((500..600).contains(&status), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(10), "a hang of {:?}", begun.elapsed());
    host.wait_for_line("crash-at-start.0 | the database of horses is missing");
    host.wait_for_line("exited with code 3");
}

#[test]
fn why_a_program_does_not_start_is_shown_on_the_machine_itself_and_nowhere_else() {
    let site = Site::with_app("crash-at-start");
    let host = Host::of(site.path()).instances(1).without_waiting().start();
    host.wait_for_line("exited with code 3");
    for (fields, is_shown) in [
        ("Host: localhost\r\n", true),
        ("Host: localhost\r\nAccept: text/html\r\n", true),
        ("Host: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n", false),
        ("Host: shop.example\r\nAccept: text/html\r\n", false),
    ] {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        let answer = client.read_response("GET");
        assert_eq!(
            (answer.status(), answer.head.field("x-ostler-error")),
            (503, Some("failing")),
            "{fields}"
        );
        assert_eq!(answer.text().contains("the database of horses is missing"), is_shown, "{fields}");
        assert_eq!(answer.text() == "503 Service Unavailable (failing)\n", !is_shown, "{fields}");
    }
}

/// Restarts are spaced out: a worker that keeps crashing does not take the machine with it.
#[test]
fn a_worker_that_keeps_crashing_is_restarted_ever_more_slowly() {
    let site = Site::with_app("crash-at-start");
    let host = Host::of(site.path()).instances(1).without_waiting().start();
    host.wait_for_line("the database of horses is missing");
    crate::harness::holds_for(Duration::from_secs(3), "few restarts", || {
        let starts = host.lines().iter().filter(|line| line.contains("the database of horses")).count();
        starts < 20
    });
}

#[test]
fn a_worker_that_listens_somewhere_else_is_told_so() {
    let site = Site::with_app("own-port");
    let host = Host::of(site.path()).instances(1).limit("startTimeout", "2s").without_waiting().start();
    let listening = host.wait_for_line("own-port.0 | listening on ");
    let port = listening.rsplit(' ').next().unwrap().to_owned();
    let status = RawClient::connect(&host).get("/").status();
    assert!((500..600).contains(&status), "{status}");
    eventually(PATIENCE, "a line that names the port it listens on", || {
        host.lines().into_iter().find(|line| !line.contains("own-port.0 |") && line.contains(&port))
    });
}

#[test]
fn a_worker_dies_with_its_host_however_the_host_dies() {
    let site = Site::with_app("whoami");
    let mut host = Host::of(site.path()).instances(2).start();
    let workers = pids(&host, 2);
    host.signal(Signal::SIGKILL);
    host.wait_for_end();
    eventually(PATIENCE, "the end of the workers", || workers.iter().all(|&pid| !alive(pid)).then_some(()));
}

/// Through `curl`, so that nothing of the harness's own client stands in between.
#[test]
fn the_answer_of_a_starting_application_reads_the_same_to_curl() {
    let site = Site::with_app("slow-start");
    let host = Host::of(site.path()).without_waiting().start();
    let url = host.url("/");
    let Outcome { status, stdout, .. } = curl([url.as_str()]);
    assert!(status.success());
    assert_eq!(stdout, b"at last\n");
}
