//! Pipes and files that are real: what a worker would write, and what is then in the directory.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, Source};
use super::console::Console;
use super::directory::Directories;
use super::name::LogName;
use super::output::Output;
use super::{LogNaming, LogPlan, Stream};

/// Far longer than anything here takes; reached only when it fails.
const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A directory, and all that a host would have.
struct Desk {
    folder: tempfile::TempDir,
    plan: LogPlan,
    directories: Directories,
    console: Console,
    said: Paper,
}

/// A worker: its ends of the pipes, and what the host does with the others.
struct Worker {
    out: fs::File,
    err: fs::File,
    output: Arc<Output>,
    captures: JoinSet<io::Result<()>>,
    stop: CancellationToken,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let said = Paper::default();
        let console = Console::new(io::sink(), said.clone(), [false; 2]);
        Desk {
            plan: LogPlan {
                directory: folder.path().join("deep/logs"),
                naming: LogNaming::Iisnode,
                max_file_bytes: 128 * 1024,
                max_total_bytes: 1024 * 1024,
                max_files: 20,
            },
            directories: Directories::new(console.clone()),
            folder,
            console,
            said,
        }
    }

    fn worker(&self, pid: u32) -> Worker {
        let (out, out_end) = io::pipe().unwrap();
        let (err, err_end) = io::pipe().unwrap();
        let pipes = [Arc::new(out.into()), Arc::new(err.into())];
        let output = Output::new([&pipes[0], &pipes[1]], true);
        let mut captures = JoinSet::new();
        let stop = CancellationToken::new();
        let [out, err] = pipes;
        let sources = [(out, Stream::Out), (err, Stream::Err)].map(|(pipe, stream)| Source {
            pipe,
            stream,
            voice: self.console.voice("app.0", 0, stream),
        });
        let logs = Some((&self.plan, &self.directories));
        for capture in Capture::all(sources, &output, logs, pid, &stop) {
            captures.spawn(capture.run());
        }
        let (out, err) = (to_file(out_end), to_file(err_end));
        Worker { out, err, output, captures, stop }
    }

    /// The names in the directory, sorted.
    fn names(&self) -> Vec<String> {
        names_in(&self.plan.directory)
    }

    /// The log files of one stream in the order in which they were begun.
    fn logs(&self, stream: Stream) -> Vec<PathBuf> {
        let mut logs: Vec<LogName> = self.names().iter().filter_map(|name| LogName::parse(name)).collect();
        logs.retain(|log| log.content() == stream.name());
        logs.sort_by_key(|log| log.created_ms);
        logs.iter().map(|log| self.plan.directory.join(log.to_string())).collect()
    }

    /// Everything that is in the log files of one stream.
    fn text(&self, stream: Stream) -> Vec<u8> {
        self.logs(stream).iter().flat_map(|path| fs::read(path).unwrap()).collect()
    }

    fn said(&self) -> String {
        self.console.flush(LONG);
        String::from_utf8(self.said.0.lock().clone()).unwrap()
    }
}

impl Worker {
    /// Closes the pipes, and waits until everything is on disk.
    async fn end(self) -> Arc<Output> {
        let Worker { out, err, output, mut captures, .. } = self;
        drop((out, err));
        let ended = async {
            while let Some(ended) = captures.join_next().await {
                ended.unwrap().unwrap();
            }
        };
        tokio::time::timeout(LONG, ended).await.expect("the captures do not end");
        output
    }
}

fn to_file(end: io::PipeWriter) -> fs::File {
    fs::File::from(std::os::fd::OwnedFd::from(end))
}

fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_a_worker_writes_is_in_its_files_byte_by_byte() {
    let desk = Desk::new();
    let mut worker = desk.worker(7);
    worker.output.settled().await;
    assert!(desk.names().is_empty(), "files come with the first byte");
    worker.out.write_all(b"one\r\ntwo\n\xff\0").unwrap();
    worker.output.settled().await;
    assert!(worker.output.is_settled());
    let names = desk.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().any(|name| name == "index.html"), "{names:?}");
    assert_eq!(desk.text(Stream::Out), b"one\r\ntwo\n\xff\0");
    worker.out.write_all(b"three").unwrap();
    worker.err.write_all(b"oops\n").unwrap();
    let output = worker.end().await;
    assert_eq!(desk.text(Stream::Out), b"one\r\ntwo\n\xff\0three");
    assert_eq!(desk.text(Stream::Err), b"oops\n");
    assert_eq!(output.last_words(), b"oops\n");
    assert_eq!(output.lost_bytes(), 0);
    assert!(output.is_settled() && !output.is_open());
    assert_eq!(desk.names().len(), 3);
    let index = fs::read_to_string(desk.plan.directory.join("index.html")).unwrap();
    for name in desk.names().iter().filter(|name| *name != "index.html") {
        let log = LogName::parse(name).unwrap();
        assert_eq!((log.pid, log.host()), (7, Some(&*super::name::machine())));
        assert!(index.contains(name.as_str()), "{index}");
    }
}

