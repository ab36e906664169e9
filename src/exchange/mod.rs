//! One request with its response: what handlers see of a client, whichever protocol it speaks.
//!
//! HTTP/1 bytes pass through as they are; HTTP/2 meets the same engine by putting its requests into HTTP/1 form and
//! taking answers out of it. Handlers cannot tell the difference.

pub(crate) mod h1;
pub(crate) mod h2;
pub(crate) mod pipe;
pub(crate) mod reply;
pub(crate) mod request_id;
pub(crate) mod spool;
pub(crate) mod tunnel;

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use self::h1::H1;
use self::h2::H2;
use self::reply::{Opening, Reply};
use self::request_id::RequestId;
use self::spool::Spool;
use self::tunnel::Tunnel;
use crate::base::buffers::Block;
use crate::base::clock::Timer;
use crate::base::local::Local;
use crate::base::pipe::Pipe;
use crate::config::limits::Limits;
use crate::failure::Failure;
use crate::http1::Version;
use crate::http1::request::{Method, RequestHead};
use crate::http1::response::{Asked, ResponseHead};
use crate::rules::policy::Policy;

/// No body of unknown length is larger, whatever a site allows.
const MAX_SPOOLED_BYTES: u64 = 1 << 30;

/// Where a client connects from.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// As sent in `X-Forwarded-For`; none for clients on a Unix socket.
    pub(crate) ip: Option<Box<str>>,
    /// Its end of the connection; 0 on a Unix socket.
    pub(crate) port: u16,
    /// Our end of it; 0 on a Unix socket.
    pub(crate) served_port: u16,
    /// The connection comes from this machine, and is none that proxies prefer (a Unix socket).
    pub(crate) is_local: bool,
}

impl Peer {
    /// A client at `there` that has reached us at `here`; both none for Unix sockets.
    pub(crate) fn new(there: Option<SocketAddr>, here: Option<SocketAddr>) -> Peer {
        let ip = there.map(|there| there.ip().to_canonical());
        let is_local =
            ip.is_some_and(|ip| ip.is_loopback() || here.is_some_and(|here| here.ip().to_canonical() == ip));
        let port = there.map_or(0, |there| there.port());
        let served_port = here.map_or(0, |here| here.port());
        Peer { ip: ip.map(|ip| ip.to_string().into_boxed_str()), port, served_port, is_local }
    }
}

/// What a client has been given in answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Given {
    /// Of the final response; 0 as long as there is none.
    pub(crate) status: u16,
    /// What was sent since it began, less the bytes of its head: below zero while that is on its way.
    beyond_head: i64,
}

impl Given {
    /// A final response begins whose head will be counted with its body.
    fn begin(&mut self, status: u16, head_bytes: usize) {
        *self = Given { status, beyond_head: -(head_bytes as i64) };
    }

    fn add(&mut self, bytes: usize) {
        self.beyond_head += bytes as i64;
    }

    /// How many bytes of the body the client has taken, with so many `more`.
    ///
    /// Over HTTP/1 these are the bytes on the wire, the framing of chunks included; over HTTP/2 those of the body, as
    /// they were handed to the connection.
    pub(crate) fn body_bytes(self, more: u64) -> u64 {
        u64::try_from(self.beyond_head.saturating_add_unsigned(more)).unwrap_or(0)
    }
}

/// The client's end of one exchange.
pub(crate) enum Client<'c> {
    H1(&'c mut H1),
    H2(Box<H2>),
}

pub(crate) struct Exchange<'c> {
    pub(crate) client: Client<'c>,
    pub(crate) local: Rc<Local>,
    pub(crate) limits: Rc<Limits>,
    /// What the worker is asked for, if not what the client asked for.
    pub(crate) target: Option<Box<str>>,
    /// Field lines for the worker, each with its CR LF, from whoever has looked at the request on its way.
    pub(crate) told: String,
    /// Field lines for the client, each with its CR LF, that go with the answer of the worker asked last.
    pub(crate) with_answer: String,
    /// Asked once for more field lines, when the worker's answer begins.
    pub(crate) at_answer: Option<Box<dyn FnOnce() -> String>>,
    /// Its error pages stand in for those of workers. Almost always none.
    pub(crate) replaces: Option<Arc<Policy>>,
    /// The most bytes a body of unknown length may have.
    pub(crate) body_limit: u64,
    /// The body, without its framing, if it had to be here before a worker was asked.
    pub(crate) spool: Option<Spool>,
    /// The program that was asked has answered that the site is to serve this target in its place, as a GET; nothing has
    /// been sent.
    pub(crate) redirected: Option<Box<str>>,
    /// The target that is served in place of the client's, as a GET, since a program has answered so.
    pub(crate) in_place: Option<Box<str>>,
    /// How often that has happened.
    pub(crate) redirects: usize,
    /// Set when client and worker have agreed to go on in another protocol.
    pub(crate) tunnel: Option<Tunnel>,
    id: Option<RequestId>,
}

