//! Says whether a file may have changed that nobody has looked at yet. Both planes share it; it knows nothing of sites.
//!
//! The kernel queues an event before the call that changes the file returns. So a request that starts after the change
//! need only ask, in one system call, whether events wait, and then whether somebody is still working on older ones.
//! What changed, and what follows from it, is the control plane's business.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a request waits for the control plane before it goes on with what is published.
const PATIENCE: Duration = Duration::from_secs(2);

const BUFFER_BYTES: usize = 32 * 1024;
/// More than the largest event: its head, a name of 255 bytes, padding.
const EVENT_BYTES: usize = 512;

/// Which events of a directory matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Which names there are: created, deleted, moved; and the directory itself.
    Names,
    /// Also what the files hold: closed after writing, times set.
    Contents,
}

impl Role {
    /// `IN_MODIFY` is left out on purpose: it comes with every `write`, when the file is half written, and a recycle
    /// would start from that half. The price is that a writer who never closes (or who only maps the file, or cuts it
    /// by its path) is not seen before the sweep.
    fn flags(self) -> WatchFlags {
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ATTRIB;
        let itself = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        match self {
            Role::Names => names | itself,
            Role::Contents => names | itself | WatchFlags::CLOSE_WRITE,
        }
    }
}

/// What the kernel calls a watched directory.
pub(crate) type WatchId = i32;

/// One event, as the kernel tells it.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) id: WatchId,
    pub(crate) flags: ReadFlags,
    /// Inside the directory; None when the directory itself is meant.
    pub(crate) name: Option<&'a OsStr>,
}

#[derive(Debug)]
pub(crate) struct Sentinel {
    /// None where the system has no more to give; then everything is polled.
    events: Option<OwnedFd>,
    /// How many evaluations are under way; the length of `rounds.open`, readable without its lock.
    evaluating: AtomicUsize,
    rounds: Mutex<Rounds>,
    lowered: Notify,
    complained: AtomicBool,
}

/// Evaluations are numbered by the last reading of events that began before them.
#[derive(Debug, Default)]
struct Rounds {
    begun: u64,
    open: Vec<u64>,
}

/// While this lives, somebody knows of a change whose consequences are not published yet.
#[derive(Debug)]
pub(crate) struct Evaluating {
    sentinel: Arc<Sentinel>,
    round: u64,
}

