//! What a worker is told in its environment.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Section, ask, json, parsed, plain, text};
use crate::harness::{Host, PATIENCE, eventually};

#[track_caller]
fn seen(section: &Section, variables: &[(&str, &str)]) -> Value {
    let site = section.site();
    let setup = Host::of(site.path()).without_waiting();
    let host = variables.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).start();
    json(&host, "/environment")
}

const STARTUP: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
const INTEGRATION: &str = "Microsoft.AspNetCore.Server.IISIntegration";

/// Section 3 of the reference, in one look.
#[test]
fn a_worker_is_told_port_path_token_schemes_and_place() {
    let site = Section::new().below(plain(), "deep/app1");
    let host = site.serve();
    let seen = json(&host, "/deep/app1/environment");
    let root = site.path().join("deep/app1");
    assert_eq!(seen["ASPNETCORE_PORT"], text(&host, "/deep/app1/port"));
    assert_eq!(seen["ASPNETCORE_APPL_PATH"], "/deep/app1");
    assert_eq!(seen["ASPNETCORE_IIS_HTTPAUTH"], "anonymous;");
    assert_eq!(seen["ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED"], "true");
    assert_eq!(seen[STARTUP].as_str().map(|list| list.trim_start_matches(';')), Some(INTEGRATION));
    let place = seen["ASPNETCORE_IIS_PHYSICAL_PATH"].as_str().unwrap();
    assert_eq!(std::path::Path::new(place).canonicalize().unwrap(), root.canonicalize().unwrap());
    let port = seen["ASPNETCORE_PORT"].as_str().unwrap().parse::<u16>().unwrap();
    assert!(port >= 1025, "{port}");
    is_uuid(seen["ASPNETCORE_TOKEN"].as_str().unwrap());
}

#[track_caller]
fn is_uuid(token: &str) {
    let groups = token.trim_matches(['{', '}']).split('-').map(str::len).collect::<Vec<_>>();
    let hexadecimal = token.chars().all(|letter| letter.is_ascii_hexdigit() || "{}-".contains(letter));
    assert!(groups == [8, 4, 4, 4, 12] && hexadecimal, "{token} is no UUID");
}

#[test]
fn an_application_at_the_root_is_told_a_slash() {
    assert_eq!(seen(&Section::new(), &[])["ASPNETCORE_APPL_PATH"], "/");
}

#[test]
fn every_process_has_a_token_of_its_own_unless_the_section_names_one() {
    for (section, tokens) in
        [(Section::new(), 2), (Section::new().variable("ASPNETCORE_TOKEN", "tea-for-two"), 1)]
    {
        let site = section.set("processesPerApplication", 2).site();
        let host = site.serve();
        let (mut pids, mut seen) = (BTreeSet::new(), BTreeSet::new());
        eventually(PATIENCE, "two processes", || {
            let answer = ask(&host, "/environment", &[]);
            let environment = parsed(&answer.text());
            seen.insert(environment["ASPNETCORE_TOKEN"].as_str().unwrap().to_owned());
            pids.insert(answer.head.field("x-pid").unwrap().to_owned());
            (pids.len() == 2 && seen.len() >= tokens).then_some(())
        });
        assert_eq!(seen.len(), tokens, "{seen:?}");
        assert!(tokens == 2 || seen.contains("tea-for-two"), "{seen:?}");
    }
}

/// Row 24.
#[test]
fn a_variable_of_the_section_is_added_whatever_it_holds() {
    let long = "x".repeat(500);
    let section = Section::new()
        .variable("ADDED", "value")
        .variable("LONG", &long)
        .variable("EMPTY", "")
        .variable("ODD", "a=b;c d \\ %NOBODY% ä & <b> \"q\"");
    let seen = seen(&section, &[("INHERITED", "from the host")]);
    assert_eq!(seen["ADDED"], "value");
    assert_eq!(seen["LONG"], long);
    assert_eq!(seen["ODD"], "a=b;c d \\ %NOBODY% ä & <b> \"q\"");
    assert_eq!(seen["INHERITED"], "from the host");
    assert_eq!(seen["EMPTY"].as_str().unwrap_or_default(), "");
}

