//! Reads the outputs of a worker until their end, whatever comes, and never waits for anybody but the worker: the tail and
//! the terminal take it at once, the disk in batches of what came meanwhile, on a thread that may block.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::console::Voice;
use super::directory::Directories;
use super::output::Output;
use super::writer::Writer;
use super::{LogNaming, LogPlan, Stream};

/// What a pipe holds at most on Linux unless enlarged: one read empties it.
const BLOCK_BYTES: usize = 64 * 1024;
/// What may wait for a disk; the rest is dropped and counted.
const GATHERED_BYTES: usize = 1024 * 1024;
/// So often one output of a worker may be read on within a line while the other waits.
const MOST_PUT_OFF: u32 = 16;

thread_local! {
    /// Shared by all workers of the thread: it is used only between two awaits.
    static BLOCK: std::cell::RefCell<Box<[u8]>> = std::cell::RefCell::new(vec![0; BLOCK_BYTES].into_boxed_slice());
}

/// One output of a worker.
pub(crate) struct Source {
    /// One of those `output` was made for.
    pub(crate) pipe: Arc<OwnedFd>,
    pub(crate) stream: Stream,
    pub(crate) voice: Voice,
}

/// Outputs of a worker that go into the same files, or one that goes nowhere.
pub(crate) struct Capture {
    sources: Vec<Source>,
    output: Arc<Output>,
    writer: Option<Writer>,
    /// Ends the reading early; what has been read is written all the same.
    stop: CancellationToken,
}

/// Whose pipe is read first if there is something in several.
#[derive(Default)]
struct Turn {
    first: usize,
    /// How often in a row somebody else's turn was put off.
    put_off: u32,
}

impl Turn {
    /// What was read of a pipe ends a line, or does not: then the rest of it comes next, if it is there.
    fn has_read(&mut self, index: usize, ends_line: bool) {
        let waits = ends_line || self.put_off >= MOST_PUT_OFF;
        (self.first, self.put_off) = if waits { (1 - index.min(1), 0) } else { (index, self.put_off + 1) };
    }
}

impl Capture {
    /// What there is to do for all outputs of the worker with this pid, which has just been started: one capture for
    /// each, or one for all if they share their files.
    pub(crate) fn all(
        sources: [Source; 2],
        output: &Arc<Output>,
        logs: Option<(&LogPlan, &Directories)>,
        pid: u32,
        stop: &CancellationToken,
    ) -> Vec<Capture> {
        let share = logs.is_some_and(|(plan, _)| matches!(plan.naming, LogNaming::Stem { .. }));
        let groups = if share { vec![Vec::from(sources)] } else { sources.map(|source| vec![source]).into() };
        let capture = |sources: Vec<Source>| Capture {
            writer: sources
                .first()
                .zip(logs)
                .map(|(first, (plan, directories))| directories.writer(plan, pid, first.stream)),
            sources,
            output: Arc::clone(output),
            stop: stop.clone(),
        };
        groups.into_iter().map(capture).collect()
    }

    /// Reads the pipes until everybody who can write to them has closed them, and everything is on disk.
    ///
    /// # Errors
    /// If the kernel fails to read one; the others are read on.
    pub(crate) async fn run(self) -> io::Result<()> {
        let Capture { sources, output, writer, stop } = self;
        let mut sink = Sink::new(output, sources.iter().map(|source| source.stream).collect(), writer);
        let mut pipes = Vec::with_capacity(sources.len());
        let mut voices = Vec::with_capacity(sources.len());
        for Source { pipe, stream, voice } in sources {
            pipes.push(Some(register(pipe)?));
            voices.push((stream, voice));
        }
        let mut outcome = Ok(());
        let mut turn = Turn::default();
        while pipes.iter().any(Option::is_some) || sink.is_writing() {
            tokio::select! {
                biased;
                () = sink.written() => {}
                () = stop.cancelled(), if pipes.iter().any(Option::is_some) => {
                    pipes.iter_mut().for_each(|pipe| *pipe = None);
                }
                (index, ready) = readable(&pipes, turn.first) => {
                    let Some((stream, voice)) = voices.get_mut(index) else { continue };
                    match ready.and_then(|ready| read(ready, *stream, &mut sink, voice)) {
                        Ok(Read::Some { ends_line }) => turn.has_read(index, ends_line),
                        Ok(Read::Nothing) => {}
                        Ok(Read::End) => close(&mut pipes, index),
                        Err(error) => {
                            close(&mut pipes, index);
                            outcome = Err(error);
                        }
                    }
                    // A worker that floods must not keep the others from being tended.
                    tokio::task::yield_now().await;
                }
            }
        }
        voices.iter_mut().for_each(|(_, voice)| voice.finish());
        outcome
    }
}

type Pipe = AsyncFd<Arc<OwnedFd>>;

#[expect(
    deprecated,
    reason = "what the constructor cannot check, that the descriptor stays, an OwnedFd guarantees"
)]
fn register(pipe: Arc<OwnedFd>) -> io::Result<Pipe> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    AsyncFd::with_interest(pipe, Interest::READABLE)
}

