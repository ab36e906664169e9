//! The bytes of one exchange, both ways at once: the request to the worker, the response to the client.
//!
//! Full duplex: the response may begin while the request's body still comes. A piece is read only when the one before
//! it has been taken by the other side, so a slow reader slows its writer and nothing piles up. Every piece is passed on
//! when it comes, but for the last: who has the whole response finds in the log files what the worker printed before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::link::Link;
use super::pace::Pace;
use crate::base::buffers::Block;
use crate::base::pipe::Pipe;
use crate::exchange::h1::HEADROOM;
use crate::exchange::{Client, Exchange};
use crate::failure::Failure;
use crate::http1::body::Body;
use crate::http1::chunked::BadChunk;
use crate::http1::response::Asked;
use crate::logs::output::Output;
use crate::pool::Passing;

/// Bodies from here on are worth the calls that a pipe costs.
const PIPED_FROM_BYTES: u64 = 256 * 1024;
const PIPED_AT_ONCE_BYTES: usize = 1024 * 1024;
/// How long a worker may think about `Expect: 100-continue` before we tell the client to go on.
const CONTINUE_PATIENCE: Duration = Duration::from_millis(400);

/// What any HTTP server asks its socket for at the least: Go 4 KiB, Python 8, PHP 8, Ruby 16, Node 64.
const READ_AT_ONCE_BYTES: usize = 4 * 1024;

/// Whether `request` is complete and a worker reads it in one piece or not at all.
pub(super) fn is_small(client: &Client<'_>, request: &Block) -> bool {
    client.body_is_done() && request.filled().len() <= READ_AT_ONCE_BYTES
}

/// What has been received of the response.
pub(super) enum Answer {
    /// Its head, as far as it came.
    Head(Option<Block>),
    /// The beginning of a head that came together with an interim one.
    Unread(Block),
    Body(Body),
    Done,
}

