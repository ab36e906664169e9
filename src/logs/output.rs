//! How far the output of one worker has been taken: what it said last, and whether all it has said is on disk.
//!
//! Shared by who reads the pipes (the control plane) and by who asks before a response is completed (the data plane).
//! A reader begins a round *before* it reads and ends it when the bytes are on disk; who asks looks into the pipes first
//! and at the rounds then, so bytes are seen in the one place or the other.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::Stream;
use super::console::Voice;
use super::tail::Tail;

/// As much as the ASP.NET Core Module tells of a start that failed.
const BEGINNING_BYTES: usize = 30_000;
/// A response waits no longer than this for a disk.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Output {
    tail: Tail,
    /// What it wrote first on both streams; None once it is ready, when nobody will ask.
    beginning: Mutex<Option<Vec<u8>>>,
    on_disk: bool,
    streams: [Rounds; 2],
    /// For what the worker says in another way than through its pipes.
    voice: OnceLock<Mutex<Voice>>,
    /// Rings when a round has ended.
    advanced: Notify,
    lost_bytes: AtomicU64,
    /// The disk kept a response waiting too long; no other waits for it until it has moved on.
    is_stuck: AtomicBool,
}

/// The reads of one stream, by number. A round is open from before the read until its bytes are on disk.
#[derive(Debug)]
struct Rounds {
    /// The read end, for as long as it is read; held open by who looks into it, so that it is never another file.
    pipe: Weak<OwnedFd>,
    begun: AtomicU64,
    /// Every round up to this one is over.
    done: AtomicU64,
}

impl Output {
    /// For the read ends of stdout and stderr, in this order. Without a disk it is never waited for.
    pub(crate) fn new(pipes: [&Arc<OwnedFd>; 2], on_disk: bool) -> Arc<Output> {
        Output::reading(pipes.map(Arc::downgrade), on_disk)
    }

    fn reading(pipes: [Weak<OwnedFd>; 2], on_disk: bool) -> Arc<Output> {
        let streams = pipes.map(|pipe| Rounds { pipe, begun: AtomicU64::new(0), done: AtomicU64::new(0) });
        let (tail, advanced, lost_bytes) = (Tail::default(), Notify::new(), AtomicU64::new(0));
        let is_stuck = AtomicBool::new(false);
        let beginning = Mutex::new(Some(Vec::new()));
        let voice = OnceLock::new();
        Arc::new(Output { tail, beginning, on_disk, streams, voice, advanced, lost_bytes, is_stuck })
    }

    /// For a worker whose output goes nowhere.
    pub(crate) fn silent() -> Arc<Output> {
        Output::reading([Weak::new(), Weak::new()], false)
    }

