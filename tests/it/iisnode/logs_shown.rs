//! Logs over HTTP: for those who sit at the machine, and for others only when a setting says so.

use super::{FROM_AFAR, app, ask, failure, text};
use crate::harness::{Host, Site};

fn talks() -> String {
    app("console.log('said'); console.error('cried'); r.end('answered')")
}

/// The links of an index page to log files.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("href=").skip(1).filter_map(|rest| rest.split(['"', '\'']).nth(1));
    targets.filter(|target| target.ends_with(".txt")).map(str::to_owned).collect()
}

/// The index and every file it links to, as a client sees them who sends these fields.
#[track_caller]
fn statuses(host: &Host, folder: &str, fields: &[&str]) -> Vec<u16> {
    let index = text(host, &format!("{folder}/index.html"));
    let paths = links(&index).into_iter().map(|link| format!("{folder}/{link}"));
    let paths = std::iter::once(format!("{folder}/index.html")).chain(paths);
    paths.map(|path| ask(host, &path, fields).status()).collect()
}

#[test]
fn the_index_lists_every_log_and_leads_to_it() {
    let site = Site::iisnode("hello.js", &talks());
    let host = site.serve();
    text(&host, "/hello.js");
    let index = ask(&host, "/iisnode/index.html", &[]);
    assert!(index.head.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let page = index.text();
    for word in ["Computer name", "PID", "Type", "Created", "stdout", "stderr"] {
        assert!(page.contains(word), "{word} is missing in {page}");
    }
    let links = links(&page);
    assert_eq!(links.len(), 2, "{page}");
    for link in links {
        let log = ask(&host, &format!("/iisnode/{link}"), &[]);
        let said = if link.contains("-stderr-") { "cried\n" } else { "said\n" };
        assert_eq!((log.status(), log.text().as_str()), (200, said));
        assert_eq!(log.head.field("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn logs_beside_a_script_in_a_folder_are_below_the_url_of_that_folder() {
    let site = Site::iisnode("dist/hello.js", &talks());
    let host = site.serve();
    text(&host, "/dist/hello.js");
    assert_eq!(statuses(&host, "/dist/iisnode", &[]), [200, 200, 200]);
}

#[test]
fn others_are_shown_no_logs_but_the_name_of_the_setting() {
    for site in
        [Site::iisnode("hello.js", &talks()), Site::iisnode("hello.js", &talks()).yml("logAccess: local")]
    {
        let host = site.serve();
        text(&host, "/hello.js");
        assert_eq!(statuses(&host, "/iisnode", &[FROM_AFAR]), [403, 403, 403]);
        let page = ask(&host, "/iisnode/index.html", &[FROM_AFAR]).text();
        assert!(page.contains("logAccess") && !page.contains(".txt"), "{page}");
        let other_case = ask(&host, "/IISNODE/Index.html", &[FROM_AFAR]);
        assert_eq!(other_case.status(), 403, "{}", other_case.text());
    }
}

#[test]
fn others_are_shown_the_logs_when_a_setting_says_so_or_the_address_cannot_be_guessed() {
    for (yml, folder) in [
        ("logAccess: anyone", "/iisnode"),
        ("logDirectory: 6f9619ff-8b86-d011-b42d-00c04fc964ff", "/6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ] {
        let site = Site::iisnode("hello.js", &talks()).yml(yml);
        let host = site.serve();
        text(&host, "/hello.js");
        assert_eq!(statuses(&host, folder, &[FROM_AFAR]), [200, 200, 200], "{yml}");
    }
}

#[test]
fn a_log_directory_outside_the_site_is_written_and_not_served() {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().display().to_string();
    let site = Site::iisnode("hello.js", &talks()).yml(&format!("logDirectory: {path}\nlogAccess: anyone"));
    let host = site.serve();
    text(&host, "/hello.js");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 3);
    for url in [format!("{path}/index.html"), "/iisnode/index.html".to_owned()] {
        assert_eq!(ask(&host, &url, &[]).status(), 404, "{url}");
    }
}

#[test]
fn logs_are_hidden_when_their_segment_is() {
    let hidden = r#"<security><requestFiltering><hiddenSegments><add segment="iisnode"/></hiddenSegments></requestFiltering></security>"#;
    let site = Site::iisnode("hello.js", &talks()).element(hidden);
    let host = site.serve();
    text(&host, "/hello.js");
    assert_eq!(failure(&ask(&host, "/iisnode/index.html", &[])), (404, "404.8"));
}
