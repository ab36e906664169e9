//! A `fcgiext.ini` may come, change and go while the site is served, and alone makes a folder a site.

use super::{FROM_AFAR, ask, text};
use crate::harness::{Site, web_config};

const INI: &str = "[Types]\nphp=PHP\n[PHP]\nExePath=php-cgi\nEnvironmentVars=WORD:first\n";
const SAYS_WORD: &str = "<?php echo getenv('WORD');";

#[test]
fn a_file_of_older_sites_alone_makes_a_folder_a_site_and_is_never_served() {
    let site =
        Site::named("site").file("fcgiext.ini", INI).file("word.php", SAYS_WORD).file("a.txt", "a file");
    let host = site.serve();
    assert_eq!(text(&host, "/word.php"), "first");
    assert_eq!(text(&host, "/a.txt"), "a file");
    assert_eq!(ask(&host, "/fcgiext.ini", &[]).status(), 404);
}

#[test]
fn the_next_request_knows_that_it_came_changed_and_went() {
    let site = Site::named("site").web_config(&web_config("")).file("word.php", SAYS_WORD);
    let host = site.serve();
    assert_eq!(ask(&host, "/word.php", &[]).status(), 404);
    site.replace("fcgiext.ini", INI);
    assert_eq!(text(&host, "/word.php"), "first");
    site.replace("fcgiext.ini", &INI.replace("first", "second"));
    assert_eq!(text(&host, "/word.php"), "second");
    // Strangers are served as before while it is wrong; who edits it here sees what is.
    site.replace("fcgiext.ini", &format!("{INI}Wrong=1\n"));
    assert_eq!(ask(&host, "/word.php", &[FROM_AFAR]).text(), "second");
    assert!(
        ask(&host, "/word.php", &[]).text().contains("fcgiext.ini:6:1: error: a pool has no setting `Wrong`")
    );
    std::fs::remove_file(site.path().join("fcgiext.ini")).unwrap();
    assert_eq!(ask(&host, "/word.php", &[FROM_AFAR]).status(), 404);
}
