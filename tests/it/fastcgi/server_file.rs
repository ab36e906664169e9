//! An `applicationHost.config` in place of the host's own file: which of its sites are served, which of its handlers are
//! whose, what is told about the rest; and by which ids sites are known.

use super::{PHP, of_apps, row};
use crate::harness::{Host, Message, RawClient, Site, ostler, web_config};

/// The file of a server with these sites and locations.
fn server_file(sites: &[String], rest: &str) -> String {
    let sites = sites.join("\n");
    format!(
        "<configuration>\n<system.applicationHost><sites>\n{sites}\n</sites></system.applicationHost>\n{rest}\n</configuration>\n"
    )
}

/// A site on one line; `more` are further applications.
fn site(name: &str, id: u32, physical_path: &str, host: &str, more: &str) -> String {
    format!(
        "<site name=\"{name}\" id=\"{id}\"><application path=\"/\"><virtualDirectory path=\"/\" physicalPath=\"{physical_path}\"/></application>{more}\
         <bindings><binding protocol=\"http\" bindingInformation=\"*:80:{host}\"/></bindings></site>"
    )
}

fn location(path: &str, elements: &str) -> String {
    format!("<location path=\"{path}\"><system.webServer>{elements}</system.webServer></location>")
}

fn php_rows() -> String {
    format!("<handlers>{}</handlers>", row("*.php", PHP, "Either"))
}

/// Two sites of one page in three places each.
fn folders() -> Site {
    ["shop", "shop/app", "shop/app/deep", "other"]
        .into_iter()
        .fold(Site::named("server"), |folder, name| {
            folder.file(&format!("{name}/tells.php"), &of_apps("php/tells.php"))
        })
        .file("shop/app/a.txt", "a file")
}