#[tokio::test]
async fn the_write_after_a_file_has_gone_beyond_its_limit_begins_another() {
    let mut desk = Desk::new();
    desk.plan.max_file_bytes = 1024;
    let mut worker = desk.worker(7);
    for _ in 0..2 {
        worker.out.write_all(&[[b'x'; 1024].as_slice(), b"\n"].concat()).unwrap();
        worker.output.settled().await;
    }
    assert_eq!(desk.logs(Stream::Out).len(), 2);
    assert_eq!(desk.names().len(), 3);
    worker.end().await;
}

/// Two thousand lines in files of a kilobyte, of which five and the one being written may stay.
#[tokio::test]
async fn quotas_hold_and_only_logs_go() {
    let mut desk = Desk::new();
    desk.plan.max_file_bytes = 1024;
    desk.plan.max_files = 5;
    fs::create_dir_all(&desk.plan.directory).unwrap();
    let (own, old) = ("notes.txt", "PC-1-stdout-1.txt");
    for name in [own, old] {
        let file = fs::File::create(desk.plan.directory.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    let mut worker = desk.worker(7);
    for number in 0..2000 {
        worker.out.write_all(format!("line {number:04}\n").as_bytes()).unwrap();
    }
    worker.end().await;
    let logs = desk.logs(Stream::Out);
    assert_eq!(logs.len(), 6, "{logs:?}");
    assert!(desk.text(Stream::Out).ends_with(b"line 1998\nline 1999\n"));
    assert!(logs.iter().all(|log| fs::read(log).unwrap().starts_with(b"line ")), "lines stay whole");
    let names = desk.names();
    assert!(names.iter().any(|name| name == own) && !names.iter().any(|name| name == old), "{names:?}");
}

/// As the data plane does it: another thread, which looks into the files when it is told that they are complete.
#[test]
fn who_waits_for_the_output_finds_all_of_it_on_disk() {
    let desk = Desk::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let control = runtime();
    let mut worker = control.block_on(async { desk.worker(7) });
    let output = Arc::clone(&worker.output);
    let (told, over) = tokio::sync::oneshot::channel();
    std::thread::scope(|scope| {
        let desk = &desk;
        let mut pipe = worker.out.try_clone().unwrap();
        scope.spawn(move || {
            let data = runtime();
            for round in 0..300 {
                pipe.write_all(format!("{round}\n").as_bytes()).unwrap();
                if !output.is_settled() {
                    data.block_on(output.settled());
                }
                let text = desk.text(Stream::Out);
                assert!(text.ends_with(format!("\n{round}\n").as_bytes()) || round == 0, "{round}");
            }
            told.send(()).unwrap();
        });
        control.block_on(over).expect("the other thread is content");
    });
    worker.out.write_all(b"end\n").unwrap();
    control.block_on(worker.end());
    assert!(desk.text(Stream::Out).ends_with(b"299\nend\n"));
}

/// The pipe is never empty; what was in it when the wait began is on disk all the same.
#[tokio::test]
async fn a_worker_that_writes_all_the_time_is_not_waited_for_for_ever() {
    let mut desk = Desk::new();
    desk.plan.max_total_bytes = u64::MAX;
    desk.plan.max_files = usize::MAX;
    let mut worker = desk.worker(7);
    let enough = Arc::new(AtomicBool::new(false));
    let (seen, mut pipe) = (Arc::clone(&enough), worker.err.try_clone().unwrap());
    let flood = std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            pipe.write_all(&[b'x'; 999]).unwrap();
        }
    });
    for round in 0..20 {
        worker.out.write_all(format!("{round}\n").as_bytes()).unwrap();
        worker.output.settled().await;
        assert!(desk.text(Stream::Out).ends_with(format!("{round}\n").as_bytes()));
    }
    enough.store(true, Ordering::Relaxed);
    // Somebody has to read what the flood is blocked in.
    tokio::task::spawn_blocking(|| flood.join().unwrap()).await.unwrap();
    worker.end().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_said_once_and_the_loss_is_counted() {
    let mut desk = Desk::new();
    fs::write(desk.folder.path().join("file"), "").unwrap();
    desk.plan.directory = desk.folder.path().join("file/logs");
    let mut worker = desk.worker(7);
    for _ in 0..3 {
        worker.out.write_all(b"12345\n").unwrap();
        worker.output.settled().await;
    }
    worker.err.write_all(b"oops\n").unwrap();
    let output = worker.end().await;
    assert_eq!((output.lost_bytes(), output.last_words()), (23, b"oops\n".to_vec()));
    let said = desk.said();
    assert_eq!(said.matches("logs cannot be written to").count(), 1, "{said}");
    assert!(said.contains("18 bytes of stdout of the worker with pid 7 could not be written"), "{said}");
}

