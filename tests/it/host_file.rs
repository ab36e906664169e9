//! ostler.yml through the real binary: where a host listens, which site a name leads to, what is set for all of them.

use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Host, Message, PATIENCE, RawClient, Site, Wire, eventually, ostler};

/// Says how it was started.
const APP: &str = "const { NODE_ENV, PORT } = process.env;
require('http').createServer((q, r) => r.end(NODE_ENV + ' on ' + PORT)).listen(PORT);";
const HANDLER: &str = "<configuration><system.webServer><handlers>\
    <add name=\"app\" path=\"app.js\" verb=\"*\" modules=\"iisnode\"/>\
    </handlers></system.webServer></configuration>";

/// A folder with three sites: each has a file that names it and an application.
fn sites(ostler_yml: &str) -> Site {
    let folder = Site::named("sites").file("ostler.yml", ostler_yml);
    ["shop", "customers", "front"].into_iter().fold(folder, |folder, name| {
        folder
            .file(&format!("{name}/who.txt"), name)
            .file(&format!("{name}/app.js"), APP)
            .file(&format!("{name}/web.config"), HANDLER)
    })
}

fn path(site: &Site, name: &str) -> String {
    site.path().join(name).to_str().unwrap().to_owned()
}

fn ask(wire: &mut Wire, host_name: &str, target: &str) -> Message {
    wire.send(format!("GET {target} HTTP/1.1\r\nHost: {host_name}\r\n\r\n"));
    wire.read_response("GET")
}

fn text(host: &Host, host_name: &str, target: &str) -> String {
    ask(&mut RawClient::connect(host), host_name, target).text()
}

#[track_caller]
fn says_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

const BY_NAME: &str = "\
listen: [127.0.0.1:0, 127.0.0.1:0, 'unix:run.sock']
sites:
  - root: shop
    host: [shop.example.com, www.shop.example.com]
  - root: customers
    host: '*.example.com'
  - root: front
";

#[test]
fn the_most_exact_name_leads_to_its_site_on_every_listener() {
    let folder = sites(BY_NAME);
    let host = Host::run(["--config", &path(&folder, "ostler.yml")]).start();
    let second = host.wait_for_line("and  http://");
    let second = second.rsplit("http://").next().unwrap().trim_end_matches('/').to_owned();
    host.wait_for_line("and  unix:");
    let tcp = |address: &str| Wire::new(std::net::TcpStream::connect(address).unwrap());
    let unix = Wire::new(UnixStream::connect(path(&folder, "run.sock")).unwrap());
    assert_ne!(second, format!("127.0.0.1:{}", host.port()));
    for mut wire in [tcp(&format!("127.0.0.1:{}", host.port())), tcp(&second), unix] {
        for (name, site) in [
            ("shop.example.com", "shop"),
            ("WWW.Shop.Example.COM:8080", "shop"),
            ("m.shop.example.com", "customers"),
            ("a.example.com", "customers"),
            ("example.com", "front"),
            ("127.0.0.1", "front"),
        ] {
            assert_eq!(ask(&mut wire, name, "/who.txt").text(), site, "{name}");
        }
    }
}

#[test]
fn a_name_that_no_site_has_gets_404() {
    let folder = sites("listen: 127.0.0.1:0\nsites:\n- root: shop\n  host: shop.example.com\n");
    let host = Host::run(["--config", &path(&folder, "ostler.yml")]).start();
    assert_eq!(text(&host, "shop.example.com", "/who.txt"), "shop");
    for name in ["other.example.com", "xshop.example.com", "shop.example.com.evil.org"] {
        assert_eq!(ask(&mut RawClient::connect(&host), name, "/who.txt").head.status(), 404, "{name}");
    }
}

#[test]
fn the_file_in_the_folder_is_the_hosts() {
    let folder = sites(BY_NAME);
    let host = Host::run([folder.path().to_str().unwrap()]).start();
    assert_eq!(text(&host, "a.example.com", "/who.txt"), "customers");
    // A flag wins over the file: no other listener is opened.
    let host = Host::of(folder.path()).without_waiting().start();
    assert_eq!(text(&host, "shop.example.com", "/who.txt"), "shop");
    assert!(!host.lines().iter().any(|line| line.contains("and  ")), "{:?}", host.lines());
}

#[test]
fn a_file_without_sites_serves_its_folder_with_its_defaults() {
    let folder =
        Site::iisnode("app.js", APP).file("ostler.yml", "listen: 127.0.0.1:0\ndefaults:\n  node_env: tea\n");
    let host = Host::run([folder.path().to_str().unwrap()]).start();
    assert!(text(&host, "any", "/app.js").starts_with("tea on /"));
}

