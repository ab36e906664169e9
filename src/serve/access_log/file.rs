//! The file of the access log: appended to by a thread of its own, and opened anew where others have moved it away.
//!
//! Cores hand lines over through a queue and never wait; what does not fit is dropped and counted. The thread looks once a
//! second, if there is something to write, whether the path still leads to the file it has open: so a rotation is a
//! rename and needs no signal.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait for the disk; a line has 13 KiB at the most and some 300 bytes as a rule.
const QUEUE_LINES: usize = 8 * 1024;
/// Lines are written together up to so many bytes, or when no more wait.
const WRITTEN_AT_ONCE_BYTES: usize = 64 * 1024;
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Lost lines are told of no more often.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);
/// Who reads a log of visitors' addresses is the owner's choice, or the group's.
const MODE: u32 = 0o640;

/// Opens the log at `path`, `-` for the standard output; it is written to its end when the guard is dropped.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn open(path: &Path) -> io::Result<(NonBlocking, WorkerGuard)> {
    let dropped = Arc::new(OnceLock::new());
    let writer = LogFile::open(path, dropped.clone())?;
    let (sink, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE_LINES)
        .thread_name("access-log")
        .finish(writer);
    // Nobody else sets it.
    let _ = dropped.set(sink.error_counter());
    Ok((sink, guard))
}

enum Output {
    Standard(io::Stdout),
    File { file: File, path: PathBuf },
}

struct LogFile {
    output: Output,
    /// Whole lines that are not written yet.
    waiting: Vec<u8>,
    /// When the path was looked at last.
    looked: Instant,
    /// Lines that found no room in the queue.
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// Lines that could not be written.
    unwritten: usize,
    /// As many lost lines have been told of.
    told: usize,
    told_at: Option<Instant>,
}

impl LogFile {
    fn open(path: &Path, dropped: Arc<OnceLock<ErrorCounter>>) -> io::Result<LogFile> {
        let output = match path.to_str() {
            Some("-") => Output::Standard(io::stdout()),
            _ => Output::File { file: append(path)?, path: path.to_owned() },
        };
        let waiting = Vec::with_capacity(WRITTEN_AT_ONCE_BYTES);
        let looked = Instant::now();
        Ok(LogFile { output, waiting, looked, dropped, unwritten: 0, told: 0, told_at: None })
    }

    fn write_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.looked.elapsed() >= LOOK_INTERVAL {
            self.looked = Instant::now();
            self.follow_path();
        }
        let written = match &mut self.output {
            Output::Standard(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(&self.waiting).and_then(|()| stdout.flush())
            }
            Output::File { file, .. } => file.write_all(&self.waiting),
        };
        if let Err(error) = written {
            self.unwritten += memchr::memchr_iter(b'\n', &self.waiting).count();
            tracing::debug!(%error, "the access log could not be written");
        }
        self.waiting.clear();
    }

    /// Opens the file anew if the path leads to another one, or to none.
    fn follow_path(&mut self) {
        let Output::File { file, path } = &mut self.output else { return };
        let is_there = match (std::fs::metadata(&*path), file.metadata()) {
            (Ok(there), Ok(ours)) => is_same_file(&there, &ours),
            _ => false,
        };
        if is_there {
            return;
        }
        match append(path) {
            Ok(new) => *file = new,
            // The lines go where they went.
            Err(error) => tracing::error!("cannot open the access log {} anew: {error}", path.display()),
        }
    }

    /// Tells of lost lines, once in a while.
    fn complain(&mut self, is_end: bool) {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        let lost = dropped.saturating_add(self.unwritten);
        let is_time = is_end || self.told_at.is_none_or(|told| told.elapsed() >= COMPLAINT_INTERVAL);
        if lost > self.told && is_time {
            let new = lost - self.told;
            tracing::error!("the access log has lost {new} lines that could not be written, or not in time");
            self.told = lost;
            self.told_at = Some(Instant::now());
        }
    }
}

