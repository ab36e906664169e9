//! Pools that grow, with FastCGI programs: they start when requests wait, and leave nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::super::{ApplicationPlan, Progress, Retrying, Transport};
use super::{Application, LONG, eventually, is_alive, settings};
use crate::base::address::Address;
use crate::fastcgi::record::{self, Params};
use crate::pool::{Lease, NoLease, Pool, PoolSettings};

const PHP: &[&str] = &["php-cgi"];
const PERL: &[&str] = &[
    "perl",
    "-MFCGI",
    "-e",
    r#"my $r = FCGI::Request(); while ($r->Accept() >= 0) { print "Content-Type: text/plain\r\n\r\n$$;" }"#,
];

fn growing(slots: usize, queue_length: usize) -> PoolSettings {
    PoolSettings { max_concurrent: 1, grows: true, ..settings(slots, queue_length) }
}

/// The script says which process runs it.
fn fast_cgi(words: &[&str], slots: usize, change: impl FnOnce(&mut ApplicationPlan)) -> Application {
    fast_cgi_in(growing(slots, 100), words, change)
}

fn fast_cgi_in(
    settings: PoolSettings,
    words: &[&str],
    change: impl FnOnce(&mut ApplicationPlan),
) -> Application {
    let application = Application::in_pool(words, settings, |plan| {
        plan.transport = Transport::Inherited;
        plan.retrying = Retrying::OnDemand { attempts: 2 };
        plan.rapid_fails_per_minute = Some(100);
        plan.finishing = Some(LONG);
        change(plan);
    });
    std::fs::write(application.path("a.php"), "<?php usleep(5000); echo getmypid(), ';';").unwrap();
    application
}

/// One request on the connection that is kept, or a new one; the process that has answered.
async fn ask(lease: &Lease, script: &str) -> std::io::Result<u32> {
    let worker = lease.worker();
    let mut stream = match worker.take_parked() {
        Some(kept) => UnixStream::from_std(kept.into())?,
        None => {
            let Address::Unix(path) = worker.address() else { panic!("{worker:?}") };
            UnixStream::connect(path).await.inspect_err(|_| worker.report_unreachable())?
        }
    };
    let mut request = Vec::new();
    record::put_begin(&mut request, true);
    let mut params = Params::new(&mut request);
    for (name, value) in [("REQUEST_METHOD", "GET"), ("SCRIPT_FILENAME", script)] {
        params.put(name.as_bytes(), value.as_bytes()).unwrap();
    }
    params.end();
    request.extend_from_slice(&record::body_header(0));
    stream.write_all(&request).await?;
    let mut out = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header).await?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let mut content = vec![0; length + usize::from(header[6])];
        stream.read_exact(&mut content).await?;
        match header[1] {
            3 => break,
            6 => out.extend_from_slice(&content[..length]),
            _ => {}
        }
    }
    worker.park(stream.into_std()?.into());
    let text = String::from_utf8(out).unwrap();
    let pid = text.rsplit("\r\n\r\n").next().unwrap().trim_end_matches(';').parse();
    pid.map_err(|_| std::io::Error::other(text))
}

async fn asked(application: &Application) -> u32 {
    let script = application.path("a.php");
    let lease = application.pool.lease().await.unwrap();
    ask(&lease, script.to_str().unwrap()).await.unwrap()
}

/// Many requests at a time, each again until it is answered; how many each process has answered.
async fn crowd(application: &Application, clients: usize, requests: usize) -> BTreeMap<u32, usize> {
    let mut tasks = JoinSet::new();
    let busy: Arc<[AtomicU32]> = (0..application.pool.settings().slots).map(|_| AtomicU32::new(0)).collect();
    for _ in 0..clients {
        let (pool, busy) = (Arc::clone(&application.pool), Arc::clone(&busy));
        let script = application.path("a.php").to_str().unwrap().to_owned();
        tasks.spawn(async move { client(&pool, &busy, &script, requests).await });
    }
    let mut answered = BTreeMap::new();
    while let Some(pids) = tokio::time::timeout(LONG * 3, tasks.join_next()).await.expect("it hangs") {
        pids.unwrap().into_iter().for_each(|pid| *answered.entry(pid).or_default() += 1);
    }
    answered
}

