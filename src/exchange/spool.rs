//! Bytes that are kept, of a request until its end is known, of a response until its client takes them: in memory as long
//! as they are few, then in a file without a name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags, open};

const IN_MEMORY_BYTES: usize = 64 * 1024;
/// How often a name that is taken is tried again; somebody would have to guess them all.
const MOST_NAMES: usize = 8;

/// What all of them hold together.
static HELD_BYTES: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) enum Spool {
    Memory(Vec<u8>),
    File { file: File, length: u64 },
}

impl Default for Spool {
    fn default() -> Spool {
        Spool::Memory(Vec::new())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.length(), Ordering::Relaxed);
    }
}

impl Spool {
    /// The bytes that all spools of the host hold, in memory and in files.
    pub(crate) fn held_bytes() -> u64 {
        HELD_BYTES.load(Ordering::Relaxed)
    }

    pub(crate) fn length(&self) -> u64 {
        match self {
            Spool::Memory(bytes) => bytes.len() as u64,
            Spool::File { length, .. } => *length,
        }
    }

    /// Reads into `room` what is there from `at` on; 0 at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Spool::Memory(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let read = rest.len().min(room.len());
                room[..read].copy_from_slice(&rest[..read]);
                Ok(read)
            }
            Spool::File { file, length } => {
                // Behind it may be some of what could not be put there as a whole.
                let left = usize::try_from(length.saturating_sub(at)).unwrap_or(usize::MAX);
                let most = room.len().min(left);
                file.read_at(&mut room[..most], at)
            }
        }
    }

    /// Appends; to a file as soon as it is more than 64 KiB.
    ///
    /// # Errors
    /// The folder for temporary files takes no file, or no more.
    pub(crate) fn put(&mut self, more: &[u8]) -> io::Result<()> {
        let before = self.length();
        match self {
            Spool::Memory(bytes) if bytes.len() + more.len() <= IN_MEMORY_BYTES => {
                bytes.extend_from_slice(more);
            }
            Spool::Memory(bytes) => {
                let file = nameless()?;
                file.write_all_at(bytes, 0)?;
                file.write_all_at(more, before)?;
                let length = (bytes.len() + more.len()) as u64;
                // What is dropped with the memory is held by the file.
                HELD_BYTES.fetch_add(before, Ordering::Relaxed);
                *self = Spool::File { file, length };
            }
            Spool::File { file, length } => {
                // At its place: of what failed before, some may be there.
                file.write_all_at(more, *length)?;
                *length += more.len() as u64;
            }
        }
        HELD_BYTES.fetch_add(self.length() - before, Ordering::Relaxed);
        Ok(())
    }
}

/// A file that is gone when it is closed, however the host ends.
fn nameless() -> io::Result<File> {
    let folder = std::env::temp_dir();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = open(&folder, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(file.into());
    }
    // Not every file system can; there the name lasts for a moment.
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..MOST_NAMES {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = folder.join(format!("ostler-{:032x}", u128::from_ne_bytes(random)));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        match open(&path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file.into());
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::{IN_MEMORY_BYTES, Spool};

    #[test]
    fn what_is_more_than_fits_memory_goes_to_a_file_in_order() {
        let mut spool = Spool::default();
        spool.put(&[1; 10]).unwrap();
        spool.put(&vec![2; IN_MEMORY_BYTES - 10]).unwrap();
        assert!(matches!(&spool, Spool::Memory(bytes) if bytes.len() == IN_MEMORY_BYTES));
        spool.put(&[3; 5]).unwrap();
        spool.put(&[4; 5]).unwrap();
        assert_eq!(spool.length(), IN_MEMORY_BYTES as u64 + 10);
        let Spool::File { file, .. } = &spool else { panic!("it is still in memory") };
        let mut whole = vec![0; IN_MEMORY_BYTES + 10];
        file.read_exact_at(&mut whole, 0).unwrap();
        let expected = [&[1; 10][..], &vec![2; IN_MEMORY_BYTES - 10], &[3; 5], &[4; 5]].concat();
        assert!(whole == expected);
    }

    /// As a disk leaves it that was full in the middle of a write.
    #[test]
    fn what_was_written_in_part_is_never_read() {
        let mut spool = Spool::default();
        spool.put(&vec![1; IN_MEMORY_BYTES + 10]).unwrap();
        let before = spool.length();
        let Spool::File { file, .. } = &spool else { panic!("it is still in memory") };
        file.write_all_at(&[9; 100], before).unwrap();
        let mut room = [0; 1000];
        assert_eq!(spool.read_at(before - 3, &mut room).unwrap(), 3);
        assert_eq!(spool.read_at(before, &mut room).unwrap(), 0);
        spool.put(&[2; 5]).unwrap();
        assert_eq!(spool.read_at(before, &mut room).unwrap(), 5);
        assert_eq!(room[..5], [2; 5]);
    }
}