/// Errors stay here, where the lines are known that are lost by them.
impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + line.len() > WRITTEN_AT_ONCE_BYTES {
            self.write_waiting();
            self.complain(false);
        }
        self.waiting.extend_from_slice(line);
        Ok(line.len())
    }

    /// Called when no more lines wait.
    fn flush(&mut self) -> io::Result<()> {
        self.write_waiting();
        self.complain(false);
        Ok(())
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.write_waiting();
        self.complain(true);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Read, Write};
    use std::sync::Arc;

    use super::{LOOK_INTERVAL, LogFile, QUEUE_LINES, WRITTEN_AT_ONCE_BYTES, open};

    fn log(path: &std::path::Path) -> LogFile {
        LogFile::open(path, Arc::default()).unwrap()
    }

    fn put(log: &mut LogFile, line: &str) {
        log.write_all(line.as_bytes()).unwrap();
        log.flush().unwrap();
    }

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "old\n").unwrap();
        put(&mut log(&path), "new\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old\nnew\n");
    }

    #[test]
    fn a_file_that_was_moved_or_deleted_is_opened_anew_and_an_untouched_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        let mut log = log(&path);
        let later = |log: &mut LogFile| log.looked = log.looked.checked_sub(LOOK_INTERVAL).unwrap();
        put(&mut log, "1\n");
        later(&mut log);
        put(&mut log, "2\n");
        std::fs::rename(&path, &moved).unwrap();
        put(&mut log, "3\n");
        assert_eq!(read(&moved), "1\n2\n3\n", "it is not looked for at every line");
        later(&mut log);
        put(&mut log, "4\n");
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("1\n2\n3\n", "4\n"));
        std::fs::remove_file(&path).unwrap();
        later(&mut log);
        put(&mut log, "5\n");
        assert_eq!(read(&path), "5\n");
    }

    #[test]
    fn without_its_folder_the_lines_go_where_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let (below, moved) = (folder.path().join("logs"), folder.path().join("old"));
        std::fs::create_dir(&below).unwrap();
        let mut log = log(&below.join("log"));
        std::fs::rename(&below, &moved).unwrap();
        log.looked = log.looked.checked_sub(LOOK_INTERVAL).unwrap();
        put(&mut log, "1\n");
        assert_eq!(std::fs::read_to_string(moved.join("log")).unwrap(), "1\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_of_once() {
        // Writing to it says that the disk is full.
        let mut log = log(std::path::Path::new("/dev/full"));
        put(&mut log, "1\n2\n");
        assert_eq!((log.unwritten, log.told), (2, 2));
        put(&mut log, "3\n");
        assert_eq!((log.unwritten, log.told), (3, 2), "not again so soon");
        log.complain(true);
        assert_eq!(log.told, 3);
    }

    /// Nobody reads the pipe, so the log stalls as it would on a disk that does not answer.
    #[test]
    fn lines_for_which_there_is_no_room_are_dropped_and_counted_and_nobody_waits() {
        const LINES: usize = 3 * QUEUE_LINES;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Open for both, the pipe waits for nobody to open its other end.
        let mut pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (mut sink, guard) = open(&path).unwrap();
        for _ in 0..LINES {
            sink.write_all(&[b"x".repeat(99), b"\n".to_vec()].concat()).unwrap();
        }
        let dropped = sink.error_counter().dropped_lines();
        assert!(dropped > 0 && dropped < LINES, "{dropped} were dropped");
        let mut kept = vec![0; (LINES - dropped) * 100];
        pipe.read_exact(&mut kept).unwrap();
        assert!(kept.chunks(100).all(|line| line.ends_with(b"x\n")));
        drop(guard);
    }

    #[test]
    fn under_load_whole_lines_are_written_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = log(&path);
        let line = format!("{}\n", "x".repeat(999));
        while std::fs::metadata(&path).unwrap().len() == 0 {
            log.write_all(line.as_bytes()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.len(), WRITTEN_AT_ONCE_BYTES / 1000 * 1000);
        assert!(written.ends_with('\n'));
    }
}
