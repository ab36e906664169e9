//! How many connections there may be, in all and from one address.
//!
//! At the limit nothing more is accepted, so new connections wait in the backlog while those there are served.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use tokio::sync::Notify;

use crate::base::padded::Padded;

pub(crate) struct Places {
    most: usize,
    most_per_client: usize,
    taken: Padded<AtomicUsize>,
    by_client: DashMap<IpAddr, usize>,
    freed: Notify,
}

/// One connection's place; given back by drop.
pub(crate) struct Place {
    places: Arc<Places>,
    _counted: Counted,
}

/// One of the connections of its client.
struct Counted {
    places: Arc<Places>,
    client: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(most: usize, most_per_client: usize) -> Arc<Places> {
        Arc::new(Places {
            most,
            most_per_client,
            taken: Padded(AtomicUsize::new(0)),
            by_client: DashMap::new(),
            freed: Notify::new(),
        })
    }

    /// Waits for room; then the connection counts. `None` if its address has too many.
    pub(crate) async fn take(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Place> {
        let counted = self.count(client)?;
        loop {
            let freed = self.freed.notified();
            if self.taken.fetch_add(1, Ordering::AcqRel) < self.most {
                return Some(Place { places: self.clone(), _counted: counted });
            }
            self.taken.fetch_sub(1, Ordering::AcqRel);
            freed.await;
        }
    }

    fn count(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Counted> {
        if let Some(client) = client {
            let mut count = self.by_client.entry(client).or_insert(0);
            if *count >= self.most_per_client {
                return None;
            }
            *count += 1;
        }
        Some(Counted { places: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.places.taken.fetch_sub(1, Ordering::AcqRel) >= self.places.most {
            self.places.freed.notify_waiters();
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        self.places.by_client.remove_if_mut(&client, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}
