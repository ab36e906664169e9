//! The names of log files: `<host>-<pid>-<stdout or stderr>-<ms since 1970>.txt`, as iisnode writes them.

use std::fmt;

use super::Stream;

/// What the name of a log file says. Names sort by nothing useful; see `purge` and `index` for their orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogName {
    pub(super) host: String,
    pub(super) pid: u32,
    pub(super) stream: Stream,
    /// When the file was due, in milliseconds since 1970.
    pub(super) created_ms: u64,
}

impl LogName {
    /// What `file_name` says, if it is the name of a log file.
    pub(super) fn parse(file_name: &str) -> Option<LogName> {
        // From the end, as the host's name may hold anything.
        let mut parts = file_name.strip_suffix(".txt")?.rsplitn(4, '-');
        let created_ms = number(parts.next()?)?;
        let stream = match parts.next()? {
            "stdout" => Stream::Out,
            "stderr" => Stream::Err,
            _ => return None,
        };
        let pid = u32::try_from(number(parts.next()?)?).ok()?;
        let host = parts.next().filter(|host| !host.is_empty())?.to_owned();
        Some(LogName { host, pid, stream, created_ms })
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogName { host, pid, stream, created_ms } = self;
        write!(f, "{host}-{pid}-{}-{created_ms}.txt", stream.name())
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The short name of this machine, fit for the name of a file.
pub(super) fn machine() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    short(&told)
}

fn short(told: &str) -> String {
    let first = told.trim().split('.').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let name: String = first.chars().take(63).map(plain).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::{LogName, short};

    #[test]
    fn what_a_log_file_is_called_can_be_read_back() {
        for (host, pid, stream, created_ms, name) in [
            ("PC", 7, Stream::Out, 1_234, "PC-7-stdout-1234.txt"),
            ("a-b-stdout-1", 4_294_967_295, Stream::Err, 0, "a-b-stdout-1-4294967295-stderr-0.txt"),
        ] {
            let log = LogName { host: host.to_owned(), pid, stream, created_ms };
            assert_eq!(log.to_string(), name);
            assert_eq!(LogName::parse(name), Some(log));
        }
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "",
            "index.html",
            "notes.txt",
            "-7-stdout-1234.txt",
            "7-stdout-1234.txt",
            "PC-7-stdout-1234.log",
            "PC-7-stdout-1234.txt.bak",
            "PC-7-stdin-1234.txt",
            "PC-+7-stdout-1234.txt",
            "PC-7-stdout-.txt",
            "PC--stdout-1.txt",
            "PC-4294967296-stdout-1.txt",
            "PC-7-stdout-99999999999999999999999.txt",
        ] {
            assert_eq!(LogName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_machine_is_called_by_the_first_part_of_its_name() {
        for (told, name) in
            [("web1\n", "web1"), ("web1.example.org", "web1"), ("", "localhost"), ("a/b\u{e9}", "a_b_")]
        {
            assert_eq!(short(told), name);
        }
    }
}