/// The directory stands still while a worker writes three times what may wait for it.
#[tokio::test]
async fn a_slow_disk_blocks_nobody_and_the_gap_is_marked() {
    let desk = Desk::new();
    let directory = desk.directories.get(&desk.plan.directory);
    let (go, held) = std::sync::mpsc::channel::<()>();
    let (ready, holds) = tokio::sync::oneshot::channel();
    let holder = std::thread::spawn(move || {
        let _keeping = directory.keeping.lock();
        ready.send(()).unwrap();
        held.recv().unwrap();
    });
    holds.await.unwrap();
    let mut worker = desk.worker(7);
    let mut pipe = worker.out.try_clone().unwrap();
    let lines = 3 * 1024;
    let writing = tokio::task::spawn_blocking(move || {
        (0..lines).for_each(|_| pipe.write_all(&[[b'x'; 1023].as_slice(), b"\n"].concat()).unwrap());
    });
    tokio::time::timeout(LONG, writing).await.expect("the worker is blocked").unwrap();
    // The last of it may still be in the pipe, where it would wait for room.
    let read = async {
        while rustix::io::ioctl_fionread(&worker.out).unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, read).await.expect("the pipe is not read");
    go.send(()).unwrap();
    holder.join().unwrap();
    worker.output.settled().await;
    worker.out.write_all(b"end\n").unwrap();
    let output = worker.end().await;
    let (text, lost) = (String::from_utf8(desk.text(Stream::Out)).unwrap(), output.lost_bytes());
    assert!(lost > 0);
    assert!(text.contains(&format!("x\n[ostler: {lost} bytes are missing here]\n")), "{lost}");
    assert!(text.ends_with("end\n"));
}

#[tokio::test]
async fn a_file_that_was_deleted_is_followed_by_another() {
    let desk = Desk::new();
    let mut worker = desk.worker(7);
    worker.out.write_all(b"one\n").unwrap();
    worker.output.settled().await;
    fs::remove_dir_all(&desk.plan.directory).unwrap();
    worker.out.write_all(b"two\n").unwrap();
    worker.output.settled().await;
    assert_eq!(desk.text(Stream::Out), b"two\n");
    worker.end().await;
}

#[tokio::test]
async fn somebodys_own_page_is_not_overwritten() {
    let desk = Desk::new();
    fs::create_dir_all(&desk.plan.directory).unwrap();
    let page = desk.plan.directory.join("index.html");
    fs::write(&page, "<title>My shop</title>").unwrap();
    for pid in [7, 8] {
        let mut worker = desk.worker(pid);
        worker.out.write_all(b"one\n").unwrap();
        worker.end().await;
    }
    assert_eq!(fs::read_to_string(&page).unwrap(), "<title>My shop</title>");
    assert_eq!(desk.said().matches("is not a list of logs").count(), 1);
}

/// A process the worker has started holds the pipe open; what was read is written all the same.
#[tokio::test]
async fn reading_can_be_ended_without_losing_what_was_read() {
    let desk = Desk::new();
    let mut worker = desk.worker(7);
    worker.out.write_all(b"one\n").unwrap();
    worker.output.settled().await;
    worker.stop.cancel();
    let ended = async { while worker.captures.join_next().await.is_some() {} };
    tokio::time::timeout(LONG, ended).await.expect("it reads on");
    assert!(!worker.output.is_open());
    assert_eq!(desk.text(Stream::Out), b"one\n");
}