const SETTINGS: &str = "\
listen: 127.0.0.1:0
sites:
  - root: shop
    host: shop
  - root: customers
    host: customers
    settings:
      node_env: site
  - root: front
defaults:
  node_env: defaults
";

#[test]
fn defaults_hold_until_a_site_says_otherwise() {
    let folder = sites(SETTINGS).file("front/iisnode.yml", "node_env: file\n");
    let host = Host::run(["--config", &path(&folder, "ostler.yml")]).start();
    for (name, told) in [("shop", "defaults on "), ("customers", "site on "), ("front", "file on ")] {
        let text = text(&host, name, "/app.js");
        assert!(text.starts_with(told), "{name}: {text}");
    }
}

#[test]
fn what_is_locked_no_site_changes_and_the_warning_names_both_places() {
    let set = HANDLER.replace("<handlers>", "<iisnode node_env=\"config\"/><handlers>");
    let folder = sites(&format!("{SETTINGS}lock: [node_env]\n"))
        .file("front/iisnode.yml", "# ours\nnode_env: file\n")
        .file("shop/web.config", &set);
    let config = path(&folder, "ostler.yml");
    let host = Host::run(["--config", &config]).start();
    for (name, told) in [("shop", "defaults on "), ("customers", "site on "), ("front", "defaults on ")] {
        let text = text(&host, name, "/app.js");
        assert!(text.starts_with(told), "{name}: {text}");
    }
    says_all(&host.wait_for_line("iisnode.yml:2:"), &["node_env", "ostler.yml:12:"]);
    let outcome = ostler(["check", "--config", &config, folder.path().to_str().unwrap()]).success();
    let told = outcome.text();
    for place in ["front/iisnode.yml:2:", "shop/web.config:1:"] {
        let line =
            told.lines().find(|line| line.contains(place)).unwrap_or_else(|| panic!("no {place} in\n{told}"));
        says_all(line, &["warning:", "node_env", "ostler.yml:12:"]);
    }
}

