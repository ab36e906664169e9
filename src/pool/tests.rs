//! Tables for the pool: rotation, caps, overflow, the queue's fairness, and what those who wait are told.

use std::sync::Arc;
use std::time::Duration;

use super::{Lease, LoadBalancing, NoLease, Outlook, Pool, PoolSettings, Worker};
use crate::base::address::Address;

pub(super) fn pool(slots: usize, cap: u32, queue_length: usize) -> Arc<Pool> {
    balanced(LoadBalancing::default(), slots, cap, queue_length)
}

fn balanced(balancing: LoadBalancing, slots: usize, cap: u32, queue_length: usize) -> Arc<Pool> {
    Pool::new(PoolSettings {
        name: "test".to_owned(),
        slots,
        max_concurrent: cap,
        queue_length,
        queue_timeout: Duration::from_secs(1),
        start_timeout: Duration::from_secs(1),
        opens_complete: false,
        grows: false,
        eager: None,
        balancing,
    })
}

pub(super) fn ready(pool: &Pool, slot: usize) -> Arc<Worker> {
    let worker = pool.worker(slot, Address::Unix("/nowhere".into()), None);
    pool.publish(worker.clone());
    worker
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
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
pub(super) fn futures_now<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
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
        let worker = pool.worker(0, Address::Unix("/nowhere".into()), None);
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

const RULES: [LoadBalancing; 3] =
    [LoadBalancing::RoundRobin, LoadBalancing::LeastRequests, LoadBalancing::PowerOfTwo];

fn slot(lease: &Lease) -> usize {
    lease.worker().slot()
}

#[test]
fn whatever_the_rule_overflow_means_that_every_worker_is_full() {
    for rule in RULES {
        for (slots, cap, away) in
            [(1, 3, None::<usize>), (2, 2, None), (7, 3, None), (7, 3, Some(4)), (2, 2, Some(0))]
        {
            let pool = balanced(rule, slots, cap, 0);
            let workers: Vec<_> = (0..slots).map(|slot| ready(&pool, slot)).collect();
            if let Some(slot) = away {
                pool.withdraw(&workers[slot]);
            }
            let places = (slots - away.iter().len()) * cap as usize;
            let held: Vec<Lease> = (0..places).map_while(|_| pool.try_lease()).collect();
            assert_eq!(held.len(), places, "{rule:?}, {slots} slots, {away:?} away");
            assert!(pool.try_lease().is_none(), "{rule:?}, {slots} slots, {away:?} away");
            for worker in &workers {
                let expected = if Some(worker.slot()) == away { 0 } else { cap };
                assert_eq!(worker.in_flight(), expected, "{rule:?}, {worker:?}");
            }
        }
    }
}

#[test]
fn with_the_fewest_requests_a_worker_is_next_and_without_load_the_turns_are_those_of_rotation() {
    let pool = balanced(LoadBalancing::LeastRequests, 4, 10, 0);
    (0..4).for_each(|slot| drop(ready(&pool, slot)));
    let order: Vec<usize> = (0..8).map(|_| slot(&pool.try_lease().unwrap())).collect();
    assert_eq!(order, [1, 2, 3, 0, 1, 2, 3, 0]);
    let mut held: Vec<Lease> = (0..8).map(|_| pool.try_lease().unwrap()).collect();
    held.retain(|lease| slot(lease) != 2);
    // Nobody has less than the one that let go of two, until it has as much as the others.
    let next: Vec<Lease> = (0..2).map(|_| pool.try_lease().unwrap()).collect();
    assert_eq!(next.iter().map(slot).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn of_two_workers_the_less_busy_always_has_the_request() {
    for rule in [LoadBalancing::LeastRequests, LoadBalancing::PowerOfTwo] {
        let pool = balanced(rule, 2, 100, 0);
        (0..2).for_each(|slot| drop(ready(&pool, slot)));
        let held: Vec<Lease> = (0..100).map(|_| pool.try_lease().unwrap()).collect();
        let first = held.iter().filter(|lease| slot(lease) == 0).count();
        assert_eq!(first, 50, "{rule:?}");
    }
}

/// Two picks differ by definition, so however the dice fall, the busiest worker is at most as busy as one of the others.
#[test]
fn the_busiest_worker_is_never_given_more_by_the_power_of_two() {
    let pool = balanced(LoadBalancing::PowerOfTwo, 8, 1000, 0);
    let workers: Vec<_> = (0..8).map(|slot| ready(&pool, slot)).collect();
    let mut held = Vec::new();
    for _ in 0..2000 {
        let before: Vec<u32> = workers.iter().map(|worker| worker.in_flight()).collect();
        held.push(pool.try_lease().unwrap());
        let chosen = before[slot(&held[held.len() - 1])];
        assert!(before.iter().filter(|load| **load >= chosen).count() >= 2, "{before:?}, {chosen}");
    }
}

#[test]
fn a_lease_knows_how_long_its_request_has_waited() {
    runtime().block_on(async {
        let pool = pool(1, 1, 2);
        // For a worker to start.
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        tokio::time::advance(Duration::from_millis(300)).await;
        ready(&pool, 0);
        let held = waits.await.unwrap();
        assert_eq!(held.waited(), Duration::from_millis(300));
        // For a place.
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        tokio::time::advance(Duration::from_millis(70)).await;
        drop(held);
        let held = waits.await.unwrap();
        assert_eq!(held.waited(), Duration::from_millis(70));
        drop(held);
        // For nothing.
        assert_eq!(pool.lease().await.unwrap().waited(), Duration::ZERO);
        assert_eq!(pool.lease_in(0).unwrap().waited(), Duration::ZERO);
    });
}

#[test]
fn who_leaves_a_full_queue_gives_up_his_place_and_nobody_overtakes() {
    let pool = pool(1, 1, 2);
    ready(&pool, 0);
    runtime().block_on(async {
        let held = pool.try_lease().unwrap();
        let (mut gone, mut second, mut third) =
            (Box::pin(pool.lease()), Box::pin(pool.lease()), Box::pin(pool.lease()));
        assert!(futures_now(gone.as_mut()).is_none() && futures_now(second.as_mut()).is_none());
        drop(gone);
        assert!(futures_now(third.as_mut()).is_none(), "there is a place in the queue again");
        drop(held);
        // The place is promised: who comes now waits, though nobody has taken it yet.
        assert!(pool.lease_now().is_none() && pool.lease_in(0).is_none());
        assert!(futures_now(third.as_mut()).is_none());
        drop(second.await.unwrap());
        drop(third.await.unwrap());
        assert!(pool.lease_now().is_some());
    });
}
