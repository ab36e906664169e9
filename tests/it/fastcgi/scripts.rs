//! Which file a URL runs: the shortest script on its way, and never a file that is none.

use serde_json::Value;

use super::{PHP, ask, failure, json, php_site, programs, row, scripted, text};
use crate::harness::{Host, Site, web_config};

#[track_caller]
fn names(host: &Host, target: &str) -> (String, String) {
    let told = json(host, target);
    let said = |name: &str| told["server"][name].as_str().unwrap_or_default().to_owned();
    (said("SCRIPT_NAME"), said("PATH_INFO"))
}

#[track_caller]
fn is_missing(host: &Host, target: &str) {
    let response = ask(host, target, &[]);
    assert_eq!(response.status(), 404, "{target}: {}", response.text());
    assert!(failure(&response).1.starts_with("404"), "the host's own page: {target}: {}", response.text());
}

// Row 12.
#[test]
fn an_image_is_never_run() {
    let site = php_site("")
        .file("up/img.jpg", "<?php echo 'EXECUTED';")
        .file("up/noextension", "<?php echo 'EXECUTED';");
    let host = site.serve();
    for target in [
        "/up/img.jpg/x.php",
        "/up/img.jpg/.php",
        "/up/img.jpg/x/y.php",
        "/up/img.jpg%2Fx.php",
        "/up/img.jpg%00.php",
        "/up/noextension/x.php",
        "/up/../up/img.jpg/x.php",
        "/up//img.jpg//x.php",
    ] {
        let response = ask(&host, target, &[]);
        assert!(
            (400..=404).contains(&response.status()),
            "{target}: {} {}",
            response.status(),
            response.text()
        );
        assert!(!response.text().contains("EXECUTED"), "{target}");
    }
    is_missing(&host, "/up/img.jpg/x.php");
    assert_eq!(programs(&host, "php-cgi"), Vec::<u32>::new(), "no program was even started");
}

#[test]
fn a_script_that_does_not_exist_is_missing_without_a_program() {
    let site = php_site("").file("folder/x.txt", "");
    let host = site.serve();
    for target in [
        "/missing.php",
        "/folder/missing.php",
        "/missing.php/tells.php",
        "/folder/x.txt/a.php",
        "/x/y/z.php?a",
    ] {
        is_missing(&host, target);
    }
    assert_eq!(programs(&host, "php-cgi"), Vec::<u32>::new());
}

#[test]
fn what_follows_the_script_is_its_path_info() {
    let site = php_site("").file("a/b/tells.php", &super::of_apps("php/tells.php"));
    let host = site.serve();
    for (target, script, info) in [
        ("/tells.php/foo/bar", "/tells.php", "/foo/bar"),
        ("/tells.php/", "/tells.php", "/"),
        ("/tells.php/foo?x=/y.php", "/tells.php", "/foo"),
        ("/tells.php/foo%2Fbar", "/tells.php", "/foo/bar"),
        ("/tells.php/a%20b/%C3%A4", "/tells.php", "/a b/ä"),
        ("/tells.php/other.php", "/tells.php", "/other.php"),
        ("/a/b/tells.php/tells.php/x", "/a/b/tells.php", "/tells.php/x"),
        ("/tells.php", "/tells.php", ""),
    ] {
        assert_eq!(names(&host, target), (script.to_owned(), info.to_owned()), "{target}");
    }
    let told = json(&host, "/tells.php/foo/bar");
    assert_eq!(told["server"]["PHP_SELF"], "/tells.php/foo/bar");
    let root = site.path().canonicalize().unwrap();
    let translated = told["server"]["PATH_TRANSLATED"].as_str().unwrap_or_default();
    assert_eq!(translated, root.join("foo/bar").to_str().unwrap());
    let file = told["server"]["SCRIPT_FILENAME"].as_str().unwrap_or_default();
    assert_eq!(file, root.join("tells.php").to_str().unwrap());
}

#[test]
fn nothing_above_the_root_can_be_reached() {
    let site = php_site("");
    std::fs::write(site.path().parent().unwrap().join("above.php"), "<?php echo 'EXECUTED';").unwrap();
    let host = site.serve();
    for target in [
        "/../above.php",
        "/%2e%2e/above.php",
        "/x/../../above.php",
        "/..%2fabove.php",
        "/tells.php/../../above.php",
    ] {
        let response = ask(&host, target, &[]);
        assert!((400..=404).contains(&response.status()), "{target}: {}", response.status());
    }
    // Within the root, dots are only a detour.
    assert_eq!(names(&host, "/x/../tells.php").0, "/tells.php");
}

#[test]
fn a_link_out_of_the_root_is_not_followed() {
    let outside = Site::named("outside").file("page.php", "<?php echo 'EXECUTED';");
    let site = php_site("").file("inner/page.php", "<?php echo 'inside';");
    std::os::unix::fs::symlink(outside.path(), site.path().join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("page.php"), site.path().join("out.php")).unwrap();
    std::os::unix::fs::symlink("inner", site.path().join("in")).unwrap();
    let host = site.serve();
    for target in ["/out/page.php", "/out.php"] {
        let response = ask(&host, target, &[]);
        assert!(
            matches!(response.status(), 403 | 404),
            "{target}: {} {}",
            response.status(),
            response.text()
        );
        assert!(!response.text().contains("EXECUTED"));
    }
    assert_eq!(text(&host, "/in/page.php"), "inside");
}

const DEFAULT: &str = "<defaultDocument><files><clear/><add value=\"index.php\"/></files></defaultDocument>";

