//! A file of a site on its way to a client: an ordinary one, or a log that not everybody may see.

use super::site::Site;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::handler::files::{self, FileRequest, NotServed};
use crate::handler::locality::is_local;
use crate::handler::logs;
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
            Failure::Refused { status, substatus, why: format!("/{path}: {why}") }
        }
        NotServed::Failed(failure) => failure,
    })
}
