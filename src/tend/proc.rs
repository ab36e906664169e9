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
    family(of).into_iter().map(|process| process.pid).collect()
}

/// The same with all that is known of them.
pub(super) fn family(of: u32) -> Vec<Process> {
    let all = processes();
    let children = |parent| all.iter().filter(move |process| process.parent == parent && !process.zombie);
    let mut found = children(of).copied().collect::<Vec<_>>();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        found.extend(children(parent));
        next += 1;
    }
    found
}

/// Whether this very process is alive, and not another that got its number.
pub(super) fn is_alive(known: &Process) -> bool {
    process(known.pid).is_some_and(|process| process.started == known.started && !process.zombie)
}

/// Whether the first thread of a process runs, or would if a core were free.
pub(super) fn is_runnable(pid: u32) -> bool {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, before it, may have parentheses, too.
    String::from_utf8_lossy(&stat).rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('R'))
}

/// The resident memory of a process and its descendants together; what they share counts for each of them.
pub(super) fn resident_bytes(of: u32) -> u64 {
    let mut found = vec![of];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        match children(parent) {
            Some(children) => found.extend(children),
            None if next == 0 => {
                found.extend(descendants(of));
                break;
            }
            None => {}
        }
        next += 1;
    }
    found.into_iter().filter_map(resident_bytes_of).sum()
}

/// The children of all threads of a process, without a look at all processes of the machine; None if it is gone, or the
/// kernel does not tell.
fn children(of: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{of}/task")).ok()?.flatten() {
        let children = match fs::read_to_string(thread.path().join("children")) {
            Ok(children) => children,
            // The thread has ended meanwhile.
            Err(_) if !thread.path().exists() => continue,
            Err(_) => return None,
        };
        found.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Some(found)
}

fn resident_bytes_of(pid: u32) -> Option<u64> {
    // The name of the program is in there, too, whatever its bytes.
    parse_resident(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/status")).ok()?))
}

fn parse_resident(status: &str) -> Option<u64> {
    kibibytes(status, "VmRSS:")
}

/// The bytes of a line such as `VmRSS:   2048 kB`.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib = value.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?;
    kib.checked_mul(1024)
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
    let sockets = processes.iter().filter_map(|&pid| sockets_of(pid)).flatten().collect::<HashSet<_>>();
    let mut ports = listeners()
        .into_iter()
        .filter(|listener| sockets.contains(&listener.inode))
        .map(|listener| listener.port)
        .collect::<Vec<_>>();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The inodes of the sockets a process has open; none if we may not look, or it has gone.
pub(super) fn sockets_of(pid: u32) -> Option<Vec<u64>> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let inodes = descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter_map(|target: PathBuf| {
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect();
    Some(inodes)
}

/// The name of the program a process runs, as the kernel has it.
pub(super) fn program(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

/// The lines of the tables of TCP sockets that are about listeners.
pub(super) fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(parse_listener).collect::<Vec<_>>())
        .collect()
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) inode: u64,
    /// In hexadecimal, each four bytes in the order of the machine: 8 digits for IPv4, 32 for IPv6.
    pub(super) address: Box<str>,
    pub(super) port: u16,
}

fn parse_listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let fields = line.split_ascii_whitespace().collect::<Vec<_>>();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { inode: fields.get(9)?.parse().ok()?, address: address.into(), port })
}

#[cfg(test)]
mod tests {
    use super::{
        Listener, Process, children, listening_ports, parse_listener, parse_resident, parse_stat, process,
        resident_bytes, resident_bytes_of,
    };

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
        let listener = Listener { inode: 4242, address: "0100007F".into(), port: 3000 };
        assert_eq!(parse_listener(&line("0A")), Some(listener));
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

    #[test]
    fn resident_memory_is_read_from_its_line() {
        for (status, bytes) in [
            ("Name:\tnode\nVmHWM:\t 9 kB\nVmRSS:\t    2048 kB\nThreads:\t1\n", Some(2 * 1024 * 1024)),
            ("Name:\tkthreadd\n", None),
            ("VmRSS:\t99999999999999999999 kB\n", None),
        ] {
            assert_eq!(parse_resident(status), bytes, "{status}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is the owner and waits for its end")]
    fn the_memory_of_descendants_counts() {
        // It has a child until its input ends.
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "cat; true"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let pid = shell.id();
        let shows_up = loop {
            let alone = resident_bytes_of(pid).unwrap_or_default();
            if alone > 0 && resident_bytes(pid) >= alone + 64 * 1024 && children(pid).is_some() {
                break true;
            }
            if std::time::Instant::now() > deadline {
                break false;
            }
            std::thread::yield_now();
        };
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(shows_up);
        assert_eq!(resident_bytes(pid), 0);
    }
}
