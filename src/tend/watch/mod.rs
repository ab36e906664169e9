//! Watches directories for the control plane and says when to look where; what a change is, fingerprints decide.
//!
//! The order that makes "a request after the write sees the new version" true: [`Watch::next`] raises the sentinel and
//! then reads events; its caller compares fingerprints and publishes; then it drops the [`Changes`], which lowers the
//! sentinel. Whoever wants a fingerprint to start from watches the directories first.

pub(crate) mod fingerprint;
pub(crate) mod list;
mod places;
mod poll;
pub(crate) mod stamps;
mod trust;

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use self::places::{Found, Places};
use self::poll::Poll;
pub(crate) use crate::base::sentinel::Role;
use crate::base::sentinel::{Evaluating, Sentinel};

/// Finds what events do not tell: replaced directories above, writers who never close, mapped files.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Polling compares whole seconds; a second write in the same one shows to whoever looks when it is over.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(1100);

/// How changes in a directory become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Before the next request.
    Events,
    /// Within the interval: a network file system, or no watches left.
    Polling,
}

#[derive(Debug)]
pub(crate) struct Watch {
    sentinel: Arc<Sentinel>,
    places: Places,
    /// None where there are no events at all.
    events: Option<AsyncFd<Descriptor>>,
    /// More may wait than was read; nobody will wake us for it.
    has_more: bool,
    next_sweep: Instant,
}

/// Where to look. While this lives requests wait: drop it when all that follows is published.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Files, and directories that came, went or were replaced, by the paths they are watched by.
    pub(crate) paths: Vec<PathBuf>,
    /// Events were lost: look everywhere.
    pub(crate) overflow: bool,
    /// The slow sweep: look everywhere, even if no path is named.
    pub(crate) sweep: bool,
    #[expect(dead_code, reason = "held until everything that follows from the changes is published")]
    pub(crate) guard: Evaluating,
}

impl Changes {
    /// True if everything must be looked at, whatever the paths say.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.overflow || self.sweep
    }
}

enum Woken {
    Events,
    Polled,
    Sweep,
}

impl Watch {
    /// Must be called in the runtime that will call [`Watch::next`].
    pub(crate) fn new(sentinel: Arc<Sentinel>, poll_interval: Duration) -> io::Result<Watch> {
        let descriptor = sentinel.descriptor().map(|_| Descriptor(sentinel.clone()));
        #[expect(
            deprecated,
            reason = "the descriptor is the sentinel's for good, which is what the new form wants sworn"
        )]
        let events = match descriptor {
            Some(descriptor) => Some(AsyncFd::with_interest(descriptor, Interest::READABLE)?),
            None => None,
        };
        let places = Places::new(sentinel.clone(), Poll::new(sentinel.clone(), poll_interval));
        let next_sweep = Instant::now() + SWEEP_EVERY;
        Ok(Watch { sentinel, places, events, has_more: false, next_sweep })
    }

    /// Watches one directory, also if it does not exist yet. Its path must be absolute and free of `.` and `..`.
    ///
    /// Asking again adds; directories made in it are told of, not watched.
    pub(crate) fn directory(&mut self, directory: &Path, role: Role) -> Trust {
        self.places.want(directory, role, false)
    }

    /// Watches a directory and all below it, now and later. Links are not followed.
    pub(crate) fn tree(&mut self, directory: &Path, role: Role) -> Trust {
        self.places.want(directory, role, true)
    }

    /// Forgets every directory asked for that is not in `keep`.
    pub(crate) fn retain(&mut self, keep: &HashSet<PathBuf>) {
        self.places.retain(|path| keep.contains(path));
    }

    /// Waits until there is something to look at. May be dropped at any await without losing anything.
    pub(crate) async fn next(&mut self) -> Changes {
        loop {
            let changes = match self.woken().await {
                Woken::Events => self.read_events(),
                Woken::Polled => self.fetch_polled(),
                Woken::Sweep => Some(self.sweep()),
            };
            if let Some(changes) = changes {
                return changes;
            }
        }
    }

    async fn woken(&mut self) -> Woken {
        if self.places.poll.has_missing() {
            self.sweep_within(self.places.poll.interval());
        }
        if self.has_more {
            return Woken::Events;
        }
        let readable = async {
            match &self.events {
                // Cleared before reading: what comes later sets it again, what is there is read to the end.
                Some(events) => match events.readable().await {
                    Ok(mut ready) => ready.clear_ready(),
                    // The runtime ends.
                    Err(_) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = readable => Woken::Events,
            () = self.places.poll.arrived() => Woken::Polled,
            () = tokio::time::sleep_until(self.next_sweep) => Woken::Sweep,
        }
    }

    /// None if the events were about nothing that anybody asked for.
    fn read_events(&mut self) -> Option<Changes> {
        let guard = self.sentinel.begin_reading();
        let mut found = Found::default();
        self.has_more = match self.sentinel.read(|event| self.places.note(&event, &mut found)) {
            Ok(has_more) => has_more,
            Err(error) => {
                tracing::warn!("file events cannot be read: {error}");
                found.overflow = true;
                false
            }
        };
        self.places.mend(&mut found);
        (!found.is_empty()).then(|| Changes {
            paths: found.paths.into_iter().collect(),
            overflow: found.overflow,
            sweep: false,
            guard,
        })
    }

    fn fetch_polled(&mut self) -> Option<Changes> {
        let findings = self.places.poll.fetch()?;
        self.sweep_within(LOOK_AGAIN_AFTER);
        Some(Changes {
            paths: findings.paths,
            overflow: findings.overflow,
            sweep: false,
            guard: findings.guard,
        })
    }

    fn sweep(&mut self) -> Changes {
        let guard = self.sentinel.raise();
        self.next_sweep = Instant::now() + SWEEP_EVERY;
        let mut found = Found::default();
        self.places.sweep(&mut found);
        Changes { paths: found.paths.into_iter().collect(), overflow: found.overflow, sweep: true, guard }
    }

    fn sweep_within(&mut self, time: Duration) {
        self.next_sweep = self.next_sweep.min(Instant::now() + time);
    }
}

/// The sentinel's descriptor, kept open as long as somebody waits on it.
#[derive(Debug)]
struct Descriptor(Arc<Sentinel>);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor().map_or(-1, |events| events.as_raw_fd())
    }
}

#[cfg(test)]
mod tests;
