//! What a client is told when its request fails: here, and nowhere else, a failure becomes a response.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pages::{self, Rendering, Report};
use super::site::{Known, Site};
use super::{Core, own_pages};
use crate::exchange::Exchange;
use crate::exchange::reply::Reply;
use crate::failure::{Failure, Manner, Side};
use crate::handler::app::Used;
use crate::handler::locality::is_local;
use crate::pool::{ErrorStyle, Kind, ProgramErrors};

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

/// By what logs know a request that failed.
pub(super) struct Mark {
    /// Status and substatus; the word for the failure where there are no sites.
    pub(super) error: Cow<'static, str>,
    /// The number its client was told.
    pub(super) request: String,
}

/// Tells the client, if it can still be told; else ends the response so that the client sees it is not whole. None if it
/// was the client that has ended it.
pub(super) async fn explain(
    core: &Core,
    exchange: &mut Exchange<'_>,
    failure: Failure,
    circumstances: &Circumstances,
) -> Option<Mark> {
    let request = exchange.id().to_string();
    let style = circumstances.style();
    let manner = circumstances.manner(&style);
    let error = match (manner, circumstances.numbers(&failure, &style)) {
        (Manner::Command, _) => Cow::Borrowed(failure.code()),
        (_, (status, substatus)) => Cow::Owned(format!("{status}.{substatus}")),
    };
    let name = circumstances.name();
    let is_ours = failure.side() != Side::Downstream && failure.status() >= 500;
    if !is_ours || matches!(failure, Failure::Offline(_)) {
        tracing::debug!(code = failure.code(), request, "{failure}");
    } else if let Some(untold) = core.complaints.admit(&name, Instant::now()) {
        let besides = match untold {
            0 => String::new(),
            untold => format!(" ({untold} more failed before and are not listed here)"),
        };
        let to = if name.is_empty() { "" } else { " to " };
        tracing::error!(
            "request {request}{to}{name} failed with {error}: {}{besides}",
            failure.in_words(manner)
        );
    }
    if matches!(failure, Failure::ClientGone | Failure::ClientTooSlow) {
        exchange.client.abort();
        return None;
    }
    let mark = Mark { error, request };
    if exchange.client.has_begun() {
        exchange.client.abort();
        return Some(mark);
    }
    let request = &mark.request;
    let is_local = is_local(&exchange.client);
    let rendering = match &style {
        ErrorStyle::Short => {
            pages::choose_for_command(&failure, is_local).filter(|_| circumstances.knows_command(&failure))
        }
        ErrorStyle::Site(dev_errors) => Some(pages::choose(&failure, *dev_errors, is_local)),
        ErrorStyle::FastCgi(dev_errors) => Some(pages::choose_for_fast_cgi(&failure, *dev_errors, is_local)),
        ErrorStyle::Program(errors) => Some(pages::choose_for_program(&failure, errors, is_local)),
    };
    let mut reply = match rendering {
        None => pages::short(&failure),
        Some(rendering) => page(exchange, &failure, circumstances, &style, rendering, request).await,
    };
    reply.extra.push_str(&circumstances.fields);
    reply.extra.push_str(&circumstances.used.fields);
    if let Some(known) = &circumstances.known {
        reply.extra.push_str(&known.route.policy.fields);
    }
    // A client that cannot be told has left; nothing remains to be done.
    let _ = exchange.client.reply(reply).await;
    Some(mark)
}

/// The page of a site, in as much detail as the site allows.
async fn page(
    exchange: &Exchange<'_>,
    failure: &Failure,
    circumstances: &Circumstances,
    style: &ErrorStyle,
    rendering: Rendering,
    request: &str,
) -> Reply {
    let client = &exchange.client;
    let manner = circumstances.manner(style);
    let program = match style {
        ErrorStyle::Program(errors) => Some(errors),
        ErrorStyle::Short | ErrorStyle::Site(_) | ErrorStyle::FastCgi(_) => None,
    };
    let numbers = circumstances.numbers(failure, style);
    let journal = circumstances.used.generation.as_ref().map(|generation| generation.pool.journal());
    let worker = circumstances.used.worker.as_ref().and_then(|worker| worker.pid());
    if let (Some(journal), Some(pid), Side::Upstream) = (journal, worker, failure.side())
        // One that says nothing is alive, as is one that has said all.
        && !matches!(failure, Failure::Silent { .. } | Failure::Blank { .. })
    {
        journal.ending_of(pid, LAST_WORDS).await;
    }
    let (head, bytes) = (client.head(), client.head_bytes());
    let accept = head.fields.iter().find(|field| field.name.in_bytes(bytes).eq_ignore_ascii_case(b"accept"));
    let application = circumstances.application();
    let report = Report {
        failure,
        manner,
        numbers,
        for_everybody: program.is_some_and(|errors| errors.details),
        help_link: program.and_then(|errors| errors.help_link.as_deref()),
        application: application.as_deref(),
        journal: journal.map(|journal| journal.excerpt()),
        worker,
        live_stderr: match failure {
            Failure::Blank { said, .. } => Some(said.to_vec()),
            _ => journal.and_then(|journal| journal.stderr(worker)),
        },
        request_id: request,
        url: &String::from_utf8_lossy(head.target.in_bytes(bytes)),
        // The modules' pages are HTML for everybody who does not ask for something else.
        wants_html: accept
            .map_or(program.is_some(), |field| pages::accepts_html(field.value.in_bytes(bytes))),
    };
    let mut reply = pages::render(&report, rendering);
    if let (Some(site), Some(known)) = (&circumstances.site, &circumstances.known)
        && own_pages::gives_way(failure, rendering, known.route.policy.errors.mode)
    {
        own_pages::put(&mut reply, site, &known.route.policy, numbers, exchange);
    }
    reply
}

