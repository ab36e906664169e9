//! URLs that rules rewrite: where they lead, and that the application still sees what the client asked for.

use super::{app, ask, failure, says, text};
use crate::harness::{RawClient, Site, web_config};

/// A site whose script says its URL and the URL the rewriting reports, with these rules.
fn rewritten(rules: &str) -> Site {
    let echo = app("r.end(`${q.url} ${q.headers['x-original-url'] ?? '-'}`)");
    Site::iisnode("hello.js", &echo).element(&format!("<rewrite><rules>{rules}</rules></rewrite>"))
}

const TO_HELLO: &str =
    r#"<rule name="hello"><match url="hello/*"/><action type="Rewrite" url="hello.js"/></rule>"#;

#[test]
fn a_script_behind_a_rewrite_sees_the_urls_as_clients_wrote_them() {
    let echo = app("r.end(q.url)");
    let inner = web_config(&format!(
        "{}<rewrite><rules>{TO_HELLO}</rules></rewrite>",
        crate::harness::handlers(["hello.js"])
    ));
    let site = Site::named("site")
        .web_config(&web_config(""))
        .file("shop/web.config", &inner)
        .file("shop/hello.js", &echo);
    let host = site.serve();
    for url in [
        "/shop/hello",
        "/shop/hello/",
        "/shop/hello.js",
        "/shop/hello?foo=bar",
        "/shop/hello/a/b/c",
        "/shop/hello/a/b/c/",
        "/shop/hello/a/b/c?foo=bar",
    ] {
        assert_eq!(text(&host, url), url);
    }
}

#[test]
fn a_rewritten_target_arrives_byte_for_byte() {
    let site = rewritten(TO_HELLO);
    let host = site.serve();
    for url in ["/hello/a%2Fb%3Dc?x=%20&y=%2F", "/hello/%C3%A4//b?", "/hello/a+b;c=d?q=a?b", "/HELLO/%41"] {
        assert!(text(&host, url).starts_with(&format!("{url} ")), "{url}");
    }
}

#[test]
fn x_original_url_tells_of_a_rewrite_and_cannot_be_forged() {
    let site = rewritten(TO_HELLO);
    let host = site.serve();
    let forged = ["X-Original-URL: /admin", "x-original-url: /admin"];
    assert_eq!(ask(&host, "/hello/a?b=c", &forged).text(), "/hello/a?b=c /hello/a?b=c");
    let site = Site::iisnode("hello.js", &app("r.end(`${q.url} ${q.headers['x-original-url'] ?? '-'}`)"));
    assert_eq!(ask(&site.serve(), "/hello.js?plain", &forged).text(), "/hello.js?plain -");
}

/// The three rules that Azure writes for every Node site, around a folder `public`.
fn azure() -> Site {
    rewritten(
        r#"<rule name="NodeInspector" patternSyntax="ECMAScript" stopProcessing="true"><match url="^hello.js\/debug[\/]?"/></rule>
           <rule name="StaticContent"><action type="Rewrite" url="public{REQUEST_URI}"/></rule>
           <rule name="DynamicContent"><conditions><add input="{REQUEST_FILENAME}" matchType="IsFile" negate="True"/></conditions><action type="Rewrite" url="hello.js"/></rule>"#,
    )
    .file("public/style.css", "body {}")
    .file("public/css/deep.css", "p {}")
    .file("secret.txt", "never")
}

#[test]
fn the_azure_rules_serve_files_of_public_and_give_the_rest_to_the_script() {
    let site = azure();
    let host = site.serve();
    let style = ask(&host, "/style.css", &[]);
    assert_eq!((style.status(), style.text().as_str()), (200, "body {}"));
    assert_eq!(text(&host, "/css/deep.css?v=2"), "p {}");
    for url in ["/", "/orders/7?sort=up", "/hello.js", "/secret.txt", "/css/", "/public/style.css"] {
        assert!(text(&host, url).starts_with(&format!("{url} ")), "{url}");
    }
}

#[test]
fn the_azure_rules_lead_nobody_out_of_public() {
    let site = azure();
    let host = site.serve();
    for target in ["/../secret.txt", "/%2e%2e/secret.txt", "/..%5csecret.txt", "/css/..%2f..%2fsecret.txt"] {
        let mut client = RawClient::connect(&host);
        let response = client.get(target);
        assert_ne!(response.text(), "never", "{target}");
    }
}

#[test]
fn an_address_below_a_script_is_its_path_info_and_everything_else_is_the_page() {
    let rules = r#"<rule name="api" stopProcessing="true"><match url="^api/(.*)"/><action type="Rewrite" url="api.js/{R:1}"/></rule>
                   <rule name="page" stopProcessing="true"><match url=".*"/><action type="Rewrite" url="index.html"/></rule>"#;
    let site = Site::iisnode("api.js", &app("r.end(`api ${q.url}`)"))
        .element(&format!("<rewrite><rules>{rules}</rules></rewrite>"))
        .file("index.html", "<p>the page");
    let host = site.serve();
    assert_eq!(text(&host, "/api/users/5?full"), "api /api/users/5?full");
    for url in ["/", "/orders/7", "/index.html"] {
        assert_eq!(text(&host, url), "<p>the page", "{url}");
    }
}

/// A rewrite may not lead where a client may not go, unless the segment has been opened.
#[test]
fn hidden_segments_count_for_the_rewritten_url_too() {
    let rule = r#"<rule name="all"><match url="^www$"/><action type="Rewrite" url="bin/www"/></rule>"#;
    let rewrite = format!("<rewrite><rules>{rule}</rules></rewrite>");
    let closed = Site::iisnode("bin/www", &says("opened")).element(&rewrite);
    assert_eq!(failure(&ask(&closed.serve(), "/www", &[])), (404, "404.8"));
    let open = Site::iisnode("bin/www", &says("opened")).element(&rewrite).element(
        r#"<security><requestFiltering><hiddenSegments><remove segment="bin"/></hiddenSegments></requestFiltering></security>"#,
    );
    assert_eq!(text(&open.serve(), "/www"), "opened");
}
