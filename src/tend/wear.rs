//! When a worker is worn out: by requests, age or memory.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Wear, proc};
use crate::pool::Worker;

/// How often the memory of a worker is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is looked at whether it has requests.
const PEEK: Duration = Duration::from_millis(25);
/// How long a worn worker that must end before the next one starts waits for a moment without requests.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// The limits of the slots differ by this at most, so that workers that began together do not all end together.
const SPREAD_PERCENT: u64 = 5;
const MB: u64 = 1024 * 1024;

/// Ready when one of the limits is reached, with what follows "the worker"; never if there are none. `begun` is when its
/// process was started. Which requests or age is too much lies up to 5 % below the limit, by the slot (nothing for 0),
/// never above.
pub(super) async fn worn(wear: &Wear, worker: &Worker, slot: usize, pid: u32, begun: Instant) -> String {
    tokio::select! {
        why = by_requests(wear.requests, slot, worker) => why,
        why = by_age(wear.age, slot, begun) => why,
        why = by_memory(wear.memory_bytes, pid) => why,
    }
}

/// Ready when a worn worker has nothing to do that its end would have others wait for, or at `latest`.
pub(super) async fn is_free(worker: &Worker, latest: Instant) {
    // A worker that is not withdrawn does not tell.
    while worker.in_flight() > 0 && Instant::now() < latest {
        sleep(PEEK).await;
    }
}

async fn by_requests(limit: Option<u64>, slot: usize, worker: &Worker) -> String {
    let Some(limit) = limit else { return std::future::pending().await };
    worker.has_served(spread(limit, slot)).await;
    format!("has served {} requests", worker.served())
}

async fn by_age(limit: Option<Duration>, slot: usize, begun: Instant) -> String {
    let limit = limit.map(|limit| spread(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), slot));
    // An age that no clock knows is never reached.
    let Some(end) = limit.and_then(|limit| begun.checked_add(Duration::from_millis(limit))) else {
        return std::future::pending().await;
    };
    sleep_until(end).await;
    format!("is {} old", in_words(begun.elapsed()))
}

async fn by_memory(limit: Option<u64>, pid: u32) -> String {
    let Some(limit) = limit else { return std::future::pending().await };
    loop {
        sleep(LOOK).await;
        let bytes = proc::resident_bytes(pid);
        if bytes > limit {
            return format!("uses {} MB of memory", bytes / MB);
        }
    }
}

/// A limit, lower by a part that differs from slot to slot however many there are, and is nothing for the first.
fn spread(limit: u64, slot: usize) -> u64 {
    // Steps by the golden ratio fall into the largest gap that is left.
    const STEP: u64 = 40_503;
    const CIRCLE: u64 = 65_536;
    let place = (slot as u64 % CIRCLE) * STEP % CIRCLE;
    let part = u128::from(limit) * u128::from(place * SPREAD_PERCENT) / u128::from(100 * CIRCLE);
    limit - u64::try_from(part).unwrap_or(0)
}

fn in_words(age: Duration) -> String {
    let seconds = age.as_secs();
    // By the hour from two hours on, and so with minutes: less says nothing, more nobody asks for.
    match seconds {
        7200.. => format!("{} h", (seconds + 1800) / 3600),
        120.. => format!("{} min", (seconds + 30) / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::Wear;
    use super::{LONGEST_WAIT, in_words, is_free, spread, worn};
    use crate::base::address::Address;
    use crate::pool::{LoadBalancing, Pool, PoolSettings, Worker};

    fn pool() -> Arc<Pool> {
        Pool::new(PoolSettings {
            name: "app".to_owned(),
            slots: 1,
            max_concurrent: 100,
            queue_length: 0,
            queue_timeout: Duration::ZERO,
            start_timeout: Duration::ZERO,
            opens_complete: false,
            grows: false,
            eager: None,
            balancing: LoadBalancing::default(),
        })
    }

    fn publish(pool: &Pool) -> Arc<Worker> {
        let address = Address::Unix("/s".into());
        let worker = pool.worker(0, address, None);
        pool.publish(Arc::clone(&worker));
        worker
    }

    #[tokio::test]
    async fn a_worker_is_worn_when_its_requests_are_over() {
        let pool = pool();
        let worker = publish(&pool);
        let wear = Wear { requests: Some(3), ..Wear::default() };
        let mut worn = std::pin::pin!(worn(&wear, &worker, 0, 1, Instant::now()));
        let leases: Vec<_> = (0..3).map(|_| pool.lease_now().unwrap()).collect();
        for lease in leases {
            assert!(worker.served() < 3);
            tokio::select! {
                biased;
                why = &mut worn => panic!("{why}"),
                () = std::future::ready(()) => {}
            }
            drop(lease);
        }
        assert_eq!(worn.await, "has served 3 requests");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_worn_by_age_and_not_before() {
        let pool = pool();
        let worker = publish(&pool);
        let day = Duration::from_secs(24 * 3600);
        let wear = Wear { age: Some(day), ..Wear::default() };
        let begun = Instant::now();
        assert_eq!(worn(&wear, &worker, 0, 1, begun).await, "is 24 h old");
        assert!((day..day + Duration::from_secs(1)).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_worn_by_memory_or_never() {
        let pool = pool();
        let worker = publish(&pool);
        let own = std::process::id();
        let none = Wear { memory_bytes: Some(u64::MAX), age: Some(Duration::MAX), requests: Some(u64::MAX) };
        for wear in [none, Wear::default()] {
            let worn = worn(&wear, &worker, 0, own, Instant::now());
            let hour = Duration::from_secs(3600);
            assert!(tokio::time::timeout(hour, worn).await.is_err(), "{wear:?}");
        }
        let wear = Wear { memory_bytes: Some(1), ..Wear::default() };
        let why = worn(&wear, &worker, 0, own, Instant::now()).await;
        assert!(why.starts_with("uses ") && why.ends_with(" MB of memory"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worn_worker_is_free_without_requests_or_after_a_generous_while() {
        let pool = pool();
        let worker = publish(&pool);
        let begun = Instant::now();
        let latest = begun + LONGEST_WAIT;
        is_free(&worker, latest).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let lease = pool.lease_now().unwrap();
        let ends = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(lease);
        };
        tokio::join!(is_free(&worker, latest), ends);
        assert!((60..62).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        let _lease = pool.lease_now().unwrap();
        is_free(&worker, latest).await;
        assert!((600..602).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }

    #[test]
    fn limits_differ_from_slot_to_slot_and_are_never_exceeded() {
        let day_ms = 24 * 3600 * 1000;
        let mut limits: Vec<u64> = (0..100).map(|slot| spread(day_ms, slot)).collect();
        assert_eq!(limits[0], day_ms);
        limits.sort_unstable();
        assert!(limits[0] >= day_ms - day_ms / 20);
        // A hundred workers do not begin anew within less than 15 seconds of each other.
        assert!(limits.windows(2).all(|pair| pair[1] - pair[0] > 15_000), "{limits:?}");
        assert_eq!((spread(0, 7), spread(1, 7)), (0, 1));
        assert!(spread(u64::MAX, 7) < u64::MAX && spread(u64::MAX, usize::MAX) > u64::MAX / 2);
    }

    #[test]
    fn ages_are_told_as_people_do() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (5399, "90 min"), (7200, "2 h"), (84_000, "23 h")]
        {
            assert_eq!(in_words(Duration::from_secs(seconds)), text);
        }
    }
}
