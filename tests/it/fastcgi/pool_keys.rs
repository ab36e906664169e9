//! Keys of a pool that only ostler.yml has: the root as programs see it, and how large the head of a response may be.

use super::{json, of_apps};
use crate::harness::{Host, Site, curl, ostler};

/// What programs see as the root of the site, as in a container.
#[test]
fn programs_are_told_of_a_root_of_their_own() {
    let all = Site::named("all").file("site/tells.php", &of_apps("php/tells.php"));
    let (inside, seen) = (all.path().join("site"), all.path().join("seen"));
    std::os::unix::fs::symlink(&inside, &seen).unwrap();
    let (seen, yml) = (seen.to_str().unwrap(), all.path().join("ostler.yml"));
    let pool = format!("fastCgi: {{\"*.php\": {{command: php-cgi, documentRoot: {seen}/}}}}");
    std::fs::write(&yml, format!("listen: 127.0.0.1:0\nsites:\n- root: site\n  {pool}\n")).unwrap();
    let yml = yml.to_str().unwrap();
    let host = Host::run(["--config", yml]).start();
    let told = json(&host, "/tells.php/a/b");
    for (name, value) in [
        ("SCRIPT_FILENAME", "/tells.php"),
        ("DOCUMENT_ROOT", ""),
        ("PATH_TRANSLATED", "/a/b"),
        ("APPL_PHYSICAL_PATH", "/"),
    ] {
        assert_eq!(told["server"][name], format!("{seen}{value}"), "{name}");
    }
    assert_eq!(
        (&told["server"]["SCRIPT_NAME"], &told["server"]["PATH_INFO"]),
        (&"/tells.php".into(), &"/a/b".into())
    );
    let explained = ostler(["explain", "/tells.php", inside.to_str().unwrap(), "--config", yml]).text();
    let lines = [format!("SCRIPT_FILENAME={seen}/tells.php"), format!("DOCUMENT_ROOT={seen}")];
    assert!(lines.iter().all(|line| explained.contains(line)), "{explained}");
    let told = explained.lines().find(|line| line.trim_start().starts_with("documentRoot")).unwrap();
    assert!(told.contains(seen) && told.contains("ostler.yml:4:"), "{told}");
}

#[test]
fn heads_of_responses_may_be_as_large_as_the_pool_says() {
    let page = "<?php for ($i = 0; $i < $_GET['fields']; $i++) header(\"X-$i: \" . str_repeat('a', 4000)); echo 'x';";
    let site = Site::named("site").file("head.php", page);
    for (most, fields, is_answered) in [
        ("", 10, true),
        ("", 20, false),
        ("responseHeadBytes: 1024", 1, false),
        ("responseHeadBytes: 1024", 0, true),
        ("responseHeadBytes: 262144", 60, true),
        ("responseHeadBytes: 262144", 70, false),
    ] {
        let separator = if most.is_empty() { "" } else { ", " };
        let pool = format!("fastCgi: {{\"*.php\": {{command: php-cgi{separator}{most}}}}}\n");
        site.write("ostler.yml", &pool);
        let host = site.serve();
        let fetched = curl([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_header}",
            &host.url(&format!("/head.php?fields={fields}")),
        ]);
        let text = fetched.text();
        let (status, bytes) = text.split_once(' ').unwrap();
        assert_eq!(status, if is_answered { "200" } else { "502" }, "{most} {fields}");
        assert!(!is_answered || bytes.parse::<usize>().unwrap() > 4000 * fields, "{most} {fields}: {text}");
    }
    site.write("ostler.yml", "fastCgi: {\"*.php\": {command: php-cgi, responseHeadBytes: 1}}\n");
    let checked = ostler(["check", site.path().to_str().unwrap()]).text();
    assert!(checked.contains("`1` is not a value for `responseHeadBytes`"), "{checked}");
}
