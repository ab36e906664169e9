//! Applications below applications, beside files, and beside those of other handlers.

use super::{all_end, app, ask, handler, node_config, node_site, of_apps, pid, says_pid, starts, text};
use crate::harness::{Site, web_config};

/// The same elements, for this folder and not for the applications below it.
fn own(config: &str) -> String {
    config
        .replace(
            "<system.webServer>",
            "<location path=\".\" inheritInChildApplications=\"false\"><system.webServer>",
        )
        .replace("</system.webServer>", "</system.webServer></location>")
}

/// Says its name, the URL it was asked for, its folder and its path.
fn says(name: &str) -> String {
    app(&format!(
        "r.end(`{name} ${{q.url}} ${{require('path').basename(process.cwd())}} ${{process.env.HTTP_PLATFORM_APPL_PATH}}`)"
    ))
}

fn nested() -> Site {
    Site::named("site")
        .web_config(&own(&node_config("")))
        .file("app.js", &says("root"))
        .file("api/web.config", &own(&node_config("")))
        .file("api/app.js", &says("api"))
        .file("api/v2/web.config", &node_config(""))
        .file("api/v2/app.js", &says("v2"))
}

#[test]
fn each_url_goes_to_the_nearest_application_which_sees_it_whole() {
    let site = nested();
    let host = site.serve();
    for (url, answer) in [
        ("/", "root / site /"),
        ("/x?y=1", "root /x?y=1 site /"),
        ("/api/x", "api /api/x api /api"),
        ("/api/", "api /api/ api /api"),
        ("/apiary", "root /apiary site /"),
        ("/api/v2/x", "v2 /api/v2/x v2 /api/v2"),
        ("/api/v22", "api /api/v22 api /api"),
    ] {
        assert_eq!(text(&host, url), answer);
    }
}

#[test]
fn an_application_below_may_take_the_handler_away_and_add_its_own() {
    let child = node_config("").replace("<handlers>", "<handlers><remove name=\"httpPlatformHandler\"/>");
    let site = Site::named("site")
        .web_config(&node_config(""))
        .file("app.js", &says("root"))
        .file("api/web.config", &child)
        .file("api/app.js", &says("api"));
    let host = site.serve();
    assert_eq!(text(&host, "/x"), "root /x site /");
    assert_eq!(text(&host, "/api/x"), "api /api/x api /api");
}

