//! Why a request was not answered by its worker: every cause, whose fault it is, what the client gets, and whether
//! another worker may try.

mod manner;
mod table;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use self::manner::Manner;
use crate::http1::chunked::BadChunk;
use crate::http1::request::BadHead;

/// Where a failure has its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Downstream,
    /// The worker.
    Upstream,
    /// What the site's files and settings say.
    Site,
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

    /// With the name of the variable that would have held it.
    #[error("{0} is longer than a FastCGI program can be told")]
    ParameterTooLarge(String),
    #[error("the request's body is larger than {0} bytes")]
    BodyTooLarge(u64),

    // The site's.
    /// With the numbers of IIS: request filtering, a method a file has no answer for, a rule that answers itself.
    #[error("{why}")]
    Refused { status: u16, substatus: u16, why: String },
    /// A file that is served as one, or refused, because no handler of its path takes the method.
    #[error("/{path}: the handler {handler} has this path for {verbs} only, and {method} was asked")]
    OtherVerbs { numbers: (u16, u16), path: String, method: String, handler: String, verbs: String },
    /// What does not exist, as a whole sentence.
    #[error("{0}")]
    NotFound(String),
    #[error("the configuration of this folder cannot be used: {what}")]
    Broken { what: Arc<str> },
    /// The settings of an application, each note with its place.
    #[error("{}", bad_settings(*.is_yml))]
    BadSettings { is_yml: bool, notes: Arc<[String]> },
    #[error("{application} cannot be started with `{command}`: {}", not_found(.program, .why.as_deref()))]
    ProgramNotFound {
        application: String,
        program: String,
        command: String,
        /// What was looked for, and what would help, if that is known.
        why: Option<String>,
        /// It was there when the application began; a worker that ended cannot be replaced.
        refilling: bool,
    },
    /// Its app_offline.htm stands in for everything.
    #[error("the site is offline")]
    Offline(Arc<[u8]>),
    #[error("logs are not shown to clients on other machines")]
    LogsClosed,
    /// The site has a page that stands in for such answers of its workers.
    #[error("the application answered {status}, which the site has a page of its own for")]
    Replaced { status: u16 },

    // Nobody to give it to.
    #[error("every worker of {application} is at its limit of concurrent requests")]
    Overflow { application: String, retry_after: Duration },
    #[error("no worker of {application} became ready in {} s", .after.as_secs())]
    NotReady { application: String, after: Duration },
    #[error("{application} does not start: {why}")]
    Failing { application: String, why: Arc<str> },
    /// Its workers have ended more often than is allowed in a minute.
    #[error(
        "{application} has failed more than {limit} times within a minute; it is started again in {} s",
        .opens_in.as_secs() + 1
    )]
    Closed { application: String, limit: u32, opens_in: Duration },
    #[error("the host is stopping")]
    Stopping,
    #[error("the host has no {0} left")]
    Exhausted(&'static str),
    #[error("the request's body could not be kept until it was whole: {0}")]
    NotSpooled(io::Error),
    #[error("the file became shorter, or unreadable, while it was sent")]
    FileCut,

    // The worker's.
    #[error("the worker does not accept connections: {0}")]
    ConnectRefused(io::Error),
    #[error("the worker's backlog is full")]
    ConnectBusy,
    #[error("the worker did not accept a connection in time")]
    ConnectTimeout,
    /// `requestTimeout`: no byte came, or none was taken.
    #[error("the worker said nothing for {} s", .after.as_secs())]
    Silent { after: Duration },
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

    // A FastCGI program's.
    /// `activityTimeout`.
    #[error("the program did nothing for {} s (activityTimeout)", .after.as_secs())]
    Inactive { after: Duration },
    /// `requestTimeout` of FastCGI.
    #[error("the program did not finish the request within {} s (requestTimeout)", .after.as_secs())]
    Unfinished { after: Duration },
    #[error("the program took no request: it {0}")]
    Rejected(&'static str),
    #[error("the program does not play the role of a FastCGI responder")]
    UnknownRole,
    #[error("what the program sent is not FastCGI: {0}")]
    BadRecord(&'static str),
    #[error("what the program printed is no CGI response: {0}")]
    BadCgi(&'static str),
    #[error("the program ended the request before the head of its answer, with code {exit_code}")]
    EndedInHead { exit_code: u32 },
    #[error("the program's answer is shorter than it said")]
    Shorter,
    /// Where the pool's `stderrMode` makes an error of it.
    #[error("the program wrote to stderr, which its pool takes for an error")]
    Complained,
    /// With what it wrote to stderr; only for who may see that.
    #[error("the program answered {status} without a page, and wrote to stderr")]
    Blank { status: u16, said: Arc<[u8]> },
    #[error("the program redirected the request within the site more than {0} times")]
    RedirectLoop(usize),
}

impl Failure {
    pub fn side(&self) -> Side {
        self.row().side
    }

    /// The status the client gets, if it can still be told.
    pub fn status(&self) -> u16 {
        self.row().status
    }

    /// A word for logs and programs; never changes its meaning.
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    pub fn retry(&self) -> Retry {
        match self {
            Failure::ConnectRefused(_)
            | Failure::ConnectBusy
            | Failure::ConnectTimeout
            | Failure::NotSent => Retry::Always,
            Failure::NotRead | Failure::Rejected(_) => Retry::AFew,
            Failure::ClosedBeforeAnswer => Retry::IfIdempotent,
            _ => Retry::Never,
        }
    }

    /// How long the client should wait before it asks again, where asking again makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Overflow { retry_after, .. } => Some(*retry_after),
            Failure::Closed { opens_in, .. } => Some(*opens_in + Duration::from_secs(1)),
            Failure::NotReady { .. }
            | Failure::Failing { .. }
            | Failure::Stopping
            | Failure::Exhausted(_) => Some(Duration::from_secs(1)),
            Failure::ProgramNotFound { refilling: true, .. } => Some(Duration::from_secs(1)),
            Failure::Offline(_) => Some(Duration::from_secs(10)),
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

/// The words for a yml file are iisnode's, by which people find help.
fn bad_settings(is_yml: bool) -> &'static str {
    if is_yml {
        "ostler is unable to read the configuration file iisnode.yml"
    } else {
        "the settings of this application cannot be used"
    }
}

fn not_found(program: &str, why: Option<&str>) -> String {
    why.map_or_else(|| format!("there is no program `{program}`"), str::to_owned)
}

impl From<BadChunk> for Failure {
    fn from(bad: BadChunk) -> Failure {
        Failure::BadBody(bad.0)
    }
}
