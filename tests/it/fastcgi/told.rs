//! What who runs the site is told, in pages and in the log, of a program that complains, cannot open a script, or is not
//! there; and what strangers are not.

use super::external::Fpm;
use super::{FROM_AFAR, PHP, act, ask, failure, php_site, pool, request, row, scripted};
use crate::harness::{Host, Site, web_config};

/// A line of the log with these words, as far as `NAME | request ID: `; and the ID.
#[track_caller]
fn line_of_request(host: &Host, name: &str, words: &str) -> String {
    let line = host.wait_for_line(words);
    let said = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(" | request "));
    let id = said.and_then(|rest| rest.split(": ").next()).unwrap_or_else(|| panic!("{line}"));
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    id.to_owned()
}

#[test]
fn a_request_has_one_id_in_its_page_in_the_line_of_its_failure_and_in_what_its_program_wrote() {
    let site = scripted("");
    let host = site.serve();
    let page = ask(&host, &act("stderr=only"), &[]).text();
    let id = line_of_request(&host, "python3.0", "the secret of stderr");
    assert!(page.contains(&id), "{id}: {page}");
    host.wait_for_line(&format!("request {id} to python3 failed with 502.2"));
}

#[test]
fn what_php_fpm_writes_is_a_line_of_its_pool_and_no_error_of_the_host() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    fpm.site.write("public/notes.php", "<?php error_log('a word for the log'); echo 'page';");
    let host = fpm.serve();
    assert_eq!(super::text(&host, "/notes.php"), "page");
    let name = format!("unix:{}", fpm.site.path().join("fpm.sock").display());
    line_of_request(&host, &name, "a word for the log");
    assert!(!host.lines().iter().any(|line| line.contains("ERROR")), "{:?}", host.lines());
}

/// What a site of one program that has all paths is told at `target`.
#[track_caller]
fn told_at(host: &Host, target: &str) -> [String; 4] {
    let told = super::json(host, target);
    ["SCRIPT_NAME", "PATH_INFO", "DOCUMENT_URI", "URL"]
        .map(|name| told["variables"][name].as_str().unwrap_or("absent").to_owned())
}

#[test]
fn a_program_that_has_all_paths_is_told_them_in_its_path_info() {
    let site = Site::named("site").file("notes/here", "").file("sub/x.txt", "");
    let arguments = super::scripted_arguments(&site);
    let processor = format!("python3|{arguments}");
    let config = |path| {
        let row = row(path, &processor, "Unspecified");
        web_config(&format!("<handlers>{row}</handlers>{}", pool("python3", &arguments, "", "")))
    };
    site.write("web.config", &config("*"));
    let host = site.serve();
    for (target, path) in [("/?tells", "/"), ("/a.fcgi/b?tells", "/a.fcgi/b"), ("/a%20b/?tells", "/a b/")] {
        assert_eq!(told_at(&host, target), ["", path, path, path], "{target}");
    }
    drop(host);
    site.write("web.config", &config("sub/*"));
    let host = site.serve();
    for (target, rest) in [("/sub/?tells", "/"), ("/sub/x/y?tells", "/x/y")] {
        assert_eq!(told_at(&host, target), ["/sub", rest, &format!("/sub{rest}"), "/sub"], "{target}");
    }
}

const FATAL: &str = "<?php ini_set('display_errors', '0'); ini_set('log_errors', '1'); ini_set('error_log', ''); no_such_function();";

#[test]
fn a_fatal_error_without_a_page_is_explained_on_the_machine_itself_and_nowhere_else() {
    let site =
        php_site("").file("fatal.php", FATAL).file("page.php", &format!("<?php echo 'own page'; ?>{FATAL}"));
    let host = site.serve();
    let shown = ask(&host, "/fatal.php", &["Accept: text/html"]);
    assert_eq!(failure(&shown), (500, "500.0"));
    assert!(shown.text().contains("Call to undefined function no_such_function()"), "{}", shown.text());
    let id = line_of_request(&host, "php-cgi.0", "no_such_function");
    assert!(shown.text().contains(&id), "{id}: {}", shown.text());
    let stranger = ask(&host, "/fatal.php", &[FROM_AFAR]);
    assert_eq!((stranger.status(), stranger.text().as_str()), (500, ""));
    // What the program says itself passes.
    assert_eq!(ask(&host, "/page.php", &[]).text(), "own page");
    drop(host);
    site.write("iisnode.yml", "devErrorsEnabled: false\n");
    let hidden = ask(&site.serve(), "/fatal.php", &[]);
    assert_eq!((hidden.status(), hidden.text().as_str()), (500, ""));
}

#[test]
fn a_fatal_error_at_php_fpm_is_explained_too() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    fpm.site.write("public/fatal.php", FATAL);
    let shown = ask(&fpm.serve(), "/fatal.php", &[]);
    assert_eq!(failure(&shown), (500, "500.0"));
    assert!(shown.text().contains("Call to undefined function no_such_function()"), "{}", shown.text());
}

