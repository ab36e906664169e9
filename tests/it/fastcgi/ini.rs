//! `fcgiext.ini`, with which IIS 5.1 and 6 were told of FastCGI, through the real host: which pool a request goes to, how
//! the file is read, and what is said about what is wrong in it.

use super::{act, ask, failure, json, ostler_yml, pid, scripted_arguments, text};
use crate::harness::{Host, PATIENCE, RawClient, Site, eventually, ostler};

/// A section whose programs are `tests/apps/fcgi.py` and know its name.
fn pool(site: &Site, name: &str, more: &str) -> String {
    let arguments = scripted_arguments(site);
    format!("[{name}]\nExePath=python3\nArguments={arguments}\nEnvironmentVars=POOL:{name}\n{more}\n")
}

/// A site with this ini, and pages of PHP that say their process and its environment.
fn php_site(ini: &str) -> Site {
    Site::named("site")
        .file("fcgiext.ini", ini)
        .file("web.config", "<configuration/>")
        .file("pid.php", super::SAYS_PID)
        .file("env.php", "<?php header('Content-Type: application/json'); echo json_encode(getenv());")
}

/// The pool that serves this URL of the site with this name, or the status and the text of who serves it instead.
#[track_caller]
fn served_by(host: &Host, name: &str, path: &str) -> String {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {path}?environment HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    let response = client.read_response("GET");
    match serde_json::from_slice::<serde_json::Value>(&response.body) {
        Ok(told) => told["variables"]["POOL"].as_str().unwrap_or_default().to_owned(),
        Err(_) => format!("{} {}", response.status(), response.text()),
    }
}

// Row 1. The number of a site is its place in the host's file.
#[test]
fn each_of_the_six_levels_is_asked_before_the_next() {
    let files = ["app/x.a", "app/x.b", "app/x.c", "x.a", "x.b", "x.c", "x.d"];
    let site = Site::named("sites").file("notes/here", "");
    let site = ["first", "second"].into_iter().fold(site, |site, root| {
        files.into_iter().fold(site, |site, file| site.file(&format!("{root}/{file}"), "a file"))
    });
    let pools = ["L1", "L2", "L3", "L4", "L5", "L6"].map(|name| pool(&site, name, "")).concat();
    // In the wrong order, and none of the names as the sections have them.
    let types = "[TYPES]\n*=l6\nC=l5\n*:1=l4\nb:1=l3\n*:/lm/w3svc/1/root/app=l2\nA:/LM/W3SVC/1/ROOT/App=l1\n";
    let site = site.file("old/fcgiext.ini", &format!("{pools}{types}"));
    let config = ostler_yml(
        &site,
        "fcgiext: old/fcgiext.ini\nsites:\n- root: first\n  host: one.test\n- root: second\n  host: two.test\n",
    );
    let host = config.start();
    for (path, first, second) in [
        // Extension and application, `*` and application.
        ("/app/x.a", "L1", "L6"),
        ("/app/x.b", "L2", "L6"),
        ("/app/x.c", "L2", "L5"),
        // Extension and site, `*` and site: before an extension without a site.
        ("/x.b", "L3", "L6"),
        ("/x.a", "L4", "L6"),
        ("/x.c", "L4", "L5"),
        // An extension, and all that is left; a star needs no file.
        ("/x.d", "L4", "L6"),
        ("/virtual", "L4", "L6"),
    ] {
        assert_eq!(served_by(&host, "one.test", path), first, "{path} of the first site");
        assert_eq!(served_by(&host, "two.test", path), second, "{path} of the second site");
    }
}

#[test]
fn case_blanks_comments_and_repeated_sections_are_as_iis_has_them() {
    let ini = "; a comment\r\n\r\n;[Types]\r\n[types]\r\n  pHp  =  a PHP pool \r\n \t \r\n[A php POOL]\r\n\
        exepath = nothing\r\n;EXEPATH=nothing at all\r\n[other]\r\nExePath=nothing\r\n\
        [A PHP Pool]\r\nEXEPATH=C:\\PHP\\php-cgi.exe\r\ninstancemaxREQUESTS=7\r\n\
        environmentvars=ONE:1;no comment\r\n";
    let site = php_site(ini);
    let host = site.serve();
    let told = json(&host, "/env.php");
    assert_eq!((&told["ONE"], &told["PHP_FCGI_MAX_REQUESTS"]), (&"1;no comment".into(), &"1007".into()));
}

