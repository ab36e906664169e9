//! The commands about a site: what is wrong with it, how it would serve a URL, and a terminal to develop in.

use serde_json::Value;

use crate::harness::{Host, RawClient, Site, ostler};

const APP: &str = "require('http').createServer((q, r) => r.end('served')).listen(process.env.PORT);";

/// A site with one rule, one handler and settings in two files, each on a line of its own.
fn site() -> Site {
    Site::named("shop")
        .file("hello.js", APP)
        .file("ping.txt", "pong")
        .web_config(
            r#"<configuration>
  <system.webServer>
    <handlers>
      <add name="the app" path="hello.js" verb="*" modules="iisnode"/>
    </handlers>
    <rewrite>
      <rules>
        <rule name="files first"><match url="^nothing$"/><action type="None"/></rule>
        <rule name="to the app"><match url="^orders/(.*)"/><action type="Rewrite" url="hello.js"/></rule>
      </rules>
    </rewrite>
    <iisnode maxConcurrentRequestsPerProcess="77"/>
  </system.webServer>
</configuration>
"#,
        )
        .yml("# ours\nnodeProcessCountPerApplication: 3\n")
}

/// Every object inside, however deep.
fn objects(value: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(inner.into_iter().flat_map(objects)).collect()
}

#[track_caller]
fn says_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

