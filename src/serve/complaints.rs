//! Requests that failed, in ostler's own log: each with the number its client was told, a few a second for each
//! application, and how many there were besides.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);
/// For each application and core.
const MOST_IN_A_WINDOW: u32 = 3;
/// Applications that are known; with more, all begin anew.
const MOST_APPLICATIONS: usize = 1024;

/// One core's count of what it has told.
#[derive(Default)]
pub(crate) struct Complaints(RefCell<HashMap<Box<str>, Window>>);

struct Window {
    begun: Instant,
    told: u32,
    untold: u64,
}

impl Complaints {
    /// Whether one more may be told of this application now; if so, how many have not been since the last one was.
    pub(super) fn admit(&self, application: &str, now: Instant) -> Option<u64> {
        let mut known = self.0.borrow_mut();
        if !known.contains_key(application) {
            if known.len() >= MOST_APPLICATIONS {
                known.clear();
            }
            known.insert(application.into(), Window { begun: now, told: 0, untold: 0 });
        }
        let window = known.get_mut(application)?;
        if now.duration_since(window.begun) >= WINDOW {
            (window.begun, window.told) = (now, 0);
        }
        if window.told >= MOST_IN_A_WINDOW {
            window.untold += 1;
            return None;
        }
        window.told += 1;
        Some(std::mem::take(&mut window.untold))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Complaints, MOST_APPLICATIONS, MOST_IN_A_WINDOW};

    #[test]
    fn a_few_a_second_are_told_of_each_application_and_the_rest_is_counted() {
        let complaints = Complaints::default();
        let start = Instant::now();
        for _ in 0..MOST_IN_A_WINDOW {
            assert_eq!(complaints.admit("shop", start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(complaints.admit("shop", start + Duration::from_millis(900)), None);
        }
        assert_eq!(complaints.admit("blog", start), Some(0), "it has a count of its own");
        let later = start + Duration::from_secs(1);
        assert_eq!([complaints.admit("shop", later), complaints.admit("shop", later)], [Some(7), Some(0)]);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let complaints = Complaints::default();
        for number in 0..3 * MOST_APPLICATIONS {
            complaints.admit(&number.to_string(), Instant::now());
        }
        assert!(complaints.0.borrow().len() <= MOST_APPLICATIONS);
    }
}
