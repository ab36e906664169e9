//! One byte stream to a client or a worker: TCP or a Unix socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use super::address::Address;

pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) async fn connect(address: &Address) -> io::Result<Stream> {
        match address {
            Address::Unix(path) => Ok(Stream::Unix(UnixStream::connect(path).await?)),
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // When nobody listens, the kernel may pick the port we connect to as the one we connect from, and TCP
                // then connects us with ourselves.
                if stream.local_addr()? == stream.peer_addr()? {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }

    /// Reads into `room`; 0 is the end of the stream. A read that does not fill `room` tells the runtime that nothing
    /// more is there, which saves the system call that would say so.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        match self {
            Stream::Tcp(stream) => ready!(Pin::new(stream).poll_read(cx, &mut room))?,
            Stream::Unix(stream) => ready!(Pin::new(stream).poll_read(cx, &mut room))?,
        }
        Poll::Ready(Ok(room.filled().len()))
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Ends our half: the other side reads an end of stream, and may go on sending.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Both directions apart, each with a task of its own; closed when both are dropped.
    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Stream::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            Stream::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
        }
    }

    /// Makes the close that follows a reset, so that the other side cannot take what it got for the whole.
    pub(crate) fn reset_on_close(&self) {
        if let Stream::Tcp(stream) = self {
            // A failure leaves an ordinary close, which is all there is to do.
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
}

pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
}

impl ReadHalf {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        match self {
            ReadHalf::Tcp(half) => ready!(Pin::new(half).poll_read(cx, &mut room))?,
            ReadHalf::Unix(half) => ready!(Pin::new(half).poll_read(cx, &mut room))?,
        }
        Poll::Ready(Ok(room.filled().len()))
    }
}

impl WriteHalf {
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            WriteHalf::Tcp(half) => Pin::new(half).poll_write(cx, bytes),
            WriteHalf::Unix(half) => Pin::new(half).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            WriteHalf::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            WriteHalf::Unix(half) => Pin::new(half).poll_shutdown(cx),
        }
    }
}
