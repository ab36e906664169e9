//! The head of a worker's answer: looked at, and given to the client with what a site adds.

use super::link::Link;
use super::relay::{Answer, Relay, bad_answer_body};
use crate::base::buffers::Block;
use crate::exchange::h1::HEADROOM;
use crate::failure::Failure;
use crate::http1::body::Body;
use crate::http1::response::ResponseHead;

impl<L: Link> Relay<'_, '_, L> {
    /// Looks at a head, whole or not; interim ones go to the client and another is waited for.
    pub(super) fn take_head(&mut self, mut block: Block) -> Result<(), Failure> {
        self.answered_any = true;
        let head = ResponseHead::parse(block.all(), block.start(), self.asked)
            .map_err(|bad| Failure::BadAnswer(bad.0))?;
        let most = self.worker.most_head_bytes();
        let Some(head) = head else {
            if block.filled().len() >= most || (!block.has_room() && !block.grow(most)) {
                return Err(Failure::AnswerHeadTooLarge(most));
            }
            self.answer = Answer::Head(Some(block));
            return Ok(());
        };
        if head.is_interim() {
            return self.pass_interim(block, head);
        }
        if let Some(policy) = &self.exchange.replaces
            && head.status >= 400
            && policy.errors.page(head.status, 0).is_some()
        {
            // The rest of the answer is nobody's, and the connection ends with it: a price only such sites pay.
            return Err(Failure::Replaced { status: head.status });
        }
        self.pace.word_came();
        self.reusable = head.persistent;
        self.promised_seconds = head.keep_alive_seconds;
        let mut body = Body::new(head.framing);
        let received = block.all().len() - head.end;
        if head.status == 101 {
            self.upgraded = true;
            self.answer = Answer::Done;
        } else {
            let taken = body.scan(&block.all()[head.end..]).map_err(bad_answer_body)?;
            if taken < received {
                // More than was announced: whatever it is, it answers nobody.
                self.reusable = false;
                block.truncate(head.end - block.start() + taken);
            }
            self.answer = if body.is_done() { Answer::Done } else { Answer::Body(body) };
        }
        if self.forwards_connection && head.wants_close {
            self.exchange.client.end_after_response();
        }
        if !self.exchange.with_answer.is_empty() {
            let lines = std::mem::take(&mut self.exchange.with_answer);
            self.exchange.client.add_fields(&lines);
        }
        if let Some(more) = self.exchange.at_answer.take() {
            self.exchange.client.add_fields(&more());
        }
        self.exchange.client.begin(&mut block, &head)?;
        self.down = (!block.is_empty()).then_some(block);
        self.pipe_the_rest();
        Ok(())
    }

    /// The bytes behind an interim head belong to the next one.
    fn pass_interim(&mut self, mut block: Block, head: ResponseHead) -> Result<(), Failure> {
        let behind = &block.all()[head.end..];
        let mut rest = None;
        if !behind.is_empty() {
            let mut next = self.exchange.local.buffers.at_least(HEADROOM + behind.len());
            next.leave_headroom(HEADROOM);
            next.put(behind);
            rest = Some(next);
        }
        block.truncate(head.end - block.start());
        self.exchange.client.begin(&mut block, &head)?;
        self.answer = Answer::Head(None);
        if !block.is_empty() {
            self.down = Some(block);
        }
        if let Some(next) = rest {
            self.answer = Answer::Unread(next);
        }
        Ok(())
    }
}
