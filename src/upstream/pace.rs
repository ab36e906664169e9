//! How slow the other ends may be in one exchange: what is waited for, and until when.
//!
//! A rate is a deadline that every byte moves on by the time it was allowed to take, so a pause is forgiven up to the
//! grace and a drip is not. Nothing counts while we do not wait for the client: a slow worker is not its fault.
//!
//! A worker may be as slow as it likes, unless it has a limit for saying nothing at all: each byte begins that anew, and
//! it does not count while we wait for the client.

use std::rc::Rc;
use std::time::Duration;

use crate::base::clock::{Clock, TICK, TICKS_PER_SECOND, Tick};
use crate::config::limits::Limits;

pub(crate) struct Pace {
    clock: Rc<Clock>,
    limits: Rc<Limits>,
    /// For more of the request's body.
    body: Due,
    /// For the client to take what waits for it.
    response: Due,
    /// For the worker to say whether it wants the body.
    word: Tick,
    /// For the rest of a request that has been answered already.
    rest: Tick,
    /// For a worker to take or to send anything.
    silence: Tick,
    /// For a worker to have answered.
    whole: Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Unset,
    Due(Tick),
    /// So much is left when the client has taken what the worker has for it.
    Held(Duration),
    Came,
}

/// A deadline that bytes move on.
struct Due {
    at: Tick,
    /// What bytes have earned beyond whole ticks, in bytes per tick times ticks per second.
    carried: u64,
}

/// What has been waited for in vain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    Body,
    Response,
    Word,
    Rest,
    Silence,
    Whole,
}

impl Pace {
    pub(crate) fn new(clock: Rc<Clock>, limits: Rc<Limits>) -> Pace {
        let never = Tick::NEVER;
        let (body, response) = (Due::NEVER, Due::NEVER);
        Pace { clock, limits, body, response, word: never, rest: never, silence: never, whole: Whole::Unset }
    }

    /// The worker has `patience` to say whether it wants the body, before we say so in its place.
    pub(super) fn await_word(&mut self, patience: Duration) {
        self.word = self.clock.after(patience);
    }

    pub(super) fn word_came(&mut self) {
        self.word = Tick::NEVER;
    }

    pub(super) fn await_body(&mut self) {
        if self.body.at == Tick::NEVER && self.limits.body_rate > 0 {
            self.body.at = self.clock.after(self.limits.rate_grace);
        }
    }

    /// `bytes` of the body came, or all of it.
    pub(super) fn body_came(&mut self, bytes: usize, all: bool) {
        self.rest = Tick::NEVER;
        let latest = self.clock.after(self.limits.rate_grace);
        self.body.moved_on(bytes, all, self.limits.body_rate, latest);
    }

    /// It is the worker who is slow, not the client.
    pub(super) fn await_worker(&mut self) {
        self.body = Due::NEVER;
    }

    pub(crate) fn await_reader(&mut self) {
        if self.response.at == Tick::NEVER && self.limits.response_rate > 0 {
            self.response.at = self.clock.after(self.limits.rate_grace);
        }
    }

    /// The client has taken `bytes` of what waits for it, or all.
    pub(crate) fn reader_took(&mut self, bytes: usize, all: bool) {
        let latest = self.clock.after(self.limits.rate_grace);
        self.response.moved_on(bytes, all, self.limits.response_rate, latest);
    }

    /// The response is whole, the request is not.
    pub(super) fn await_rest(&mut self) {
        if self.rest == Tick::NEVER {
            self.rest = self.clock.after(self.limits.rate_grace);
        }
    }

    /// It is the worker that is waited for, and it has `patience` to take or send a byte.
    pub(super) fn await_sign(&mut self, patience: Duration) {
        if self.silence == Tick::NEVER {
            self.silence = self.clock.after(patience);
        }
    }

    /// A byte went to the worker or came from it, or somebody else is waited for.
    pub(super) fn sign_came(&mut self) {
        self.silence = Tick::NEVER;
    }

    /// The worker has a request, and `patience` for its whole answer from the first call on, but for the time in which it
    /// `is_held_up` by the client.
    pub(super) fn await_whole(&mut self, patience: Duration, is_held_up: bool) {
        self.whole = match self.whole {
            Whole::Unset => Whole::Due(self.clock.after(patience)),
            Whole::Due(due) if is_held_up => Whole::Held(due.since(self.clock.now())),
            Whole::Held(left) if !is_held_up => Whole::Due(self.clock.now().plus(left)),
            other => other,
        };
    }

    /// The worker has answered.
    pub(super) fn whole_came(&mut self) {
        self.whole = Whole::Came;
    }

    fn whole_due(&self) -> Tick {
        match self.whole {
            Whole::Due(due) => due,
            Whole::Unset | Whole::Held(_) | Whole::Came => Tick::NEVER,
        }
    }

    /// The next moment at which something is overdue.
    pub(crate) fn due(&self) -> Tick {
        self.body
            .at
            .min(self.response.at)
            .min(self.word)
            .min(self.rest)
            .min(self.silence)
            .min(self.whole_due())
    }

    pub(crate) fn overdue(&self) -> Option<Overdue> {
        let now = self.clock.now();
        let order = [
            (self.rest, Overdue::Rest),
            (self.body.at, Overdue::Body),
            (self.response.at, Overdue::Response),
            (self.word, Overdue::Word),
            (self.silence, Overdue::Silence),
            (self.whole_due(), Overdue::Whole),
        ];
        order.into_iter().find(|(due, _)| *due <= now).map(|(_, what)| what)
    }
}

impl Due {
    const NEVER: Due = Due { at: Tick::NEVER, carried: 0 };

    /// Moves on by the time in which `bytes` are expected at `rate`, and by no more than to `latest`; gone with `all`.
    fn moved_on(&mut self, bytes: usize, all: bool, rate: u64, latest: Tick) {
        if all || rate == 0 {
            *self = Due::NEVER;
        } else if self.at != Tick::NEVER {
            // Less than a tick's worth is carried over, or a drip of single bytes would earn a whole tick each.
            let earned = self.carried + bytes as u64 * TICKS_PER_SECOND;
            let ticks = u32::try_from(earned / rate).unwrap_or(u32::MAX);
            self.carried = earned % rate;
            self.at = self.at.plus(TICK.saturating_mul(ticks)).min(latest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Due, TICK};
    use crate::base::clock::Clock;

    /// 1 KiB/s is a hundred bytes a tick: single bytes earn a tick with the hundred-and-third of them.
    #[test]
    fn a_drip_earns_no_more_than_its_bytes() {
        let clock = Clock::default();
        let (begun, latest) = (clock.now(), clock.after(Duration::from_secs(60)));
        let mut due = Due { at: begun, carried: 0 };
        (0..1024).for_each(|_| due.moved_on(1, false, 1024, latest));
        assert_eq!(due.at, begun.plus(Duration::from_secs(1)));
        due.moved_on(1 << 20, false, 1024, latest);
        assert_eq!(due.at, latest);
        assert_eq!(TICK.as_millis() * 10, 1000);
    }
}
