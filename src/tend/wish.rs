//! Workers that ask to be recycled (iisnode 3.7): a socket of their application, on which they write `recycle`.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// iisnode reads no longer messages.
const MAX_MESSAGE_BYTES: u64 = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at a time; more wait in the backlog.
const MOST: usize = 16;

/// Calls `wished` for every worker that asks, for ever.
pub(super) async fn listen(listener: UnixListener, wished: impl Fn() + Clone + Send + 'static) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= MOST {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let wished = wished.clone();
                connections.spawn(async move {
                    if is_wish(stream).await {
                        wished();
                    }
                });
            }
            // Out of descriptors: there will be others.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn is_wish(stream: UnixStream) -> bool {
    let mut message = Vec::new();
    // What came before the end or the deadline counts; a worker need not close.
    let mut limited = stream.take(MAX_MESSAGE_BYTES);
    let read = async {
        let mut block = [0; MAX_MESSAGE_BYTES as usize];
        loop {
            match limited.read(&mut block).await {
                Ok(n) if n > 0 => message.extend_from_slice(&block[..n]),
                _ => return,
            }
            if says_recycle(&message) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await;
    says_recycle(&message)
}

fn says_recycle(message: &[u8]) -> bool {
    message.trim_ascii().eq_ignore_ascii_case(b"recycle")
}