/// Whether what the worker printed until it had answered is on disk.
enum Log<'r> {
    /// Not asked yet.
    Unknown(&'r Output),
    Awaited(Pin<Box<dyn Future<Output = ()> + 'r>>),
    /// Or there is no log.
    Settled,
}

/// How an exchange ended that ended well.
pub(super) enum Ended {
    /// The worker's connection may carry another request.
    Reusable {
        promised_seconds: Option<u32>,
    },
    Spent,
    /// The worker switched protocols; these bytes of the new one came with its answer.
    Upgraded {
        first: Option<Block>,
    },
}

pub(super) struct Relay<'r, 'c, L> {
    pub(super) exchange: &'r mut Exchange<'c>,
    pub(super) worker: &'r mut L,
    pub(super) asked: Asked,
    /// On the way to the worker.
    pub(super) up: Option<Block>,
    /// The request is all here, and no larger than what a worker reads at once.
    is_small: bool,
    /// Any byte of the request has been taken by the worker's socket.
    sent_any: bool,
    /// The worker takes no more of the request; its answer may still come.
    up_closed: bool,
    /// On the way to the client.
    pub(super) down: Option<Block>,
    /// The rest of a large body goes through here.
    pub(super) pipe: Option<Pipe>,
    pub(super) answer: Answer,
    log: Log<'r>,
    pub(super) answered_any: bool,
    pub(super) reusable: bool,
    pub(super) promised_seconds: Option<u32>,
    pub(super) upgraded: bool,
    /// How long the worker may be silent while it is waited for.
    pub(super) silence: Option<Duration>,
    /// The worker's wish to close ends the client's connection, too.
    pub(super) forwards_connection: bool,
    pub(super) pace: Pace,
}

impl<'r, 'c, L: Link> Relay<'r, 'c, L> {
    /// `request` begins with the head as the worker is to get it. The response is complete when `log` is settled.
    pub(super) fn new(
        exchange: &'r mut Exchange<'c>,
        worker: &'r mut L,
        request: Block,
        is_small: bool,
        log: Option<&'r Output>,
        passing: &Passing,
    ) -> Self {
        let mut pace = Pace::new(exchange.local.clock.clone(), exchange.limits.clone());
        if matches!(&exchange.client, Client::H1(client) if client.needs_continue()) {
            pace.await_word(CONTINUE_PATIENCE);
        }
        Relay {
            asked: exchange.client.asked(),
            is_small,
            exchange,
            worker,
            up: Some(request),
            sent_any: false,
            up_closed: false,
            down: None,
            pipe: None,
            answer: Answer::Head(None),
            log: log.map_or(Log::Settled, Log::Unknown),
            answered_any: false,
            reusable: false,
            promised_seconds: None,
            upgraded: false,
            silence: passing.silence,
            forwards_connection: passing.forwards_connection,
            pace,
        }
    }

    pub(super) async fn run(mut self) -> Result<Ended, Failure> {
        let ended = std::future::poll_fn(|cx| self.poll(cx)).await;
        self.exchange.client.timer().clear();
        if let Some(unsent) = self.up.take() {
            self.worker.keep_unsent(unsent);
        }
        ended?;
        if self.upgraded {
            return Ok(Ended::Upgraded { first: self.down.take() });
        }
        self.exchange.client.complete();
        if self.reusable && !self.up_closed && self.exchange.client.body_is_done() {
            return Ok(Ended::Reusable { promised_seconds: self.promised_seconds });
        }
        Ok(Ended::Spent)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let (mut up, mut down) = (Poll::Ready(()), Poll::Ready(()));
        while up.is_ready() || down.is_ready() {
            if up.is_ready() {
                up = match self.poll_up(cx) {
                    // The response is whole; what became of the rest of the request changes nothing.
                    Poll::Ready(Err(_)) if self.is_answered() => {
                        self.close_up();
                        Poll::Ready(())
                    }
                    other => other?,
                };
            }
            if down.is_ready() {
                down = self.poll_down(cx)?;
            }
            if self.is_answered() && (self.is_asked() || self.upgraded) {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_deadlines(cx)
    }

    pub(super) fn is_answered(&self) -> bool {
        let is_sent = self.down.is_none() && matches!(self.log, Log::Settled);
        matches!(self.answer, Answer::Done) && (is_sent || self.upgraded)
    }

    pub(super) fn is_asked(&self) -> bool {
        let is_sent = || self.exchange.client.body_is_done() && self.worker.is_finished();
        self.up.is_none() && (self.up_closed || is_sent())
    }

    /// The worker gets no more of the request in this exchange.
    fn close_up(&mut self) {
        if let Some(unsent) = self.up.take() {
            self.worker.keep_unsent(unsent);
        }
        self.up_closed = true;
    }

    // Towards the worker.

    /// Moves the request one piece further. Pending when there is nothing to do but wait.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if let Some(block) = &mut self.up {
            let Poll::Ready(sent) = self.worker.poll_write(cx, block.filled()) else {
                self.pace.await_worker();
                return Poll::Pending;
            };
            match sent {
                Ok(n) => {
                    self.sent_any = true;
                    self.pace.sign_came();
                    block.consume(n);
                    if block.is_empty() {
                        self.up = None;
                    }
                }
                Err(_) if !self.sent_any => return Poll::Ready(Err(Failure::NotSent)),
                // The worker wants no more of it; what it has to say is still to be read.
                Err(_) => self.close_up(),
            }
            return Poll::Ready(Ok(()));
        }
        let client = &mut self.exchange.client;
        if self.up_closed || client.body_is_done() {
            if !self.up_closed && !self.worker.is_finished() {
                return self.poll_finish(cx);
            }
            return match client.poll_gone(cx) {
                Poll::Ready(gone) => Poll::Ready(Err(gone)),
                Poll::Pending => Poll::Pending,
            };
        }
        let Poll::Ready(block) = client.poll_body(cx) else {
            self.pace.await_body();
            return Poll::Pending;
        };
        let block = block?;
        self.pace.word_came();
        self.pace.body_came(block.filled().len(), self.exchange.client.body_is_done());
        if !block.is_empty() {
            self.up = Some(block);
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what follows the request's body one piece further.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Poll::Ready(sent) = self.worker.poll_finish(cx) else {
            self.pace.await_worker();
            return self.exchange.client.poll_gone(cx).map(Err);
        };
        if let Some(failure) = self.worker.failure() {
            return Poll::Ready(Err(failure));
        }
        match sent {
            Ok(()) => self.pace.sign_came(),
            Err(_) => self.close_up(),
        }
        Poll::Ready(Ok(()))
    }

    // Towards the client.

    /// Moves the response one piece further. Pending when there is nothing to do but wait.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.upgraded {
            return Poll::Pending;
        }
        if matches!(self.answer, Answer::Done) {
            ready!(self.poll_log(cx));
        }
        if let Some(block) = &mut self.down {
            let Poll::Ready(sent) = self.exchange.client.poll_send(cx, block.filled()) else {
                self.pace.await_reader();
                self.worker.read_ahead(cx);
                return Poll::Pending;
            };
            let sent = sent.map_err(|_| Failure::ClientGone)?;
            block.consume(sent);
            let is_empty = block.is_empty();
            if is_empty {
                self.down = None;
            }
            self.pace.reader_took(sent, is_empty);
            return Poll::Ready(Ok(()));
        }
        match &mut self.answer {
            Answer::Done => Poll::Pending,
            Answer::Unread(_) => {
                let Answer::Unread(block) = std::mem::replace(&mut self.answer, Answer::Head(None)) else {
                    return Poll::Pending;
                };
                Poll::Ready(self.take_head(block))
            }
            Answer::Head(partial) => {
                let mut block = partial.take().unwrap_or_else(|| {
                    let mut block = self.exchange.local.buffers.large();
                    block.leave_headroom(HEADROOM);
                    block
                });
                let read = self.worker.poll_read(cx, block.room());
                if let Poll::Ready(Ok(n)) = &read {
                    block.received(*n);
                    self.pace.sign_came();
                }
                match read {
                    Poll::Pending => {
                        if !block.is_empty() {
                            self.answer = Answer::Head(Some(block));
                        }
                        Poll::Pending
                    }
                    Poll::Ready(Ok(n)) if n > 0 => Poll::Ready(self.take_head(block)),
                    Poll::Ready(_) if let Some(failure) = self.worker.failure() => Poll::Ready(Err(failure)),
                    Poll::Ready(Err(error)) if block.is_empty() && self.was_left_unread(&error) => {
                        Poll::Ready(Err(Failure::NotRead))
                    }
                    Poll::Ready(_) if block.is_empty() && !self.answered_any => {
                        Poll::Ready(Err(Failure::ClosedBeforeAnswer))
                    }
                    Poll::Ready(_) => Poll::Ready(Err(Failure::ClosedInHead)),
                }
            }
            Answer::Body(Body::Length(left)) if self.pipe.is_some() => {
                let left = *left;
                self.poll_pipe(cx, left)
            }
            Answer::Body(body) => {
                let mut block = self.exchange.local.buffers.large();
                match ready!(self.worker.poll_read(cx, block.room())) {
                    Ok(0) if matches!(body, Body::UntilClose) => {
                        self.answer = Answer::Done;
                        Poll::Ready(Ok(()))
                    }
                    Ok(0) | Err(_) => Poll::Ready(Err(self.worker.failure().unwrap_or(Failure::Truncated))),
                    Ok(n) => {
                        block.received(n);
                        self.pace.sign_came();
                        Poll::Ready(self.take_body(block))
                    }
                }
            }
        }
    }

    /// Ready when what the worker has printed is on disk. For when all of its answer is here.
    fn poll_log(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Log::Unknown(output) = self.log {
            self.log = match output.is_settled() {
                true => Log::Settled,
                false => Log::Awaited(Box::pin(output.settled())),
            };
        }
        if let Log::Awaited(settled) = &mut self.log {
            ready!(settled.as_mut().poll(cx));
            self.log = Log::Settled;
        }
        Poll::Ready(())
    }

    /// Whether the worker closed without having read any of the request, so that it cannot have acted on it. A Unix
    /// socket is reset exactly when something is left unread; a TCP connection for other reasons too. Of a small
    /// request something is left only if all of it is, as everybody reads that much at once.
    fn was_left_unread(&self, error: &io::Error) -> bool {
        let is_sent = self.is_asked() && !self.up_closed && !self.answered_any;
        is_sent
            && self.is_small
            && self.worker.is_to_unix_socket()
            && error.kind() == io::ErrorKind::ConnectionReset
    }

    /// Moves `left` bytes of the body one piece further, past this process.
    fn poll_pipe(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<Result<(), Failure>> {
        if left == 0 {
            ready!(self.poll_log(cx));
        }
        let Some(pipe) = &mut self.pipe else { return Poll::Pending };
        if pipe.is_empty() && left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIPED_AT_ONCE_BYTES);
            let n = match ready!(self.worker.poll_fill(cx, pipe, most)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Truncated)),
                Ok(n) => n,
            };
            self.pace.sign_came();
            self.answer = Answer::Body(Body::Length(left - n as u64));
            return Poll::Ready(Ok(()));
        }
        let Poll::Ready(sent) = self.exchange.client.poll_send_pipe(cx, pipe) else {
            self.pace.await_reader();
            return Poll::Pending;
        };
        let sent = sent.map_err(|_| Failure::ClientGone)?;
        let is_empty = pipe.is_empty();
        self.pace.reader_took(sent, is_empty);
        if is_empty && left == 0 {
            self.pipe = None;
            self.answer = Answer::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn take_body(&mut self, mut block: Block) -> Result<(), Failure> {
        let Answer::Body(body) = &mut self.answer else { return Ok(()) };
        let received = block.filled().len();
        let taken = body.scan(block.filled()).map_err(bad_answer_body)?;
        if taken < received {
            self.reusable = false;
            block.truncate(taken);
        }
        if body.is_done() {
            self.answer = Answer::Done;
        }
        if !block.is_empty() {
            self.down = Some(block);
        }
        Ok(())
    }

    /// A body that is large, whose length is known and that needs no looking into, goes on past this process.
    pub(super) fn pipe_the_rest(&mut self) {
        if let Answer::Body(Body::Length(left)) = self.answer
            && L::IS_PLAIN
            && left >= PIPED_FROM_BYTES
            && self.exchange.client.takes_pipes()
        {
            // Without descriptors for it, it is copied.
            self.pipe = self.exchange.local.pipes.open().ok();
        }
    }
}

pub(super) fn bad_answer_body(bad: BadChunk) -> Failure {
    Failure::BadAnswerBody(bad.0)
}
