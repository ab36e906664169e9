//! Promises about answers that were broken once: long fields of a site, and everything of a site over HTTP/2.

use super::{app, says};
use crate::harness::{Host, Site, curl, web_config};

/// An answer as curl shows it: status, fields in lower case, body.
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

const VERSIONS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

/// What curl gets with these options; every answer must be whole.
#[track_caller]
fn fetch<const N: usize>(host: &Host, target: &str, options: [&str; N]) -> Answer {
    let url = host.url(target);
    let arguments = ["--include", "--path-as-is", url.as_str()];
    let outcome = curl(options.into_iter().chain(arguments)).success();
    let end = outcome.stdout.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(outcome.stdout[..end].to_vec()).unwrap();
    let mut lines = head.trim_end().lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let fields = lines.map(|line| line.split_once(':').unwrap());
    let fields = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    Answer { status, fields, body: outcome.stdout[end..].to_vec() }
}

#[test]
fn long_fields_of_a_site_arrive_whole_with_every_kind_of_answer() {
    let policy = format!("default-src 'self'; img-src {}end", "https://images.example.org ".repeat(115));
    assert!(policy.len() > 3000);
    let fields = format!(
        "<httpProtocol><customHeaders><add name=\"Content-Security-Policy\" value=\"{policy}\"/><add name=\"X-Last\" value=\"last\"/></customHeaders></httpProtocol>"
    );
    let redirects = r#"<rewrite><rules><rule name="old"><match url="^old$"/><action type="Redirect" url="new"/></rule></rules></rewrite>"#;
    let long = "b".repeat(100_000);
    let site =
        Site::iisnode("hello.js", &app("r.end(q.url.endsWith('long') ? 'w'.repeat(100000) : 'short')"))
            .element(&fields)
            .element(redirects)
            .file("short.txt", "short")
            .file("long.txt", &long)
            .file("broken/hello.js", "process.exit(3)")
            .file("folder/x.txt", "");
    site.write("broken/web.config", &web_config(&crate::harness::handlers(["hello.js"])));
    let host = site.serve();
    let workers = "w".repeat(100_000);
    for version in VERSIONS {
        for (target, status, body) in [
            ("/hello.js", 200, Some("short")),
            ("/hello.js?long", 200, Some(workers.as_str())),
            ("/short.txt", 200, Some("short")),
            ("/long.txt", 200, Some(long.as_str())),
            ("/old", 301, None),
            ("/folder", 301, None),
            ("/absent", 404, None),
            ("/web.config", 404, None),
            ("/folder/", 403, None),
            ("/broken/hello.js", 200, None),
        ] {
            let answer = fetch(&host, target, [version]);
            assert_eq!(answer.status, status, "{target} {version}");
            assert_eq!(answer.field("content-security-policy"), Some(policy.as_str()), "{target} {version}");
            assert_eq!(answer.field("x-last"), Some("last"), "{target} {version}");
            if let Some(body) = body {
                assert!(answer.text() == body, "the body of {target} with {version} is not whole");
            }
            if let Some(length) = answer.field("content-length") {
                assert_eq!(length, answer.body.len().to_string(), "{target} {version}");
            }
        }
    }
}

#[test]
fn many_long_fields_of_a_worker_and_of_its_site_arrive_together() {
    let worker =
        app("for (let i = 0; i < 20; i++) r.setHeader(`X-Worker-${i}`, 'w'.repeat(700)); r.end('body')");
    let fields = (0..8).map(|i| format!("<add name=\"X-Site-{i}\" value=\"{}\"/>", "s".repeat(900)));
    let fields = fields.collect::<String>();
    let site = Site::iisnode("hello.js", &worker)
        .element(&format!("<httpProtocol><customHeaders>{fields}</customHeaders></httpProtocol>"));
    let host = site.serve();
    for version in VERSIONS {
        let answer = fetch(&host, "/hello.js", [version]);
        assert_eq!((answer.status, answer.text().as_str()), (200, "body"), "{version}");
        for (prefix, count, length) in [("x-worker-", 20, 700), ("x-site-", 8, 900)] {
            let found = answer.fields.iter().filter(|(name, _)| name.starts_with(prefix));
            let lengths = found.map(|(_, value)| value.len()).collect::<Vec<_>>();
            assert_eq!(lengths, vec![length; count], "{prefix} {version}");
        }
    }
}