    /// Whether the worker's output goes to files, so that there is something to wait for.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.on_disk
    }

    /// Whether everything the worker has written until now is on disk. One system call, or none without a disk.
    pub(crate) fn is_settled(&self) -> bool {
        !self.on_disk || self.is_stuck.load(Ordering::Relaxed) || self.unsettled() == [false; 2]
    }

    /// Waits until everything the worker had written at the call is on disk, or a second.
    ///
    /// Ends for a worker that writes all the time, too: the first read that begins after the call takes whatever the
    /// pipe held at the call, as it takes as much as a pipe holds.
    pub(crate) async fn settled(&self) {
        if !self.on_disk {
            return;
        }
        let marks = self.streams.each_ref().map(|rounds| rounds.begun.load(Ordering::SeqCst));
        let settled = async {
            loop {
                let advanced = self.advanced.notified();
                let unsettled = self.unsettled();
                let is_over = |index: usize| {
                    !unsettled[index] || self.streams[index].done.load(Ordering::SeqCst) > marks[index]
                };
                if is_over(0) && is_over(1) {
                    return;
                }
                advanced.await;
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            self.is_stuck.store(true, Ordering::Relaxed);
            tracing::debug!("a response was completed before its log was on disk");
        }
    }

    /// Which streams have something that is not on disk yet.
    fn unsettled(&self) -> [bool; 2] {
        let pipes = self.streams.each_ref().map(|rounds| rounds.pipe.upgrade());
        let waiting = hold_bytes(&pipes);
        let is_open = |rounds: &Rounds| {
            let begun = rounds.begun.load(Ordering::SeqCst);
            rounds.done.load(Ordering::SeqCst) < begun
        };
        [waiting[0] || is_open(&self.streams[0]), waiting[1] || is_open(&self.streams[1])]
    }

    /// What the worker wrote to stderr last, up to 64 KiB.
    pub(crate) fn last_words(&self) -> Vec<u8> {
        self.tail.errors()
    }

    /// The first 30,000 bytes the worker wrote to stdout and stderr; none if it has been ready.
    pub(crate) fn first_words(&self) -> Vec<u8> {
        self.beginning.lock().clone().unwrap_or_default()
    }

    /// The worker is ready: how it began is of no interest any more.
    pub(crate) fn forget_first_words(&self) {
        *self.beginning.lock() = None;
    }

    /// The line of stderr that most likely says what is wrong.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.tail.complaint()
    }

    /// How many bytes did not get into a file: the disk was full, or too slow.
    #[cfg(test)]
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.lost_bytes.load(Ordering::Relaxed)
    }

    /// From now on [`Output::say`] is heard there.
    pub(crate) fn speak_with(&self, voice: Voice) {
        // Whoever comes second has the same voice.
        let _ = self.voice.set(Mutex::new(voice));
    }

    /// Shows a line that did not come through a pipe on the terminal, as the worker's own.
    pub(crate) fn say(&self, line: &str) {
        if let Some(voice) = self.voice.get() {
            voice.lock().write(format!("{line}\n").as_bytes());
        }
    }

    /// Whether somebody may still write to one of the streams.
    pub(crate) fn is_open(&self) -> bool {
        self.streams.iter().any(|rounds| rounds.pipe.strong_count() > 0)
    }

    // For who reads.

    pub(crate) fn hear(&self, stream: Stream, bytes: &[u8]) {
        self.tail.push(stream, bytes);
        if let Some(beginning) = &mut *self.beginning.lock() {
            let room = BEGINNING_BYTES.saturating_sub(beginning.len());
            beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// To be called before each read.
    pub(super) fn begin_round(&self, stream: Stream) {
        self.rounds(stream).begun.fetch_add(1, Ordering::SeqCst);
    }

    /// The round that was begun last.
    pub(super) fn round(&self, stream: Stream) -> u64 {
        self.rounds(stream).begun.load(Ordering::SeqCst)
    }

    /// Everything that was read in rounds up to this one is on disk, or lost.
    pub(super) fn end_round(&self, stream: Stream, round: u64) {
        self.rounds(stream).done.fetch_max(round, Ordering::SeqCst);
        self.is_stuck.store(false, Ordering::Relaxed);
        self.advanced.notify_waiters();
    }

    /// Nothing more of this stream will ever get to disk.
    pub(super) fn end(&self, stream: Stream) {
        self.end_round(stream, u64::MAX);
    }

    pub(super) fn lose(&self, bytes: u64) {
        self.lost_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn rounds(&self, stream: Stream) -> &Rounds {
        &self.streams[usize::from(stream == Stream::Err)]
    }
}

/// Which of the pipes hold bytes, by one system call.
fn hold_bytes(pipes: &[Option<Arc<OwnedFd>>; 2]) -> [bool; 2] {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut asked: SmallVec<[PollFd<'_>; 2]> =
        pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
    if asked.is_empty() || poll(&mut asked, Some(&AT_ONCE)).is_err() {
        // The kernel refuses only for want of memory; then nothing is waited for.
        return [false; 2];
    }
    let mut answers = asked.iter().map(|pipe| pipe.revents().contains(PollFlags::IN));
    pipes.each_ref().map(|pipe| pipe.is_some() && answers.next().unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Stream;
    use super::{BEGINNING_BYTES, Output};

    #[test]
    fn how_a_worker_began_is_kept_until_it_is_ready() {
        let nothing = || Arc::new(std::fs::File::open("/dev/null").unwrap().into());
        let output = Output::new([&nothing(), &nothing()], false);
        output.hear(Stream::Out, b"one ");
        output.hear(Stream::Err, b"two");
        assert_eq!(output.first_words(), b"one two");
        output.hear(Stream::Out, &vec![b'x'; 2 * BEGINNING_BYTES]);
        output.hear(Stream::Out, b"y");
        let words = output.first_words();
        assert_eq!(words.len(), BEGINNING_BYTES);
        assert!(words.starts_with(b"one twox") && words.ends_with(b"x"));
        output.forget_first_words();
        output.hear(Stream::Err, b"later");
        assert_eq!(output.first_words(), b"");
    }
}
