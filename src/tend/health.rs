//! Whether a ready worker still answers.

use std::time::Duration;

use tokio::time::sleep;

use super::{HealthCheck, probe};
use crate::base::address::Address;

/// Nobody is asked more often.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Asks again and again; ready when the worker hangs, with what follows "the worker".
pub(super) async fn hangs(check: &HealthCheck, address: &Address) -> String {
    let pause = check.interval.max(SHORTEST_PAUSE);
    let mut failures = 0;
    loop {
        sleep(pause).await;
        let got = probe::get(address, &check.path, check.timeout).await;
        if got == Ok(check.status) {
            failures = 0;
            continue;
        }
        failures += 1;
        if failures >= check.failures {
            return complaint(check, failures, got);
        }
    }
}

fn complaint(check: &HealthCheck, failures: u32, last: Result<u16, String>) -> String {
    let plural = if failures == 1 { "" } else { "s" };
    let (did, why) = match last {
        Ok(status) => ("failed", format!("answered {status} instead of {}", check.status)),
        Err(why) => ("did not answer", why),
    };
    format!("{did} {failures} health check{plural} of {}: {why}", check.path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::HealthCheck;
    use super::hangs;
    use crate::base::address::Address;

    /// Statuses a worker answers with, one after the other, 0 for no answer; then it is gone.
    async fn worker(listener: TcpListener, statuses: &[u16]) {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            if *status > 0 {
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_worker_hangs_after_failures_in_a_row() {
        for (failures, statuses, expected) in [
            (1, &[200, 200][..], "did not answer 1 health check of /healthz: refused the connection"),
            (
                3,
                &[200, 500, 500, 200, 500, 404, 503],
                "failed 3 health checks of /healthz: answered 503 instead of 200",
            ),
            (
                2,
                &[500, 200, 500, 0],
                "did not answer 2 health checks of /healthz: closed the connection without an answer",
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::Tcp(listener.local_addr().unwrap());
            let check = HealthCheck {
                path: "/healthz".to_owned(),
                status: 200,
                interval: Duration::ZERO,
                timeout: Duration::from_secs(20),
                failures,
            };
            let (complaint, ()) = tokio::join!(hangs(&check, &address), worker(listener, statuses));
            assert_eq!(complaint, expected);
        }
    }

    #[tokio::test]
    async fn a_worker_that_says_nothing_hangs() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let check = HealthCheck {
            path: "/".to_owned(),
            status: 200,
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(20),
            failures: 3,
        };
        assert_eq!(
            hangs(&check, &address).await,
            "did not answer 3 health checks of /: timed out after 0.02 s"
        );
    }
}