async fn client(pool: &Pool, busy: &[AtomicU32], script: &str, requests: usize) -> Vec<u32> {
    let mut answered = Vec::new();
    while answered.len() < requests {
        let lease = pool.lease().await.expect("there is a place for everybody");
        let slot = lease.worker().slot();
        let others = busy[slot].fetch_add(1, Ordering::SeqCst);
        let answer = ask(&lease, script).await;
        busy[slot].fetch_sub(1, Ordering::SeqCst);
        if let Ok(pid) = answer {
            assert_eq!(lease.worker().pid(), Some(pid), "it is the worker's own socket");
            assert_eq!(others, 0, "the worker had another request");
            answered.push(pid);
        }
    }
    answered
}

#[tokio::test]
async fn programs_start_when_requests_wait_and_never_more_than_there_may_be() {
    let mut application = fast_cgi(PHP, 3, |_| {});
    assert!(application.pool.workers().is_empty() && application.progress.try_recv().is_err());
    let first = asked(&application).await;
    assert_eq!((asked(&application).await, application.pool.workers().len()), (first, 1));
    let answered = crowd(&application, 8, 20).await;
    assert_eq!(answered.values().sum::<usize>(), 160);
    assert!((2..=3).contains(&answered.len()) && answered.contains_key(&first), "{answered:?}");
    let path = |address: &Address| match address {
        Address::Unix(path) => path.clone(),
        Address::Tcp(_) => panic!("{address:?}"),
    };
    let sockets: Vec<_> = application.pool.workers().iter().map(|worker| path(worker.address())).collect();
    assert!(sockets.iter().all(|path| path.exists()), "{sockets:?}");
    let took = application.end().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!answered.into_keys().any(is_alive));
    assert!(!sockets.iter().any(|path| path.exists()));
}

#[tokio::test]
async fn a_program_without_work_ends_by_itself_although_its_connection_was_kept() {
    for program in [PHP, PERL] {
        let application = fast_cgi(program, 2, |plan| {
            plan.worker_idle_timeout = Some(Duration::from_millis(200));
            // Longer than the test may take: nobody is killed.
            plan.grace = LONG * 2;
        });
        let first = asked(&application).await;
        eventually(|| (!is_alive(first)).then_some(())).await;
        eventually(|| application.pool.workers().is_empty().then_some(())).await;
        assert_ne!(asked(&application).await, first);
        assert!(application.pool.journal().excerpt().endings.is_empty(), "nothing of it is a failure");
        application.end().await;
    }
}

#[tokio::test]
async fn a_program_ends_after_as_many_requests_as_it_may_have() {
    let mut application = fast_cgi(PHP, 3, |plan| plan.wear.requests = Some(5));
    let answered = crowd(&application, 6, 20).await;
    assert_eq!(answered.values().sum::<usize>(), 120);
    assert!(answered.values().all(|&requests| requests <= 5), "{answered:?}");
    assert!(application.pool.journal().excerpt().endings.is_empty(), "nothing of it is a failure");
    let told = std::iter::from_fn(|| application.progress.try_recv().ok()).collect::<Vec<_>>();
    assert!(
        told.iter().all(|told| matches!(told, Progress::WorkerReady { .. })) && told.len() <= 3,
        "{told:?}"
    );
    application.end().await;
    assert!(!answered.into_keys().any(is_alive));
}

#[tokio::test]
async fn a_program_that_has_had_enough_requests_may_leave_as_often_as_it_likes() {
    let application = fast_cgi(PHP, 1, |plan| {
        plan.environment.push(("PHP_FCGI_MAX_REQUESTS".to_owned(), "2".to_owned()));
        plan.rapid_fails_per_minute = Some(0);
    });
    let mut pids = BTreeSet::new();
    for _ in 0..4 {
        let pid = asked(&application).await;
        assert_eq!(asked(&application).await, pid);
        eventually(|| (!is_alive(pid) && application.pool.workers().is_empty()).then_some(())).await;
        pids.insert(pid);
    }
    assert_eq!(pids.len(), 4);
    assert!(application.pool.journal().excerpt().endings.is_empty());
    application.end().await;
}