/// Unless the section says otherwise, a program of it serves a thousand requests, and PHP is not to end before.
#[test]
fn escapes_quotes_and_both_marks_of_variables_reach_php() {
    let variables =
        r#"ONE:1,LIST:"1/,2/,3",WORDS:"two words, a comma",ROOT:C://PHP,WINDOWS:C:\PHP,EQUAL=yes,TIME:12:30"#;
    let ini = format!("[Types]\nphp=PHP\n[PHP]\nExePath=C:\\PHP\\php-cgi.exe\nEnvironmentVars={variables}\n");
    let told = json(&php_site(&ini).serve(), "/env.php");
    for (name, value) in [
        ("ONE", "1"),
        ("LIST", "1,2,3"),
        ("WORDS", "two words, a comma"),
        ("ROOT", "C:/PHP"),
        ("WINDOWS", r"C:\PHP"),
        ("EQUAL", "yes"),
        ("TIME", "12:30"),
        ("PHP_FCGI_MAX_REQUESTS", "2000"),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
}

#[test]
fn a_section_without_a_path_is_named_by_its_program() {
    for (ini, what) in [
        ("[Types]\nphp=C:\\PHP\\php-cgi.exe\n[C:\\PHP\\php-cgi.exe]\nMaxInstances=1\n", "a section"),
        ("[Types]\nphp=php-cgi.exe\n[PHP-CGI.exe]\nMaxInstances=1\n", "a section in another case"),
        ("[Types]\nphp=C:\\PHP\\php-cgi.exe\n", "no section, as the first versions had it"),
    ] {
        let site = php_site(ini);
        let host = site.serve();
        pid(&host, "/pid.php");
        host.wait_for_line("php-cgi");
        assert!(!host.lines().iter().any(|line| line.contains("error")), "{what}: {:?}", host.lines());
    }
}

/// Nothing of such a file is guessed: the page, the terminal and `ostler check` name the line.
#[test]
fn what_is_wrong_is_refused_with_its_line() {
    for (ini, place, what) in [
        ("[Types]\nphp=P\n[P]\nExePath=php-cgi\nMaxInstance=1\n", "fcgiext.ini:5:1", "MaxInstance"),
        ("[Types]\nphp=P\n\n[P]\nExePath=php-cgi\nMaxInstances = many\n", "fcgiext.ini:6:16", "many"),
        ("[Types]\nphp=P\n[P]\nExePath=php-cgi\nStderrMode=Sometimes\n", "fcgiext.ini:5:12", "Sometimes"),
        ("[Types]\nphp=P\n[P]\nExePath=php-cgi\nwhat is this\n", "fcgiext.ini:5:1", "name = value"),
        ("php=P\n[Types]\nphp=P\n[P]\nExePath=php-cgi\n", "fcgiext.ini:1:1", "before every section"),
        ("[Types]\nphp=P\n[P]\nExePath=php-cgi\nEnvironmentVars=A\n", "fcgiext.ini:5:17", "EnvironmentVars"),
    ] {
        let site = php_site(ini);
        let checked = ostler(["check", site.path().to_str().unwrap()]);
        let said = format!("{}{}", checked.text(), checked.stderr);
        assert!(checked.status.code() == Some(2) && said.contains(place) && said.contains(what), "{said}");
        let host = site.serve();
        let response = ask(&host, "/pid.php", &[]);
        let page = response.text();
        assert_eq!(failure(&response), (500, "500.0"), "{ini}: {page}");
        assert!(page.contains(place) && page.contains(what), "{place} {what}: {page}");
        let line = host.wait_for_line(place);
        assert!(line.contains(what), "{line}");
    }
}

/// A file without `[Types]`, or whose types lead nowhere, has no handler: the terminal says why.
#[test]
fn types_that_lead_nowhere_are_told_with_their_line() {
    for (ini, place) in [
        ("[P]\nExePath=php-cgi\n", "fcgiext.ini:1:1: error: there is no section [Types]"),
        ("[Types]\nphp=P\n", "fcgiext.ini:2:5: error: there is no section [P]"),
        ("[Types]\nphp:somewhere=P\n[P]\nExePath=php-cgi\n", "fcgiext.ini:2:1: error"),
    ] {
        let site = php_site(ini);
        let host = site.serve();
        host.wait_for_line(place);
        let response = ask(&host, "/pid.php", &[]);
        assert!(response.status() >= 400, "{ini}: {}", response.status());
        assert!(!response.text().contains("getmypid"), "{ini}: the source is not shown: {}", response.text());
    }
}

#[test]
fn what_is_corrected_holds_without_a_restart() {
    let site = php_site("[Types]\nphp=P\n[P]\nExePath=php-cgi\nQueueLengths=1\n");
    let host = site.serve();
    assert_eq!(ask(&host, "/pid.php", &[]).status(), 500);
    site.replace("fcgiext.ini", "[Types]\nphp=P\n[P]\nExePath=php-cgi\nEnvironmentVars=A:1\n");
    eventually(PATIENCE, "an answer", || (ask(&host, "/pid.php", &[]).status() == 200).then_some(()));
    assert_eq!(json(&host, "/env.php")["A"], "1");
    let first = pid(&host, "/pid.php");
    site.replace("fcgiext.ini", "[Types]\nphp=P\n[P]\nExePath=php-cgi\nEnvironmentVars=A:2\n");
    eventually(PATIENCE, "the new variable", || (json(&host, "/env.php")["A"] == "2").then_some(()));
    assert_ne!(pid(&host, "/pid.php"), first);
}

/// A star has every URL, and may leave what is there to the host.
#[test]
fn a_star_leaves_files_and_folders_to_the_host_if_it_is_told_to() {
    for (files, folders) in [(false, false), (true, false), (false, true), (true, true)] {
        let site = Site::named("site")
            .web_config("<configuration/>")
            .file("notes/here", "")
            .file("a.txt", "a file")
            .file("folder/index.html", "a folder")
            .file("bare/x", "");
        let switch = |on: bool| if on { "1" } else { "0" };
        let more = format!("IgnoreExistingFiles={}\nIgnoreDirectories={}", switch(files), switch(folders));
        let ini = format!("[Types]\n*=Any\n{}", pool(&site, "Any", &more));
        site.write("fcgiext.ini", &ini);
        let host = site.serve();
        let by = |left: bool, text: &str| if left { format!("200 {text}") } else { "Any".to_owned() };
        let what = format!("IgnoreExistingFiles={files} IgnoreDirectories={folders}");
        assert_eq!(served_by(&host, "test", "/a.txt"), by(files, "a file"), "{what}");
        // A default document is a file again.
        let document = by(files && folders, "a folder");
        assert_eq!(served_by(&host, "test", "/folder/"), document, "{what}");
        let bare = served_by(&host, "test", "/bare/");
        assert_eq!(bare.split(' ').next(), Some(if folders { "403" } else { "Any" }), "{what}: {bare}");
        assert_eq!(served_by(&host, "test", "/virtual/path"), "Any", "{what}");
        assert_eq!(served_by(&host, "test", "/virtual.txt"), "Any", "{what}");
    }
}

#[test]
fn an_extension_is_for_files_that_are_there() {
    let site = Site::named("site")
        .web_config("<configuration/>")
        .file("notes/here", "")
        .file("act.fcgi", "")
        .file("folder.fcgi/index.html", "a folder");
    let ini = format!("[Types]\nfcgi=One\n{}", pool(&site, "One", ""));
    site.write("fcgiext.ini", &ini);
    let host = site.serve();
    assert_eq!(text(&host, &act("hello")).split(' ').next(), Some("hello"));
    assert_eq!(served_by(&host, "test", "/ACT.FCGI/info"), "One", "URLs of IIS have no case");
    assert_eq!(ask(&host, "/missing.fcgi?hello", &[]).status(), 404);
    assert_ne!(served_by(&host, "test", "/folder.fcgi/"), "One");
}

/// IIS 6 knew no web.config: a folder with this file is a site.
#[test]
fn a_folder_with_nothing_but_this_file_and_pages_is_a_site() {
    let site = php_site("[Types]\nphp=PHP\n[PHP]\nExePath=php-cgi\n");
    site.remove("web.config");
    pid(&site.serve(), "/pid.php");
}

#[test]
fn the_page_says_to_look_into_this_file() {
    let site = php_site("[Types]\nphp=PHP\n[PHP]\nExePath=php-cgi\nWrong=1\n");
    let page = ask(&site.serve(), "/pid.php", &[]).text();
    assert!(!page.contains("web.config") && !page.contains("system.webServer/fastCgi"), "{page}");
}

/// RFC 3875, 3.3: the two together are the path of the URL, so that the script of all paths has no name.
#[test]
fn script_name_and_path_info_of_a_star_are_the_path_of_the_url() {
    let site = Site::named("site").web_config("<configuration/>").file("notes/here", "").file("app/x", "");
    let pools = format!("{}{}", pool(&site, "All", ""), pool(&site, "App", ""));
    site.write("fcgiext.ini", &format!("[Types]\n*=All\n*:/lm/w3svc/1/root/app=App\n{pools}"));
    let host = site.serve();
    for (path, script, info) in
        [("/app/some/info", "/app", "/some/info"), ("/some/info", "", "/some/info"), ("/", "", "/")]
    {
        let told = json(&host, &format!("{path}?tells"))["variables"].clone();
        assert_eq!([&told["SCRIPT_NAME"], &told["PATH_INFO"]], [script, info], "{path}");
        assert_eq!(told["DOCUMENT_URI"], path);
    }
}
