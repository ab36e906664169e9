//! The way of one request: each line hands one value to the next.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::access_log::{Ended, Unanswered};
use super::respond::Circumstances;
use super::routes::Key;
use super::site::{Known, Site, Sites, declared_length};
use super::world::Serving;
use super::{Core, respond, site_files};
use crate::exchange::Exchange;
use crate::exchange::reply::Reply;
use crate::failure::Failure;
use crate::handler::app;
use crate::handler::variables::Scene;
use crate::pool::Application;
use crate::rules::filter;
use crate::rules::route::Decision;

/// Has the request answered, by whoever is to answer it or, where that fails, by us.
pub(super) async fn serve(core: &Core, exchange: &mut Exchange<'_>) {
    let begun = core.access_log.is_some().then(Instant::now);
    let mut circumstances = Circumstances::default();
    let mut unanswered = Unanswered::Aborted;
    let mut failed = None;
    if let Err(failure) = route(core, exchange, &mut circumstances).await {
        unanswered = Unanswered::Gone;
        failed = Box::pin(respond::explain(core, exchange, failure, &circumstances)).await;
    }
    if let (Some(log), Some(begun)) = (&core.access_log, begun) {
        let used = &circumstances.used;
        log.ended(exchange, &Ended { begun, used, unanswered, failed, is_refused: false });
    }
}

/// Tells a client that what it sent is no request.
pub(super) async fn refuse(core: &Core, exchange: &mut Exchange<'_>, failure: Failure) {
    let begun = core.access_log.is_some().then(Instant::now);
    let circumstances = Circumstances::default();
    let failed = respond::explain(core, exchange, failure, &circumstances).await;
    // Who left in the middle of a head has asked for nothing.
    if let (Some(log), Some(begun), 1..) = (&core.access_log, begun, exchange.client.given().status) {
        let (used, unanswered) = (&circumstances.used, Unanswered::Gone);
        log.ended(exchange, &Ended { begun, used, unanswered, failed, is_refused: true });
    }
}

async fn route(
    core: &Core,
    exchange: &mut Exchange<'_>,
    circumstances: &mut Circumstances,
) -> Result<(), Failure> {
    let mut view = core.viewer.view();
    if let Some(sentinel) = &view.world.sentinel
        && !sentinel.is_quiet()
    {
        // Something was written before this request came: it is to see what follows from that.
        Box::pin(sentinel.settled()).await;
        view = core.viewer.view();
    }
    let sites = match &view.world.serving {
        Serving::One(application) => return plain(core, application, exchange, circumstances).await,
        Serving::Sites(sites) => sites,
    };
    let site = site(sites, exchange)?;
    if let Some(application) = &site.one {
        return plain(core, application, exchange, circumstances).await;
    }
    circumstances.site = Some(site.clone());
    if let Some(page) = site.offline_page(exchange) {
        return Err(Failure::Offline(page.clone()));
    }
    if let Some(what) = site.bad_edit(exchange) {
        return Err(Failure::Broken { what });
    }
    loop {
        routed(core, &view.routes, site, exchange, circumstances).await?;
        // A program has answered that the site is to serve something else in its place; nothing was sent.
        let Some(target) = exchange.redirected.take() else { return Ok(()) };
        exchange.target = Some(target.clone());
        exchange.in_place = Some(target);
    }
}

/// Has what the request leads to answer.
async fn routed(
    core: &Core,
    routes: &super::routes::Routes,
    site: &Arc<Site>,
    exchange: &mut Exchange<'_>,
    circumstances: &mut Circumstances,
) -> Result<(), Failure> {
    let known = known(routes, site, exchange)?;
    circumstances.known = Some(known.clone());
    admit(&known, exchange)?;
    if let most @ 1.. = known.first_policy.filter.max_content_bytes {
        exchange.body_limit = exchange.body_limit.min(most);
    }
    let policy = &known.route.policy;
    if !policy.fields.is_empty() && exchange.in_place.is_none() {
        exchange.client.add_fields(&policy.fields);
    }
    match (&known.route.decision, &known.application) {
        (Decision::Script { script, path_info, .. }, Some(application)) => {
            if known.route.rewritten {
                tell_original_url(exchange);
                if let Some(target) = &known.route.target {
                    exchange.target = Some(target.as_str().into());
                }
            }
            if policy.errors.replaces_workers {
                exchange.replaces = Some(policy.clone());
            }
            let url = &known.route.url;
            let scene = Scene { physical_root: &site.physical_root, url, script, path_info };
            app::respond(application, &scene, exchange, &core.connections, &mut circumstances.used).await
        }
        _ => Box::pin(answer(site, &known, exchange, &mut circumstances.fields)).await,
    }
}

