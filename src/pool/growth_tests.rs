//! Growing pools: who starts a worker for whom, how many, and that no request is forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::tests::{futures_now, ready, runtime};
use super::super::{Lease, LoadBalancing, NoLease, Pool, PoolSettings};
use super::{Demand, Start};

fn growing(slots: usize, queue_length: usize) -> Arc<Pool> {
    Pool::new(PoolSettings {
        name: "test".to_owned(),
        slots,
        max_concurrent: 1,
        queue_length,
        queue_timeout: Duration::from_secs(60),
        start_timeout: Duration::from_secs(60),
        opens_complete: false,
        grows: true,
        eager: None,
        balancing: LoadBalancing::default(),
    })
}

/// A slot at rest.
fn rests(pool: &Arc<Pool>, slot: usize, demand: Demand) -> std::pin::Pin<Box<dyn Future<Output = Start>>> {
    let pool = Arc::clone(pool);
    let mut rests = Box::pin(async move { pool.start_needed(slot, demand).await });
    assert!(futures_now(rests.as_mut()).is_none(), "nobody has called slot {slot}");
    rests
}

#[test]
fn a_request_starts_one_worker_and_another_only_for_another_request() {
    runtime().block_on(async {
        let pool = growing(3, 0);
        let mut slots: Vec<_> = (0..3).map(|slot| rests(&pool, slot, Demand::Any)).collect();
        let mut first = Box::pin(pool.lease());
        assert!(futures_now(first.as_mut()).is_none());
        let start = futures_now(slots[0].as_mut()).expect("the lowest slot starts");
        assert!(futures_now(slots[1].as_mut()).is_none() && pool.starts_under_way() == 1);
        let mut second = Box::pin(pool.lease());
        assert!(futures_now(second.as_mut()).is_none());
        let other = futures_now(slots[1].as_mut()).expect("another one");
        assert!(futures_now(slots[2].as_mut()).is_none());
        ready(&pool, 0);
        pool.started(start);
        let lease = first.await.unwrap();
        assert_eq!(pool.starts_under_way(), 1);
        // The first one is free before the second is ready: nobody waits for that any longer.
        drop(lease);
        assert_eq!(second.await.unwrap().worker().slot(), 0);
        ready(&pool, 1);
        pool.started(other);
        assert!(futures_now(slots[2].as_mut()).is_none());
        assert_eq!(pool.lease_now().unwrap().worker().slot(), 0, "the first with room");
    });
}

#[test]
fn who_comes_while_every_worker_is_busy_and_the_queue_is_full_overflows() {
    runtime().block_on(async {
        let pool = growing(1, 2);
        let mut slot = rests(&pool, 0, Demand::Any);
        let mut first = Box::pin(pool.lease());
        assert!(futures_now(first.as_mut()).is_none());
        let start = futures_now(slot.as_mut()).unwrap();
        ready(&pool, 0);
        pool.started(start);
        let _lease = first.await.unwrap();
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(pool.lease())).collect();
        assert!(waiting.iter_mut().all(|waits| futures_now(waits.as_mut()).is_none()));
        assert!(matches!(pool.lease().await, Err(NoLease::Overflow)));
    });
}

#[test]
fn a_slot_that_comes_to_rest_is_called_by_those_who_wait_already() {
    runtime().block_on(async {
        let pool = growing(2, 5);
        let worker = ready(&pool, 0);
        let lease = pool.lease().await.unwrap();
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        let start = pool.start_needed(1, Demand::Any).await;
        // Its worker is gone while the start of the other is under way, which is for the one who waits.
        pool.withdraw(&worker);
        drop(lease);
        let mut rested = rests(&pool, 0, Demand::Any);
        drop(start);
        assert!(futures_now(rested.as_mut()).is_none(), "a start that is over calls nobody");
        let mut second = Box::pin(pool.lease());
        assert!(futures_now(second.as_mut()).is_none());
        assert!(futures_now(rested.as_mut()).is_some());
    });
}

#[test]
fn a_slot_whose_start_has_failed_is_called_by_the_next_request_even_if_that_came_before_it_rested() {
    runtime().block_on(async {
        let pool = growing(1, 5);
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        let calls = pool.calls();
        let mut rested = rests(&pool, 0, Demand::Beyond(calls));
        let mut next = Box::pin(pool.lease());
        assert!(futures_now(next.as_mut()).is_none());
        assert!(futures_now(rested.as_mut()).is_some());
        // Between the failure and the rest.
        let calls = pool.calls();
        let mut third = Box::pin(pool.lease());
        assert!(futures_now(third.as_mut()).is_none());
        let called = pool.start_needed(0, Demand::Beyond(calls)).await;
        drop(called);
    });
}

