//! The access log: one line for each request when its response has ended, or its tunnel.
//!
//! A core formats its lines where the exchange ends, into a buffer that it keeps; the file is [`file`]'s. The time of a
//! line is when it is written, its durations are exact.

pub(crate) mod file;
mod line;

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use tracing_appender::non_blocking::NonBlocking;

use self::line::{Date, Draft};
use super::respond::Mark;
use crate::exchange::Exchange;
use crate::exchange::tunnel::AtEnd;
use crate::handler::app::Used;

/// How an exchange without a response ended, in nginx's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The client left before it was answered.
    Gone = 499,
    /// A rule of the site has ended the connection in the place of an answer.
    Aborted = 444,
}

/// What an exchange has been about.
pub(super) struct Ended<'a> {
    pub(super) begun: Instant,
    pub(super) used: &'a Used,
    /// What its status is if the client has been told none.
    pub(super) unanswered: Unanswered,
    pub(super) failed: Option<Mark>,
    /// Its head makes no sense: of it only the bytes are known.
    pub(super) is_refused: bool,
}

/// One core's end of the log.
pub(crate) struct AccessLog {
    sink: RefCell<NonBlocking>,
    /// Empty, but with room for a line.
    spare: RefCell<Vec<u8>>,
    date: RefCell<Date>,
}

impl AccessLog {
    pub(super) fn new(sink: NonBlocking) -> AccessLog {
        AccessLog { sink: RefCell::new(sink), spare: RefCell::default(), date: RefCell::default() }
    }

    /// Writes the line of an exchange, or has it written when its tunnel ends.
    pub(super) fn ended(self: &Rc<Self>, exchange: &mut Exchange<'_>, ended: &Ended<'_>) {
        let draft = Draft::new(self.spare.take(), exchange, ended);
        let given = exchange.client.given();
        if let Some(tunnel) = &mut exchange.tunnel {
            let log = self.clone();
            let told = move |to_client| log.write(draft, given.body_bytes(to_client));
            tunnel.at_end = Some(AtEnd::new(Box::new(told)));
        } else {
            self.write(draft, given.body_bytes(0));
        }
    }

    fn write(&self, draft: Draft, body_bytes: u64) {
        let mut line = draft.finish(body_bytes, self.date.borrow_mut().at(SystemTime::now()));
        // It does not fail: what finds no room is counted where the log is written.
        let _ = self.sink.borrow_mut().write_all(&line);
        line.clear();
        self.spare.replace(line);
    }
}
