//! FastCGI in the host's file: `programs`, `fastCgi` and `fcgiext` of an ostler.yml, for all sites and for one.

use super::{
    PHP, SAYS_PID, act, ask, goes_on, json, of_apps, ostler_yml, pid, pool, programs, row,
    scripted_arguments, text,
};
use crate::harness::{Host, RawClient, Site, ostler, web_config};

/// Two sites, `one.test` and `two.test`, with a page that says its process and one that tells its environment.
fn two_sites() -> Site {
    let environment = "<?php header('Content-Type: application/json'); echo json_encode(getenv());";
    ["one", "two"].into_iter().fold(Site::named("sites"), |site, root| {
        site.file(&format!("{root}/pid.php"), SAYS_PID)
            .file(&format!("{root}/env.php"), environment)
            .file(&format!("{root}/web.config"), "<configuration/>")
    })
}

#[track_caller]
fn environment(host: &Host, name: &str) -> serde_json::Value {
    let mut client = RawClient::connect(host);
    client.send(format!("GET /env.php HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    let response = client.read_response("GET");
    assert_eq!(response.status(), 200, "{name}: {}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

/// A folder to be served by `tests/apps/fcgi.py`, by a host file that begins with the command of it.
fn folder() -> (Site, String) {
    let site = Site::named("sites")
        .file("site/act.fcgi", "")
        .file("site/folder.fcgi/x", "")
        .file("site/web.config", "<configuration/>")
        .file("notes/here", "");
    let command = format!("command: python3 {}", scripted_arguments(&site));
    (site, command)
}

#[test]
fn pools_are_for_all_sites_and_a_site_may_have_its_own() {
    let site = two_sites();
    let all = "fastCgi:\n  '*.php':\n    command: php-cgi\n    env: {POOL: all}\n";
    let own =
        "  fastCgi:\n    '*.php':\n      command: [php-cgi, -d, memory_limit=64M]\n      env: {POOL: own}\n";
    let sites = format!("sites:\n- root: one\n  host: one.test\n- root: two\n  host: two.test\n{own}");
    let host = ostler_yml(&site, &format!("{all}{sites}")).start();
    assert_eq!(environment(&host, "one.test")["POOL"], "all");
    assert_eq!(environment(&host, "two.test")["POOL"], "own");
}

/// Sites share no program, even if they share every word that was said of it.
#[test]
fn each_site_has_programs_of_its_own() {
    let site = two_sites();
    let all = "fastCgi:\n  '*.php': {command: php-cgi, maxInstances: 1}\n";
    let sites = "sites:\n- {root: one, host: one.test}\n- {root: two, host: two.test}\n";
    let host = ostler_yml(&site, &format!("{all}{sites}")).start();
    for name in ["one.test", "two.test", "one.test", "two.test"] {
        environment(&host, name);
    }
    assert_eq!(programs(&host, "php-cgi").len(), 2);
}

/// What is said of a `scriptProcessor` counts over what the site says of it, and the rest of that stays.
#[test]
fn what_is_said_of_a_program_counts_over_the_site() {
    let variable = |name: &str| format!("<environmentVariable name=\"{name}\" value=\"site\"/>");
    let variables =
        format!("<environmentVariables>{}{}</environmentVariables>", variable("A"), variable("B"));
    let attributes = r#"maxInstances="1" instanceMaxRequests="50""#;
    let elements = format!(
        "<handlers>{}</handlers>{}",
        row("*.php", PHP, "Either"),
        pool(PHP, "", attributes, &variables)
    );
    for key in ["php-cgi", "PHP-CGI.exe", r"C:\PHP\php-cgi.exe", "c:/php/php-cgi.exe"] {
        let site = two_sites().file("one/web.config", &web_config(&elements));
        let said = format!(
            "fastCgi:\n  '{key}':\n    instanceMaxRequests: 7\n    env: {{B: host, C: host}}\nsites:\n- root: one\n"
        );
        let host = ostler_yml(&site, &said).start();
        let told = environment(&host, "test");
        assert_eq!(told["PHP_FCGI_MAX_REQUESTS"], "1007", "{key}");
        assert_eq!([&told["A"], &told["B"], &told["C"]], ["site", "host", "host"], "{key}");
    }
}

#[test]
fn programs_stand_in_by_name_by_path_and_with_their_arguments() {
    let processor = r"D:\Tools\php8\php-special.exe|-d memory_limit=32M";
    for (key, command, limit) in [
        ("php-special", "php-cgi", "32M"),
        ("PHP-Special.EXE", "php-cgi -d display_errors=1", "32M"),
        (r"d:\tools\php8\PHP-special.exe", "[php-cgi]", "32M"),
        ("d:/tools/php8/php-special.exe", "tools/php", "32M"),
        // With its arguments it is known as a whole, and they are not passed.
        (processor, "php-cgi -d memory_limit=48M", "48M"),
    ] {
        let site = Site::named("sites")
            .file(
                "site/web.config",
                &web_config(&format!("<handlers>{}</handlers>", row("*.php", processor, "Either"))),
            )
            .file("site/limit.php", "<?php echo ini_get('memory_limit');")
            .file("tools/php", "#!/bin/sh\nexec php-cgi \"$@\"\n");
        let tool = site.path().join("tools/php");
        std::fs::set_permissions(tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let host =
            ostler_yml(&site, &format!("programs:\n  '{key}': {command}\nsites:\n- root: site\n")).start();
        assert_eq!(text(&host, "/limit.php"), limit, "{key}");
    }
}

#[test]
fn a_program_that_is_not_mapped_is_named_with_what_to_write() {
    let handlers = format!("<handlers>{}</handlers>", row("*.php", r"D:\Tools\special.exe", "Either"));
    let site = two_sites().file("one/web.config", &web_config(&handlers));
    let host = ostler_yml(&site, "sites:\n- root: one\n").start();
    let response = ask(&host, "/pid.php", &[]);
    let page = response.text();
    assert!(response.status() >= 500, "{}", response.status());
    assert!(page.contains("special") && page.contains("programs"), "{page}");
}

#[test]
fn a_fcgiext_ini_is_for_all_sites_and_a_site_may_have_its_own() {
    let ini = |name: &str| format!("[Types]\nphp=PHP\n[PHP]\nExePath=php-cgi\nEnvironmentVars=POOL:{name}\n");
    let site = two_sites().file("old/all.ini", &ini("all")).file("old/own.ini", &ini("own"));
    // The one that is named counts, not the one in the root.
    let site = site.file("one/fcgiext.ini", &ini("root"));
    let sites =
        "sites:\n- {root: one, host: one.test}\n- {root: two, host: two.test, fcgiext: old/own.ini}\n";
    let host = ostler_yml(&site, &format!("fcgiext: old/all.ini\n{sites}")).start();
    assert_eq!(environment(&host, "one.test")["POOL"], "all");
    assert_eq!(environment(&host, "two.test")["POOL"], "own");
    drop(host);
    let host = ostler_yml(&site, sites).start();
    assert_eq!(environment(&host, "one.test")["POOL"], "root");
}

#[test]
fn a_pool_may_be_for_a_folder_or_for_every_path() {
    let (site, command) = folder();
    site.write("site/blog/act.fcgi", "");
    let text = format!(
        "fastCgi:\n  'blog/*.fcgi':\n    {command}\n    env: {{POOL: blog}}\n  '*':\n    {command}\n    env: {{POOL: any}}\nsites:\n- root: site\n"
    );
    let host = ostler_yml(&site, &text).start();
    for (path, expected) in [
        ("/blog/act.fcgi", "blog"),
        ("/blog/act.fcgi/info", "blog"),
        ("/act.fcgi", "any"),
        ("/blog", "any"),
        ("/virtual/path", "any"),
    ] {
        assert_eq!(json(&host, &format!("{path}?environment"))["variables"]["POOL"], expected, "{path}");
    }
}

#[test]
fn the_resource_type_of_a_pool_holds() {
    for (said, script, folder_status, nothing) in [
        ("", 200, 200, 404),
        ("resourceType: File", 200, 404, 404),
        ("resourceType: directory", 404, 200, 404),
        ("resourceType: Unspecified", 200, 200, 200),
    ] {
        let (site, command) = folder();
        let text = format!("fastCgi:\n  '*.fcgi':\n    {command}\n    {said}\nsites:\n- root: site\n");
        let host = ostler_yml(&site, &text).start();
        let statuses = ["/act.fcgi?pid", "/folder.fcgi/?pid", "/virtual.fcgi?pid"]
            .map(|target| ask(&host, target, &[]).status());
        assert_eq!((statuses[0], statuses[2]), (script, nothing), "{said}");
        assert_eq!(statuses[1] == 200, folder_status == 200, "{said}: {statuses:?}");
    }
}

/// Here the default is to pass the page and log the words; the switches are those no file of IIS has.
#[test]
fn settings_of_a_pool_hold() {
    let (site, command) = folder();
    let settings = "    maxInstances: 1\n    instanceMaxRequests: 4\n    stderrMode: ReturnGeneric500\n    httpsOff: true\n    localRedirect: false\n";
    let text = format!("fastCgi:\n  '*.fcgi':\n    {command}\n{settings}sites:\n- root: site\n");
    let host = ostler_yml(&site, &text).start();
    assert_eq!(json(&host, &act("tells"))["variables"]["HTTPS"], "off");
    assert_eq!(ask(&host, &act("stderr=before"), &[]).status(), 500);
    let local = ask(&host, &act("header=Location:%20/act.fcgi?pid"), &[]);
    assert_eq!((local.status(), local.head.field("location")), (302, Some("/act.fcgi?pid")));
    let fourth = goes_on(&host);
    assert_ne!(goes_on(&host), fourth);
}

/// Nothing starts with a host file that has a mistake, and all of them are told with their lines.
#[test]
fn what_is_wrong_keeps_the_host_from_starting() {
    let (site, _) = folder();
    site.write(
        "ostler.yml",
        "listen: 127.0.0.1:0\nfastCgi:\n  '*.a': {}\n  '*.b':\n    command: x\n    maxInstance: 1\n  '*.c':\n    command: x\n    activityTimeout: 5\n  '*.d': {server: here}\nsites:\n- root: site\n",
    );
    let config = site.path().join("ostler.yml");
    for command in ["run", "check"] {
        let outcome = ostler([command, "--config", config.to_str().unwrap()]);
        assert_eq!(outcome.status.code(), Some(2), "{command}");
        let said = format!("{}{}", outcome.text(), outcome.stderr);
        for told in [
            "ostler.yml:3:",
            "`maxInstance`",
            "ostler.yml:6:",
            "activityTimeout",
            "ostler.yml:9:",
            "ostler.yml:10:",
        ] {
            assert!(said.contains(told), "{command}: `{told}` is missing in\n{said}");
        }
    }
}

/// A folder with PHP and no word of IIS: the host's file is all it takes.
#[test]
fn a_folder_without_a_web_config_is_served() {
    let site =
        Site::named("sites").file("site/tells.php", &of_apps("php/tells.php")).file("site/a.txt", "a file");
    let host = ostler_yml(&site, "fastCgi:\n  '*.php': {command: php-cgi}\nsites:\n- root: site\n").start();
    assert_eq!(json(&host, "/tells.php/info")["server"]["PATH_INFO"], "/info");
    assert_eq!(text(&host, "/a.txt"), "a file");
    assert_eq!(ask(&host, "/a.txt/x.php", &[]).status(), 404);
    assert_eq!(programs(&host, "php-cgi").len(), 1);
}

/// php.ini, as the host's file names it, beside that file.
#[test]
fn a_change_of_the_watched_file_replaces_the_programs() {
    let site = two_sites().file("conf/php.ini", "");
    let said = "fastCgi:\n  '*.php': {command: php-cgi -c conf/php.ini, monitorChangesTo: conf/php.ini}\nsites:\n- root: one\n";
    let host = ostler_yml(&site, said).start();
    let first = pid(&host, "/pid.php");
    site.write("conf/php.ini", "memory_limit = 64M\n");
    crate::harness::eventually(crate::harness::PATIENCE, "another program", || {
        (pid(&host, "/pid.php") != first).then_some(())
    });
}

/// Relative paths in it start at its own folder, however it is named itself: `--config ostler.yml` above all.
#[test]
fn a_host_file_may_be_named_by_a_relative_path() {
    let site = two_sites().file("tool", "#!/bin/sh\nexec php-cgi \"$@\"\n").file("files/a.txt", "sent").file(
        "one/send.php",
        "<?php header('X-Sendfile: ' . dirname(__DIR__) . '/files/a.txt'); echo 'the page';",
    );
    let tool = site.path().join("tool");
    std::fs::set_permissions(tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let said =
        "fastCgi:\n  '*.php': {command: ./tool, monitorChangesTo: conf/php.ini, sendFilesBelow: files}\n";
    site.write("ostler.yml", &format!("listen: 127.0.0.1:0\n{said}sites:\n- root: one\n"));
    site.write("conf/php.ini", "");
    let config = format!("{}{}/ostler.yml", "../".repeat(30).trim_end_matches('/'), site.path().display());
    let host = Host::run(["--config", &config]).start();
    let first = pid(&host, "/pid.php");
    assert_eq!(text(&host, "/send.php"), "sent");
    site.write("conf/php.ini", "memory_limit = 64M\n");
    crate::harness::eventually(crate::harness::PATIENCE, "another program", || {
        (pid(&host, "/pid.php") != first).then_some(())
    });
}

/// As docs/ostler-yml.md has it: over what web.config and fcgiext.ini say.
#[test]
fn what_is_said_of_a_program_counts_over_a_fcgiext_ini() {
    let ini = "[Types]\nphp=PHP\n[PHP]\nExePath=C:\\PHP\\php-cgi.exe\nInstanceMaxRequests=50\n";
    for key in ["php-cgi", r"C:\PHP\php-cgi.exe"] {
        let site = two_sites().file("one/fcgiext.ini", ini);
        let said = format!("fastCgi:\n  '{key}': {{instanceMaxRequests: 7}}\nsites:\n- root: one\n");
        let host = ostler_yml(&site, &said).start();
        assert_eq!(environment(&host, "test")["PHP_FCGI_MAX_REQUESTS"], "1007", "{key}");
    }
}
