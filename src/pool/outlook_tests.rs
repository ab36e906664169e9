//! What requests are told while nobody is ready: while workers rest, while they may not be started, and afterwards.

use std::time::{Duration, Instant};

use super::tests::{futures_now, pool, ready, runtime};
use super::{NoLease, Outlook};

fn resting(why: &str) -> Outlook {
    Outlook::Resting(why.into())
}

#[test]
fn a_request_that_comes_while_workers_rest_asks_once_for_a_start_and_is_served_by_it() {
    runtime().block_on(async {
        let pool = pool(1, 2, 0);
        pool.announce(resting("exited with 1"));
        assert_eq!(pool.calls(), 0, "nobody has asked");
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        assert_eq!(pool.calls(), 1);
        pool.called_beyond(0).await;
        assert!(futures_now(waits.as_mut()).is_none());
        assert_eq!(pool.calls(), 1, "waiting is not asking again");
        pool.announce(Outlook::Expected);
        let mut second = Box::pin(pool.lease());
        assert!(futures_now(second.as_mut()).is_none());
        assert_eq!(pool.calls(), 1, "a start is under way");
        ready(&pool, 0);
        assert!(waits.await.is_ok() && second.await.is_ok());
    });
}

#[test]
fn a_start_that_was_asked_for_and_fails_answers_who_waits_with_why() {
    runtime().block_on(async {
        let pool = pool(1, 2, 0);
        pool.announce(resting("exited with 1"));
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        pool.announce(Outlook::Expected);
        assert!(futures_now(waits.as_mut()).is_none());
        pool.announce(resting("exited with 2"));
        assert!(matches!(waits.await, Err(NoLease::Failing(why)) if &*why == "exited with 2"));
        // The next one asks anew.
        let mut next = Box::pin(pool.lease());
        assert!(futures_now(next.as_mut()).is_none());
        assert_eq!(pool.calls(), 2);
    });
}

#[test]
fn who_waits_in_vain_for_a_start_is_told_after_its_time() {
    runtime().block_on(async {
        let pool = pool(1, 2, 0);
        pool.announce(resting("exited with 1"));
        assert!(matches!(pool.lease().await, Err(NoLease::NotReady)));
    });
}

#[test]
fn who_finds_no_place_in_the_queue_asks_for_nothing() {
    runtime().block_on(async {
        let pool = pool(1, 1, 0);
        pool.announce(resting("exited with 1"));
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        assert!(matches!(pool.lease().await, Err(NoLease::Overflow)));
        assert_eq!(pool.calls(), 1);
    });
}

#[test]
fn a_closed_application_answers_at_once_those_who_wait_and_those_who_come() {
    runtime().block_on(async {
        let pool = pool(1, 2, 0);
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        let opens = Instant::now() + Duration::from_secs(40);
        pool.announce(Outlook::Closed { limit: 3, until: opens });
        let is_closed = |answer| matches!(answer, Err(NoLease::Closed { limit: 3, until }) if until == opens);
        assert!(is_closed(futures_now(waits.as_mut()).expect("an answer at once")));
        let mut comes = Box::pin(pool.lease());
        assert!(is_closed(futures_now(comes.as_mut()).expect("an answer at once")));
        assert_eq!(pool.calls(), 0);
        pool.announce(Outlook::Expected);
        ready(&pool, 0);
        assert!(pool.lease().await.is_ok());
    });
}

/// A worker that is still there serves on, whatever is said of those that are not.
#[test]
fn with_a_worker_ready_nobody_is_sent_away() {
    runtime().block_on(async {
        let pool = pool(2, 1, 1);
        ready(&pool, 0);
        let held = pool.lease().await.unwrap();
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        for outlook in [resting("exited"), Outlook::Closed { limit: 3, until: Instant::now() }] {
            pool.announce(outlook);
            assert!(futures_now(waits.as_mut()).is_none());
        }
        drop(held);
        assert!(waits.await.is_ok());
        assert_eq!(pool.calls(), 0);
    });
}

#[test]
fn who_finds_the_last_worker_gone_asks_for_a_start() {
    runtime().block_on(async {
        let pool = pool(1, 1, 1);
        let worker = ready(&pool, 0);
        let _held = pool.lease().await.unwrap();
        pool.withdraw(&worker);
        pool.announce(resting("exited with 1"));
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        assert_eq!(pool.calls(), 1);
    });
}
