//! One folder with log files, as all writers of this host see it: which files are being written, what goes, the list.
//!
//! Applications may share a folder, and so may hosts; what others do to it meanwhile is never an error. Blocks on the
//! disk: for blocking threads only.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustix::fs::Access;

use super::console::Console;
use super::name::{self, LogName, Series};
use super::purge::{self, Found, purge};
use super::{LogNaming, LogPlan, Stream, index};

/// Between two complaints about the same folder.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);
/// Enough of a page to know it by its title.
const TITLE_WITHIN_BYTES: u64 = 1024;

/// All log directories of this host, by path.
pub(crate) struct Directories {
    host: Arc<str>,
    console: Console,
    /// As many as there are different `logDirectory` settings.
    known: Mutex<HashMap<PathBuf, Arc<Directory>>>,
}

pub(super) struct Directory {
    path: PathBuf,
    host: Arc<str>,
    console: Console,
    names: Mutex<Names>,
    /// Held while files come and go, so that two writers do not delete for the same reason.
    pub(super) keeping: Mutex<()>,
    complained: Mutex<Option<Instant>>,
    index_is_foreign: AtomicBool,
}

#[derive(Default)]
struct Names {
    /// Being written by a worker of this process.
    live: HashSet<String>,
    /// Written by this process before. No more than there are files.
    written: HashSet<String>,
}

impl Directories {
    pub(crate) fn new(console: Console) -> Directories {
        Directories { host: name::machine().into(), console, known: Mutex::default() }
    }

    pub(super) fn get(&self, path: &Path) -> Arc<Directory> {
        let mut known = self.known.lock();
        let make = || {
            Arc::new(Directory {
                path: path.to_owned(),
                host: Arc::clone(&self.host),
                console: self.console.clone(),
                names: Mutex::default(),
                keeping: Mutex::default(),
                complained: Mutex::default(),
                index_is_foreign: AtomicBool::new(false),
            })
        };
        Arc::clone(known.entry(path.to_owned()).or_insert_with(make))
    }
}

