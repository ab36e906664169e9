//! Command lines as they stand in real files, and what they come to here.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Defaults, Environment, Settings, resolve};
use super::{Command, worker_command};
use crate::config::site::AppLayer;
use crate::config::source::{Located, Source};

fn settings(attributes: &[(&str, &str)]) -> Settings {
    let iisnode = attributes
        .iter()
        .map(|(name, value)| ((*name).into(), Located::new((*value).to_owned(), Source::Default)))
        .collect();
    let layer = AppLayer { iisnode, directory: "/nowhere".into(), ..AppLayer::default() };
    resolve(&layer, Path::new("/nowhere"), &Environment::new(), &Defaults::default()).unwrap().settings
}

/// A machine whose `PATH` holds node and npm.
fn find(name: &str) -> Option<PathBuf> {
    matches!(name, "node" | "npm").then(|| Path::new("/bin").join(name))
}

fn command(attributes: &[(&str, &str)], directory: &Path) -> Result<Command, String> {
    worker_command(&settings(attributes), Path::new("/s/app.js"), directory, &find)
}

#[test]
fn command_lines_of_windows_find_the_program_that_is_meant() {
    for (line, shown, warned) in [
        ("node", "/bin/node /s/app.js", false),
        ("node.exe", "/bin/node /s/app.js", false),
        ("NODE.EXE", "/bin/node /s/app.js", false),
        ("node --max-old-space-size=4096", "/bin/node --max-old-space-size=4096 /s/app.js", false),
        ("node dist/index.js", "/bin/node dist/index.js /s/app.js", false),
        (r#"node --title="a b""#, "/bin/node '--title=a b' /s/app.js", false),
        (r"node --require .\lib\first.js", "/bin/node --require ./lib/first.js /s/app.js", false),
        (r#""C:\Program Files\nodejs\node.exe""#, "/bin/node /s/app.js", true),
        (r#""%programfiles%\nodejs\node.exe""#, "/bin/node /s/app.js", true),
        (r"%ProgramFiles%\nodejs\node.exe --harmony", "/bin/node --harmony /s/app.js", true),
        (r"%ProgramFiles(x86)%/nodejs/10/node.exe", "/bin/node /s/app.js", true),
        (r"C:\Program Files\nodejs\node.exe", "/bin/node /s/app.js", true),
        (r"C:\Program Files\nodejs\node --harmony", "/bin/node --harmony /s/app.js", true),
        (r#""D:\Program Files (x86)\nodejs\8.9.4\node.exe""#, "/bin/node /s/app.js", true),
        (r"D:\Program Files (x86)\nodejs\8.9.4\node.exe --a --b", "/bin/node --a --b /s/app.js", true),
        (r".\node.exe", "/bin/node /s/app.js", true),
        // Not found: what was asked for is shown.
        (r#""D:\home\site\bin\iojs\iojs.exe" --harmony"#, "iojs --harmony /s/app.js", false),
        ("babel-node", "babel-node /s/app.js", false),
        (r"D:\home\site\wwwroot yarn start", "wwwroot yarn start /s/app.js", false),
        ("/opt/nowhere/node --x", "/opt/nowhere/node --x /s/app.js", false),
    ] {
        let command = command(&[("nodeProcessCommandLine", line)], Path::new("/nowhere")).unwrap();
        assert_eq!(command.shown, shown, "{line}");
        assert_eq!(!command.warnings.is_empty(), warned, "{line}: {:?}", command.warnings);
        assert_eq!(command.found, shown.starts_with("/bin/"), "{line}");
    }
    for line in [r#""" node"#, r#""C:\""#] {
        assert!(command(&[("nodeProcessCommandLine", line)], Path::new("/nowhere")).is_err(), "{line}");
    }
}

#[test]
fn relative_programs_start_at_the_web_config_and_blanks_may_be_part_of_a_path() {
    let site = tempfile::tempdir().unwrap();
    let root = site.path();
    for name in ["tool", "bin/my tool", "node_modules/.bin/babel-node", "only.exe"] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    for (line, program, arguments) in [
        ("./tool --x", "tool", &["--x"][..]),
        (r".\tool.exe", "tool", &[]),
        (r"bin\my tool.exe -y", "bin/my tool", &["-y"]),
        (r#""bin/my tool" "a b""#, "bin/my tool", &["a b"]),
        (r"node_modules\.bin\babel-node.cmd", "node_modules/.bin/babel-node", &[]),
    ] {
        let command = command(&[("nodeProcessCommandLine", line)], root).unwrap();
        assert_eq!(command.program, root.join(program), "{line}");
        let (script, before) = command.arguments.split_last().unwrap();
        assert_eq!(
            (script.as_str(), before),
            ("/s/app.js", &arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()[..])
        );
        assert!(command.found && command.warnings.is_empty());
    }
    // A program for Windows cannot be run here.
    let command = command(&[("nodeProcessCommandLine", r".\only.exe")], root).unwrap();
    assert_eq!((command.program.as_path(), command.found), (Path::new("only"), false));
}

#[test]
fn only_an_interceptor_of_ones_own_is_run() {
    for (interceptor, shown) in [
        ("", "/bin/node /s/app.js"),
        (r#""%programfiles%\iisnode\interceptor.js""#, "/bin/node /s/app.js"),
        ("iisnode/interceptor.js", "/bin/node /s/app.js"),
        (r".\lib\mine.js", "/bin/node ./lib/mine.js /s/app.js"),
        (r#""/opt/my own.js""#, "/bin/node '/opt/my own.js' /s/app.js"),
    ] {
        let command = command(&[("interceptor", interceptor)], Path::new("/nowhere")).unwrap();
        assert_eq!(command.shown, shown, "{interceptor}");
    }
}

#[test]
fn several_workers_do_not_share_an_inspectors_port() {
    for (line, count, shown) in [
        ("node --inspect=9229", "1", "/bin/node --inspect=9229 /s/app.js"),
        ("node --inspect=9229", "2", "/bin/node --inspect=127.0.0.1:0 /s/app.js"),
        ("node --inspect", "0", "/bin/node --inspect=127.0.0.1:0 /s/app.js"),
        ("node --inspect-brk=0.0.0.0:9229", "2", "/bin/node --inspect-brk=0.0.0.0:0 /s/app.js"),
        ("node --inspector=9229", "2", "/bin/node --inspector=9229 /s/app.js"),
    ] {
        let attributes = [("nodeProcessCommandLine", line), ("nodeProcessCountPerApplication", count)];
        let command = command(&attributes, Path::new("/nowhere")).unwrap();
        assert_eq!(command.shown, shown);
    }
}
