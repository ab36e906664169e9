//! Programs without a web.config: what ostler.yml, a Procfile, a start script or `--exec` says, with real programs.

use serde_json::Value;

use crate::harness::{Host, Message, RawClient, Site, ostler};
use crate::iisnode::FROM_AFAR;

/// Says who it is, where it listens, what it was given and where it runs.
const NODE: &str = "const http = require('http');
http.createServer((q, r) => r.end(JSON.stringify({
  pid: process.pid, port: process.env.PORT, mode: process.env.MODE, args: process.argv.slice(2), cwd: process.cwd(),
  forwarded: q.headers['x-forwarded-for'],
}))).listen(process.env.PORT);";

/// The same for Python, on the port of its first argument.
const PYTHON: &str = "import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({'port': os.environ['PORT'], 'mode': os.environ.get('MODE'), 'args': sys.argv[1:]}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

fn folder(site: &Site) -> String {
    site.path().canonicalize().unwrap().to_str().unwrap().to_owned()
}

fn answer(message: &Message) -> Value {
    serde_json::from_str(&message.text()).unwrap_or_else(|error| panic!("{error}: {}", message.text()))
}

fn ask(host: &Host) -> Value {
    answer(&RawClient::connect(host).get("/"))
}

fn ask_for(host: &Host, name: &str) -> Message {
    let mut client = RawClient::connect(host);
    client.send(format!("GET /app.js HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    client.read_response("GET")
}

/// Whether this is the number of a port that stands in an argument, too.
#[track_caller]
fn is_told_its_port(answer: &Value) {
    let port = answer["port"].as_str().unwrap();
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{answer}");
    assert!(answer["args"].as_array().unwrap().iter().any(|argument| argument == port), "{answer}");
}

#[track_caller]
fn says_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

#[test]
fn an_application_of_the_host_file_runs_in_its_folder_with_its_variables_and_workers() {
    let site = Site::named("shop").file("sub/serve.js", NODE).file("web.config", "<not read").file(
        "ostler.yml",
        "listen: 127.0.0.1:0\napplication:\n  command: node serve.js 'a b' $HOME\n  cwd: sub\n  env:\n    MODE: tea\n  instances: 2\n",
    );
    let host = Host::run([folder(&site).as_str()]).start();
    says_all(
        &host.wait_for_line("app  "),
        &[
            "shop: `node serve.js 'a b'",
            &format!("in {}/sub", folder(&site)),
            "(application of ostler.yml, line 3)",
        ],
    );
    says_all(&host.wait_for_line("ready in"), &["2 ready"]);
    let (one, two) = (ask(&host), ask(&host));
    assert_ne!(one["pid"], two["pid"], "two workers in turn");
    assert_eq!(one["mode"], "tea");
    assert_eq!(one["args"], serde_json::json!(["a b", "$HOME"]), "no shell reads it");
    assert_eq!(one["cwd"], format!("{}/sub", folder(&site)));
    assert_eq!(one["forwarded"], "127.0.0.1");
    assert!(one["port"].as_str().unwrap().starts_with('/'), "a Unix socket: {one}");
}

#[test]
fn a_port_in_the_command_is_a_free_one() {
    let site = Site::named("search")
        .file("search.py", PYTHON)
        .file("ostler.yml", "listen: 127.0.0.1:0\napplication:\n  command: [python3, search.py, '{port}']\n");
    let host = Host::run([folder(&site).as_str()]).start();
    says_all(&host.wait_for_line("app  "), &["search: `python3 search.py"]);
    let answer = ask(&host);
    is_told_its_port(&answer);
    assert_eq!(answer["args"].as_array().unwrap().len(), 1);
}

#[test]
fn flags_win_over_an_application_of_the_host_file() {
    let site = Site::named("shop").file("serve.js", NODE).file(
        "ostler.yml",
        "application:\n  command: node serve.js\n  instances: 4\nlock: [nodeProcessCountPerApplication]\n",
    );
    let host = Host::of(site.path()).instances(1).args(["--transport", "tcp"]).start();
    says_all(&host.wait_for_line("ready in"), &["1 ready"]);
    assert!(ask(&host)["port"].as_str().unwrap().parse::<u16>().is_ok());
}

const MIXED: &str = "\
listen: 127.0.0.1:0
defaults:
  node_env: tea
sites:
  - root: site
    host: site
  - root: search
    host: search.example.com
    application:
      command: python3 search.py {port}
  - application:
      command: node serve.js
      env: {MODE: every other}
";

fn mixed() -> Site {
    let handler = "<configuration><system.webServer><handlers>\
        <add name=\"app\" path=\"app.js\" verb=\"*\" modules=\"iisnode\"/></handlers></system.webServer></configuration>";
    let app = "require('http').createServer((q, r) => r.end(process.env.NODE_ENV)).listen(process.env.PORT)";
    Site::named("mixed")
        .file("ostler.yml", MIXED)
        .file("site/web.config", handler)
        .file("site/app.js", app)
        .file("search/search.py", PYTHON)
        .file("serve.js", NODE)
}

#[test]
fn sites_and_applications_stand_in_one_file_each_for_its_hosts() {
    let site = mixed();
    let host = Host::run([folder(&site).as_str()]).start();
    // They start with the host; the script of the site with its first request.
    says_all(&host.wait_for_line("app      search.example.com: "), &["python3", "for search.example.com"]);
    says_all(&host.wait_for_line("app      mixed: "), &["node serve.js", "for *"]);
    host.wait_for_line("workers  search.example.com 1 ready");
    host.wait_for_line("workers  mixed 1 ready");
    assert_eq!(ask_for(&host, "site").text(), "tea");
    is_told_its_port(&answer(&ask_for(&host, "search.example.com")));
    for name in ["other.example.com", "127.0.0.1"] {
        assert_eq!(answer(&ask_for(&host, name))["mode"], "every other", "{name}");
    }
}

#[test]
fn explain_says_which_application_and_its_command() {
    let site = mixed();
    let folder = folder(&site);
    let explain = |url: &str| ostler(["explain", url, &folder]).success().text();
    says_all(
        &explain("http://search.example.com/x?y"),
        &[
            "the application search.example.com",
            "(application of ostler.yml, line 10)",
            "command      python3 search.py",
            "/python3\n",
            &format!("folder       {folder}/search\n"),
            "a free TCP port",
            "maxConcurrentRequestsPerProcess",
        ],
    );
    says_all(&explain("http://else/"), &["the application mixed", "variables    MODE\n"]);
    assert!(!explain("http://else/").contains("every other"), "values may be secrets");
    says_all(&explain("http://site/app.js"), &["the application app.js"]);
    let told = ostler(["explain", "--json", "http://else/", &folder]).success();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["application"], "mixed");
    let site = Site::named("shop").file("Procfile", "web: python3 -m http.server $PORT\n");
    let told = ostler(["explain", "/", site.path().to_str().unwrap()]).success().text();
    says_all(&told, &["shop (the web line of Procfile)", "python3 -m http.server", "a free TCP port"]);
}

#[test]
fn check_reads_applications_too() {
    let check = |text: &str| {
        let site = Site::named("shop").file("ostler.yml", text);
        let outcome = ostler(["check", site.path().to_str().unwrap()]);
        (outcome.status.code(), outcome.text())
    };
    for (text, code, words) in [
        ("application:\n  command: node a.js\n", 0, &["1 file read: 0 errors, 0 warnings"][..]),
        (
            "application:\n  command: no-such-program a.js\n",
            2,
            &["ostler.yml:2:12: error:", "`no-such-program`"],
        ),
        ("application:\n  command: node a\n  cwd: gone\n", 2, &["ostler.yml:3:8: error:", "/shop/gone"]),
        (
            "application:\n  command: node a.js && node b.js\n",
            0,
            &["ostler.yml:2:12: warning:", "no shell", "sh -c"],
        ),
        ("application:\n  command: node\n  instances: 5000\n", 0, &["3:14: warning:", "1024 is used"]),
        ("application:\n  command: node\n  instances: many\n", 2, &["3:14: error:", "for `instances`"]),
        ("application:\n  command: node\n  readyStatus: 999\n", 2, &["3:16: error:", "from 100 to 599"]),
        ("application:\n  command: node a {port} {socket}\n", 2, &["2:12: error:", "and for `{socket}`"]),
        ("application:\n  command: node a {PORT}\n", 0, &["2:12: warning:", "did you mean `{port}`?"]),
        ("application:\n  comand: node\n", 2, &["2:3: error:", "did you mean `command`?"]),
        (
            "sites:\n- application:\n    command: node a.js\n  root: gone\n",
            2,
            &["ostler.yml:4:9: error:", "/shop/gone"],
        ),
    ] {
        let (status, told) = check(text);
        assert_eq!(status, Some(code), "{text}{told}");
        says_all(&told, words);
    }
    let site = Site::named("shop").file("Procfile", "web: no-such-program $PORT\n");
    let outcome = ostler(["check", site.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(2));
    says_all(&outcome.text(), &["Procfile:1:1: error:", "`no-such-program`"]);
}

#[test]
fn a_host_does_not_start_without_its_program() {
    let site = Site::named("shop")
        .file("ostler.yml", "listen: 127.0.0.1:0\nsites:\n- application:\n    command: no-such-program\n");
    let outcome = ostler(["run", site.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.stderr);
    says_all(&outcome.stderr, &["ostler.yml:4:14: error:", "`no-such-program`", "PATH"]);
}

#[test]
fn a_procfile_is_run_as_heroku_does() {
    let site = Site::named("shop")
        .file("Procfile", "release: false\nweb: MODE=tea python3 search.py $PORT 'a b'\nworker: false\n")
        .file("search.py", PYTHON)
        .file("package.json", r#"{"scripts": {"start": "false"}}"#);
    let host = Host::of(site.path()).start();
    says_all(
        &host.wait_for_line("app  "),
        &[
            "shop: `python3 search.py ",
            "the web line of Procfile",
            "package.json is there too and is not used",
            "its lines release and worker are not run",
        ],
    );
    let answer = ask(&host);
    is_told_its_port(&answer);
    assert_eq!((&answer["mode"], &answer["args"][1]), (&"tea".into(), &"a b".into()));
}

#[test]
fn a_shell_runs_what_only_a_shell_understands_and_the_line_says_so() {
    let start = "true && MODE=${MODE:-shell} node serve.js $PORT";
    let package = serde_json::json!({ "name": "shop", "scripts": { "start": start } }).to_string();
    let site = Site::named("folder").file("package.json", &package).file("serve.js", NODE);
    let host = Host::of(site.path()).start();
    says_all(
        &host.wait_for_line("app  "),
        &["shop: `sh -c ", "the start script of package.json", "a shell runs it, for the && in it"],
    );
    let answer = ask(&host);
    is_told_its_port(&answer);
    assert_eq!(answer["mode"], "shell");
}

#[test]
fn a_procfile_without_a_web_line_is_passed_over_or_named() {
    let site = Site::named("shop").file("Procfile", "worker: false\n");
    let outcome = ostler(["run", site.path().to_str().unwrap(), "--listen", "0"]);
    assert_eq!(outcome.status.code(), Some(2));
    says_all(&outcome.stderr, &["Procfile has no `web:` line", "only worker", "server.js"]);
    let site = site.file("server.js", NODE);
    let host = Host::of(site.path()).start();
    says_all(&host.wait_for_line("app  "), &["server.js is there", "Procfile has no web line"]);
}

#[test]
fn exec_is_split_and_no_shell_reads_it() {
    let site = Site::named("shop").file("serve.js", NODE).file("search.py", PYTHON);
    let host = Host::of(site.path()).args(["--exec", "node serve.js 'a b' $HOME && *"]).start();
    assert_eq!(ask(&host)["args"], serde_json::json!(["a b", "$HOME", "&&", "*"]));
    let host = Host::of(site.path()).args(["--exec", "python3 search.py {port}"]).start();
    is_told_its_port(&ask(&host));
    let shell = ["--transport", "tcp", "--exec", "sh -c 'MODE=tea exec python3 search.py $PORT'"];
    let answer = ask(&Host::of(site.path()).args(shell).start());
    is_told_its_port(&answer);
    assert_eq!(answer["mode"], "tea");
    says_all(&ostler(["run", "--help"]).success().text(), &["no shell reads it", "sh -c"]);
}

#[test]
fn a_host_file_that_names_nothing_is_for_the_application_of_its_folder() {
    let site = Site::named("shop").file("server.js", NODE).file(
        "ostler.yml",
        "listen: 127.0.0.1:0\ndefaults:\n  nodeProcessCountPerApplication: 3\n  node_env: passed over\n",
    );
    let host = Host::run([folder(&site).as_str()]).start();
    says_all(&host.wait_for_line("app  "), &["shop: `node server.js`", "server.js is there"]);
    says_all(&host.wait_for_line("ready in"), &["3 ready"]);
    assert_eq!(ask(&host)["cwd"], folder(&site));
    // Where there is nothing to run, it is for the files.
    let site = Site::named("files").file("ostler.yml", "listen: 127.0.0.1:0\n").file("a.txt", "a file");
    let host = Host::run([folder(&site).as_str()]).start();
    assert_eq!(RawClient::connect(&host).get("/a.txt").text(), "a file");
}

#[test]
fn what_fails_is_told_in_one_sentence_and_to_who_sits_at_the_machine_with_all_of_it() {
    let site = Site::named("shop").file("server.js", "console.error('out of tea'); process.exit(3)");
    // Who develops wants to see it in any browser.
    for (host, told_afar) in [(Host::of(site.path()), false), (Host::dev(site.path()), true)] {
        let host = host.without_waiting().start();
        host.wait_for_line("did not start");
        for (fields, told) in [(&[][..], true), (&[FROM_AFAR], told_afar)] {
            let message = crate::iisnode::ask(&host, "/", fields);
            assert!(message.head.status() >= 500, "{}", message.text());
            assert_eq!(message.text().contains("out of tea"), told, "{}", message.text());
        }
    }
}

#[test]
fn a_change_of_a_watched_file_is_seen_by_the_next_request() {
    let app = |text: &str| NODE.replace("mode: process.env.MODE", &format!("mode: '{text}'"));
    let block = "  application:\n    command: node serve.js\n    watchedFiles: '*.js'\n";
    for file in [
        format!("sites:\n- host: [some.example.com, '*']\n{block}"),
        block.replace("  application", "application").to_owned(),
    ] {
        let site = Site::named("shop").file("serve.js", &app("before")).file("ostler.yml", &file);
        let host = Host::of(site.path()).start();
        assert_eq!(ask(&host)["mode"], "before");
        site.write("serve.js", &app("after"));
        assert_eq!(ask(&host)["mode"], "after", "{file}");
    }
}
