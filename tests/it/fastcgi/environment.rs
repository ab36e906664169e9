//! What a program is started with: its variables, its folder, descriptor 0 and no others.

use serde_json::Value;

use super::{PHP, act, json, nothing_violated, php_site, pool, row, scripted, scripted_with};
use crate::harness::{Host, web_config};

#[track_caller]
fn environment(host: &Host) -> Value {
    json(host, &act("environment"))
}

#[test]
fn the_variables_of_its_pool_are_set() {
    let children = "<environmentVariables>\
        <environmentVariable name=\"ONE\" value=\"1\"/>\
        <environmentVariable name=\"WITH_BLANKS\" value=\"a b,c/d\"/>\
        <environmentVariable name=\"EMPTY\" value=\"\"/></environmentVariables>";
    let site = scripted_with("", children);
    let told = environment(&site.serve())["variables"].clone();
    assert_eq!((&told["ONE"], &told["WITH_BLANKS"]), (&"1".into(), &"a b,c/d".into()), "{told:#}");
    assert!(told["PATH"].is_string(), "{told:#}");
}

/// Variables of one request are no variables of the process; and none of them may decide what it is.
#[test]
fn no_variable_of_a_request_or_of_another_host_is_in_it() {
    let site = scripted("");
    let setup = Host::of(site.path()).without_waiting();
    let host = setup.env("FCGI_WEB_SERVER_ADDRS", "203.0.113.9").env("GATEWAY_INTERFACE", "x").start();
    let told = environment(&host)["variables"].clone();
    for name in ["FCGI_WEB_SERVER_ADDRS", "SCRIPT_FILENAME", "REQUEST_METHOD", "HTTP_HOST", "QUERY_STRING"] {
        assert!(told[name].is_null(), "{name} in {told:#}");
    }
}

#[test]
fn descriptor_0_is_its_socket_and_nothing_of_the_host_is_open_in_it() {
    let site = scripted("");
    let told = environment(&site.serve());
    let files =
        told["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect::<Vec<_>>();
    // The listening socket and its copy, the connection, and the two pipes for what it prints.
    let sockets = files.iter().filter(|file| file.starts_with("socket:")).count();
    assert!((2..=3).contains(&sockets), "{files:?}");
    let strange = files.iter().filter(|file| {
        !["socket:", "pipe:", "/dev/null", "/proc/"].iter().any(|known| file.starts_with(known))
    });
    assert_eq!(strange.count(), 0, "{files:?}");
    assert!(files.iter().filter(|file| file.starts_with("pipe:")).count() <= 3, "{files:?}");
}

#[test]
fn it_leads_a_process_group() {
    let site = scripted("");
    let host = site.serve();
    let told = environment(&host);
    assert_eq!(told["group"].as_u64(), Some(u64::from(super::goes_on(&host))));
}

#[test]
fn what_it_prints_at_its_start_is_in_the_log() {
    // A library that is not there makes PHP complain before its first page.
    let arguments = "-d extension=not_there.so";
    let row = row("*.php", &format!("{PHP}|{arguments}"), "Either");
    let pool = pool(PHP, arguments, "", "");
    let site = php_site("").web_config(&web_config(&format!("<handlers>{row}</handlers>{pool}")));
    let host = site.serve();
    assert_eq!(super::ask(&host, "/tells.php", &[]).status(), 200);
    host.wait_for_line("not_there");
}

#[test]
fn arguments_with_quotes_are_taken_apart_as_on_a_console() {
    let site = scripted("");
    let plain = super::scripted_arguments(&site);
    let quoted = format!("{plain} &quot;two words&quot; last");
    site.write("web.config", &site.read("web.config").replace(&plain, &quoted));
    let told = environment(&site.serve());
    let arguments = told["arguments"].as_array().unwrap();
    assert_eq!(arguments[2..], ["two words", "last"], "{told:#}");
    nothing_violated(&site);
}
