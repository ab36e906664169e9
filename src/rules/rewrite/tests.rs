//! Rules on requests: the shapes that sites use, as tables.

use std::collections::HashMap;

use super::super::disk::Kind;
use super::*;

/// A site with a few files, asked over plain HTTP.
struct World {
    files: Vec<&'static str>,
    facts: HashMap<&'static str, &'static str>,
}

impl World {
    fn new() -> World {
        let files =
            vec!["server.js", "public/css/a.css", "public/with space.txt", "page.html", "sub/own.txt"];
        let facts = [("APPL_PHYSICAL_PATH", "/srv/site"), ("HTTP_HOST", "example.org"), ("HTTPS", "off")];
        World { files, facts: facts.into_iter().collect() }
    }
}

impl Disk for World {
    fn find(&self, path: &str) -> Option<(Kind, String)> {
        if self.files.contains(&path) {
            return Some((Kind::File, path.to_owned()));
        }
        let above = |file: &&&str| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        self.files.iter().find(above).map(|_| (Kind::Directory, path.to_owned()))
    }
}

impl Facts for World {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        self.facts.get(name).map(|&value| value.into())
    }
}

fn rule(pattern: &str, action: ActionText) -> RuleText {
    RuleText {
        name: "rule".to_owned(),
        enabled: true,
        stop_processing: false,
        syntax: Syntax::EcmaScript,
        pattern: Some(MatchText { url: pattern.to_owned(), ignore_case: true, negate: false }),
        any: false,
        track_all_captures: false,
        conditions: Vec::new(),
        server_variables: Vec::new(),
        action: Some(action),
        base: String::new(),
    }
}

fn rewrite(url: &str) -> ActionText {
    ActionText::Rewrite { url: url.to_owned(), append_query: true }
}

fn redirect(url: &str) -> ActionText {
    ActionText::Redirect { url: url.to_owned(), append_query: true, status: 301 }
}

fn when(input: &str, test: TestText, negate: bool) -> ConditionText {
    ConditionText { input: input.to_owned(), test, ignore_case: true, negate }
}

fn like(input: &str, pattern: &str) -> ConditionText {
    when(input, TestText::Pattern(pattern.to_owned()), false)
}

fn set_with(rules: Vec<RuleText>, maps: &[Arc<RewriteMap>]) -> RuleSet {
    RuleSet { rules: rules.into_iter().map(|text| Arc::new(Rule::new(text, maps).unwrap().0)).collect() }
}

fn set(rules: Vec<RuleText>) -> RuleSet {
    set_with(rules, &[])
}

fn outcome_in(world: &World, rules: &RuleSet, target: &str) -> Outcome {
    let (path, query) = SitePath::of_target(target.as_bytes()).unwrap();
    let query = str::from_utf8(query).unwrap();
    let subject = Subject { path: &path, query, original: target };
    let mut steps = 0;
    let told = rules.apply(subject, world, world, &mut |_| steps += 1).unwrap();
    assert_eq!(rules.decide(subject, world, world).unwrap(), told);
    told
}

/// The outcome in one line.
fn answer(rules: &RuleSet, target: &str) -> String {
    answer_in(&World::new(), rules, target)
}

fn answer_in(world: &World, rules: &RuleSet, target: &str) -> String {
    match outcome_in(world, rules, target) {
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Rewritten { path, query } if query.is_empty() => url(&path).into_owned(),
        Outcome::Rewritten { path, query } => format!("{}?{query}", url(&path)),
        Outcome::Redirect { status, location } => format!("{status} {location}"),
        Outcome::Respond { status, substatus, .. } => format!("{status}.{substatus}"),
        Outcome::Abort => "abort".to_owned(),
    }
}

fn azure() -> RuleSet {
    let inspector =
        RuleText { action: None, stop_processing: true, ..rule(r"^server.js\/debug[\/]?", ActionText::None) };
    let files = RuleText { pattern: None, ..rule("", rewrite("public{REQUEST_URI}")) };
    let script = RuleText {
        pattern: None,
        conditions: vec![when("{REQUEST_FILENAME}", TestText::IsFile, true)],
        ..rule("", rewrite("server.js"))
    };
    set(vec![inspector, files, script])
}

