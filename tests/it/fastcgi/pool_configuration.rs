//! Pools whose configuration changes while they run, and what is said of what has no effect in it.

use std::path::Path;

use super::{FROM_AFAR, PHP, SAYS_PID, all_end, ask, pid, pool, row, text};
use crate::harness::{Host, PATIENCE, Site, eventually, ostler, web_config};

const SAYS_WORD: &str = "<?php echo getenv('WORD'), ' ', getmypid();";

fn variable(value: &str) -> String {
    format!(
        "<environmentVariables><environmentVariable name=\"WORD\" value=\"{value}\"/></environmentVariables>"
    )
}

/// A web.config with a row for PHP, and a pool of it.
fn config(attributes: &str, word: &str) -> String {
    let row = row("*.php", PHP, "Either");
    web_config(&format!("<handlers>{row}</handlers>{}", pool(PHP, "", attributes, &variable(word))))
}

/// The word and the pid that a page says.
#[track_caller]
fn word(host: &Host, target: &str) -> (String, u32) {
    let text = text(host, target);
    let (word, pid) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
    (word.to_owned(), pid.parse().unwrap())
}

/// What a command that starts nothing says of a site.
#[track_caller]
fn said<'a>(arguments: impl IntoIterator<Item = &'a str>, site: &'a Site) -> String {
    ostler(arguments.into_iter().chain([site.path().to_str().unwrap()])).text()
}

/// The lines that mention something.
fn lines(host: &Host, what: &str) -> Vec<String> {
    host.lines().into_iter().filter(|line| line.contains(what)).collect()
}

/// The root has a pool of its own, of another program than the folder.
fn two_pools() -> Site {
    let arguments = "-d memory_limit=64M";
    let row = row("*.php", &format!("{PHP}|{arguments}"), "Either");
    let root = web_config(&format!("<handlers>{row}</handlers>{}", pool(PHP, arguments, "", "")));
    let clear = config("", "first").replace("<handlers>", "<handlers><clear/>");
    Site::named("site")
        .web_config(&root)
        .file("pid.php", SAYS_PID)
        .file("blog/web.config", &clear)
        .file("blog/word.php", SAYS_WORD)
}

#[test]
fn a_pool_of_a_folder_is_reloaded_with_the_file_of_that_folder_and_no_other_pool_is() {
    let site = two_pools();
    let host = site.serve();
    let (root, (first, before)) = (pid(&host, "/pid.php"), word(&host, "/blog/word.php"));
    assert_eq!(first, "first");
    let good = site.read("blog/web.config");
    site.replace("blog/web.config", &good.replace("\"first\"", "\"second\""));
    let (second, after) = word(&host, "/blog/word.php");
    assert_eq!(second, "second");
    all_end(&[before], "the program of before");
    // Strangers are served as before while it is wrong; who edits it here sees what is.
    site.replace("blog/web.config", &good.replace("<application ", "<application maxInstances=\"99999\" "));
    let wrong = ask(&host, "/blog/word.php", &[]);
    assert!(wrong.status() == 500 && wrong.text().contains("99999"), "{}", wrong.text());
    assert_eq!(ask(&host, "/blog/word.php", &[FROM_AFAR]).text(), format!("second {after}"));
    site.write("web.config", &format!("{}\n", site.read("web.config")));
    assert_eq!(ask(&host, "/blog/word.php", &[FROM_AFAR]).text(), format!("second {after}"));
    site.replace("blog/web.config", &good.replace("\"first\"", "\"third\""));
    assert_eq!(word(&host, "/blog/word.php").0, "third");
    assert_eq!(ask(&host, "/blog/word.php", &[FROM_AFAR]).status(), 200);
    // Only its own file has replaced the pool of the root.
    assert_eq!(lines(&host, "recycle  php-cgi").len(), 3, "{:?}", host.lines());
    assert_ne!(pid(&host, "/pid.php"), root);
}

#[test]
fn an_edit_of_a_folder_leaves_the_pool_of_the_root_alone() {
    let site = two_pools();
    let host = site.serve();
    let root = pid(&host, "/pid.php");
    word(&host, "/blog/word.php");
    site.replace("blog/web.config", &site.read("blog/web.config").replace("\"first\"", "\"second\""));
    assert_eq!(word(&host, "/blog/word.php").0, "second");
    assert_eq!(pid(&host, "/pid.php"), root);
}

