//! What a relay waits for when neither way can move: the worker, its client, or nothing any more.

use std::task::{Context, Poll, ready};

use super::link::Link;
use super::pace::Overdue;
use super::relay::{Answer, Relay};
use crate::base::clock::Tick;
use crate::base::pipe::Pipe;
use crate::exchange::Client;
use crate::failure::Failure;

impl<L: Link> Relay<'_, '_, L> {
    /// Whether the worker can go on: the client owes nothing of its request, and has taken all there is of the answer, or
    /// that is kept for it. For when both ways are pending.
    fn waits_for_worker(&self) -> bool {
        let is_read_by_client = self.down.is_none() && self.pipe.as_ref().is_none_or(Pipe::is_empty);
        let is_kept = self.down.is_some() && self.worker.is_read_ahead();
        let is_sent_by_client = self.up.is_some() || self.is_asked();
        is_sent_by_client && (is_read_by_client && !matches!(self.answer, Answer::Done) || is_kept)
    }

    /// The worker is given up. A client that still has something to take gets that first.
    fn let_go(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.down.is_none() && !matches!(self.answer, Answer::Done) {
            return Err(failure);
        }
        self.worker.let_go(failure);
        self.pace.whole_came();
        self.pace.sign_came();
        Ok(())
    }

    pub(super) fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        // The program takes no more now, and its client waits for nothing.
        if L::IS_LEFT_TO_FINISH && self.is_answered() && self.exchange.client.body_is_done() {
            return Poll::Ready(Ok(()));
        }
        // A rest that flows may flow; one that the worker does not take is not waited for.
        if self.is_answered() && (self.up.is_some() || self.exchange.limits.body_rate == 0) {
            self.pace.await_rest();
        }
        if self.worker.took_sign() {
            self.pace.sign_came();
        }
        if let Some(whole) = self.worker.whole() {
            let is_held_up = self.down.is_some() && !self.worker.is_read_ahead();
            self.pace.await_whole(whole, is_held_up);
        } else if L::IS_LEFT_TO_FINISH {
            self.pace.whole_came();
        }
        if let Some(silence) = self.worker.patience(self.silence) {
            match self.waits_for_worker() {
                true => self.pace.await_sign(silence),
                false => self.pace.sign_came(),
            }
        }
        let timer = self.exchange.client.timer();
        if self.pace.due() == Tick::NEVER {
            timer.clear();
            return Poll::Pending;
        }
        match self.pace.overdue() {
            None => {}
            Some(Overdue::Rest) => return Poll::Ready(Ok(())),
            Some(Overdue::Body) if self.is_answered() => return Poll::Ready(Ok(())),
            Some(Overdue::Body) => return Poll::Ready(Err(Failure::BodyTooSlow)),
            Some(Overdue::Response) => return Poll::Ready(Err(Failure::ClientTooSlow)),
            Some(Overdue::Silence) => {
                let after = self.worker.patience(self.silence).unwrap_or_default();
                let failure = self.worker.silent(after);
                self.let_go(failure)?;
            }
            Some(Overdue::Whole) => {
                let after = self.worker.whole().unwrap_or_default();
                let failure = self.worker.late(after);
                self.let_go(failure)?;
            }
            Some(Overdue::Word) => {
                if let Client::H1(client) = &mut self.exchange.client
                    && self.down.is_none()
                {
                    ready!(client.poll_continue(cx)).map_err(|_| Failure::ClientGone)?;
                }
                self.pace.word_came();
            }
        }
        let timer = self.exchange.client.timer();
        timer.wakes(cx.waker());
        timer.set(self.pace.due());
        Poll::Pending
    }
}
