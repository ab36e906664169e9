//! From the first accepted connection to a worker that counts as ready: whose listener it is, and what it answers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::owner::{Kin, Stranger};
use super::state::StartFailure;
use super::{Readiness, owner, probe};
use crate::base::address::Address;

/// A worker that has not answered by then may never; while it does not, it is looked at again at twice the age.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(2);
/// Between two questions; a worker that listens is not far from being ready.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A worker may lose a question it got too early; so many are asked at least.
const QUESTIONS: u32 = 3;

/// Who listens at this address, if it is nobody of this start: no request is for them, and no secret. A Unix socket lies
/// where only we can put one.
pub(super) fn stranger_at(address: &Address, kin: &Kin) -> Option<Stranger> {
    match address {
        Address::Tcp(address) => owner::stranger_at(*address, kin),
        Address::Unix(_) => None,
    }
}

/// Waits until a worker that listens answers as a ready one does. `said` is what it answered instead the last time.
pub(super) async fn until_it_answers(
    readiness: &Readiness,
    address: &Address,
    within: Duration,
    said: &mut Option<String>,
) {
    let Readiness::Answering { path, status } = readiness else { return };
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let left = within.saturating_sub(begun.elapsed());
        match probe::get(address, path, left.min(within / QUESTIONS)).await {
            Ok(answer) if answer == *status => return,
            Ok(answer) => *said = Some(format!("answered {answer}")),
            Err(why) => *said = Some(why),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What is wrong with a worker that listens and is not ready in time.
pub(super) fn unfit(readiness: &Readiness, after: Duration, said: Option<String>) -> Option<StartFailure> {
    match readiness {
        Readiness::Listening => None,
        Readiness::Answering { path, status } => {
            Some(StartFailure::Unfit { path: path.clone(), status: *status, after, said })
        }
    }
}
