//! Puts the bytes of one stream, or of both, into files, one after the other; what cannot be written is counted, and its place marked.
//!
//! Blocks on the disk: for blocking threads only.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::directory::{Directories, Directory, now_ms};
use super::name::LogName;
use super::{LogNaming, LogPlan, Stream};

pub(crate) struct Writer {
    directory: Arc<Directory>,
    plan: LogPlan,
    /// The name of the next file: due at the start, then whenever one is full.
    next: LogName,
    open: Option<Open>,
    /// Bytes that are missing where the writer stands; not marked in a file yet.
    gap: u64,
    lost: u64,
}

/// The file that is being written.
struct Open {
    file: File,
    name: LogName,
    bytes: u64,
    ends_line: bool,
}

impl Directories {
    /// A writer for one stream of the worker with this pid, which has just been started, or for both of them if the plan
    /// has one file for both.
    pub(crate) fn writer(&self, plan: &LogPlan, pid: u32, stream: Stream) -> Writer {
        let directory = self.get(&plan.directory);
        let next = directory.first_name(&plan.naming, pid, stream);
        Writer { directory, plan: plan.clone(), next, open: None, gap: 0, lost: 0 }
    }
}

impl Writer {
    /// What is to be done before the first byte: a folder that cannot be used is found out early.
    pub(super) fn prepare(&mut self) {
        if let Err(error) = self.directory.prepare(&self.plan) {
            self.complain(&error);
        }
    }

    /// Writes `bytes`, behind which `dropped` more were lost; how many are lost altogether.
    pub(super) fn write(&mut self, bytes: &[u8], dropped: u64) -> u64 {
        let before = self.lost;
        let mut is_new = false;
        let mut left = bytes;
        let written = self.try_write(&mut left, &mut is_new);
        self.lose(left.len() as u64 + dropped);
        let written = written.and_then(|()| self.mark_gap(&mut is_new));
        if let Err(error) = written {
            self.complain(&error);
        }
        if is_new
            && self.plan.has_index()
            && let Err(error) = self.directory.list()
        {
            self.directory.complain("the list of logs cannot be written to", &self.plan.directory, &error);
        }
        self.lost - before
    }

    /// Takes from `left` what has been written.
    fn try_write(&mut self, left: &mut &[u8], is_new: &mut bool) -> io::Result<()> {
        self.mark_gap(is_new)?;
        while !left.is_empty() {
            let max_bytes = self.plan.max_file_bytes;
            let open = self.file(is_new)?;
            let piece = until_full(left, max_bytes.saturating_sub(open.bytes));
            let written = match open.file.write(piece) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            open.bytes += written as u64;
            open.ends_line = left[written - 1] == b'\n';
            *left = &left[written..];
        }
        Ok(())
    }

    /// Says in the file how many bytes are missing, on a line of its own.
    fn mark_gap(&mut self, is_new: &mut bool) -> io::Result<()> {
        if self.gap == 0 {
            return Ok(());
        }
        let gap = self.gap;
        let open = self.file(is_new)?;
        let line_end = if open.ends_line { "" } else { "\n" };
        let line = format!("{line_end}[ostler: {gap} bytes are missing here]\n");
        open.file.write_all(line.as_bytes())?;
        open.bytes += line.len() as u64;
        open.ends_line = true;
        self.gap = 0;
        Ok(())
    }

    /// The file to write to; another if that is full, or has been deleted.
    fn file(&mut self, is_new: &mut bool) -> io::Result<&mut Open> {
        let is_full = |open: &Open| open.bytes > self.plan.max_file_bytes;
        let is_deleted = |open: &Open| open.file.metadata().is_ok_and(|about| about.nlink() == 0);
        if let Some(open) = self.open.take_if(|open| is_full(open) || is_deleted(open)) {
            self.directory.release(&open.name);
            self.next = open.name.following(now_ms());
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let (file, name) = self.directory.create(&self.plan, self.next.clone())?;
                *is_new = true;
                Open { file, name, bytes: 0, ends_line: true }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Names the file where a person knows its name beforehand.
    fn complain(&self, error: &io::Error) {
        let place = match self.plan.naming {
            LogNaming::Iisnode => self.plan.directory.clone(),
            LogNaming::Stem { .. } => self.directory.path_of(&self.next),
        };
        self.directory.complain("logs cannot be written to", &place, error);
    }

    fn lose(&mut self, bytes: u64) {
        self.gap += bytes;
        self.lost += bytes;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.directory.release(&open.name);
        }
        if self.lost > 0 {
            self.directory.report_loss(self.next.pid, self.next.content(), self.lost);
        }
    }
}

/// As much of `bytes` as makes a file full that has `room` left: it is full when a line has gone beyond that.
fn until_full(bytes: &[u8], room: u64) -> &[u8] {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    match bytes.get(room..).and_then(|beyond| memchr::memchr(b'\n', beyond)) {
        Some(end) => &bytes[..room + end + 1],
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::until_full;

    #[test]
    fn a_file_is_full_behind_the_line_that_goes_beyond_its_limit() {
        for (bytes, room, piece) in [
            ("one\ntwo\nthree\n", 0, "one\n"),
            ("one\ntwo\nthree\n", 3, "one\n"),
            ("one\ntwo\nthree\n", 4, "one\ntwo\n"),
            ("one\ntwo\nthree\n", 14, "one\ntwo\nthree\n"),
            ("one\ntwo\nthree", 9, "one\ntwo\nthree"),
            ("one", 100, "one"),
        ] {
            assert_eq!(until_full(bytes.as_bytes(), room), piece.as_bytes(), "{bytes:?} {room}");
        }
    }
}
