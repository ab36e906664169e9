//! Configuration files of real sites, kept beside this repository: every one that is well formed is honoured, but for what
//! is named here as later work. `cargo test corpus -- --nocapture` prints that list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Outcome, RawClient, Site, ostler, repository};

const APP: &str =
    "require('http').createServer((q, r) => r.end('the app got ' + q.url)).listen(process.env.PORT)";

/// Files with errors: number, line of the first error, and what is wrong with the file.
const MISTAKES: &[(u32, u64, &str)] = &[
    (3, 1, "blanks stand before the XML declaration"),
    (23, 43, "an attribute has two pairs of quotes"),
    (31, 7, "the opening tag of handlers lost its bracket"),
    (37, 7, "an attribute of iisnode that nobody knows, on purpose"),
    (64, 21, "a percent sign stands where a comment was meant"),
    (73, 1, "the root element is a rule's, not a configuration's"),
];

/// What is accepted and not done: words of the warning, the feature, files that have it, and why it is later work.
const LATER: &[(&str, &str, usize, &str)] = &[
    ("rewrites to another server", "rewriting to absolute URLs", 8, "a proxy; no site with iisnode does it"),
    ("`outboundRules`", "outbound rules", 1, "changes answers of the proxied; goes with the proxy"),
    ("`proxy` is not served", "proxy settings", 1, "goes with the proxy"),
    ("`cors` is not served yet", "cors", 1, "a module of its own in IIS; no site with iisnode has it"),
    ("`authentication`", "authentication", 3, "needs Windows accounts; anonymous is what is served"),
    ("`authorization`", "authorization", 1, "goes with authentication; only in a file for a whole host"),
    (
        "is not a setting of iisnode",
        "settings of older or other programs",
        3,
        "the warning names what does it here",
    ),
    ("there is no setting `http`", "lines of an iisnode.yml that set nothing", 1, "they are no settings"),
    (
        "`remove` is not known in `requestFiltering`",
        "an element in the wrong place",
        1,
        "a slip in the file; left out with a warning",
    ),
    (
        "`httpCookies` is no section",
        "a section in the wrong place",
        1,
        "a slip in the file; left out with a warning",
    ),
];

/// Warnings about what is done: spelling, doubles, and things that mean less than they seem to.
const HONOURED: &[&str] = &[
    "should begin with a slash",
    "is an old name",
    "appSettings are not expanded",
    "is read as `.woff",
    "is there already; the last one holds",
    "which needs IIS itself",
    "on this system; /",
    "on this system; logs begin with",
    "is written for Windows; `PYTHONPATH`",
    "is a path of Windows; the program is given it",
    r"`D:\home\site\wwwroot\manage.py` is ",
];

/// Errors that are about the machine of the test, not about the file: which programs it has.
const OF_THE_MACHINE: &[&str] = &[".NET is not installed", "there is no program `"];

/// Sections that work.
const SERVED: &[&str] = &[
    "appSettings",
    "applicationInitialization",
    "aspNetCore",
    "defaultDocument",
    "fastCgi",
    "handlers",
    "httpErrors",
    "httpPlatform",
    "httpProtocol",
    "iisnode",
    "rewrite",
    "security",
    "staticContent",
    "webSocket",
];

/// Sections that are named above, because a warning tells of them.
const WARNED: &[&str] = &["cors", "httpCookies", "proxy"];

/// Sections that are accepted without a word and without effect: files that have them, and why that is enough.
const QUIET: &[(&str, usize, &str)] = &[
    ("asp", 1, "classic ASP"),
    ("connectionStrings", 1, "read by .NET programs only"),
    ("directoryBrowse", 1, "later: folders are never listed"),
    ("httpCompression", 2, "later: answers are not compressed by the host"),
    ("modules", 4, "names modules of IIS"),
    ("system.web", 7, "read by ASP.NET only"),
    ("urlCompression", 3, "later: answers are not compressed by the host"),
];

/// Settings of iisnode without effect (docs/settings.md says why) that sites write, and the files that do.
const SETTINGS_WITHOUT_EFFECT: &[(&str, usize)] = &[
    ("asyncCompletionThreadCount", 9),
    ("debuggerPathSegment", 6),
    ("debuggerPortRange", 6),
    ("debuggingEnabled", 11),
    ("flushResponse", 9),
    ("idlePageOutTimePeriod", 1),
    ("initialRequestBufferSize", 9),
    ("maxNamedPipeConnectionPoolSize", 5),
    ("maxNamedPipePooledConnectionAge", 6),
    ("maxRequestBufferSize", 9),
];

/// Sites whose worker cannot start on any machine of today, and why.
const NOT_STARTED: &[(u32, &str)] =
    &[(82, "its command line names io.js, which became Node.js again in 2015")];

struct CorpusFile {
    number: u32,
    text: String,
    is_yml: bool,
}

