//! The body of a response on its way from the exchange to the HTTP/2 connection that sends it: one piece at a time.
//!
//! Both ends live on one core. The sender waits until the piece before has been taken, so a client's window reaches
//! the worker; a receiver that is dropped (the client reset the stream) is noticed by the sender at once.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    trailers: Option<HeaderMap>,
    end: End,
    receiver_gone: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

#[derive(Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Whole,
    Cut,
}

pub(crate) struct Sender(Rc<RefCell<State>>);

/// What hyper sends.
pub(crate) struct Receiver(Rc<RefCell<State>>);

pub(crate) fn pipe() -> (Sender, Receiver) {
    let state = Rc::new(RefCell::new(State::default()));
    (Sender(state.clone()), Receiver(state))
}

impl Sender {
    /// Ready when a piece may be sent; an error when nobody receives any more.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.receiver_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.piece.is_some() {
            state.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn send(&self, piece: Bytes) {
        let mut state = self.0.borrow_mut();
        state.piece = Some(piece);
        state.wake_receiver();
    }

    pub(crate) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.receiver_gone {
            return Poll::Ready(());
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn finish(&self, trailers: Option<HeaderMap>) {
        let mut state = self.0.borrow_mut();
        state.trailers = trailers;
        state.end = End::Whole;
        state.wake_receiver();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        if state.end == End::Open {
            state.end = End::Cut;
            state.wake_receiver();
        }
    }
}

impl State {
    fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }
}

impl http_body::Body for Receiver {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.0.borrow_mut();
        if let Some(piece) = state.piece.take() {
            if let Some(waker) = state.sender.take() {
                waker.wake();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match state.end {
            End::Open => {
                state.receiver = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Whole => Poll::Ready(state.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            End::Cut => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.borrow();
        state.end == End::Whole && state.piece.is_none() && state.trailers.is_none()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.receiver_gone = true;
        if let Some(waker) = state.sender.take() {
            waker.wake();
        }
    }
}