#[tokio::test]
async fn slots_beyond_the_eager_ones_are_made_for_those_who_wait_and_used_again() {
    let settings = PoolSettings { eager: Some(1), ..growing(3, 100) };
    let application = fast_cgi_in(settings, PHP, |_| {});
    let pool = &application.pool;
    for _ in 0..2 {
        let (first, second, third) = tokio::join!(pool.lease(), pool.lease(), pool.lease());
        let leases = [first.unwrap(), second.unwrap(), third.unwrap()];
        let pids: BTreeSet<_> = leases.iter().filter_map(|lease| lease.worker().pid()).collect();
        assert_eq!(pids.len(), 3);
        let fourth = tokio::time::timeout(Duration::from_millis(600), pool.lease()).await;
        assert!(fourth.is_err() && pool.workers().len() == 3, "no slot is left");
        leases.iter().for_each(|lease| lease.worker().abandon());
        drop(leases);
        eventually(|| pids.iter().all(|&pid| !is_alive(pid)).then_some(())).await;
    }
    application.end().await;
}

#[tokio::test]
async fn everybody_is_answered_while_programs_are_killed() {
    let application = fast_cgi(PHP, 3, |_| {});
    let pool = Arc::clone(&application.pool);
    let mut killer = JoinSet::new();
    killer.spawn(async move {
        let mut killed = BTreeSet::new();
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let pids: Vec<_> = pool.workers().iter().filter_map(|worker| worker.pid()).collect();
            if let Some(&pid) = pids.get(killed.len() % pids.len().max(1)).filter(|_| killed.len() < 12)
                && killed.insert(pid)
            {
                super::super::linux::kill_process(pid);
            }
            if killed.len() == 12 {
                return killed;
            }
        }
    });
    let mut answered = crowd(&application, 6, 40).await;
    while killer.try_join_next().is_none() {
        answered.extend(crowd(&application, 6, 10).await);
    }
    application.end().await;
    assert!(!answered.into_keys().any(is_alive));
}

#[tokio::test]
async fn who_connects_when_the_process_is_gone_is_refused_and_the_worker_is_not_asked_again() {
    let application = fast_cgi(PHP, 1, |_| {});
    let first = asked(&application).await;
    let lease = application.pool.lease().await.unwrap();
    super::super::linux::kill_process(first);
    eventually(|| (!is_alive(first)).then_some(())).await;
    // A process that another test forks has a copy of the socket for a moment.
    eventually(|| (!connected(lease.worker())).then_some(())).await;
    lease.worker().report_unreachable();
    assert!(lease.worker().is_withdrawn() && application.pool.lease_now().is_none());
    drop(lease);
    assert_ne!(asked(&application).await, first);
    assert_eq!(application.pool.journal().excerpt().endings.len(), 1);
    application.end().await;
}

#[tokio::test]
async fn a_program_that_is_stuck_is_ended_and_counts() {
    let mut application = fast_cgi(PHP, 1, |_| {});
    let script = application.path("long.php");
    std::fs::write(&script, "<?php while (true) {}").unwrap();
    let lease = application.pool.lease().await.unwrap();
    let pid = application.ready().await;
    let asked_for_too_much = ask(&lease, script.to_str().unwrap());
    tokio::time::timeout(Duration::from_millis(200), asked_for_too_much).await.unwrap_err();
    lease.worker().report_stuck("hung".to_owned());
    assert!(application.pool.lease_now().is_none());
    drop(lease);
    assert_ne!(asked(&application).await, pid);
    assert!(matches!(application.next().await, Progress::WorkerHung { pid: hung, .. } if hung == pid));
    assert_eq!(application.pool.journal().excerpt().endings.len(), 1);
    application.end().await;
}

