//! What a program writes to stderr while it answers: to the log, line by line, with the number of the request; and kept as
//! far as the answer depends on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::fastcgi::StderrMode;
use crate::logs::Stream;
use crate::pool::{Pool, Worker};

/// Of one request; what is more is counted.
const MOST_BYTES: usize = 64 * 1024;

/// Requests to programs since the host began.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

pub(super) struct Complaints {
    mode: StderrMode,
    pool: Arc<Pool>,
    worker: Arc<Worker>,
    /// The number of the request, in the log.
    request: u64,
    /// The beginning of a line.
    line: Vec<u8>,
    /// What came, where the answer depends on it.
    text: Vec<u8>,
    taken: usize,
}

impl Complaints {
    pub(super) fn new(mode: StderrMode, pool: Arc<Pool>, worker: Arc<Worker>) -> Complaints {
        let request = REQUESTS.fetch_add(1, Ordering::Relaxed);
        Complaints { mode, pool, worker, request, line: Vec::new(), text: Vec::new(), taken: 0 }
    }

    pub(super) fn request(&self) -> u64 {
        self.request
    }

    pub(super) fn came(&self) -> bool {
        self.taken > 0
    }

    /// What came, up to 64 KiB; for the mode that tells the client.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let fresh = &bytes[..bytes.len().min(MOST_BYTES.saturating_sub(self.taken))];
        self.taken = self.taken.saturating_add(bytes.len());
        if self.mode == StderrMode::ReturnIn500 {
            self.text.extend_from_slice(fresh);
        }
        if self.mode == StderrMode::Ignore || fresh.is_empty() {
            return;
        }
        if let Some(output) = self.worker.output() {
            output.hear(Stream::Err, fresh);
        }
        for piece in fresh.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.tell();
            }
        }
    }

    /// On the terminal, as a line of the worker; of a server elsewhere in the host's own log.
    fn say(&self, line: &str) {
        let request = self.request;
        match self.worker.output() {
            Some(output) => output.say(&format!("request {request}: {}", visible(line))),
            None => {
                let application = &self.pool.settings().name;
                tracing::error!(application, request, "stderr: {}", visible(line));
            }
        }
    }

    /// Tells the line that is here.
    fn tell(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() {
            self.say(line);
        }
        self.line.clear();
    }
}

/// Nothing in it steers a terminal.
fn visible(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for char in line.chars() {
        match char.is_control() && char != '\t' {
            true => out.extend(char.escape_default()),
            false => out.push(char),
        }
    }
    out
}

impl Drop for Complaints {
    fn drop(&mut self) {
        self.tell();
        if let lost @ 1.. = self.taken.saturating_sub(MOST_BYTES)
            && self.mode != StderrMode::Ignore
        {
            self.say(&format!("({lost} bytes more)"));
        }
    }
}
