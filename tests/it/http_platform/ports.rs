//! Ports: where the chosen one is written, who may choose it, and who else may have it already.

use std::io::Read;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use super::{ask, failure, free_port, json, node_site, pid, says_pid, site, starts, tells};
use crate::harness::{Host, PATIENCE, Site, alive, eventually, signal};

fn fixed(port: &str) -> String {
    format!(
        "<environmentVariables><environmentVariable name=\"HTTP_PLATFORM_PORT\" value=\"{port}\"/><environmentVariable name=\"PORT\" value=\"%HTTP_PLATFORM_PORT%\"/></environmentVariables>"
    )
}

fn fixed_site(port: &str, attributes: &str) -> Site {
    site(&format!("processPath=\"node\" arguments=\"app.js\" {attributes}"), &fixed(port))
        .file("app.js", &says_pid())
}

// Row 1.
#[test]
fn the_port_replaces_its_name_in_arguments_and_variables_and_nothing_else_is_changed() {
    let site = tells(
        "%HTTP_PLATFORM_PORT% --again=%HTTP_PLATFORM_PORT%,%HTTP_PLATFORM_PORT% %http_platform_port% %NOT_SET% 100%",
        r#"<environmentVariables>
            <environmentVariable name="ADDRESS" value="http://127.0.0.1:%HTTP_PLATFORM_PORT%/"/>
            <environmentVariable name="LETTERS" value="%http_platform_port%"/>
        </environmentVariables>"#,
    );
    let seen = json(&site.serve(), "/?%HTTP_PLATFORM_PORT%");
    let port = seen["port"].as_str().unwrap();
    let again = format!("--again={port},{port}");
    let arguments = serde_json::json!([port, again, "%http_platform_port%", "%NOT_SET%", "100%"]);
    assert_eq!(seen["arguments"], arguments);
    assert_eq!(seen["environment"]["ADDRESS"], format!("http://127.0.0.1:{port}/"));
    assert_eq!(seen["environment"]["LETTERS"], "%http_platform_port%");
    assert_eq!(seen["environment"]["HTTP_PLATFORM_PORT"], port);
    assert_eq!(seen["url"], "/?%HTTP_PLATFORM_PORT%");
}

// Row 3.
#[test]
fn a_fixed_port_is_used_by_one_worker_after_the_other() {
    let port = free_port().to_string();
    let site = tells("%HTTP_PLATFORM_PORT%", &fixed(&port));
    let host = site.serve();
    let first = json(&host, "/");
    assert_eq!((&first["port"], &first["environment"]["PORT"]), (&port.clone().into(), &port.clone().into()));
    let pid = first["pid"].as_u64().unwrap() as u32;
    signal(pid, Signal::SIGKILL);
    let second = eventually(PATIENCE, "the next worker", || {
        let response = ask(&host, "/", &[]);
        let seen = serde_json::from_slice::<serde_json::Value>(&response.body).ok()?;
        (seen["pid"] != pid).then_some(seen)
    });
    assert_eq!(second["port"], port);
}

#[test]
fn one_fixed_port_is_an_error_for_several_processes_also_where_the_command_line_asks_for_them() {
    let port = free_port().to_string();
    let by_file = fixed_site(&port, "processesPerApplication=\"3\"");
    let by_flag = fixed_site(&port, "");
    let flagged = Host::of(by_flag.path()).instances(3).without_waiting().start();
    for (site, host) in [(&by_file, by_file.serve()), (&by_flag, flagged)] {
        let told = host.wait_for_line(&format!("3 processes cannot share the one port {port}"));
        assert!(told.contains("web.config:") && told.contains("error:"), "{told}");
        let response = ask(&host, "/", &[]);
        assert_eq!(failure(&response), (500, "500.0"), "{}", response.text());
        assert_eq!(starts(site, ""), [] as [u32; 0]);
    }
}

// Row 3.
#[test]
fn an_empty_port_is_a_free_one() {
    let seen = json(&tells("%HTTP_PLATFORM_PORT%", &fixed("")).serve(), "/");
    let port = seen["environment"]["HTTP_PLATFORM_PORT"].as_str().unwrap();
    assert!(port.parse::<u16>().is_ok_and(|port| port > 1024), "{port}");
    assert_eq!((&seen["port"], &seen["environment"]["PORT"]), (&port.into(), &port.into()));
}

// Row 3.
#[test]
fn a_port_that_cannot_be_fixed_is_an_error_at_once_and_nothing_is_started() {
    for port in ["abc", "1024", "48001", "-5000", "70000"] {
        let site = fixed_site(port, "startupTimeLimit=\"60\"");
        let response = ask(&site.serve(), "/", &[]);
        assert_eq!(failure(&response), (500, "500.0"), "{port}: {}", response.text());
        let page = response.text();
        assert!(page.contains("HTTP_PLATFORM_PORT") && page.contains(port), "{port}: {page}");
        assert_eq!(starts(&site, ""), [] as [u32; 0], "{port}");
    }
}

/// Only one of them could have it.
#[test]
fn several_processes_cannot_have_one_fixed_port() {
    let site = fixed_site(&free_port().to_string(), "processesPerApplication=\"2\"");
    let response = ask(&site.serve(), "/", &[]);
    assert_eq!(failure(&response), (500, "500.0"), "{}", response.text());
    let page = response.text();
    assert!(page.contains("HTTP_PLATFORM_PORT") && page.contains("processesPerApplication"), "{page}");
    assert_eq!(starts(&site, ""), [] as [u32; 0]);
}

#[test]
fn a_port_that_a_stranger_listens_on_is_no_sign_of_a_ready_worker_and_the_stranger_is_sent_nothing() {
    let port = free_port();
    let stranger = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let site = site(
        r#"processPath="node" arguments="app.js" startupTimeLimit="2" startupRetryCount="1""#,
        &fixed(&port.to_string()),
    )
    .file("app.js", "setInterval(() => {}, 1000);");
    let host = site.serve();
    let response = ask(&host, "/secret", &[]);
    assert_eq!(failure(&response), (502, "502.5"), "{}", response.text());
    assert!(response.text().contains(&port.to_string()), "{}", response.text());
    host.wait_for_line(&port.to_string());
    stranger.set_nonblocking(true).unwrap();
    while let Ok((mut client, _)) = stranger.accept() {
        client.set_nonblocking(true).unwrap();
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said);
        assert_eq!(String::from_utf8_lossy(&said), "", "said to a stranger");
    }
}

#[test]
fn two_hosts_of_one_site_do_not_meet_on_a_port() {
    let site = node_site(&says_pid(), "");
    let hosts = [(); 4].map(|()| site.serve());
    let mut pids = std::thread::scope(|scope| {
        let asked = hosts.each_ref().map(|host| scope.spawn(|| pid(host, "/")));
        asked.map(|asked| asked.join().unwrap())
    });
    pids.sort_unstable();
    assert!(pids.windows(2).all(|pair| pair[0] != pair[1]), "{pids:?}");
    assert!(pids.iter().all(|&pid| alive(pid)));
}
