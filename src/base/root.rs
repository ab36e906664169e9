//! The root of a site on disk: what lies below it can be found and opened, what lies elsewhere cannot.
//!
//! Held as an open directory; the kernel itself resolves paths beneath it and refuses what leads out: `..`, absolute
//! links, the links of `/proc`. Links that stay inside are followed. On kernels or in containers without `openat2` a
//! path is walked name by name, and no link is followed at all. Who swaps the directory for another opens it anew.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2};
use rustix::io::Errno;

use super::listing::Listings;

/// Beyond it nobody is helped with the letter case of a path.
const MOST_NAMES_SPELLED: usize = 64;
/// The kernel asks to try again when something was renamed while it looked.
const TRIES: usize = 8;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
}

/// The directory below which everything of a site lies.
///
/// Paths are relative to it, with `/` between names and none at either end; `""` is the root itself. Names that are not
/// UTF-8 cannot be reached.
#[derive(Debug)]
pub(crate) struct Root {
    directory: OwnedFd,
    /// Where it is, without links.
    path: PathBuf,
    /// The kernel keeps paths beneath the root; else we walk.
    beneath: bool,
    listings: Listings,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub(crate) struct OpenFile {
    descriptor: OwnedFd,
    stat: Stat,
}

impl Root {
    pub(crate) fn open(path: &Path) -> io::Result<Root> {
        let directory = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = path_of(&directory).unwrap_or_else(|| path.to_owned());
        let mut root = Root { directory, path, beneath: true, listings: Listings::default() };
        root.beneath = root.descriptor("", OFlags::PATH).is_ok();
        Ok(root)
    }

    /// What `path` names, spelled as it is on the disk; None for nothing, for what is neither file nor directory, and
    /// for what may not be reached.
    ///
    /// Names that exist in another case only are found if exactly one does.
    pub(crate) fn find(&self, path: &str) -> Option<(Kind, String)> {
        if !is_plain(path) {
            return None;
        }
        match self.kind(path) {
            Ok(kind) => Some((kind?, path.to_owned())),
            Err(Errno::NOENT) => {
                let spelled = self.spelled(path)?;
                Some((self.kind(&spelled).ok()??, spelled))
            }
            Err(_) => None,
        }
    }

    /// `path` as it is without links, relative to the root; itself if that cannot be found out.
    pub(crate) fn without_links(&self, path: &str) -> String {
        let real = self.descriptor(path, OFlags::PATH).ok().and_then(|descriptor| path_of(&descriptor));
        let inside = real.as_ref().and_then(|real| real.strip_prefix(&self.path).ok()?.to_str());
        inside.unwrap_or(path).to_owned()
    }

    /// Opens a regular file, spelled as [`Root::find`] does.
    ///
    /// # Errors
    /// `NotFound` for everything else that a path may name, and for what may not be reached.
    pub(crate) fn open_file(&self, path: &str) -> io::Result<OpenFile> {
        if !is_plain(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Without blocking, or the open of a pipe would wait for a writer.
        let descriptor = match self.descriptor(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
            Ok(descriptor) => descriptor,
            Err(Errno::XDEV | Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::NAMETOOLONG) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&descriptor)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(OpenFile { descriptor, stat })
    }

    /// What exists under exactly this name.
    fn kind(&self, path: &str) -> Result<Option<Kind>, Errno> {
        let stat = fstat(self.descriptor(path, OFlags::PATH)?)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Some(Kind::File),
            FileType::Directory => Some(Kind::Directory),
            _ => None,
        })
    }

    /// `path` with every name in the case it has on the disk.
    fn spelled(&self, path: &str) -> Option<String> {
        let mut spelled = String::with_capacity(path.len());
        for (index, name) in path.split('/').enumerate() {
            if index == MOST_NAMES_SPELLED {
                return None;
            }
            let open = || self.descriptor(&spelled, OFlags::RDONLY | OFlags::DIRECTORY);
            let names = self.listings.of(&self.directory, &spelled, open)?;
            let name = match names.get() {
                Some(names) => names.spelling(name)?,
                // Too large to look into, so only what is named exactly goes on.
                None => name,
            };
            if !spelled.is_empty() {
                spelled.push('/');
            }
            spelled.push_str(name);
        }
        Some(spelled)
    }

    fn descriptor(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        let flags = flags | OFlags::CLOEXEC;
        if !self.beneath {
            return self.walk(path, flags);
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let mut tried = openat2(&self.directory, path, flags, Mode::empty(), resolve);
        for _ in 1..TRIES {
            if !matches!(tried, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
            tried = openat2(&self.directory, path, flags, Mode::empty(), resolve);
        }
        tried
    }

    /// One name after the other, none of them a link.
    fn walk(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at: Option<OwnedFd> = None;
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for name in above.split('/').filter(|name| !name.is_empty()) {
            let here = at.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
            at = Some(openat(here, name, directory, Mode::empty())?);
        }
        let here = at.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
        openat(here, last, flags | OFlags::NOFOLLOW, Mode::empty())
    }
}

/// Where the kernel says a descriptor leads.
fn path_of(descriptor: &OwnedFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd())).ok()
}

impl OpenFile {
    pub(crate) fn length(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// When its content last changed, in nanoseconds since 1970.
    pub(crate) fn modified_ns(&self) -> i128 {
        i128::from(self.stat.st_mtime) * 1_000_000_000 + self.stat.st_mtime_nsec as i128
    }

    /// Reads from `offset` on; 0 is the end of the file. Blocks for as long as the disk does.
    pub(crate) fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.descriptor, &mut *room, offset) {
                Err(Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

impl AsFd for OpenFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Whether `path` is a sequence of names. The kernel would keep `a/../b` inside as well, but rules that were asked
/// about `a` would have been asked about the wrong thing.
fn is_plain(path: &str) -> bool {
    path.is_empty() || (!path.contains('\0') && path.split('/').all(|name| !matches!(name, "" | "." | "..")))
}

#[cfg(test)]
mod tests;
