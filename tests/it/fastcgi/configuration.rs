//! What people write: rows and pools of `web.config`, and what is said about what is wrong with them.

use super::{PHP, SAYS_PID, ask, pid, pool, programs, row, text};
use crate::harness::{Site, ostler, web_config};

fn site(elements: &str) -> Site {
    Site::named("site").web_config(&web_config(elements)).file("pid.php", SAYS_PID)
}

fn handlers(rows: &str) -> String {
    format!("<handlers>{rows}</handlers>")
}

#[test]
fn a_program_may_be_named_by_its_path_or_its_name() {
    let found = ["/usr/bin/php-cgi", "php-cgi", PHP, r"%ProgramFiles%\PHP\v8.2\php-cgi.exe"];
    for program in
        found.into_iter().filter(|path| !path.starts_with('/') || std::path::Path::new(path).exists())
    {
        let site = site(&handlers(&row("*.php", program, "Either")));
        let host = site.serve();
        assert_eq!(ask(&host, "/pid.php", &[]).status(), 200, "{program}");
    }
}

/// Names and values of IIS are not case-sensitive, and a row may stand beside rows of others.
#[test]
fn case_and_order_are_as_on_iis() {
    let rows = row("*.PHP", PHP, "either").replace("FastCgiModule", "fastcgimodule");
    let static_row =
        r#"<add name="StaticFile" path="*" verb="*" modules="StaticFileModule" resourceType="Either"/>"#;
    let site =
        site(&handlers(&format!("<remove name=\"*.PHP\"/>{rows}{static_row}"))).file("a.txt", "a file");
    let host = site.serve();
    pid(&host, "/pid.php");
    assert_eq!(text(&host, "/a.txt"), "a file");
}

#[test]
fn a_pool_of_the_root_counts_for_folders_with_rows_of_their_own() {
    let root =
        format!("{}{}", handlers(&row("*.php", PHP, "Either")), pool(PHP, "", r#"maxInstances="1""#, ""));
    let inner = handlers(&row("*.page", PHP, "Either"));
    let site = site(&root)
        .file("inner/web.config", &web_config(&inner))
        .file("inner/a.page", SAYS_PID)
        .file("inner/b.php", SAYS_PID);
    let host = site.serve();
    let first = pid(&host, "/pid.php");
    assert_eq!(pid(&host, "/inner/b.php"), first, "a folder of its configuration inherits the row");
    pid(&host, "/inner/a.page");
    assert!(programs(&host, "php-cgi").len() <= 2);
}

#[test]
fn a_folder_can_take_the_row_away() {
    let site = site(&handlers(&row("*.php", PHP, "Either")))
        .file("plain/web.config", &web_config("<handlers><remove name=\"*.php\"/></handlers>"))
        .file("plain/page.php", "<?php echo 'EXECUTED';");
    let host = site.serve();
    pid(&host, "/pid.php");
    let response = ask(&host, "/plain/page.php", &[]);
    assert!(response.status() >= 400 && !response.text().contains("EXECUTED"), "{}", response.status());
}

/// A wrong value is named with its file and its line, for people here.
#[test]
fn a_wrong_value_is_told_with_its_name() {
    for (attribute, value) in [
        ("maxInstances", "many"),
        ("instanceMaxRequests", "0"),
        ("queueLength", "-1"),
        ("activityTimeout", "5"),
        ("requestTimeout", "x"),
        ("stderrMode", "Sometimes"),
        ("protocol", "Carrier"),
    ] {
        let wrong = pool(PHP, "", &format!("{attribute}=\"{value}\""), "");
        let site = site(&format!("{}{wrong}", handlers(&row("*.php", PHP, "Either"))));
        let host = site.serve();
        let response = ask(&host, "/pid.php", &[]);
        let said = format!("{}\n{}", response.text(), host.lines().join("\n"));
        assert!(said.contains(attribute), "{attribute}={value}: {} {said}", response.status());
    }
}

#[test]
fn what_has_no_effect_here_is_accepted() {
    let attributes = r#"protocol="NamedPipe" flushNamedPipe="true" maxInstances="2""#;
    let site = site(&format!("{}{}", handlers(&row("*.php", PHP, "Either")), pool(PHP, "", attributes, "")));
    let host = site.serve();
    pid(&host, "/pid.php");
}

#[test]
fn a_row_without_a_program_says_what_is_missing() {
    let row = row("*.php", "", "Either");
    let site = site(&handlers(&row));
    let host = site.serve();
    let response = ask(&host, "/pid.php", &[]);
    assert!(response.status() >= 500, "{}", response.status());
    let said = format!("{}\n{}", response.text(), host.lines().join("\n"));
    assert!(said.contains("scriptProcessor"), "{said}");
}

/// `ostler explain` shows what a request would lead to, without a program.
#[test]
fn explain_shows_pool_script_path_info_and_variables() {
    let elements =
        format!("{}{}", handlers(&row("*.php", PHP, "Either")), pool(PHP, "", r#"maxInstances="3""#, ""));
    let site = site(&elements);
    let folder = site.path().to_str().unwrap();
    let said = ostler(["explain", "/pid.php/some/info?a=b", folder]).success().text();
    for word in [
        "php-cgi",
        "pid.php",
        "PATH_INFO",
        "/some/info",
        "SCRIPT_FILENAME",
        "QUERY_STRING",
        "maxInstances",
        "3",
    ] {
        assert!(said.contains(word), "`{word}` is missing in\n{said}");
    }
}

/// The guess of these tests: a map from what a web.config says to what is run instead.
#[test]
fn programs_of_ostler_yml_stand_in_for_paths_of_windows() {
    let site = Site::named("sites")
        .file("site/web.config", &web_config(&handlers(&row("*.php", r"D:\Tools\php8\php-special.exe", "Either"))))
        .file("site/pid.php", SAYS_PID)
        .file("ostler.yml", "listen: 127.0.0.1:0\nprograms:\n  'D:\\Tools\\php8\\php-special.exe': php-cgi\nsites:\n- root: site\n");
    let host =
        crate::harness::Host::run(["--config", site.path().join("ostler.yml").to_str().unwrap()]).start();
    pid(&host, "/pid.php");
}
