//! What rules can say: patterns, conditions, back references, maps, and the actions that end a request.

use super::{ask, request, says, text};
use crate::harness::{RawClient, Site};

/// A site with these rules, and a text file `NAME.txt` that says its name for each name.
fn with(rewrite: &str, names: &[&str]) -> Site {
    let site = Site::iisnode("hello.js", &says("hello"));
    let site = site.element(&format!("<rewrite>{rewrite}</rewrite>"));
    names.iter().fold(site, |site, name| site.file(&format!("{name}.txt"), name))
}

fn rules(rules: &str) -> String {
    format!("<rules>{rules}</rules>")
}

#[test]
fn patterns_are_expressions_wildcards_or_exact_and_blind_to_letter_case() {
    let site = with(
        &rules(
            r#"<rule name="e" stopProcessing="true"><match url="^expr/(\d+)/?$"/><action type="Rewrite" url="number-{R:1}.txt"/></rule>
               <rule name="w" patternSyntax="Wildcard" stopProcessing="true"><match url="wild/*/end"/><action type="Rewrite" url="{R:1}.txt"/></rule>
               <rule name="x" patternSyntax="ExactMatch" stopProcessing="true"><match url="exact"/><action type="Rewrite" url="exactly.txt"/></rule>
               <rule name="c" stopProcessing="true"><match url="^Case$" ignoreCase="false"/><action type="Rewrite" url="case.txt"/></rule>
               <rule name="off" enabled="false"><match url=".*"/><action type="Rewrite" url="off.txt"/></rule>
               <rule name="n" stopProcessing="true"><match url="\.txt$|^case$|exact" negate="true"/><action type="Rewrite" url="none.txt"/></rule>"#,
        ),
        &["number-7", "middle", "exactly", "case", "off", "none"],
    );
    let host = site.serve();
    for (url, found) in [
        ("/expr/7", "number-7"),
        ("/EXPR/7/", "number-7"),
        ("/wild/middle/end", "middle"),
        ("/exact", "exactly"),
        ("/Case", "case"),
        ("/expr/x", "none"),
        ("/off.txt", "off"),
    ] {
        assert_eq!(text(&host, url), found, "{url}");
    }
    assert_eq!(ask(&host, "/case", &[]).status(), 404, "ignoreCase=false");
    assert_eq!(ask(&host, "/exactly", &[]).status(), 404, "ExactMatch");
}

