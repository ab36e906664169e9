//! Which log files go when there are too many, or they are too large together. Pure; the directory does it.

use std::time::{Duration, SystemTime};

use super::LogPlan;
use super::name::LogName;

/// Whoever wrote to a file within this time may still be writing.
const RECENT: Duration = Duration::from_secs(60);

/// A file in the log directory whose name is that of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: LogName,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

/// What is known of the writer of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// A worker of this process is writing to it.
    Ours,
    /// A worker of this process wrote it and is at another file now, or a process of this machine that has ended.
    Gone,
    /// A process on another machine, or of another host on this one.
    Unknown,
}

/// Deletes the oldest by `delete`, which says whether it could, until both quotas hold; how many are gone.
pub(super) fn purge(
    found: &mut Vec<Found>,
    quotas: &LogPlan,
    now: SystemTime,
    writer_of: impl Fn(&LogName) -> Writer,
    mut delete: impl FnMut(&LogName) -> bool,
) -> usize {
    let before = found.len();
    let mut bytes: u64 = found.iter().map(|file| file.bytes).sum();
    let mut files = before;
    if bytes <= quotas.max_total_bytes && files <= quotas.max_files {
        return 0;
    }
    found.sort_by_key(|file| (file.modified, file.name.created_ms, file.name.number()));
    found.retain(|file| {
        let within = bytes <= quotas.max_total_bytes && files <= quotas.max_files;
        if within || !is_over(file, now, &writer_of) || !delete(&file.name) {
            return true;
        }
        bytes -= file.bytes;
        files -= 1;
        false
    });
    before - found.len()
}

fn is_over(file: &Found, now: SystemTime, writer_of: impl Fn(&LogName) -> Writer) -> bool {
    match writer_of(&file.name) {
        Writer::Ours => false,
        Writer::Gone => true,
        // A time that lies ahead is that of a clock that runs ahead: recent.
        Writer::Unknown => now.duration_since(file.modified).is_ok_and(|age| age > RECENT),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::name::Series;
    use super::super::{LogNaming, LogPlan, Stream};
    use super::{Found, LogName, Writer, purge};

    /// Ten bytes each; `age` seconds old, which is also the pid.
    fn found(ages: &[u32]) -> Vec<Found> {
        let file = |&age: &u32| Found {
            name: LogName {
                series: Series::Machine { host: "h".to_owned(), stream: Stream::Out },
                pid: age,
                created_ms: 0,
            },
            bytes: 10,
            modified: now() - Duration::from_secs(u64::from(age)),
        };
        ages.iter().map(file).collect()
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    /// The ages of those deleted, in order.
    fn deleted(
        ages: &[u32],
        (max_total_bytes, max_files): (u64, usize),
        writer_of: impl Fn(u32) -> Writer,
        undeletable: &[u32],
    ) -> Vec<u32> {
        let quotas = LogPlan {
            directory: "/logs".into(),
            naming: LogNaming::Iisnode,
            max_file_bytes: 1,
            max_total_bytes,
            max_files,
        };
        let mut files = found(ages);
        let mut gone = Vec::new();
        let count = purge(
            &mut files,
            &quotas,
            now(),
            |name| writer_of(name.pid),
            |name| {
                let can = !undeletable.contains(&name.pid);
                gone.extend(can.then_some(name.pid));
                can
            },
        );
        assert_eq!(count, gone.len());
        assert_eq!(files.len() + count, ages.len());
        gone
    }

    #[test]
    fn the_oldest_go_until_both_quotas_hold() {
        let gone = |_| Writer::Gone;
        for (ages, quotas, expected) in [
            (&[3, 1, 2][..], (30, 3), &[][..]),
            (&[3, 1, 2], (29, 3), &[3]),
            (&[3, 1, 2], (30, 2), &[3]),
            (&[3, 1, 2], (10, 2), &[3, 2]),
            (&[3, 1, 2], (0, 3), &[3, 2, 1]),
            (&[3, 1, 2], (30, 0), &[3, 2, 1]),
            (&[], (0, 0), &[]),
        ] {
            assert_eq!(deleted(ages, quotas, gone, &[]), expected, "{ages:?} {quotas:?}");
        }
    }

    #[test]
    fn what_is_written_to_stays_and_the_next_goes_in_its_place() {
        let ours = |pid| if pid == 3 { Writer::Ours } else { Writer::Gone };
        assert_eq!(deleted(&[3, 1, 2], (10, 9), ours, &[]), [2, 1]);
        assert_eq!(deleted(&[3, 1, 2], (20, 9), |_| Writer::Gone, &[3]), [2]);
    }

    #[test]
    fn what_others_wrote_to_within_a_minute_stays() {
        assert_eq!(deleted(&[59, 61, 70], (0, 0), |_| Writer::Unknown, &[]), [70, 61]);
    }
}
