//! What a client is told when its request fails: here, and nowhere else, a failure becomes a response.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::own_pages;
use super::pages::{self, Report};
use super::site::{Known, Site};
use crate::config::iisnode::DevErrors;
use crate::exchange::Exchange;
use crate::failure::{Failure, Side};
use crate::handler::app::Used;
use crate::handler::locality::is_local;
use crate::pool::ErrorStyle;

/// A connection that closes is often a worker that ends; its last words are waited for, so long.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// How far a request had come when it failed.
#[derive(Default)]
pub(super) struct Circumstances {
    pub(super) site: Option<Arc<Site>>,
    pub(super) known: Option<Rc<Known>>,
    pub(super) used: Used,
    /// Field lines the page must carry.
    pub(super) fields: String,
}

/// Tells the client, if it can still be told; else ends the response so that the client sees it is not whole.
pub(super) async fn explain(exchange: &mut Exchange<'_>, failure: Failure, circumstances: Circumstances) {
    let request = pages::request_id();
    match failure.side() {
        Side::Downstream => tracing::debug!(code = failure.code(), request, "{failure}"),
        Side::Site if failure.status() < 500 => tracing::debug!(code = failure.code(), request, "{failure}"),
        Side::Upstream | Side::Site | Side::Host => {
            tracing::warn!(code = failure.code(), request, "{failure}")
        }
    }
    if exchange.client.has_begun() || matches!(failure, Failure::ClientGone | Failure::ClientTooSlow) {
        exchange.client.abort();
        return;
    }
    let mut reply = match circumstances.style() {
        ErrorStyle::Short => pages::short(&failure),
        ErrorStyle::Site(dev_errors) => page(exchange, &failure, &circumstances, dev_errors, &request).await,
    };
    reply.extra.push_str(&circumstances.fields);
    if let Some(known) = &circumstances.known {
        reply.extra.push_str(&known.route.policy.fields);
    }
    // A client that cannot be told has left; nothing remains to be done.
    let _ = exchange.client.reply(reply).await;
}

/// The page of a site, in as much detail as the site allows.
async fn page(
    exchange: &Exchange<'_>,
    failure: &Failure,
    circumstances: &Circumstances,
    dev_errors: DevErrors,
    request: &str,
) -> crate::exchange::reply::Reply {
    let client = &exchange.client;
    let rendering = pages::choose(failure, dev_errors, is_local(client));
    let journal = circumstances.used.generation.as_ref().map(|generation| generation.pool.journal());
    let worker = circumstances.used.worker.as_ref().and_then(|worker| worker.pid());
    if let (Some(journal), Some(pid), Side::Upstream) = (journal, worker, failure.side()) {
        journal.ending_of(pid, LAST_WORDS).await;
    }
    let (head, bytes) = (client.head(), client.head_bytes());
    let accept = head.fields.iter().find(|field| field.name.in_bytes(bytes).eq_ignore_ascii_case(b"accept"));
    let report = Report {
        failure,
        application: circumstances.application(),
        journal: journal.map(|journal| journal.excerpt()),
        worker,
        live_stderr: journal.and_then(|journal| journal.stderr(worker)),
        request_id: request,
        url: &String::from_utf8_lossy(head.target.in_bytes(bytes)),
        wants_html: accept.is_some_and(|field| pages::accepts_html(field.value.in_bytes(bytes))),
    };
    let mut reply = pages::render(&report, rendering);
    if let (Some(site), Some(known)) = (&circumstances.site, &circumstances.known)
        && own_pages::gives_way(failure, rendering, known.route.policy.errors.mode)
    {
        own_pages::put(&mut reply, site, &known.route.policy, failure, exchange);
    }
    reply
}

impl Circumstances {
    fn style(&self) -> ErrorStyle {
        match (&self.used.generation, &self.site) {
            (Some(generation), _) => generation.passing.errors,
            (None, Some(site)) => ErrorStyle::Site(site.dev_errors),
            (None, None) => ErrorStyle::Short,
        }
    }

    fn application(&self) -> Option<&str> {
        let known = self.known.as_ref()?;
        Some(&*known.application.as_ref()?.id.script)
    }
}
