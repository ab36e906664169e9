//! How a worker that is worn out hands its slot to a fresh one: the heir starts while the forebear serves, and the
//! forebear leaves when the heir is ready.
//!
//! Exactly one of both is in charge of the slot at any time: the forebear until the heir is ready, or until the forebear
//! ends before that.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a slot asks for that wants an heir.
pub(super) struct Succession {
    pub(super) slot: usize,
    pub(super) forebear: Forebear,
}

/// An heir as its forebear knows it.
pub(super) struct Heir {
    failed: oneshot::Receiver<()>,
}

/// A forebear as its heir knows it.
pub(super) struct Forebear {
    /// Tells it to leave.
    relieved: CancellationToken,
    failed: oneshot::Sender<()>,
    /// Cancelled when nothing of it is left.
    pub(super) gone: CancellationToken,
    /// After how long it asks for another heir if this one does not start.
    pub(super) retry_after: Duration,
}

/// How a slot's task knows that it has been relieved, and others that it is gone.
pub(super) struct Service {
    pub(super) relieved: CancellationToken,
    gone: CancellationToken,
    _gone_at_the_end: DropGuard,
}

impl Service {
    pub(super) fn new() -> Service {
        let gone = CancellationToken::new();
        Service { relieved: CancellationToken::new(), _gone_at_the_end: gone.clone().drop_guard(), gone }
    }

    /// An heir for this one, and the request for it.
    pub(super) fn ask_for_heir(&self, slot: usize, retry_after: Duration) -> (Heir, Succession) {
        let (sender, failed) = oneshot::channel();
        let forebear = Forebear {
            relieved: self.relieved.clone(),
            failed: sender,
            gone: self.gone.clone(),
            retry_after,
        };
        (Heir { failed }, Succession { slot, forebear })
    }
}

impl Heir {
    /// Waits until the heir has not started, or is no more.
    pub(super) async fn failed(&mut self) {
        // An error is an heir that was dropped; whoever it relieved before that has heard so by the other way.
        let _ = (&mut self.failed).await;
    }

    /// The forebear ends: whether the heir is there to go on with the slot.
    pub(super) fn takes_over(mut self) -> bool {
        match self.failed.try_recv() {
            Ok(()) | Err(oneshot::error::TryRecvError::Closed) => false,
            Err(oneshot::error::TryRecvError::Empty) => {
                self.failed.close();
                // It may have failed in between, and thinks that somebody heard of it.
                self.failed.try_recv().is_err()
            }
        }
    }
}

impl Forebear {
    /// The heir is ready.
    pub(super) fn relieve(self) {
        self.relieved.cancel();
    }

    /// Whether the slot is the forebear's still.
    pub(super) fn is_in_charge(&self) -> bool {
        !self.failed.is_closed()
    }

    /// The heir has not started. Whether there is a forebear that goes on; if not, the slot is the heir's.
    pub(super) fn goes_on(self) -> bool {
        self.failed.send(()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Service;

    #[tokio::test]
    async fn one_of_both_is_in_charge_however_it_ends() {
        let ask = || {
            let service = Service::new();
            let (heir, succession) = service.ask_for_heir(0, Duration::ZERO);
            (service, heir, succession.forebear)
        };
        // The heir is ready.
        let (service, heir, forebear) = ask();
        assert!(forebear.is_in_charge() && !service.relieved.is_cancelled());
        forebear.relieve();
        assert!(service.relieved.is_cancelled() && !heir.takes_over());
        // The heir fails, and the forebear hears of it.
        let (_service, mut heir, forebear) = ask();
        assert!(forebear.goes_on());
        heir.failed().await;
        // The heir fails just before the forebear ends.
        let (_service, heir, forebear) = ask();
        assert!(forebear.goes_on() && !heir.takes_over());
        // The forebear ends first.
        let (service, heir, forebear) = ask();
        assert!(heir.takes_over() && !forebear.is_in_charge());
        assert!(!forebear.gone.is_cancelled());
        drop(service);
        assert!(forebear.gone.is_cancelled() && !forebear.goes_on());
    }
}
