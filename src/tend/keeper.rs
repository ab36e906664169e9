//! A second, tiny process that cleans up when the host can no longer: nothing is left after SIGKILL of the host.
//!
//! The host writes lines to it: `+<group>` and `-<group>` as workers come and go, `tag <host>` and `dir <folder>` once.
//! The end of that pipe is the end of the host, however it came. Then the keeper kills the groups, whoever carries the
//! host's tag, and removes the folder. `PR_SET_PDEATHSIG` reaches workers only; this reaches what they have started, but
//! for a process that has left its group *and* cleared its environment: nothing short of a cgroup would find that one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::process::Child;
use tokio::time::Instant;

use super::budget::{Budget, RestartLimits};
use super::{linux, proc, sockets, spawn};

/// The hidden subcommand by which the program becomes a keeper.
pub(crate) const SUBCOMMAND: &str = "__keeper";

/// What the process does that was started with [`SUBCOMMAND`].
pub(crate) fn keeper_main() -> ! {
    linux::ignore_polite_signals();
    keep(io::stdin().lock());
    std::process::exit(0)
}

/// Listens until the host is gone, then cleans up.
fn keep(input: impl BufRead) {
    let mut charge = Charge::default();
    for line in input.split(b'\n') {
        let Ok(line) = line else { break };
        charge.note(&line);
    }
    charge.end();
}

/// What the keeper is responsible for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Charge {
    groups: BTreeSet<u32>,
    host: Option<String>,
    folder: Option<PathBuf>,
}

impl Charge {
    fn note(&mut self, line: &[u8]) {
        let group = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u32>().ok();
        if let Some(digits) = line.strip_prefix(b"+") {
            self.groups.extend(group(digits));
        } else if let Some(digits) = line.strip_prefix(b"-") {
            self.groups.retain(|&known| Some(known) != group(digits));
        } else if let Some(host) = line.strip_prefix(b"tag ") {
            self.host = Some(String::from_utf8_lossy(host).into_owned()).filter(|host| !host.is_empty());
        } else if let Some(folder) = line.strip_prefix(b"dir ") {
            let folder = PathBuf::from(OsStr::from_bytes(folder));
            // Whatever goes wrong on the way here, only a folder of ours is ever removed.
            let ours = |name: &OsStr| name.as_bytes().starts_with(sockets::FOLDER_PREFIX.as_bytes());
            if folder.is_absolute() && folder.file_name().is_some_and(ours) {
                self.folder = Some(folder);
            }
        }
    }

