//! Who is running and who listens, as the kernel tells it in /proc: stragglers of a worker, ports it listens on.
//!
//! Every answer is a snapshot of things that move; callers repeat until they see what they want, bounded.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

/// The environment variable by which a process is known to be ours, wherever it has moved to: `<host>/<start>`.
pub(super) const TAG: &str = "OSTLER_HOST";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Clock ticks since the machine started; tells apart two processes that had the same pid.
    pub(super) started: u64,
    /// It has ended and only waits to be reaped.
    pub(super) zombie: bool,
}

pub(super) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

pub(super) fn process(pid: u32) -> Option<Process> {
    // Not UTF-8 for certain: the name of the program is in there.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(pid, &String::from_utf8_lossy(&stat))
}

fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    // `pid (name) state ppid pgrp …`: the name may hold spaces and parentheses, so count from the last one.
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect::<Vec<_>>();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// What [`TAG`] was in the environment the process began with.
fn tag_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|&byte| byte == 0)
        .find_map(|variable| variable.strip_prefix(TAG.as_bytes())?.strip_prefix(b"="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

/// The living processes whose tag fits, wherever they hang in the tree.
pub(super) fn tagged(fits: impl Fn(&str) -> bool) -> Vec<u32> {
    let own = std::process::id();
    processes()
        .into_iter()
        .filter(|process| {
            !process.zombie && process.pid != own && tag_of(process.pid).is_some_and(|tag| fits(&tag))
        })
        .map(|process| process.pid)
        .collect()
}

/// What one start has left: by its tag, or by its group if that member is younger than the leader was.
pub(super) fn left_behind(tag: &str, group: u32, since: u64) -> Vec<Process> {
    let own = std::process::id();
    processes()
        .into_iter()
        .filter(|process| !process.zombie && process.pid != own)
        .filter(|process| {
            (process.group == group && process.started >= since)
                || tag_of(process.pid).as_deref() == Some(tag)
        })
        .collect()
}

/// The living descendants of a process, without itself.
pub(super) fn descendants(of: u32) -> Vec<u32> {
    let all = processes();
    let mut found = vec![of];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|process| process.parent == parent && !process.zombie)
                .map(|process| process.pid),
        );
        next += 1;
    }
    found.remove(0);
    found
}

/// Children of this process that have ended and are not waited for.
pub(super) fn ended_children() -> Vec<u32> {
    let own = std::process::id();
    processes()
        .into_iter()
        .filter(|process| process.zombie && process.parent == own)
        .map(|process| process.pid)
        .collect()
}

/// The TCP ports these processes listen on, in order.
pub(super) fn listening_ports(processes: &[u32]) -> Vec<u16> {
    let sockets = processes.iter().flat_map(|&pid| sockets_of(pid)).collect::<HashSet<_>>();
    let mut ports = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(parse_listener).collect::<Vec<_>>())
        .filter(|(inode, _)| sockets.contains(inode))
        .map(|(_, port)| port)
        .collect::<Vec<_>>();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The inodes of the sockets a process has open.
fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter_map(|target: PathBuf| {
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// The inode and port of a line of /proc/net/tcp, if that socket listens.
fn parse_listener(line: &str) -> Option<(u64, u16)> {
    const LISTEN: &str = "0A";
    let fields = line.split_ascii_whitespace().collect::<Vec<_>>();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::{Process, listening_ports, parse_listener, parse_stat, process};

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "77 (a) S (b) R 5 77 77 0 -1 4194304 1 0 0 0 2 0 0 0 20 0 11 0 4711 1 1 1";
        let expected = Process { pid: 77, parent: 5, group: 77, started: 4711, zombie: false };
        assert_eq!(parse_stat(77, stat), Some(expected));
        assert_eq!(parse_stat(77, "77 (cut"), None);
    }

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let line = |state: &str| {
            format!(
                "0: 0100007F:0BB8 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 4242 1 x"
            )
        };
        assert_eq!(parse_listener(&line("0A")), Some((4242, 3000)));
        assert_eq!(parse_listener(&line("01")), None);
        assert_eq!(parse_listener("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn this_process_is_found_with_the_port_it_listens_on() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own = std::process::id();
        assert!(process(own).is_some_and(|process| !process.zombie));
        assert!(listening_ports(&[own]).contains(&listener.local_addr().unwrap().port()));
    }
}
