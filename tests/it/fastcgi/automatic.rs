//! Pools whose size is left to the host, `maxInstances="0"`: it follows the requests that wait, and other sizes do not.

use super::pools::{at_once, pids};
use super::{goes_on, nothing_violated, programs, scripted, starts};

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Programs that wait for something else leave the cores free: two for each are too few.
#[test]
fn requests_that_wait_for_long_get_more_programs_than_two_for_each_core() {
    let site = scripted(r#"maxInstances="0""#);
    let host = site.serve();
    let eager = 2 * cores();
    let mut clients = at_once(&host, "takes=1", 4 * eager + 4);
    let used = pids(&mut clients).len();
    assert!(used > eager, "{used} programs");
    nothing_violated(&site);
    // They are there for whoever comes next.
    let started = starts(&site);
    assert!(started.contains(&goes_on(&host)));
    assert_eq!(starts(&site), started);
}

#[test]
fn a_number_that_is_given_is_never_exceeded_however_long_requests_wait() {
    let site = scripted(r#"maxInstances="2""#);
    let host = site.serve();
    let mut clients = at_once(&host, "takes=0.4", 8);
    assert_eq!(pids(&mut clients).len(), 2);
    assert_eq!((starts(&site).len(), programs(&host, "fcgi.py").len()), (2, 2));
    nothing_violated(&site);
}
