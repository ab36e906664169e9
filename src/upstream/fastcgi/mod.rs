//! One attempt to have a FastCGI program answer: as with HTTP, but for what is spoken on the wire.
//!
//! A program understands one request at a time on one connection at a time, and whoever connects meanwhile waits. So its
//! connection is the worker's, not a core's, and the place in the worker is given back when the program is done: with its
//! END_REQUEST or, when its client has left, when it closes.

mod afterwards;
mod ahead;
mod complaints;
mod faults;
mod incoming;
mod link;
mod outgoing;
mod send_file;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use self::afterwards::Leave;
use tokio::time::timeout;

use self::complaints::Complaints;
use self::faults::why_ended;
pub(crate) use self::incoming::Aside;
use self::incoming::Incoming;
use self::link::{Place, Program};
use self::outgoing::Outgoing;
pub(crate) use self::send_file::Allowed;
use super::connections::{Connections, is_quiet};
use super::relay::Relay;
use super::spool;
use crate::base::address::Address;
use crate::base::buffers::Block;
use crate::base::stream::Stream;
use crate::exchange::Exchange;
use crate::failure::{Failure, Side};
use crate::fastcgi::record::{BEGIN_BYTES, HEADER_BYTES, body_header};
use crate::pool::{FastCgiPassing, Lease, Passing, Pool, Worker};

/// So long after its connection a program may end that ends.
const NEWS_OF_AN_END: Duration = Duration::from_millis(100);

/// How the program that was asked has answered.
pub(crate) enum Answered {
    /// The client has the whole response.
    Whole,
    /// Nothing has been sent; somebody else is to answer.
    Aside(Aside),
}

/// What a program is asked.
#[derive(Clone, Copy)]
pub(crate) struct Begin<'b> {
    /// The begin of the request and its parameters, as they are sent.
    pub(crate) records: &'b [u8],
    /// `SCRIPT_FILENAME`.
    pub(crate) script: &'b str,
    /// An error without a page fails with what the program wrote to stderr: its client may see that.
    pub(crate) explains: bool,
}

/// Passes the exchange to the program whose place `lease` holds. A body of unknown length has been spooled.
///
/// # Errors
/// What went wrong, as for [`super::forward::forward`].
pub(crate) async fn forward(
    exchange: &mut Exchange<'_>,
    lease: Lease,
    connections: &Connections,
    pool: &Arc<Pool>,
    (passing, fastcgi): (&Passing, &Arc<FastCgiPassing>),
    Begin { records, script, explains }: Begin<'_>,
) -> Result<Answered, Failure> {
    let worker = lease.worker().clone();
    std::future::poll_fn(|cx| spool::poll_continue(exchange, cx)).await?;
    let is_repeatable = exchange.client.head().method.is_idempotent() && exchange.client.body_is_done();
    let (mut request, is_whole) = request(exchange, records)?;
    let stream = connect(&worker, pool, &mut request, is_repeatable).await?;
    let (stderr, id) = (fastcgi.stderr, exchange.id());
    let complaints = Complaints::new(stderr, pool.clone(), worker.clone(), id, explains);
    let has_spoken = worker.served() > 0;
    let head_only = exchange.client.asked().head_only;
    let incoming = Incoming::new(fastcgi.clone(), complaints, has_spoken, head_only);
    let spool = exchange.spool.take();
    let outgoing = Outgoing::new(request.filled().len(), is_whole);
    let most_spooled = exchange.limits.spooled_bytes;
    let mut program = Program::new(Place { stream, lease }, outgoing, incoming, spool, most_spooled);
    let output = worker.output().filter(|output| output.is_on_disk()).map(Arc::as_ref);
    let ended = Relay::new(exchange, &mut program, request, false, output, passing).run().await;
    let aside = program.incoming.aside.take();
    if program.incoming.is_of_unknown_script {
        program.incoming.complaints.tell_unknown_script(script);
    }
    // A server elsewhere is nobody's here to end.
    if let (Err(failure), Some(_)) = (&ended, worker.pid())
        && let Some(why) = why_ended(failure, fastcgi.stderr)
    {
        worker.report_stuck(why);
    }
    let leave = match &ended {
        Err(failure) if aside.is_none() && failure.side() == Side::Upstream => Leave::Failed,
        Err(_) if aside.is_none() => Leave::Left,
        _ => Leave::Answered,
    };
    if leave == Leave::Failed {
        // Another may be asked.
        exchange.spool = program.spool.take();
    }
    program.is_cut = !exchange.client.body_is_done();
    afterwards::take_leave(program, connections, pool, leave);
    match (aside, ended) {
        (Some(aside), _) => Ok(Answered::Aside(aside)),
        (None, Ok(_)) => Ok(Answered::Whole),
        (None, Err(failure)) => Err(failure),
    }
}

/// The connection that is kept, if it is good, or a new one in its place. Of a `request` that could not be sent again as
/// much goes ahead as nobody can act on, and is taken from it: a program that is about to end never reads that.
async fn connect(
    worker: &Arc<Worker>,
    pool: &Pool,
    request: &mut Block,
    is_repeatable: bool,
) -> Result<Stream, Failure> {
    // Through TCP nobody sees what is read, and there a server has more than one program.
    let may_be_kept = is_repeatable || matches!(worker.address(), Address::Unix(_));
    let Some(socket) = worker.take_parked().filter(|_| may_be_kept) else {
        return Connections::connect_anew(worker).await;
    };
    if let Ok(mut stream) = Stream::new(socket)
        && is_quiet(&mut stream)
    {
        if is_repeatable {
            return Ok(stream);
        }
        let begin = &request.filled()[..BEGIN_BYTES.min(request.filled().len())];
        let sent = timeout(NEWS_OF_AN_END, stream.send_and_see_read(begin)).await;
        // One that takes its time has the whole of it.
        if !matches!(sent, Ok(Err(_))) && is_quiet(&mut stream) {
            request.consume(BEGIN_BYTES.min(request.filled().len()));
            return Ok(stream);
        }
    }
    // The program has closed it. One that ends would let a new connection wait until it has ended, and with it what could
    // not be sent again.
    if let Some(pid) = worker.pid()
        && !worker.closes_connections()
    {
        if pool.journal().ending_of(pid, NEWS_OF_AN_END).await.is_some() {
            return Err(Failure::NotSent);
        }
        worker.is_known_to_close_connections();
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
    // What a program has had served in its place is a GET, whatever of the client's body is still to come.
    if exchange.redirects > 0 {
        block.put(&body_header(0));
        return Ok((block, true));
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