#[test]
fn a_slot_that_leaves_takes_no_call_with_it() {
    runtime().block_on(async {
        let pool = growing(2, 5);
        drop(rests(&pool, 0, Demand::Any));
        let mut other = rests(&pool, 1, Demand::Any);
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        assert!(futures_now(other.as_mut()).is_some());
        assert_eq!(pool.starts_under_way(), 0, "the start was dropped");
    });
}

#[test]
fn a_client_that_leaves_needs_no_worker() {
    runtime().block_on(async {
        let pool = growing(2, 5);
        let mut left = Box::pin(pool.lease());
        assert!(futures_now(left.as_mut()).is_none());
        drop(left);
        drop(rests(&pool, 0, Demand::Any));
    });
}

#[test]
fn a_worker_that_has_served_its_requests_takes_no_further_one() {
    runtime().block_on(async {
        let pool = growing(2, 5);
        let worker = pool.worker(0, crate::base::address::Address::Unix("/nowhere".into()), None);
        worker.retire_after(2);
        pool.publish(Arc::clone(&worker));
        drop(pool.lease().await.unwrap());
        let last = pool.lease().await.unwrap();
        let mut waits = Box::pin(pool.lease());
        assert!(futures_now(waits.as_mut()).is_none());
        drop(last);
        assert!(worker.is_withdrawn() && worker.in_flight() == 0 && worker.served() == 2);
        assert!(futures_now(waits.as_mut()).is_none(), "not even who waits gets it");
        assert!(pool.lease_now().is_none());
    });
}

#[test]
fn the_idle_connection_of_a_worker_is_closed_with_its_withdrawal() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    let pool = growing(1, 0);
    let pair = || UnixStream::pair().unwrap();
    let worker = ready(&pool, 0);
    let (ours, mut theirs) = pair();
    theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    worker.park(ours.into());
    let taken = worker.take_parked().expect("it is there");
    assert!(worker.take_parked().is_none());
    worker.park(taken);
    pool.withdraw(&worker);
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    let (ours, mut theirs) = pair();
    worker.park(ours.into());
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it came too late to be kept");
}

/// A control plane of threads, and a crowd of requests: everybody is served, no worker has two requests at a time, and
/// there are never more starts than slots.
#[test]
fn a_crowd_is_served_whatever_happens_to_workers() {
    const SLOTS: usize = 4;
    const CROWD: usize = 8;
    const REQUESTS: usize = 300;
    let pool = growing(SLOTS, CROWD);
    let busy: Arc<Vec<AtomicUsize>> = Arc::new((0..SLOTS).map(|_| AtomicUsize::new(0)).collect());
    let starts = Arc::new(AtomicUsize::new(0));
    let stop = tokio_util::sync::CancellationToken::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let served = |lease: Lease, number: usize| {
        let slot = lease.worker().slot();
        assert_eq!(busy[slot].fetch_add(1, Ordering::SeqCst), 0, "two requests in one worker");
        std::thread::yield_now();
        busy[slot].fetch_sub(1, Ordering::SeqCst);
        if number.is_multiple_of(3) {
            // It ends now and then, as killed ones do.
            lease.worker().report_stuck("hung".to_owned());
        }
        drop(lease);
    };
    std::thread::scope(|scope| {
        for slot in 0..SLOTS {
            let (pool, starts, stop) = (Arc::clone(&pool), Arc::clone(&starts), stop.clone());
            scope.spawn(move || {
                runtime().block_on(stop.run_until_cancelled(async {
                    loop {
                        let start = pool.start_needed(slot, Demand::Any).await;
                        starts.fetch_add(1, Ordering::SeqCst);
                        assert!((1..=SLOTS).contains(&pool.starts_under_way()));
                        tokio::task::yield_now().await;
                        let worker = ready(&pool, slot);
                        pool.started(start);
                        worker.reported_stuck().await;
                        pool.withdraw(&worker);
                        worker.drained().await;
                    }
                }));
            });
        }
        let crowd: Vec<_> = (0..CROWD)
            .map(|_| {
                let (pool, served) = (&pool, &served);
                scope.spawn(move || {
                    runtime().block_on(async {
                        for number in 0..REQUESTS {
                            let lease = tokio::time::timeout(Duration::from_secs(30), pool.lease()).await;
                            served(lease.expect("it was forgotten").expect("there is a place"), number);
                        }
                    });
                })
            })
            .collect();
        let all_served = crowd.into_iter().map(std::thread::ScopedJoinHandle::join).all(|end| end.is_ok());
        stop.cancel();
        assert!(all_served);
    });
    // Each start was for a request that waited at that moment.
    let starts = starts.load(Ordering::SeqCst);
    assert!((CROWD * REQUESTS / 3..=CROWD * REQUESTS).contains(&starts), "{starts}");
    assert_eq!((pool.starts_under_way(), pool.is_waited_for()), (0, false));
}
