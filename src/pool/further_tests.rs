//! Growing pools beyond their eager workers: when they fall behind, and what that leads to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::super::tests::{futures_now, ready, runtime};
use super::super::{LoadBalancing, NoLease, Pool, PoolSettings};
use super::{AFTER_FAILURE, BETWEEN, Demand, LATE, SHORTEST_PAUSE, Start};

const LONG: Duration = Duration::from_secs(600);

fn automatic(slots: usize, eager: usize, queue_length: usize) -> Arc<Pool> {
    Pool::new(PoolSettings {
        name: "test".to_owned(),
        slots,
        max_concurrent: 1,
        queue_length,
        queue_timeout: LONG,
        start_timeout: LONG,
        opens_complete: false,
        grows: true,
        eager: Some(eager),
        balancing: LoadBalancing::default(),
    })
}

/// A slot at rest.
fn rests(pool: &Arc<Pool>, slot: usize) -> std::pin::Pin<Box<dyn Future<Output = Start>>> {
    let pool = Arc::clone(pool);
    let mut rests = Box::pin(async move { pool.start_needed(slot, Demand::Any).await });
    assert!(futures_now(rests.as_mut()).is_none(), "nobody has called slot {slot}");
    rests
}

/// How long it takes until the pool falls behind, while requests wait.
async fn behind(pool: &Pool) -> Duration {
    let begun = Instant::now();
    pool.falls_behind().await;
    begun.elapsed()
}

#[track_caller]
fn is_about(took: Duration, expected: Duration) {
    assert!((expected..=expected + 2 * SHORTEST_PAUSE).contains(&took), "{took:?}, not {expected:?}");
}

#[test]
fn the_eager_workers_come_at_once_and_no_others() {
    runtime().block_on(async {
        let pool = automatic(4, 2, 10);
        let mut slots: Vec<_> = (0..4).map(|slot| rests(&pool, slot)).collect();
        let mut requests: Vec<_> = (0..4).map(|_| Box::pin(pool.lease())).collect();
        assert!(requests.iter_mut().all(|request| futures_now(request.as_mut()).is_none()));
        let starts: Vec<_> =
            (0..2).map(|slot| futures_now(slots[slot].as_mut()).expect("it starts")).collect();
        for (slot, start) in starts.into_iter().enumerate() {
            ready(&pool, slot);
            pool.started(start);
        }
        assert!(slots[2..].iter_mut().all(|slot| futures_now(slot.as_mut()).is_none()));
        // One of them is gone, and is replaced at once.
        let lease = requests.remove(0).await.unwrap();
        pool.withdraw(&lease.worker().clone());
        let _request = futures_now(Box::pin(pool.lease()).as_mut());
        drop(lease);
        let mut again = Box::pin(pool.start_needed(0, Demand::Any));
        assert!(futures_now(again.as_mut()).is_some());
        assert!(slots[2..].iter_mut().all(|slot| futures_now(slot.as_mut()).is_none()));
    });
}

#[test]
fn a_pool_falls_behind_when_a_request_has_waited_for_a_while_even_if_nobody_comes_after_it() {
    runtime().block_on(async {
        let pool = automatic(2, 1, 10);
        ready(&pool, 0);
        let _busy = pool.lease_now().unwrap();
        let mut falls_behind = Box::pin(behind(&pool));
        assert!(timeout(LONG, falls_behind.as_mut()).await.is_err(), "nobody waits");
        let mut request = Box::pin(pool.lease());
        let joined = Instant::now();
        tokio::select! {
            _ = request.as_mut() => panic!("there is no place"),
            _ = falls_behind => is_about(joined.elapsed(), LATE),
        }
        // Whoever asks only now is told the same; when the client has left, nobody waits.
        assert_eq!(behind(&pool).await, Duration::ZERO);
        drop(request);
        assert!(timeout(LONG, behind(&pool)).await.is_err());
    });
}

#[test]
fn a_queue_that_moves_on_is_not_behind() {
    runtime().block_on(async {
        let pool = automatic(8, 1, 1000);
        ready(&pool, 0);
        let served = async {
            let busy = pool.lease_now().unwrap();
            let crowd = async {
                for _ in 0..100 {
                    let one = async {
                        let lease = pool.lease().await.unwrap();
                        sleep(LATE / 5).await;
                        drop(lease);
                    };
                    // Four at a time: none of them waits for as long as that.
                    tokio::join!(one, async { drop(pool.lease().await.unwrap()) }, async {
                        drop(pool.lease().await.unwrap())
                    });
                }
            };
            let ends = async {
                sleep(LATE / 5).await;
                drop(busy);
            };
            tokio::join!(crowd, ends);
        };
        tokio::select! {
            biased;
            () = pool.falls_behind() => panic!("everybody is served in time"),
            () = served => {}
        }
    });
}

#[test]
fn further_workers_come_one_by_one() {
    runtime().block_on(async {
        let pool = automatic(4, 1, 10);
        ready(&pool, 0);
        let _busy = pool.lease_now().unwrap();
        let mut resting = rests(&pool, 1);
        let mut requests: Vec<_> = (0..3).map(|_| Box::pin(pool.lease())).collect();
        assert!(requests.iter_mut().all(|request| futures_now(request.as_mut()).is_none()));
        behind(&pool).await;
        assert!(pool.has_rest() && futures_now(resting.as_mut()).is_none(), "whoever looks decides");
        pool.call_further();
        let start = futures_now(resting.as_mut()).expect("it is called");
        assert!(!pool.has_rest());
        assert!(timeout(LONG, behind(&pool)).await.is_err(), "a start is under way");
        let other = rests(&pool, 2);
        pool.call_further();
        assert_eq!(pool.starts_under_way(), 1);
        drop(other);
        ready(&pool, 1);
        let (took, ()) = tokio::join!(behind(&pool), async { pool.started(start) });
        is_about(took, BETWEEN);
        // The next one has no slot yet.
        let start = pool.begin_start();
        assert_eq!(pool.starts_under_way(), 1);
        ready(&pool, 2);
        pool.started(start);
        is_about(behind(&pool).await, BETWEEN);
    });
}

#[test]
fn a_start_that_fails_is_not_repeated_soon() {
    runtime().block_on(async {
        let pool = automatic(4, 1, 10);
        ready(&pool, 0);
        let _busy = pool.lease_now().unwrap();
        let mut request = Box::pin(pool.lease());
        assert!(futures_now(request.as_mut()).is_none());
        behind(&pool).await;
        // A call that finds nobody is no failure.
        drop(rests(&pool, 1));
        pool.call_further();
        assert_eq!((behind(&pool).await, pool.starts_under_way()), (Duration::ZERO, 0));
        drop(pool.begin_start());
        is_about(behind(&pool).await, AFTER_FAILURE);
    });
}

#[test]
fn room_in_the_queue_is_not_counted_on_workers_that_may_never_come() {
    runtime().block_on(async {
        let pool = automatic(64, 1, 2);
        ready(&pool, 0);
        let _busy = pool.lease_now().unwrap();
        let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(pool.lease())).collect();
        assert!(waiting.iter_mut().all(|waits| futures_now(waits.as_mut()).is_none()));
        assert!(matches!(pool.lease().await, Err(NoLease::Overflow)));
    });
}
