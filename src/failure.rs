//! Why a request was not answered by its worker: every cause, whose fault it is, what the client gets, and whether
//! another worker may try.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::http1::chunked::BadChunk;
use crate::http1::request::BadHead;

/// Where a failure has its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Downstream,
    /// The worker.
    Upstream,
    /// ostler itself, or the machine.
    Host,
}

/// Whether the request may be given to another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The client has seen part of an answer, or it would be refused again.
    Never,
    /// The worker may have begun to act on it: only if doing it twice is doing it once.
    IfIdempotent,
    /// A worker was sent it and did not read it: a few times, in case it is what ends workers after all.
    AFew,
    /// No worker has seen any of it.
    Always,
}

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    // The client's.
    #[error("the request is not valid HTTP/1: {0}")]
    Malformed(&'static str),
    #[error("the request's head is larger than {0} bytes")]
    HeadTooLarge(usize),
    #[error("the request has more than {0} header fields")]
    TooManyFields(usize),
    #[error("this version of HTTP is not spoken here")]
    Version,
    #[error("the request's transfer coding is not known here")]
    UnknownCoding,
    #[error("CONNECT is for forward proxies")]
    Connect,
    #[error("the request's body is not framed as it says: {0}")]
    BadBody(&'static str),
    #[error("the request's head did not arrive in time")]
    HeadTimeout,
    #[error("the request's body arrives too slowly")]
    BodyTooSlow,
    #[error("the client went away")]
    ClientGone,
    #[error("the client reads too slowly")]
    ClientTooSlow,

    // Nobody to give it to.
    #[error("every worker of {application} is at its limit of concurrent requests")]
    Overflow { application: String, retry_after: Duration },
    #[error("no worker of {application} became ready in {} s", .after.as_secs())]
    NotReady { application: String, after: Duration },
    #[error("{application} does not start: {why}")]
    Failing { application: String, why: Arc<str> },
    #[error("the host is stopping")]
    Stopping,
    #[error("the host has no {0} left")]
    Exhausted(&'static str),

    // The worker's.
    #[error("the worker does not accept connections: {0}")]
    ConnectRefused(io::Error),
    #[error("the worker's backlog is full")]
    ConnectBusy,
    #[error("the worker did not accept a connection in time")]
    ConnectTimeout,
    #[error("the worker closed the connection before it took the request")]
    NotSent,
    #[error("the worker closed the connection before it had read the request")]
    NotRead,
    #[error("the worker closed the connection before it answered")]
    ClosedBeforeAnswer,
    #[error("the worker closed the connection inside the head of its answer")]
    ClosedInHead,
    #[error("the worker's answer is not valid HTTP/1: {0}")]
    BadAnswer(&'static str),
    #[error("the head of the worker's answer is larger than {0} bytes")]
    AnswerHeadTooLarge(usize),
    #[error("the worker closed the connection inside the body of its answer")]
    Truncated,
    #[error("the body of the worker's answer is not framed as it says: {0}")]
    BadAnswerBody(&'static str),
}

impl Failure {
    pub fn side(&self) -> Side {
        match self {
            Failure::Malformed(_)
            | Failure::HeadTooLarge(_)
            | Failure::TooManyFields(_)
            | Failure::Version
            | Failure::UnknownCoding
            | Failure::Connect
            | Failure::BadBody(_)
            | Failure::HeadTimeout
            | Failure::BodyTooSlow
            | Failure::ClientGone
            | Failure::ClientTooSlow => Side::Downstream,
            Failure::Overflow { .. } | Failure::Stopping | Failure::Exhausted(_) => Side::Host,
            _ => Side::Upstream,
        }
    }

    /// The status the client gets, if it can still be told.
    pub fn status(&self) -> u16 {
        match self {
            Failure::Malformed(_) | Failure::BadBody(_) | Failure::ClientGone | Failure::ClientTooSlow => 400,
            Failure::Connect => 405,
            Failure::HeadTimeout | Failure::BodyTooSlow => 408,
            Failure::HeadTooLarge(_) | Failure::TooManyFields(_) => 431,
            Failure::UnknownCoding => 501,
            Failure::Version => 505,
            Failure::Overflow { .. }
            | Failure::Failing { .. }
            | Failure::Stopping
            | Failure::Exhausted(_) => 503,
            Failure::NotReady { .. } | Failure::ConnectTimeout => 504,
            Failure::ConnectRefused(_)
            | Failure::ConnectBusy
            | Failure::NotSent
            | Failure::NotRead
            | Failure::ClosedBeforeAnswer
            | Failure::ClosedInHead
            | Failure::BadAnswer(_)
            | Failure::AnswerHeadTooLarge(_)
            | Failure::Truncated
            | Failure::BadAnswerBody(_) => 502,
        }
    }

    /// A word for logs and programs; never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Malformed(_) => "bad_request",
            Failure::HeadTooLarge(_) => "head_too_large",
            Failure::TooManyFields(_) => "too_many_fields",
            Failure::Version => "http_version",
            Failure::UnknownCoding => "unknown_coding",
            Failure::Connect => "connect",
            Failure::BadBody(_) => "bad_body",
            Failure::HeadTimeout => "head_timeout",
            Failure::BodyTooSlow => "body_too_slow",
            Failure::ClientGone => "client_gone",
            Failure::ClientTooSlow => "client_too_slow",
            Failure::Overflow { .. } => "overflow",
            Failure::NotReady { .. } => "not_ready",
            Failure::Failing { .. } => "failing",
            Failure::Stopping => "stopping",
            Failure::Exhausted(_) => "exhausted",
            Failure::ConnectRefused(_) => "connect_refused",
            Failure::ConnectBusy => "connect_busy",
            Failure::ConnectTimeout => "connect_timeout",
            Failure::NotSent => "not_sent",
            Failure::NotRead => "not_read",
            Failure::ClosedBeforeAnswer => "closed_before_answer",
            Failure::ClosedInHead => "closed_in_head",
            Failure::BadAnswer(_) => "bad_answer",
            Failure::AnswerHeadTooLarge(_) => "answer_head_too_large",
            Failure::Truncated => "truncated",
            Failure::BadAnswerBody(_) => "bad_answer_body",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Failure::ConnectRefused(_)
            | Failure::ConnectBusy
            | Failure::ConnectTimeout
            | Failure::NotSent => Retry::Always,
            Failure::NotRead => Retry::AFew,
            Failure::ClosedBeforeAnswer => Retry::IfIdempotent,
            _ => Retry::Never,
        }
    }

    /// How long the client should wait before it asks again, where asking again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Overflow { retry_after, .. } => Some(*retry_after),
            Failure::NotReady { .. }
            | Failure::Failing { .. }
            | Failure::Stopping
            | Failure::Exhausted(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    pub(crate) fn of_bad_head(bad: BadHead, max_fields: usize) -> Failure {
        match bad {
            BadHead::Malformed(why) => Failure::Malformed(why),
            BadHead::TooManyFields => Failure::TooManyFields(max_fields),
            BadHead::Version => Failure::Version,
            BadHead::UnknownCoding => Failure::UnknownCoding,
            BadHead::Connect => Failure::Connect,
        }
    }
}

impl From<BadChunk> for Failure {
    fn from(bad: BadChunk) -> Failure {
        Failure::BadBody(bad.0)
    }
}