#[test]
fn conditions_look_at_the_request_and_hand_on_what_they_caught() {
    let rule = |name: &str, grouping: &str, conditions: &str, url: &str| {
        format!(
            r#"<rule name="{name}" stopProcessing="true"><match url="^{name}$"/><conditions {grouping}>{conditions}</conditions><action type="Rewrite" url="{url}" appendQueryString="false"/></rule>"#
        )
    };
    let site = with(
        &rules(&[
            rule("query", "", r#"<add input="{QUERY_STRING}" pattern="id=(\w+)"/>"#, "{C:1}.txt"),
            rule("host", "", r#"<add input="{HTTP_HOST}" pattern="^te(.*)$"/>"#, "{C:1}.txt"),
            rule("field", "", r#"<add input="{HTTP_X_TEA}" pattern="^green$"/>"#, "green.txt"),
            rule("any", r#"logicalGrouping="MatchAny""#, r#"<add input="{HTTPS}" pattern="^on$"/><add input="{REQUEST_METHOD}" pattern="^GET$"/>"#, "any.txt"),
            rule("all", "", r#"<add input="{HTTPS}" pattern="^on$"/><add input="{REQUEST_METHOD}" pattern="^GET$"/>"#, "any.txt"),
            rule("lower", "", r#"<add input="{ToLower:{HTTP_X_TEA}}" pattern="^(.*)$"/>"#, "{C:1}.txt"),
            rule("tracked", r#"trackAllCaptures="true""#, r#"<add input="{HTTP_HOST}" pattern="^te(.*)$"/><add input="{QUERY_STRING}" pattern="^(.*)$"/>"#, "{C:1}-{C:2}.txt"),
        ].concat()),
        &["seven", "st", "green", "any", "st-x"],
    );
    let host = site.serve();
    for (url, fields, found) in [
        ("/query?id=seven", &[][..], "seven"),
        ("/host", &[], "st"),
        ("/field", &["X-Tea: green"], "green"),
        ("/any", &[], "any"),
        ("/lower", &["X-Tea: GREEN"], "green"),
        ("/tracked?x", &[], "st-x"),
    ] {
        assert_eq!(ask(&host, url, fields).text(), found, "{url}");
    }
    for (url, fields) in [("/all", &[][..]), ("/field", &["X-Tea: black"]), ("/query?no=seven", &[])] {
        assert_eq!(ask(&host, url, fields).status(), 404, "{url}");
    }
}

#[test]
fn a_condition_tells_files_folders_and_nothing_apart() {
    let site = with(
        &rules(
            r#"<rule name="d" stopProcessing="true"><conditions><add input="{REQUEST_FILENAME}" matchType="IsDirectory"/></conditions><action type="Rewrite" url="folder.txt"/></rule>
               <rule name="n" stopProcessing="true"><conditions><add input="{REQUEST_FILENAME}" matchType="IsFile" negate="true"/></conditions><action type="Rewrite" url="nothing.txt"/></rule>"#,
        ),
        &["folder", "nothing", "file"],
    )
    .file("below/x.txt", "x");
    let host = site.serve();
    for (url, found) in
        [("/below/", "folder"), ("/below/x.txt", "x"), ("/file.txt", "file"), ("/absent", "nothing")]
    {
        assert_eq!(text(&host, url), found, "{url}");
    }
}

#[test]
fn a_map_turns_a_key_into_a_name() {
    let site = with(
        r#"<rewriteMaps><rewriteMap name="Old" defaultValue="nowhere"><add key="/a" value="alpha"/></rewriteMap></rewriteMaps>
           <rules><rule name="m"><match url="^[ab]$"/><conditions><add input="{Old:{REQUEST_URI}}" pattern="(.+)"/></conditions><action type="Rewrite" url="{C:1}.txt"/></rule></rules>"#,
        &["alpha", "nowhere"],
    );
    let host = site.serve();
    assert_eq!((text(&host, "/a"), text(&host, "/b")), ("alpha".to_owned(), "nowhere".to_owned()));
}

#[test]
fn a_rule_rewrites_what_the_one_before_it_made_until_one_stops() {
    let site = with(
        &rules(
            r#"<rule name="1"><match url="^one$"/><action type="Rewrite" url="two"/></rule>
               <rule name="2" stopProcessing="true"><match url="^two$"/><action type="Rewrite" url="three.txt"/></rule>
               <rule name="3"><match url="^three.txt$"/><action type="Rewrite" url="four.txt"/></rule>
               <rule name="4" stopProcessing="true"><match url="^stop.txt$"/></rule>
               <rule name="5"><match url="^stop.txt$"/><action type="Rewrite" url="four.txt"/></rule>"#,
        ),
        &["three", "four", "stop"],
    );
    let host = site.serve();
    for (url, found) in [("/one", "three"), ("/two", "three"), ("/three.txt", "four"), ("/stop.txt", "stop")]
    {
        assert_eq!(text(&host, url), found, "{url}");
    }
}

#[test]
fn a_redirect_has_its_status_and_carries_the_query_on() {
    let rule = |name: &str, kind: &str, more: &str| {
        format!(
            r#"<rule name="{name}" stopProcessing="true"><match url="^{name}/(.*)"/><action type="Redirect" url="https://{{HTTP_HOST}}/{{R:1}}" {kind} {more}/></rule>"#
        )
    };
    let site = with(
        &rules(
            &[
                rule("default", "", ""),
                rule("permanent", r#"redirectType="Permanent""#, ""),
                rule("found", r#"redirectType="Found""#, ""),
                rule("other", r#"redirectType="SeeOther""#, ""),
                rule("temporary", r#"redirectType="Temporary""#, r#"appendQueryString="false""#),
            ]
            .concat(),
        ),
        &[],
    );
    let host = site.serve();
    for (name, status, location) in [
        ("default", 301, "https://test/b?c=d"),
        ("permanent", 301, "https://test/b?c=d"),
        ("found", 302, "https://test/b?c=d"),
        ("other", 303, "https://test/b?c=d"),
        ("temporary", 307, "https://test/b"),
    ] {
        let response = ask(&host, &format!("/{name}/b?c=d"), &[]);
        assert_eq!((response.status(), response.head.field("location")), (status, Some(location)), "{name}");
    }
}

#[test]
fn a_rule_may_answer_by_itself_or_end_the_connection() {
    let site = with(
        &rules(
            r#"<rule name="c" stopProcessing="true"><match url="^closed$"/><action type="CustomResponse" statusCode="403" subStatusCode="9" statusReason="Not today" statusDescription="Come back tomorrow"/></rule>
               <rule name="a" stopProcessing="true"><match url="^abort$"/><action type="AbortRequest"/></rule>
               <rule name="n" stopProcessing="true"><match url="^none.txt$"/><action type="None"/></rule>"#,
        ),
        &["none"],
    );
    let host = site.serve();
    let closed = ask(&host, "/closed", &[]);
    assert_eq!(closed.head.start, "HTTP/1.1 403 Not today");
    assert!(closed.text().contains("Come back tomorrow"), "{}", closed.text());
    let mut client = RawClient::connect(&host);
    client.send("GET /abort HTTP/1.1\r\nHost: test\r\n\r\n");
    client.expect_end();
    assert_eq!(text(&host, "/none.txt"), "none");
    assert_eq!(request(&host, "HEAD", "/none.txt", &[], "").status(), 200);
}
