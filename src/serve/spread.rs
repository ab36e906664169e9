//! How connections are spread over the cores.
//!
//! The kernel gives a new connection to a core by a hash of its addresses, which with few, long-lived connections is
//! uneven: a core with twice the connections has twice the latency. So a core that has clearly more than another hands
//! the newcomer on. Each connection moves at most once, before its first byte is read.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::places::Place;
use crate::base::padded::Padded;
use crate::base::stream::Stream;
use crate::exchange::Peer;

/// The inboxes of all cores, and how many connections each has.
pub(crate) struct Spread {
    loads: Vec<Padded<AtomicUsize>>,
    inboxes: Vec<mpsc::UnboundedSender<Arrival>>,
}

/// Where a core receives connections handed on to it. Bounded by the limit of connections.
pub(crate) struct Inbox(mpsc::UnboundedReceiver<Arrival>);

/// A connection just accepted, not yet part of a runtime.
pub(crate) struct Arrival {
    socket: OwnedFd,
    there: Option<SocketAddr>,
    guard: Guard,
}

/// What a connection holds as long as it lives.
pub(crate) struct Guard {
    _place: Place,
    core: usize,
    spread: std::sync::Arc<Spread>,
}

impl Spread {
    pub(crate) fn new(cores: usize) -> (Spread, Vec<Inbox>) {
        let (inboxes, receivers) =
            (0..cores).map(|_| mpsc::unbounded_channel()).unzip::<_, _, Vec<_>, Vec<_>>();
        let loads = (0..cores).map(|_| Padded(AtomicUsize::new(0))).collect();
        (Spread { loads, inboxes }, receivers.into_iter().map(Inbox).collect())
    }

    /// The core that should serve a connection which arrived at core `here`.
    fn choose(&self, here: usize) -> usize {
        let load = |core: usize| self.loads[core].load(Ordering::Relaxed);
        let least = (0..self.loads.len()).min_by_key(|&core| load(core)).unwrap_or(here);
        // Handing on costs about as much as accepting, so a small difference stays.
        if load(here) > load(least) + 1 + load(least) / 16 { least } else { here }
    }

    /// Counts a new connection on the core that is to serve it, and hands it on unless that is core `here`.
    pub(super) fn place(
        self: &std::sync::Arc<Self>,
        here: usize,
        socket: OwnedFd,
        there: Option<SocketAddr>,
        place: Place,
    ) -> Option<Arrival> {
        let core = self.choose(here);
        self.loads[core].fetch_add(1, Ordering::Relaxed);
        let guard = Guard { _place: place, core, spread: self.clone() };
        let arrival = Arrival { socket, there, guard };
        if core == here {
            return Some(arrival);
        }
        // A core that has ended takes nothing more, and neither will we in a moment.
        let _ = self.inboxes[core].send(arrival);
        None
    }
}

impl Inbox {
    pub(super) async fn next(&mut self) -> Option<Arrival> {
        self.0.recv().await
    }
}

impl Arrival {
    pub(super) fn into_stream(self) -> io::Result<(Stream, Peer, Guard)> {
        // Where a client reached us tells whether it is this machine, and the port it used.
        let here = self.there.and_then(|_| local_end(&self.socket));
        Ok((Stream::new(self.socket)?, Peer::new(self.there, here), self.guard))
    }
}

fn local_end(socket: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(rustix::net::getsockname(socket).ok()?).ok()
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.spread.loads[self.core].fetch_sub(1, Ordering::Relaxed);
    }
}