fn close(pipes: &mut [Option<Pipe>], index: usize) {
    if let Some(pipe) = pipes.get_mut(index) {
        *pipe = None;
    }
}

/// The pipe in which there is something, or its end; of two the `first`.
async fn readable(
    pipes: &[Option<Pipe>],
    first: usize,
) -> (usize, io::Result<AsyncFdReadyGuard<'_, Arc<OwnedFd>>>) {
    let one = async |index: usize| match pipes.get(index) {
        Some(Some(pipe)) => (index, pipe.readable().await),
        _ => std::future::pending().await,
    };
    tokio::select! {
        biased;
        ready = one(first) => ready,
        ready = one(1 - first.min(1)) => ready,
    }
}

enum Read {
    Some { ends_line: bool },
    Nothing,
    End,
}

fn read(
    mut ready: AsyncFdReadyGuard<'_, Arc<OwnedFd>>,
    stream: Stream,
    sink: &mut Sink,
    voice: &mut Voice,
) -> io::Result<Read> {
    BLOCK.with_borrow_mut(|block| {
        sink.begin_read(stream);
        match rustix::io::read(ready.get_inner(), &mut **block) {
            Ok(0) => {
                sink.nothing_read(stream);
                Ok(Read::End)
            }
            Ok(n) => {
                // The end of a pipe stays known; this only says that it was emptied.
                if n < block.len() {
                    ready.clear_ready();
                }
                voice.write(&block[..n]);
                sink.put(stream, &block[..n]);
                Ok(Read::Some { ends_line: block[n - 1] == b'\n' })
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                sink.nothing_read(stream);
                ready.clear_ready();
                Ok(Read::Nothing)
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// The way to the disk: at most one batch is being written, another gathers.
struct Sink {
    output: Arc<Output>,
    /// Each with the last round whose bytes are being written.
    rounds: Vec<(Stream, u64)>,
    /// None while it writes, or if there is no disk.
    idle: Option<Writer>,
    writing: Option<JoinHandle<(Writer, u64)>>,
    gathered: Gathered,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Behind `bytes`.
    dropped: u64,
}

impl Sink {
    fn new(output: Arc<Output>, streams: Vec<Stream>, writer: Option<Writer>) -> Sink {
        let writing = writer.map(|mut writer| {
            tokio::task::spawn_blocking(move || {
                writer.prepare();
                (writer, 0)
            })
        });
        let rounds = streams.into_iter().map(|stream| (stream, 0)).collect();
        Sink { output, rounds, idle: None, writing, gathered: Gathered::default() }
    }

    fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    fn has_disk(&self) -> bool {
        self.idle.is_some() || self.is_writing()
    }

    fn begin_read(&self, stream: Stream) {
        if self.has_disk() {
            self.output.begin_round(stream);
        }
    }

    fn nothing_read(&self, stream: Stream) {
        if !self.is_writing() {
            self.output.end_round(stream, self.output.round(stream));
        }
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        self.output.hear(stream, bytes);
        if self.has_disk() {
            self.gathered.put(bytes);
            self.write_next();
        }
    }

    fn write_next(&mut self) {
        if self.gathered.bytes.is_empty() {
            return;
        }
        if let Some(mut writer) = self.idle.take() {
            let Gathered { bytes, dropped } = std::mem::take(&mut self.gathered);
            for (stream, round) in &mut self.rounds {
                *round = self.output.round(*stream);
            }
            self.writing = Some(tokio::task::spawn_blocking(move || {
                let lost = writer.write(&bytes, dropped);
                (writer, lost)
            }));
        }
    }

    /// Waits for the end of the batch that is being written, and begins the next; for ever if there is none.
    async fn written(&mut self) {
        let Some(writing) = &mut self.writing else { return std::future::pending().await };
        let outcome = writing.await;
        self.writing = None;
        match outcome {
            Ok((writer, lost)) => {
                self.idle = Some(writer);
                self.output.lose(lost);
                let is_all = self.gathered.bytes.is_empty();
                for &(stream, round) in &self.rounds {
                    self.output.end_round(stream, if is_all { self.output.round(stream) } else { round });
                }
                self.write_next();
            }
            Err(error) => {
                tracing::error!(%error, "a writer of logs is lost; its streams go on without files");
                self.end();
            }
        }
    }

    /// Nothing more will ever get to disk.
    fn end(&self) {
        self.rounds.iter().for_each(|(stream, _)| self.output.end(*stream));
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.output.lose(self.gathered.bytes.len() as u64 + self.gathered.dropped);
        self.end();
    }
}

impl Gathered {
    fn put(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(GATHERED_BYTES - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.dropped += (bytes.len() - taken) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::{GATHERED_BYTES, Gathered};

    #[test]
    fn what_does_not_fit_is_the_newest_and_is_counted() {
        let mut gathered = Gathered::default();
        gathered.put(&vec![b'a'; GATHERED_BYTES - 1]);
        gathered.put(b"bc");
        gathered.put(b"def");
        assert_eq!(gathered.bytes.len(), GATHERED_BYTES);
        assert!(gathered.bytes.ends_with(b"ab"));
        assert_eq!(gathered.dropped, 4);
    }
}
