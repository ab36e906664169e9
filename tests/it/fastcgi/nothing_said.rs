//! A folder of PHP that nobody has said anything about.

use super::{ask, text};
use crate::harness::{Site, web_config};

#[test]
fn a_folder_with_an_index_php_is_served_as_one_of_php() {
    let site = Site::named("site")
        .file("index.php", "<?php echo 'front ', $_SERVER['PATH_INFO'] ?? '';")
        .file("below/page.php", "<?php echo 'page';")
        .file("style.css", "body{}");
    let host = site.serve();
    assert_eq!(text(&host, "/"), "front ");
    assert_eq!(text(&host, "/index.php/more"), "front /more");
    assert_eq!(text(&host, "/below/page.php"), "page");
    assert_eq!(text(&host, "/style.css"), "body{}");
    // What a web.config does not say does not hold.
    site.write("web.config", &web_config(""));
    assert_eq!(ask(&host, "/below/page.php", &[]).status(), 404);
}
