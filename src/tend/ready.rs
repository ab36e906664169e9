//! Whether somebody listens, found out by connecting: programs print "listening" before they do.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::place::Place;
use crate::base::address::Address;

/// A Node worker needs 30 ms or more; the first looks are for those that are faster.
const FIRST_PAUSES_MS: [u64; 12] = [1, 2, 3, 5, 5, 5, 5, 5, 5, 10, 10, 10];
const LATER_PAUSE: Duration = Duration::from_millis(25);
/// Loopback answers at once; a server elsewhere may be behind a network that says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// Where a worker may listen that was told this place, likeliest first.
pub(super) fn candidates(place: &Place) -> Vec<Address> {
    match place {
        Place::Socket(path) => vec![Address::Unix(path.clone())],
        // Some programs understand a bare port as `localhost`, and that as ::1.
        Place::Port(port) => vec![
            Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))),
            Address::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, *port))),
        ],
    }
}

/// Waits until one of the addresses accepts a connection, and says which.
pub(super) async fn until_one_answers(candidates: &[Address]) -> Address {
    let mut pauses = FIRST_PAUSES_MS.into_iter().map(Duration::from_millis);
    loop {
        for candidate in candidates {
            if probe(candidate).await.is_ok() {
                return candidate.clone();
            }
        }
        tokio::time::sleep(pauses.next().unwrap_or(LATER_PAUSE)).await;
    }
}

/// Connects once and hangs up.
///
/// # Errors
/// Why nobody can be reached there. A full backlog is no error: somebody listens, and is busy.
pub(super) async fn probe(address: &Address) -> io::Result<()> {
    let connected = tokio::time::timeout(CONNECT_LIMIT, connect(address)).await;
    match connected.map_err(io::Error::from).flatten() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        outcome => outcome,
    }
}

async fn connect(address: &Address) -> io::Result<()> {
    match address {
        Address::Unix(path) => UnixStream::connect(path).await.map(drop),
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            // When nobody listens, the kernel may pick the port we connect to as the port we connect from, and TCP
            // then connects us with ourselves.
            if stream.local_addr()? == stream.peer_addr()? {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::place::Place;
    use super::{candidates, probe, until_one_answers};
    use crate::base::address::Address;

    #[tokio::test]
    async fn a_listener_is_found_on_either_loopback_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Port(listener.local_addr().unwrap().port());
        let answered =
            tokio::time::timeout(Duration::from_secs(10), until_one_answers(&candidates(&place))).await;
        assert_eq!(answered.unwrap(), Address::Tcp(listener.local_addr().unwrap()));
        drop(listener);
        assert!(probe(&candidates(&place)[0]).await.is_err());
    }

    #[tokio::test]
    async fn a_socket_is_found_when_somebody_listens_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("s"));
        let Address::Unix(path) = &address else { unreachable!() };
        assert!(probe(&address).await.is_err(), "there is no file");
        drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        assert!(probe(&address).await.is_err(), "the file is there, the listener gone");
        std::fs::remove_file(path).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        assert!(probe(&address).await.is_ok());
    }
}
