//! Promises about settings that were broken once: what is written counts, whatever else is wrong at that moment.

use nix::sys::signal::Signal;

use super::{FROM_AFAR, ask, says, text};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually, signal};

/// A web.config with one handler and one application setting.
fn config(value: &str) -> String {
    format!(
        r#"<configuration><appSettings><add key="V" value="{value}"/></appSettings><system.webServer>
<handlers><add name="n" path="app.js" verb="*" modules="iisnode"/></handlers></system.webServer></configuration>"#
    )
}

const SHOWS_V: &str =
    "require('http').createServer((q, r) => r.end(String(process.env.V))).listen(process.env.PORT)";

#[test]
fn a_bad_edit_of_one_file_does_not_swallow_the_changes_of_another() {
    let site = Site::named("site").file("web.config", "<configuration/>");
    let site = site.file("a/web.config", &config("1")).file("a/app.js", SHOWS_V);
    let site = site.file("b/web.config", &config("1")).file("b/app.js", SHOWS_V);
    let host = site.serve();
    assert_eq!((text(&host, "/a/app.js"), text(&host, "/b/app.js")), ("1".into(), "1".into()));
    site.write("a/web.config", "<configuration>");
    assert_eq!(ask(&host, "/b/app.js", &[FROM_AFAR]).text(), "1");
    site.write("b/web.config", &config("2"));
    site.write("a/web.config", &config("1"));
    assert_eq!((text(&host, "/a/app.js"), text(&host, "/b/app.js")), ("1".into(), "2".into()));
}

#[test]
fn a_file_that_app_settings_names_counts_wherever_it_lies() {
    let named = |value| format!(r#"<appSettings><add key="V" value="{value}"/></appSettings>"#);
    let config = config("0").replace("<appSettings>", r#"<appSettings file="config/more.config">"#);
    let site = Site::named("site").file("web.config", &config).file("app.js", SHOWS_V);
    let site = site.file("config/more.config", &named("10"));
    let host = site.serve();
    assert_eq!(text(&host, "/app.js"), "10");
    site.write("config/more.config", &named("20"));
    assert_eq!(text(&host, "/app.js"), "20");
}

#[test]
fn a_site_that_started_with_an_error_survives_another_bad_edit() {
    let site = Site::named("site").file("web.config", &config("1")).file("app.js", SHOWS_V);
    let site = site.file("admin/web.config", "<configuration>");
    let host = site.serve();
    assert_eq!(text(&host, "/app.js"), "1");
    site.write("web.config", "<configuration><system.webServer>");
    assert_eq!(ask(&host, "/app.js", &[FROM_AFAR]).text(), "1");
    site.write("web.config", &config("2"));
    assert_eq!(text(&host, "/app.js"), "2");
}

#[test]
fn a_root_that_is_replaced_is_served_as_it_is_then() {
    let site = Site::named("site").file("web.config", &config("1")).file("app.js", SHOWS_V);
    let site = site.file("page.txt", "old").file("../next/page.txt", "new");
    let site = site.file("../next/web.config", &config("2")).file("../next/app.js", SHOWS_V);
    let host = site.serve();
    assert_eq!((text(&host, "/app.js"), text(&host, "/page.txt")), ("1".into(), "old".into()));
    let parent = site.path().parent().unwrap();
    std::fs::rename(site.path(), parent.join("before")).unwrap();
    std::fs::rename(parent.join("next"), site.path()).unwrap();
    eventually(PATIENCE, "the new folder", || (text(&host, "/page.txt") == "new").then_some(()));
    eventually(PATIENCE, "its application", || (text(&host, "/app.js") == "2").then_some(()));
}

#[test]
fn a_link_to_the_root_that_is_swapped_leads_the_next_request_to_the_new_release() {
    let releases = Site::named("releases").file("1/page.txt", "1").file("2/page.txt", "2");
    let releases = releases.file("1/web.config", &config("one")).file("2/web.config", &config("two"));
    let releases = releases.file("1/app.js", SHOWS_V).file("2/app.js", SHOWS_V);
    let at = |name: &str| releases.path().join(name);
    std::os::unix::fs::symlink("1", at("current")).unwrap();
    let host = Host::of(&at("current")).without_waiting().start();
    assert_eq!((text(&host, "/app.js"), text(&host, "/page.txt")), ("one".into(), "1".into()));
    std::os::unix::fs::symlink("2", at("next")).unwrap();
    std::fs::rename(at("next"), at("current")).unwrap();
    assert_eq!((text(&host, "/app.js"), text(&host, "/page.txt")), ("two".into(), "2".into()));
}

#[test]
fn an_iisnode_yml_that_is_written_while_a_worker_starts_is_not_missed() {
    let site = Site::iisnode("hello.js", &says("")).yml("node_env: first\n");
    site.write(
        "hello.js",
        "require('http').createServer((q, r) => r.end(process.env.NODE_ENV)).listen(process.env.PORT)",
    );
    let host = site.serve();
    for round in 0..15 {
        site.replace("iisnode.yml", &format!("node_env: a{round}\n"));
        let mut client = RawClient::connect(&host);
        client.send("GET /hello.js HTTP/1.1\r\nHost: test\r\n\r\n");
        site.replace("iisnode.yml", &format!("node_env: b{round}\n"));
        client.read_response("GET");
        assert_eq!(text(&host, "/hello.js"), format!("b{round}"));
    }
}

#[test]
fn a_site_whose_root_is_gone_does_not_hold_up_the_others() {
    let place = Site::named("place").file("a/page.txt", "a").file("b/page.txt", "b");
    let place = place.file("b/web.config", "<configuration/>");
    let place = place.file(
        "ostler.yml",
        "listen: [127.0.0.1:0]\nsites:\n  - root: a\n    host: a.test\n  - root: b\n    host: b.test\n",
    );
    let host = Host::of(place.path()).without_waiting().start();
    let page = |name: &str| {
        let mut client = RawClient::connect(&host);
        client.send(format!("GET /page.txt HTTP/1.1\r\nHost: {name}.test\r\n\r\n"));
        client.read_response("GET").status()
    };
    assert_eq!((page("a"), page("b")), (200, 200));
    std::fs::remove_dir_all(place.path().join("a")).unwrap();
    place.write(
        "b/web.config",
        r#"<configuration><system.webServer><security><requestFiltering><hiddenSegments>
<add segment="page.txt"/></hiddenSegments></requestFiltering></security></system.webServer></configuration>"#,
    );
    assert_eq!(page("b"), 404);
}

/// A file that is written in place through a descriptor that stays open raises no event.
#[test]
fn sighup_has_everything_read_again_and_ends_nothing() {
    use std::io::Write;
    let site = Site::named("site").file("web.config", &config("1")).file("app.js", SHOWS_V);
    let host = site.serve();
    assert_eq!(text(&host, "/app.js"), "1");
    let mut file = std::fs::OpenOptions::new().write(true).open(site.path().join("web.config")).unwrap();
    file.write_all(config("2").as_bytes()).unwrap();
    signal(host.pid(), Signal::SIGHUP);
    eventually(PATIENCE, "the new value", || (text(&host, "/app.js") == "2").then_some(()));
    drop(file);
}
