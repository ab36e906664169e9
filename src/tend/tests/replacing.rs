//! Workers that are replaced while they live: worn out, or hanging.

use std::time::Duration;

use super::super::{ApplicationPlan, HealthCheck, Progress, Transport, Wear};
use super::{Application, LISTENS, LONG, eventually, is_alive};
use crate::pool::journal::Cause;

fn wears_out(plan: &mut ApplicationPlan) {
    plan.wear = Wear { requests: Some(2), ..Wear::default() };
}

/// Gives the worker as many requests as it may have; the last one stays in flight.
async fn wear_out(application: &Application) -> crate::pool::Lease {
    drop(application.pool.lease().await.unwrap());
    drop(application.pool.lease().await.unwrap());
    application.pool.lease().await.unwrap()
}

async fn worn(application: &mut Application) -> u32 {
    match application.next().await {
        Progress::Worn { pid, why, .. } => {
            assert!(why.starts_with("has served"), "{why}");
            pid
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_worn_worker_serves_until_a_fresh_one_is_ready() {
    let mut application = Application::node(LISTENS, 1, wears_out);
    let old = application.ready().await;
    let lease = wear_out(&application).await;
    assert_eq!(worn(&mut application).await, old);
    let fresh = loop {
        assert_eq!(application.pool.workers().len(), 1, "somebody serves at any time");
        match application.progress.try_recv() {
            Ok(Progress::WorkerReady { pid, .. }) => break pid,
            Ok(other) => panic!("{other:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert_eq!(application.pool.workers()[0].pid(), Some(fresh));
    assert!(lease.worker().is_withdrawn() || lease.worker().pid() == Some(fresh) || is_alive(old));
    assert!(is_alive(old), "its request is still in flight");
    drop(lease);
    eventually(|| (!is_alive(old)).then_some(())).await;
    // The next generation of the slot wears out in turn.
    let lease = wear_out(&application).await;
    assert_eq!(worn(&mut application).await, fresh);
    drop(lease);
    application.ready().await;
    eventually(|| (!is_alive(fresh)).then_some(())).await;
    assert!(application.pool.journal().excerpt().endings.is_empty(), "nothing of it is a failure");
    application.end().await;
}

#[tokio::test]
async fn a_worn_worker_goes_on_while_no_fresh_one_starts() {
    let script = format!(
        "const fs = require('fs'); if (fs.existsSync('broken')) throw new Error('broken'); {LISTENS}"
    );
    let mut application = Application::node(&script, 1, wears_out);
    let old = application.ready().await;
    application.touch("broken");
    drop(wear_out(&application).await);
    worn(&mut application).await;
    for _ in 0..2 {
        let why = application.failure().await;
        assert!(why.contains("Error: broken"), "{why}");
    }
    assert_eq!(application.pool.lease().await.unwrap().worker().pid(), Some(old));
    std::fs::remove_file(application.path("broken")).unwrap();
    while let Progress::StartFailed { .. } = application.next().await {}
    assert_ne!(application.pool.lease().await.unwrap().worker().pid(), Some(old));
    eventually(|| (!is_alive(old)).then_some(())).await;
    application.end().await;
}

#[tokio::test]
async fn the_heirs_of_a_restarted_worker_do_not_pay_for_those_of_its_forebear() {
    let script = format!(
        "const fs = require('fs'); if (fs.existsSync('broken')) throw new Error('broken'); {LISTENS}"
    );
    let mut application = Application::node(&script, 1, wears_out);
    let old = application.ready().await;
    for round in 1..=2 {
        application.touch("broken");
        drop(wear_out(&application).await);
        worn(&mut application).await;
        for expected_ms in [100, 200, 400] {
            let Progress::StartFailed { next_in, .. } = application.next().await else { panic!("{round}") };
            assert_eq!(next_in, Some(Duration::from_millis(expected_ms)), "{round}");
        }
        std::fs::remove_file(application.path("broken")).unwrap();
        if round == 1 {
            // While no heir is starting, so that the slot fills itself.
            super::super::linux::kill_process(old);
            assert!(matches!(application.next().await, Progress::WorkerEnded { pid, .. } if pid == old));
            application.ready().await;
        }
    }
    application.end().await;
}

#[tokio::test]
async fn a_slot_is_filled_when_a_worn_worker_ends_before_the_fresh_one_is_ready() {
    let script = format!(
        "const fs = require('fs'), go = () => fs.existsSync('wait') ? setTimeout(go, 5) : {LISTENS};
        fs.appendFileSync('starts', 'x\\n'); go()"
    );
    let mut application = Application::node(&script, 1, wears_out);
    let old = application.ready().await;
    application.touch("wait");
    drop(wear_out(&application).await);
    worn(&mut application).await;
    eventually(|| (application.lines_in("starts") == 2).then_some(())).await;
    super::super::linux::kill_process(old);
    assert!(matches!(application.next().await, Progress::WorkerEnded { pid, .. } if pid == old));
    let waits = application.pool.clone();
    std::fs::remove_file(application.path("wait")).unwrap();
    let lease = waits.lease().await.expect("requests wait for the fresh one");
    assert_eq!(lease.worker().pid(), Some(application.ready().await));
    assert_eq!(application.lines_in("starts"), 2, "one has taken its place, not two");
    drop(lease);
    application.end().await;
}

#[tokio::test]
async fn a_worn_worker_with_a_port_that_is_set_leaves_it_to_the_next() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut application = Application::node(LISTENS, 1, |plan| {
        wears_out(plan);
        plan.transport = Transport::Tcp;
        plan.telling.fixed_port = Some(port);
    });
    let old = application.ready().await;
    drop(wear_out(&application).await);
    worn(&mut application).await;
    assert_ne!(application.ready().await, old);
    assert!(!is_alive(old));
    application.end().await;
}

#[tokio::test]
async fn a_worn_worker_with_a_port_that_is_set_serves_while_a_request_of_it_lasts() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut application = Application::node(LISTENS, 1, |plan| {
        wears_out(plan);
        plan.transport = Transport::Tcp;
        plan.telling.fixed_port = Some(port);
    });
    let old = application.ready().await;
    let long = wear_out(&application).await;
    worn(&mut application).await;
    // Others come meanwhile, one at a time, for longer than its end would take.
    let until = tokio::time::Instant::now() + Duration::from_millis(500);
    while tokio::time::Instant::now() < until {
        let lease = application.pool.lease().await.unwrap();
        assert!(lease.worker().pid() == Some(old) && !lease.worker().is_withdrawn());
        drop(lease);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(long);
    assert_ne!(application.ready().await, old);
    assert!(!is_alive(old));
    application.end().await;
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_and_replaced() {
    let script = "const fs = require('fs');
        process.on('SIGTERM', () => {});
        require('http').createServer((q, r) => { if (!fs.existsSync('hang')) r.end() }).listen(process.env.PORT)";
    let mut application = Application::node(script, 1, |plan| {
        plan.grace = Duration::from_millis(300);
        plan.health = Some(HealthCheck {
            path: "/up".to_owned(),
            status: 200,
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(500),
            failures: 2,
        });
    });
    let old = application.ready().await;
    application.touch("hang");
    let Progress::WorkerHung { pid, why, next_in, .. } = application.next().await else { panic!() };
    assert_eq!((pid, next_in), (old, Some(Duration::ZERO)), "{why}");
    assert!(!is_alive(old));
    std::fs::remove_file(application.path("hang")).unwrap();
    let ending = application.pool.journal().excerpt().endings[0].clone();
    assert_eq!(ending.cause, Cause::Hung);
    assert!(ending.how.starts_with("was ended: it "), "{}", ending.how);
    while !matches!(application.next().await, Progress::WorkerReady { .. }) {}
    application.end().await;
}

#[tokio::test]
async fn a_worn_worker_that_hangs_is_found_while_its_heirs_do_not_start() {
    let script = "const fs = require('fs'); if (fs.existsSync('broken')) process.exit(3);
        require('http').createServer((q, r) => { if (!fs.existsSync('hang')) r.end() }).listen(process.env.PORT)";
    let mut application = Application::node(script, 1, |plan| {
        wears_out(plan);
        plan.restarts.longest_delay = Duration::from_millis(1);
        // Heirs fail more often than this takes.
        plan.health = Some(HealthCheck {
            path: "/up".to_owned(),
            status: 200,
            interval: Duration::from_millis(500),
            timeout: Duration::from_millis(500),
            failures: 3,
        });
    });
    let old = application.ready().await;
    application.touch("broken");
    drop(wear_out(&application).await);
    worn(&mut application).await;
    application.failure().await;
    application.touch("hang");
    let hung = async {
        loop {
            match application.next().await {
                Progress::StartFailed { .. } => {}
                Progress::WorkerHung { pid, .. } => break pid,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(LONG, hung).await.expect("it is not found"), old);
    assert!(!is_alive(old));
    application.end().await;
}
