//! What becomes of a program and its connection when its client has all it gets: a script that goes on keeps its worker
//! busy, but not its client.
//!
//! Nothing that is sent to a program shows whether it is free: its END_REQUEST does, or that it has closed its end. A
//! program that was left in the middle of a request is read for a moment longer, and then not trusted with another.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::link::Program;
use crate::fastcgi::decoder::End;
use crate::pool::{Lease, Pool};
use crate::upstream::connections::Connections;

/// Read at once of output that nobody gets.
const DISCARDED_BYTES: usize = 16 * 1024;
/// Within this a program must be done with a request that nobody waits for.
const LAST_WORD: Duration = Duration::from_millis(100);
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

/// Keeps the connection if it may carry another request, and returns the place in the worker when the program is done. A
/// program that was given up, or has not taken all of its request, is ended if that is not so at once.
pub(super) fn take_leave(
    mut program: Program,
    lease: Lease,
    connections: &Connections,
    pool: &Arc<Pool>,
    is_given_up: bool,
) {
    if program.incoming.is_over() {
        settle(program, &lease);
        return;
    }
    let pid = lease.worker().pid();
    if lease.worker().is_withdrawn() || is_given_up && pid.is_none() {
        return;
    }
    let is_waited_for = !is_given_up && program.outgoing.is_finished();
    let pool = Arc::clone(pool);
    connections.go_on(async move {
        let read = match is_waited_for {
            true => read_patiently(&mut program).await.map_err(Some),
            false => timeout(LAST_WORD, read_on(&mut program)).await.map_err(|_| None),
        };
        match (read, pid) {
            (Ok(Rest::Over), _) => settle(program, &lease),
            (Ok(Rest::Closed), Some(pid)) => {
                drop(program);
                // The next request is for one that lives.
                pool.journal().ending_of(pid, NEWS_OF_AN_END).await;
            }
            (Err(Some(why)), Some(_)) => lease.worker().report_stuck(why),
            (Ok(Rest::Broken) | Err(None), Some(_)) => {
                drop(program);
                lease.worker().abandon();
            }
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

/// Reads to the end of the request, or of the connection, what nobody gets.
async fn read_on(program: &mut Program) -> Rest {
    loop {
        if let Some(rest) = read_more(program).await {
            return rest;
        }
    }
}

/// Reads one piece; none if more is to come.
async fn read_more(program: &mut Program) -> Option<Rest> {
    let mut room = vec![0; DISCARDED_BYTES];
    std::future::poll_fn(|cx| {
        if program.incoming.is_closed() {
            return Poll::Ready(Some(Rest::Closed));
        }
        if !program.incoming.is_broken() {
            match ready!(program.stream.poll_read(cx, &mut room)) {
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

/// In words that follow "the worker".
pub(super) fn inactive(after: Duration) -> String {
    format!("did not send anything for a request within {} s (activityTimeout)", after.as_secs_f32())
}

/// In words that follow "the worker".
pub(super) fn unfinished(after: Duration) -> String {
    format!("did not finish a request within {} s (requestTimeout)", after.as_secs_f32())
}

/// Keeps the connection if the program ended the request as it should and has read all of it.
fn settle(program: Program, lease: &Lease) {
    let is_clean = program.incoming.is_over()
        && !program.incoming.is_broken()
        && program.outgoing.is_finished()
        && matches!(program.incoming.end, Some(End::Complete { .. }));
    if is_clean && program.incoming.passing.keeps_connection {
        lease.worker().park(program.stream.into_socket());
    }
}