/// One file for both, in the order in which it was read; the numbers of the following files tell their order.
#[tokio::test]
async fn both_streams_share_the_files_of_a_stem() {
    let mut desk = Desk::new();
    desk.plan.naming = LogNaming::Stem { stem: "std_out".to_owned() };
    desk.plan.max_file_bytes = 20;
    desk.plan.max_files = 3;
    fs::create_dir_all(&desk.plan.directory).unwrap();
    let others = ["other_20180205194132_1_2.log", "PC-1-stdout-1.txt", "std_out.log"];
    for name in others {
        let file = fs::File::create(desk.plan.directory.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    let (mut worker, mut twin) = (desk.worker(7), desk.worker(7));
    twin.out.write_all(b"twin\n").unwrap();
    twin.output.settled().await;
    for number in 0..20 {
        worker.out.write_all(format!("out {number:02} ").as_bytes()).unwrap();
        worker.output.settled().await;
        worker.out.write_all(b"end\n").unwrap();
        worker.output.settled().await;
        worker.err.write_all(format!("err {number:02}\n").as_bytes()).unwrap();
        worker.output.settled().await;
    }
    let output = worker.end().await;
    twin.end().await;
    assert_eq!((output.lost_bytes(), output.last_words().ends_with(b"err 19\n")), (0, true));
    let names = desk.names();
    assert!(others.iter().all(|other| names.iter().any(|name| name == other)), "{names:?}");
    let mut logs: Vec<LogName> = names.iter().filter_map(|name| LogName::parse(name)).collect();
    logs.retain(|log| log.follows(&desk.plan.naming));
    logs.sort_by_key(LogName::number);
    let text = |log: &LogName| fs::read_to_string(desk.plan.directory.join(log.to_string())).unwrap();
    logs.retain(|log| text(log) != "twin\n");
    assert!((3..=4).contains(&logs.len()), "{logs:?}");
    let all: String = logs.iter().map(text).collect();
    let expected: String = (0..20).map(|number| format!("out {number:02} end\nerr {number:02}\n")).collect();
    assert!(expected.ends_with(&all) && all.len() > 40, "{all}");
}

/// The folder may be the application's own, where an index would be its home page.
#[tokio::test]
async fn beside_the_files_of_a_stem_there_is_no_index_and_one_that_is_there_is_nobodys_concern() {
    for home_page in [None, Some("<title>My shop</title>")] {
        let mut desk = Desk::new();
        desk.plan.naming = LogNaming::Stem { stem: "stdout".to_owned() };
        desk.plan.max_files = 1;
        fs::create_dir_all(&desk.plan.directory).unwrap();
        let index = desk.plan.directory.join("index.html");
        if let Some(page) = home_page {
            fs::write(&index, page).unwrap();
        }
        // Of the first ones the files are deleted again.
        for pid in [1, 2, 3, 4].map(|number| u32::MAX - number) {
            let mut worker = desk.worker(pid);
            worker.out.write_all(b"hello\n").unwrap();
            worker.end().await;
        }
        let logs = desk.names().iter().filter(|name| name.ends_with(".log")).count();
        assert!(logs < 4, "{logs}");
        assert_eq!(fs::read_to_string(&index).ok().as_deref(), home_page);
        assert_eq!(desk.said(), "");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_named_and_the_worker_is_read_on() {
    let mut desk = Desk::new();
    fs::write(desk.folder.path().join("file"), "").unwrap();
    desk.plan.directory = desk.folder.path().join("file/logs");
    desk.plan.naming = LogNaming::Stem { stem: "stdout".to_owned() };
    let mut worker = desk.worker(7);
    let mut pipe = worker.out.try_clone().unwrap();
    let writing = tokio::task::spawn_blocking(move || pipe.write_all(&[b'x'; 200_000]).unwrap());
    tokio::time::timeout(LONG, writing).await.expect("the worker is blocked").unwrap();
    worker.err.write_all(b"oops\n").unwrap();
    let output = worker.end().await;
    assert_eq!((output.lost_bytes(), output.last_words()), (200_005, b"oops\n".to_vec()));
    let said = desk.said();
    assert_eq!(said.matches("file/logs/stdout_").count(), 1, "{said}");
    assert!(said.contains("_7.log: Not a directory"), "{said}");
    assert!(said.contains("200005 bytes of output of the worker with pid 7"), "{said}");
}