impl Directory {
    /// Makes the folder and deletes what is beyond the quotas.
    pub(super) fn prepare(&self, quotas: &LogPlan) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        rustix::fs::access(&self.path, Access::WRITE_OK | Access::EXEC_OK)?;
        if self.purge(quotas)? > 0 && quotas.has_index() {
            self.list()?;
        }
        Ok(())
    }

    /// A new file for a worker, under this name or, as no file may have it yet, one that comes after it.
    /// [`Self::release`] when it is written no more.
    pub(super) fn create(&self, quotas: &LogPlan, mut log: LogName) -> io::Result<(File, LogName)> {
        /// More files of one worker within one millisecond: somebody plays with us.
        const ATTEMPTS: u64 = 1000;
        fs::create_dir_all(&self.path)?;
        if let Err(error) = self.purge(quotas) {
            self.complain("old logs cannot be deleted from", &self.path, &error);
        }
        for _ in 0..ATTEMPTS {
            let name = log.to_string();
            self.names.lock().live.insert(name.clone());
            match OpenOptions::new().append(true).create_new(true).open(self.path.join(&name)) {
                Ok(file) => return Ok((file, log)),
                Err(error) => {
                    self.names.lock().live.remove(&name);
                    if error.kind() != io::ErrorKind::AlreadyExists {
                        return Err(error);
                    }
                }
            }
            log = log.next();
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The name of the first file of a worker that has just been started.
    pub(super) fn first_name(&self, naming: &LogNaming, pid: u32, stream: Stream) -> LogName {
        let series = match naming {
            LogNaming::Iisnode => Series::Machine { host: self.host.to_string(), stream },
            LogNaming::Stem { stem } => Series::Stem { stem: stem.clone(), number: 1 },
        };
        LogName { series, pid, created_ms: now_ms() }
    }

    pub(super) fn path_of(&self, log: &LogName) -> PathBuf {
        self.path.join(log.to_string())
    }

    /// Nobody writes to this file any more.
    pub(super) fn release(&self, log: &LogName) {
        let name = log.to_string();
        let mut names = self.names.lock();
        names.live.remove(&name);
        names.written.insert(name);
    }

    fn purge(&self, quotas: &LogPlan) -> io::Result<usize> {
        let _keeping = self.keeping.lock();
        let mut found = self.find()?;
        found.retain(|file| file.name.follows(&quotas.naming));
        // A snapshot, as nobody may wait for a disk while holding the names.
        let (live, written) = {
            let mut names = self.names.lock();
            let there: HashSet<String> = found.iter().map(|file| file.name.to_string()).collect();
            // Those of other applications are theirs to forget.
            names.written.retain(|name| {
                there.contains(name) || LogName::parse(name).is_some_and(|log| !log.follows(&quotas.naming))
            });
            (names.live.clone(), names.written.clone())
        };
        let writer_of = |log: &LogName| {
            let name = log.to_string();
            let has_ended =
                || log.host() == Some(&*self.host) && !Path::new(&format!("/proc/{}", log.pid)).exists();
            if live.contains(&name) {
                purge::Writer::Ours
            } else if written.contains(&name) || has_ended() {
                purge::Writer::Gone
            } else {
                purge::Writer::Unknown
            }
        };
        let delete = |log: &LogName| fs::remove_file(self.path.join(log.to_string())).is_ok();
        Ok(purge(&mut found, quotas, SystemTime::now(), writer_of, delete))
    }

    fn find(&self) -> io::Result<Vec<Found>> {
        let file = |entry: fs::DirEntry| {
            let name = LogName::parse(entry.file_name().to_str()?)?;
            let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(Found { name, bytes: about.len(), modified: about.modified().ok()? })
        };
        Ok(fs::read_dir(&self.path)?.filter_map(Result::ok).filter_map(file).collect())
    }

    /// Writes the page that lists the files; one that is somebody's own is left alone.
    pub(super) fn list(&self) -> io::Result<()> {
        let _keeping = self.keeping.lock();
        let page = self.path.join(index::FILE_NAME);
        if !may_replace(&page)? {
            if !self.index_is_foreign.swap(true, Ordering::Relaxed) {
                let why = format!("{} is not a list of logs and is left as it is", page.display());
                tracing::warn!("{why}");
                self.console.say(Stream::Err, &format!("ostler: {why}"));
            }
            return Ok(());
        }
        let names = self.find()?.into_iter().map(|file| file.name).collect();
        let text = index::page(names, now_ms());
        let temporary = self.path.join(format!(".index-{}.tmp", std::process::id()));
        // Left by a process with our number that was killed.
        let _ = fs::remove_file(&temporary);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&temporary, &page));
        written.inspect_err(|_| drop(fs::remove_file(&temporary)))
    }

    /// Says that something does not work, once a minute at most; the workers run on.
    pub(super) fn complain(&self, what: &str, place: &Path, error: &io::Error) {
        let mut complained = self.complained.lock();
        if complained.is_some_and(|when| when.elapsed() < COMPLAINT_PAUSE) {
            return;
        }
        *complained = Some(Instant::now());
        drop(complained);
        let place = place.display();
        tracing::warn!(%place, %error, "{what} a log directory");
        self.console
            .say(Stream::Err, &format!("ostler: {what} {place}: {error}; the workers run all the same"));
    }

    /// Says how much is missing in the files of a worker that has ended.
    pub(super) fn report_loss(&self, pid: u32, content: &str, bytes: u64) {
        let directory = self.path.display();
        tracing::warn!(%directory, pid, content, bytes, "a part of a worker's output is in no log file");
        self.console.say(
            Stream::Err,
            &format!(
                "ostler: {bytes} bytes of {content} of the worker with pid {pid} could not be written to {directory}"
            ),
        );
    }
}

/// Whether there is no such page, or one of ours or iisnode's.
fn may_replace(page: &Path) -> io::Result<bool> {
    match page.symlink_metadata() {
        Ok(about) if !about.is_file() => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    let mut beginning = Vec::new();
    File::open(page)?.take(TITLE_WITHIN_BYTES).read_to_end(&mut beginning)?;
    Ok(index::is_index(&beginning))
}

pub(super) fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
