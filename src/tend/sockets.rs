//! Where workers listen: a private folder of Unix sockets, or loopback TCP ports nobody else was given.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::address::MAX_UNIX_PATH_BYTES;

/// How every such folder begins; the keeper removes nothing that is called otherwise.
pub(super) const FOLDER_PREFIX: &str = "ostler-";
/// The longest name a socket gets in its folder: `/`, 20 digits, `.sock`.
const LONGEST_NAME_BYTES: usize = 26;

/// Ports that are tried before the kernel is asked for one.
const ATTEMPTS: u32 = 64;

/// Ports that the kernel gives to nobody by itself. Between our look at a port and the worker's, any connection of the
/// machine may get one of the others as its own end.
#[derive(Debug)]
struct Quiet {
    least: u16,
    /// How many from there.
    count: u16,
}

impl Quiet {
    const LEAST: u16 = 10_000;
    const FEW: u16 = 1000;

    fn below_ephemeral() -> Quiet {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let first = range.split_ascii_whitespace().next().and_then(|first| first.parse::<u16>().ok());
        Quiet { least: Quiet::LEAST, count: first.unwrap_or(0).saturating_sub(Quiet::LEAST) }
    }

    /// One at random; None where nearly all ports are the kernel's.
    fn port(&self) -> Option<u16> {
        let random = getrandom::u32().ok()?;
        let offset = u16::try_from(random % u32::from(self.count.max(1))).ok()?;
        (self.count >= Quiet::FEW).then(|| self.least + offset)
    }
}

/// A folder only we can enter, and the ports handed out; removed on drop.
#[derive(Debug)]
pub(crate) struct SocketFolder {
    path: PathBuf,
    next: AtomicU64,
    ports: Mutex<HashSet<u16>>,
    /// Rings when a port was given back.
    returned: Notify,
    quiet: Quiet,
}

impl SocketFolder {
    /// Makes the folder in the first place that allows it.
    ///
    /// # Errors
    /// What the last place answered.
    pub(crate) fn create() -> io::Result<SocketFolder> {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        // Where nothing may be written the next one is tried: /run is for root, XDG_RUNTIME_DIR may be read-only.
        let places =
            runtime.into_iter().chain([PathBuf::from("/run"), std::env::temp_dir(), PathBuf::from("/tmp")]);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in places {
            match SocketFolder::create_in(&place) {
                Ok(folder) => return Ok(folder),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn create_in(place: &Path) -> io::Result<SocketFolder> {
        let path = place.join(format!("{FOLDER_PREFIX}{}", random_hex()?));
        if path.as_os_str().len() + LONGEST_NAME_BYTES > MAX_UNIX_PATH_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, "too long for a socket path"));
        }
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(SocketFolder {
            path,
            next: AtomicU64::new(0),
            ports: Mutex::default(),
            returned: Notify::new(),
            quiet: Quiet::below_ephemeral(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path nobody was given before.
    pub(crate) fn socket_path(&self) -> PathBuf {
        self.path.join(format!("{}.sock", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// A loopback port that is free now and that no other worker of this host was given.
    ///
    /// # Errors
    /// If the kernel has no port left.
    pub(crate) fn free_port(&self) -> io::Result<u16> {
        for _ in 0..ATTEMPTS {
            let Some(port) = self.quiet.port() else { break };
            if !self.ports.lock().insert(port) {
                continue;
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
            self.return_port(port);
        }
        // Held until one is found, so that the kernel does not offer the same one again.
        let mut refused = Vec::new();
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            if self.ports.lock().insert(port) {
                return Ok(port);
            }
            refused.push(listener);
        }
    }

    /// This very port, if nobody listens on it.
    ///
    /// # Errors
    /// Who has it, as a whole sentence.
    pub(super) fn claim(&self, port: u16) -> Result<(), String> {
        if !self.ports.lock().insert(port) {
            return Err(format!("TCP port {port}, which is set for this program, is another worker's"));
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
            self.return_port(port);
            match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("another program already listens on TCP port {port}, which is set for this one")
                }
                _ => format!("TCP port {port}, which is set for this program, cannot be used: {error}"),
            }
        })
    }

    pub(crate) fn return_port(&self, port: u16) {
        self.ports.lock().remove(&port);
        self.returned.notify_waiters();
    }

    /// Waits until no worker of ours has this port.
    pub(super) async fn returned(&self, port: u16) {
        loop {
            let rung = self.returned.notified();
            if !self.ports.lock().contains(&port) {
                return;
            }
            rung.await;
        }
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // Best effort: it may be gone already, and the keeper tries again.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// 16 random hexadecimal digits.
pub(super) fn random_hex() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::PermissionsExt;

    use super::{Quiet, SocketFolder};
    use crate::base::address::MAX_UNIX_PATH_BYTES;

    #[test]
    fn the_folder_is_private_and_leaves_with_its_owner() {
        let folder = SocketFolder::create().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let socket = folder.socket_path();
        assert!(socket.as_os_str().len() <= MAX_UNIX_PATH_BYTES);
        assert_ne!(socket, folder.socket_path());
        std::fs::write(&socket, "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_port_that_is_set_is_claimed_once_and_only_while_nobody_has_it() {
        let folder = SocketFolder::create().unwrap();
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let why = folder.claim(port).unwrap_err();
        assert!(why.contains("already listens") && why.contains(&port.to_string()), "{why}");
        drop(stranger);
        folder.claim(port).unwrap();
        let why = folder.claim(port).unwrap_err();
        assert!(why.contains("another worker's"), "{why}");
        let ((), ()) = tokio::join!(folder.returned(port), async { folder.return_port(port) });
        folder.claim(port).unwrap();
    }

    #[test]
    fn ports_lie_where_no_connection_of_others_gets_one_by_itself() {
        for (count, ours) in [(20_000, true), (1000, true), (999, false), (0, false)] {
            let quiet = Quiet { least: 10_000, count };
            for _ in 0..50 {
                let port = quiet.port();
                assert_eq!(port.is_some(), ours);
                assert!(port.is_none_or(|port| (10_000..10_000 + count).contains(&port)), "{port:?}");
            }
        }
    }

    #[test]
    fn no_port_is_handed_out_twice() {
        let folder = SocketFolder::create().unwrap();
        let ports = (0..50).map(|_| folder.free_port().unwrap()).collect::<HashSet<_>>();
        assert_eq!(ports.len(), 50);
    }
}
