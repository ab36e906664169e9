//! The real binary: started on a free port, its lines read all the time, ended when the test ends.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::command::command;
use super::{FakeWorker, PATIENCE, eventually, signal};

/// What a host is started with; `start` starts it.
pub(crate) struct Setup {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// Servers that already run need no wait; workers do.
    waits_for_workers: bool,
}

impl Setup {
    fn new(waits_for_workers: bool) -> Setup {
        Setup { arguments: Vec::new(), variables: Vec::new(), waits_for_workers }
    }

    #[must_use]
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Setup {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// One more variable in the host's environment.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: &str) -> Setup {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn limit(self, name: &str, value: &str) -> Setup {
        self.args(["--limit", &format!("{name}={value}")])
    }

    #[must_use]
    pub(crate) fn instances(self, instances: usize) -> Setup {
        self.args(["--instances", &instances.to_string()])
    }

    /// Does not wait until workers are ready, because they will not be, or because the wait is the test.
    #[must_use]
    pub(crate) fn without_waiting(mut self) -> Setup {
        self.waits_for_workers = false;
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> Host {
        let mut command = command(env!("CARGO_BIN_EXE_ostler"));
        command.args(&self.arguments).envs(self.variables);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Output::default());
        output.follow(child.stdout.take().unwrap());
        output.follow(child.stderr.take().unwrap());
        let mut host = Host { child, output, port: 0, status: None };
        let first = host.wait_for_line("http://");
        let port = first.split("http://").nth(1).and_then(|url| url.split(['/', ' ']).next());
        let port = port.and_then(|address| address.rsplit_once(':')).and_then(|(_, port)| port.parse().ok());
        host.port = port.unwrap_or_else(|| panic!("no URL in {first:?}"));
        if self.waits_for_workers {
            host.wait_for(|line| line.starts_with("workers ") && line.contains("ready"), "workers … ready");
        }
        host
    }
}

/// A running host; killed when dropped, its workers die with it.
pub(crate) struct Host {
    child: Child,
    output: Arc<Output>,
    port: u16,
    status: Option<ExitStatus>,
}

impl Host {
    /// `ostler run FOLDER`, on a free port.
    pub(crate) fn of(folder: &Path) -> Setup {
        let run = ["run", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        Setup::new(true).args(run)
    }

    /// `ostler run` with these arguments only; where it listens is said by a file among them.
    pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Setup {
        Setup::new(false).args(["run"]).args(arguments)
    }

    /// `ostler dev FOLDER`, on a free port.
    pub(crate) fn dev(folder: &Path) -> Setup {
        Setup::new(false).args(["dev", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"])
    }

    /// `ostler run --upstream …` for each of these workers, on a free port.
    pub(crate) fn before<'a>(workers: impl IntoIterator<Item = &'a FakeWorker>) -> Setup {
        let addresses = workers.into_iter().map(FakeWorker::address).collect::<Vec<_>>();
        Host::before_addresses(addresses.iter().map(String::as_str))
    }

    /// The same for servers that may be anywhere, or nowhere.
    pub(crate) fn before_addresses<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Setup {
        let setup = Setup::new(false).args(["run", "--listen", "127.0.0.1:0"]);
        addresses.into_iter().fold(setup, |setup, address| setup.args(["--upstream", address]))
    }

    /// The URL of a path, which begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far, of both outputs.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.output.lines.lock().unwrap().clone()
    }

    /// The first line, past or to come, that contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        self.wait_for(|line| line.contains(text), text)
    }

    #[track_caller]
    fn wait_for(&self, wanted: impl Fn(&str) -> bool, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.output.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                let all = lines.join("\n");
                drop(lines);
                panic!("the host never wrote `{what}`, but:\n{all}");
            }
            lines = self.output.news.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.pid(), which);
    }

    /// Waits until the host ends by itself, or by a signal already sent.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let status = eventually(PATIENCE * 2, "the end of the host", || self.child.try_wait().unwrap());
        self.status = Some(status);
        status
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.status = self.status.or(self.child.try_wait().unwrap());
        self.status.is_some()
    }

    /// Asks the host to end and sees that it does, with exit code 0.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait_for_end();
        assert_eq!(status.code(), Some(0), "{}", self.lines().join("\n"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- what the host wrote ---\n{}", self.lines().join("\n"));
        }
    }
}

/// The lines of a host, as they come.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    news: Condvar,
}

impl Output {
    fn follow(self: &Arc<Self>, from: impl Read + Send + 'static) {
        let output = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                output.lines.lock().unwrap().push(line);
                output.news.notify_all();
            }
        });
    }
}
