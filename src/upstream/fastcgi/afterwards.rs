//! What becomes of a program and its connection when its client has all it gets: a script that goes on keeps its worker
//! busy, but not its client.
//!
//! What it has not taken of its request when it has answered is given to it here: it may read that late, or never.
//!
//! Nothing that is sent to a program shows whether it is free: its END_REQUEST does, or that it has closed its end. So
//! where PHP is to see that its client has left, only our reading ends, and its next output fails as it would after a close.
//! When it is done it closes, or, before that, reads to the end of what it is sent, which we then see.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::faults::{inactive, unfinished};
use super::link::{Place, Program};
use crate::fastcgi::record::body_header;
use crate::pool::Pool;
use crate::upstream::connections::Connections;

/// Read at once of output that nobody gets.
const DISCARDED_BYTES: usize = 16 * 1024;
/// Within this a program must be done that has failed, or prints what nobody reads.
const LAST_WORD: Duration = Duration::from_millis(100);
/// What nobody reads fills a connection sooner than with so much.
const MOST_FILLER_BYTES: usize = 64 * 1024;
const FILLER_RECORDS: usize = 64;
/// So long after its connection a program may end that ends.
const NEWS_OF_AN_END: Duration = Duration::from_millis(100);

/// What a program has done that was read to the end.
enum Rest {
    /// It has ended the request, as it should.
    Over,
    /// It has closed the connection: it ends, or is free.
    Closed,
    /// What it sends is no FastCGI.
    Broken,
}

/// Why nobody waits for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// The client has all it gets.
    Answered,
    /// The client has left, or is taken for gone.
    Left,
    /// The program has failed.
    Failed,
}

/// Keeps the connection if it may carry another request, and returns the place in the worker when the program is done. A
/// program that has failed is ended if that is not so at once.
pub(super) fn take_leave(mut program: Program, connections: &Connections, pool: &Arc<Pool>, leave: Leave) {
    if program.incoming.is_over() {
        return program.settle();
    }
    let Some(Place { stream, lease }) = &program.place else { return };
    let worker = lease.worker().clone();
    let pid = worker.pid();
    if leave == Leave::Failed && worker.is_withdrawn() || leave != Leave::Answered && pid.is_none() {
        return;
    }
    if program.is_cut && !program.outgoing.is_finished() {
        // It waits for no more of it then. A failure is that of a connection that has ended, which reading shows.
        let _ = stream.shutdown();
    }
    program.forget_client();
    let pool = Arc::clone(pool);
    connections.go_on(async move {
        let read = match leave {
            Leave::Answered => read_patiently(&mut program).await.map_err(Some),
            Leave::Left => read_alone(&mut program).await.map_err(Some),
            Leave::Failed => timeout(LAST_WORD, read_on(&mut program)).await.map_err(|_| None),
        };
        match (read, pid) {
            (Ok(Rest::Over), _) => program.settle(),
            (Ok(Rest::Closed), Some(pid)) => {
                let Some(Place { stream, lease }) = program.place.take() else { return };
                drop(stream);
                // The next request is for one that lives.
                pool.journal().ending_of(pid, NEWS_OF_AN_END).await;
                drop(lease);
            }
            (Err(Some(why)), Some(_)) => worker.report_stuck(why),
            (Ok(Rest::Broken) | Err(None), Some(_)) => worker.abandon(),
            // A server elsewhere is nobody's here to end.
            (_, None) => {}
        }
    });
}

/// Reads as long as a program may take for a request; the error follows "the worker".
async fn read_patiently(program: &mut Program) -> Result<Rest, String> {
    let passing = program.incoming.passing.clone();
    let (silence, whole) = (passing.activity_timeout, passing.request_timeout);
    let latest = Instant::now() + whole;
    loop {
        let until = latest.min(Instant::now() + silence);
        match timeout_at(until, read_more(program)).await {
            Ok(Some(rest)) => return Ok(rest),
            Ok(None) => {}
            Err(_) if until == latest => return Err(unfinished(whole)),
            Err(_) => return Err(inactive(silence)),
        }
    }
}

