//! A file of a site on its way to a client: an ordinary one, or a log that not everybody may see.

use super::site::Site;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::handler::files::{self, FileRequest, NotServed};
use crate::handler::locality::is_local;
use crate::handler::logs;
use crate::http1::fields::is_token;
use crate::rules::policy::Policy;

/// What a browser is told of a log: it grows.
const LOG_CACHING: &str = "no-cache";

/// Serves `path`, which is spelled as on the disk. What a page about a failure must carry goes into `fields`.
pub(super) async fn respond(
    site: &Site,
    path: &str,
    policy: &Policy,
    exchange: &mut Exchange<'_>,
    fields: &mut String,
) -> Result<(), Failure> {
    let mut request = FileRequest {
        root: &site.root,
        path,
        policy: &policy.files,
        fields: &policy.fields,
        media_type_override: None,
        cache_control: None,
        is_answer: false,
    };
    if let Some(place) = site.logs.of(path) {
        let name = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if !logs::may_see(place.anyone, name, is_local(&exchange.client)) {
            return Err(Failure::LogsClosed);
        }
        request.media_type_override = logs::media_type(path);
        request.cache_control = Some(LOG_CACHING);
    }
    files::serve(exchange, request).await.map_err(|not_served| match not_served {
        NotServed::Refused { status, substatus, why, fields: demanded } => {
            *fields = demanded;
            if let (405, 0) | (404, 3) = (status, substatus)
                && let Some(failure) = of_other_verbs(path, policy, exchange, (status, substatus))
            {
                if let (Failure::OtherVerbs { verbs, .. }, 405) = (&failure, status) {
                    *fields = allowing_also(fields, verbs);
                }
                return failure;
            }
            Failure::Refused { status, substatus, why: format!("/{path}: {why}") }
        }
        NotServed::Failed(failure) => failure,
    })
}

/// What is to be said of a file that would not be one for another method.
fn of_other_verbs(
    path: &str,
    policy: &Policy,
    exchange: &Exchange<'_>,
    numbers: (u16, u16),
) -> Option<Failure> {
    let method = String::from_utf8_lossy(exchange.asked().0).into_owned();
    let row = policy.mapping.of_other_verbs(path, &method)?;
    let verbs = row.verbs.as_ref()?.join(", ");
    let (path, handler) = (path.to_owned(), row.name.to_string());
    Some(Failure::OtherVerbs { numbers, path, method, handler, verbs })
}

/// `Allow` of a file, with the methods of the handler.
fn allowing_also(allow: &str, verbs: &str) -> String {
    let allow = allow.trim_end();
    let more = verbs.split(", ").filter(|verb| !allow.contains(verb) && is_token(verb.as_bytes()));
    more.fold(allow.to_owned(), |all, verb| format!("{all}, {verb}")) + "\r\n"
}