/// Has an application answer that is all of what is served.
async fn plain(
    core: &Core,
    application: &Arc<Application>,
    exchange: &mut Exchange<'_>,
    circumstances: &mut Circumstances,
) -> Result<(), Failure> {
    let scene = Scene::default();
    app::respond(application, &scene, exchange, &core.connections, &mut circumstances.used).await
}

fn site<'s>(sites: &'s Sites, exchange: &Exchange<'_>) -> Result<&'s Arc<Site>, Failure> {
    let client = &exchange.client;
    let host = client.head().host.map_or(&b""[..], |host| host.in_bytes(client.head_bytes()));
    sites.of(host).ok_or_else(|| no_site(host))
}

fn no_site(host: &[u8]) -> Failure {
    let why = format!("no site has the host name {}", String::from_utf8_lossy(host));
    Failure::Refused { status: 404, substatus: 0, why }
}

fn refused(refusal: filter::Refusal) -> Failure {
    match refusal {
        filter::Refusal { status: 404, substatus: 0, why } => Failure::NotFound(why),
        filter::Refusal { status, substatus, why } => Failure::Refused { status, substatus, why },
    }
}

/// The route of the request, remembered or decided.
fn known(routes: &super::routes::Routes, site: &Site, exchange: &Exchange<'_>) -> Result<Rc<Known>, Failure> {
    let (method, target) = exchange.asked();
    let key = Key::new(site.number, method, target);
    if let Some(known) = key.as_ref().and_then(|key| routes.get(key)) {
        return Ok(known);
    }
    let known = site.route(exchange).ok_or_else(|| no_site(b""))?;
    let may_be_remembered = site.may_be_remembered(&known, target);
    if let Some(key) = key.filter(|_| may_be_remembered) {
        routes.remember(&key, known.clone());
    }
    Ok(known)
}

/// What of a remembered route still depends on the request.
fn admit(known: &Known, exchange: &Exchange<'_>) -> Result<(), Failure> {
    let Some(length) = declared_length(&exchange.client) else { return Ok(()) };
    let filter = &known.first_policy.filter;
    if filter.max_content_bytes > 0 && length > filter.max_content_bytes {
        let head = exchange.client.head();
        let method = String::from_utf8_lossy(head.method_name.in_bytes(exchange.client.head_bytes()));
        filter.admit_request(&method, Some(length), 0, 0).map_err(refused)?;
    }
    Ok(())
}

/// The URL as the client sent it is what workers see anyway; that it was rewritten they learn from this.
fn tell_original_url(exchange: &mut Exchange<'_>) {
    let (head, bytes) = (exchange.client.head(), exchange.client.head_bytes());
    let target = String::from_utf8_lossy(head.target.in_bytes(bytes)).into_owned();
    exchange.told.push_str("X-Original-URL: ");
    exchange.told.push_str(&target);
    exchange.told.push_str("\r\n");
}

/// Everything that is no application's to answer.
async fn answer(
    site: &Site,
    known: &Known,
    exchange: &mut Exchange<'_>,
    fields: &mut String,
) -> Result<(), Failure> {
    match &known.route.decision {
        Decision::File { path } => {
            site_files::respond(site, path, &known.route.policy, exchange, fields).await
        }
        Decision::Script { mapped, .. } => {
            let why = format!("the handler {} ({:?}) is not served yet", mapped.name, mapped.module);
            Err(Failure::Refused { status: 500, substatus: 21, why })
        }
        Decision::Redirect { status, location } => {
            let mut reply = Reply::text(*status, format!("This is now at {location}\n"));
            reply.fields.push(("Location", location.clone().into()));
            reply.extra.push_str(&known.route.policy.fields);
            exchange.client.reply(reply).await
        }
        Decision::Refuse(refusal) => Err(refused(refusal.clone())),
        Decision::Respond { status, substatus, description: None, .. }
            if *status >= 400 && known.route.policy.errors.page(*status, *substatus).is_some() =>
        {
            let why = "a rewrite rule answers this URL with an error".to_owned();
            Err(Failure::Refused { status: *status, substatus: *substatus, why })
        }
        Decision::Respond { status, substatus, reason, description } => {
            let mut reply = Reply::text(*status, format!("{}\n", description.as_deref().unwrap_or_default()));
            reply.reason = reason.clone();
            reply.fields.push(("X-Ostler-Error", format!("{status}.{substatus}").into()));
            reply.extra.push_str(&known.route.policy.fields);
            exchange.client.reply(reply).await
        }
        Decision::Abort => {
            exchange.client.abort();
            Ok(())
        }
        Decision::Broken(why) => Err(Failure::Broken { what: why.clone() }),
    }
}