#[test]
fn the_azure_template_serves_files_below_public_and_gives_the_rest_to_the_script() {
    let rules = azure();
    for (target, expected) in [
        ("/css/a.css", "public/css/a.css"),
        ("/css/a.css?v=1", "public/css/a.css?v=1"),
        ("/with%20space.txt", "public/with space.txt"),
        ("/api/users", "server.js"),
        ("/api/users?a=1&b=2", "server.js?a=1&b=2"),
        ("/", "server.js"),
        ("/css", "server.js"),
        ("/css/a.css/", "server.js"),
        ("/server.js/debug", "unchanged"),
        ("/server.js/debug/?port=1", "unchanged"),
        ("/a%3Fb", "server.js"),
    ] {
        assert_eq!(answer(&rules, target), expected, "{target}");
    }
    assert!(rules.needs_only_the_url());
}

#[test]
fn rewrites_lead_where_their_urls_say() {
    for (pattern, url, target, expected) in [
        ("/*", "server.js", "/any/thing", "server.js"),
        ("(.*)", "./index.html", "/x", "index.html"),
        ("(.*)", "/public/index.html", "/x?q", "public/index.html?q"),
        ("^api/(.*)", "api.js/{R:1}", "/api/users/5", "api.js/users/5"),
        ("^(.*)$", "handler.fcgi/{R:1}", "/a%20b/", "handler.fcgi/a b/"),
        ("^(.*)$", "web/{R:0}", "/a/b", "web/a/b"),
        ("^(.*)$", "/index.php?id={R:1}", "/a%20b%26c?x=1", "index.php?id=a%20b&c&x=1"),
        ("^([^/]+)/?$", "index.php?disp={UrlEncode:{R:1}}", "/a%26b", "index.php?disp=a%26b"),
        ("^(.*)$", "{ToLower:{R:1}}", "/A/B", "a/b"),
        ("^(.*)$", "{UrlDecode:{R:1}}", "/a%2520b", "a b"),
        ("^(a)?(.*)$", "x{R:1}y{R:2}z{R:9}", "/b", "xybz"),
        ("^api/", "http://localhost:3000/{R:0}", "/api/", "404.4"),
        ("^(.*)$", "../{R:1}", "/x", "404.0"),
        ("^(.*)$", "a/../../{R:1}", "/x", "404.0"),
        ("^(.*)$", "~/b\\{R:1}", "/x", "b/x"),
        ("^$", "home", "/", "home"),
        ("^$", "home", "/x", "unchanged"),
        ("^a/$", "slash", "/a/", "slash"),
        ("^(.*)$", "a{b/{R:1}", "/x", "a{b/x"),
        ("^(.*)$", "{{R:1}}.js", "/x", "x.js"),
        ("^(.*)$", "x?{QUERY_STRING}", "/a?b=%20", "x?b=%20"),
        ("^(.*)$", "x{NO_SUCH}y", "/a", "xy"),
        ("^(.*)$", "files/{R:1}", "/a%3Fb%25", "files/a?b%"),
    ] {
        assert_eq!(
            answer(&set(vec![rule(pattern, rewrite(url))]), target),
            expected,
            "{pattern} to {url} for {target}"
        );
    }
    let dropped = rule(".*", ActionText::Rewrite { url: "x?y".to_owned(), append_query: false });
    assert_eq!(answer(&set(vec![dropped]), "/a?b"), "x?y");
}

#[test]
fn redirects_are_absolute_and_hold_nothing_that_ends_a_field() {
    for (pattern, url, target, expected) in [
        ("(.*)", "https://{HTTP_HOST}/{R:1}", "/a/b?c=d", "301 https://example.org/a/b?c=d"),
        ("(.*)", "https://{HTTP_HOST}{REQUEST_URI}", "/a%20b?c=d", "301 https://example.org/a%20b?c=d"),
        (
            "(.*)",
            "https://x.org/{UrlDecode:{QUERY_STRING}}",
            "/a?%0d%0aSet-Cookie:%20b",
            "301 https://x.org/%0D%0ASet-Cookie:%20b?%0d%0aSet-Cookie:%20b",
        ),
        ("(.*)", "https://x.org/{R:1}", "/%C3%A4%3F%23%25", "301 https://x.org/%C3%A4%3F%23%25"),
        ("^old$", "new", "/old", "301 /new"),
        ("^old$", "./new?a=1#top", "/old?b=2", "301 /new?a=1&b=2#top"),
        ("^old$", "/new", "/old/", "unchanged"),
        ("^go(.*)", "/{R:1}", "/go/evil.example/x", "301 /evil.example/x"),
        ("^(.*)/$", "{R:1}", "/a/b/", "301 /a/b"),
        ("f", "//cdn.example/{R:0}", "/f", "301 //cdn.example/f"),
    ] {
        assert_eq!(
            answer(&set(vec![rule(pattern, redirect(url))]), target),
            expected,
            "{pattern} to {url} for {target}"
        );
    }
    let plain = ActionText::Redirect { url: "/x".to_owned(), append_query: false, status: 307 };
    assert_eq!(answer(&set(vec![rule(".*", plain)]), "/a?b"), "307 /x");
}

