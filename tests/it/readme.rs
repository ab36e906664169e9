//! The README says what is: its two commands exist and are what CI runs, its flags are the program's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn the_first_two_commands_run_a_sample_and_the_tests() {
    let readme = read("README.md");
    let commands: Vec<&str> =
        first_block(&readme).iter().map(|line| line.split('#').next().unwrap_or("").trim()).collect();
    assert_eq!(commands, ["cargo run --release -- run samples/hello", "tests/run"]);
    assert!(root().join("samples/hello").is_dir(), "the sample is there");
    let mode = fs::metadata(root().join("tests/run")).expect("tests/run is there").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "tests/run is executable");
}

#[test]
fn ci_runs_the_readmes_test_command() {
    let readme = read("README.md");
    let test_command = first_block(&readme)
        .get(1)
        .and_then(|line| line.split_whitespace().next())
        .expect("a second command");
    let ci = read(".ci/run");
    assert!(ci.lines().any(|line| line.trim() == test_command), "no line `{test_command}` in .ci/run");
    let contributing = read("CONTRIBUTING.md");
    for command in first_block(&readme).iter().filter_map(|line| line.split('#').next()) {
        assert!(contributing.contains(command.trim()), "CONTRIBUTING.md does not name `{}`", command.trim());
    }
}

#[test]
fn the_readme_and_the_help_of_run_name_the_same_flags() {
    let help = help_of_run();
    let known = flags(&help);
    let readme = read("README.md");
    // Flags of other programs stand on lines that name those.
    let others = ["cargo ", "benches/compare"];
    let ours: String = readme
        .lines()
        .map(|line| if others.iter().any(|other| line.contains(other)) { "" } else { line })
        .flat_map(|line| [line, "\n"])
        .collect();
    let named = flags(&ours);
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "README.md names flags that `ostler run --help` does not: {unknown:?}\n{help}"
    );
    let untold: Vec<_> =
        known.difference(&named).filter(|flag| !["--help", "--version"].contains(&flag.as_str())).collect();
    assert!(untold.is_empty(), "`ostler run --help` has flags that README.md does not name: {untold:?}");
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let docs = fs::read_dir(root().join("docs")).expect("there is a docs folder").map(|entry| {
        let name = entry.expect("docs can be listed").file_name();
        format!("docs/{}", name.to_string_lossy())
    });
    let others = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "benches/README.md",
        "fuzz/README.md",
        "www/README.md",
    ];
    let documents = others.map(str::to_owned).into_iter().chain(docs.filter(|name| name.ends_with(".md")));
    for document in documents {
        let document = document.as_str();
        let text = read(document);
        let folder = Path::new(document).parent().expect("a file has a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") {
                assert!(
                    root().join(folder).join(target).exists(),
                    "{document} links to {link}, which is not there"
                );
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test starts the binary as a shell would")]
fn help_of_run() -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ostler"))
        .args(["run", "--help"])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "`ostler run --help` failed: {output:?}");
    String::from_utf8(output.stdout).expect("help is UTF-8")
}

#[test]
fn the_table_of_limits_is_the_programs() {
    let readme = read("README.md");
    let told = readme.split("<!-- limits -->").nth(1).and_then(|rest| rest.split("<!-- /limits -->").next());
    let mut table = "\n| name | default | allowed | what it bounds |\n|---|---|---|---|\n".to_owned();
    for limit in ostler::config::limits::LIMITS {
        let (name, default, allowed, doc) = (limit.name, limit.default, limit.allowed.expected(), limit.doc);
        table.push_str(&format!("| `{name}` | {default} | {allowed} | {doc} |\n"));
    }
    assert_eq!(told, Some(&*table), "put this table between the marks of README.md:\n{table}");
}

/// Words that begin with two hyphens and a letter.
fn flags(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        })
        .map(str::to_owned)
        .collect()
}

/// The lines of the first fenced block.
fn first_block(text: &str) -> Vec<&str> {
    text.lines()
        .skip_while(|line| !line.starts_with("```"))
        .skip(1)
        .take_while(|line| !line.starts_with("```"))
        .filter(|line| !line.trim().is_empty())
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
