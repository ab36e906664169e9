//! The body of a request, kept until its end is known: in memory as long as it is small, then in a file without a name.

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{Mode, OFlags, open};

const IN_MEMORY_BYTES: usize = 64 * 1024;
/// How often a name that is taken is tried again; somebody would have to guess them all.
const MOST_NAMES: usize = 8;

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

impl Spool {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Spool::Memory(bytes) => bytes.len() as u64,
            Spool::File { length, .. } => *length,
        }
    }

    /// Appends; to a file as soon as it is more than 64 KiB.
    ///
    /// # Errors
    /// The folder for temporary files takes no file, or no more.
    pub(crate) fn put(&mut self, more: &[u8]) -> io::Result<()> {
        match self {
            Spool::Memory(bytes) if bytes.len() + more.len() <= IN_MEMORY_BYTES => {
                bytes.extend_from_slice(more);
            }
            Spool::Memory(bytes) => {
                let mut file = nameless()?;
                file.write_all(bytes)?;
                file.write_all(more)?;
                *self = Spool::File { file, length: (bytes.len() + more.len()) as u64 };
            }
            Spool::File { file, length } => {
                file.write_all(more)?;
                *length += more.len() as u64;
            }
        }
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
        let Spool::File { file, .. } = spool else { panic!("it is still in memory") };
        let mut whole = vec![0; IN_MEMORY_BYTES + 10];
        file.read_exact_at(&mut whole, 0).unwrap();
        let expected = [&[1; 10][..], &vec![2; IN_MEMORY_BYTES - 10], &[3; 5], &[4; 5]].concat();
        assert!(whole == expected);
    }
}
