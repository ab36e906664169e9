//! A real application: DokuWiki as Debian packs it, through its first page, a login, a page that is written, uploads.

use std::path::PathBuf;

use super::{PHP, Site, pool, row};
use crate::harness::{Host, command, curl, repository, web_config};

/// The wiki in a folder of its own, since it writes beside its scripts.
#[track_caller]
fn wiki() -> Site {
    let made = command(repository("tests/dokuwiki")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let defaults = "<defaultDocument><files><clear/><add value=\"doku.php\"/></files></defaultDocument>";
    let config = format!(
        "<handlers>{}</handlers>{}{defaults}",
        row("*.php", PHP, "Either"),
        pool(PHP, "", r#"maxInstances="3" instanceMaxRequests="10""#, "")
    );
    let site = Site::named("wiki");
    let copied = command("cp")
        .args(["-r", repository("tests/cache/dokuwiki/.").to_str().unwrap(), site.path().to_str().unwrap()])
        .status();
    assert!(copied.unwrap().success());
    // Unless it is told to, it answers 200 for pages that are not there.
    site.write("conf/local.php", &format!("{}$conf['send404'] = 1;\n", site.read("conf/local.php")));
    site.web_config(&web_config(&config))
}

/// A browser, as far as cookies go.
struct Browser<'a> {
    host: &'a Host,
    jar: PathBuf,
}

impl Browser<'_> {
    #[track_caller]
    fn asks(&self, target: &str, arguments: &[&str]) -> String {
        let jar = self.jar.to_str().unwrap();
        let url = self.host.url(target);
        let all =
            ["-i", "-b", jar, "-c", jar].into_iter().chain(arguments.iter().copied()).chain([url.as_str()]);
        curl(all).success().text()
    }

    /// The same for a page that must be there.
    #[track_caller]
    fn gets(&self, target: &str) -> String {
        let page = self.asks(target, &[]);
        assert!(page.starts_with("HTTP/1.1 200"), "{target}: {page:.600}");
        page
    }
}

/// The token of a form, without which nothing is changed.
#[track_caller]
fn token(page: &str) -> String {
    let value = page.split("name=\"sectok\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    value.unwrap_or_else(|| panic!("no token in {page:.2000}")).to_owned()
}

#[test]
fn its_first_page_a_login_an_edit_and_two_uploads() {
    let site = wiki();
    let mut host = site.serve();
    let browser = Browser { host: &host, jar: site.path().join("jar") };

    let first = browser.gets("/");
    assert!(first.contains("Wiki behind ostler") && first.contains("Welcome"), "{first:.3000}");
    // What the page asks for: styles and scripts that PHP makes, pictures that are files.
    let css = browser.gets("/lib/exe/css.php?t=dokuwiki");
    assert!(css.to_lowercase().contains("content-type: text/css"), "{css:.600}");
    browser.gets("/lib/exe/js.php?t=dokuwiki");
    let picture = site.path().join("lib/tpl/dokuwiki/images/logo.png");
    let sent = curl([host.url("/lib/tpl/dokuwiki/images/logo.png").as_str()]).success().stdout;
    assert_eq!(sent, std::fs::read(&picture).unwrap());

    let login = ["-d", "u=wiki", "-d", "p=wrong", "-d", "do=login", "-d", "id=start", "-d", "sectok="];
    let refused = browser.asks("/doku.php", &login);
    assert!(!refused.starts_with("HTTP/1.1 302"), "a wrong password: {refused:.600}");
    let login = login.map(|word| if word == "p=wrong" { "p=wiki" } else { word });
    let accepted = browser.asks("/doku.php", &login);
    assert!(accepted.starts_with("HTTP/1.1 302"), "{accepted:.600}");
    assert!(browser.gets("/doku.php?id=start").contains("Wiki Writer"), "logged in");

    let media = browser.gets("/doku.php?id=start&do=media");
    let sectok = format!("sectok={}", token(&media));
    let text = "wikitext=Written **through** ostler, with \u{fc}ml\u{e4}uts";
    let written = browser.asks(
        "/doku.php?id=new",
        &[
            "-d",
            &sectok,
            "-d",
            "id=new",
            "-d",
            "do[save]=1",
            "-d",
            "prefix=.",
            "-d",
            "suffix=",
            "-d",
            "date=",
            "--data-urlencode",
            text,
        ],
    );
    assert!(written.starts_with("HTTP/1.1 302"), "{written:.600}");
    let page = browser.gets("/doku.php?id=new");
    assert!(page.contains("Written <strong>through</strong> ostler, with \u{fc}ml\u{e4}uts"), "{page}");

    let archive = site.path().join("archive.zip");
    std::fs::write(
        &archive,
        (0..1_500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    for (file, name) in [(picture, "logo.png"), (archive, "archive.zip")] {
        let part = format!("upload=@{}", file.display());
        let said = browser
            .asks("/lib/exe/mediamanager.php?ns=", &["-F", &sectok, "-F", "ns=", "-F", "id=", "-F", &part]);
        assert!(said.contains("Upload successful"), "{name}: {said:.3000}");
        let jar = browser.jar.to_str().unwrap();
        let back = curl(["-b", jar, &host.url(&format!("/lib/exe/fetch.php?media={name}"))]).success().stdout;
        assert!(back == std::fs::read(&file).unwrap(), "{name}: {} bytes came back", back.len());
    }

    // A page that is not there is the wiki's own 404.
    let missing = browser.asks("/doku.php?id=missing", &[]);
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("does not exist"), "{missing:.600}");
    host.stop();
}
