//! Programs the tests run to their end: curl, node scripts, and the host where it is expected to refuse.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{eventually, repository, with_packages};

/// Longer than any client of the tests should take.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The same, after having seen that the program was content.
    #[track_caller]
    pub(crate) fn success(self) -> Outcome {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.text(), self.stderr);
        self
    }

    /// What a client script printed as its last line, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let text = self.success().text();
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }
}

/// Runs a command to its end, with a deadline, reading both outputs all the time.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Outcome {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("could not start `{program}`, is it installed? {error}"));
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let begun = std::time::Instant::now();
    let status = eventually(DEADLINE * 2, &format!("the end of {program}"), || {
        if begun.elapsed() > DEADLINE {
            let _ = child.kill();
        }
        child.try_wait().unwrap()
    });
    let stderr = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
    Outcome { status, stdout: stdout.join().unwrap(), stderr }
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

/// A command of this name.
#[expect(clippy::disallowed_methods, reason = "the tests start programs themselves")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// The host, where it is expected to end by itself.
#[track_caller]
pub(crate) fn ostler<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
    let mut command = command(env!("CARGO_BIN_EXE_ostler"));
    command.args(arguments);
    run(command)
}

#[track_caller]
pub(crate) fn curl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
    let mut command = command("curl");
    command.args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*"]).args(arguments);
    run(command)
}

/// A script of `tests/clients`, with the packages of `tests/package.json`.
#[track_caller]
pub(crate) fn node<'a>(script: &str, arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
    let tests = with_packages(Path::new("tests"));
    let mut command = command("node");
    command.arg(repository(&format!("tests/clients/{script}"))).args(arguments).current_dir(tests);
    run(command)
}
