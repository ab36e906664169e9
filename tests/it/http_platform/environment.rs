//! What a program finds in its environment.

use serde_json::Value;

use super::{ask, failure, json, tells};
use crate::harness::{Host, Site};

fn variables(all: &[(&str, &str)]) -> String {
    let variable =
        |(name, value): &(&str, &str)| format!("<environmentVariable name=\"{name}\" value=\"{value}\"/>");
    format!("<environmentVariables>{}</environmentVariables>", all.iter().map(variable).collect::<String>())
}

/// The environment of a program with these variables, below a host with those.
#[track_caller]
fn environment(site: &Site, of_host: &[(&str, &str)]) -> Value {
    let setup = Host::of(site.path()).without_waiting();
    let setup = of_host.iter().fold(setup, |setup, (name, value)| setup.env(name, value));
    json(&setup.start(), "/")["environment"].take()
}

// Row 2.
#[test]
fn without_any_configuration_a_program_finds_its_port_and_what_the_host_has() {
    let seen = environment(&tells("", ""), &[("INHERITED", "from the host")]);
    assert!(seen["HTTP_PLATFORM_PORT"].as_str().is_some_and(|port| port.parse::<u16>().is_ok()), "{seen}");
    assert_eq!(seen["INHERITED"], "from the host");
    assert!(seen["PATH"].is_string(), "{seen}");
}

// Row 2.
#[test]
fn a_configured_variable_wins_over_an_inherited_one() {
    let site = tells("", &variables(&[("BOTH", "configured"), ("EMPTY", ""), ("HERE", "1")]));
    let seen = environment(&site, &[("BOTH", "inherited"), ("EMPTY", "inherited"), ("THERE", "2")]);
    let seen = ["BOTH", "EMPTY", "HERE", "THERE"].map(|name| seen[name].clone());
    assert_eq!(seen, ["configured", "", "1", "2"]);
}

#[test]
fn an_inherited_variable_wins_where_the_host_is_told_to_prefer_it() {
    for word in ["1", "true"] {
        let site = tells("", &variables(&[("BOTH", "configured"), ("HERE", "configured")]));
        let prefers = ("HTTP_PLATFORM_PREFER_ENVIRONMENT_VARIABLES", word);
        let seen = environment(&site, &[("BOTH", "inherited"), prefers]);
        assert_eq!((&seen["BOTH"], &seen["HERE"]), (&"inherited".into(), &"configured".into()), "{word}");
    }
}

#[test]
fn names_in_values_are_those_of_the_host_and_unknown_ones_stay() {
    let site = tells(
        "",
        &variables(&[
            ("JOINED", "%ONE%-%TWO%-%ONE%"),
            ("UNKNOWN", "%NO_SUCH_NAME%"),
            ("PERCENT", "100%"),
            ("MIXED", "%ONE%:%HTTP_PLATFORM_PORT%:%NO_SUCH_NAME%"),
        ]),
    );
    let seen = environment(&site, &[("ONE", "1"), ("TWO", "2")]);
    assert_eq!((&seen["JOINED"], &seen["UNKNOWN"]), (&"1-2-1".into(), &"%NO_SUCH_NAME%".into()));
    assert_eq!(seen["PERCENT"], "100%");
    let port = seen["HTTP_PLATFORM_PORT"].as_str().unwrap();
    assert_eq!(seen["MIXED"], format!("1:{port}:%NO_SUCH_NAME%"));
}

#[test]
fn a_program_learns_which_application_it_is() {
    let site = tells("", "");
    let seen = json(&site.serve(), "/");
    let (seen, directory) = (&seen["environment"], &seen["directory"]);
    assert_eq!(seen["HTTP_PLATFORM_APPL_PATH"], "/");
    assert_eq!(seen["HTTP_PLATFORM_IIS_WEBSOCKETS_SUPPORTED"], "true");
    assert!(seen["HTTP_PLATFORM_IIS_HTTPAUTH"].is_string(), "{seen}");
    let told = std::fs::canonicalize(seen["HTTP_PLATFORM_IIS_PHYSICAL_PATH"].as_str().unwrap()).unwrap();
    let root = std::fs::canonicalize(site.path()).unwrap();
    assert_eq!(told, root);
    assert_eq!(std::fs::canonicalize(directory.as_str().unwrap()).unwrap(), root);
}

/// What the host says about itself is the host's to say.
#[test]
fn variables_of_the_host_cannot_be_set_by_a_site_but_for_the_port_and_the_token() {
    let site = tells(
        "",
        &variables(&[
            ("HTTP_PLATFORM_APPL_PATH", "/forged"),
            ("HTTP_PLATFORM_IIS_PHYSICAL_PATH", "/forged"),
            ("HTTP_PLATFORM_TOKEN", "0b2f7f4e-2f0e-4d4e-9a39-8f5f5a0c6a11"),
        ]),
    );
    let seen = environment(&site, &[]);
    assert_eq!(seen["HTTP_PLATFORM_APPL_PATH"], "/");
    assert_ne!(seen["HTTP_PLATFORM_IIS_PHYSICAL_PATH"], "/forged");
    assert_eq!(seen["HTTP_PLATFORM_TOKEN"], "0b2f7f4e-2f0e-4d4e-9a39-8f5f5a0c6a11");
}

#[test]
fn variables_may_be_cleared_before_they_are_set() {
    let children = r#"<environmentVariables>
        <environmentVariable name="GONE" value="1"/>
        <clear/>
        <environmentVariable name="KEPT" value="2"/>
    </environmentVariables>"#;
    let seen = environment(&tells("", children), &[]);
    assert_eq!((&seen["GONE"], &seen["KEPT"]), (&Value::Null, &"2".into()));
}

#[test]
fn a_variable_that_is_no_variable_is_a_configuration_error() {
    for child in [
        r#"<add name="A" value="1"/>"#,
        r#"<environmentVariable name="" value="1"/>"#,
        r#"<environmentVariable name="A"/>"#,
        r#"<environmentVariable value="1"/>"#,
    ] {
        let site = tells("", &format!("<environmentVariables>{child}</environmentVariables>"));
        let response = ask(&site.serve(), "/", &[]);
        assert_eq!(failure(&response), (500, "500.0"), "{child}: {}", response.text());
        assert!(response.text().contains("web.config"), "{child}: {}", response.text());
    }
}
