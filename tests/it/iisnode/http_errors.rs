//! `httpErrors`: the pages a site has for errors, and who sees them.

use super::{ERROR, FROM_AFAR, app, ask, failure, request, says};
use crate::harness::{Host, Message, Site};

/// The status of an answer, its error number, and its text.
fn seen(response: &Message) -> (u16, &str, String) {
    let (status, error) = failure(response);
    (status, error, response.text())
}

/// How clients elsewhere see it.
fn afar(host: &Host, target: &str) -> Message {
    ask(host, target, &[FROM_AFAR])
}

fn site(attributes: &str, errors: &str) -> Site {
    Site::iisnode("hello.js", &says("here"))
        .file("errors/lost.html", "<p>lost</p>")
        .file("errors/hidden.txt", "hidden")
        .element(&format!("<httpErrors {attributes}>{errors}</httpErrors>"))
}

const LOST: &str = r#"<error statusCode="404" path="errors\lost.html"/>"#;

#[test]
fn an_error_of_the_host_has_the_page_of_the_site_and_its_own_status() {
    let hidden = r#"<error statusCode="404" subStatusCode="8" path="/errors/hidden.txt"/>"#;
    let site = site("", &format!("{LOST}{hidden}"));
    let host = site.serve();
    let lost = afar(&host, "/absent.txt");
    assert_eq!(seen(&lost), (404, "404.0", "<p>lost</p>".to_owned()));
    assert!(lost.head.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert_eq!(lost.head.field("content-length"), Some("11"));
    let hidden = afar(&host, "/bin/tool");
    assert_eq!(seen(&hidden), (404, "404.8", "hidden".to_owned()));
    assert!(hidden.head.field("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let head = request(&host, "HEAD", "/absent.txt", &[FROM_AFAR], "");
    assert_eq!((head.status(), head.head.field("content-length"), head.body.len()), (404, Some("11"), 0));
    // It is read when it is needed.
    site.write("errors/lost.html", "moved");
    assert_eq!(afar(&host, "/absent.txt").text(), "moved");
}

#[test]
fn the_nearest_web_config_may_take_an_inherited_page_away_and_add_its_own() {
    let below =
        r#"<httpErrors><remove statusCode="404"/><error statusCode="404" path="own.txt"/></httpErrors>"#;
    let site = site("", LOST)
        .file("below/own.txt", "mine")
        .file("below/web.config", &crate::harness::web_config(below));
    let host = site.serve();
    assert_eq!(afar(&host, "/absent.txt").text(), "<p>lost</p>");
    assert_eq!(seen(&afar(&host, "/below/absent.txt")), (404, "404.0", "mine".to_owned()));
}

#[test]
fn a_url_of_the_site_is_served_in_place_if_it_is_a_file() {
    let site = site(
        r#"defaultResponseMode="ExecuteURL""#,
        r#"<error statusCode="404" path="/sorry"/><error statusCode="405" path="/hello.js"/>"#,
    )
    .element(
        r#"<rewrite><rules><rule name="r"><match url="^sorry$"/><action type="Rewrite" url="errors/lost.html"/></rule></rules></rewrite>"#,
    );
    let host = site.serve();
    assert_eq!(seen(&afar(&host, "/absent.txt")), (404, "404.0", "<p>lost</p>".to_owned()));
    // An application is not asked about an error of somebody else's.
    let response = request(&host, "DELETE", "/errors/lost.html", &[FROM_AFAR], "");
    assert_eq!(failure(&response), (405, "405.0"));
    assert!(response.text().starts_with("405 Method Not Allowed") && response.head.has("allow"));
}

#[test]
fn an_error_may_lead_elsewhere() {
    let site = site("", r#"<error statusCode="404" path="/errors/lost.html?x" responseMode="Redirect"/>"#);
    let response = afar(&site.serve(), "/absent.txt");
    assert_eq!((response.status(), response.head.field("location")), (302, Some("/errors/lost.html?x")));
}

#[test]
fn a_page_that_cannot_be_read_leaves_the_plain_one() {
    let site = site(
        "",
        r#"<error statusCode="404" path="errors/gone.html"/><error statusCode="405" path="errors/large.html"/>"#,
    )
    .file("errors/large.html", &"x".repeat(1024 * 1024 + 1));
    let host = site.serve();
    let response = afar(&host, "/absent.txt");
    assert_eq!(failure(&response), (404, "404.0"));
    assert!(response.text().starts_with("404 Not Found"), "{}", response.text());
    let response = request(&host, "DELETE", "/errors/lost.html", &[FROM_AFAR], "");
    assert!(response.text().starts_with("405 Method Not Allowed"), "{}", response.text());
}

#[test]
fn who_sits_at_the_machine_sees_what_happened_unless_the_site_says_otherwise() {
    for (attributes, more, local, elsewhere) in [
        ("", "", "<html", "<p>lost"),
        (r#"errorMode="DetailedLocalOnly""#, "", "<html", "<p>lost"),
        (r#"errorMode="Custom""#, "", "<p>lost", "<p>lost"),
        (r#"errorMode="Detailed""#, "", "<html", "404 Not Found"),
        ("", r#"devErrorsEnabled="false""#, "<p>lost", "<p>lost"),
    ] {
        let site = site(attributes, LOST).set(more);
        let host = site.serve();
        for (fields, expected) in [(&[][..], local), (&[FROM_AFAR], elsewhere)] {
            let response = ask(&host, "/absent.txt", fields);
            assert_eq!(failure(&response), (404, "404.0"));
            assert!(response.text().contains(expected), "{attributes} {more}: {}", response.text());
        }
    }
}

#[test]
fn a_worker_that_fails_has_its_page_too_where_development_errors_are_off() {
    let site = Site::iisnode("hello.js", "process.exit(37)")
        .file("sorry.html", "sorry")
        .element(r#"<httpErrors><error statusCode="500" path="sorry.html"/></httpErrors>"#);
    assert_eq!(afar(&site.serve(), "/hello.js").status(), 200, "the page for developers comes first");
    let off = site.set(r#"devErrorsEnabled="false""#);
    assert_eq!(seen(&afar(&off.serve(), "/hello.js")), (500, "500.1002", "sorry".to_owned()));
}

#[test]
fn what_an_application_answers_is_replaced_only_if_the_site_asks_for_that() {
    let answers = app("r.statusCode = Number(q.url.split('?')[1]); r.end('my own page')");
    for (attributes, replaces) in [
        ("", false),
        (r#"existingResponse="Auto""#, false),
        (r#"existingResponse="PassThrough""#, false),
        (r#"existingResponse="Replace""#, true),
    ] {
        let site = Site::iisnode("hello.js", &answers).file("lost.html", "lost").element(&format!(
            r#"<httpErrors {attributes}><error statusCode="404" path="lost.html"/></httpErrors>"#
        ));
        let host = site.serve();
        for (status, text) in
            [(404, if replaces { "lost" } else { "my own page" }), (200, "my own page"), (500, "my own page")]
        {
            for fields in [&[][..], &[FROM_AFAR]] {
                let response = ask(&host, &format!("/hello.js?{status}"), fields);
                assert_eq!((response.status(), response.text().as_str()), (status, text), "{attributes}");
                assert_eq!(response.head.field(ERROR), (text == "lost").then_some("404.0"), "{attributes}");
            }
        }
    }
}

#[test]
fn a_request_whose_answer_is_replaced_is_asked_once() {
    let counts = "let n = 0;\n".to_owned()
        + &app("if (q.url.endsWith('n')) r.end(String(n)); else { n++; r.statusCode = 500; r.end() }");
    let site = Site::iisnode("hello.js", &counts).file("sorry.html", "sorry").element(
        r#"<httpErrors existingResponse="Replace"><error statusCode="500" path="sorry.html"/></httpErrors>"#,
    );
    let host = site.serve();
    assert_eq!(ask(&host, "/hello.js", &[]).text(), "sorry");
    assert_eq!(ask(&host, "/hello.js?n", &[]).text(), "1");
}