/// Strangers ask first after a start with a wrong value, so nothing ran before.
#[test]
fn a_pool_that_never_ran_heals_with_its_file() {
    let site = two_pools();
    let good = site.read("blog/web.config");
    site.write("blog/web.config", &good.replace("<application ", "<application queueLength=\"0\" "));
    let host = site.serve();
    for fields in [&[FROM_AFAR][..], &[]] {
        assert_eq!(ask(&host, "/blog/word.php", fields).status(), 500);
    }
    site.replace("blog/web.config", &good);
    for fields in [&[FROM_AFAR][..], &[]] {
        assert_eq!(ask(&host, "/blog/word.php", fields).status(), 200);
    }
}

/// A path that is absolute on this system is below no root of a site.
#[test]
fn a_pool_that_is_named_by_an_absolute_path_is_reloaded_too() {
    let found =
        ["/usr/bin/php-cgi", "/usr/local/bin/php-cgi"].into_iter().find(|path| Path::new(path).exists());
    let Some(path) = found else { return };
    let config = config("", "first").replace(PHP, path);
    let site = Site::named("site").web_config(&config).file("word.php", SAYS_WORD);
    let host = site.serve();
    assert_eq!(word(&host, "/word.php").0, "first");
    site.replace("web.config", &config.replace("\"first\"", "\"second\""));
    assert_eq!(word(&host, "/word.php").0, "second");
}

#[test]
fn a_pool_of_a_folder_that_loses_its_section_has_the_defaults_again() {
    let site = two_pools();
    let host = site.serve();
    assert_eq!(word(&host, "/blog/word.php").0, "first");
    let config = site.read("blog/web.config").replace(&variable("first"), "");
    site.replace("blog/web.config", &config);
    assert_eq!(word(&host, "/blog/word.php").0, "");
}

#[test]
fn a_pool_to_which_no_handler_leads_any_more_is_ended_and_that_is_said() {
    let site = two_pools();
    let host = site.serve();
    let (root, (_, blog)) = (pid(&host, "/pid.php"), word(&host, "/blog/word.php"));
    site.replace("blog/web.config", &web_config(""));
    let inherited = ask(&host, "/blog/word.php", &[]);
    assert_eq!(inherited.status(), 200, "the row of the root serves it: {}", inherited.text());
    all_end(&[blog], "the program of the pool that is gone");
    host.wait_for_line("no handler leads to this pool any more");
    assert_eq!(lines(&host, "no handler leads").len(), 1, "{:?}", host.lines());
    assert!(lines(&host, "install it").is_empty(), "{:?}", host.lines());
    assert_eq!(pid(&host, "/pid.php"), root);
    // With its row it is there again.
    let clear = config("", "back").replace("<handlers>", "<handlers><clear/>");
    site.replace("blog/web.config", &clear);
    assert_eq!(word(&host, "/blog/word.php").0, "back");
}

#[test]
fn pools_of_an_ini_end_with_it() {
    let ini = "[Types]\nphp=Any Site\n[Any Site]\nExePath=php-cgi\n";
    let other = "[Types]\nphp=Other\n[Other]\nExePath=php-cgi\nEnvironmentVars=WORD:other\n";
    let site =
        Site::named("site").web_config(&web_config("")).file("fcgiext.ini", ini).file("word.php", SAYS_WORD);
    let host = site.serve();
    let (_, first) = word(&host, "/word.php");
    site.replace("fcgiext.ini", other);
    let (said, second) = word(&host, "/word.php");
    assert_eq!(said, "other");
    all_end(&[first], "the program of the first pool");
    host.wait_for_line("[Any Site] cannot run: no handler leads to this pool any more");
    std::fs::remove_file(site.path().join("fcgiext.ini")).unwrap();
    eventually(PATIENCE, "404", || (ask(&host, "/word.php", &[]).status() == 404).then_some(()));
    all_end(&[second], "the program of the second pool");
    assert!(lines(&host, "goes on as it was").is_empty(), "{:?}", host.lines());
}

