//! Asks a worker to end by itself, as the ASP.NET Core Module does.

use std::time::Duration;

use super::{Goodbye, probe};
use crate::base::address::Address;

/// The status of the answer; `told` are field lines that the request carries besides, each with its CR LF.
///
/// # Errors
/// Why there is none, in a few words that follow "it".
pub(super) async fn say(
    goodbye: &Goodbye,
    address: &Address,
    told: &str,
    patience: Duration,
) -> Result<u16, String> {
    let fields = format!("MS-ASPNETCORE-EVENT: shutdown\r\n{told}Content-Length: 0\r\n");
    probe::ask(address, "POST", &goodbye.path, &fields, patience).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::super::Goodbye;
    use super::say;
    use crate::base::address::Address;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_goodbye_is_a_post_with_the_event_and_what_the_worker_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let goodbye = Goodbye { path: "/app/iisintegration".to_owned() };
        let address = Address::Unix(path);
        let worker = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            // It keeps the connection open; that there is no more was said.
            (String::from_utf8(request).unwrap(), stream)
        };
        let (got, (request, _stream)) =
            tokio::join!(say(&goodbye, &address, "MS-ASPNETCORE-TOKEN: secret\r\n", PATIENCE), worker);
        assert_eq!(got, Ok(202));
        assert_eq!(
            request,
            "POST /app/iisintegration HTTP/1.1\r\nHost: localhost\r\nMS-ASPNETCORE-EVENT: shutdown\r\n\
             MS-ASPNETCORE-TOKEN: secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
}
