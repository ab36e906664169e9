//! One attempt to have a FastCGI program answer: as with HTTP, but for what is spoken on the wire.
//!
//! A program understands one request at a time on one connection at a time, and whoever connects meanwhile waits. So its
//! connection is the worker's, not a core's, and the place in the worker is given back when the program is done: with its
//! END_REQUEST or, when its client has left, by closing.

mod afterwards;
mod complaints;
mod incoming;
mod link;
mod outgoing;
mod send_file;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::complaints::Complaints;
pub(crate) use self::incoming::Aside;
use self::incoming::Incoming;
use self::link::Program;
use self::outgoing::Outgoing;
pub(crate) use self::send_file::Allowed;
use super::connections::{Connections, is_quiet};
use super::relay::Relay;
use super::spool;
use crate::base::buffers::Block;
use crate::base::stream::Stream;
use crate::config::fastcgi::StderrMode;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::fastcgi::record::{HEADER_BYTES, body_header};
use crate::http1::request::Method;
use crate::pool::{FastCgiPassing, Lease, Passing, Pool, Worker};

/// How the program that was asked has answered.
pub(crate) enum Answered {
    /// The client has the whole response.
    Whole,
    /// Nothing has been sent; somebody else is to answer.
    Aside(Aside),
}

/// Passes the exchange to the program whose place `lease` holds. `begin` is the begin of the request and its parameters.
/// A body of unknown length has been spooled.
///
/// # Errors
/// What went wrong, as for [`super::forward::forward`].
pub(crate) async fn forward(
    exchange: &mut Exchange<'_>,
    lease: Lease,
    connections: &Connections,
    pool: &Arc<Pool>,
    (passing, fastcgi): (&Passing, &Arc<FastCgiPassing>),
    begin: &[u8],
) -> Result<Answered, Failure> {
    let worker = lease.worker().clone();
    std::future::poll_fn(|cx| spool::poll_continue(exchange, cx)).await?;
    let (request, is_whole) = request(exchange, begin)?;
    let head = exchange.client.head();
    // The program may be closing a kept connection at this moment: only for what can then be sent again.
    let repeatable = head.method.is_idempotent() && exchange.client.body_is_done();
    let may_send_files = matches!(head.method, Method::Get | Method::Head);
    let stream = connect(&worker, repeatable).await?;
    let complaints = Complaints::new(fastcgi.stderr, pool.clone(), worker.clone());
    let has_spoken = worker.served() > 0;
    let head_only = exchange.client.asked().head_only;
    let incoming = Incoming::new(fastcgi.clone(), complaints, has_spoken, head_only, may_send_files);
    let spool = exchange.spool.take();
    let outgoing = Outgoing::new(request.filled().len(), is_whole);
    let mut program = Program { stream, outgoing, incoming, spool };
    let output = worker.output().filter(|output| output.is_on_disk()).map(Arc::as_ref);
    let ended = Relay::new(exchange, &mut program, request, false, output, passing).run().await;
    exchange.spool = program.spool.take();
    let aside = program.incoming.aside.take();
    // A server elsewhere is nobody's here to end.
    if let (Err(failure), Some(_)) = (&ended, worker.pid())
        && let Some(why) = why_ended(failure, fastcgi.stderr)
    {
        worker.report_stuck(why);
    }
    let is_given_up = ended.is_err() && aside.is_none();
    afterwards::take_leave(program, lease, connections, pool, is_given_up);
    match (aside, ended) {
        (Some(aside), _) => Ok(Answered::Aside(aside)),
        (None, Ok(_)) => Ok(Answered::Whole),
        (None, Err(failure)) => Err(failure),
    }
}

/// Why a worker is ended that failed so, in words that follow "the worker"; none for one that goes on.
fn why_ended(failure: &Failure, stderr: StderrMode) -> Option<String> {
    match failure {
        Failure::Inactive { after } => Some(afterwards::inactive(*after)),
        Failure::Unfinished { after } => Some(afterwards::unfinished(*after)),
        Failure::Complained if stderr == StderrMode::Terminate => {
            Some("wrote to stderr, and stderrMode is TerminateProcess".to_owned())
        }
        _ => None,
    }
}

/// The connection that is kept, if it will do and is good, or a new one in its place.
async fn connect(worker: &Arc<Worker>, reuse: bool) -> Result<Stream, Failure> {
    // Whatever is not used is closed here: the program would not see another connection before.
    if let Some(socket) = worker.take_parked()
        && reuse
        && let Ok(mut stream) = Stream::new(socket)
        && is_quiet(&mut stream)
    {
        return Ok(stream);
    }
    Connections::connect_anew(worker).await
}

/// What goes first: the begin, as much of the body as is here, and its end if that is all.
fn request(exchange: &mut Exchange<'_>, begin: &[u8]) -> Result<(Block, bool), Failure> {
    let mut block = exchange.local.buffers.at_least(begin.len() + 2 * HEADER_BYTES);
    block.put(begin);
    if exchange.spool.is_some() {
        return Ok((block, false));
    }
    let header_at = block.end();
    if !exchange.client.body_is_done() && block.room().len() > HEADER_BYTES {
        block.put(&[0; HEADER_BYTES]);
        exchange.client.take_received_body(&mut block)?;
        let taken = block.end() - header_at - HEADER_BYTES;
        match u16::try_from(taken) {
            Ok(length @ 1..) => {
                let (bytes, _) = block.raw();
                bytes[header_at..header_at + HEADER_BYTES].copy_from_slice(&body_header(length));
            }
            _ => block.truncate(begin.len()),
        }
    }
    let is_whole = exchange.client.body_is_done() && block.room().len() >= HEADER_BYTES;
    if is_whole {
        block.put(&body_header(0));
    }
    Ok((block, is_whole))
}
