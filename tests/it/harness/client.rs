//! A client that says exactly what it is told, and reads the answers strictly.

use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};

use super::{Host, Message, Wire};

/// A raw TCP connection to a host.
pub(crate) struct RawClient {
    wire: Wire,
}

impl RawClient {
    #[track_caller]
    pub(crate) fn connect(host: &Host) -> RawClient {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], host.port()))).unwrap();
        stream.set_nodelay(true).unwrap();
        RawClient { wire: Wire::new(stream) }
    }

    /// Sends a GET and reads the answer; the connection stays open.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Message {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.read_response("GET")
    }
}

impl Deref for RawClient {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for RawClient {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
