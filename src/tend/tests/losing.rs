//! Workers that were ready, live, and do not listen any more.

use std::net::TcpListener;
use std::time::Duration;

use super::super::{Goodbye, Pairing, Progress, Transport};
use super::{Application, eventually, is_alive};
use crate::base::address::Address;

/// As a reloader that does not find back: its process lives, and nobody listens.
#[tokio::test]
async fn a_process_that_lives_and_does_not_listen_again_is_replaced() {
    let script = "const s=require('http').createServer();
        process.on('SIGUSR2', () => { s.close(); setInterval(() => {}, 1e6) }); s.listen(process.env.PORT)";
    let mut application = Application::node(script, 1, |plan| plan.start_timeout = Duration::from_secs(3));
    let pid = application.ready().await;
    let worker = application.pool.workers().remove(0);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGUSR2)
        .unwrap();
    eventually(|| {
        worker.report_unreachable();
        application.pool.workers().is_empty().then_some(())
    })
    .await;
    let Progress::WorkerHung { pid: lost, why, .. } = application.next().await else { panic!() };
    assert_eq!((lost, &*why), (pid, "refused connections and did not accept any again within 3 s"));
    assert_ne!(application.ready().await, pid);
    assert!(!is_alive(pid));
    application.end().await;
}

#[tokio::test]
async fn the_requests_of_a_worker_that_does_not_listen_again_may_finish() {
    let script = "const s=require('http').createServer();
        process.on('SIGUSR2', () => { s.close(); setInterval(() => {}, 1e6) }); s.listen(process.env.PORT)";
    for ends in [false, true] {
        let mut application = Application::node(script, 1, |plan| {
            plan.start_timeout = Duration::from_secs(2);
            plan.restarts.longest_delay = Duration::from_millis(1);
        });
        let pid = application.ready().await;
        let lease = application.pool.lease().await.unwrap();
        let worker = application.pool.workers().remove(0);
        send(pid, nix::sys::signal::Signal::SIGUSR2);
        eventually(|| {
            worker.report_unreachable();
            application.pool.workers().is_empty().then_some(())
        })
        .await;
        if ends {
            application.drain.request();
        }
        // Longer than it may take to listen again.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(is_alive(pid) && application.progress.try_recv().is_err(), "{ends}");
        drop(lease);
        eventually(|| (!is_alive(pid)).then_some(())).await;
        if !ends {
            assert!(matches!(application.next().await, Progress::WorkerHung { .. }));
            assert_ne!(application.ready().await, pid);
        }
        application.end().await;
    }
}

/// Listens on the port of a worker once that worker does so no longer.
async fn take_port(port: u16) -> TcpListener {
    eventually(|| TcpListener::bind(("127.0.0.1", port)).ok()).await
}

const LEAVES_ITS_PORT: &str = "const s=require('http').createServer();
    process.on('SIGUSR2', () => { s.close(); setInterval(() => {}, 1e6) });
    s.listen(process.env.PORT, '127.0.0.1')";

fn port_of(address: &Address) -> u16 {
    match address {
        Address::Tcp(address) => address.port(),
        Address::Unix(path) => panic!("{path:?}"),
    }
}

#[tokio::test]
async fn a_stranger_that_takes_the_port_of_a_ready_worker_gets_no_request() {
    for is_seen_leaving in [false, true] {
        let mut application = Application::node(LEAVES_ITS_PORT, 1, |plan| plan.transport = Transport::Tcp);
        let pid = application.ready().await;
        let worker = application.pool.workers().remove(0);
        let port = port_of(worker.address());
        send(pid, nix::sys::signal::Signal::SIGUSR2);
        if is_seen_leaving {
            eventually(|| {
                worker.report_unreachable();
                application.pool.workers().is_empty().then_some(())
            })
            .await;
        }
        let stranger = take_port(port).await;
        worker.report_unreachable();
        eventually(|| {
            application.pool.workers().iter().all(|worker| worker.pid() != Some(pid)).then_some(())
        })
        .await;
        let Progress::WorkerHung { why, .. } = application.next().await else { panic!() };
        let own = format!("(pid {}) listens on TCP port {port}", std::process::id());
        assert!(why.contains(&own), "{why}");
        assert_ne!(application.ready().await, pid);
        assert_ne!(port_of(application.pool.workers()[0].address()), port);
        drop(stranger);
        application.end().await;
    }
}

#[tokio::test]
async fn a_stranger_gets_no_goodbye_and_no_secret() {
    let mut application = Application::node(LEAVES_ITS_PORT, 1, |plan| {
        plan.transport = Transport::Tcp;
        plan.goodbye = Some(Goodbye { path: "/".to_owned() });
        plan.pairing = Some(Pairing { variable: "S", field: "X-Secret", fixed: None });
    });
    let pid = application.ready().await;
    let port = port_of(application.pool.workers()[0].address());
    send(pid, nix::sys::signal::Signal::SIGUSR2);
    let stranger = take_port(port).await;
    stranger.set_nonblocking(true).unwrap();
    application.end().await;
    assert_eq!(stranger.accept().map_err(|error| error.kind()).err(), Some(std::io::ErrorKind::WouldBlock));
}

fn send(pid: u32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).unwrap();
}
