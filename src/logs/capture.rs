//! Reads one output of a worker until its end, whatever comes, and never waits for anybody but the worker: the tail and
//! the terminal take it at once, the disk in batches of what came meanwhile, on a thread that may block.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Stream;
use super::console::Voice;
use super::output::Output;
use super::writer::Writer;

/// What a pipe holds at most on Linux unless enlarged: one read empties it.
const BLOCK_BYTES: usize = 64 * 1024;
/// What may wait for a disk; the rest is dropped and counted.
const GATHERED_BYTES: usize = 1024 * 1024;

thread_local! {
    /// Shared by all workers of the thread: it is used only between two awaits.
    static BLOCK: std::cell::RefCell<Box<[u8]>> = std::cell::RefCell::new(vec![0; BLOCK_BYTES].into_boxed_slice());
}

/// One output of a worker, and where it goes.
pub(crate) struct Capture {
    /// One of those `output` was made for.
    pub(crate) pipe: Arc<OwnedFd>,
    pub(crate) stream: Stream,
    pub(crate) output: Arc<Output>,
    pub(crate) voice: Voice,
    pub(crate) writer: Option<Writer>,
    /// Ends the reading early; what has been read is written all the same.
    pub(crate) stop: CancellationToken,
}

impl Capture {
    /// Reads the pipe until everybody who can write to it has closed it, and everything is on disk.
    ///
    /// # Errors
    /// If the kernel fails to read it.
    pub(crate) async fn run(self) -> io::Result<()> {
        let Capture { pipe, stream, output, mut voice, writer, stop } = self;
        let mut sink = Sink::new(output, stream, writer);
        let mut pipe = Some(register(pipe)?);
        let mut outcome = Ok(());
        while pipe.is_some() || sink.is_writing() {
            tokio::select! {
                biased;
                () = sink.written() => {}
                () = stop.cancelled(), if pipe.is_some() => pipe = None,
                ready = readable(pipe.as_ref()) => {
                    match ready.and_then(|ready| read(ready, &mut sink, &mut voice)) {
                        Ok(Read::Some) => {}
                        Ok(Read::End) => pipe = None,
                        Err(error) => {
                            pipe = None;
                            outcome = Err(error);
                        }
                    }
                    // A worker that floods must not keep the others from being tended.
                    tokio::task::yield_now().await;
                }
            }
        }
        voice.finish();
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

async fn readable(pipe: Option<&Pipe>) -> io::Result<AsyncFdReadyGuard<'_, Arc<OwnedFd>>> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}

enum Read {
    Some,
    End,
}

fn read(
    mut ready: AsyncFdReadyGuard<'_, Arc<OwnedFd>>,
    sink: &mut Sink,
    voice: &mut Voice,
) -> io::Result<Read> {
    BLOCK.with_borrow_mut(|block| {
        sink.begin_read();
        match rustix::io::read(ready.get_inner(), &mut **block) {
            Ok(0) => {
                sink.nothing_read();
                Ok(Read::End)
            }
            Ok(n) => {
                // The end of a pipe stays known; this only says that it was emptied.
                if n < block.len() {
                    ready.clear_ready();
                }
                voice.write(&block[..n]);
                sink.put(&block[..n]);
                Ok(Read::Some)
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                sink.nothing_read();
                ready.clear_ready();
                Ok(Read::Some)
            }
            Err(error) => Err(error.into()),
        }
    })
}

/// The way to the disk: at most one batch is being written, another gathers.
struct Sink {
    output: Arc<Output>,
    stream: Stream,
    /// None while it writes, or if there is no disk.
    idle: Option<Writer>,
    writing: Option<JoinHandle<(Writer, u64)>>,
    /// The last round whose bytes are being written.
    round: u64,
    gathered: Gathered,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Behind `bytes`.
    dropped: u64,
}

impl Sink {
    fn new(output: Arc<Output>, stream: Stream, writer: Option<Writer>) -> Sink {
        let writing = writer.map(|mut writer| {
            tokio::task::spawn_blocking(move || {
                writer.prepare();
                (writer, 0)
            })
        });
        Sink { output, stream, idle: None, writing, round: 0, gathered: Gathered::default() }
    }

    fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    fn has_disk(&self) -> bool {
        self.idle.is_some() || self.is_writing()
    }

    fn begin_read(&self) {
        if self.has_disk() {
            self.output.begin_round(self.stream);
        }
    }

    fn nothing_read(&self) {
        if !self.is_writing() {
            self.output.end_round(self.stream, self.output.round(self.stream));
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.output.hear(self.stream, bytes);
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
            self.round = self.output.round(self.stream);
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
                let round =
                    if self.gathered.bytes.is_empty() { self.output.round(self.stream) } else { self.round };
                self.output.end_round(self.stream, round);
                self.write_next();
            }
            Err(error) => {
                tracing::error!(%error, "a writer of logs is lost; its stream goes on without files");
                self.output.end(self.stream);
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.output.lose(self.gathered.bytes.len() as u64 + self.gathered.dropped);
        self.output.end(self.stream);
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
