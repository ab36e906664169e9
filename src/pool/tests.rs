//! Tables for the pool: rotation, caps, overflow, the queue's fairness, and what those who wait are told.

use std::sync::Arc;
use std::time::Duration;

use super::{NoLease, Outlook, Pool, PoolSettings, Worker, WorkerId};
use crate::base::address::Address;

fn pool(slots: usize, cap: u32, queue_length: usize) -> Arc<Pool> {
    Pool::new(PoolSettings {
        name: "test".to_owned(),
        slots,
        max_concurrent: cap,
        queue_length,
        queue_timeout: Duration::from_secs(1),
        start_timeout: Duration::from_secs(1),
        opens_complete: false,
    })
}

fn ready(pool: &Pool, slot: usize) -> Arc<Worker> {
    let worker = pool.worker(WorkerId::next(), slot, None, Address::Unix("/nowhere".into()), None);
    pool.publish(worker.clone());
    worker
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn requests_rotate_strictly_starting_at_the_second_slot() {
    let pool = pool(4, 10, 0);
    (0..4).for_each(|slot| drop(ready(&pool, slot)));
    let order: Vec<usize> = (0..8).map(|_| pool.try_lease().unwrap().worker().slot()).collect();
    assert_eq!(order, [1, 2, 3, 0, 1, 2, 3, 0]);
}

#[test]
fn a_full_worker_is_passed_over_and_overflow_means_all_are_full() {
    let pool = pool(2, 1, 0);
    ready(&pool, 0);
    ready(&pool, 1);
    let first = pool.try_lease().unwrap();
    let second = pool.try_lease().unwrap();
    assert_ne!(first.worker().slot(), second.worker().slot());
    assert!(pool.try_lease().is_none());
    runtime().block_on(async { assert!(matches!(pool.lease().await, Err(NoLease::Overflow))) });
    drop(first);
    assert!(pool.try_lease().is_some());
}

#[test]
fn who_has_waited_longest_gets_the_place() {
    let pool = pool(1, 1, 2);
    ready(&pool, 0);
    runtime().block_on(async {
        let held = pool.try_lease().unwrap();
        let (a, b) = (pool.lease(), pool.lease());
        tokio::pin!(a, b);
        assert!(futures_now(a.as_mut()).is_none() && futures_now(b.as_mut()).is_none());
        assert!(matches!(pool.lease().await, Err(NoLease::Overflow)), "the queue holds two");
        drop(held);
        let lease = a.await.unwrap();
        assert!(futures_now(b.as_mut()).is_none());
        drop(lease);
        assert!(b.await.is_ok());
    });
}

#[test]
fn who_stops_waiting_is_skipped() {
    let pool = pool(1, 1, 2);
    ready(&pool, 0);
    runtime().block_on(async {
        let held = pool.try_lease().unwrap();
        let mut gone = Box::pin(pool.lease());
        let mut stays = Box::pin(pool.lease());
        assert!(futures_now(gone.as_mut()).is_none() && futures_now(stays.as_mut()).is_none());
        drop(gone);
        drop(held);
        assert!(stays.await.is_ok());
    });
}

#[test]
fn the_wait_for_a_place_is_bounded() {
    let pool = pool(1, 1, 1);
    ready(&pool, 0);
    runtime().block_on(async {
        let _held = pool.try_lease().unwrap();
        assert!(matches!(pool.lease().await, Err(NoLease::Overflow)));
    });
}

#[test]
fn requests_wait_for_the_first_worker_and_are_told_when_none_will_come() {
    runtime().block_on(async {
        let pool = pool(2, 1, 0);
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        ready(&pool, 0);
        drop(waits.await.unwrap());

        let pool = self::pool(2, 1, 0);
        assert!(matches!(pool.lease().await, Err(NoLease::NotReady)), "bounded");
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        pool.announce(Outlook::Failing("exited with 1".into()));
        assert!(matches!(waits.await, Err(NoLease::Failing(why)) if &*why == "exited with 1"));
        assert!(matches!(pool.lease().await, Err(NoLease::Failing(_))), "at once from now on");
        pool.announce(Outlook::Stopping);
        assert!(matches!(pool.lease().await, Err(NoLease::Stopping)));
    });
}

#[test]
fn a_withdrawn_worker_gets_no_request_and_reports_when_the_last_is_over() {
    runtime().block_on(async {
        let pool = pool(1, 5, 0);
        let worker = ready(&pool, 0);
        let lease = pool.try_lease().unwrap();
        pool.withdraw(&worker);
        assert!(pool.try_lease().is_none());
        let mut drained = Box::pin(worker.drained());
        assert!(futures_now(drained.as_mut()).is_none());
        drop(lease);
        drained.await;
    });
}

/// Polls once.
fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_request_that_comes_while_those_before_it_get_their_places_does_not_overflow() {
    let pool = pool(1, 2, 0);
    runtime().block_on(async {
        let first = pool.lease();
        tokio::pin!(first);
        assert!(now(first.as_mut()).await.is_none(), "nobody is ready");
        // The moment between a worker's publishing and its places being given out.
        let worker = pool.worker(WorkerId::next(), 0, None, Address::Unix("/nowhere".into()), None);
        pool.slots[0].store(Some(worker));
        let second = pool.lease().await;
        assert!(second.is_ok(), "there are places for both");
        assert!(first.await.is_ok());
    });
}

/// What a future has to say right now.
async fn now<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
