//! What a list of watched files promises, on real directories.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::WatchedFiles;
use crate::tend::watch::fingerprint::What;

fn site(files: &[&str]) -> TempDir {
    let site = tempfile::tempdir().expect("a directory");
    for file in files {
        write(&site.path().join(file), "1");
    }
    site
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has a parent")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

/// Relative to the site, sorted.
fn found(list: &str, site: &Path, exclude: &[PathBuf]) -> Vec<String> {
    let seen = WatchedFiles::parse(list, site).fingerprint(exclude);
    let paths = seen.files.keys();
    paths.map(|path| path.strip_prefix(site).unwrap_or(path).display().to_string()).collect()
}

#[test]
fn a_list_names_the_files_it_says_and_no_others() {
    let site = site(&[
        "server.js",
        "Other.JS",
        "iisnode.yml",
        "web.config",
        "noextension",
        "data[1].json",
        "data1.json",
        "lib/a.js",
        "lib/deep/b.js",
        "lib/deep/b.txt",
        "node_modules/one.js",
        "node_modules/pkg/index.js",
    ]);
    for (list, expected) in [
        ("", &[] as &[&str]),
        (";;", &[]),
        ("*.js;iisnode.yml", &["Other.JS", "iisnode.yml", "server.js"]),
        ("*.js;web.config;MYWEB.CONFIG;", &["Other.JS", "server.js"]),
        ("s?rver.js", &["server.js"]),
        ("SERVER.JS", &["server.js"]),
        ("missing.js;missing/*.js;missing/deep/x.js", &[]),
        ("node_modules\\*", &["node_modules/one.js"]),
        ("node_modules\\", &[]),
        ("/lib/*.js", &["lib/a.js"]),
        ("Lib\\*.js", &["lib/a.js"]),
        ("lib/../server.js", &["server.js"]),
        ("./lib/./a.js", &["lib/a.js"]),
        ("lib/**/*.js", &["lib/a.js", "lib/deep/b.js"]),
        ("lib/**", &["lib/a.js", "lib/deep/b.js", "lib/deep/b.txt"]),
        ("**/deep/*.js", &["lib/deep/b.js"]),
        ("data[1].json", &["data[1].json"]),
        ("data[1]*", &["data[1].json"]),
        ("n*.*", &[]),
        ("lib/*.*", &["lib/a.js"]),
        (" server.js", &[]),
    ] {
        assert_eq!(found(list, site.path(), &[]), expected, "{list:?}");
    }
    assert!(found("*.*", site.path(), &[]).contains(&"noextension".to_owned()));
    let from_below = WatchedFiles::parse("../*.js", &site.path().join("lib"));
    assert_eq!(from_below.directories(), [(site.path().to_owned(), false)]);
    assert_eq!(from_below.fingerprint(&[]).len(), 2);
}

#[test]
fn log_directories_never_count_unless_they_are_where_the_script_is() {
    let site = site(&["server.js", "iisnode/log.js", "lib/iisnode/log.js"]);
    let logs = [site.path().join("iisnode")];
    assert_eq!(found("**/*.js;iisnode/*", site.path(), &logs), ["lib/iisnode/log.js", "server.js"]);
    assert_eq!(found("*.js", site.path(), &[site.path().to_owned()]), ["server.js"]);
}

#[test]
fn directories_are_listed_once_each_and_say_how_deep() {
    let base = Path::new("/a site");
    let list = WatchedFiles::parse("*.js;iisnode.yml;lib\\*.js;src/**/*.ts;src/x.js", base);
    let expected = [(base.into(), false), (base.join("lib"), false), (base.join("src"), true)];
    assert_eq!(list.directories(), expected);
}

#[test]
fn only_paths_that_may_matter_concern_a_list() {
    let site = site(&["server.js", "readme.md", "src/a/x.js", "src/a/x.md"]);
    let at = |path: &str| site.path().join(path);
    let list = WatchedFiles::parse("*.js;iisnode.yml;src/**/*.js", site.path());
    for path in ["server.js", "new.JS", "IISNODE.yml", "src", "src/a", "src/a/x.js", "src/gone", ""] {
        assert!(list.concerns(&at(path)), "{path}");
    }
    assert!(list.concerns(site.path().parent().expect("it has a parent")));
    for path in ["readme.md", "lib/x.js", "src/a/x.md"] {
        assert!(!list.concerns(&at(path)), "{path}");
    }
}

#[test]
fn every_way_to_change_a_file_is_told_and_nothing_else() {
    let site = site(&["server.js", "lib.js", "exact.txt"]);
    let at = |path: &str| site.path().join(path);
    let list = WatchedFiles::parse("*.js;exact.txt;new/late.txt", site.path());
    let mut known = list.fingerprint(&[]);
    let mut step = |act: &dyn Fn(), expected: Option<(&str, What)>| {
        act();
        let now = list.fingerprint(&[]);
        let change = known.difference(&now).map(|change| (change.path, change.what));
        assert_eq!(change, expected.map(|(path, what)| (at(path), what)));
        known = now;
    };
    step(&|| {}, None);
    step(&|| write(&at("server.js"), "22"), Some(("server.js", What::Written)));
    step(
        &|| {
            write(&at("server.js~"), "33");
            fs::rename(at("server.js~"), at("server.js")).expect("it can be renamed");
        },
        Some(("server.js", What::Written)),
    );
    step(&|| write(&at("more.js"), "1"), Some(("more.js", What::Created)));
    step(&|| fs::remove_file(at("more.js")).expect("it can go"), Some(("more.js", What::Deleted)));
    step(&|| fs::remove_file(at("exact.txt")).expect("it can go"), None);
    step(&|| write(&at("exact.txt"), "1"), Some(("exact.txt", What::Created)));
    step(&|| write(&at("new/late.txt"), "1"), Some(("new/late.txt", What::Created)));
    step(&|| write(&at("new/other.txt"), "1"), None);
    step(&|| fs::create_dir(at("directory.js")).expect("it can be made"), None);
}
