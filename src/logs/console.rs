//! Lines for the terminal, in order, from whoever has something to say, without anybody waiting for the terminal.
//!
//! A thread of its own writes; the queue in front of it holds [`QUEUE_BYTES`]. What does not fit is dropped and counted,
//! and the count is shown where the lines would have been.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Stream;

const QUEUE_BYTES: usize = 1024 * 1024;
/// A line longer than this is shown in pieces.
const LINE_BYTES: usize = 64 * 1024;
/// Told apart on light and dark terminals alike: cyan, yellow, green, magenta, blue, red.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// A handle to the queue; the thread behind it ends with the last handle, when all is written.
#[derive(Clone)]
pub(crate) struct Console(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    coloured: [bool; 2],
}

struct Shared {
    queue: Mutex<Queue>,
    /// Rings when something is put in, and when everything is out.
    moved: Condvar,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
    lines_dropped: usize,
    writing: bool,
    closed: bool,
}

impl Console {
    /// The terminal (or file, or pipe) this process was started with.
    pub(crate) fn terminal() -> Console {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let coloured = [io::stdout().is_terminal() && !plain, io::stderr().is_terminal() && !plain];
        Console::new(io::stdout(), io::stderr(), coloured)
    }

    /// Writes to `out` and `err`, with colours on those for which it is said.
    pub(crate) fn new(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        coloured: [bool; 2],
    ) -> Console {
        let shared = Arc::new(Shared { queue: Mutex::default(), moved: Condvar::new() });
        let writer = Arc::clone(&shared);
        // Not joined: it may stand in a write to a stalled terminal for ever. `flush` waits for it, bounded.
        let started =
            std::thread::Builder::new().name("console".to_owned()).spawn(move || writer.write_all(out, err));
        if started.is_err() {
            // Without a thread nobody would empty the queue; it counts as dropped what it is given.
            shared.queue.lock().closed = true;
        }
        Console(Arc::new(Handle { shared, coloured }))
    }

    /// One voice per output of a worker: `name | line`, in a colour by its `number`.
    pub(crate) fn voice(&self, name: &str, number: usize, stream: Stream) -> Voice {
        let prefix = match self.0.coloured[usize::from(stream == Stream::Err)] {
            true => format!("\x1b[{}m{name} |\x1b[0m ", COLOURS[number % COLOURS.len()]),
            false => format!("{name} | "),
        };
        Voice { console: self.clone(), stream, prefix: prefix.into_bytes(), partial: Vec::new() }
    }

    /// A line of the host itself.
    pub(crate) fn say(&self, stream: Stream, line: &str) {
        self.0.shared.put(stream, format!("{line}\n").into_bytes(), 1);
    }

    /// Waits until everything is written, but not longer than this.
    pub(crate) fn flush(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut queue = self.0.shared.queue.lock();
        while !queue.is_quiet() {
            if self.0.shared.moved.wait_until(&mut queue, deadline).timed_out() {
                return;
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.moved.notify_all();
    }
}

impl Queue {
    fn is_quiet(&self) -> bool {
        self.chunks.is_empty() && self.lines_dropped == 0 && !self.writing
    }

    /// What stands for the lines dropped since the last time this was asked.
    fn gap(&mut self) -> Option<(Stream, Vec<u8>)> {
        let lines = std::mem::take(&mut self.lines_dropped);
        (lines > 0).then(|| (Stream::Err, format!("({lines} lines not shown)\n").into_bytes()))
    }
}

impl Shared {
    fn put(&self, stream: Stream, chunk: Vec<u8>, lines: usize) {
        let mut queue = self.queue.lock();
        if queue.closed || queue.bytes + chunk.len() > QUEUE_BYTES {
            queue.lines_dropped += lines;
            return;
        }
        if let Some(gap) = queue.gap() {
            queue.bytes += gap.1.len();
            queue.chunks.push_back(gap);
        }
        queue.bytes += chunk.len();
        queue.chunks.push_back((stream, chunk));
        drop(queue);
        self.moved.notify_all();
    }

    fn write_all(&self, mut out: impl Write, mut err: impl Write) {
        while let Some((stream, chunk)) = self.take() {
            // A terminal that is gone hears nothing; the workers go on.
            let _ = match stream {
                Stream::Out => out.write_all(&chunk).and_then(|()| out.flush()),
                Stream::Err => err.write_all(&chunk).and_then(|()| err.flush()),
            };
        }
    }

    fn take(&self) -> Option<(Stream, Vec<u8>)> {
        let mut queue = self.queue.lock();
        queue.writing = false;
        loop {
            if let Some(chunk) = queue.chunks.pop_front() {
                queue.bytes -= chunk.1.len();
                queue.writing = true;
                return Some(chunk);
            }
            if let Some(gap) = queue.gap() {
                queue.writing = true;
                return Some(gap);
            }
            self.moved.notify_all();
            if queue.closed {
                return None;
            }
            self.moved.wait(&mut queue);
        }
    }
}

/// One output of one worker: turns its bytes into whole lines with its name before each.
pub(crate) struct Voice {
    console: Console,
    stream: Stream,
    prefix: Vec<u8>,
    /// The beginning of a line whose end has not come yet; shorter than [`LINE_BYTES`].
    partial: Vec<u8>,
}

impl Voice {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut chunk = Vec::new();
        let mut lines = 0;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let whole = piece.last() == Some(&b'\n');
            if !whole && self.partial.len() + piece.len() < LINE_BYTES {
                self.partial.extend_from_slice(piece);
                continue;
            }
            self.append_line(&mut chunk, piece, whole);
            lines += 1;
        }
        if lines > 0 {
            self.console.0.shared.put(self.stream, chunk, lines);
        }
    }