impl<'c> Exchange<'c> {
    pub(crate) fn new(client: Client<'c>, local: Rc<Local>, limits: Rc<Limits>) -> Exchange<'c> {
        Exchange {
            client,
            local,
            limits,
            target: None,
            told: String::new(),
            with_answer: String::new(),
            at_answer: None,
            replaces: None,
            body_limit: MAX_SPOOLED_BYTES,
            spool: None,
            redirected: None,
            in_place: None,
            redirects: 0,
            tunnel: None,
            id: None,
        }
    }

    /// Its number in pages and logs, from now on.
    pub(crate) fn id(&mut self) -> RequestId {
        *self.id.get_or_insert_with(RequestId::random)
    }

    /// Method and target of what is served: the client's, or what a program has put in their place.
    pub(crate) fn asked(&self) -> (&[u8], &[u8]) {
        let (head, bytes) = (self.client.head(), self.client.head_bytes());
        match &self.in_place {
            Some(target) => (b"GET", target.as_bytes()),
            None => (head.method_name.in_bytes(bytes), head.target.in_bytes(bytes)),
        }
    }
}

/// Both ways to reach the client have the same face; each call below is one `match`.
macro_rules! either {
    ($self:expr, $client:ident => $call:expr) => {
        match $self {
            Client::H1($client) => $call,
            Client::H2($client) => $call,
        }
    };
}

impl Client<'_> {
    pub(crate) fn head(&self) -> &RequestHead {
        either!(self, client => client.head())
    }

    /// The bytes the head is an index over.
    pub(crate) fn head_bytes(&self) -> &[u8] {
        either!(self, client => client.head_bytes())
    }

    pub(crate) fn peer(&self) -> &Peer {
        either!(self, client => client.peer())
    }

    pub(crate) fn timer(&self) -> &Timer {
        either!(self, client => client.timer())
    }

    /// What it has been given of the response so far.
    pub(crate) fn given(&self) -> Given {
        either!(self, client => client.given())
    }

    /// What has been received of a head that makes no sense, and perhaps more.
    pub(crate) fn received(&self) -> &[u8] {
        either!(self, client => client.received())
    }

    pub(crate) fn asked(&self) -> Asked {
        let head = self.head();
        Asked {
            head_only: head.method == Method::Head,
            upgrade: head.upgrade,
            http10: head.version == Version::Http10,
        }
    }

    /// Appends what has been received of the body already to `out`, as far as it has room.
    pub(crate) fn take_received_body(&mut self, out: &mut Block) -> Result<(), Failure> {
        either!(self, client => client.take_received_body(out))
    }

    /// The next piece of the body, framed as the worker is to get it; not called when the body is done.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Block, Failure>> {
        either!(self, client => client.poll_body(cx))
    }

    /// Whether the whole body has been taken.
    pub(crate) fn body_is_done(&self) -> bool {
        either!(self, client => client.body_is_done())
    }

    /// Whether the whole body has been received, taken or not.
    pub(crate) fn body_is_here(&self) -> bool {
        either!(self, client => client.body_is_here())
    }

    /// Whether the request could be sent once more from the beginning; if so, rewinds it.
    pub(crate) fn rewind(&mut self) -> bool {
        either!(self, client => client.rewind())
    }

    /// Ready when the client has gone away; wakes the task for nothing at times. Not to be asked of HTTP/1 before all of
    /// the body is here.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        either!(self, client => client.poll_gone(cx))
    }

    /// Puts the worker's head, which lies at the beginning of `block`'s waiting bytes, into the client's form. What
    /// waits in `block` afterwards is to be sent, the first bytes of the body included.
    pub(crate) fn begin(&mut self, block: &mut Block, head: &ResponseHead) -> Result<(), Failure> {
        either!(self, client => client.begin(block, head))
    }

    /// Has field lines, each with its CR LF, added to the head of the worker's response.
    pub(crate) fn add_fields(&mut self, lines: &str) {
        either!(self, client => client.add_fields(lines));
    }

    /// Has the connection end with this response, and the client told so: before [`Client::begin`]. A connection of
    /// HTTP/2 goes on; it carries others' requests.
    pub(crate) fn end_after_response(&mut self) {
        if let Client::H1(client) = self {
            client.end_after_response();
        }
    }

    /// Sends bytes of the response, framed as the worker framed them; how many were taken.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, client => client.poll_send(cx, bytes))
    }

    /// Whether bytes of the response may bypass this process: they go to the socket as the worker framed them.
    pub(crate) fn takes_pipes(&self) -> bool {
        matches!(self, Client::H1(client) if client.takes_pipes())
    }

    /// Sends what a pipe holds; how much was taken. Only if the client takes pipes.
    pub(crate) fn poll_send_pipe(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        match self {
            Client::H1(client) => client.poll_send_pipe(cx, pipe),
            Client::H2(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Sends up to `most` bytes of a file from `offset` on; how many were taken, 0 if the file ends there. Only if the
    /// client takes pipes.
    pub(crate) fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Client::H1(client) => client.poll_send_file(cx, file, offset, most),
            Client::H2(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Everything has been sent: the response is whole.
    pub(crate) fn complete(&mut self) {
        either!(self, client => client.complete())
    }

    /// Whether the client has been sent part of a final response, so that no other can follow.
    pub(crate) fn has_begun(&self) -> bool {
        either!(self, client => client.has_begun())
    }

    /// The response cannot be finished; the client must be able to see that.
    pub(crate) fn abort(&mut self) {
        either!(self, client => client.abort())
    }

    /// Begins a response of the host's own, whose body follows by [`Client::poll_send`]; to be ended by
    /// [`Client::complete`] or [`Client::abort`]. What waits in the block is to be sent first; it has room for `room`
    /// bytes of the body behind that.
    pub(crate) fn open(&mut self, opening: Opening<'_>, room: usize) -> Result<Block, Failure> {
        match self {
            Client::H1(client) => Ok(client.open(opening, room)),
            Client::H2(client) => client.open(opening, room),
        }
    }

    /// Answers from the host itself.
    pub(crate) async fn reply(&mut self, reply: Reply) -> Result<(), Failure> {
        either!(self, client => client.reply(reply).await)
    }
}