#[tokio::test]
async fn a_program_that_is_abandoned_is_ended_and_replaced_on_demand_and_does_not_count() {
    let application = fast_cgi(PHP, 1, |_| {});
    let lease = application.pool.lease().await.unwrap();
    let worker = Arc::clone(lease.worker());
    worker.abandon();
    assert!(application.pool.lease_now().is_none());
    drop(lease);
    let next = application.pool.lease().await.unwrap();
    assert_ne!(next.worker().pid(), worker.pid());
    assert_eq!(application.pool.journal().excerpt().endings.len(), 0);
    drop(next);
    application.end().await;
}

#[tokio::test]
async fn without_grace_a_program_is_killed_when_its_request_is_over_and_not_before() {
    let application = fast_cgi(&["sh", "-c", "trap '' TERM; sleep 600"], 1, |plan| {
        plan.grace = Duration::ZERO;
    });
    let lease = application.pool.lease().await.unwrap();
    let pid = lease.worker().pid().unwrap();
    application.drain.request();
    eventually(|| lease.worker().is_withdrawn().then_some(())).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(is_alive(pid), "its request is in flight");
    drop(lease);
    let begun = Instant::now();
    eventually(|| (!is_alive(pid)).then_some(())).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    application.end().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_told_to_each_request_and_tried_again_for_it() {
    let mut application = fast_cgi(&["no-such-program"], 3, |_| {});
    for _ in 0..2 {
        match application.pool.lease().await {
            Err(NoLease::Failing(why)) => assert!(why.contains("no-such-program"), "{why}"),
            other => panic!("{other:?}"),
        }
        for _ in 0..2 {
            assert!(application.failure().await.contains("no-such-program"));
        }
        assert!(application.progress.try_recv().is_err(), "two attempts for each request");
    }
    application.end().await;
}

#[tokio::test]
async fn programs_that_end_at_once_shut_the_gate() {
    let mut application = fast_cgi(&["sh", "-c", "exit 3"], 2, |plan| plan.rapid_fails_per_minute = Some(3));
    let mut starts = 0;
    loop {
        match application.pool.lease().await {
            Ok(lease) => {
                let worker = Arc::clone(lease.worker());
                eventually(|| (!connected(&worker)).then_some(())).await;
                worker.report_unreachable();
            }
            Err(NoLease::Closed { limit, .. }) => break assert_eq!(limit, 3),
            Err(other) => panic!("{other:?}"),
        }
        eventually(|| application.pool.workers().is_empty().then_some(())).await;
        // What ended is told when it is over.
        while let Progress::WorkerReady { .. } | Progress::GateClosed { .. } = application.next().await {}
        starts += 1;
        assert!(starts <= 4, "the gate is shut");
    }
    assert_eq!(starts, 4);
    application.end().await;
}

fn connected(worker: &crate::pool::Worker) -> bool {
    let Address::Unix(path) = worker.address() else { return false };
    std::os::unix::net::UnixStream::connect(path).is_ok()
}

#[tokio::test]
async fn a_server_that_runs_already_has_all_places_and_loses_them_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = Address::Unix(path);
    let server = address.clone();
    let application = Application::in_pool(
        &["never-started"],
        PoolSettings { max_concurrent: 1, ..settings(3, 0) },
        |plan| plan.server = Some(server),
    );
    eventually(|| (application.pool.workers().len() == 3).then_some(())).await;
    let leases: Vec<_> = (0..3).map(|_| application.pool.lease_now().unwrap()).collect();
    assert!(leases.iter().all(|lease| *lease.worker().address() == address));
    assert!(application.pool.lease_now().is_none(), "one request at a time in each");
    leases[1].worker().report_unreachable();
    drop(listener);
    // A process that another test forks has a copy of the listener for a moment.
    eventually(|| {
        leases[2].worker().report_unreachable();
        application.pool.workers().is_empty().then_some(())
    })
    .await;
    drop(leases);
    application.end().await;
}
