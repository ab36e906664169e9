//! Promises about the disk that were broken once: links, names that come and go, and who may see logs.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;

use super::{FROM_AFAR, app, ask, failure, says, text};
use crate::harness::{Host, Message, RawClient, Site, Wire, handlers, web_config};

fn shows_pid() -> String {
    app("console.log('said'); r.end(String(process.pid))")
}

/// A GET that names the site in these words.
#[track_caller]
fn ask_as(client: &mut Wire, name: &str, target: &str) -> Message {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    client.read_response("GET")
}

/// The URL path of the one log of a folder.
#[track_caller]
fn a_log(site: &Site, folder: &str) -> String {
    let names = site.list(folder).into_iter().filter(|name| name.contains("-stdout-")).collect::<Vec<_>>();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

#[test]
fn a_link_that_leads_to_its_own_folder_makes_no_second_application() {
    for path in ["app.js", "*.js"] {
        let site = Site::handling(path).file("app.js", &shows_pid());
        symlink(".", site.path().join("loop")).unwrap();
        let host = site.serve();
        let pid = text(&host, "/app.js");
        for url in ["/loop/app.js", "/loop/loop/app.js", "/loop/loop/loop/app.js/info", "/app.js"] {
            assert_eq!(text(&host, url), pid, "{url} with {path}");
        }
    }
}

#[test]
fn what_a_folder_hides_is_hidden_through_links_as_well() {
    let hides = web_config(
        r#"<security><requestFiltering><hiddenSegments><add segment="secret.txt"/></hiddenSegments></requestFiltering></security>"#,
    );
    let site = Site::iisnode("app.js", &shows_pid())
        .file("below/web.config", &hides)
        .file("below/secret.txt", "hush")
        .file("below/open.txt", "open");
    for (to, name) in [(".", "loop"), ("below", "alias"), ("below/secret.txt", "plain.txt")] {
        symlink(to, site.path().join(name)).unwrap();
    }
    let host = site.serve();
    for url in ["/below", "/alias", "/loop/below", "/loop/alias", "/loop/loop/below", "/LOOP/Alias"] {
        let hidden = ask(&host, &format!("{url}/secret.txt"), &[]);
        assert_eq!(failure(&hidden), (404, "404.8"), "{url}: {}", hidden.text());
        assert_eq!(text(&host, &format!("{url}/open.txt")), "open", "{url}");
    }
    for url in ["/plain.txt", "/loop/plain.txt"] {
        assert_eq!(ask(&host, url, &[]).status(), 404, "{url}");
    }
}

/// As deployments switch from one release to the next.
#[test]
fn a_link_that_is_made_to_lead_elsewhere_leads_the_next_request_there() {
    let config = |version: &str| {
        web_config(&format!(
            "<httpProtocol><customHeaders><add name=\"X-Release\" value=\"{version}\"/></customHeaders></httpProtocol>"
        ))
    };
    let site = ["1", "2", "3"].iter().fold(Site::handling("app.js"), |site, version| {
        site.file(&format!("releases/{version}/app.js"), &says(version))
            .file(&format!("releases/{version}/page.html"), version)
            .file(&format!("releases/{version}/web.config"), &config(version))
    });
    let switch = |version: &str| {
        symlink(format!("releases/{version}"), site.path().join("next")).unwrap();
        std::fs::rename(site.path().join("next"), site.path().join("current")).unwrap();
    };
    switch("1");
    let host = site.serve();
    let mut clients = (0..2).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for version in ["1", "2", "3", "1", "2"] {
        switch(version);
        for client in &mut clients {
            for url in ["/current/page.html", "/current/app.js"] {
                let answer = client.get(url);
                assert_eq!((answer.status(), answer.text().as_str()), (200, version), "{url}");
                assert_eq!(answer.head.field("x-release"), Some(version), "{url}");
            }
        }
    }
}

#[test]
fn an_edit_of_a_web_config_counts_under_every_name_of_its_folder() {
    let field = |value: &str| {
        web_config(&format!(
            "<httpProtocol><customHeaders><add name=\"X-Edit\" value=\"{value}\"/></customHeaders></httpProtocol>"
        ))
    };
    let site = Site::named("site").web_config(&web_config("")).file("below/x.txt", "x");
    for (to, name) in [("below", "alias"), (".", "loop")] {
        symlink(to, site.path().join(name)).unwrap();
    }
    let host = site.serve();
    for value in ["1", "2", "3"] {
        site.write("below/web.config", &field(value));
        for url in ["/below/x.txt", "/alias/x.txt", "/loop/below/x.txt"] {
            assert_eq!(ask(&host, url, &[]).head.field("x-edit"), Some(value), "{url}");
        }
    }
    site.remove("below/web.config");
    for url in ["/below/x.txt", "/alias/x.txt", "/loop/below/x.txt"] {
        assert_eq!(ask(&host, url, &[]).head.field("x-edit"), None, "{url}");
    }
}

#[test]
fn logs_are_closed_through_links_to_their_folder_and_to_themselves() {
    let site = Site::iisnode("app.js", &shows_pid());
    for (to, name) in [(".", "loop"), ("iisnode", "shown")] {
        symlink(to, site.path().join(name)).unwrap();
    }
    let host = site.serve();
    text(&host, "/app.js");
    let log = a_log(&site, "iisnode");
    symlink(format!("iisnode/{log}"), site.path().join("direct.txt")).unwrap();
    for folder in ["/iisnode", "/loop/iisnode", "/shown", "/loop/shown", "/loop/loop/iisnode"] {
        for file in ["index.html", log.as_str()] {
            let url = format!("{folder}/{file}");
            assert_eq!(ask(&host, &url, &[FROM_AFAR]).status(), 403, "{url}");
            assert_eq!(ask(&host, &url, &[]).status(), 200, "{url}");
        }
    }
    assert_eq!(ask(&host, "/direct.txt", &[FROM_AFAR]).status(), 403);
}

#[test]
fn logs_are_closed_in_a_log_directory_that_is_itself_a_link() {
    for (yml, status) in [("", 403), ("logAccess: anyone\n", 200)] {
        let site = Site::iisnode("app.js", &shows_pid()).set(r#"logDirectory="kept/app""#).yml(yml);
        std::fs::create_dir_all(site.path().join("var/out")).unwrap();
        symlink("var/out", site.path().join("kept")).unwrap();
        let host = site.serve();
        text(&host, "/app.js");
        let log = a_log(&site, "var/out/app");
        for folder in ["kept/app", "var/out/app"] {
            for file in ["index.html", log.as_str()] {
                let url = format!("/{folder}/{file}");
                assert_eq!(ask(&host, &url, &[FROM_AFAR]).status(), status, "{url} with {yml:?}");
                assert_eq!(ask(&host, &url, &[]).status(), 200, "{url}");
            }
        }
    }
}

#[test]
fn files_that_come_and_go_are_seen_by_the_next_request_of_every_connection() {
    let site = Site::iisnode("app.js", &says("")).file("node_modules/tea/x.txt", "x");
    let host = site.serve();
    std::fs::create_dir(site.path().join("made")).unwrap();
    let mut clients = (0..4).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for folder in ["node_modules", "node_modules/tea", "made", "made/deeper", "."] {
        let url = format!("/{folder}/come.txt").replace("/./", "/");
        std::fs::create_dir_all(site.path().join(folder)).unwrap();
        for round in ["1", "2"] {
            for client in &mut clients {
                assert_eq!(client.get(&url).status(), 404, "{url} before {round}");
                assert_eq!(client.get(&url).status(), 404, "{url} before {round}, remembered");
            }
            site.write(&format!("{folder}/come.txt"), round);
            for client in &mut clients {
                assert_eq!(client.get(&url).text(), round, "{url}");
            }
            site.remove(&format!("{folder}/come.txt"));
            for client in &mut clients {
                assert_eq!(client.get(&url).status(), 404, "{url} after {round}");
            }
        }
    }
}

#[test]
fn a_folder_made_and_removed_again_and_again_is_seen_as_it_is() {
    let site = Site::iisnode("app.js", &says(""));
    let host = site.serve();
    let mut clients = (0..2).map(|_| RawClient::connect(&host)).collect::<Vec<_>>();
    for round in 0..8 {
        let folder = format!("round/{}", round % 2);
        for client in &mut clients {
            assert_eq!(client.get(&format!("/{folder}/x.txt")).status(), 404, "{round}");
        }
        site.write(&format!("{folder}/x.txt"), "x");
        for client in &mut clients {
            assert_eq!(client.get(&format!("/{folder}/x.txt")).text(), "x", "{round}");
        }
        std::fs::remove_dir_all(site.path().join("round")).unwrap();
    }
}

#[test]
fn a_web_config_in_a_folder_made_while_the_host_runs_holds_for_the_next_request() {
    let site = Site::named("site").web_config(&web_config("")).file("index.html", "home");
    let host = site.serve();
    let field =
        "<httpProtocol><customHeaders><add name=\"X-Made\" value=\"yes\"/></customHeaders></httpProtocol>";
    let config = web_config(&format!("{}{field}", handlers(["app.js"])));
    let mut client = RawClient::connect(&host);
    for round in 0..5 {
        let folder = format!("a{round}/b/c");
        assert_eq!(client.get(&format!("/{folder}/app.js")).status(), 404);
        std::fs::create_dir_all(site.path().join(&folder)).unwrap();
        site.write(&format!("{folder}/web.config"), &config);
        site.write(&format!("{folder}/app.js"), &says("made"));
        let answer = client.get(&format!("/{folder}/app.js"));
        assert_eq!((answer.status(), answer.text().as_str()), (200, "made"), "{round}");
        assert_eq!(answer.head.field("x-made"), Some("yes"), "{round}");
        assert_eq!(client.get(&format!("/{folder}/web.config")).status(), 404);
    }
}

#[test]
fn a_folder_moved_into_the_site_brings_its_web_config() {
    let site = Site::named("site").web_config(&web_config(""));
    let outside = tempfile::tempdir_in(site.path().parent().unwrap()).unwrap();
    let tree = outside.path().join("tree/deeper");
    std::fs::create_dir_all(&tree).unwrap();
    std::fs::write(tree.join("web.config"), web_config(&handlers(["app.js"]))).unwrap();
    std::fs::write(tree.join("app.js"), says("moved")).unwrap();
    let host = site.serve();
    assert_eq!(ask(&host, "/tree/deeper/app.js", &[]).status(), 404);
    std::fs::rename(outside.path().join("tree"), site.path().join("tree")).unwrap();
    assert_eq!(text(&host, "/tree/deeper/app.js"), "moved");
}

#[test]
fn logs_are_refused_to_a_page_whose_name_was_made_to_lead_here_and_over_a_socket() {
    let site = Site::iisnode("app.js", &shows_pid());
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("listener");
    let unix = format!("unix:{}", path.display());
    let host = Host::of(site.path()).without_waiting().args(["--listen", &unix]).start();
    text(&host, "/app.js");
    let log = format!("/iisnode/{}", a_log(&site, "iisnode"));
    let mut tcp = RawClient::connect(&host);
    let mut through_socket = Wire::new(UnixStream::connect(&path).unwrap());
    for url in ["/iisnode/index.html", &log] {
        for (name, status) in [
            ("evil.example", 403),
            ("evil.example:80", 403),
            ("127.0.0.1.evil.example", 403),
            ("localhost", 200),
            ("localhost:8080", 200),
            ("127.0.0.1", 200),
            ("[::1]", 200),
        ] {
            assert_eq!(ask_as(&mut tcp, name, url).status(), status, "{url} of {name}");
        }
        for name in ["localhost", "evil.example", "127.0.0.1"] {
            assert_eq!(ask_as(&mut through_socket, name, url).status(), 403, "{url} of {name}, a socket");
        }
    }
}

#[test]
fn a_log_directory_that_is_the_site_itself_closes_logs_only() {
    for directory in [".", "./", r".\."] {
        let site = Site::iisnode("app.js", &shows_pid())
            .set(&format!("logDirectory=\"{directory}\""))
            .file("ping.txt", "pong")
            .file("below/page.html", "page");
        let host = site.serve();
        let pid = text(&host, "/app.js");
        for (url, said) in [("/ping.txt", "pong"), ("/below/page.html", "page"), ("/app.js", pid.as_str())] {
            let afar = ask(&host, url, &[FROM_AFAR]);
            assert_eq!((afar.status(), afar.text().as_str()), (200, said), "{url} with {directory}");
        }
        let log = format!("/{}", a_log(&site, ""));
        assert_eq!(ask(&host, &log, &[FROM_AFAR]).status(), 403, "{directory}");
        assert_eq!(ask(&host, &log, &[]).text(), "said\nsaid\n", "{directory}");
    }
}

#[test]
fn logs_beside_the_folder_of_the_script_are_shown_to_anyone_where_a_setting_says_so() {
    for (yml, status) in [("logAccess: anyone\n", 200), ("", 403)] {
        let site = Site::iisnode("dist/app.js", &shows_pid()).set(r#"logDirectory="..\logs""#).yml(yml);
        let host = site.serve();
        text(&host, "/dist/app.js");
        let log = a_log(&site, "logs");
        for file in ["index.html", log.as_str()] {
            let url = format!("/logs/{file}");
            assert_eq!(ask(&host, &url, &[FROM_AFAR]).status(), status, "{url} with {yml:?}");
            assert_eq!(ask(&host, &url, &[]).status(), 200, "{url} with {yml:?}");
        }
    }
}

/// Applications that no handler names are known once they run, and what is known of their logs is to stay known.
#[test]
fn who_may_see_logs_stays_so_when_another_folder_gets_a_web_config() {
    for (yml, status) in [("logAccess: anyone\n", 200), ("", 403)] {
        let site = Site::handling("*.js")
            .set(r#"logDirectory="kept""#)
            .file("a/app.js", &shows_pid())
            .file("a/iisnode.yml", yml);
        let host = site.serve();
        text(&host, "/a/app.js");
        for _ in 0..2 {
            let index = ask(&host, "/a/kept/index.html", &[FROM_AFAR]);
            assert_eq!(index.status(), status, "{yml:?}: {}", index.text());
            site.write("b/web.config", &web_config(""));
        }
    }
}

/// A mistake in one file must not open what another keeps shut.
#[test]
fn logs_stay_closed_while_the_settings_of_their_application_cannot_be_read() {
    let site = Site::iisnode("app.js", &shows_pid()).set(r#"logDirectory="kept""#);
    let host = site.serve();
    text(&host, "/app.js");
    site.write("iisnode.yml", "loggingEnabled: foobar\n");
    site.write("web.config", &format!("{}<!-- edited -->\n", site.read("web.config")));
    for _ in 0..2 {
        assert_eq!(ask(&host, "/kept/index.html", &[FROM_AFAR]).status(), 403);
    }
}

#[test]
fn a_page_app_offline_counts_in_the_spelling_of_the_documentation() {
    for name in ["App_Offline.htm", "APP_OFFLINE.HTM"] {
        let site = Site::iisnode("app.js", &says("here"));
        let host = site.serve();
        assert_eq!(text(&host, "/app.js"), "here");
        site.write(name, "closed");
        let closed = ask(&host, "/app.js", &[]);
        assert_eq!((closed.status(), closed.text().as_str()), (503, "closed"), "{name}");
        site.remove(name);
        assert_eq!(text(&host, "/app.js"), "here", "{name}");
    }
}

/// Every change of a directory is an event for the host; it is never a wrong answer.
#[test]
fn a_site_of_many_folders_is_served_while_folders_come_and_go() {
    let site = Site::iisnode("app.js", &says("here")).file("ping.txt", "pong");
    for folder in 0..500 {
        site.write(&format!("f{}/g{folder}/x.txt", folder % 20), "x");
    }
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    assert_eq!(client.get("/app.js").text(), "here");
    for round in 0..100 {
        let folder = site.path().join(format!("f{}/come{round}", round % 20));
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(client.get("/ping.txt").text(), "pong", "{round}");
        assert_eq!(client.get(&format!("/f{}/g{round}/x.txt", round % 20)).text(), "x", "{round}");
        std::fs::remove_dir(&folder).unwrap();
        assert_eq!(client.get(&format!("/f{}/come{round}/", round % 20)).status(), 404, "{round}");
    }
    assert_eq!(client.get("/app.js").text(), "here");
}