#[test]
fn a_pool_that_no_handler_uses_is_told_with_the_one_that_may_be_meant() {
    let written = format!("{PHP}|-d memory_limit=77M");
    for (full_path, arguments, told) in [
        (PHP, "-d memory_limit=77M", None),
        (r"c:\php\PHP-CGI.exe", "-d memory_limit=77M", None),
        (PHP, "-d memory_limit=78M", Some("which differs in `arguments`")),
        (PHP, "", Some("which differs in `arguments`")),
        (r"D:\PHP\php-cgi.exe", "-d memory_limit=77M", Some("which differs in `fullPath`")),
        (r"D:\PHP\php-cgi.exe", "", Some("which differs in `fullPath` and `arguments`")),
        (r"C:\Perl\perl.exe", "", Some("no handler uses this pool")),
    ] {
        let rows = format!("<handlers>{}</handlers>", row("*.php", &written, "Either"));
        let site = Site::named("site")
            .web_config(&web_config(&format!("{rows}{}", pool(full_path, arguments, "", ""))))
            .file("pid.php", SAYS_PID)
            .file("inherits/web.config", &web_config("<defaultDocument enabled=\"true\"/>"));
        let checked = said(["check"], &site);
        let host = site.serve();
        pid(&host, "/pid.php");
        let at_start = lines(&host, "no handler uses this pool");
        match told {
            None => assert!(at_start.is_empty() && !checked.contains("no handler uses"), "{checked}"),
            Some(told) => {
                assert_eq!((at_start.len(), checked.matches(told).count()), (1, 1), "{checked}{at_start:?}");
                assert!(at_start[0].contains(told) && at_start[0].contains("web.config:4:"), "{at_start:?}");
                let explained = said(["explain", "/pid.php"], &site);
                assert_eq!(explained.contains(told), told.starts_with("which"), "{explained}");
            }
        }
    }
}

#[test]
fn a_server_s_own_pools_may_stand_unused() {
    let pools = [pool(r"C:\Other\other.exe", "", "", ""), pool(PHP, "", "", "")].concat();
    let rows = format!("<handlers>{}</handlers>", row("*.php", PHP, "Either"));
    let own = web_config(&pool(r"C:\Own\own.exe", "", "", ""));
    let site = Site::named("all")
        .file("applicationHost.config", &web_config(&format!("{rows}{pools}")))
        .file("site/web.config", &own)
        .file("site/pid.php", SAYS_PID);
    let (above, folder) = (site.path().join("applicationHost.config"), site.path().join("site"));
    let (above, folder) = (above.to_str().unwrap(), folder.to_str().unwrap());
    let checked = ostler(["check", folder, "--config", above]).text();
    assert_eq!(checked.matches("no handler uses").count(), 1, "{checked}");
    let explained = ostler(["explain", "/pid.php", folder, "--config", above]).text();
    assert!(explained.contains(&format!("declared in {above})")), "{explained}");
}

/// The widest folder that knows a pool speaks for it, and whoever else does is told so.
#[test]
fn of_two_folders_that_describe_a_pool_the_wider_one_holds_and_the_other_is_told() {
    let site = Site::named("site")
        .web_config(&config("maxInstances=\"1\"", "root"))
        .file("word.php", SAYS_WORD)
        .file("sub/web.config", &web_config(&pool(PHP, "", "maxInstances=\"3\"", &variable("sub"))))
        .file("sub/word.php", SAYS_WORD);
    let checked = said(["check"], &site);
    assert!(!checked.contains("the last one holds"), "{checked}");
    let host = site.serve();
    let (root, sub) = (word(&host, "/word.php"), word(&host, "/sub/word.php"));
    assert_eq!((&*root.0, &*sub.0), ("root", "root"));
    let told = lines(&host, "what is said here does not hold");
    assert_eq!(told.len(), 1, "{:?}", host.lines());
    assert!(told[0].contains("sub/web.config:4:") && told[0].contains("site/web.config:4:"), "{told:?}");
    for said in [checked, said(["explain", "/sub/word.php"], &site), said(["explain", "/word.php"], &site)] {
        assert_eq!(said.matches("what is said here does not hold").count(), 1, "{said}");
    }
    let explained = said(["explain", "/sub/word.php"], &site);
    assert!(explained.contains("WORD=root") && !explained.contains("WORD=sub"), "{explained}");
}

/// Errors are what a person has to do something about.
#[test]
fn errors_come_before_warnings_and_all_have_a_place() {
    let site =
        Site::named("site").web_config(&config("maxInstances=\"99999\"", "x")).file("pid.php", SAYS_PID);
    let host = site.serve();
    let page = ask(&host, "/pid.php", &[]).text();
    let (error, warning) = (page.find("99999").unwrap(), page.find("is run instead").unwrap());
    assert!(error < warning, "{page}");
    let ini = Site::named("site").file("fcgiext.ini", "[Types]\nphp=Nope\n").file("pid.php", SAYS_PID);
    let host = ini.serve();
    let page = ask(&host, "/pid.php", &[]).text();
    assert!(page.contains("fcgiext.ini:2:5: error: there is no section [Nope]"), "{page}");
    assert_eq!(lines(&host, "default: "), Vec::<String>::new());
    let checked = said(["check"], &ini);
    assert!(!checked.contains("default"), "{checked}");
}

