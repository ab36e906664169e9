//! Requests for FastCGI programs: what has to be here before one is asked, what it is told, and what it has done in its
//! place.

use std::sync::Arc;

use super::cgi::{self, Cgi};
use super::files::{self, FileRequest, NotServed};
use super::locality;
use super::variables::Scene;
use crate::base::root::{Kind, Root};
use crate::config::settings::DevErrors;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::http1::framing::Framing;
use crate::http1::request::Method;
use crate::pool::{ErrorStyle, FastCgiPassing, Generation, Lease};
use crate::rules::files::FilePolicy;
use crate::upstream::connections::Connections;
use crate::upstream::fastcgi::{self, Allowed, Answered, Aside, Begin};
use crate::upstream::spool;

/// RFC 3875 leaves the number to the server; IIS and others stop at ten.
const MOST_REDIRECTS: usize = 10;

/// Receives a body whose length is not known, before it keeps a program busy.
pub(super) async fn prepare(exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    if exchange.redirects > 0 {
        return Ok(());
    }
    spool::spool(exchange).await
}

/// Whether what is served in place of another goes to a server as the client sent it: the body of another method is gone.
pub(super) fn is_repeated_whole(exchange: &Exchange<'_>) -> bool {
    let head = exchange.client.head();
    matches!(head.method, Method::Get | Method::Head) && head.framing == Framing::None
}

pub(super) fn refused_in_place() -> Failure {
    let why = "a FastCGI program has redirected a request with a body to an application that speaks HTTP"
        .to_owned();
    Failure::Refused { status: 500, substatus: 0, why }
}

/// Has the program whose place `lease` holds answer, or what it names in its place. `fields` is given lines that the page
/// for a failure must carry.
pub(super) async fn forward(
    exchange: &mut Exchange<'_>,
    lease: Lease,
    connections: &Connections,
    (generation, told): (&Generation, &Arc<FastCgiPassing>),
    scene: &Scene<'_>,
    fields: &mut String,
) -> Result<(), Failure> {
    let begin = cgi::begin(&Cgi::of(exchange, *scene, told, generation.passing.guards_identity), told)?;
    let passing = (&generation.passing, told);
    let script = cgi::script_filename(told, *scene);
    let explains = explains(exchange, &generation.passing.errors);
    let begin = Begin { records: &begin, script: &script, explains };
    match fastcgi::forward(exchange, lease, connections, &generation.pool, passing, begin).await? {
        Answered::Whole => Ok(()),
        Answered::Aside(Aside::Redirect(target)) => {
            exchange.redirects += 1;
            if exchange.redirects > MOST_REDIRECTS {
                return Err(Failure::RedirectLoop(MOST_REDIRECTS));
            }
            exchange.spool = None;
            exchange.redirected = Some(target);
            Ok(())
        }
        Answered::Aside(Aside::SendFile { named, lines }) => {
            send_file(exchange, &named, &lines, fields).await
        }
    }
}

/// Whether the client may see what a program wrote to stderr instead of an error without a page, unless the site has pages
/// of its own for that.
fn explains(exchange: &Exchange<'_>, errors: &ErrorStyle) -> bool {
    matches!(errors, ErrorStyle::FastCgi(dev_errors) if *dev_errors != DevErrors::Off)
        && exchange.replaces.is_none()
        && locality::is_local(&exchange.client)
}

/// Sends a file with what the program said of it.
async fn send_file(
    exchange: &mut Exchange<'_>,
    named: &Allowed,
    lines: &[u8],
    fields: &mut String,
) -> Result<(), Failure> {
    let nothing = || Failure::NotFound(format!("the program had {} sent, which does not exist", named.path));
    let root = Root::open(&named.folder).map_err(|_| nothing())?;
    let Some((Kind::File, path)) = root.find(&named.path) else { return Err(nothing()) };
    let lines = String::from_utf8_lossy(lines);
    let kept = Kept::of(&lines);
    let request = FileRequest {
        root: &root,
        path: &path,
        policy: &FilePolicy::default(),
        fields: &kept.lines,
        media_type_override: kept.media_type,
        cache_control: kept.cache_control,
        is_answer: true,
    };
    files::serve(exchange, request).await.map_err(|not_served| match not_served {
        NotServed::Refused { status, substatus, why, fields: demanded } => {
            fields.push_str(&demanded);
            Failure::Refused { status, substatus, why: format!("{path}: {why}") }
        }
        NotServed::Failed(failure) => failure,
    })
}

/// What of a program's head goes with a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept<'l> {
    media_type: Option<&'l str>,
    cache_control: Option<&'l str>,
    lines: String,
}

impl Kept<'_> {
    fn of(lines: &str) -> Kept<'_> {
        // The file says these itself.
        const ITS_OWN: [&str; 7] = [
            "accept-ranges",
            "content-encoding",
            "content-range",
            "date",
            "etag",
            "last-modified",
            "location",
        ];
        let mut kept = Kept::default();
        for line in lines.split_inclusive("\r\n") {
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "content-type" => kept.media_type = Some(value),
                "cache-control" => kept.cache_control = Some(value),
                name if ITS_OWN.contains(&name) => {}
                _ => kept.lines.push_str(line),
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn a_file_goes_with_the_fields_of_the_program_that_are_not_its_own() {
        let lines = "Content-Type: a/b; c=d\r\nETag: \"x\"\r\nSet-Cookie: a=b\r\ncache-control:  private \r\n\
                     Content-Disposition: attachment\r\n";
        let expected = Kept {
            media_type: Some("a/b; c=d"),
            cache_control: Some("private"),
            lines: "Set-Cookie: a=b\r\nContent-Disposition: attachment\r\n".to_owned(),
        };
        assert_eq!(Kept::of(lines), expected);
    }
}
