//! Reads one output of a worker until its end, whatever comes, and never waits for anybody but the worker.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::unix::pipe;

use super::Stream;
use super::console::Voice;
use super::tail::Tail;

/// What a pipe holds at most on Linux unless enlarged: one read empties it.
const BLOCK_BYTES: usize = 64 * 1024;

thread_local! {
    /// Shared by all workers of the thread: it is used only between two awaits.
    static BLOCK: std::cell::RefCell<Box<[u8]>> = std::cell::RefCell::new(vec![0; BLOCK_BYTES].into_boxed_slice());
}

/// Reads the pipe until everybody who can write to it has closed it.
///
/// # Errors
/// If the descriptor is no pipe, or the kernel fails to read it.
pub(crate) async fn capture(
    pipe: OwnedFd,
    stream: Stream,
    tail: Arc<Tail>,
    mut voice: Voice,
) -> io::Result<()> {
    let pipe = pipe::Receiver::from_owned_fd(pipe)?;
    loop {
        pipe.readable().await?;
        let read: io::Result<usize> = BLOCK.with_borrow_mut(|block| {
            let read = pipe.try_read(block)?;
            tail.push(stream, &block[..read]);
            voice.write(&block[..read]);
            Ok(read)
        });
        match read {
            Ok(0) => {
                voice.finish();
                return Ok(());
            }
            // A worker that floods must not keep the others from being tended.
            Ok(_) => tokio::task::yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
