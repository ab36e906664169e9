//! What is run: the forms of a program and its arguments, and what stands in for .NET.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{FROM_AFAR, Section, ask, fails, failure, json, pid, text};
use crate::harness::{Host, Site, command};

/// Where a program of the search path is.
fn found(program: &str) -> PathBuf {
    let output = command("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    let path = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(path.is_absolute(), "`{program}` is missing");
    path
}

/// A script at this place of a site.
#[track_caller]
fn script(site: &Site, name: &str, text: &str) {
    site.write(name, &format!("#!/bin/sh\n{text}\n"));
    let path = site.path().join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn run(site: &Site, variables: &[(&str, &str)]) -> Host {
    let setup = Host::of(site.path()).without_waiting();
    variables.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).start()
}

/// Row 22.
#[test]
fn programs_and_arguments_are_found_in_all_their_forms() {
    let node = found("node");
    let folder = node.parent().unwrap().to_str().unwrap();
    for (program, arguments) in [
        ("node", r".\worker.mjs"),
        ("node", "./worker.mjs"),
        ("node", "worker.mjs"),
        ("node.exe", "./worker.mjs"),
        ("NODE.EXE", r".\worker.mjs"),
        (r"%FOLDER%\node", r".\worker.mjs"),
        ("%FOLDER%/node", r"%HERE%\worker.mjs"),
        (r"C:\Program Files\nodejs\node.exe", r".\worker.mjs"),
        (r"%SystemDrive%\nodejs\node.exe", r".\worker.mjs"),
        (r".\run", r".\worker.mjs"),
        (r"bin\run", r".\worker.mjs"),
        ("bin/run", "worker.mjs"),
        (r".\run.exe", r".\worker.mjs"),
    ] {
        let site = Section::new().set("processPath", program).set("arguments", arguments).site();
        for name in ["run", "bin/run"] {
            script(&site, name, "exec node \"$@\"");
        }
        let host = run(&site, &[("FOLDER", folder), ("HERE", "."), ("SystemDrive", "C:")]);
        assert_eq!(text(&host, "/here"), "/here", "{program} {arguments}");
    }
}

/// Row 22: arguments are taken apart as on Windows.
#[test]
fn arguments_keep_their_quotes_blanks_and_the_port() {
    let arguments =
        r#"".\my worker.mjs" "two words" plain "a \"quoted\" one" --port=%ASPNETCORE_PORT% %UNKNOWN%"#;
    let site = Section::new().set("arguments", arguments).site().file("my worker.mjs", super::IMITATION);
    let host = site.serve();
    let told = json(&host, "/arguments");
    let port = format!("--port={}", text(&host, "/port"));
    assert!(told[0].as_str().is_some_and(|script| script.ends_with("/my worker.mjs")), "{told}");
    let rest = told.as_array().unwrap()[1..].iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(rest, ["two words", "plain", "a \"quoted\" one", port.as_str(), "%UNKNOWN%"]);
}

/// Row 23.
#[test]
fn a_launcher_in_the_environment_of_the_host_wins_over_the_section() {
    let site = Section::new().set("processPath", "no-such-program").set("arguments", "no-such-file").site();
    let node = found("node");
    let launcher = [("ANCM_LAUNCHER_PATH", node.to_str().unwrap()), ("ANCM_LAUNCHER_ARGS", r".\worker.mjs")];
    assert_eq!(text(&run(&site, &launcher), "/here"), "/here");
    let site = Section::new().site().file("other.mjs", super::IMITATION);
    let told = json(&run(&site, &[("ANCM_LAUNCHER_ARGS", r".\other.mjs launched")]), "/arguments");
    assert!(told[0].as_str().is_some_and(|script| script.ends_with("/other.mjs")), "{told}");
    assert_eq!(told[1], "launched");
}

fn published(program: &str, arguments: &str) -> Site {
    Section::new().set("processPath", program).set("arguments", arguments).site()
}

/// A search path on which there is nothing to be found.
#[track_caller]
fn nothing(site: &Site) -> String {
    let empty = site.path().join("nothing");
    std::fs::create_dir_all(&empty).unwrap();
    empty.to_str().unwrap().to_owned()
}

#[test]
fn where_dotnet_is_not_installed_the_page_says_exactly_that_to_clients_at_the_machine() {
    for (program, arguments) in
        [("dotnet", r".\App.dll"), (r".\App.exe", ""), (r"%ProgramFiles%\dotnet\dotnet.exe", r".\App.dll")]
    {
        let site = published(program, arguments).file("App.dll", "MZ");
        let host = run(&site, &[("PATH", nothing(&site).as_str()), ("ProgramFiles", r"C:\Program Files")]);
        let page = fails(&host, "/", (502, "502.5"));
        assert!(page.contains(".NET is not installed"), "{program}: {page}");
        let afar = ask(&host, "/", &[FROM_AFAR]);
        assert_eq!(failure(&afar), (502, "502.5"));
        assert!(!afar.text().contains(".NET is not installed"), "{}", afar.text());
    }
}

/// A `dotnet` that notes what it is asked to run, one word in a line, and runs the imitation in its place.
#[track_caller]
fn with_dotnet(site: &Site) -> String {
    script(site, "sdk/dotnet", "printf '%s\\n' \"$@\" > called\nexec node worker.mjs");
    let folder = site.path().join("sdk");
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// The words that `dotnet` was called with.
#[track_caller]
fn called(site: &Site) -> Vec<String> {
    site.read("called").lines().map(str::to_owned).collect()
}

#[track_caller]
fn is_file_of(site: &Site, word: &str, name: &str) {
    assert!(!word.contains('\\'), "{word}");
    let path = site.path().join(word).canonicalize().unwrap_or_else(|error| panic!("{word}: {error}"));
    assert_eq!(path, Path::new(site.path()).join(name).canonicalize().unwrap());
}

#[test]
fn dotnet_gets_the_path_of_the_dll_in_the_words_of_this_system() {
    for (program, arguments, dll) in [
        ("dotnet", r".\App.dll --urls x\y", "App.dll"),
        ("dotnet.exe", r".\bin\App.dll --urls x\y", "bin/App.dll"),
        (r"C:\Program Files\dotnet\dotnet.exe", r"bin\App.dll --urls x\y", "bin/App.dll"),
    ] {
        let site = published(program, arguments).file(dll, "MZ");
        let host = run(&site, &[("PATH", with_dotnet(&site).as_str())]);
        pid(&host, "");
        let words = called(&site);
        is_file_of(&site, &words[0], dll);
        // What is no file of the application is nobody's business.
        assert_eq!(words[1..], ["--urls", r"x\y"]);
    }
}

#[test]
fn an_exe_with_only_its_dll_beside_it_is_run_by_dotnet() {
    for (program, dll) in [(r".\My.exe", "My.dll"), (r"bin\My.exe", "bin/My.dll")] {
        let site = published(program, "--more words").file(dll, "MZ");
        let host = run(&site, &[("PATH", with_dotnet(&site).as_str())]);
        pid(&host, "");
        let words = called(&site);
        is_file_of(&site, &words[0], dll);
        assert_eq!(words[1..], ["--more", "words"]);
    }
}

/// A program of this system with that name is nearer than a library.
#[test]
fn an_exe_with_a_program_of_this_system_beside_it_is_that_program() {
    let site = published(r".\My.exe", "worker.mjs").file("My.dll", "MZ");
    script(&site, "My", "exec node \"$@\"");
    let host = run(&site, &[("PATH", with_dotnet(&site).as_str())]);
    pid(&host, "");
    assert!(!site.path().join("called").exists());
}

/// Row 21, as far as it applies: what those settings are for is not here, and they do no harm.
#[test]
fn settings_of_the_handler_that_have_nothing_to_do_here_are_accepted() {
    let section = [
        ("debugLevel", "file,trace"),
        ("debugFile", r".\debug.log"),
        ("handlerVersion", "2.1"),
        ("shutdownDelay", "100"),
        ("stackSize", "1048576"),
        ("setCurrentDirectory", "false"),
        ("callStartupHook", "false"),
        ("suppressRecycleOnStartupTimeout", "true"),
        ("enableShadowCopy", "true"),
        ("shadowCopyDirectory", r"..\copies"),
        ("somethingElse", "entirely"),
    ]
    .into_iter()
    .fold(Section::new(), |section, (name, value)| section.handler_setting(name, value));
    let site = section.set("forwardWindowsAuthToken", false).set("disableStartUpErrorPage", false).site();
    assert_eq!(text(&site.serve(), "/here"), "/here");
}