/// Waits for a script whose client has left, as long as it may take for a request; the error follows "the worker". One
/// that prints something, and does not end with that, finds that nobody listens.
async fn read_alone(program: &mut Program) -> Result<Rest, String> {
    let passing = program.incoming.passing.clone();
    let (silence, whole) = (passing.activity_timeout, passing.request_timeout);
    let latest = (program.begun + whole).max(Instant::now() + LAST_WORD);
    let mut last_word = None;
    while last_word.is_none_or(|last_word| Instant::now() < last_word) {
        let until = latest.min(last_word.unwrap_or(Instant::now() + silence));
        match timeout_at(until, read_more(program)).await {
            Ok(Some(rest)) => return Ok(rest),
            // Where we have ended our half, the end of theirs would not be told.
            Ok(None) if program.incoming.prints_on && !program.is_cut => {
                last_word.get_or_insert(Instant::now() + LAST_WORD);
            }
            Ok(None) => {}
            Err(_) if until == latest => return Err(unfinished(whole)),
            Err(_) if last_word.is_some() => {}
            Err(_) => return Err(inactive(silence)),
        }
    }
    if let Some(Place { stream, .. }) = &program.place {
        stream.shutdown_reading().map_err(|_| unfinished(whole))?;
    }
    timeout_at(latest, reads_again(program)).await.map(|()| Rest::Closed).map_err(|_| unfinished(whole))
}

/// Gives it what is left of the request, and then more ends of it than the connection holds, until somebody reads them or
/// closes. No script does that, and every program that is done with one.
async fn reads_again(program: &mut Program) {
    let filler = body_header(0).repeat(FILLER_RECORDS);
    let (mut taken, mut is_full) = (0, false);
    std::future::poll_fn(|cx| {
        while let Poll::Ready(sent) = program.poll_rest(cx) {
            program.is_cut |= sent.is_err();
        }
        if !program.is_cut && !program.outgoing.is_finished() {
            return Poll::Pending;
        }
        let Some(Place { stream, .. }) = &program.place else { return Poll::Ready(()) };
        while taken < MOST_FILLER_BYTES && !is_full {
            match stream.poll_write(cx, &filler) {
                Poll::Ready(Ok(n)) => taken += n,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => is_full = true,
            }
        }
        match is_full {
            true => stream.poll_write(cx, &filler).map(drop),
            false => Poll::Ready(()),
        }
    })
    .await;
}

/// Reads to the end of the request, or of the connection, what nobody gets.
async fn read_on(program: &mut Program) -> Rest {
    loop {
        if let Some(rest) = read_more(program).await {
            return rest;
        }
    }
}

/// Gives it what is left of the request, and reads one piece; none if more is to come.
async fn read_more(program: &mut Program) -> Option<Rest> {
    let mut room = vec![0; DISCARDED_BYTES];
    std::future::poll_fn(|cx| {
        if let Poll::Ready(sent) = program.poll_rest(cx) {
            program.is_cut |= sent.is_err();
            return Poll::Ready(None);
        }
        let Some(Place { stream, .. }) = &program.place else { return Poll::Ready(Some(Rest::Closed)) };
        if program.incoming.is_closed() {
            return Poll::Ready(Some(Rest::Closed));
        }
        if !program.incoming.is_broken() {
            match ready!(stream.poll_read(cx, &mut room)) {
                Ok(n @ 1..) => program.incoming.discard(&mut room[..n]),
                _ => return Poll::Ready(Some(Rest::Closed)),
            }
        }
        Poll::Ready(match () {
            () if program.incoming.is_broken() => Some(Rest::Broken),
            () if program.incoming.is_over() => Some(Rest::Over),
            () => None,
        })
    })
    .await
}
