//! Serves a file of a site: the whole of it, the parts asked for, or word that the client has it already.
//!
//! Which file, and whether it may be served, has been decided before; here a path is taken as found. What the request
//! asks for is decided by pure functions ([`conditional`], [`range`], [`plan`]); [`send`] moves the bytes.

mod conditional;
mod plan;
mod range;
mod send;
#[cfg(test)]
mod tests;

use std::io;
use std::time::SystemTime;

use self::conditional::{Conditions, Validators, Verdict};
use self::plan::{Described, Plan};
use self::range::Wanted;
use crate::base::root::{OpenFile, Root};
use crate::exchange::Exchange;
use crate::exchange::reply::{Opening, Reply};
use crate::failure::Failure;
use crate::http1::request::Method;
use crate::rules::files::FilePolicy;

const ALLOW: &str = "Allow: GET, HEAD, OPTIONS\r\n";
/// Files up to here leave in one piece with their head.
const AT_ONCE_BYTES: u64 = 64 * 1024;

pub(crate) struct FileRequest<'a> {
    pub(crate) root: &'a Root,
    /// As [`Root::find`] spelled it.
    pub(crate) path: &'a str,
    pub(crate) policy: &'a FilePolicy,
    /// Field lines for the response, each with its CR LF.
    pub(crate) fields: &'a str,
    /// Says what the file is, whatever its name.
    pub(crate) media_type_override: Option<&'a str>,
    /// Stands in for what the policy says of caches.
    pub(crate) cache_control: Option<&'a str>,
    /// A program answers with it, so that the request may have any method.
    pub(crate) is_answer: bool,
}

/// Why a file was not served.
#[derive(Debug)]
pub(crate) enum NotServed {
    /// Nothing has been sent; the client is to get an error page.
    Refused {
        status: u16,
        substatus: u16,
        why: &'static str,
        /// Field lines the page must carry, each with its CR LF.
        fields: String,
    },
    /// The client's or the machine's; if the response has begun, it has been broken off.
    Failed(Failure),
}

impl NotServed {
    fn refused(status: u16, substatus: u16, why: &'static str) -> NotServed {
        NotServed::Refused { status, substatus, why, fields: String::new() }
    }

    fn with(self, line: &str) -> NotServed {
        match self {
            NotServed::Refused { status, substatus, why, mut fields } => {
                fields.push_str(line);
                NotServed::Refused { status, substatus, why, fields }
            }
            failed => failed,
        }
    }
}

impl From<Failure> for NotServed {
    fn from(failure: Failure) -> NotServed {
        NotServed::Failed(failure)
    }
}

/// Answers with a file.
///
/// # Errors
/// Nothing has been sent with [`NotServed::Refused`]. The body of a request is never read here.
pub(crate) async fn serve(exchange: &mut Exchange<'_>, request: FileRequest<'_>) -> Result<(), NotServed> {
    let method = exchange.client.head().method;
    match method {
        Method::Get | Method::Head => {}
        _ if request.is_answer || exchange.in_place.is_some() => {}
        Method::Options => {
            let reply = Reply { extra: format!("{ALLOW}{}", request.fields), ..Reply::empty(200) };
            return Ok(exchange.client.reply(reply).await?);
        }
        _ => return Err(NotServed::refused(405, 0, "a file can only be read").with(ALLOW)),
    }
    let name = request.path.rsplit('/').next().unwrap_or(request.path);
    let media_type = request.media_type_override.or_else(|| request.policy.media_type(name));
    let Some(media_type) = media_type else {
        return Err(NotServed::refused(404, 3, "the site serves no files of this type"));
    };
    let file = request.root.open_file(request.path).map_err(|error| not_opened(&error))?;
    let plan = plan(exchange, &request, &file, media_type)?;
    let body = if method == Method::Head { plan::Pieces::new() } else { plan.pieces };
    let length = if body.is_empty() { 0 } else { plan.length.unwrap_or(0) };
    // Of larger ones the first block takes what it happens to have room for.
    let room = if length <= AT_ONCE_BYTES { length as usize } else { 0 };
    let opening = Opening { status: plan.status, lines: &plan.lines, length: plan.length };
    let block = exchange.client.open(opening, room)?;
    Ok(send::send(exchange, &file, block, body).await?)
}

/// Weighs what the request says against the file as it is.
fn plan(
    exchange: &Exchange<'_>,
    request: &FileRequest<'_>,
    file: &OpenFile,
    media_type: &str,
) -> Result<Plan, NotServed> {
    let (head, bytes) = (exchange.client.head(), exchange.client.head_bytes());
    let (length, today) = (file.length(), SystemTime::now());
    let validators = Validators::new(file.modified_ns(), length, today);
    let described = Described {
        media_type,
        length,
        validators: &validators,
        client_cache: &request.policy.client_cache,
        cache_control: request.cache_control,
        fields: request.fields,
    };
    match Conditions::of(head, bytes).verdict(head.method, &validators, today) {
        Verdict::Failed => Err(NotServed::refused(412, 0, "the file is not in the state the request names")),
        Verdict::NotModified => Ok(described.not_modified()),
        Verdict::Whole => Ok(described.whole()),
        Verdict::Range(range) => match range::wanted(range, length) {
            Wanted::Whole => Ok(described.whole()),
            Wanted::Parts(parts) => described.parts(&parts, boundary).map_err(|_| exhausted("randomness")),
            Wanted::Nothing => Err(NotServed::refused(416, 0, "the file has none of the bytes asked for")
                .with(&format!("Content-Range: bytes */{length}\r\n"))),
        },
    }
}

/// A line between parts that nobody can have put into a file.
fn boundary() -> io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u128::from_ne_bytes(bytes))
}

fn not_opened(error: &io::Error) -> NotServed {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => return exhausted("file descriptors"),
        Some(Errno::ACCESS | Errno::PERM) => {
            return NotServed::refused(403, 0, "the host may not read the file");
        }
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::NotFound => NotServed::refused(404, 0, "there is no such file"),
        _ => NotServed::refused(500, 0, "the file cannot be opened"),
    }
}

fn exhausted(what: &'static str) -> NotServed {
    NotServed::Failed(Failure::Exhausted(what))
}
