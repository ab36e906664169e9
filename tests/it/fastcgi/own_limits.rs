//! Programs with a limit of requests of their own, which the host cannot see.

use std::os::unix::fs::PermissionsExt;

use super::{of_apps, ostler_yml};
use crate::harness::{RawClient, Site};

#[test]
fn no_post_fails_when_programs_end_by_themselves() {
    let site = Site::named("site")
        .file("wrap.sh", "#!/bin/sh\nPHP_FCGI_MAX_REQUESTS=20 exec php-cgi\n")
        .file("site/page.php", &of_apps("php/storm.php"))
        .file("site/notes/here", "");
    let wrapper = site.path().join("wrap.sh");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = ostler_yml(
        &site,
        &format!(
            "sites:\n- root: site\n  fastCgi:\n    '*.php':\n      command: {}\n      maxInstances: 2\n",
            wrapper.display()
        ),
    )
    .start();
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let host = &host;
            scope.spawn(move || {
                let mut client = RawClient::connect(host);
                for number in 0..100 {
                    client.send(format!(
                        "POST /page.php?seed={seed} HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbook"
                    ));
                    let response = client.read_response("POST");
                    assert_eq!(response.status(), 200, "{number}: {}", response.text());
                    assert!(response.head.field("x-got").unwrap().starts_with("4 "));
                }
            });
        }
    });
    let notes = |name: &str| {
        let text = std::fs::read_to_string(site.path().join("site/notes").join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let served = notes("requests.log");
    assert_eq!(served.len(), 300, "each once");
    assert_eq!(notes("violations.log"), Vec::<String>::new());
}