/// Every file of the corpus; there is no test without it.
fn corpus() -> Vec<CorpusFile> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("OSTLER_CORPUS").map_or_else(beside, PathBuf::from);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("OSTLER_CORPUS says where the corpus is; {}: {error}", folder.display())
    });
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(number) = name.get(..3).and_then(|number| number.parse().ok()) else { continue };
        // Some are in encodings of long ago; what is in them is the tests' to see as the host does.
        let text =
            String::from_utf8(std::fs::read(&path).unwrap()).unwrap_or_else(|_| panic!("{name}: not UTF-8"));
        files.push(CorpusFile { number, text, is_yml: name.ends_with(".yml") });
    }
    files.sort_by_key(|file| file.number);
    assert_eq!(files.len(), 85, "{}", folder.display());
    files
}

impl CorpusFile {
    /// The tree of a web.config, if it is one.
    fn tree(&self) -> Option<roxmltree::Document<'_>> {
        if self.is_yml {
            return None;
        }
        roxmltree::Document::parse(self.text.trim_start_matches('\u{feff}')).ok()
    }

    /// The script that the handler for iisnode names; a star stands for some name.
    fn script(&self) -> Option<String> {
        if self.is_yml {
            return Some("server.js".to_owned());
        }
        let tree = self.tree()?;
        let handler = tree.descendants().find(|node| {
            node.has_tag_name("add")
                && node.attribute("modules").is_some_and(|modules| modules.eq_ignore_ascii_case("iisnode"))
        });
        Some(handler?.attribute("path")?.trim_start_matches('/').replace('*', "1"))
    }

    /// A site with this file, the script it wants and something to serve.
    fn site(&self) -> Site {
        let script = self.script();
        let site = match self.is_yml {
            true => Site::handling("server.js").yml(&self.text),
            false => Site::named("site").web_config(&self.text),
        };
        // Where one command line of the corpus has its program.
        let site = site.file("public/hello.txt", "hello from a file").file("dist/index.js", APP);
        match script {
            Some(script) => site.file(&script, APP),
            None => site,
        }
    }

    /// Names of sections, those of `system.webServer` and those beside it.
    fn sections(&self) -> BTreeSet<String> {
        let Some(tree) = self.tree() else { return BTreeSet::new() };
        let is_group = |name: &str| matches!(name, "configuration" | "location" | "system.webServer");
        let sections = tree.descendants().filter(|node| {
            node.is_element()
                && !is_group(node.tag_name().name())
                && node.parent_element().is_some_and(|parent| is_group(parent.tag_name().name()))
        });
        sections.map(|node| node.tag_name().name().to_owned()).collect()
    }

    /// Names of settings that are written, in lower case.
    fn settings(&self) -> BTreeSet<String> {
        if self.is_yml {
            let lines = self.text.lines().filter(|line| !line.trim_start().starts_with('#'));
            return lines.filter_map(|line| Some(line.split_once(':')?.0.trim().to_lowercase())).collect();
        }
        let Some(tree) = self.tree() else { return BTreeSet::new() };
        let elements = tree.descendants().filter(|node| node.has_tag_name("iisnode"));
        elements.flat_map(|node| node.attributes()).map(|attribute| attribute.name().to_lowercase()).collect()
    }
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", outcome.text(), outcome.stderr))
}

fn check(site: &Site) -> Vec<Value> {
    let outcome = ostler(["check", "--json", site.path().to_str().unwrap()]);
    let told = json(&outcome);
    let wrong = told["errors"].as_u64().unwrap() > 0;
    assert_eq!(outcome.status.code(), Some(if wrong { 2 } else { 0 }), "{told:#}");
    assert_eq!(outcome.stderr, "");
    let is_of_the_file = |note: &&Value| {
        let what = note["what"].as_str().unwrap();
        !OF_THE_MACHINE.iter().any(|words| what.starts_with(words))
    };
    told["notes"].as_array().unwrap().iter().filter(is_of_the_file).cloned().collect()
}

fn explain(site: &Site, url: &str) -> Value {
    json(&ostler(["explain", "--json", url, site.path().to_str().unwrap()]).success())
}

#[test]
fn every_file_of_the_corpus_loads_or_says_where_it_is_wrong() {
    let mut wrong = Vec::new();
    for file in corpus() {
        let mut errors = check(&file.site()).into_iter().filter(|note| note["level"] == "error");
        let Some(first) = errors.next() else { continue };
        for note in errors.chain([first.clone()]) {
            let placed = note["file"].is_string() && note["column"].is_u64() && note["help"].is_string();
            assert!(placed, "{}: {note:#}", file.number);
        }
        wrong.push((file.number, first["line"].as_u64().unwrap()));
    }
    let expected: Vec<(u32, u64)> = MISTAKES.iter().map(|(number, line, _)| (*number, *line)).collect();
    assert_eq!(wrong, expected);
}