#[test]
fn other_actions_end_the_request_or_do_nothing() {
    let response = ActionText::CustomResponse {
        status: 403,
        substatus: 2,
        reason: Some("No".to_owned()),
        description: Some("Never".to_owned()),
    };
    let rules = set(vec![
        rule("^secret", response),
        rule("^gone", ActionText::AbortRequest),
        rule(".*", ActionText::None),
    ]);
    let expected = Outcome::Respond {
        status: 403,
        substatus: 2,
        reason: Some("No".into()),
        description: Some("Never".into()),
    };
    assert_eq!(outcome_in(&World::new(), &rules, "/secret/x"), expected);
    assert_eq!(answer(&rules, "/gone"), "abort");
    assert_eq!(answer(&rules, "/else"), "unchanged");
}

#[test]
fn each_rule_sees_what_the_one_before_made_until_one_stops() {
    let rules = |stop_processing| {
        let first = RuleText { stop_processing, ..rule("^a$", rewrite("b?one=1")) };
        set(vec![first, rule("^b$", rewrite("c?two={QUERY_STRING}&uri={REQUEST_URI}"))])
    };
    assert_eq!(answer(&rules(true), "/a?x"), "b?one=1&x");
    assert_eq!(answer(&rules(false), "/a?x"), "c?two=one=1&x&uri=/a?x&one=1&x");
    let disabled = RuleText { enabled: false, ..rule(".*", ActionText::AbortRequest) };
    assert_eq!(answer(&set(vec![disabled]), "/a"), "unchanged");
}

#[test]
fn conditions_decide_on_variables_files_and_constants() {
    let is = |input: &str, pattern: &str, negate| when(input, TestText::Pattern(pattern.to_owned()), negate);
    for (condition, target, applies) in [
        (when("{REQUEST_FILENAME}", TestText::IsFile, false), "/page.html", true),
        (when("{{REQUEST_FILENAME}}", TestText::IsFile, false), "/page.html", true),
        (when("{request_filename}", TestText::IsFile, true), "/page.html", false),
        (when("{REQUEST_FILENAME}", TestText::IsDirectory, false), "/public/", true),
        (when("{REQUEST_FILENAME}", TestText::IsDirectory, false), "/page.html", false),
        (when("{REQUEST_FILENAME}.html", TestText::IsFile, false), "/page", true),
        (
            when("{APPL_PHYSICAL_PATH}public{REQUEST_URI}", TestText::IsFile, false),
            "/with%20space.txt?q",
            true,
        ),
        (when("{DOCUMENT_ROOT}/public{URL}", TestText::IsFile, false), "/css/a.css", true),
        (when("{APPL_PHYSICAL_PATH}", TestText::IsFile, true), "/", true),
        (when("/srv/site2/page.html", TestText::IsFile, false), "/", false),
        (when("/srv/site/../site/page.html", TestText::IsFile, false), "/", false),
        (when("/etc/passwd", TestText::IsFile, false), "/", false),
        (is("{REQUEST_FILENAME}", "^/srv/site/a$", false), "/a", true),
        (is("true", "false", false), "/", false),
        (is("true", "false", true), "/", true),
        (is("{HTTPS}", "^OFF$", false), "/", true),
        (is("{HTTP_HOST}", r"^www\.", false), "/", false),
        (is("{URL}", "^/api/", true), "/api/x", false),
        (is("{URL}", "/public/*", false), "/x/public", true),
        (is("{REQUEST_URI}", "^/static/.*", true), "/static/x", false),
        (is("{REQUEST_URI}", r"%20.*\?q", false), "/a%20b?q", true),
        (is("{QUERY_STRING}", "(^|&)debug=1", false), "/?a&debug=1", true),
        (is("{WARMUP_REQUEST}", "^$", false), "/", true),
    ] {
        let told = format!("{condition:?} for {target}");
        let rules =
            set(vec![RuleText { conditions: vec![condition], ..rule(".*", ActionText::AbortRequest) }]);
        assert_eq!(answer(&rules, target), if applies { "abort" } else { "unchanged" }, "{told}");
    }
}

