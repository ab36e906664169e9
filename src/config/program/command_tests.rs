//! Paths of programs as they stand in real files, and what runs here for them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::tests::{environment, find, read_with};
use crate::config::settings::Command;

const SCRIPT: &str = "#!/bin/sh\n";
const OF_WINDOWS: &str = "MZ\u{90}\0";

fn put(root: &Path, name: &str, content: &str, mode: u32) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The command of a section in `root`, and every warning.
fn command(
    path: &str,
    arguments: &str,
    root: &Path,
    find: &dyn Fn(&str) -> Option<PathBuf>,
) -> (Command, Vec<String>) {
    let escaped = arguments.replace('"', "&quot;");
    let text = format!("<httpPlatform processPath='{path}' arguments=\"{escaped}\"/>");
    let resolved = read_with(&text, &environment(&[("HOME", "/root")]), find, root).unwrap();
    (resolved.program.command, resolved.notes.into_iter().map(|note| note.what).collect())
}

fn with_dotnet(name: &str) -> Option<PathBuf> {
    if name == "dotnet" { Some("/bin/dotnet".into()) } else { find(name) }
}

#[test]
fn names_and_paths_of_windows_find_the_program_that_is_meant() {
    let root = Path::new("/nowhere");
    for (path, program, warned) in [
        ("node", Ok("/bin/node"), ""),
        ("NODE.EXE", Ok("/bin/node"), ""),
        ("gunicorn.cmd", Ok("/bin/gunicorn"), ""),
        ("python", Ok("/bin/python3"), "no `python` on this system"),
        ("python.exe", Ok("/bin/python3"), "/bin/python3 is run instead"),
        ("py", Ok("/bin/python3"), "is run instead"),
        (r"D:\home\python364x86\python.exe", Ok("/bin/python3"), "is run instead"),
        (r#""C:\Program Files\nodejs\10.15.2\node.exe""#, Ok("/bin/node"), "is run instead"),
        (r"%HOME%\python\python.exe", Ok("/bin/python3"), "is run instead"),
        (r"%JAVA_HOME%\bin\java.exe", Ok("/bin/java"), "is run instead"),
        (r"%JAVA_HOME%/bin/javaw", Ok("/bin/java"), "is run instead"),
        // Not here: what was asked for is shown.
        ("go-app.exe", Err("go-app"), ""),
        (r"D:\app\go-app.exe", Err("go-app"), ""),
        ("./node", Err("./node"), ""),
        ("/opt/node", Err("/opt/node"), ""),
        (r"bin\app.exe", Err("bin/app"), ""),
        ("%LAUNCHER_PATH%", Err("%LAUNCHER_PATH%"), ""),
    ] {
        let (command, warnings) = command(path, "", root, &find);
        let found = command.program.to_str().unwrap();
        assert_eq!(if command.found { Ok(found) } else { Err(found) }, program, "{path}");
        assert_eq!(command.missing.is_none(), command.found, "{path}");
        assert_eq!(warnings.is_empty(), warned.is_empty(), "{path}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains(warned)), "{path}: {warnings:?}");
    }
}

#[test]
fn a_path_that_begins_with_a_dot_is_the_sites_own_and_never_one_of_path() {
    for (path, program) in [
        (r".\node.exe", "./node"),
        (r".\test.exe", "./test"),
        ("./test", "./test"),
        (r".\bin\start.cmd", "./bin/start"),
        (r"..\approot\web.cmd", "../approot/web"),
        (r"..\python.exe", "../python"),
    ] {
        let everything = |name: &str| Some(Path::new("/usr/bin").join(name));
        let (command, _) = command(path, "", Path::new("/nowhere/site"), &everything);
        assert_eq!((command.found, command.program.to_str()), (false, Some(program)), "{path}");
        let missing = command.missing.unwrap();
        assert!(missing.contains("/nowhere/") && !missing.contains("in PATH"), "{path}: {missing}");
    }
}

#[test]
fn programs_of_the_application_come_first_if_they_can_run_here() {
    let site = tempfile::tempdir().unwrap();
    let root = site.path();
    for (name, content, mode) in [
        ("bin/app", SCRIPT, 0o755),
        ("Elf.exe", "\u{7f}ELF", 0o755),
        ("Both.exe", OF_WINDOWS, 0o777),
        ("Both", SCRIPT, 0o755),
        ("My.exe", OF_WINDOWS, 0o644),
        ("My.dll", OF_WINDOWS, 0o644),
        ("bin/Sub.dll", OF_WINDOWS, 0o644),
        ("node", SCRIPT, 0o755),
        ("python.exe", OF_WINDOWS, 0o755),
        ("run.bat", "rem", 0o755),
        ("run.sh", SCRIPT, 0o755),
        ("web.cmd", "rem", 0o644),
        ("web", SCRIPT, 0o755),
        ("java/x", "", 0o644),
    ] {
        put(root, name, content, mode);
    }
    for (path, program, arguments, warned) in [
        (r".\bin\app.exe", "bin/app", "", ""),
        (r"bin\app", "bin/app", "", ""),
        (r".\Elf.exe", "Elf.exe", "", ""),
        (r".\Both.exe", "Both", "", ""),
        (r".\My.exe", "/bin/dotnet", "My.dll x", "My.dll is run by dotnet"),
        ("My.exe", "/bin/dotnet", "My.dll x", "is run by dotnet"),
        (r".\bin\Sub", "/bin/dotnet", "bin/Sub.dll x", "is run by dotnet"),
        ("node", "node", "", ""),
        ("java", "/bin/java", "", ""),
        ("python.exe", "/bin/python3", "", "is run instead"),
        ("run.bat", "run.sh", "", "run.sh is run instead"),
        (r".\WEB.CMD", "", "", ""),
        (r".\web.cmd", "web", "", "web is run instead"),
        (r"D:\home\site\wwwroot\bin\app.exe", "bin/app", "", "bin/app here"),
        (r"%home%\site\wwwroot\run.bat", "run.sh", "", "run.sh"),
    ] {
        let (command, warnings) = command(path, "x", root, &with_dotnet);
        if program.is_empty() {
            assert!(!command.found, "{path}");
            continue;
        }
        assert!(command.found, "{path}: {:?}", command.missing);
        assert_eq!(command.program, root.join(program), "{path}");
        assert_eq!(command.arguments.join(" "), if arguments.is_empty() { "x" } else { arguments }, "{path}");
        assert_eq!(warnings.is_empty(), warned.is_empty(), "{path}: {warnings:?}");
        assert!(warnings.iter().any(|it| it.contains(warned)) || warned.is_empty(), "{path}: {warnings:?}");
    }
}

#[test]
fn a_missing_program_is_told_with_the_places_that_were_looked_at_and_what_helps() {
    let site = tempfile::tempdir().unwrap();
    let root = site.path();
    for (name, content, mode) in [
        ("run.bat", "rem", 0o755),
        ("app.py", "print()", 0o644),
        ("app.js", "x", 0o755),
        ("lib.jar", "PK", 0o644),
        ("tool", SCRIPT, 0o644),
        ("text", "hello", 0o755),
        ("Win.exe", OF_WINDOWS, 0o755),
        ("Net.dll", OF_WINDOWS, 0o644),
    ] {
        put(root, name, content, mode);
    }
    let place = |name: &str| root.join(name).display().to_string();
    let no_dotnet = ".NET is not installed: there is no program `dotnet` in PATH; install the .NET runtime, or publish the application self-contained";
    for (path, told) in [
        (
            r".\run.bat",
            &[&*place("run.sh"), &place("run"), "batch files cannot run", "executable `run.sh` or `run`"][..],
        ),
        (r"..\nothing\web.cmd", &["/nothing/web.sh", "batch files cannot run"]),
        ("go-app.exe", &[&place("go-app.exe"), &place("go-app"), "`go-app` in PATH"]),
        ("app.py", &["only what is executable runs", "`python3 app.py`"]),
        (r".\app.js", &["`node app.js`"]),
        ("lib.jar", &["`java -jar lib.jar`"]),
        (r".\Net.dll", &["`dotnet Net.dll`"]),
        ("./tool", &["tool is not executable: chmod +x"]),
        ("./text", &["whose first line is `#!`"]),
        (r".\Win.exe", &["Win.exe is a program for Windows"]),
        ("cmd.exe", &["the shell of Windows"]),
        ("%LAUNCHER_PATH%", &["placeholder that is filled in when the application is published"]),
        (r"%NOPE%\x.exe", &["`x` in PATH", "no variable `NOPE`"]),
    ] {
        let (command, warnings) = command(path, "", root, &find);
        let missing = command.missing.unwrap_or_else(|| panic!("{path} was found: {}", command.shown));
        assert!(missing.starts_with(&format!("there is no program `{path}`")), "{missing}");
        for part in told {
            assert!(missing.contains(part), "{path}: {missing}");
        }
        assert!(warnings.is_empty(), "{path}: {warnings:?}");
    }
    for path in ["dotnet", "dotnet.exe", r".\Net.exe", r"C:\Program Files\dotnet\dotnet.exe"] {
        let (command, _) = command(path, r".\Net.dll", root, &find);
        assert_eq!(command.missing.as_deref(), Some(no_dotnet), "{path}");
        assert_eq!(command.shown, "dotnet ./Net.dll", "{path}");
    }
}

#[test]
fn arguments_name_files_of_the_application_as_they_are_written_here() {
    let site = tempfile::tempdir().unwrap();
    let root = site.path();
    for name in ["lib/a.jar", "app/main.py", "pkg/mod", "conf/x.json"] {
        put(root, name, "", 0o644);
    }
    let here = root.display();
    for (path, arguments, expected) in [
        ("node", r".\X.js ..\y.js", "./X.js ../y.js"),
        ("node", r"-u app\main.py app\none.py", r"-u app/main.py app\none.py"),
        ("python3", r"-m pkg\mod -x", r"-m pkg\mod -x"),
        (
            "node",
            r"--config=.\conf\x.json --c=conf\x.json --d=a\b",
            r"--config=./conf/x.json --c=conf/x.json --d=a\b",
        ),
        (
            "node",
            r#""a b" %HTTP_PLATFORM_PORT% -p:%HTTP_PLATFORM_PORT%"#,
            "a b %HTTP_PLATFORM_PORT% -p:%HTTP_PLATFORM_PORT%",
        ),
        ("java", r"-cp .\lib\a.jar;.\lib\* Main a;b", "-cp ./lib/a.jar:./lib/* Main a;b"),
        ("java", r"-classpath lib\a.jar;. Main", "-classpath lib/a.jar:. Main"),
        ("java", "-cp a.jar:b.jar Main", "-cp a.jar:b.jar Main"),
        ("java", r"--class-path=.\a;b Main", "--class-path=./a:b Main"),
        ("java", r"-jar .\lib\a.jar", "-jar ./lib/a.jar"),
        ("node", r"-cp a;b", "-cp a;b"),
        ("node", r"D:\home\site\wwwroot\app\main.py", &format!("{here}/app/main.py")),
        ("node", r"%home%\site\wwwroot\x %home%", &format!("{here}/x /root")),
    ] {
        let (command, _) = command(path, arguments, root, &find);
        assert_eq!(command.arguments.join(" "), expected, "{arguments}");
    }
}
