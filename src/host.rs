//! temporary host
use crate::base::address::Address;
use crate::config::limits::Limits;
use crate::handler::{Handler, app::App};
use crate::pool::{Pool, PoolSettings, WorkerId};
use crate::serve::{self, CorePlan, Places, listener, spread::Spread, world::World};
use crate::upstream::Forwarding;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) fn bench(listen: Address, ups: Vec<Address>, threads: usize) {
    let limits = Limits::default();
    let pool = Pool::new(PoolSettings {
        name: "x".into(),
        slots: ups.len(),
        max_concurrent: 1024,
        queue_length: 0,
        queue_timeout: limits.queue_timeout,
        start_timeout: limits.start_timeout,
    });
    for (slot, up) in ups.into_iter().enumerate() {
        pool.publish(pool.worker(WorkerId::next(), slot, None, up));
    }
    let world = Arc::new(World {
        handler: Handler::App(App { pool, forwarding: Forwarding { forwarded_for: true } }),
    });
    let bound = listener::bind(&listen, threads).unwrap();
    let places = Places::new(15000, 15000);
    let (spread, inboxes) = Spread::new(threads);
    let spread = Arc::new(spread);
    let (drain, halt) = (CancellationToken::new(), CancellationToken::new());
    println!("ostler on {}", bound.address);
    let mut handles = vec![];
    for ((index, l), inbox) in bound.per_core.into_iter().enumerate().zip(inboxes) {
        let plan = CorePlan {
            index,
            listeners: vec![l],
            world: world.clone(),
            limits: limits.clone(),
            places: places.clone(),
            spread: spread.clone(),
            inbox,
            drain: drain.clone(),
            halt: halt.clone(),
        };
        handles.push(std::thread::spawn(move || serve::run(plan)));
    }
    for h in handles {
        let _ = h.join();
    }
}
