//! How slow a client may be in one exchange: what is waited for, and until when.
//!
//! A rate is a deadline that every byte moves on by the time it was allowed to take, so a pause is forgiven up to the
//! grace and a drip is not. Nothing counts while we do not wait for the client: a slow worker is not its fault.

use std::rc::Rc;
use std::time::Duration;

use crate::base::clock::{Clock, Tick};
use crate::config::limits::Limits;

pub(super) struct Pace {
    clock: Rc<Clock>,
    limits: Rc<Limits>,
    /// For more of the request's body.
    body: Tick,
    /// For the client to take what waits for it.
    response: Tick,
    /// For the worker to say whether it wants the body.
    word: Tick,
    /// For the rest of a request that has been answered already.
    rest: Tick,
}

/// What has been waited for in vain.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Body,
    Response,
    Word,
    Rest,
}

impl Pace {
    pub(super) fn new(clock: Rc<Clock>, limits: Rc<Limits>) -> Pace {
        let never = Tick::NEVER;
        Pace { clock, limits, body: never, response: never, word: never, rest: never }
    }

    /// The worker has `patience` to say whether it wants the body, before we say so in its place.
    pub(super) fn await_word(&mut self, patience: Duration) {
        self.word = self.clock.after(patience);
    }

    pub(super) fn word_came(&mut self) {
        self.word = Tick::NEVER;
    }

    pub(super) fn await_body(&mut self) {
        if self.body == Tick::NEVER && self.limits.body_rate > 0 {
            self.body = self.clock.after(self.limits.rate_grace);
        }
    }

    /// `bytes` of the body came, or all of it.
    pub(super) fn body_came(&mut self, bytes: usize, all: bool) {
        self.body = if all { Tick::NEVER } else { self.earned(self.body, bytes, self.limits.body_rate) };
    }

    /// It is the worker who is slow, not the client.
    pub(super) fn await_worker(&mut self) {
        self.body = Tick::NEVER;
    }

    pub(super) fn await_reader(&mut self) {
        if self.response == Tick::NEVER && self.limits.response_rate > 0 {
            self.response = self.clock.after(self.limits.rate_grace);
        }
    }

    /// The client has taken `bytes` of what waits for it, or all.
    pub(super) fn reader_took(&mut self, bytes: usize, all: bool) {
        self.response =
            if all { Tick::NEVER } else { self.earned(self.response, bytes, self.limits.response_rate) };
    }

    /// The response is whole, the request is not.
    pub(super) fn await_rest(&mut self) {
        if self.rest == Tick::NEVER {
            self.rest = self.clock.after(self.limits.rate_grace);
        }
    }

    /// The next moment at which something is overdue.
    pub(super) fn due(&self) -> Tick {
        self.body.min(self.response).min(self.word).min(self.rest)
    }

    pub(super) fn overdue(&self) -> Option<Overdue> {
        let now = self.clock.now();
        let order = [
            (self.rest, Overdue::Rest),
            (self.body, Overdue::Body),
            (self.response, Overdue::Response),
            (self.word, Overdue::Word),
        ];
        order.into_iter().find(|(due, _)| *due <= now).map(|(_, what)| what)
    }

    /// `due` moved on by the time in which `bytes` are expected at `rate`, and by no more than the grace from now.
    fn earned(&self, due: Tick, bytes: usize, rate: u64) -> Tick {
        if due == Tick::NEVER || rate == 0 {
            return due;
        }
        let earned = Duration::from_millis(bytes as u64 * 1000 / rate);
        due.plus(earned).min(self.clock.after(self.limits.rate_grace))
    }
}
