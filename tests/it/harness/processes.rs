//! Processes seen from outside, through `/proc`, and signals to those the test started.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal to a process that a test, or a host it started, began.
#[track_caller]
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// Whether the process exists and is more than a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The living processes whose parent is `pid`, lowest pid first.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children = pids
        .filter(|&child| stat(child).is_some_and(|(state, parent)| parent == pid && state != "Z"))
        .collect::<Vec<_>>();
    children.sort_unstable();
    children
}

/// The workers of the host `pid`: those of its children that it has told who they are.
pub(crate) fn workers_of(pid: u32) -> Vec<u32> {
    let is_worker = |child: &u32| {
        let environment = std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable.starts_with(b"OSTLER_WORKER="))
    };
    children_of(pid).into_iter().filter(is_worker).collect()
}

/// State letter and parent of a process.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, blanks and parentheses included.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.to_owned();
    Some((state, fields.next()?.parse().ok()?))
}