    /// Shows what was written last, though it has no end.
    pub(crate) fn finish(&mut self) {
        if !self.partial.is_empty() {
            let mut chunk = Vec::new();
            self.append_line(&mut chunk, b"", false);
            self.console.0.shared.put(self.stream, chunk, 1);
        }
    }

    fn append_line(&mut self, chunk: &mut Vec<u8>, rest: &[u8], whole: bool) {
        chunk.extend_from_slice(&self.prefix);
        chunk.append(&mut self.partial);
        chunk.extend_from_slice(rest);
        if !whole {
            chunk.push(b'\n');
        }
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::super::Stream;
    use super::{Console, LINE_BYTES, QUEUE_BYTES};

    const SOON: Duration = Duration::from_secs(10);

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock()).into_owned()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_says_whose_it_is_and_goes_where_it_was_written() {
        let (out, err) = (Paper::default(), Paper::default());
        let console = Console::new(out.clone(), err.clone(), [false, true]);
        let mut voice = console.voice("app.0", 0, Stream::Out);
        voice.write(b"one\ntw");
        voice.write(b"o\n\n\xff\0\nthe end");
        voice.finish();
        console.voice("app.1", 1, Stream::Err).write(b"oh\n");
        console.flush(SOON);
        assert_eq!(out.text(), "app.0 | one\napp.0 | two\napp.0 | \napp.0 | \u{fffd}\0\napp.0 | the end\n");
        assert_eq!(err.text(), "\x1b[33mapp.1 |\x1b[0m oh\n");
    }

    #[test]
    fn a_line_without_end_is_shown_in_pieces() {
        let out = Paper::default();
        let console = Console::new(out.clone(), io::sink(), [false; 2]);
        let mut voice = console.voice("a", 0, Stream::Out);
        for _ in 0..5 {
            voice.write(&[b'x'; LINE_BYTES / 2]);
        }
        drop(voice);
        console.flush(SOON);
        assert_eq!(out.text().lines().count(), 3);
        assert_eq!(out.text().matches('x').count(), 5 * LINE_BYTES / 2);
    }

    /// The writer stands still while four times the queue is said; nobody waits, and the gap is counted.
    #[test]
    fn a_stalled_terminal_delays_nobody_and_the_loss_is_counted() {
        let (out, err) = (Paper::default(), Paper::default());
        let console = Console::new(out.clone(), err.clone(), [false; 2]);
        let stalled = out.0.lock();
        let mut voice = console.voice("a", 0, Stream::Out);
        let line = [[b'x'; 1019].as_slice(), b"\n"].concat();
        let lines = 4 * QUEUE_BYTES / 1024;
        for _ in 0..lines {
            voice.write(&line);
        }
        drop(stalled);
        console.flush(SOON);
        let shown = out.text().lines().count();
        assert!(shown >= QUEUE_BYTES / 1024 - 1, "{shown}");
        let said = err.text();
        let counts =
            said.lines().map(|line| line.trim_start_matches('(').split(' ').next().unwrap_or_default());
        assert_eq!(
            counts.map(|count| count.parse::<usize>().unwrap()).sum::<usize>(),
            lines - shown,
            "{said}"
        );
    }
}