#[test]
fn a_site_is_the_same_over_http_2() {
    let rule = r#"<rewrite><rules><rule name="all"><match url="^api/"/><action type="Rewrite" url="hello.js"/></rule></rules></rewrite>"#;
    let script = app(
        "const b = []; q.on('data', (d) => b.push(d)).on('end', () => r.end(`${q.method} ${q.url} ${Buffer.concat(b)}`))",
    );
    let site = Site::iisnode("hello.js", &script)
        .element(rule)
        .file("ping.txt", "pong")
        .file("large.txt", &"x".repeat(300_000))
        .file("lame.js", "");
    let host = site.serve();
    for version in VERSIONS {
        let whole = fetch(&host, "/ping.txt", [version]);
        assert_eq!((whole.status, whole.text().as_str()), (200, "pong"), "{version}");
        assert!(whole.field("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        let tag = format!("If-None-Match: {}", whole.field("etag").unwrap());

        let part = fetch(&host, "/ping.txt", [version, "--range", "1-2"]);
        assert_eq!((part.status, part.text().as_str()), (206, "on"), "{version}");
        assert_eq!(part.field("content-range"), Some("bytes 1-2/4"), "{version}");
        let beyond = fetch(&host, "/ping.txt", [version, "--range", "9-"]);
        assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */4")), "{version}");

        let same = fetch(&host, "/ping.txt", [version, "--header", &tag]);
        assert_eq!((same.status, same.body.len()), (304, 0), "{version}");
        let head = fetch(&host, "/ping.txt", [version, "--head"]);
        assert_eq!((head.status, head.field("content-length")), (200, Some("4")), "{version}");
        assert_eq!(head.body.len(), 0, "{version}");
        let large = fetch(&host, "/large.txt", [version]);
        assert_eq!((large.status, large.body.len()), (200, 300_000), "{version}");
        let large = fetch(&host, "/large.txt", [version, "--range", "100000-299998"]);
        assert_eq!((large.status, large.body.len()), (206, 199_999), "{version}");

        let rewritten = fetch(&host, "/api/tea?cups=2", [version]);
        assert_eq!(rewritten.text(), "GET /api/tea?cups=2 ", "{version}");
        let posted = fetch(&host, "/api/tea", [version, "--data", "sugar"]);
        assert_eq!(posted.text(), "POST /api/tea sugar", "{version}");

        let absent = fetch(&host, "/absent.txt", [version]);
        assert_eq!((absent.status, absent.field("x-ostler-error")), (404, Some("404.0")), "{version}");
        assert!(!absent.body.is_empty(), "{version}");
        let bare = fetch(&host, "/absent.txt", [version, "--head"]);
        assert_eq!((bare.status, bare.body.len()), (404, 0), "{version}");
        let hidden = fetch(&host, "/web.config", [version]);
        assert_eq!((hidden.status, hidden.field("x-ostler-error")), (404, Some("404.8")), "{version}");
    }
}

#[test]
fn an_application_that_cannot_start_is_explained_over_http_2_too() {
    let site = Site::iisnode("hello.js", "console.error('oh dear'); process.exit(37)");
    let host = site.serve();
    for version in VERSIONS {
        let page = fetch(&host, "/hello.js", [version]);
        assert_eq!((page.status, page.field("x-ostler-error")), (200, Some("500.1002")), "{version}");
        assert!(page.text().contains("oh dear"), "{version}: {}", page.text());
        site.write("hello.js", &says("mended"));
        assert_eq!(fetch(&host, "/hello.js", [version]).text(), "mended", "{version}");
        site.write("hello.js", "console.error('oh dear'); process.exit(37)");
    }
}
