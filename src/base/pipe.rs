//! A kernel pipe through which a large body goes from one socket to another without a copy into this process.
//!
//! Measured: a third of the CPU of a 10 MB download. A larger pipe than the usual 64 KiB changed nothing.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::pipe::{PipeFlags, pipe_with};

/// Beyond these, pipes are closed: each costs two descriptors.
const KEPT: usize = 16;
/// Bodies beyond these are copied: the kernel gives a user's later pipes less room, and descriptors are for connections.
const MOST_IN_USE: usize = 64;

/// The pipes of one core.
#[derive(Default)]
pub(crate) struct Pipes {
    /// Empty and open, for the next body.
    kept: RefCell<Vec<Ends>>,
    in_use: Cell<usize>,
}

struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

pub(crate) struct Pipe {
    /// There until drop.
    ends: Option<Ends>,
    /// Bytes in it.
    held: usize,
    home: Rc<Pipes>,
}

impl Pipes {
    /// An empty pipe.
    ///
    /// # Errors
    /// There are enough, or no descriptors left; bodies can be copied all the same.
    pub(crate) fn open(self: &Rc<Self>) -> io::Result<Pipe> {
        if self.in_use.get() >= MOST_IN_USE {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let kept = self.kept.borrow_mut().pop();
        let ends = match kept {
            Some(ends) => ends,
            None => {
                let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
                Ends { read, write }
            }
        };
        self.in_use.set(self.in_use.get() + 1);
        Ok(Pipe { ends: Some(ends), held: 0, home: self.clone() })
    }
}

impl Pipe {
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    pub(super) fn fill(
        &mut self,
        splice: impl FnOnce(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> rustix::io::Result<usize> {
        let n = self.ends.as_ref().map_or(Ok(0), |ends| splice(&ends.write))?;
        self.held += n;
        Ok(n)
    }

    pub(super) fn empty(
        &mut self,
        splice: impl FnOnce(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> rustix::io::Result<usize> {
        let n = self.ends.as_ref().map_or(Ok(0), |ends| splice(&ends.read))?;
        self.held -= n.min(self.held);
        Ok(n)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.home.in_use.set(self.home.in_use.get() - 1);
        let mut kept = self.home.kept.borrow_mut();
        // One that still holds bytes must never meet another body.
        if self.held == 0
            && kept.len() < KEPT
            && let Some(ends) = self.ends.take()
        {
            kept.push(ends);
        }
    }
}
