//! What became of the workers of one application, for those who must explain why a request failed.
//!
//! The control plane writes, the data plane reads, and only when something went wrong. The lock is held for a few
//! copies of pointers; what a worker printed is copied outside of it. Bounded: one living worker a slot, [`KEPT`] ended
//! ones, each with as much of its output as a tail keeps.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::logs::output::Output;

/// How many endings are remembered: enough to see that it is always the same.
const KEPT: usize = 4;

#[derive(Default)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    /// Rings when a worker has ended.
    ended: Notify,
}

#[derive(Default)]
struct Pages {
    run: Run,
    /// By pid: a slot may have two for a while, one that leaves and one that takes its place.
    living: BTreeMap<u32, Living>,
    /// Newest first.
    endings: VecDeque<Arc<Ending>>,
    /// A worker has been ready, so that what is missing now was there before.
    ever_ready: bool,
}

/// How the application's workers are started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// As a person would type it.
    pub(crate) command: String,
    pub(crate) working_directory: PathBuf,
    /// What PORT is, in words.
    pub(crate) port: &'static str,
}

/// A worker whose process exists.
struct Living {
    output: Arc<Output>,
    /// What is wrong with it while it does not answer.
    diagnosis: Option<Arc<str>>,
}

/// How a worker ended, or did not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) slot: usize,
    /// None if there was no process.
    pub(crate) pid: Option<u32>,
    /// What follows "the worker": "exited with code 1"; a whole sentence if there was no process.
    pub(crate) how: String,
    /// From its start.
    pub(crate) after: Duration,
    pub(crate) at: Instant,
    /// The last of it.
    pub(crate) stderr: Vec<u8>,
    /// The first 30,000 bytes of both streams, if it was never ready.
    pub(crate) output: Vec<u8>,
    pub(crate) diagnosis: Option<String>,
    pub(crate) cause: Cause,
}

/// What kind of ending it was, for those who have a number for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The process ended after it was ready, whoever ended it.
    Ended,
    /// The process ended by itself before it was ready.
    Exited,
    /// It lived and never accepted a connection, until we had enough of it.
    Silent,
    /// So did this one, but it listened on these TCP ports, in order, instead of where it was told to.
    Elsewhere(Vec<u16>),
    /// Somebody else listened on the port it was given; the name and pid of that program, where they can be read.
    PortTaken { port: u16, program: Option<String> },
    /// It listened, and did not answer the request for its readiness as it should, until we had enough of it.
    Unfit,
    /// It had been ready, and did not answer its health checks.
    Hung,
    /// There is no program of this name.
    NoProgram(String),
    /// There is one, and the machine would not start it.
    NotStarted,
}

/// What the journal says at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excerpt {
    pub(crate) run: Run,
    /// Newest first.
    pub(crate) endings: Vec<Arc<Ending>>,
    /// What is wrong with a worker that is alive and does not answer.
    pub(crate) diagnosis: Option<Arc<str>>,
    pub(crate) ever_ready: bool,
}

impl Journal {
    pub(crate) fn excerpt(&self) -> Excerpt {
        let pages = self.pages.lock();
        Excerpt {
            run: pages.run.clone(),
            endings: pages.endings.iter().cloned().collect(),
            diagnosis: pages.living.values().find_map(|living| living.diagnosis.clone()),
            ever_ready: pages.ever_ready,
        }
    }

    /// The last a worker wrote to stderr: this one, living or ended, or any living one that wrote something.
    pub(crate) fn stderr(&self, pid: Option<u32>) -> Option<Vec<u8>> {
        let pages = self.pages.lock();
        let is_meant = |other: u32| pid.is_none_or(|pid| pid == other);
        let outputs: Vec<_> = pages
            .living
            .iter()
            .filter(|(pid, _)| is_meant(**pid))
            .map(|(_, living)| living.output.clone())
            .collect();
        let ended = pages.endings.iter().find(|ending| pid.is_some() && ending.pid == pid).cloned();
        drop(pages);
        let living = outputs.iter().map(|output| output.last_words()).find(|errors| !errors.is_empty());
        living.or_else(|| ended.map(|ending| ending.stderr.clone()))
    }

    /// Waits until this worker's end is told here, at most so long: a connection that closes is often a worker that
    /// ends, and its last words arrive a little later.
    pub(crate) async fn ending_of(&self, pid: u32, patience: Duration) -> Option<Arc<Ending>> {
        let told = async {
            loop {
                let rung = self.ended.notified();
                if let Some(ending) = self.look_for(pid) {
                    return ending;
                }
                rung.await;
            }
        };
        tokio::time::timeout(patience, told).await.ok()
    }

    fn look_for(&self, pid: u32) -> Option<Arc<Ending>> {
        self.pages.lock().endings.iter().find(|ending| ending.pid == Some(pid)).cloned()
    }

    // What the control plane does.

    pub(crate) fn introduce(&self, command: String, working_directory: &Path, port: &'static str) {
        self.pages.lock().run = Run { command, working_directory: working_directory.to_owned(), port };
    }

    pub(crate) fn begun(&self, pid: u32, output: Arc<Output>) {
        self.pages.lock().living.insert(pid, Living { output, diagnosis: None });
    }