#[test]
fn all_conditions_must_hold_or_any_of_them() {
    for (any, hosts, applies) in [
        (false, ["example", "org"], true),
        (false, ["example", "net"], false),
        (true, ["net", "org"], true),
        (true, ["net", "com"], false),
    ] {
        let conditions = hosts.map(|host| like("{HTTP_HOST}", host)).to_vec();
        let rules = set(vec![RuleText { any, conditions, ..rule(".*", ActionText::AbortRequest) }]);
        assert_eq!(answer(&rules, "/"), if applies { "abort" } else { "unchanged" }, "{any} {hosts:?}");
    }
    let none = RuleText { any: true, ..rule(".*", ActionText::AbortRequest) };
    assert_eq!(answer(&set(vec![none]), "/"), "abort");
}

#[test]
fn condition_groups_are_those_of_the_last_match_or_of_all() {
    let rules = |track_all_captures| {
        let mut conditions = vec![like("{HTTP_HOST}", r"^(.*)\.(org)$"), like("{REQUEST_URI}", "^/([^?]*)")];
        conditions.push(when("{HTTPS}", TestText::Pattern("(on)".to_owned()), true));
        conditions.push(like("{C:1}", "."));
        set(vec![RuleText { track_all_captures, conditions, ..rule(".*", rewrite("{C:1}-{C:2}-{C:3}")) }])
    };
    assert_eq!(answer(&rules(true), "/a%20b"), "example-org-a b");
    // The last condition has no group of its own, and its match counts all the same.
    assert_eq!(answer(&rules(false), "/a%20b"), "--");
    let host = RuleText {
        conditions: vec![like("{HTTP_HOST}", "^(.*)$"), when("{REQUEST_FILENAME}", TestText::IsFile, true)],
        ..rule("^(.*)$", redirect("https://www.{C:1}/{R:1}"))
    };
    assert_eq!(answer(&set(vec![host]), "/x"), "301 https://www.example.org/x");
}

#[test]
fn wildcard_exact_and_negated_matches_apply() {
    let with = |syntax, pattern, url| RuleText { syntax, ..rule(pattern, rewrite(url)) };
    assert_eq!(answer(&set(vec![with(Syntax::Wildcard, "api/*", "x/{R:1}")]), "/api/a/b"), "x/a/b");
    assert_eq!(answer(&set(vec![with(Syntax::Wildcard, "*", "x")]), "/api/a/b"), "x");
    assert_eq!(answer(&set(vec![with(Syntax::ExactMatch, "in", "x")]), "/IN"), "x");
    assert_eq!(answer(&set(vec![with(Syntax::ExactMatch, "in", "x")]), "/inn"), "unchanged");
    let mut negated = rule("^api", rewrite("index.html{R:1}"));
    negated.pattern.as_mut().unwrap().negate = true;
    assert_eq!(answer(&set(vec![negated.clone()]), "/x"), "index.html");
    assert_eq!(answer(&set(vec![negated]), "/api"), "unchanged");
}

#[test]
fn rewrite_maps_answer_with_a_value_or_their_default() {
    let entries = vec![("on".to_owned(), "https".to_owned()), ("/old".to_owned(), "/new?x=1".to_owned())];
    let map = Arc::new(RewriteMap { name: "Scheme".to_owned(), default: "http".to_owned(), entries });
    let rules =
        set_with(vec![rule("^s$", redirect("{scheme:{HTTPS}}://{HTTP_HOST}/"))], std::slice::from_ref(&map));
    let mut world = World::new();
    assert_eq!(answer_in(&world, &rules, "/s"), "301 http://example.org/");
    world.facts.insert("HTTPS", "ON");
    assert_eq!(answer_in(&world, &rules, "/s"), "301 https://example.org/");
    assert!(!rules.needs_only_the_url());
    let mapped =
        RuleText { conditions: vec![like("{Scheme:{URL}}", "^/(.+)")], ..rule(".*", rewrite("/{C:1}")) };
    assert_eq!(answer(&set_with(vec![mapped], &[map]), "/old?y"), "new?x=1&y");
}

