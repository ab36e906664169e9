//! The way of a URL as tables: what is asked, over a site that exists only here, and what is decided.

use std::borrow::Cow;

use super::super::disk::Disk;
use super::super::documents::Documents;
use super::super::files::FilePolicy;
use super::super::filter::Filter;
use super::super::mapping::{Mapped, Mapping, Resource};
use super::super::policy::{ErrorPolicy, ProgramFolders};
use super::super::rewrite::{ActionText, MatchText, Rule, RuleSet, RuleText, Syntax};
use super::*;

mod fast_cgi;
mod programs;

const FILES: &[&str] = &[
    "index.html",
    "app.js",
    "note.txt",
    "Sub/Own.txt",
    "sub app/app.js",
    "hid/secret.txt",
    "hid/open.txt",
    "hid/index.html",
    "bad/x.txt",
    "bin/tool.txt",
    "folder.js/x.txt",
];
const LINKS: &[(&str, &str)] = &[
    ("loop", ""),
    ("alias", "hid"),
    ("plain.txt", "hid/secret.txt"),
    ("run.txt", "app.js"),
    ("tobad", "bad"),
];
/// Without files.
const EMPTY: &str = "empty";

/// A tree of names, of which some are links.
struct Names;

impl Names {
    /// Every file, directory and link, without those on the other side of links.
    fn all() -> Vec<String> {
        let mut all = vec![EMPTY.to_owned()];
        for file in FILES.iter().chain(LINKS.iter().map(|(name, _)| name)) {
            all.extend(file.match_indices('/').map(|(at, _)| file[..at].to_owned()));
            all.push((*file).to_owned());
        }
        all
    }

    /// The path as it is spelled, and as it is without links.
    fn walk(path: &str) -> Option<(String, String)> {
        let (mut spelled, mut real) = (String::new(), String::new());
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let join =
                |to: &str, name: &str| if to.is_empty() { name.to_owned() } else { format!("{to}/{name}") };
            let wanted = join(&real, name);
            let all = Names::all();
            let exact = all.iter().find(|known| **known == wanted);
            let found = exact.or_else(|| all.iter().find(|known| known.eq_ignore_ascii_case(&wanted)))?;
            spelled = join(&spelled, found.rsplit('/').next()?);
            let link = LINKS.iter().find(|(link, _)| link == found);
            real = link.map_or(found.clone(), |(_, to)| (*to).to_owned());
        }
        Some((spelled, real))
    }
}

impl Disk for Names {
    fn find(&self, path: &str) -> Option<(Kind, String)> {
        let (spelled, real) = Names::walk(path)?;
        let kind = if FILES.contains(&real.as_str()) { Kind::File } else { Kind::Directory };
        Some((kind, spelled))
    }

    fn without_links(&self, path: &str) -> String {
        Names::walk(path).map_or_else(|| path.to_owned(), |(_, real)| real)
    }
}

struct Nothing;

