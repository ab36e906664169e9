//! An address the host listens on, once for each core.
//!
//! TCP listeners share their port by `SO_REUSEPORT`, so that cores accept without meeting; a Unix socket is one queue
//! that all cores accept from. Running out of descriptors pauses accepting: it never spins and never ends the core.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::places::Places;
use super::spread::{Arrival, Spread};
use crate::base::address::Address;
use crate::upstream::connections::is_exhaustion;

/// The kernel lowers it to its own limit.
const BACKLOG: i32 = 4096;
/// How long accepting pauses when descriptors have run out and none of ours has been closed.
const PAUSE: Duration = Duration::from_millis(100);

/// Bound, listening and non-blocking, not yet part of a runtime, so that a core can take it along.
pub(crate) struct Listener(OwnedFd);

/// A Unix socket's file, removed when the host ends.
pub(crate) struct SocketFile(PathBuf);

/// One address for all cores.
pub(crate) struct Bound {
    /// As bound: with the port the system chose, if 0 was asked for.
    pub(crate) address: Address,
    pub(crate) per_core: Vec<Listener>,
    pub(crate) _file: Option<SocketFile>,
}

/// Listens on `address` with one listener for each of `cores`.
///
/// # Errors
/// The system's, unchanged: in use, not permitted, not available.
pub(crate) fn bind(address: &Address, cores: usize) -> io::Result<Bound> {
    match address {
        Address::Tcp(address) => bind_tcp(*address, cores),
        Address::Unix(path) => bind_unix(path, cores),
    }
}

fn bind_tcp(wished: SocketAddr, cores: usize) -> io::Result<Bound> {
    // Without SO_REUSEPORT first: with it, a second host would share the port of the first without a word.
    let probe = tcp_socket(wished, false)?;
    let address = probe.local_addr()?.as_socket().unwrap_or(wished);
    if cores == 1 {
        probe.listen(BACKLOG)?;
        return Ok(Bound {
            address: Address::Tcp(address),
            per_core: vec![Listener(probe.into())],
            _file: None,
        });
    }
    drop(probe);
    let mut per_core = Vec::with_capacity(cores);
    for _ in 0..cores {
        let socket = tcp_socket(address, true)?;
        socket.listen(BACKLOG)?;
        per_core.push(Listener(socket.into()));
    }
    Ok(Bound { address: Address::Tcp(address), per_core, _file: None })
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted sockets inherit it, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn bind_unix(path: &Path, cores: usize) -> io::Result<Bound> {
    remove_stale(path)?;
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let mut per_core = Vec::with_capacity(cores);
    for _ in 0..cores {
        per_core.push(Listener(listener.try_clone()?.into()));
    }
    Ok(Bound { address: Address::Unix(path.to_owned()), per_core, _file: Some(SocketFile(path.to_owned())) })
}

/// Removes a socket nobody listens on any more; anything else that has the name stays and is in use.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found)
            if found.file_type().is_socket() && std::os::unix::net::UnixStream::connect(path).is_err() =>
        {
            std::fs::remove_file(path)
        }
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(_) => Ok(()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it is gone already, that is what we wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Accepts until dropped, and hands each connection to the core that is to serve it.
    pub(super) async fn accept_for_ever(
        self,
        core: usize,
        places: &Arc<Places>,
        spread: &Arc<Spread>,
        start: impl Fn(Arrival),
    ) {
        #[expect(
            deprecated,
            reason = "what it cannot check, that the descriptor stays, an OwnedFd guarantees"
        )]
        let listening = match AsyncFd::with_interest(self.0, Interest::READABLE) {
            Ok(listening) => listening,
            Err(error) => return tracing::error!(%error, "a listener could not be registered"),
        };
        let mut starved = false;
        loop {
            match accept(&listening).await {
                Ok((socket, there)) => {
                    let ip = there.map(|there| there.ip());
                    starved = false;
                    let Some(place) = places.take(ip).await else {
                        tracing::debug!(?ip, "a client has too many connections");
                        continue;
                    };
                    if let Some(arrival) = spread.place(core, socket, there, place) {
                        start(arrival);
                    }
                }
                Err(error) if is_exhaustion(&error) => {
                    if !std::mem::replace(&mut starved, true) {
                        tracing::warn!(%error, "accepting pauses; raise the limit of open files or lower `connections`");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                // The connection was gone before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(%error, "accepting fails");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// The next connection, and the address of its client if that has one.
async fn accept(listening: &AsyncFd<OwnedFd>) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    loop {
        let mut ready = listening.readable().await?;
        match acceptfrom_with(ready.get_inner(), flags) {
            Ok((socket, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                return Ok((socket, peer));
            }
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
}
