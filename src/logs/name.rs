//! The names of log files: `<host>-<pid>-<stdout or stderr>-<ms since 1970>.txt`, as iisnode writes them, and
//! `<stem>_<yyyyMMddHHmmss>_<pid>.log`, as the modules do that run programs.

use std::fmt;

use super::calendar::Utc;
use super::{LogNaming, Stream};

/// What the name of a log file says. Names sort by nothing useful; see `purge` and `index` for their orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogName {
    pub(super) series: Series,
    pub(super) pid: u32,
    /// In milliseconds since 1970: when the file was due, or, by the second, when its worker was started.
    pub(super) created_ms: u64,
}

/// What the name says besides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Series {
    Machine {
        host: String,
        stream: Stream,
    },
    /// Both streams; the files of one worker are numbered from 1.
    Stem {
        stem: String,
        number: u32,
    },
}

impl LogName {
    /// What `file_name` says, if it is the name of a log file.
    pub(super) fn parse(file_name: &str) -> Option<LogName> {
        match file_name.strip_suffix(".log") {
            Some(name) => LogName::parse_stem(name),
            None => LogName::parse_machine(file_name.strip_suffix(".txt")?),
        }
    }

    fn parse_machine(name: &str) -> Option<LogName> {
        // From the end, as the host's name may hold anything.
        let mut parts = name.rsplitn(4, '-');
        let created_ms = number(parts.next()?)?;
        let stream = match parts.next()? {
            "stdout" => Stream::Out,
            "stderr" => Stream::Err,
            _ => return None,
        };
        let pid = u32::try_from(number(parts.next()?)?).ok()?;
        let host = parts.next().filter(|host| !host.is_empty())?.to_owned();
        Some(LogName { series: Series::Machine { host, stream }, pid, created_ms })
    }

    fn parse_stem(name: &str) -> Option<LogName> {
        // From the end, as the stem may hold anything; the second and further files of a worker have one part more.
        let series = |name: &str, number| {
            let mut parts = name.rsplitn(3, '_');
            let pid = u32::try_from(self::number(parts.next()?)?).ok()?;
            let created_ms = Utc::parse_digits(parts.next()?)?;
            let stem = parts.next()?.to_owned();
            Some(LogName { series: Series::Stem { stem, number }, pid, created_ms })
        };
        series(name, 1).or_else(|| {
            let (name, number) = name.rsplit_once('_')?;
            let number = u32::try_from(self::number(number)?).ok().filter(|&number| number > 1)?;
            series(name, number)
        })
    }

    /// Whether a file of this name was written by such a rule; only these count for its quotas.
    pub(super) fn follows(&self, naming: &LogNaming) -> bool {
        match (&self.series, naming) {
            (Series::Machine { .. }, LogNaming::Iisnode) => true,
            (Series::Stem { stem, .. }, LogNaming::Stem { stem: wanted }) => stem == wanted,
            _ => false,
        }
    }

    /// The next name, if this one is taken.
    pub(super) fn next(mut self) -> LogName {
        match &mut self.series {
            Series::Machine { .. } => self.created_ms += 1,
            Series::Stem { number, .. } => *number = number.saturating_add(1),
        }
        self
    }

    /// The name of the file that follows this one, if it is due now. Never twice the same, even if the file is gone
    /// already: names tell the order.
    pub(super) fn following(self, now_ms: u64) -> LogName {
        let mut next = self.next();
        if let Series::Machine { .. } = next.series {
            next.created_ms = next.created_ms.max(now_ms);
        }
        next
    }

    /// Tells the files of one worker apart that have the same time.
    pub(super) fn number(&self) -> u32 {
        match &self.series {
            Series::Machine { .. } => 1,
            Series::Stem { number, .. } => *number,
        }
    }

    /// The machine, if the name says it.
    pub(super) fn host(&self) -> Option<&str> {
        match &self.series {
            Series::Machine { host, .. } => Some(host),
            Series::Stem { .. } => None,
        }
    }

    /// What the name begins with.
    pub(super) fn origin(&self) -> &str {
        match &self.series {
            Series::Machine { host, .. } => host,
            Series::Stem { stem, .. } => stem,
        }
    }

    /// What of its worker is in the file.
    pub(super) fn content(&self) -> &'static str {
        match &self.series {
            Series::Machine { stream, .. } => stream.name(),
            Series::Stem { .. } => "output",
        }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogName { series, pid, created_ms } = self;
        match series {
            Series::Machine { host, stream } => write!(f, "{host}-{pid}-{}-{created_ms}.txt", stream.name()),
            Series::Stem { stem, number } => {
                write!(f, "{stem}_{}_{pid}", Utc::of(*created_ms).digits())?;
                match number {
                    1 => f.write_str(".log"),
                    number => write!(f, "_{number}.log"),
                }
            }
        }
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
    use super::super::{LogNaming, Stream};
    use super::{LogName, Series, short};

    #[test]
    fn what_a_log_file_is_called_can_be_read_back() {
        for (host, pid, stream, created_ms, name) in [
            ("PC", 7, Stream::Out, 1_234, "PC-7-stdout-1234.txt"),
            ("a-b-stdout-1", 4_294_967_295, Stream::Err, 0, "a-b-stdout-1-4294967295-stderr-0.txt"),
        ] {
            let log = LogName { series: Series::Machine { host: host.to_owned(), stream }, pid, created_ms };
            assert_eq!(log.to_string(), name);
            assert_eq!(LogName::parse(name), Some(log));
        }
    }

    #[test]
    fn a_name_with_a_stem_can_be_read_back_and_is_followed_by_the_next_number() {
        for (stem, number, name) in [
            ("stdout", 1, "stdout_20180205194132_1934.log"),
            ("stdout", 2, "stdout_20180205194132_1934_2.log"),
            ("", 1, "_20180205194132_1934.log"),
            ("a_20180205194131_7", 3, "a_20180205194131_7_20180205194132_1934_3.log"),
            ("\u{e9} b", 1, "\u{e9} b_20180205194132_1934.log"),
        ] {
            let series = Series::Stem { stem: stem.to_owned(), number };
            let log = LogName { series, pid: 1934, created_ms: 1_517_859_692_000 };
            assert_eq!(log.to_string(), name);
            assert_eq!(LogName::parse(name), Some(log.clone()));
            assert!(log.follows(&LogNaming::Stem { stem: stem.to_owned() }));
            assert!(
                !log.follows(&LogNaming::Iisnode) && !log.follows(&LogNaming::Stem { stem: "x".to_owned() })
            );
            let next = log.following(9_999_999_999_999).to_string();
            assert!(next.ends_with(&format!("_20180205194132_1934_{}.log", number + 1)), "{next}");
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
            "stdout.log",
            "stdout_20180205194132.log",
            "stdout_20180230194132_7.log",
            "stdout_2018-02-05_7.log",
            "stdout_20180205194132_7_1.log",
            "stdout_20180205194132_7.txt",
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