impl Circumstances {
    fn style(&self) -> ErrorStyle {
        match (&self.used.generation, &self.site, self.kind()) {
            (Some(generation), ..) => generation.passing.errors.clone(),
            _ if self.used.errors.is_some() => self.used.errors.clone().unwrap_or_default(),
            (None, _, Some(Kind::Command)) | (None, None, _) => ErrorStyle::Short,
            (None, Some(site), Some(Kind::HttpPlatform | Kind::AspNetCore)) => {
                ErrorStyle::Program(ProgramErrors {
                    dev_errors: site.dev_errors,
                    startup_page: true,
                    details: false,
                    help_link: None,
                })
            }
            (None, Some(site), Some(Kind::FastCgi)) => ErrorStyle::FastCgi(site.dev_errors),
            (None, Some(site), Some(Kind::Script) | None) => ErrorStyle::Site(site.dev_errors),
        }
    }

    /// What kind of application it is, if one was found.
    fn kind(&self) -> Option<Kind> {
        Some(self.known.as_ref()?.application.as_ref()?.id.kind)
    }

    fn manner(&self, style: &ErrorStyle) -> Manner {
        match (self.kind(), style) {
            (Some(Kind::AspNetCore), _) => Manner::AspNetCore,
            (Some(Kind::FastCgi), _) | (_, ErrorStyle::FastCgi(_)) => match self.is_of_server() {
                true => Manner::FastCgiServer,
                false => Manner::FastCgi,
            },
            (Some(Kind::HttpPlatform), _) | (_, ErrorStyle::Program(_)) => Manner::HttpPlatform,
            (Some(Kind::Command), _) | (_, ErrorStyle::Short) => Manner::Command,
            (None, ErrorStyle::Site(_)) if self.site.as_ref().is_none_or(|site| site.one.is_some()) => {
                Manner::Command
            }
            (Some(Kind::Script) | None, ErrorStyle::Site(_)) => Manner::Iisnode,
        }
    }

    /// Status and substatus.
    fn numbers(&self, failure: &Failure, style: &ErrorStyle) -> (u16, u16) {
        match (failure.numbers(self.manner(style)), style) {
            // What a startup failure is without a page of its own.
            ((502, 5), ErrorStyle::Program(ProgramErrors { startup_page: false, .. })) => (502, 3),
            (numbers, _) => numbers,
        }
    }

    /// What was asked, for the log; empty if it was no application.
    fn name(&self) -> String {
        match &self.used.generation {
            Some(generation) => generation.pool.settings().name.clone(),
            None => self.application().unwrap_or_default(),
        }
    }

    /// Whether there is more to tell than that nobody answers: of servers that run already nothing is known.
    fn knows_command(&self, failure: &Failure) -> bool {
        matches!(failure, Failure::ProgramNotFound { .. })
            || self.used.generation.is_some() && !self.is_of_server()
    }

    /// Whether a server that runs already was to answer: there is no command.
    fn is_of_server(&self) -> bool {
        let generation = self.used.generation.as_ref();
        generation.is_some_and(|generation| generation.pool.journal().excerpt().run.command.is_empty())
    }

    /// As the terminal calls it, if it has ever run; else by where it is.
    fn application(&self) -> Option<String> {
        if let Some(generation) = self.used.generation.as_ref().filter(|_| self.known.is_some()) {
            return Some(generation.pool.settings().name.clone());
        }
        let known = self.known.as_ref()?;
        Some(known.application.as_ref()?.id.name())
    }
}