#[test]
fn what_the_corpus_asks_for_and_does_not_get_is_this_list() {
    let mut later: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut surprises = Vec::new();
    for file in corpus() {
        for note in check(&file.site()).iter().filter(|note| note["level"] == "warning") {
            let what = note["what"].as_str().unwrap();
            match LATER.iter().find(|(words, ..)| what.contains(words)) {
                Some((_, feature, ..)) => drop(later.entry(feature).or_default().insert(file.number)),
                None if HONOURED.iter().any(|words| what.contains(words)) => {}
                None => surprises.push(format!("{}: {what}", file.number)),
            }
        }
    }
    println!("Accepted without effect, in files of the corpus:");
    for (_, feature, count, why) in LATER {
        println!("{count:4}  {feature}: {why}");
    }
    assert!(surprises.is_empty(), "warnings that no table here names:\n{}", surprises.join("\n"));
    let found: BTreeMap<&str, usize> = later.iter().map(|(feature, files)| (*feature, files.len())).collect();
    assert_eq!(found, LATER.iter().map(|(_, feature, count, _)| (*feature, *count)).collect());
}

#[test]
fn every_section_of_the_corpus_works_or_is_known_not_to() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in corpus().iter().filter(|file| !MISTAKES.iter().any(|(number, ..)| *number == file.number)) {
        // A file for a whole Windows host, which no site has.
        let sections = if file.number == 75 { BTreeSet::new() } else { file.sections() };
        for section in
            sections.into_iter().filter(|name| !SERVED.contains(&&**name) && !WARNED.contains(&&**name))
        {
            *counts.entry(section).or_default() += 1;
        }
    }
    println!("Sections accepted without effect, in files of the corpus:");
    for (section, count, why) in QUIET {
        println!("{count:4}  {section}: {why}");
    }
    assert_eq!(counts, QUIET.iter().map(|(section, count, _)| ((*section).to_owned(), *count)).collect());
}

#[test]
fn every_setting_of_the_corpus_works_or_is_listed_as_accepted() {
    let document = std::fs::read_to_string(repository("docs/settings.md")).unwrap();
    let (_, without_effect) = document.split_once("## Settings accepted without effect").unwrap();
    let rows = without_effect.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let names: Vec<&str> = rows.map(|(name, _)| name).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in corpus() {
        let settings = file.settings();
        for name in names.iter().filter(|name| settings.contains(&name.to_lowercase())) {
            *counts.entry(name).or_default() += 1;
        }
    }
    println!("Settings accepted without effect, in files of the corpus:");
    for (name, count) in &counts {
        println!("{count:4}  {name}");
    }
    assert_eq!(counts, SETTINGS_WITHOUT_EFFECT.iter().copied().collect());
}

/// A URL by which a site reaches its application, and how `explain` says so.
fn way_in(file: &CorpusFile, site: &Site) -> Option<String> {
    let script = file.script()?;
    let candidates = [
        "/some/page".to_owned(),
        "/api/things".to_owned(),
        format!("/{script}"),
        "https://localhost/".to_owned(),
    ];
    candidates.into_iter().find(|url| explain(site, url)["application"] == script.as_str())
}

#[test]
fn every_iisnode_site_of_the_corpus_has_a_way_to_its_application_and_answers_on_it() {
    let (mut served, mut files) = (0, 0);
    for file in corpus() {
        let Some(script) = file.script() else { continue };
        let site = file.site();
        let root = explain(&site, "/");
        assert!(root["outcome"].is_string(), "{}: {root:#}", file.number);
        let url = way_in(&file, &site).unwrap_or_else(|| panic!("{}: no URL leads to {script}", file.number));
        let mistakes = MISTAKES.iter().map(|(number, ..)| number);
        if mistakes.chain(NOT_STARTED.iter().map(|(number, _)| number)).any(|number| *number == file.number) {
            continue;
        }
        let shown = explain(&site, "/hello.txt");
        let host = site.serve();
        if url.starts_with("https:") {
            let response = RawClient::connect(&host).get("/some/page");
            let location = response.head.field("location").unwrap_or_default().to_owned();
            assert!(location.starts_with("https://"), "{}: {location}", file.number);
            continue;
        }
        let response = RawClient::connect(&host).get(&url);
        let text = response.text();
        assert_eq!(
            (response.head.status(), &*text),
            (200, &*format!("the app got {url}")),
            "{}",
            file.number
        );
        served += 1;
        // What explain says of a file holds for the host too.
        let is_file = shown["outcome"] == "the static file public/hello.txt";
        let text = RawClient::connect(&host).get("/hello.txt").text();
        assert_eq!(text == "hello from a file", is_file, "{}: {text}", file.number);
        files += usize::from(is_file);
    }
    assert!(served >= 40, "{served}");
    assert!(files >= 8, "{files}");
}
