//! The last words of one worker: 64 KiB of both streams, and as much of stderr by itself.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::Stream;

const ALL_BYTES: usize = 64 * 1024;
const ERRORS_BYTES: usize = 64 * 1024;
/// A Node stack trace with its source line fits; what stands further back is not what ended the worker.
const COMPLAINT_BYTES: usize = 4 * 1024;

/// Grows with what is written, up to its limits; then the oldest goes.
#[derive(Debug, Default)]
pub(crate) struct Tail(Mutex<Rings>);

#[derive(Debug, Default)]
struct Rings {
    all: VecDeque<u8>,
    errors: VecDeque<u8>,
}

impl Tail {
    pub(crate) fn push(&self, stream: Stream, bytes: &[u8]) {
        let mut rings = self.0.lock();
        append(&mut rings.all, bytes, ALL_BYTES);
        if stream == Stream::Err {
            append(&mut rings.errors, bytes, ERRORS_BYTES);
        }
    }

    /// Everything kept, oldest first.
    #[cfg(test)]
    pub(crate) fn contents(&self) -> Vec<u8> {
        copy(&self.0.lock().all)
    }

    /// What is kept of stderr, oldest first.
    pub(crate) fn errors(&self) -> Vec<u8> {
        copy(&self.0.lock().errors)
    }

    /// The line of stderr that most likely says what is wrong.
    pub(crate) fn complaint(&self) -> Option<String> {
        let errors = self.errors();
        let last = &errors[errors.len().saturating_sub(COMPLAINT_BYTES)..];
        telling_line(&String::from_utf8_lossy(last)).map(str::to_owned)
    }
}

fn append(ring: &mut VecDeque<u8>, bytes: &[u8], limit: usize) {
    let bytes = &bytes[bytes.len().saturating_sub(limit)..];
    let excess = (ring.len() + bytes.len()).saturating_sub(limit);
    ring.drain(..excess);
    ring.extend(bytes);
}

fn copy(ring: &VecDeque<u8>) -> Vec<u8> {
    let (front, back) = ring.as_slices();
    [front, back].concat()
}

/// The last line that names an error, else the last one that says anything.
///
/// Node ends its report with its own version and puts the stack below the message; the last line tells nothing.
fn telling_line(text: &str) -> Option<&str> {
    let lines = || text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).rev();
    let names_error = |line: &&str| {
        !line.starts_with([' ', '\t'])
            && ["Error", "error:", "Exception", "panicked"].iter().any(|word| line.contains(word))
    };
    lines()
        .find(names_error)
        .or_else(|| lines().find(|line| !line.starts_with("Node.js v")))
        .map(|line| truncate(line.trim_start(), 300))
}

fn truncate(line: &str, bytes: usize) -> &str {
    &line[..line.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::{ALL_BYTES, Tail, telling_line};

    #[test]
    fn the_last_of_both_streams_is_kept_in_order() {
        let tail = Tail::default();
        tail.push(Stream::Out, b"first ");
        for _ in 0..100 {
            tail.push(Stream::Out, &[b'x'; 1000]);
        }
        tail.push(Stream::Err, b"oops");
        tail.push(Stream::Out, b" last");
        let contents = tail.contents();
        assert_eq!(contents.len(), ALL_BYTES);
        assert!(contents.ends_with(b"xxoops last"));
        tail.push(Stream::Out, &[b'y'; 3 * ALL_BYTES]);
        assert_eq!(tail.contents(), [b'y'; ALL_BYTES]);
        assert_eq!(tail.complaint().as_deref(), Some("oops"));
        assert_eq!(tail.errors(), b"oops");
    }

    #[test]
    fn the_line_that_tells_most_is_found() {
        let node =
            "/app/x.js:1\nthrow new Error('no')\n^\n\nError: no\n    at x.js:1:7\n\nNode.js v20.20.2\n";
        for (text, telling) in [
            ("", None),
            ("\n \n", None),
            (node, Some("Error: no")),
            ("Traceback\n  File x\nValueError: bad\n", Some("ValueError: bad")),
            ("sh: 1: nothing: not found\n", Some("sh: 1: nothing: not found")),
            ("one\ntwo", Some("two")),
        ] {
            assert_eq!(telling_line(text), telling, "{text}");
        }
    }
}
