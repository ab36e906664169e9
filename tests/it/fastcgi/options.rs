//! Combinations that sites have: HTTP/2 for files that are sent, HTTP/1.0, pages behind rewriting, pools that are shared by
//! several rows.

use super::{PHP, SAYS_PID, ask, json, of_apps, ostler_yml, pid, pool, programs, row, text};
use crate::harness::{Site, curl, web_config};

/// As IIS has it, several rows may lead to one pool: by the same program and arguments.
#[test]
fn rows_with_the_same_program_share_its_pool() {
    let rows = ["*.php", "*.phtml", "app/*.inc"].map(|path| row(path, PHP, "Either")).concat();
    let elements = format!("<handlers>{rows}</handlers>{}", pool(PHP, "", r#"maxInstances="1""#, ""));
    let site = ["a.php", "b.phtml", "app/c.inc"]
        .into_iter()
        .fold(Site::named("site").web_config(&web_config(&elements)), |site, name| site.file(name, SAYS_PID));
    let host = site.serve();
    let one = pid(&host, "/a.php");
    assert_eq!((pid(&host, "/b.phtml"), pid(&host, "/app/c.inc")), (one, one));
    assert_eq!(programs(&host, "php-cgi").len(), 1);
}

/// Attributes and programs may hold variables of the host, in the manner of Windows.
#[test]
fn variables_of_the_host_stand_for_their_values() {
    let elements = format!(
        "<handlers>{}</handlers>{}",
        row("*.php", r"%PHP_HOME%\php-cgi.exe|-d user_agent=%WHO%", "Either"),
        pool(
            r"%PHP_HOME%\php-cgi.exe",
            "-d user_agent=%WHO%",
            "",
            "<environmentVariables><environmentVariable name=\"A\" value=\"for %WHO%\"/></environmentVariables>"
        )
    );
    let site = Site::named("site")
        .web_config(&web_config(&elements))
        .file("who.php", "<?php echo ini_get('user_agent'), ' ', getenv('A');");
    let setup = crate::harness::Host::of(site.path()).without_waiting();
    let host = setup.env("PHP_HOME", r"C:\PHP").env("WHO", "somebody").start();
    assert_eq!(text(&host, "/who.php"), "somebody for somebody");
}

#[test]
fn a_file_that_is_sent_over_http_2_has_its_part_and_its_length() {
    let site = Site::named("sites").file("files/a.txt", "0123456789").file(
        "site/send.php",
        "<?php header('Content-Type: text/plain'); header('X-Sendfile: ' . dirname(__DIR__) . '/files/a.txt');",
    );
    let host = ostler_yml(
        &site,
        "fastCgi:\n  '*.php': {command: php-cgi, sendFilesBelow: files}\nsites:\n- root: site\n",
    )
    .start();
    let url = host.url("/send.php");
    let whole = curl(["--http2-prior-knowledge", &url]).success().text();
    let part = curl(["--http2-prior-knowledge", "-r", "2-4", &url]).success().text();
    assert_eq!((whole.as_str(), part.as_str()), ("0123456789", "234"));
}

/// The host file's pool for a path stands in for the row of the site's own file, which names what is not here.
#[test]
fn a_pool_of_the_host_stands_in_for_the_row_of_a_site() {
    let site = Site::named("sites")
        .file(
            "site/web.config",
            &web_config(&format!("<handlers>{}</handlers>", row("*.php", r"D:\no\such.exe", "Either"))),
        )
        .file("site/tells.php", &of_apps("php/tells.php"));
    let host = ostler_yml(&site, "fastCgi:\n  '*.php': {command: php-cgi}\nsites:\n- root: site\n").start();
    assert_eq!(json(&host, "/tells.php/x")["server"]["PATH_INFO"], "/x");
}

/// A wildcard of PHP runs scripts, and nothing that is none.
#[test]
fn php_for_every_path_still_runs_only_scripts() {
    let handlers = format!("<handlers>{}</handlers>", row("*", PHP, "Either"));
    let site = Site::named("site")
        .web_config(&web_config(&handlers))
        .file("a.php", "<?php echo 'run';")
        .file("up/img.jpg", "<?php echo 'EXECUTED';")
        .file("up/x.txt", "<?php echo 'EXECUTED';");
    let host = site.serve();
    assert_eq!(text(&host, "/a.php/info"), "run");
    for target in ["/up/img.jpg/x.php", "/up/img.jpg", "/up/x.txt", "/up/x.txt/a.php", "/up/img.jpg%00.php"] {
        let response = ask(&host, target, &[]);
        // As a file its text may be read; it is never run.
        assert!(
            !response.text().starts_with("EXECUTED"),
            "{target}: {} {}",
            response.status(),
            response.text()
        );
    }
}
