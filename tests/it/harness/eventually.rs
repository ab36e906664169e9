//! Patience with a deadline: tests wait for what they want to see, never for a length of time.

use std::time::{Duration, Instant};

/// How long anything that should happen soon may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What `look` finds, as soon as it finds something.
#[track_caller]
pub(crate) fn eventually<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < deadline, "did not happen within {deadline:?}: {what}");
        breathe();
    }
}

/// Looks again and again for `duration` that `holds` stays true.
#[track_caller]
pub(crate) fn holds_for(duration: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < duration {
        assert!(holds(), "ended after {:?}: {what}", begun.elapsed());
        breathe();
    }
}

#[expect(clippy::disallowed_methods, reason = "the one pause between two looks")]
fn breathe() {
    std::thread::sleep(Duration::from_millis(5));
}
