//! The pages a site has of its own for errors (`httpErrors`): when one stands in for the host's, and what it says.

use super::pages::Rendering;
use super::site::Site;
use crate::exchange::Exchange;
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Side};
use crate::handler::variables::{Scene, Variables};
use crate::rules::policy::{ErrorMode, ErrorPage, Policy};
use crate::rules::route::{self, Asked, Decision};

/// A page is read whole before it is sent; a larger file is none.
const MAX_PAGE_BYTES: u64 = 1024 * 1024;

/// Whether the host's page gives way to one of the site, if there is one. Pages that explain something do not, as IIS
/// has it by default: it shows those of the site to clients elsewhere. `errorMode` may say otherwise, but not of the
/// pages for developers that iisnode would have sent with status 200, where IIS saw no error.
pub(super) fn gives_way(failure: &Failure, rendering: Rendering, mode: ErrorMode) -> bool {
    match (failure, rendering) {
        (Failure::Offline(_), _) => false,
        // It has been replaced already; that the page is shown is what was wanted.
        (Failure::Replaced { .. }, _) => true,
        (_, Rendering::Plain) => mode != ErrorMode::Detailed,
        (_, Rendering::DevPage { .. }) => mode == ErrorMode::Custom && failure.side() != Side::Upstream,
        (_, Rendering::Known { .. } | Rendering::Startup { .. }) => false,
    }
}

/// Puts the site's page for the failure into the host's own reply. Where there is none, or it cannot be read, the
/// reply stays as it is.
pub(super) fn put(
    reply: &mut Reply,
    site: &Site,
    policy: &Policy,
    (status, substatus): (u16, u16),
    exchange: &Exchange<'_>,
) {
    let found = match policy.errors.page(status, substatus) {
        None => return,
        Some(ErrorPage::Redirect(location)) if location.contains(char::is_control) => Err(location),
        Some(ErrorPage::Redirect(location)) => return redirect(reply, location),
        Some(ErrorPage::File(path)) => read(site, policy, path).ok_or(path),
        Some(ErrorPage::ExecuteUrl(url)) => execute(site, url, exchange).ok_or(url),
    };
    match found {
        Ok((media_type, body)) => {
            reply.fields.retain(|(name, _)| *name != "Content-Type");
            reply.fields.push(("Content-Type", media_type.into()));
            reply.body = body.into();
        }
        Err(page) => {
            tracing::warn!(status, substatus, %page, "the page of the site for this error cannot be shown")
        }
    }
}

fn redirect(reply: &mut Reply, location: &str) {
    reply.status = 302;
    reply.fields.retain(|(name, _)| !matches!(*name, "Content-Type" | "Retry-After" | "Allow"));
    reply.fields.push(("Content-Type", "text/plain; charset=utf-8".into()));
    reply.fields.push(("Location", location.to_owned().into()));
    reply.body = format!("See {location}\n").into_bytes().into();
}

/// What is at a URL of the site, found as for any client. Only files: a URL that leads to an application, or away,
/// shows nothing, because a request that failed is not handed on a second time.
fn execute(site: &Site, url: &str, exchange: &Exchange<'_>) -> Option<(String, Vec<u8>)> {
    let facts = Variables::of(exchange, Scene { physical_root: &site.physical_root, ..Scene::default() });
    let asked = Asked { method: "GET", target: url.as_bytes(), content_length: None };
    let route = route::decide(&site.policies, asked, &facts, &site.root, None)?;
    match &route.decision {
        // Logs have their own rules about who may read them.
        Decision::File { path } if site.logs.of(path).is_none() => read(site, &route.policy, path),
        _ => None,
    }
}

/// The media type of a file, and all of it.
fn read(site: &Site, policy: &Policy, path: &str) -> Option<(String, Vec<u8>)> {
    let media_type = policy.files.media_type(path)?.to_owned();
    let (_, path) = site.root.find(path)?;
    let file = site.root.open_file(&path).ok()?;
    let length = usize::try_from(file.length()).ok().filter(|_| file.length() <= MAX_PAGE_BYTES)?;
    let mut body = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut body[filled..], filled as u64).ok()? {
            0 => break,
            n => filled += n,
        }
    }
    body.truncate(filled);
    Some((media_type, body))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::gives_way;
    use crate::failure::Failure;
    use crate::rules::policy::ErrorMode::{Custom, Detailed, DetailedLocalOnly};
    use crate::serve::pages::Rendering;

    #[test]
    fn pages_of_the_site_stand_in_for_plain_ones_and_where_the_site_insists_for_explanations_too() {
        let plain = Rendering::Plain;
        let candid = Rendering::DevPage { status_200: false };
        let dev = Rendering::DevPage { status_200: true };
        let known = Rendering::Known { status_200: true };
        let absent = Failure::NotFound("x".to_owned());
        let crash = Failure::Failing { application: "shop".to_owned(), why: "x".into() };
        let broken = Failure::Broken { what: "x".into() };
        let offline = Failure::Offline(Arc::from([]));
        let replaced = Failure::Replaced { status: 404 };
        for (failure, rendering, default, custom, detailed) in [
            (&absent, plain, true, true, false),
            (&absent, candid, false, true, false),
            (&crash, plain, true, true, false),
            (&crash, dev, false, false, false),
            (&crash, candid, false, false, false),
            (&broken, plain, true, true, false),
            (&broken, known, false, false, false),
            (&offline, plain, false, false, false),
            (&replaced, plain, true, true, true),
        ] {
            let seen = [DetailedLocalOnly, Custom, Detailed].map(|mode| gives_way(failure, rendering, mode));
            assert_eq!(seen, [default, custom, detailed], "{failure:?} {rendering:?}");
        }
    }
}