#[test]
fn rules_of_a_directory_see_and_make_paths_below_it() {
    let inside =
        |pattern: &str, action| set(vec![RuleText { base: "sub".to_owned(), ..rule(pattern, action) }]);
    for (rules, target, expected) in [
        (inside("^own", rewrite("a/{R:0}")), "/sub/own.txt", "sub/a/own"),
        (inside("^own", rewrite("a/{R:0}")), "/SUB/own.txt", "sub/a/own"),
        (inside("^own", rewrite("/a/{R:0}")), "/sub/own.txt", "a/own"),
        (inside(".*", rewrite("a")), "/subway/x", "unchanged"),
        (inside(".*", rewrite("a")), "/", "unchanged"),
        (inside("^$", rewrite("a")), "/sub", "sub/a"),
        (inside("^x$", redirect("y")), "/sub/x", "301 /sub/y"),
        (inside("^x$", redirect("~/y")), "/sub/x", "301 /y"),
        (inside("^x$", rewrite("../y")), "/sub/x", "y"),
    ] {
        assert_eq!(answer(&rules, target), expected, "{rules:?} {target}");
    }
}

#[test]
fn wrong_rules_are_refused_with_their_part_and_doubtful_ones_are_warned_of() {
    let bad = |text| Rule::new(text, &[]).unwrap_err();
    assert_eq!(bad(rule("(", ActionText::None)).part, Part::Match);
    let conditions = vec![like("x", "y"), like("{NoMap:{URL}}", "y")];
    let error = bad(RuleText { conditions, ..rule("", ActionText::None) });
    assert_eq!(error.part, Part::Condition(1));
    assert!(error.why.contains("NoMap"), "{}", error.why);
    assert_eq!(bad(rule("", rewrite("{R:x}"))).part, Part::Action);
    let warnings = |text| Rule::new(text, &[]).unwrap().1;
    let set_variables = |name: &str| vec![(name.to_owned(), "x".to_owned())];
    for (text, warned) in [
        (
            RuleText { server_variables: set_variables("http_connection"), ..rule("", ActionText::None) },
            false,
        ),
        (RuleText { server_variables: set_variables("HTTP_X"), ..rule("", ActionText::None) }, true),
        (rule("(.*)", rewrite("http://localhost/{R:1}")), true),
        (rule("(.*)", rewrite("{R:1}")), false),
        (rule(".*", rewrite("{R:1}")), true),
        (rule(".*", rewrite("{C:1}")), true),
        (RuleText { conditions: vec![like("a", "(a)")], ..rule(".*", rewrite("{C:1}")) }, false),
        (rule("^/api", ActionText::None), true),
        (rule("^/?api", ActionText::None), false),
    ] {
        assert_eq!(!warnings(text.clone()).is_empty(), warned, "{text:?}");
    }
}

#[test]
fn a_pattern_that_takes_too_long_is_an_error_with_the_name_of_its_rule() {
    let rules = set(vec![rule(r"^(?:a|a(?=a)|aa)+b(?=c)", rewrite("x"))]);
    let path = SitePath::of_text(&"a".repeat(80)).unwrap();
    let (subject, world) = (Subject { path: &path, query: "", original: "/" }, World::new());
    let error = rules.decide(subject, &world, &world).unwrap_err();
    assert_eq!(&*error.rule, "rule");
}

#[test]
fn a_witness_hears_what_each_rule_did() {
    let path = SitePath::of_text("api/users").unwrap();
    let (subject, world) = (Subject { path: &path, query: "a", original: "/api/users?a" }, World::new());
    let mut told = Vec::new();
    azure().apply(subject, &world, &world, &mut |step| told.push(step.what)).unwrap();
    assert_eq!(told, ["does not match", "rewrites to /public/api/users?a", "rewrites to /server.js?a"]);
}
