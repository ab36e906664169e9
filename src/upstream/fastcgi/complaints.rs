//! What a program writes to stderr while it answers: to the log, line by line, with the id of the request; and kept as far
//! as the answer depends on it.

use std::sync::Arc;

use crate::config::fastcgi::StderrMode;
use crate::exchange::request_id::RequestId;
use crate::logs::Stream;
use crate::pool::{Pool, Worker};

/// Of what makes no sense.
const MOST_SHOWN_BYTES: usize = 100;
/// Of one request; what is more is counted.
const MOST_BYTES: usize = 64 * 1024;

pub(super) struct Complaints {
    mode: StderrMode,
    pool: Arc<Pool>,
    worker: Arc<Worker>,
    request: RequestId,
    /// The beginning of a line.
    line: Vec<u8>,
    /// What came is kept: it explains an answer that does not explain itself.
    explains: bool,
    /// What came, where the answer depends on it.
    text: Vec<u8>,
    taken: usize,
    is_of_unknown_script: bool,
}

impl Complaints {
    pub(super) fn new(
        mode: StderrMode,
        pool: Arc<Pool>,
        worker: Arc<Worker>,
        request: RequestId,
        explains: bool,
    ) -> Complaints {
        Complaints {
            mode,
            pool,
            worker,
            request,
            line: Vec::new(),
            explains: explains && mode == StderrMode::Pass,
            text: Vec::new(),
            taken: 0,
            is_of_unknown_script: false,
        }
    }

    pub(super) fn request(&self) -> RequestId {
        self.request
    }

    pub(super) fn came(&self) -> bool {
        self.taken > 0
    }

    /// What came, up to 64 KiB; for the mode that tells the client.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// What came, if it is to explain an answer that does not explain itself.
    pub(super) fn explanation(&self) -> Option<Arc<[u8]>> {
        (self.explains && self.came()).then(|| Arc::from(self.text()))
    }

    /// Whether php-fpm has said that it cannot open what it was sent.
    pub(super) fn are_of_unknown_script(&self) -> bool {
        self.is_of_unknown_script || names_unknown_script(&self.line)
    }

    /// The program cannot open what it was sent, and seldom says where that is.
    pub(super) fn tell_unknown_script(&mut self, script: &str) {
        self.tell();
        self.say(&format!(
            "(it could not open SCRIPT_FILENAME {script}: in a container or chroot the site may be elsewhere, open_basedir or \
             doc_root may leave it out, and its user has to be able to read it)"
        ));
    }

    /// What the program sent is no answer; its beginning says more than any error.
    pub(super) fn tell_beginning(&mut self, bytes: &[u8]) {
        self.tell();
        let shown = bytes[..bytes.len().min(MOST_SHOWN_BYTES)].escape_ascii();
        self.say(&format!("(what it sent begins with \"{shown}\")"));
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let fresh = &bytes[..bytes.len().min(MOST_BYTES.saturating_sub(self.taken))];
        self.taken = self.taken.saturating_add(bytes.len());
        if self.mode == StderrMode::ReturnIn500 || self.explains {
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

    /// On the terminal, as a line of the worker; of a server elsewhere as one of its pool.
    fn say(&self, line: &str) {
        let line = format!("request {}: {}", self.request, visible(line));
        match self.worker.output() {
            Some(output) => output.say(&line),
            None => self.pool.say(&line),
        }
    }

    /// Tells the line that is here.
    fn tell(&mut self) {
        self.is_of_unknown_script |= names_unknown_script(&self.line);
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end();
        if !line.is_empty() {
            self.say(line);
        }
        self.line.clear();
    }
}

fn names_unknown_script(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"Primary script unknown").is_some()
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