fn config(folder: &Site, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

fn run(folder: &Site, name: &str) -> Host {
    Host::run(["--config", &config(folder, name), "--listen", "127.0.0.1:0"]).start()
}

#[track_caller]
fn ask(host: &Host, name: &str, target: &str) -> Message {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    client.read_response("GET")
}

/// What a page of PHP is told.
#[track_caller]
fn told(host: &Host, name: &str, target: &str) -> serde_json::Value {
    let response = ask(host, name, target);
    assert_eq!(response.status(), 200, "{name}{target}: {}", response.text());
    serde_json::from_slice::<serde_json::Value>(&response.body).unwrap()["server"].clone()
}

#[track_caller]
fn says_all(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

#[test]
fn a_file_whose_sites_are_all_on_windows_is_refused_with_the_place_of_each() {
    let sites = [
        site("Default Web Site", 1, r"%SystemDrive%\inetpub\wwwroot", "", ""),
        site("Shop", 2, r"C:\sites\shop", "shop", ""),
        site("Gone", 3, "gone", "gone", ""),
    ];
    let folder = folders().file("applicationHost.config", &server_file(&sites, &php_rows()));
    let file = config(&folder, "applicationHost.config");
    for command in [&["run", "--listen", "127.0.0.1:0"][..], &["check"]] {
        let outcome = ostler(command.iter().copied().chain(["--config", &file]));
        assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
        let said = outcome.text() + &outcome.stderr;
        let place = |line: usize| format!("applicationHost.config:{line}:");
        says_all(
            &said,
            &["no site of this file can be served here", "let `physicalPath` name", "ostler.yml"],
        );
        says_all(&said, &[&place(3), "`Default Web Site` is left out", r"`%SystemDrive%\inetpub\wwwroot`"]);
        says_all(&said, &[&place(4), "`Shop` is left out", &place(5), "there is no folder"]);
    }
}

#[test]
fn a_site_that_is_not_here_is_told_and_the_others_are_served() {
    let sites = [
        site("Shop", 7, "shop", "shop", ""),
        site("Old", 8, r"D:\old", "old", ""),
        site("Twin", 9, "other", "shop", ""),
        site("Other", 10, r".\other", "other", "")
            .replace("<bindings>", "<bindings><binding protocol=\"net.tcp\" bindingInformation=\"1:*\"/>"),
        site("Mail", 11, "other", "x", "").replace("\"http\"", "\"net.tcp\""),
    ];
    let rest = format!("<system.webServer>{}</system.webServer>", php_rows());
    let folder = folders().file("applicationHost.config", &server_file(&sites, &rest));
    let host = run(&folder, "applicationHost.config");
    let said = host.lines().join("\n");
    says_all(&said, &["applicationHost.config:4:", "warning: the site `Old` is left out", r"`D:\old`"]);
    says_all(&said, &["config:5:", "the site `Twin` is left out: host `shop` leads to another site already"]);
    says_all(&said, &["config:7:", "the site `Mail` is left out: it has no binding for HTTP"]);
    for (name, id) in [("shop", "7"), ("other", "10")] {
        assert_eq!(told(&host, name, "/tells.php")["INSTANCE_ID"], id);
    }
    assert_eq!(ask(&host, "old", "/tells.php").status(), 404);
}

#[test]
fn a_location_by_the_name_of_a_site_is_for_that_site_and_its_folder() {
    let sites = [site("My Shop", 1, "shop", "shop", ""), site("Other", 2, "other", "other", "")];
    let pool = format!(
        "<fastCgi><application fullPath=\"{PHP}\"><environmentVariables>\
        <environmentVariable name=\"WHOSE\" value=\"of the shop\"/></environmentVariables></application></fastCgi>"
    );
    let not_deep = "<handlers><remove name=\"*.php\"/></handlers>";
    let rest = [
        location("my shop", &pool),
        location("My Shop/App", &php_rows()),
        location(r"My Shop\app/deep", not_deep),
        location("Nobody", &php_rows()),
        location("Other", "<rewrite/><security><authentication/></security>"),
    ];
    let folder = folders().file("applicationHost.config", &server_file(&sites, &rest.join("\n")));
    let host = run(&folder, "applicationHost.config");
    assert_eq!(told(&host, "shop", "/app/tells.php")["WHOSE"], "of the shop");
    assert_eq!(ask(&host, "shop", "/app/a.txt").text(), "a file");
    for (name, target) in [("shop", "/tells.php"), ("shop", "/app/deep/tells.php"), ("other", "/tells.php")] {
        assert_eq!(ask(&host, name, target).status(), 404, "{name}{target}");
    }
    let said = ostler(["check", "--config", &config(&folder, "applicationHost.config")]).success().text();
    says_all(&said, &["config:9:", "no site of this file has the name `Nobody`"]);
    says_all(&said, &["config:10:", "`rewrite` is not read from this file", "1 file read"]);
    assert!(!said.contains("`security`"), "{said}");
}

/// What the file of the server says of a site stands above what the site says itself.
#[test]
fn a_site_changes_what_a_location_says_of_it() {
    let sites = [site("Shop", 1, "shop", "shop", "")];
    let own = web_config("<handlers><remove name=\"*.php\"/></handlers>");
    let folder = folders()
        .file("applicationHost.config", &server_file(&sites, &location("Shop", &php_rows())))
        .file("shop/app/web.config", &own);
    let host = run(&folder, "applicationHost.config");
    told(&host, "shop", "/tells.php");
    assert_eq!(ask(&host, "shop", "/app/tells.php").status(), 404);
}

#[test]
fn an_application_elsewhere_is_told_and_one_in_the_folder_of_its_name_is_served() {
    let application = |path: &str, physical_path: &str| {
        format!(
            "\n<application path=\"{path}\"><virtualDirectory path=\"/\" physicalPath=\"{physical_path}\"/>\
             </application>"
        )
    };
    let images = "<virtualDirectory path=\"/img\" physicalPath=\"C:\\img\"/></application>";
    let more = application("/App", r"shop\app") + &application("/blog", "other");
    let more = more + &application("/app/deep", "shop/app/deep").replace("</application>", images);
    let folder = folders().file(
        "applicationHost.config",
        &server_file(&[site("Shop", 1, "shop", "shop", &more)], &location("Shop", &php_rows())),
    );
    let said = ostler(["check", "--config", &config(&folder, "applicationHost.config")]).success().text();
    says_all(&said, &["config:5:", "`/blog` of the site `Shop` is not served from `other`", "shop/blog"]);
    says_all(&said, &["config:6:", r"`/app/deep/img` of the site `Shop` is not served from `C:\img`"]);
    assert!(!said.contains("config:4:"), "{said}");
    let host = run(&folder, "applicationHost.config");
    host.wait_for_line("`/blog` of the site `Shop`");
    told(&host, "shop", "/app/tells.php");
}

/// A `fcgiext.ini` in which PHP is for one site.
fn ini_of(site: u32) -> String {
    format!("[Types]\nphp:{site}=PHP\n[PHP]\nExePath=php-cgi\n")
}

#[test]
fn sites_are_known_by_the_ids_of_iis() {
    let sites = [site("Shop", 7, "shop", "shop", ""), site("Other", 2, "other", "other", "")];
    let folder = folders()
        .file("applicationHost.config", &server_file(&sites, ""))
        .file("shop/fcgiext.ini", &ini_of(7))
        .file("other/fcgiext.ini", &ini_of(1));
    let host = run(&folder, "applicationHost.config");
    let told = told(&host, "shop", "/tells.php");
    for (name, value) in
        [("INSTANCE_ID", "7"), ("INSTANCE_META_PATH", "/LM/W3SVC/7"), ("APPL_MD_PATH", "/LM/W3SVC/7/ROOT")]
    {
        assert_eq!(told[name], value, "{name}");
    }
    assert_eq!(ask(&host, "other", "/tells.php").status(), 404);
    let file = config(&folder, "applicationHost.config");
    let said = ostler(["explain", "http://shop/tells.php", "--config", &file]).success().text();
    says_all(&said, &["INSTANCE_ID=7", "APPL_MD_PATH=/LM/W3SVC/7/ROOT", "INSTANCE_META_PATH=/LM/W3SVC/7"]);
}

#[test]
fn sites_of_an_ostler_yml_are_known_by_their_positions() {
    let yml = "sites:\n- root: other\n  host: other\n- root: shop\n  host: shop\n";
    let folder = folders().file("shop/fcgiext.ini", &ini_of(2)).file("ostler.yml", yml);
    let host = run(&folder, "ostler.yml");
    assert_eq!(told(&host, "shop", "/tells.php")["INSTANCE_ID"], "2");
}

#[test]
fn handlers_of_the_file_of_a_server_count_at_once_and_its_sites_when_the_host_starts() {
    let both = [site("Shop", 1, "shop", "shop", ""), site("Other", 2, "other", "other", "")];
    let folder = folders().file("applicationHost.config", &server_file(&both[..1], ""));
    let host = run(&folder, "applicationHost.config");
    assert_eq!(ask(&host, "shop", "/tells.php").status(), 404);
    let rest = format!("<system.webServer>{}</system.webServer>", php_rows());
    folder.replace("applicationHost.config", &server_file(&both, &rest));
    told(&host, "shop", "/tells.php");
    assert_eq!(ask(&host, "other", "/tells.php").status(), 404);
    told(&run(&folder, "applicationHost.config"), "other", "/tells.php");
}

#[test]
fn an_ini_outside_of_the_site_counts_at_once_and_programs_of_ostler_yml_when_the_host_starts() {
    let ini = "[Types]\nphp=PHP\n[PHP]\nExePath=no-such-program\n";
    let yml = "fcgiext: old/fcgiext.ini\nsites:\n- root: shop\n";
    let folder = folders().file("ostler.yml", yml).file("old/fcgiext.ini", "[Types]\n");
    let host = run(&folder, "ostler.yml");
    assert_eq!(ask(&host, "shop", "/tells.php").status(), 404);
    folder.replace("old/fcgiext.ini", ini);
    assert_eq!(ask(&host, "shop", "/tells.php").status(), 502);
    folder.replace("ostler.yml", &format!("programs:\n  no-such-program: php-cgi\n{yml}"));
    assert_eq!(ask(&host, "shop", "/tells.php").status(), 502);
    told(&run(&folder, "ostler.yml"), "shop", "/tells.php");
}

#[test]
fn check_counts_the_hosts_file_and_the_ini_that_are_in_use() {
    let folder = folders()
        .file("here/ostler.yml", "defaults:\n")
        .file("ostler.yml", "fcgiext: old/fcgiext.ini\nsites:\n- root: shop\n- root: other\n  host: other\n")
        .file("old/fcgiext.ini", &ini_of(1))
        .file("ini/fcgiext.ini", &ini_of(1));
    let path = |name: &str| folder.path().join(name).canonicalize().unwrap().display().to_string();
    let (yml, ini) = (path("ostler.yml"), path("old/fcgiext.ini"));
    for (arguments, files) in [
        (vec![path("here")], vec![path("here/ostler.yml")]),
        (vec![path("ini")], vec![path("ini/fcgiext.ini")]),
        (vec!["--config".to_owned(), yml.clone()], vec![ini, yml]),
    ] {
        let command = ["check"].into_iter().chain(arguments.iter().map(String::as_str));
        let said = ostler(command.clone()).success().text();
        let plural = if files.len() == 1 { "" } else { "s" };
        says_all(&said, &[&format!("{} file{plural} read", files.len())]);
        let json = ostler(command.chain(["--json"])).success().text();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["files"], serde_json::json!(files), "{arguments:?}");
    }
}

#[test]
fn check_tells_of_programs_that_no_handler_names() {
    let yml = "programs:\n  'C:\\PHP\\php-cgi.exe': php-cgi\n  'php-cgi.exe|-d a=b': php-cgi\n  perl.exe: perl\n  ruby: ruby\n\
        sites:\n- root: shop\n- root: other\n  host: other\n";
    let folder = folders()
        .file("ostler.yml", yml)
        .file("shop/web.config", &web_config(&php_rows()))
        .file("other/fcgiext.ini", "[Types]\npl=P\n[P]\nExePath=C:\\Perl\\perl.exe\nArguments=-x\n");
    let said = ostler(["check", "--config", &config(&folder, "ostler.yml")]).success().text();
    says_all(&said, &["ostler.yml:3:", "no FastCGI handler names `php-cgi.exe|-d a=b`", "2 warnings"]);
    says_all(&said, &["ostler.yml:5:", "no FastCGI handler names `ruby`"]);
}