#[test]
fn the_path_of_a_script_that_php_cgi_cannot_open_is_in_the_log() {
    let arguments = "-d open_basedir=/nowhere";
    let row = row("*.php", &format!("{PHP}|{arguments}"), "Either");
    let config = web_config(&format!("<handlers>{row}</handlers>{}", pool(PHP, arguments, "", "")));
    let site = Site::named("site").web_config(&config).file("a b.php", "<?php echo 1;");
    let host = site.serve();
    let response = ask(&host, "/a%20b.php/x", &[]);
    assert_eq!((response.status(), response.text().trim_end()), (404, "No input file specified."));
    let path = site.path().join("a b.php");
    line_of_request(&host, "php-cgi.0", &format!("SCRIPT_FILENAME {}: in a container", path.display()));
    assert_eq!(host.lines().iter().filter(|line| line.contains("SCRIPT_FILENAME")).count(), 1);
}

#[test]
fn the_path_of_a_script_that_php_fpm_does_not_know_is_in_the_log() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    let config = fpm.site.read("ostler.yml");
    fpm.site.write("ostler.yml", &format!("{config}      resourceType: Unspecified\n"));
    let host = fpm.serve();
    let response = ask(&host, "/no.php", &[]);
    assert_eq!((response.status(), response.text().trim_end()), (404, "File not found."));
    host.wait_for_line(&format!("SCRIPT_FILENAME {}", fpm.site.path().join("public/no.php").display()));
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address_and_without_a_command() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    let config = fpm.site.read("ostler.yml");
    fpm.site.write("ostler.yml", &config.replace("fpm.sock", "nobody.sock"));
    let host = fpm.serve();
    let shown = ask(&host, "/pid.php", &["Accept: text/html"]);
    assert_eq!(failure(&shown), (502, "502.0"));
    let text = shown.text();
    for told in
        ["nobody.sock does not answer: No such file or directory", "Start the server (php-fpm)", "`listen`"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    for wrong in ["by hand", "does not start", "What the worker wrote"] {
        assert!(!text.contains(wrong), "{wrong}: {text}");
    }
}

#[test]
fn a_method_that_no_row_takes_is_told_with_the_row_that_takes_others() {
    for (verbs, method, numbers) in
        [("POST", "GET", (404, "404.3")), ("GET,HEAD,POST", "PUT", (405, "405.0"))]
    {
        let row = row("*.php", PHP, "Either").replace("verb=\"*\"", &format!("verb=\"{verbs}\""));
        let config = web_config(&format!("<handlers>{row}</handlers>{}", pool(PHP, "", "", "")));
        let site = Site::named("site").web_config(&config).file("a.php", "<?php echo 'secret';");
        let host = site.serve();
        let shown = request(&host, method, "/a.php", &[], "");
        assert_eq!(failure(&shown), numbers);
        let text = shown.text();
        assert!(text.contains("the handler *.php has this path for"), "{text}");
        assert!(text.contains(&verbs.replace(',', ", ")) && text.contains(method), "{text}");
        assert!(!text.contains("mimeMap") && !text.contains("secret"), "{text}");
        if numbers.0 == 405 {
            assert_eq!(shown.head.field("Allow"), Some("GET, HEAD, OPTIONS, POST"));
        }
    }
}

#[test]
fn the_source_of_a_program_is_never_advised_to_be_published() {
    let site = Site::named("site").web_config(&web_config("")).file("a.phtml", "secret").file("a.md5x", "");
    let host = site.serve();
    let shown = ask(&host, "/a.phtml", &[]);
    assert_eq!(failure(&shown), (404, "404.3"));
    assert!(shown.text().contains("FastCgiModule") && !shown.text().contains("mimeMap"), "{}", shown.text());
    assert!(ask(&host, "/a.md5x", &[]).text().contains("mimeMap"));
}

#[test]
fn a_broken_configuration_has_its_true_status_where_there_is_no_iisnode() {
    let fine = super::php_config("");
    let bogus = fine.replace("resourceType=\"Either\"", "resourceType=\"Bogus\"");
    for broken in [bogus.as_str(), "<configuration>\n<a b=\"\"c\"\"/>\n"] {
        assert_ne!(broken, fine);
        let site = php_site("").file("pid.php", super::SAYS_PID);
        let host = site.serve();
        super::pid(&host, "/pid.php");
        site.write("web.config", broken);
        assert_eq!(failure(&ask(&host, "/pid.php", &[])), (500, "500.19"), "an edit: {broken}");
        drop(host);
        assert_eq!(
            failure(&ask(&site.serve(), "/pid.php", &[])),
            (500, "500.19"),
            "from the start: {broken}"
        );
    }
}

/// Where the answer should begin there is something else, which says more than any error.
#[test]
fn the_beginning_of_what_is_no_answer_is_in_the_log() {
    let site = scripted("");
    let host = site.serve();
    ask(&host, &act("header=Fatal%3A%20no%20such%20module"), &[]);
    line_of_request(&host, "python3.0", "(what it sent begins with \"Fatal: no such module");
}