#[test]
fn explain_tells_values_of_the_hosts_file_with_their_places() {
    let folder = sites(SETTINGS);
    let (config, site) = (path(&folder, "ostler.yml"), path(&folder, "customers"));
    let told = ostler(["explain", "--json", "--config", &config, "/app.js", &site]).success();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let setting =
        told["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == "node_env").unwrap();
    assert_eq!(setting["value"], "site");
    assert!(setting["source"].as_str().unwrap().ends_with("ostler.yml:8:17"), "{setting}");
}

#[test]
fn explain_takes_the_site_that_the_host_of_the_url_leads_to() {
    let folder = sites(BY_NAME);
    let explain = |url| ostler(["explain", url, folder.path().to_str().unwrap()]);
    for (url, site) in [
        ("https://Shop.example.com:8080/who.txt", "/shop\n"),
        ("http://a.example.com/who.txt", "/customers\n"),
        ("http://example.com/who.txt", "/front\n"),
        ("/who.txt", "/shop\n"),
    ] {
        says_all(&explain(url).success().text(), &[site, "the static file who.txt"]);
    }
    let folder = sites("sites:\n- root: shop\n  host: shop.example.com\n");
    let outcome = ostler(["explain", "http://other.example.com/", folder.path().to_str().unwrap()]);
    assert_eq!(outcome.status.code(), Some(2));
    says_all(&outcome.stderr, &["no site is for the host other.example.com"]);
}

#[test]
fn limits_and_threads_of_the_file_hold() {
    let folder = sites(&format!("{SETTINGS}limits:\n  headBytes: 1KiB\nthreads: 3\n"));
    let config = path(&folder, "ostler.yml");
    let threads = |host: &Host| {
        let names = std::fs::read_dir(format!("/proc/{}/task", host.pid()))
            .unwrap()
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
        names.filter(|name| name.starts_with("core")).count()
    };
    let host = Host::run(["--config", &config]).start();
    let long = format!("/who.txt?{}", "x".repeat(2000));
    assert_eq!(ask(&mut RawClient::connect(&host), "shop", &long).head.status(), 431);
    assert_eq!(text(&host, "shop", "/who.txt"), "shop");
    eventually(PATIENCE, "three cores", || (threads(&host) == 3).then_some(()));
    // Flags win.
    let host = Host::run(["--config", &config, "--threads", "2", "--limit", "headBytes=8KiB"]).start();
    assert_eq!(ask(&mut RawClient::connect(&host), "shop", &long).text(), "shop");
    eventually(PATIENCE, "two cores", || (threads(&host) == 2).then_some(()));
}

#[test]
fn flags_win_over_every_file() {
    let folder = sites(&format!(
        "{SETTINGS}  nodeProcessCountPerApplication: 3\nlock: [nodeProcessCountPerApplication]\n"
    ))
    .file("shop/iisnode.yml", "nodeProcessCountPerApplication: 4\n");
    let config = path(&folder, "ostler.yml");
    let host = Host::run(["--config", &config, "--instances", "2", "--transport", "tcp"]).start();
    let told = text(&host, "shop", "/app.js");
    let port = told.rsplit(' ').next().unwrap();
    assert!(port.parse::<u16>().is_ok(), "{told}");
    says_all(&host.wait_for_line(" ready in "), &["2 ready"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_allowed_and_ends_with_2() {
    let cases: &[(&str, &[&str])] = &[
        (
            "sties: []\n",
            &[
                "ostler.yml:1:1: error:",
                "`sties`",
                "listen, sites, application, defaults, lock, limits, accessLog, threads",
            ],
        ),
        (
            "sites:\n- root: shop\n  hots: x\n",
            &["ostler.yml:3:3: error:", "`hots`", "root, host, application, settings"],
        ),
        ("threads: many\n", &["ostler.yml:1:10: error:", "0 (one for each core) to 1024"]),
        ("limits:\n  headBytes: 1\n", &["ostler.yml:2:14: error:", "from 1KiB to 1MiB"]),
        (
            "defaults:\n  maxLogFiles: many\n",
            &["ostler.yml:2:16: error:", "`many`", "a whole number of files"],
        ),
        ("listen: here\n", &["ostler.yml:1:9: error:", "HOST:PORT, PORT or unix:/path"]),
        ("sites:\n- root: gone\n", &["ostler.yml:2:9: error:", "/gone", "the folder that holds the site"]),
        ("sites:\n- host: a\n", &["ostler.yml:2:3: error:", "no `root`"]),
        (
            "sites:\n- root: shop\n  host: a.com\n- root: front\n  host: A.com\n",
            &["ostler.yml:5:9: error:", "`a.com`", "ostler.yml:3:9"],
        ),
        ("threads: 1\nthreads: 2\n", &["ostler.yml:2:1: error:", "line 1"]),
        ("listen: [\n", &["ostler.yml:2:1: error:", "not YAML"]),
    ];
    for (text, words) in cases {
        let folder = sites(text);
        let (config, path) = (path(&folder, "ostler.yml"), folder.path().to_str().unwrap().to_owned());
        for arguments in
            [&["run", &path][..], &["run", "--config", &config], &["check", &path], &["explain", "/", &path]]
        {
            let outcome = ostler(arguments.iter().copied());
            assert_eq!(outcome.status.code(), Some(2), "{arguments:?}: {text}{}", outcome.stderr);
            says_all(&(outcome.text() + &outcome.stderr), words);
        }
        let told = ostler(["check", "--json", &path]);
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert!(told["notes"][0]["line"].is_u64() && told["errors"].as_u64() >= Some(1), "{told:#}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = sites("");
    let absent = path(&folder, "absent.yml");
    let outcome = ostler(["run", "--config", &absent]);
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.stderr);
    assert!(Path::new(&absent).is_absolute());
    says_all(&outcome.stderr, &["absent.yml", "cannot be read"]);
}

#[test]
fn a_path_of_windows_in_double_quotes_is_told_to_stand_in_single_ones() {
    for path in [r"C:\PHP\php-cgi.exe", r"C:\xamp\php-cgi.exe", r"C:\new\tools.exe"] {
        for key in ["programs", "fastCgi"] {
            let value = if key == "programs" { "php-cgi" } else { "{maxInstances: 2}" };
            let folder = sites(&format!("{key}:\n  \"{path}\": {value}\n"));
            let outcome = ostler(["check", folder.path().to_str().unwrap()]);
            assert_eq!(outcome.status.code(), Some(2), "{path}");
            says_all(
                &outcome.text(),
                &["ostler.yml:", "1 file read: 1 error", r"single quotes, as 'C:\PHP\php-cgi.exe'"],
            );
            let folder = sites(&format!("{key}:\n  '{path}': {value}\n"));
            ostler(["check", folder.path().to_str().unwrap()]).success();
        }
    }
}