impl Facts for Nothing {
    fn variable(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

fn mapped(path: &str, verbs: Option<&[&str]>, module: Module, base: &str) -> Mapped {
    let verbs = verbs.map(|verbs| verbs.iter().map(|&verb| verb.into()).collect());
    let resource = Resource::Unspecified;
    Mapped {
        name: path.into(),
        path: path.into(),
        verbs,
        module,
        processor: None,
        base: base.into(),
        resource,
    }
}

fn rule(pattern: &str, action: ActionText) -> Arc<Rule> {
    let text = RuleText {
        name: pattern.to_owned(),
        enabled: true,
        stop_processing: true,
        syntax: Syntax::EcmaScript,
        pattern: Some(MatchText { url: pattern.to_owned(), ignore_case: true, negate: false }),
        any: false,
        track_all_captures: false,
        conditions: Vec::new(),
        server_variables: Vec::new(),
        action: Some(action),
        base: String::new(),
    };
    Arc::new(Rule::new(text, &[]).unwrap().0)
}

fn to(url: &str) -> ActionText {
    ActionText::Rewrite { url: url.to_owned(), append_query: true }
}

fn policy() -> Policy {
    let gone = ActionText::Redirect { url: "/new/{R:1}".to_owned(), append_query: true, status: 302 };
    Policy {
        broken: None,
        filter: Filter::default(),
        rewrite: RuleSet {
            rules: vec![
                rule("^open/(.*)$", to("hid/{R:1}")),
                rule("^tools$", to("bin/tool.txt")),
                rule("^api/(.*)$", to("app.js/{R:1}")),
                rule("^dir$", to("sub app")),
                rule("^out$", to("../../etc/passwd")),
                rule("^wreck$", to("bad/x.txt")),
                rule("^gone/(.*)$", gone),
            ],
        },
        documents: Documents { enabled: true, names: vec!["index.html".into(), "app.js".into()] },
        mapping: Mapping {
            mapped: vec![
                mapped("app.js", None, Module::Iisnode, ""),
                mapped("*", None, Module::HttpPlatform, "proxy"),
            ],
        },
        files: FilePolicy::default(),
        fields: "".into(),
        errors: ErrorPolicy::default(),
        programs: ProgramFolders::default(),
    }
}

fn policies() -> Tree<Policy> {
    let mut tree = Tree::new(Arc::new(policy()));
    let mut hides = policy();
    hides.filter.hidden_segments.push("secret.txt".into());
    tree.set("hid", Arc::new(hides));
    tree.set("bad", Arc::new(Policy { broken: Some("a bad web.config".into()), ..policy() }));
    let none = Documents { enabled: false, names: Vec::new() };
    tree.set("sub", Arc::new(Policy { documents: none, ..policy() }));
    tree
}

fn told(decision: &Decision) -> String {
    match decision {
        Decision::File { path } => format!("file {path}"),
        Decision::Script { script, path_info, .. } => {
            format!("script {script} {path_info}").trim_end().to_owned()
        }
        Decision::Redirect { status, location } => format!("{status} {location}"),
        Decision::Refuse(refusal) => format!("{}.{}", refusal.status, refusal.substatus),
        Decision::Respond { status, substatus, .. } => format!("answer {status}.{substatus}"),
        Decision::Broken(why) => format!("broken: {why}"),
        other => format!("{other:?}"),
    }
}

fn ask(method: &str, target: &str) -> Route {
    let asked = Asked { method, target: target.as_bytes(), content_length: None };
    decide(&policies(), asked, &Nothing, &Names, None).unwrap()
}

#[track_caller]
fn decides<'t>(table: impl IntoIterator<Item = (&'t str, &'t str)>) {
    for (target, expected) in table {
        assert_eq!(told(&ask("GET", target).decision), expected, "{target}");
    }
}

#[test]
fn a_file_is_found_in_any_case_and_called_by_its_name_on_the_disk() {
    decides([
        ("/note.txt", "file note.txt"),
        ("/NOTE.txt?x", "file note.txt"),
        ("/sub/own.TXT", "file Sub/Own.txt"),
        ("/none.txt", "404.0"),
        ("/sub/none/own.txt", "404.0"),
        ("/../note.txt", "403.0"),
        ("/note.txt%00", "400.0"),
        ("/note.txt/", "404.0"),
        ("/note.txt/more", "404.0"),
    ]);
}

#[test]
fn a_directory_is_its_first_default_document_behind_a_slash() {
    decides([
        ("/", "file index.html"),
        ("/sub%20app/", "script sub app/app.js"),
        ("/sub%20app", "301 /sub%20app/"),
        ("/sub%20app?q=/x", "301 /sub%20app/?q=/x"),
        ("/empty/", "403.14"),
        ("/empty", "301 /empty/"),
        ("/Sub/", "403.14"),
        ("/folder.js/", "403.14"),
        // A rewrite that ends at a directory needs no other address.
        ("/dir", "script sub app/app.js"),
    ]);
    // A redirect would lose the body.
    for (method, expected) in [("HEAD", "301 /empty/"), ("POST", "403.14"), ("PUT", "403.14")] {
        assert_eq!(told(&ask(method, "/empty").decision), expected, "{method}");
    }
}

#[test]
fn what_follows_a_script_is_its_path_info() {
    decides([
        ("/app.js", "script app.js"),
        ("/APP.js/one/two?q", "script app.js /one/two"),
        ("/app.js/", "script app.js /"),
        ("/app.js/one/", "script app.js /one/"),
        ("/sub%20app/app.js/x", "script sub app/app.js /x"),
        ("/api/one", "script app.js /one"),
        ("/nowhere/app.js/x", "404.0"),
        ("/folder.js/none", "404.0"),
    ]);
}

#[test]
fn what_is_hidden_stays_hidden_behind_rewrites_and_in_other_spellings() {
    decides([
        ("/hid/open.txt", "file hid/open.txt"),
        ("/hid/secret.txt", "404.8"),
        ("/HID/SECRET.TXT", "404.8"),
        ("/open/open.txt", "file hid/open.txt"),
        ("/open/secret.txt", "404.8"),
        ("/bin/tool.txt", "404.8"),
        ("/tools", "404.8"),
        ("/app.js/bin/x", "404.8"),
    ]);
}

#[test]
fn links_lead_past_no_policy_and_to_no_second_application() {
    decides([
        ("/loop/app.js", "script app.js"),
        ("/loop/loop/app.js/x", "script app.js /x"),
        ("/loop/", "file index.html"),
        ("/loop/note.txt", "file note.txt"),
        ("/run.txt", "script app.js"),
        ("/alias/open.txt", "file hid/open.txt"),
        ("/alias/", "file hid/index.html"),
        ("/alias/secret.txt", "404.8"),
        ("/loop/Alias/Secret.txt", "404.8"),
        ("/plain.txt", "404.8"),
        ("/tobad/x.txt", "broken: a bad web.config"),
    ]);
}

#[test]
fn a_directory_whose_configuration_is_broken_takes_nothing_else_down() {
    decides([
        ("/bad/x.txt", "broken: a bad web.config"),
        ("/bad/none", "broken: a bad web.config"),
        ("/wreck", "broken: a bad web.config"),
        ("/note.txt", "file note.txt"),
    ]);
}

#[test]
fn a_server_of_its_own_needs_no_file_and_a_rule_may_end_the_way() {
    decides([
        ("/proxy/any/thing", "script proxy/any/thing"),
        ("/proxy", "script proxy"),
        ("/gone/a?b=1", "302 /new/a?b=1"),
        ("/out", "answer 404.0"),
    ]);
}

#[test]
fn a_route_says_how_it_came_about() {
    let route = ask("GET", "/api/one?q");
    assert_eq!((route.rewritten, route.url.as_str(), route.is_repeatable), (true, "/app.js/one", true));
    let route = ask("GET", "/alias/");
    assert_eq!((route.rewritten, route.url.as_str()), (false, "/alias/"));
    assert!(route.policy.filter.hidden_segments.iter().any(|name| &**name == "secret.txt"));
}