#[test]
fn a_program_that_is_not_here_is_told_at_the_start() {
    let site = Site::named("site").web_config(&config("", "x").replace("php-cgi", "no-such-cgi"));
    let host = site.serve();
    let line = host.wait_for_line("there is no program `no-such-cgi` in PATH");
    assert!(line.contains("web.config:4:") && line.contains("warning"), "{line}");
    site.replace("web.config", &config("", "x").replace("php-cgi", "other-cgi"));
    host.wait_for_line("there is no program `other-cgi` in PATH");
}

#[test]
fn settings_without_effect_are_told_by_check_and_explain_and_not_at_every_start() {
    let attributes = r#"protocol="Tcp" flushNamedPipe="true" monitorChangesTo="/no/php.ini""#;
    let ini = "[Types]\nphp=P\n[P]\nExePath=php-cgi\nProtocol=Tcp\nFlushNamedPipe=1\nUnhealthyOnQueueFull=1\n\
        ResponseBufferLimit=0\nMonitorChangesTo=/no/php.ini\n";
    let told = ["protocol", "flushNamedPipe", "unhealthyOnQueueFull", "responseBufferLimit"];
    for (site, told) in [
        (Site::named("site").web_config(&config(attributes, "x")), &told[..2]),
        (Site::named("site").file("fcgiext.ini", ini), &told[..]),
    ] {
        let site = site.file("pid.php", SAYS_PID);
        for said in [said(["check"], &site), said(["explain", "/pid.php"], &site)] {
            for name in told {
                let told = format!("`{name}` is accepted and has no effect");
                assert_eq!(said.matches(&told).count(), 1, "{said}");
            }
            assert!(said.contains("there is no file /no/php.ini"), "{said}");
        }
        let host = site.serve();
        pid(&host, "/pid.php");
        assert_eq!(lines(&host, "no effect"), Vec::<String>::new());
    }
    let quiet = config(r#"protocol="NamedPipe" flushNamedPipe="false""#, "x");
    let checked = said(["check"], &Site::named("site").web_config(&quiet));
    assert!(!checked.contains("no effect"), "{checked}");
}

#[test]
fn what_only_programs_have_is_told_of_a_server() {
    let yml = "fastCgi:\n  \"*.php\":\n    server: 127.0.0.1:9\n    env: {A: 1}\n    instanceMaxRequests: 5\n    idleTimeout: 20\n";
    let site = Site::named("site").file("ostler.yml", yml).file("pid.php", SAYS_PID);
    for said in [said(["check"], &site), said(["explain", "/pid.php"], &site)] {
        for told in [
            "`A` is not set: the server runs already",
            "`instanceMaxRequests` is acc",
            "`idleTimeout` is acc",
        ] {
            assert!(said.contains(told) && said.contains("ostler.yml:"), "{told}: {said}");
        }
    }
}

#[test]
fn an_unknown_property_of_an_ini_is_told_with_all_that_there_are() {
    let ini = "[Types]\nphp=P\n[P]\nExePath=php-cgi\nPipe=1\n";
    let checked = said(["check"], &Site::named("site").file("fcgiext.ini", ini)).to_lowercase();
    for name in
        ["flushnamedpipe", "unhealthyonqueuefull", "ignoreexistingfiles", "ignoredirectories", "exepath"]
    {
        assert!(checked.contains(name), "{checked}");
    }
    assert!(!checked.contains("httpsoff"), "{checked}");
}

#[test]
fn explain_names_the_file_of_a_pool_and_the_number_that_holds() {
    let site = Site::named("site").file("pid.php", SAYS_PID);
    site.write("ostler.yml", "fastCgi:\n  \"*.php\":\n    server: 127.0.0.1:9\n");
    let explained = said(["explain", "/pid.php"], &site);
    assert!(
        explained.contains("declared in ostler.yml)") && explained.contains("0 (10 here)"),
        "{explained}"
    );
    std::fs::remove_file(site.path().join("ostler.yml")).unwrap();
    site.write("fcgiext.ini", "[Types]\nphp=P\n[P]\nExePath=php-cgi\n");
    let explained = said(["explain", "/pid.php"], &site);
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(explained.contains("declared in fcgiext.ini)"), "{explained}");
    let most = (32 * cores).clamp(64, 1024);
    assert!(explained.contains(&format!("0 ({} to {most} here)", 2 * cores)), "{explained}");
    site.write("fcgiext.ini", "[Types]\nphp=P\n[P]\nExePath=php-cgi\nMaxInstances=3\n");
    let explained = said(["explain", "/pid.php"], &site);
    assert!(explained.contains("maxInstances") && !explained.contains("here)"), "{explained}");
}