    fn end(&self) {
        // Who is killed may have just forked: look again until nobody is found. A second of it is enough for anything
        // but a fork bomb, and a keeper must end, too.
        const ROUNDS: u32 = 100;
        const PAUSE: Duration = Duration::from_millis(10);
        self.groups.iter().for_each(|&group| linux::kill_group(group));
        if let Some(host) = &self.host {
            for _ in 0..ROUNDS {
                let left = proc::tagged(|tag| is_of_host(tag, host));
                if left.is_empty() {
                    break;
                }
                left.into_iter().for_each(linux::kill_process);
                std::thread::park_timeout(PAUSE);
            }
        }
        if let Some(folder) = &self.folder {
            // The host has usually removed it itself.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Tags are `<host>/<start>`.
pub(super) fn is_of_host(tag: &str, host: &str) -> bool {
    tag.strip_prefix(host).is_some_and(|start| start.starts_with('/'))
}

/// The host's end: tells the keeper, and starts another when it is gone. Without a keeper workers run all the same.
pub(super) struct Keeper {
    program: PathBuf,
    line: Mutex<Line>,
    /// Held by whoever watches over it; several applications share one keeper.
    process: tokio::sync::Mutex<Option<Child>>,
}

#[derive(Default)]
struct Line {
    charge: Charge,
    pipe: Option<File>,
    /// The keeper's own.
    pid: Option<u32>,
}

impl Keeper {
    pub(super) fn start(program: PathBuf, host: &str, folder: &Path) -> Keeper {
        let charge =
            Charge { groups: BTreeSet::new(), host: Some(host.to_owned()), folder: Some(folder.to_owned()) };
        let keeper = Keeper {
            program,
            line: Mutex::new(Line { charge, pipe: None, pid: None }),
            process: tokio::sync::Mutex::new(None),
        };
        if let Ok(mut process) = keeper.process.try_lock() {
            *process = keeper.begin();
        }
        keeper
    }

    pub(super) fn is(&self, pid: u32) -> bool {
        self.line.lock().pid == Some(pid)
    }

    fn begin(&self) -> Option<Child> {
        let started = spawn::spawn_keeper(&self.program, SUBCOMMAND).and_then(|mut child| {
            let pipe = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.into_owned_fd()?;
            let mut line = self.line.lock();
            line.pipe = Some(File::from(pipe));
            line.pid = child.id();
            line.tell_all();
            Ok(child)
        });
        match started {
            Ok(child) => Some(child),
            Err(error) => {
                tracing::warn!(%error, "the keeper did not start; if the host is killed, processes of its workers may stay");
                None
            }
        }
    }

    pub(super) fn add(&self, group: u32) {
        let mut line = self.line.lock();
        line.charge.groups.insert(group);
        line.tell(format!("+{group}\n").as_bytes());
    }

    pub(super) fn remove(&self, group: u32) {
        let mut line = self.line.lock();
        line.charge.groups.remove(&group);
        line.tell(format!("-{group}\n").as_bytes());
    }

    /// Puts another in the place of a keeper that ended, for as long as this is awaited.
    pub(super) async fn watch(&self) -> std::convert::Infallible {
        let mut process = self.process.lock().await;
        let mut budget =
            Budget::new(RestartLimits { first_delay: Duration::from_secs(1), ..Default::default() });
        let mut since = Instant::now();
        loop {
            if let Some(child) = process.as_mut() {
                let pid = child.id();
                // An error means that there is nothing to wait for.
                let _ = child.wait().await;
                pid.into_iter().for_each(spawn::forget);
                tracing::warn!("the keeper has ended; it is started again");
            }
            self.line.lock().pipe = None;
            let now = Instant::now();
            tokio::time::sleep_until(budget.next_start(Some(now - since), now)).await;
            since = Instant::now();
            *process = self.begin();
        }
    }
}

impl Line {
    fn tell(&mut self, words: &[u8]) {
        if let Some(pipe) = &mut self.pipe {
            // The pipe does not block. A keeper that is gone or stuck is replaced when it ends, and told everything.
            let _ = pipe.write_all(words);
        }
    }

    fn tell_all(&mut self) {
        let mut words = Vec::new();
        let Charge { groups, host, folder } = &self.charge;
        if let Some(host) = host {
            words.extend_from_slice(format!("tag {host}\n").as_bytes());
        }
        if let Some(folder) = folder {
            words.extend_from_slice(b"dir ");
            words.extend_from_slice(folder.as_os_str().as_bytes());
            words.push(b'\n');
        }
        groups.iter().for_each(|group| words.extend_from_slice(format!("+{group}\n").as_bytes()));
        self.tell(&words);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Charge, is_of_host, keep};

    #[test]
    fn the_keeper_knows_what_it_was_told_and_takes_no_folder_that_is_not_ours() {
        let mut charge = Charge::default();
        for line in [
            "+7",
            "+8",
            "-7",
            "nonsense",
            "+x",
            "tag abc",
            "dir /run/ostler-1",
            "dir /run",
            "dir ostler-2",
            "",
        ] {
            charge.note(line.as_bytes());
        }
        let expected = Charge {
            groups: [8].into(),
            host: Some("abc".to_owned()),
            folder: Some(PathBuf::from("/run/ostler-1")),
        };
        assert_eq!(charge, expected);
    }

    #[test]
    fn a_tag_belongs_to_exactly_one_host() {
        assert!(is_of_host("ab/1", "ab"));
        assert!(!is_of_host("abc/1", "ab"));
        assert!(!is_of_host("ab", "ab"));
    }

    #[test]
    fn the_end_of_the_pipe_removes_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("ostler-test");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("0.sock"), "").unwrap();
        keep(format!("dir {}\n", folder.display()).as_bytes());
        assert!(!folder.exists());
    }
}
