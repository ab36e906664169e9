//! What an ostler.yml may say, and what is said about one that is wrong.

use std::fs;
use std::path::Path;

use super::{HostFile, load, reader};
use crate::base::address::Address;
use crate::config::source::Note;

fn read(text: &str) -> Result<HostFile, Vec<Note>> {
    reader::read(text, Path::new("/etc/o.yml"))
}

fn errors(text: &str) -> String {
    read(text).unwrap_err().iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn the_documented_example_is_read_and_every_key_is_in_it() {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ostler-yml.md")).unwrap();
    let mut examples = document.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let example = examples.next().unwrap();
    let host_file = read(example).unwrap_or_else(|notes| panic!("{notes:?}"));
    for key in reader::KEYS.iter().chain(reader::SITE_KEYS) {
        assert!(example.contains(&format!("{key}:")), "the example has no `{key}`");
        assert!(document.contains(&format!("| `{key}` |")), "docs/ostler-yml.md does not tell of `{key}`");
    }
    assert_eq!(host_file.listen.len(), 2);
    assert_eq!(host_file.sites.len(), 4);
    let site = &host_file.sites[0];
    assert!(site.root.value.is_absolute());
    let defaults = host_file.defaults_for(site);
    let told: Vec<String> =
        defaults.settings.iter().map(|(name, value)| format!("{name}={}", value.value)).collect();
    assert_eq!(
        told,
        [
            "loggingEnabled=true",
            "maxConcurrentRequestsPerProcess=512",
            "nodeProcessCountPerApplication=4",
            "logAccess=anyone"
        ]
    );
    assert_eq!(defaults.lock.len(), 1);
    assert_eq!(host_file.limits.head_bytes, 16 * 1024);
    assert_eq!(host_file.threads.map(|threads| threads.value), Some(0));
}

#[test]
fn an_empty_file_says_nothing() {
    for text in ["", "# nothing\n", "sites:\nlisten:\ndefaults:\nlock:\nlimits:\nthreads:\n"] {
        let host_file = read(text).unwrap();
        assert!(host_file.listen.is_empty() && host_file.sites.is_empty() && host_file.defaults.is_empty());
    }
}

#[test]
fn paths_start_at_the_file_and_hosts_are_read_alone_or_in_a_list() {
    let host_file = read(
        "listen: [8080, 'unix:run/o.sock']\nsites:\n- root: a/b\n  host: X.com\n- root: /srv/c\n  host: [y.com, '*.y.com']\n- root: d\n",
    )
    .unwrap();
    assert_eq!(host_file.listen[1].value, Address::Unix("/etc/run/o.sock".into()));
    let told: Vec<String> = host_file
        .sites
        .iter()
        .map(|site| {
            let hosts: Vec<String> =
                site.hosts.iter().map(|host| format!("{} at {}", host.value, host.source)).collect();
            format!("{}: {}", site.root.value.display(), hosts.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "/etc/a/b: x.com at /etc/o.yml:4:9",
            "/srv/c: y.com at /etc/o.yml:6:9, *.y.com at /etc/o.yml:6:9",
            "/etc/d: * at /etc/o.yml:7:3",
        ]
    );
}

#[test]
fn every_error_is_told_with_its_place_and_what_is_allowed() {
    let told = errors(
        "\
listen: [here]
sties: []
sites:
  - root: a
    hots: x
  - host: b:80
defaults:
  logingEnabled: true
  maxLogFiles: many
  logAccess: [local]
lock: [logAccess, nothing]
limits:
  headBytes: 1
  speed: 3
threads: -1
",
    );
    let expected = [
        "/etc/o.yml:1:9: error: `here` is not an address: expected HOST:PORT, PORT or unix:/path",
        "/etc/o.yml:2:1: error: there is no key `sties` here; allowed are listen, sites, application, defaults, lock, limits, accessLog, threads",
        "/etc/o.yml:5:5: error: there is no key `hots` here; allowed are root, host, application, settings",
        "/etc/o.yml:6:11: error: `b:80` is not a host; a host is a name without scheme and port; ports stand below `listen`",
        "/etc/o.yml:6:5: error: host `*` leads to another site already, at /etc/o.yml:4:5; \
         a site without `host` is for `*`: every name that no other site has",
        "/etc/o.yml:6:5: error: this site has no `root`; `root` is the folder that holds the site",
        "/etc/o.yml:8:18: error: `logingEnabled` is not a setting; did you mean `loggingEnabled`?",
        "/etc/o.yml:9:16: error: `many` is not a value for `maxLogFiles`; \
         allowed is a whole number of files from 0 to 1000000",
        "/etc/o.yml:10:14: error: expected one value",
        "/etc/o.yml:11:7: error: `nothing` is not a setting; docs/settings.md lists the settings",
        "/etc/o.yml:13:14: error: `1` is not a value for `headBytes`: expected a size from 1KiB to 1MiB, such as 32KiB",
        "/etc/o.yml:14:10: error: `speed` is not a limit; there are headBytes,",
        "/etc/o.yml:15:10: error: `threads` is not such a number; allowed is a number from 0 (one for each core) to 1024",
    ];
    for (line, expected) in told.lines().zip(expected) {
        assert!(line.starts_with(expected), "\n{line}\n{expected}");
    }
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

#[test]
fn one_host_for_two_sites_is_an_error_that_names_both() {
    let told = errors("sites:\n- root: a\n  host: x.com\n- root: b\n  host: [y.com, X.com]\n");
    assert!(
        told.starts_with(
            "/etc/o.yml:5:9: error: host `x.com` leads to another site already, at /etc/o.yml:3:9"
        )
    );
}

#[test]
fn what_is_not_yaml_has_a_place_and_so_has_a_key_that_stands_twice() {
    for (text, told) in [
        ("listen: [\n", "/etc/o.yml:2:1: error: this is not YAML"),
        ("a: b: c\n", "/etc/o.yml:1:5: error: this is not YAML"),
        (
            "threads: 1\nlimits: {}\nthreads: 2\n",
            "/etc/o.yml:3:1: error: `threads` stands here and in line 1",
        ),
        ("- a\n", "/etc/o.yml:1:"),
        ("sites: {}\n", "/etc/o.yml:1:8: error: `sites` is a list"),
        ("sites:\n- a\n", "/etc/o.yml:2:3: error: expected a site"),
        ("listen: !x 80\n", "/etc/o.yml:1:9: error: expected an address"),
    ] {
        assert!(errors(text).starts_with(told), "{text}: {}", errors(text));
    }
}

#[test]
fn a_file_that_is_missing_or_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ostler.yml");
    let told = |path: &Path| load(path).unwrap_err()[0].to_string();
    assert!(told(&path).contains("cannot be read"));
    assert!(told(folder.path()).contains("it is not a file"));
    fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(told(&path).contains("larger than 1 MiB"));
    fs::write(&path, b"# \xff").unwrap();
    assert!(told(&path).contains("not UTF-8"));
    fs::write(&path, "threads: 3").unwrap();
    assert_eq!(load(&path).unwrap().threads.unwrap().value, 3);
}

fn block(text: &str) -> String {
    let indented = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    match read(&format!("application:\n{indented}")) {
        Ok(host_file) => {
            let entry = host_file.application.unwrap();
            let settings = entry.settings.iter().map(|(name, value)| format!(" {name}={}", value.value));
            let variables = entry.variables.iter().map(|(name, value)| format!(" {name}:{}", value.value));
            let rest: String = variables.chain(settings).collect();
            format!("{} in {}{rest}", entry.command.value.join("|"), entry.directory.value.display())
        }
        Err(notes) => notes.iter().map(|note| format!("{note}\n")).collect(),
    }
}

#[test]
fn an_application_has_a_command_a_folder_variables_and_settings() {
    for (text, expected) in [
        ("command: python3 -m 'my app' {port}", "python3|-m|my app|{port} in /etc"),
        ("command: [node, 'a b.js', 8]", "node|a b.js|8 in /etc"),
        ("command:\n- node\n- a.js\ncwd: sub", "node|a.js in /etc/sub"),
        ("command: x\ncwd: /srv\nenv:\n  A: 1\n  B:\n  C: yes", "x in /srv A:1 B: C:yes"),
        (
            "command: x\ninstances: 2\nmaxConcurrent: 8\nreadyPath: /ok\nqueueLength:",
            "x in /etc nodeProcessCountPerApplication=2 maxConcurrentRequestsPerProcess=8 readyPath=/ok",
        ),
        ("command: x {port}\ntransport: tcp", "x|{port} in /etc transport=tcp"),
    ] {
        assert_eq!(block(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_in_an_application_is_told_with_its_place_and_what_is_allowed() {
    for (text, words) in [
        ("cwd: x", &["o.yml:1:1:", "no `command`", "no shell"][..]),
        ("command: ''", &["2:12:", "is empty"]),
        ("command:", &["is empty"]),
        ("command: []", &["is empty"]),
        ("command: \"x 'y\"", &["2:12:", "quote of this command is not closed"]),
        ("command: {a: b}", &["expected a command"]),
        ("command: [x, [y]]", &["expected a word of a command"]),
        ("command: x\nreadyPth: /", &["3:3:", "there is no key `readyPth`", "`readyPath`?"]),
        ("command: x\nnode_env: /", &["3:3:", "`node_env`", "scripts"]),
        ("command: x\ninstances: many", &["3:14:", "`many`", "from 0 to 1024"]),
        ("command: x\ntransport: udp", &["3:14:", "`udp`", "unix or tcp"]),
        (
            "command: x\ninstances: 1\nnodeProcessCountPerApplication: 2",
            &["4:35:", "stands at /etc/o.yml:3:14 already"],
        ),
        ("command: x {port}\ntransport: unix", &["3:14:", "asks for `{port}`", "transport: tcp"]),
        ("command: x {socket}\ntransport: tcp", &["3:14:", "asks for `{socket}`"]),
        ("command: x {socket} {port}", &["2:12:", "`{port}` and for `{socket}`"]),
        ("command: x\nenv:\n  PORT: 1", &["4:11:", "`PORT` is set by the host"]),
        ("command: x\nenv:\n  'a=b': 1", &["`a=b` cannot be the name"]),
        ("command: x\nenv: [a]", &["3:8:", "variables, each with its value"]),
        ("command: x\ncwd: [a]", &["3:8:", "the path of a folder"]),
    ] {
        let told = block(text);
        for word in words {
            assert!(told.contains(word), "{text}: `{word}` is not in {told}");
        }
    }
    assert!(errors("application: x\n").contains("1:14: error: expected an application"));
    assert!(errors("application:\n").contains("no `command`"));
}

#[test]
fn an_application_stands_for_all_hosts_or_in_a_site() {
    let told = errors("sites:\n- root: a\napplication:\n  command: x\n");
    assert!(told.contains("3:1: error: `application` is for every host"), "{told}");
    let host_file = read(
        "sites:\n- application:\n    command: x\n    cwd: c\n  host: a\n- application: {command: y, cwd: c}\n  root: r\n- root: s\n  host: s\n",
    )
    .unwrap();
    let folder = |site: usize| {
        let site = &host_file.sites[site];
        let cwd = site.application.as_ref().map(|entry| entry.directory.value.display().to_string());
        format!("{} {}", site.root.value.display(), cwd.unwrap_or_default())
    };
    assert_eq!([folder(0), folder(1), folder(2)], ["/etc /etc/c", "/etc/r /etc/r/c", "/etc/s "]);
    // A file that is named without its folder lies here.
    for text in ["application:\n  command: x\n", "sites:\n- application:\n    command: x\n"] {
        let host_file = reader::read(text, Path::new("o.yml")).unwrap();
        let entry = host_file.application.as_ref().or_else(|| host_file.sites[0].application.as_ref());
        assert_eq!(entry.unwrap().directory.value, Path::new("."));
        assert_eq!(host_file.folder, Path::new("."));
    }
}
