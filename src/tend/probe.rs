//! Small HTTP requests of the host's own to a worker: whether it answers, and that it is to end.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::base::address::Address;
use crate::http1::body::Body;
use crate::http1::response::{Asked, ResponseHead};

/// Of an answer's head, interim answers before it included.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Of an answer's body: it is read so that the worker can finish, not for what it says.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What a body may take beyond its head; the status is known by then.
const BODY_PATIENCE: Duration = Duration::from_millis(500);
const READ_BYTES: usize = 4096;
/// The kernel does not tell when there is room in the backlog of a Unix socket.
const BACKLOG_PAUSE: Duration = Duration::from_millis(25);
/// What a request target cannot hold as it is.
const ENCODED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ').add(b'#');

/// The status of a GET.
///
/// # Errors
/// Why there is none, in a few words that follow "it".
pub(super) async fn get(address: &Address, path: &str, patience: Duration) -> Result<u16, String> {
    const PURPOSE: &str = concat!("User-Agent: ostler/", env!("CARGO_PKG_VERSION"), " health check\r\n");
    ask(address, "GET", path, PURPOSE, patience).await
}

/// The status of the answer to a request without a body; `fields` are lines, each with its CR LF.
///
/// # Errors
/// Why there is none, in a few words that follow "it".
pub(super) async fn ask(
    address: &Address,
    method: &str,
    path: &str,
    fields: &str,
    patience: Duration,
) -> Result<u16, String> {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let target = percent_encoding::utf8_percent_encode(path, ENCODED);
    let request =
        format!("{method} {slash}{target} HTTP/1.1\r\nHost: localhost\r\n{fields}Connection: close\r\n\r\n");
    let answered = async {
        match address {
            Address::Unix(path) => {
                let stream = connect_unix(path).await.map_err(|error| not_connected(&error))?;
                exchange(stream, request.as_bytes()).await
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(|error| not_connected(&error))?;
                // A port nobody listens on may be the one the kernel has us connect from: that is ourselves.
                if stream.local_addr().ok() == stream.peer_addr().ok() {
                    return Err("refused the connection".to_owned());
                }
                exchange(stream, request.as_bytes()).await
            }
        }
    };
    match timeout(patience, answered).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("timed out after {} s", patience.as_secs_f32())),
    }
}

/// Waits for as long as the backlog is full: somebody listens, and is busy.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BACKLOG_PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn not_connected(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused the connection".to_owned(),
        io::ErrorKind::NotFound => "has no socket".to_owned(),
        _ => format!("cannot be connected to: {error}"),
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Result<u16, String> {
    // It may have answered and closed before it has read everything; what it said counts.
    let sent = stream.write_all(request).await;
    let mut received = Vec::with_capacity(READ_BYTES);
    let mut start = 0;
    loop {
        let asked = Asked { head_only: false, upgrade: false, http10: false };
        match ResponseHead::parse(&received, start, asked) {
            Ok(Some(head)) if head.is_interim() => start = head.end,
            Ok(Some(head)) => {
                let body = Body::new(head.framing);
                // Whatever comes of it, the answer was given.
                let _ = timeout(BODY_PATIENCE, finish(&mut stream, body, &received[head.end..])).await;
                return Ok(head.status);
            }
            Ok(None) if received.len() >= MAX_HEAD_BYTES => {
                return Err(format!("answered with a head of more than {} KiB", MAX_HEAD_BYTES / 1024));
            }
            Ok(None) => {
                let room = READ_BYTES.min(MAX_HEAD_BYTES - received.len()) as u64;
                match (&mut stream).take(room).read_buf(&mut received).await {
                    Ok(0) if received.is_empty() => {
                        return Err("closed the connection without an answer".to_owned());
                    }
                    Ok(0) => return Err("closed the connection within its answer".to_owned()),
                    Ok(_) => {}
                    Err(error) => {
                        return Err(format!("broke the connection: {}", sent.err().unwrap_or(error)));
                    }
                }
            }
            Err(why) => return Err(format!("answered in no HTTP that is understood: {}", why.0)),
        }
    }
}

