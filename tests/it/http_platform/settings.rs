//! The attributes themselves: two generations of them, their ranges, and what is said about a bad one.

use super::{FROM_AFAR, ask, failure, node_site, pid, platform, says_pid, site, starts};
use crate::harness::{Site, web_config};

/// A site with attributes that cannot be.
#[track_caller]
fn refused(site: &Site, words: &[&str]) {
    let host = site.serve();
    let local = ask(&host, "/", &[]);
    assert_eq!(failure(&local), (500, "500.0"), "{words:?}: {}", local.text());
    for word in words {
        assert!(local.text().contains(word), "`{word}` is missing: {}", local.text());
    }
    let afar = ask(&host, "/", &[FROM_AFAR]);
    assert_eq!(failure(&afar), (500, "500.0"), "{words:?}: {}", afar.text());
    assert!(!afar.text().contains("web.config"), "given away: {}", afar.text());
    assert_eq!(starts(site, ""), [] as [u32; 0]);
}

#[test]
fn attributes_of_both_generations_are_known() {
    let old_and_new = r#"startupTimeLimit="30" startupRetryCount="3" rapidFailsPerMinute="5" requestTimeout="00:05:00" stdoutLogEnabled="False" stdoutLogFile=".\logs\out" processesPerApplication="1" forwardWindowsAuthToken="true""#;
    let handler_settings = r#"<handlerSettings><handlerSetting name="shutdownDelay" value="0"/><handlerSetting name="debugLevel" value="file"/></handlerSettings>"#;
    let attributes = format!("processPath=\"node\" arguments=\"app.js\" {old_and_new}");
    let site = site(&attributes, &format!("{}{handler_settings}", super::PORT)).file("app.js", &says_pid());
    let host = site.serve();
    assert_eq!(pid(&host, "/"), starts(&site, "")[0]);
}

#[test]
fn an_unknown_attribute_is_a_warning_and_the_application_runs() {
    let site = node_site(&says_pid(), r#"fromTheFuture="7""#);
    let host = site.serve();
    assert_eq!(pid(&host, "/"), starts(&site, "")[0]);
    host.wait_for_line("fromTheFuture");
}

#[test]
fn too_many_rapid_fails_are_as_many_as_there_can_be() {
    let site = node_site(&says_pid(), r#"rapidFailsPerMinute="4000""#);
    assert_eq!(pid(&site.serve(), "/"), starts(&site, "")[0]);
}

#[test]
fn a_section_without_a_program_is_a_configuration_error() {
    for attributes in [r#"arguments="app.js""#, r#"processPath="" arguments="app.js""#] {
        refused(&site(attributes, ""), &["processPath", "web.config"]);
    }
}

#[test]
fn a_handler_without_a_section_is_a_configuration_error() {
    refused(&Site::named("site").web_config(&web_config(&super::handler("*"))), &["httpPlatform"]);
}

#[test]
fn a_value_out_of_its_range_is_a_configuration_error_that_names_it() {
    for (name, value) in [
        ("startupTimeLimit", "3601"),
        ("startupTimeLimit", "soon"),
        ("startupRetryCount", "101"),
        ("processesPerApplication", "0"),
        ("processesPerApplication", "101"),
        ("requestTimeout", "two minutes"),
        ("stdoutLogEnabled", "perhaps"),
    ] {
        refused(&node_site(&says_pid(), &format!("{name}=\"{value}\"")), &[name, value]);
    }
}

#[test]
fn a_corrected_web_config_heals_without_a_restart() {
    let site = node_site(&says_pid(), r#"startupTimeLimit="soon""#);
    let host = site.serve();
    assert_eq!(failure(&ask(&host, "/", &[])), (500, "500.0"));
    let attributes = r#"processPath="node" arguments="app.js" startupTimeLimit="30""#;
    site.write("web.config", &web_config(&platform(attributes, super::PORT)));
    assert_eq!(pid(&host, "/"), starts(&site, "")[0]);
}