#[test]
fn check_is_content_with_a_good_site() {
    let site = site();
    let outcome = ostler(["check", site.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(0), "{}{}", outcome.text(), outcome.stderr);
    assert!(!(outcome.text() + &outcome.stderr).contains("error:"));
}

/// A site with an error in each of three files, and a warning.
fn broken() -> Site {
    site()
        .yml("node_env: tea\n  loggingEnabled: perhaps\n")
        .file("below/web.config", "<configuration>\n  <system.webServer>\n    <iisnode idontexist=\"12\"/>\n  </system.webServer>\n</configuration>\n")
        .file("bad/web.config", "<configuration>\n  <x a=\"\"b\"\"/>\n</configuration>\n")
        .file("old/web.config", "<configuration>\n  <system.webServer>\n    <iisnode maxProcessCountPerApplication=\"2\"/>\n  </system.webServer>\n</configuration>\n")
}

#[test]
fn check_tells_every_error_and_warning_with_its_place_in_one_run() {
    let site = broken();
    let outcome = ostler(["check", site.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(2), "{}{}", outcome.text(), outcome.stderr);
    let said = outcome.text() + &outcome.stderr;
    let line = |place: &str, kind: &str| {
        let found = said.lines().find(|line| line.contains(place) && line.contains(kind));
        found.unwrap_or_else(|| panic!("no {kind} at {place} in\n{said}")).to_owned()
    };
    says_all(&line("iisnode.yml:2:", "error:"), &["loggingEnabled", "perhaps"]);
    says_all(&line("below/web.config:3:14", "error:"), &["idontexist"]);
    line("bad/web.config:2:", "error:");
    says_all(
        &line("old/web.config:3:14", "warning:"),
        &["maxProcessCountPerApplication", "nodeProcessCountPerApplication"],
    );
}

#[test]
fn check_tells_the_same_to_programs() {
    let site = broken();
    let outcome = ostler(["check", site.path().to_str().unwrap(), "--json"]);
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.stderr);
    let told: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let at = |file: &str, line: u64| {
        let named = |note: &&Value| note["file"].as_str().is_some_and(|name| name.ends_with(file));
        objects(&told).into_iter().filter(named).any(|note| note["line"] == line && note["column"].is_u64())
    };
    assert!(at("iisnode.yml", 2) && at("below/web.config", 3) && at("bad/web.config", 2), "{told:#}");
}

#[test]
fn warnings_alone_are_no_failure() {
    let site = Site::iisnode("hello.js", APP).set(r#"requestTimeout="5" maxProcessCountPerApplication="2""#);
    let outcome = ostler(["check", site.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(0), "{}{}", outcome.text(), outcome.stderr);
    says_all(&(outcome.text() + &outcome.stderr), &["warning:", "requestTimeout"]);
}

#[test]
fn check_shows_the_line_with_a_mark_and_says_what_helps_once() {
    let site = broken();
    let outcome = ostler(["check", site.path().to_str().unwrap()]);
    let said = outcome.text();
    let (_, shown) = said.split_once("below/web.config:3:14: error: ").unwrap();
    let shown: Vec<&str> = shown.lines().skip(1).take(5).collect();
    let expected = [
        "  |",
        "3 |     <iisnode idontexist=\"12\"/>",
        "  |              ^^^^^^^^^^",
        "  |",
        "  = help: docs/settings.md lists the settings",
    ];
    assert_eq!(shown, expected, "{said}");
    assert_eq!(said.matches("docs/settings.md lists the settings").count(), 1, "{said}");
}

#[test]
fn check_names_files_below_the_current_folder_from_there() {
    let site = broken();
    let mut check = crate::harness::command(env!("CARGO_BIN_EXE_ostler"));
    check.arg("check").current_dir(site.path());
    let outcome = check.output().unwrap();
    let said = String::from_utf8(outcome.stdout).unwrap();
    assert!(said.lines().any(|line| line.starts_with("below/web.config:3:14: error: ")), "{said}");
}

#[test]
fn check_warns_of_a_script_that_is_nowhere() {
    let site = site();
    site.remove("hello.js");
    let check = || ostler(["check", site.path().to_str().unwrap()]).success().text();
    let said = check();
    let line = said.lines().find(|line| line.contains("web.config:4:27: warning:"));
    says_all(
        line.unwrap_or_else(|| panic!("no warning in\n{said}")),
        &["hello.js", "`the app`", "does not exist"],
    );
    // A handler's name alone means every script of that name, however deep and in whatever case.
    site.write("deep/er/Hello.js", APP);
    assert!(!check().contains("warning:"), "{}", check());
}

#[test]
fn check_warns_of_blanks_in_watched_files() {
    let site = Site::iisnode("hello.js", APP).yml("watchedFiles: *.js; a.json;b.json\n");
    let said = ostler(["check", site.path().to_str().unwrap()]).success().text();
    let line = said.lines().find(|line| line.contains("warning:"));
    says_all(line.unwrap_or_else(|| panic!("no warning in\n{said}")), &["iisnode.yml:1:", "` a.json`"]);
    says_all(&said, &["help: `a.json`", "1 warning"]);
}

#[test]
fn a_folder_that_is_not_there_is_named_by_every_command() {
    for arguments in
        [&["check", "no/such/folder"][..], &["explain", "/", "no/such/folder"], &["dev", "no/such/folder"]]
    {
        let outcome = ostler(arguments.iter().copied());
        assert_eq!(outcome.status.code(), Some(2), "{arguments:?}: {}", outcome.stderr);
        says_all(&outcome.stderr, &["no/such/folder"]);
    }
}

#[test]
fn explain_shows_the_way_of_a_url_and_where_each_value_comes_from() {
    let site = site();
    let outcome = ostler(["explain", "/orders/7?sort=up", site.path().to_str().unwrap()]).success();
    says_all(&outcome.text(), &["files first", "to the app", "hello.js", "the app", "iisnode"]);
    let text = outcome.text();
    for (name, words) in [
        ("nodeProcessCountPerApplication", ["3", "iisnode.yml:2"]),
        ("maxConcurrentRequestsPerProcess", ["77", "web.config:12"]),
        ("gracefulShutdownTimeout", ["60", "default"]),
    ] {
        let line =
            text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        says_all(line, &words);
    }
}

#[test]
fn explain_tells_where_rules_are_written_where_logs_are_and_what_is_watched() {
    let site = site().file("below/web.config", &crate::harness::web_config("<rewrite/>"));
    let folder = site.path().to_str().unwrap();
    let text = ostler(["explain", "/below/orders/7", folder]).success().text();
    let line = |what: &str| {
        let found = text.lines().find(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("no `{what}` in\n{text}")).to_owned()
    };
    says_all(&line("files first: "), &["(web.config:8:9)"]);
    let text = ostler(["explain", "/orders/7", folder]).success().text();
    let line = |what: &str| text.lines().find(|line| line.starts_with(what)).unwrap_or_default().to_owned();
    says_all(&line("logs"), &["/iisnode/index.html"]);
    says_all(&line("watched"), &["*.js;iisnode.yml in the root"]);
}

#[test]
fn explain_tells_how_a_file_is_labelled_and_kept() {
    let site = site().element(
        "<staticContent><clientCache cacheControlMode=\"UseMaxAge\" cacheControlMaxAge=\"00:01:00\"/></staticContent>",
    );
    let text = ostler(["explain", "/ping.txt", site.path().to_str().unwrap()]).success().text();
    says_all(&text, &["text/plain", "max-age=60"]);
}

#[test]
fn explain_tells_files_and_refusals_from_applications() {
    let site = site();
    let folder = site.path().to_str().unwrap();
    for (url, words) in [
        ("/ping.txt", &["static", "ping.txt"][..]),
        ("/bin/secret.txt", &["404.8"]),
        ("/web.config", &["404"]),
        ("/absent.txt", &["404"]),
        ("/hello.js/path/info", &["hello.js", "/path/info"]),
        ("http://shop.example/hello.js", &["hello.js", "iisnode"]),
    ] {
        says_all(&ostler(["explain", url, folder]).success().text(), words);
    }
}

#[test]
fn explain_tells_the_same_to_programs() {
    let site = site();
    let folder = site.path().to_str().unwrap();
    let told = ostler(["explain", "/orders/7", folder, "--json"]).success();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let text = told.to_string();
    says_all(&text, &["to the app", "hello.js", "nodeProcessCountPerApplication", "iisnode.yml"]);
}

#[test]
fn a_start_names_the_applications_and_where_their_logs_are() {
    let site = site();
    let host = site.serve();
    host.wait_for_line("hello.js");
    let logs = host.wait_for_line("/iisnode/");
    assert!(logs.contains(&host.url("/iisnode/")), "a URL that can be opened: {logs}");
    assert!(host.lines()[0].starts_with("ostler "), "{:?}", host.lines());
}

#[test]
fn dev_shows_what_workers_write_and_restarts_them_on_save() {
    let says =
        |version: &str| format!("console.log('this is {version}'); console.error('and a warning');\n{APP}");
    let site = site().file("hello.js", &says("version one"));
    let host = Host::dev(site.path()).start();
    assert_eq!(RawClient::connect(&host).get("/hello.js").text(), "served");
    host.wait_for_line("this is version one");
    host.wait_for_line("and a warning");
    // Without a request in between.
    site.write("hello.js", &says("version two"));
    host.wait_for_line("this is version two");
    assert_eq!(RawClient::connect(&host).get("/hello.js").text(), "served");
}

#[test]
fn dev_restarts_programs_of_sections_when_any_source_of_theirs_is_saved() {
    for (section, module, port) in [
        ("httpPlatform", "httpPlatformHandler", "HTTP_PLATFORM_PORT"),
        ("aspNetCore", "AspNetCoreModuleV2", "ASPNETCORE_PORT"),
    ] {
        let config = format!(
            r#"<configuration><system.webServer>
  <handlers><add name="all" path="*" verb="*" modules="{module}" resourceType="Unspecified"/></handlers>
  <{section} processPath="python3" arguments="-B app.py %{port}%"/>
</system.webServer></configuration>"#
        );
        let app = r#"import sys, helper
from http.server import BaseHTTPRequestHandler, HTTPServer
class Says(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(helper.WORD)))
        self.end_headers()
        self.wfile.write(helper.WORD.encode())
HTTPServer(('127.0.0.1', int(sys.argv[1])), Says).serve_forever()
"#;
        let site =
            Site::named("site").web_config(&config).file("app.py", app).file("helper.py", "WORD = 'one'");
        let host = Host::dev(site.path()).start();
        assert_eq!(RawClient::connect(&host).get("/").text(), "one", "{section}");
        site.write("helper.py", "WORD = 'the second'");
        host.wait_for_line("helper.py");
        assert_eq!(RawClient::connect(&host).get("/").text(), "the second", "{section}");
        // Also a source that nobody had before.
        site.write("fresh.rb", "");
        host.wait_for_line("fresh.rb");
    }
}

#[test]
fn dev_shows_errors_even_where_the_site_turns_them_off() {
    let site = Site::iisnode("hello.js", "console.error('my last words'); process.exit(3)")
        .yml("devErrorsEnabled: false\n");
    let host = Host::dev(site.path()).start();
    let page = RawClient::connect(&host).get("/hello.js").text();
    assert!(page.contains("my last words"), "{page}");
}