/// Reads a body to its end: programs take a connection that is closed within it for a failure of theirs.
async fn finish(stream: &mut (impl AsyncRead + Unpin), mut body: Body, received: &[u8]) {
    if body.scan(received).is_err() {
        return;
    }
    let mut block = [0; READ_BYTES];
    let mut length = received.len();
    while !body.is_done() && length < MAX_BODY_BYTES {
        match stream.read(&mut block).await {
            Ok(read) if read > 0 && body.scan(&block[..read]).is_ok() => length += read,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::get;
    use crate::base::address::Address;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Answers one request with these bytes and closes; the request.
    async fn answer(listener: &TcpListener, bytes: &[u8]) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0, "{request:?}");
        }
        // Who asks may have heard enough.
        let _ = stream.write_all(bytes).await;
        String::from_utf8(request).unwrap()
    }

    async fn listen() -> (TcpListener, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        (listener, address)
    }

    #[tokio::test]
    async fn the_status_is_that_of_the_final_answer() {
        let (listener, address) = listen().await;
        let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(2_000);
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(200)),
            ("HTTP/1.0 404 Not Found\r\n\r\nno", Ok(404)),
            ("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", Ok(503)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nok", Ok(200)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Nothing\r\n\r\n", Ok(204)),
            ("", Err("closed the connection without an answer")),
            ("HTTP/1.1 200 OK\r\n", Err("closed the connection within its answer")),
            (
                "SSH-2.0-OpenSSH\r\n",
                Err("answered in no HTTP that is understood: not an HTTP/1 response head"),
            ),
            (large.as_str(), Err("answered with a head of more than 64 KiB")),
            (interim.as_str(), Err("answered with a head of more than 64 KiB")),
        ] {
            let (got, request) =
                tokio::join!(get(&address, "/healthz?deep=1", PATIENCE), answer(&listener, bytes.as_bytes()));
            assert_eq!(got, expected.map_err(str::to_owned), "{:?}", bytes.get(..60));
            let version = env!("CARGO_PKG_VERSION");
            assert_eq!(
                request,
                format!(
                    "GET /healthz?deep=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ostler/{version} health check\r\n\
                     Connection: close\r\n\r\n"
                )
            );
        }
    }

    #[tokio::test]
    async fn a_path_stays_on_its_line() {
        let (listener, address) = listen().await;
        for (path, line) in [
            ("healthz", "GET /healthz HTTP/1.1\r\n"),
            ("/a b\r\nX: y", "GET /a%20b%0D%0AX:%20y HTTP/1.1\r\n"),
            ("/\u{e9}%20?x=1", "GET /%C3%A9%20?x=1 HTTP/1.1\r\n"),
        ] {
            let ok = b"HTTP/1.1 204 Nothing\r\n\r\n";
            let (got, request) = tokio::join!(get(&address, path, PATIENCE), answer(&listener, ok));
            assert!(got == Ok(204) && request.starts_with(line), "{request}");
        }
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_is_not_waited_for() {
        let (listener, address) = listen().await;
        let short = Duration::from_millis(50);
        assert_eq!(get(&address, "/", short).await, Err("timed out after 0.05 s".to_owned()));
        drop(listener);
        assert_eq!(get(&address, "/", PATIENCE).await, Err("refused the connection".to_owned()));
        let nowhere = Address::Unix("/nowhere/at/all".into());
        assert_eq!(get(&nowhere, "/", PATIENCE).await, Err("has no socket".to_owned()));
    }

    #[tokio::test]
    async fn a_worker_that_is_busy_is_given_its_time_to_accept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = tokio::net::UnixStream::connect(&path).await {
            waiting.push(stream);
        }
        let address = Address::Unix(path);
        let short = Duration::from_millis(100);
        assert_eq!(get(&address, "/", short).await, Err("timed out after 0.1 s".to_owned()));
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let worker = async {
            // Later than the first attempt.
            tokio::time::sleep(2 * super::BACKLOG_PAUSE).await;
            for _ in &waiting {
                drop(listener.accept().await.unwrap());
            }
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 204 Nothing\r\n\r\n").await.unwrap();
        };
        assert_eq!(tokio::join!(get(&address, "/", PATIENCE), worker).0, Ok(204));
    }
}