impl Sentinel {
    pub(crate) fn new() -> Arc<Sentinel> {
        let events = match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(
                    "file events cannot be had ({error}), so files are looked at in intervals; \
                     raise fs.inotify.max_user_instances"
                );
                None
            }
        };
        Arc::new(Sentinel {
            events,
            evaluating: AtomicUsize::new(0),
            rounds: Mutex::default(),
            lowered: Notify::new(),
            complained: AtomicBool::new(false),
        })
    }

    /// True if everything that happened to watched files before this call has been published.
    ///
    /// The order of the two questions is the proof. The control plane raises `evaluating`, then takes events out of the
    /// kernel's queue, publishes what follows, then lowers. If our event is still in the queue, the first question says
    /// so. If not, it was taken out before we asked, so `evaluating` had been raised before that: the second question,
    /// asked later, finds it still raised, or lowered again, and then everything is published. Asked the other way
    /// round, both could say no while the event passes from the queue to the control plane between them.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.has_events() && self.evaluating.load(Ordering::SeqCst) == 0
    }

    /// Waits until what happened before this call has been published; for a bounded time, then it goes on.
    ///
    /// A directory where something happens all the time is never quiet, so one whole round of reading and evaluating
    /// that began after this call is enough too.
    pub(crate) async fn settled(&self) {
        if self.is_quiet() {
            return;
        }
        let before = self.rounds.lock().begun;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Made before the look, so that a lowering between the two wakes us.
            let lowered = self.lowered.notified();
            if self.is_quiet() || self.has_been_round_since(before) {
                return;
            }
            if tokio::time::timeout_at(deadline, lowered).await.is_err() {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "changed files could not be looked at within {PATIENCE:?}; \
                         requests go on with what is known"
                    );
                }
                return;
            }
        }
    }

    /// True if a reading that began after round `before` is through, and with it everything older.
    fn has_been_round_since(&self, before: u64) -> bool {
        let rounds = self.rounds.lock();
        self.events.is_some()
            && rounds.begun > before
            && rounds.open.iter().all(|&round| round > before.saturating_add(1))
    }

    fn has_events(&self) -> bool {
        // An error is none of the request's business: the control plane meets it too, and sweeps.
        self.events
            .as_ref()
            .is_some_and(|events| rustix::io::ioctl_fionread(events).is_ok_and(|bytes| bytes > 0))
    }

    /// To be called before events are read; the guard is dropped when what follows from them is published.
    pub(crate) fn begin_reading(self: &Arc<Sentinel>) -> Evaluating {
        self.raise_at(|rounds| {
            rounds.begun += 1;
            rounds.begun
        })
    }

    /// For changes that are known from elsewhere: polling, a sweep.
    pub(crate) fn raise(self: &Arc<Sentinel>) -> Evaluating {
        self.raise_at(|rounds| rounds.begun)
    }

    fn raise_at(self: &Arc<Sentinel>, number: impl FnOnce(&mut Rounds) -> u64) -> Evaluating {
        let mut rounds = self.rounds.lock();
        let round = number(&mut rounds);
        rounds.open.push(round);
        self.evaluating.store(rounds.open.len(), Ordering::SeqCst);
        Evaluating { sentinel: self.clone(), round }
    }

    /// Asks for the events of a directory, in addition to those asked for before. Two paths to one directory get one id.
    pub(crate) fn watch(&self, directory: &Path, role: Role) -> std::io::Result<WatchId> {
        let events = self.events.as_ref().ok_or(std::io::ErrorKind::Unsupported)?;
        Ok(inotify::add_watch(events, directory, role.flags() | WatchFlags::MASK_ADD)?)
    }

    pub(crate) fn unwatch(&self, id: WatchId) {
        if let Some(events) = &self.events {
            // It fails when the directory is gone, which ends the watch too.
            let _ = inotify::remove_watch(events, id);
        }
    }

    /// Hands over every event that waited when this was called; true if more may wait since.
    ///
    /// Only between [`Sentinel::begin_reading`] and the drop of its guard.
    pub(crate) fn read(&self, mut each: impl FnMut(Event<'_>)) -> std::io::Result<bool> {
        let Some(events) = &self.events else { return Ok(false) };
        let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER_BYTES];
        // Each filling takes all that waits, or all but the last event's worth of the buffer: this many take what
        // waits now, even if somebody adds to it without end.
        let waiting = usize::try_from(rustix::io::ioctl_fionread(events)?).unwrap_or(usize::MAX);
        let mut fillings = waiting.div_ceil(BUFFER_BYTES - EVENT_BYTES) + 1;
        let mut reader = inotify::Reader::new(events, &mut buffer);
        loop {
            if reader.is_buffer_empty() {
                if fillings == 0 {
                    return Ok(true);
                }
                fillings -= 1;
            }
            match reader.next() {
                Ok(event) => each(Event {
                    id: event.wd(),
                    flags: event.events(),
                    name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())),
                }),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// To wait on until events can be read.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for Evaluating {
    fn drop(&mut self) {
        let mut rounds = self.sentinel.rounds.lock();
        if let Some(at) = rounds.open.iter().position(|&round| round == self.round) {
            rounds.open.swap_remove(at);
        }
        self.sentinel.evaluating.store(rounds.open.len(), Ordering::SeqCst);
        drop(rounds);
        self.sentinel.lowered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::{Role, Sentinel};

    /// What the control plane does, without consequences.
    fn evaluate(sentinel: &Arc<Sentinel>) -> usize {
        let guard = sentinel.begin_reading();
        let mut events = 0;
        sentinel.read(|_| events += 1).expect("events can be read");
        drop(guard);
        events
    }

    fn waiting(sentinel: &Arc<Sentinel>) -> JoinSet<()> {
        let sentinel = sentinel.clone();
        let mut waits = JoinSet::new();
        waits.spawn(async move { sentinel.settled().await });
        waits
    }

    #[test]
    fn a_write_is_known_the_moment_it_is_done_a_thousand_times_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let sentinel = Sentinel::new();
        sentinel.watch(directory.path(), Role::Contents).expect("it can be watched");
        for n in 0..1000 {
            assert!(sentinel.is_quiet());
            fs::write(directory.path().join("server.js"), n.to_string()).expect("it can be written");
            assert!(!sentinel.is_quiet(), "write {n} went unnoticed");
            assert!(evaluate(&sentinel) > 0);
        }
        assert!(sentinel.is_quiet());
    }

    #[test]
    fn while_somebody_evaluates_it_is_not_quiet() {
        let sentinel = Sentinel::new();
        assert!(sentinel.is_quiet());
        let first = sentinel.begin_reading();
        let second = sentinel.raise();
        drop(first);
        assert!(!sentinel.is_quiet());
        drop(second);
        assert!(sentinel.is_quiet());
    }

    #[test]
    fn watching_names_sees_no_write_until_contents_are_asked_for_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("app.js");
        fs::write(&file, "1").expect("it can be written");
        let sentinel = Sentinel::new();
        sentinel.watch(directory.path(), Role::Names).expect("it can be watched");
        fs::write(&file, "2").expect("it can be written");
        assert!(sentinel.is_quiet());
        sentinel.watch(directory.path(), Role::Contents).expect("it can be watched");
        fs::write(&file, "3").expect("it can be written");
        assert!(!sentinel.is_quiet());
        // Asking for less later takes nothing away.
        sentinel.watch(directory.path(), Role::Names).expect("it can be watched");
        evaluate(&sentinel);
        fs::write(&file, "4").expect("it can be written");
        assert!(!sentinel.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_evaluation_or_with_patience() {
        let sentinel = Sentinel::new();
        sentinel.settled().await;
        let guard = sentinel.begin_reading();
        let mut waits = waiting(&sentinel);
        tokio::task::yield_now().await;
        assert!(waits.try_join_next().is_none());
        drop(guard);
        waits.join_next().await.expect("it waits").expect("it ends");

        let _never = sentinel.begin_reading();
        let begun = tokio::time::Instant::now();
        sentinel.settled().await;
        assert_eq!(begun.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_never_quiet_holds_nobody_longer_than_one_round() {
        let directory = tempfile::tempdir().expect("a directory");
        let sentinel = Sentinel::new();
        sentinel.watch(directory.path(), Role::Names).expect("it can be watched");
        let busy = |n: u32| fs::write(directory.path().join(n.to_string()), "").expect("it can be written");
        busy(0);
        let old = sentinel.begin_reading();
        let mut waits = waiting(&sentinel);
        tokio::task::yield_now().await;
        busy(1);
        drop(old);
        tokio::task::yield_now().await;
        assert!(waits.try_join_next().is_none(), "the round under way may have read before the request came");
        let next = sentinel.begin_reading();
        sentinel.read(|_| {}).expect("events can be read");
        busy(2);
        let later = sentinel.begin_reading();
        drop(next);
        let begun = tokio::time::Instant::now();
        waits.join_next().await.expect("it waits").expect("it ends");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(!sentinel.is_quiet());
        drop(later);
    }
}