#[test]
fn an_edit_of_one_application_leaves_its_neighbours_running() {
    let site = nested();
    for folder in ["", "api/", "api/v2/"] {
        site.write(&format!("{folder}app.js"), &says_pid());
    }
    let host = site.serve();
    let ask_all = || ["/", "/api/", "/api/v2/"].map(|url| pid(&host, url));
    let before = ask_all();
    site.write("api/v2/web.config", &node_config(r#"startupTimeLimit="30""#));
    let after = ask_all();
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
    all_end(&before[2..], "the old one");
    assert_eq!((starts(&site, "").len(), starts(&site, "api").len()), (1, 1));
}

#[test]
fn an_application_of_iisnode_lives_below_a_program() {
    let script = "require('http').createServer((q, r) => r.end(`script ${q.url}`)).listen(process.env.PORT);";
    let site = Site::named("site")
        .web_config(&own(&node_config("")))
        .file("app.js", &says("root"))
        .file("node/web.config", &web_config(&crate::harness::handlers(["hello.js"])))
        .file("node/hello.js", script);
    let host = site.serve();
    assert_eq!(text(&host, "/node/hello.js"), "script /node/hello.js");
    assert_eq!(text(&host, "/hello.js"), "root /hello.js site /");
}

#[test]
fn beside_a_narrower_handler_files_are_served_as_they_are() {
    let config = node_config("").replace(&handler("*"), &handler("api/*"));
    let site = Site::named("site")
        .web_config(&config)
        .file("app.js", &says("program"))
        .file("index.html", "the page")
        .file("api/file.txt", "a file of the program's paths");
    let host = site.serve();
    assert_eq!(text(&host, "/index.html"), "the page");
    assert_eq!(text(&host, "/"), "the page");
    assert_eq!(text(&host, "/api/x?y"), "program /api/x?y site /");
    assert_eq!(text(&host, "/api/file.txt"), "program /api/file.txt site /");
    assert_eq!(ask(&host, "/no/such/file.txt", &[]).status(), 404);
    assert_eq!(ask(&host, "/web.config", &[]).status(), 404);
}

#[test]
fn a_handler_for_an_extension_takes_these_urls_only() {
    let config = node_config("").replace(&handler("*"), &handler("*.rb"));
    let site = Site::named("site")
        .web_config(&config)
        .file("app.js", &says("program"))
        .file("page.html", "the page");
    let host = site.serve();
    assert_eq!(text(&host, "/deep/tea.rb"), "program /deep/tea.rb site /");
    assert_eq!(text(&host, "/page.html"), "the page");
}

#[test]
fn a_rule_that_redirects_answers_before_the_program() {
    let rules = r#"<rewrite><rules><rule name="moved"><match url="^moved$"/><action type="Redirect" url="/here" redirectType="Found"/></rule></rules></rewrite>"#;
    let site = node_site(&app("r.end(q.url)"), "").element(rules);
    let host = site.serve();
    let moved = ask(&host, "/moved", &[]);
    assert_eq!((moved.status(), moved.head.field("location")), (302, Some("/here")));
    assert_eq!(text(&host, "/here"), "/here");
}

#[test]
fn the_programs_of_two_applications_have_ports_of_their_own() {
    let tells = |folder: &str, site: Site| {
        let config = node_config("").replace(
            "processPath=\"node\" arguments=\"app.js\"",
            "processPath=\"python3\" arguments=\"-u tells.py %HTTP_PLATFORM_PORT%\"",
        );
        site.file(&format!("{folder}web.config"), &own(&config))
            .file(&format!("{folder}tells.py"), &of_apps("tells.py"))
    };
    let site = tells("", tells("api/", Site::named("site")));
    let host = site.serve();
    let (root, api) = (super::json(&host, "/"), super::json(&host, "/api/"));
    assert_ne!(root["port"], api["port"]);
    assert_ne!(root["pid"], api["pid"]);
}

/// As IIS hands the URL on: rewritten, encoded again, with the one the client sent beside it.
#[test]
fn a_program_is_asked_for_the_url_that_rewrite_rules_made() {
    let rules = r#"<rewrite><rules><rule name="old"><match url="^old/(.*)$"/><action type="Rewrite" url="new/{R:1}?from=rule"/></rule></rules></rewrite>"#;
    let config = node_config("").replace("<handlers>", &format!("{rules}<handlers>"));
    let tells = app("r.end(`${q.url} ${q.headers['x-original-url']}`)");
    let site = Site::named("site").web_config(&config).file("app.js", &tells);
    let host = site.serve();
    assert_eq!(text(&host, "/old/a%20b?x=1"), "/new/a%20b?from=rule&x=1 /old/a%20b?x=1");
    assert_eq!(text(&host, "/as/it%2Fis?x=1"), "/as/it%2Fis?x=1 undefined");
}

/// What a rule puts into the query may hold anything, as a header field does; it stays in the query.
#[test]
fn what_a_rule_puts_into_the_query_cannot_leave_it() {
    let rules = r#"<rewrite><rules><rule name="agent"><match url="^q$"/><action type="Rewrite" url="index?ua={HTTP_USER_AGENT}&amp;b=a b"/></rule></rules></rewrite>"#;
    let config = node_config("").replace("<handlers>", &format!("{rules}<handlers>"));
    let site = Site::named("site").web_config(&config).file("app.js", &app("r.end(q.url)"));
    let host = site.serve();
    let answer = ask(&host, "/q", &["User-Agent: Moz/5 (X11) HTTP/1.0 #é"]);
    assert_eq!(
        (answer.status(), &*answer.text()),
        (200, "/index?ua=Moz/5%20(X11)%20HTTP/1.0%20%23%C3%A9&b=a%20b")
    );
}