    /// The worker is alive and does not answer; why, if that was found out.
    pub(crate) fn diagnose(&self, pid: u32, diagnosis: Option<String>) {
        if let Some(living) = self.pages.lock().living.get_mut(&pid) {
            living.diagnosis = diagnosis.map(Arc::from);
        }
    }

    pub(crate) fn ready(&self, pid: u32) {
        let mut pages = self.pages.lock();
        pages.ever_ready = true;
        if let Some(living) = pages.living.get_mut(&pid) {
            living.diagnosis = None;
        }
    }

    pub(crate) fn ended(&self, ending: Ending) {
        let mut pages = self.pages.lock();
        if let Some(pid) = ending.pid {
            pages.living.remove(&pid);
        }
        pages.endings.truncate(KEPT - 1);
        pages.endings.push_front(Arc::new(ending));
        drop(pages);
        self.ended.notify_waiters();
    }

    /// A worker is gone as it should be; nothing is to be told.
    pub(crate) fn left(&self, pid: u32) {
        self.pages.lock().living.remove(&pid);
    }
}

impl Cause {
    /// Whether the worker was waited for as long as is allowed.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Cause::Silent | Cause::Elsewhere(_) | Cause::Unfit)
    }
}

impl Excerpt {
    /// The newest ending of this worker, or the newest of all.
    pub(crate) fn ending(&self, pid: Option<u32>) -> Option<&Ending> {
        match pid {
            Some(_) => self.endings.iter().find(|ending| ending.pid == pid),
            None => self.endings.first(),
        }
        .map(|ending| &**ending)
    }

    /// Why a worker that is alive does not answer, or why this one did not, if that was found out.
    pub(crate) fn diagnosis(&self, pid: Option<u32>) -> Option<&str> {
        let ended = || self.ending(pid).and_then(|ending| ending.diagnosis.as_deref());
        self.diagnosis.as_deref().or_else(ended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{Cause, Ending, Journal, KEPT};
    use crate::logs::Stream;
    use crate::logs::output::Output;

    fn output() -> Arc<Output> {
        let nothing = || Arc::new(std::fs::File::open("/dev/null").unwrap().into());
        Output::new([&nothing(), &nothing()], false)
    }

    fn ending(slot: usize, pid: u32) -> Ending {
        Ending {
            slot,
            pid: Some(pid),
            how: "exited with code 1".to_owned(),
            after: Duration::from_millis(80),
            at: Instant::now(),
            stderr: format!("last words of {pid}").into_bytes(),
            output: Vec::new(),
            diagnosis: None,
            cause: Cause::Ended,
        }
    }

    #[test]
    fn the_newest_endings_are_kept_and_no_more() {
        let journal = Journal::default();
        (1..=10).for_each(|pid| journal.ended(ending(0, pid)));
        let excerpt = journal.excerpt();
        let pids: Vec<_> = excerpt.endings.iter().filter_map(|ending| ending.pid).collect();
        assert_eq!((pids.as_slice(), pids.len()), ([10, 9, 8, 7].as_slice(), KEPT));
        assert_eq!(excerpt.ending(None).and_then(|ending| ending.pid), Some(10));
        assert_eq!(excerpt.ending(Some(8)).and_then(|ending| ending.pid), Some(8));
        assert!(excerpt.ending(Some(1)).is_none());
        assert_eq!(journal.stderr(Some(9)).unwrap(), b"last words of 9");
        assert_eq!(excerpt.endings[0].how, "exited with code 1");
    }

    #[test]
    fn a_living_workers_words_are_read_while_it_lives() {
        let journal = Journal::default();
        let (quiet, loud) = (output(), output());
        journal.begun(7, quiet);
        journal.begun(8, loud.clone());
        assert_eq!(journal.stderr(Some(8)), None);
        loud.hear(Stream::Err, b"deprecated");
        assert_eq!(journal.stderr(Some(8)).as_deref(), Some(&b"deprecated"[..]));
        assert_eq!(journal.stderr(None).as_deref(), Some(&b"deprecated"[..]));
        assert_eq!(journal.stderr(Some(7)), None);
        journal.left(8);
        assert_eq!(journal.stderr(None), None);
    }

    #[test]
    fn a_diagnosis_lasts_until_the_worker_answers() {
        let journal = Journal::default();
        journal.begun(7, output());
        journal.diagnose(7, Some("it listens elsewhere".to_owned()));
        assert_eq!(journal.excerpt().diagnosis.as_deref(), Some("it listens elsewhere"));
        assert!(!journal.excerpt().ever_ready);
        journal.ready(7);
        assert_eq!(journal.excerpt().diagnosis, None);
        assert!(journal.excerpt().ever_ready);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_ending_gets_it_as_soon_as_it_is_told() {
        let journal = Journal::default();
        let patience = Duration::from_millis(300);
        assert!(journal.ending_of(7, patience).await.is_none());
        let (found, ()) = tokio::join!(journal.ending_of(7, patience), async { journal.ended(ending(0, 7)) });
        assert_eq!(found.unwrap().pid, Some(7));
    }
}
