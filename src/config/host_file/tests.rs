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
    let example = document.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let host_file = read(example).unwrap_or_else(|notes| panic!("{notes:?}"));
    for key in reader::KEYS.iter().chain(reader::SITE_KEYS) {
        assert!(example.contains(&format!("{key}:")), "the example has no `{key}`");
        assert!(document.contains(&format!("| `{key}` |")), "docs/ostler-yml.md does not tell of `{key}`");
    }
    assert_eq!(host_file.listen.len(), 2);
    assert_eq!(host_file.sites.len(), 3);
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
        "/etc/o.yml:2:1: error: there is no key `sties` here; allowed are listen, sites, defaults, lock, limits, threads",
        "/etc/o.yml:5:5: error: there is no key `hots` here; allowed are root, host, settings",
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