/// Row 24.
#[test]
fn the_inherited_startup_list_gets_our_name_and_a_configured_one_is_left_alone() {
    let inherited = seen(&Section::new(), &[(STARTUP, "One;Two")]);
    assert_eq!(inherited[STARTUP], format!("One;Two;{INTEGRATION}"));
    let configured = Section::new().variable(STARTUP, "Own");
    assert_eq!(seen(&configured, &[])[STARTUP], "Own");
    assert_eq!(seen(&configured, &[(STARTUP, "One;Two")])[STARTUP], "Own");
}

/// Row 24.
#[test]
fn what_the_host_alone_can_know_is_not_configurable() {
    let section = Section::new()
        .variable("ASPNETCORE_IIS_HTTPAUTH", "windows;")
        .variable("ASPNETCORE_APPL_PATH", "/elsewhere")
        .variable("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "false");
    for inherited in [&[][..], &[("ASPNETCORE_IIS_HTTPAUTH", "basic;"), ("ASPNETCORE_APPL_PATH", "/other")]] {
        let seen = seen(&section, inherited);
        assert_eq!(seen["ASPNETCORE_IIS_HTTPAUTH"], "anonymous;");
        assert_eq!(seen["ASPNETCORE_APPL_PATH"], "/");
        assert_eq!(seen["ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED"], "true");
    }
}

/// Row 24.
#[test]
fn variables_of_the_host_are_expanded_in_values_and_so_is_the_port() {
    let section = Section::new()
        .variable("EXPANDED", "%GREETING%;Hello")
        .variable("ASPNETCORE_URLS", "http://127.0.0.1:%ASPNETCORE_PORT%");
    let seen = seen(&section, &[("GREETING", "Good morning")]);
    assert_eq!(seen["EXPANDED"], "Good morning;Hello");
    let port = seen["ASPNETCORE_PORT"].as_str().unwrap();
    assert_eq!(seen["ASPNETCORE_URLS"], format!("http://127.0.0.1:{port}"));
}

/// Row 24.
#[test]
fn a_configured_variable_wins_over_an_inherited_one_unless_the_host_prefers_its_own() {
    let section = Section::new().variable("WHO", "section").variable("ONLY", "section");
    for (switch, winner) in [("0", "section"), ("false", "section"), ("1", "host"), ("true", "host")] {
        let inherited = [("WHO", "host"), ("ANCM_PREFER_ENVIRONMENT_VARIABLES", switch)];
        let seen = seen(&section, &inherited);
        assert_eq!((&seen["WHO"], &seen["ONLY"]), (&winner.into(), &"section".into()), "{switch}");
    }
}

/// Section 2 of the reference: names are found in any letter case.
#[test]
fn a_variable_is_one_variable_in_any_letter_case() {
    let seen = seen(&Section::new().variable("Greeting", "section"), &[("GREETING", "host")]);
    let named = seen.as_object().unwrap().iter().filter(|(name, _)| name.eq_ignore_ascii_case("greeting"));
    let values = named.map(|(_, value)| value.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(values, ["section"]);
}

/// Row 25.
#[test]
fn without_https_no_port_for_it_is_told_unless_the_section_names_one() {
    assert!(seen(&Section::new(), &[])["ASPNETCORE_ANCM_HTTPS_PORT"].is_null());
    let configured = Section::new().variable("ASPNETCORE_ANCM_HTTPS_PORT", "8443");
    assert_eq!(seen(&configured, &[])["ASPNETCORE_ANCM_HTTPS_PORT"], "8443");
}

/// Row 30's good half: the list may be cleared.
#[test]
fn the_list_of_variables_may_be_cleared() {
    let section = Section::new().variable("FIRST", "1");
    let site = section.site();
    let config = site.read("web.config");
    site.write(
        "web.config",
        &config.replace(
            "</environmentVariables>",
            "<clear/><environmentVariable name=\"SECOND\" value=\"2\"/></environmentVariables>",
        ),
    );
    let seen = json(&site.serve(), "/environment");
    assert_eq!((seen["FIRST"].as_str(), seen["SECOND"].as_str()), (None, Some("2")));
}
