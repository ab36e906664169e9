//! One byte stream to a client or a worker: a TCP or a Unix socket, on the runtime's readiness and on bare system calls.
//!
//! Each call here is one system call, or none when the runtime knows that the socket is not ready. The calls go past
//! libc, whose wrappers check for thread cancellation every time; that was 3 % of a small request.

use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::fs::sendfile;
use rustix::net::sockopt::{set_socket_linger, set_socket_send_buffer_size, set_tcp_nodelay, socket_error};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect,
    getpeername, getsockname, recv, send, shutdown, socket_with,
};
use rustix::pipe::{SpliceFlags, splice};
use tokio::io::unix::AsyncFd;

use super::address::Address;
use super::pipe::Pipe;

pub(crate) struct Stream {
    socket: AsyncFd<OwnedFd>,
    /// Not read from, or not written to, yet: then a try is cheaper than to wait for the runtime to say that it would
    /// succeed.
    unread: Cell<bool>,
    unwritten: Cell<bool>,
    /// Connected by us to a Unix socket.
    to_unix_socket: bool,
}

/// The direction towards us; for a task of its own.
pub(crate) struct ReadHalf(Rc<Stream>);

/// The direction away from us; for a task of its own.
pub(crate) struct WriteHalf(Rc<Stream>);

impl Stream {
    /// A connected, non-blocking socket, from here on in the care of this thread's runtime.
    #[expect(
        deprecated,
        reason = "what the constructor cannot check, that the descriptor stays, an OwnedFd guarantees"
    )]
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Stream> {
        let (unread, unwritten) = (Cell::new(true), Cell::new(true));
        Ok(Stream { socket: AsyncFd::new(socket)?, unread, unwritten, to_unix_socket: false })
    }

    pub(crate) async fn connect(address: &Address) -> io::Result<Stream> {
        let family = match address {
            Address::Unix(_) => AddressFamily::UNIX,
            Address::Tcp(address) if address.is_ipv4() => AddressFamily::INET,
            Address::Tcp(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        let begun = match address {
            Address::Unix(path) => connect(&socket, &SocketAddrUnix::new(path.as_path())?),
            Address::Tcp(address) => connect(&socket, address),
        };
        match begun {
            Ok(()) => {}
            Err(rustix::io::Errno::INPROGRESS) => return Stream::connected(socket).await,
            Err(error) => return Err(error.into()),
        }
        let to_unix_socket = matches!(address, Address::Unix(_));
        Ok(Stream { to_unix_socket, ..Stream::new(socket)? })
    }

    /// Waits for the outcome of a connection under way; TCP only.
    async fn connected(socket: OwnedFd) -> io::Result<Stream> {
        let stream = Stream::new(socket)?;
        stream.socket.writable().await?.retain_ready();
        let socket = stream.socket.get_ref();
        socket_error(socket)??;
        // When nobody listens, the kernel may pick the port we connect to as the one we connect from, and TCP then
        // connects us with ourselves.
        if Some(getsockname(socket)?) == getpeername(socket)? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        set_tcp_nodelay(socket, true)?;
        Ok(stream)
    }

    /// Reads into `room`; 0 is the end of the stream. A read that does not fill `room` means that nothing more is
    /// there, which saves the call that would say so.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let wanted = room.len();
        if self.unread.take()
            && let Ok((n, _)) = recv(self.socket.get_ref(), &mut *room, RecvFlags::empty())
        {
            return Poll::Ready(Ok(n));
        }
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            match recv(ready.get_inner(), &mut *room, RecvFlags::empty()) {
                Ok((n, _)) => {
                    if 0 < n && n < wanted {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unwritten.take()
            && let Ok(n) = send(self.socket.get_ref(), bytes, SendFlags::NOSIGNAL)
        {
            return Poll::Ready(Ok(n));
        }
        loop {
            let mut ready = ready!(self.socket.poll_write_ready(cx))?;
            match send(ready.get_inner(), bytes, SendFlags::NOSIGNAL) {
                Ok(n) => {
                    if n < bytes.len() {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Sends so few bytes that the socket takes them at once, and waits until the other side of a Unix socket has read them, or
    /// has closed.
    pub(crate) async fn send_and_see_read(&self, bytes: &[u8]) -> io::Result<()> {
        // That there was room is known already; what is to come is news.
        self.socket.writable().await?.clear_ready();
        if send(self.socket.get_ref(), bytes, SendFlags::NOSIGNAL)? < bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        // The kernel tells of room whenever some comes back.
        self.socket.writable().await?.retain_ready();
        Ok(())
    }

    /// Moves up to `most` bytes into an empty pipe; 0 is the end of the stream.
    pub(crate) fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            let socket = ready.get_inner();
            match pipe.fill(|end| splice(socket, None, end, None, most, SpliceFlags::NONBLOCK)) {
                Ok(n) => return Poll::Ready(Ok(n)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Moves what the socket takes out of a pipe.
    pub(crate) fn poll_empty(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_write_ready(cx))?;
            let (socket, held) = (ready.get_inner(), pipe.held());
            match pipe.empty(|end| splice(end, None, socket, None, held, SpliceFlags::NONBLOCK)) {
                Ok(n) => return Poll::Ready(Ok(n)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Moves what the socket takes of `most` bytes of a file from `offset` on; 0 is the end of the file.
    pub(crate) fn poll_send_file(
        &self,
        cx: &mut Context<'_>,
        file: BorrowedFd<'_>,
        mut offset: u64,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.socket.poll_write_ready(cx))?;
            // Fewer bytes than asked for may have other reasons than a full socket, so they say nothing of readiness.
            match sendfile(ready.get_inner(), file, Some(&mut offset), most) {
                Ok(n) => return Poll::Ready(Ok(n)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    pub(crate) fn is_to_unix_socket(&self) -> bool {
        self.to_unix_socket
    }

    /// Ends our half: the other side reads an end of stream, and may go on sending.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        Ok(shutdown(self.socket.get_ref(), Shutdown::Write)?)
    }

    /// Reads no more: what the other side of a Unix socket writes from here on fails. Of what we write next to nothing is
    /// taken before that side reads it.
    pub(crate) fn shutdown_reading(&self) -> io::Result<()> {
        // The kernel knows what is the least.
        set_socket_send_buffer_size(self.socket.get_ref(), 1)?;
        Ok(shutdown(self.socket.get_ref(), Shutdown::Read)?)
    }

    /// The socket, in nobody's care any more.
    pub(crate) fn into_socket(self) -> OwnedFd {
        self.socket.into_inner()
    }

    /// Both directions apart; the socket closes when both are dropped.
    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        let stream = Rc::new(self);
        (ReadHalf(stream.clone()), WriteHalf(stream))
    }

    /// Makes the close that follows a reset, so that the other side cannot take what it got for the whole.
    pub(crate) fn reset_on_close(&self) {
        // Unix sockets know no resets; a failure leaves an ordinary close, which is all there is to do.
        let _ = set_socket_linger(self.socket.get_ref(), Some(Duration::ZERO));
    }
}

impl ReadHalf {
    pub(crate) fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_fill(cx, pipe, most)
    }

    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, room)
    }
}

impl WriteHalf {
    pub(crate) fn poll_empty(&self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        self.0.poll_empty(cx, pipe)
    }

    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    pub(crate) fn shutdown(&self) -> io::Result<()> {
        self.0.shutdown()
    }
}
