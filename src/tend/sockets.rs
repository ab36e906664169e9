//! Where workers listen: a private folder of Unix sockets, or loopback TCP ports nobody else was given.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::base::address::MAX_UNIX_PATH_BYTES;

/// How every such folder begins; the keeper removes nothing that is called otherwise.
pub(super) const FOLDER_PREFIX: &str = "ostler-";
/// The longest name a socket gets in its folder: `/`, 20 digits, `.sock`.
const LONGEST_NAME_BYTES: usize = 26;

/// A folder only we can enter, and the ports handed out; removed on drop.
#[derive(Debug)]
pub(crate) struct SocketFolder {
    path: PathBuf,
    next: AtomicU64,
    ports: Mutex<HashSet<u16>>,
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
        Ok(SocketFolder { path, next: AtomicU64::new(0), ports: Mutex::default() })
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

    pub(crate) fn return_port(&self, port: u16) {
        self.ports.lock().remove(&port);
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

    use super::SocketFolder;
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

    #[test]
    fn no_port_is_handed_out_twice() {
        let folder = SocketFolder::create().unwrap();
        let ports = (0..50).map(|_| folder.free_port().unwrap()).collect::<HashSet<_>>();
        assert_eq!(ports.len(), 50);
    }
}