#[test]
fn a_folder_leads_to_its_default_document() {
    let rows = format!("<handlers>{}</handlers>{DEFAULT}", row("*.php", PHP, "Either"));
    let tells = super::of_apps("php/tells.php");
    let site = Site::named("site")
        .web_config(&web_config(&rows))
        .file("index.php", &tells)
        .file("dir/index.php", &tells)
        .file("dir.php/index.php", &tells)
        .file("empty/x.txt", "");
    let host = site.serve();
    assert_eq!(names(&host, "/"), ("/index.php".to_owned(), String::new()));
    assert_eq!(names(&host, "/dir/?a=b").0, "/dir/index.php");
    let told: Value = json(&host, "/dir/?a=b");
    assert_eq!((&told["server"]["REQUEST_URI"], &told["get"]["a"]), (&"/dir/?a=b".into(), &"b".into()));
    let redirect = ask(&host, "/dir", &[]);
    assert!(matches!(redirect.status(), 301 | 302 | 307 | 308), "{}", redirect.status());
    assert!(redirect.head.field("location").unwrap().ends_with("/dir/"));
    // A folder whose name looks like a script is a folder.
    assert_eq!(names(&host, "/dir.php/index.php").0, "/dir.php/index.php");
    let listing = ask(&host, "/empty/", &[]).status();
    assert!(matches!(listing, 403 | 404), "{listing}");
}

/// As WordPress and others come: everything that is no file goes to the front page, which sees the URL as it was.
#[test]
fn a_rewrite_leads_to_the_front_page_which_sees_the_url_as_it_came() {
    let rule = "<rewrite><rules><rule name=\"front\" stopProcessing=\"true\"><match url=\".*\"/><conditions>\
        <add input=\"{REQUEST_FILENAME}\" matchType=\"IsFile\" negate=\"true\"/>\
        <add input=\"{REQUEST_FILENAME}\" matchType=\"IsDirectory\" negate=\"true\"/>\
        </conditions><action type=\"Rewrite\" url=\"index.php/{R:0}\"/></rule></rules></rewrite>";
    let rows = format!("<handlers>{}</handlers>{DEFAULT}{rule}", row("*.php", PHP, "Either"));
    let site = Site::named("site")
        .web_config(&web_config(&rows))
        .file("index.php", &super::of_apps("php/tells.php"))
        .file("style.css", "body{}");
    let host = site.serve();
    let told = json(&host, "/2024/a-post?x=1");
    let server = &told["server"];
    assert_eq!(server["SCRIPT_NAME"], "/index.php");
    assert_eq!(server["PATH_INFO"], "/2024/a-post");
    assert_eq!((&server["REQUEST_URI"], &told["get"]["x"]), (&"/2024/a-post?x=1".into(), &"1".into()));
    assert_eq!(text(&host, "/style.css"), "body{}");
}

/// The query is the rewritten one, the URL the one that came.
#[test]
fn a_rewritten_query_is_the_query_of_the_program() {
    let rule = "<rewrite><rules><rule name=\"post\"><match url=\"^post/(.+)$\"/>\
        <action type=\"Rewrite\" url=\"index.php?p={R:1}&amp;from=a%20b\"/></rule></rules></rewrite>";
    let rows = format!("<handlers>{}</handlers>{rule}", row("*.php", PHP, "Either"));
    let site = Site::named("site")
        .web_config(&web_config(&rows))
        .file("index.php", &super::of_apps("php/tells.php"));
    let host = site.serve();
    let told = json(&host, "/post/5?x=1");
    assert_eq!(told["get"], serde_json::json!({"p": "5", "from": "a b", "x": "1"}));
    let server = &told["server"];
    assert_eq!(server["REQUEST_URI"], "/post/5?x=1");
    assert_eq!(server["HTTP_X_ORIGINAL_URL"], "/post/5?x=1");
    assert_eq!(server["IIS_WasUrlRewritten"], "1");
    assert_eq!(server["PHP_SELF"], "/index.php");
}

#[test]
fn the_resource_type_says_what_must_be_there() {
    for (resource_type, script, folder, nothing) in [
        ("File", 200, 404, 404),
        ("Directory", 404, 200, 404),
        ("Either", 200, 200, 404),
        ("Unspecified", 200, 200, 200),
    ] {
        let site = scripted("").file("folder.fcgi/x", "");
        site.write("web.config", &site.read("web.config").replace("Either", resource_type));
        let host = site.serve();
        let statuses = ["/act.fcgi?pid", "/folder.fcgi?pid", "/virtual.fcgi?pid"]
            .map(|target| ask(&host, target, &[]).status());
        assert_eq!(statuses[0], script, "{resource_type}");
        assert_eq!(statuses[2], nothing, "{resource_type}");
        // Folders may be sent to their URL with a slash before the row is asked.
        assert!([folder, 301, 302, 307, 308, 403].contains(&statuses[1]), "{resource_type}: {statuses:?}");
    }
}

#[test]
fn a_verb_that_no_row_names_is_not_for_the_program() {
    let site = php_site("");
    site.write("web.config", &site.read("web.config").replace("verb=\"*\"", "verb=\"GET,HEAD\""));
    let host = site.serve();
    assert_eq!(ask(&host, "/tells.php", &[]).status(), 200);
    let refused = ask_with(&host, "DELETE", "/tells.php");
    assert!(matches!(refused, 404 | 405), "{refused}");
}

#[track_caller]
fn ask_with(host: &Host, method: &str, target: &str) -> u16 {
    super::request(host, method, target, &[], "").status()
}

/// `.user.ini` and the folders of the configuration are no pages, with a slash or without.
#[test]
fn files_that_are_hidden_stay_hidden_behind_a_script() {
    let site = php_site("");
    let host = site.serve();
    for target in ["/web.config", "/web.config/x.php"] {
        assert_eq!(ask(&host, target, &[]).status(), 404, "{target}");
    }
}
