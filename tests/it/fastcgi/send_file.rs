//! Files that a program asks its host to send: not unless a folder is allowed for it, and the wish is never told to clients.

use super::{ask, php_site};

const FIELDS: [&str; 3] = ["X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file"];

#[test]
fn without_permission_the_page_is_sent_and_the_path_is_not_told() {
    for field in FIELDS {
        let site = php_site("").file("secret/file.txt", "the secret");
        let path = site.path().join("secret/file.txt");
        let page = format!("<?php header('{field}: {}'); echo 'the page';", path.display());
        let site = site.file("page.php", &page);
        let response = ask(&site.serve(), "/page.php", &[]);
        assert_eq!((response.status(), response.text().as_str()), (200, "the page"), "{field}");
        assert!(!response.head.has(field), "{:?}", response.head.fields);
    }
}

#[test]
fn no_file_of_the_machine_can_be_asked_for() {
    for field in FIELDS {
        for path in ["/etc/passwd", "/../../../../etc/passwd", "file:///etc/passwd", "/web.config"] {
            let site =
                php_site("").file("page.php", &format!("<?php header('{field}: {path}'); echo 'the page';"));
            let response = ask(&site.serve(), "/page.php", &[]);
            let text = response.text();
            assert!(!text.contains("root:") && !text.contains("FastCgiModule"), "{field} {path}: {text}");
            assert!(!response.head.has(field), "{:?}", response.head.fields);
        }
    }
}
