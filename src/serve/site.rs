//! The sites of a host as the data plane knows them: which host name leads where, and what its policies decide.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::root::Root;
use crate::config::settings::DevErrors;
use crate::config::site::LEFT_OUT;
use crate::exchange::{Client, Exchange};
use crate::handler::locality;
use crate::handler::log_places::LogPlaces;
use crate::handler::variables::{Scene, Variables};
use crate::http1::framing::Framing;
use crate::pool::{Application, ApplicationId, Applications, Kind};
use crate::rules::bindings::HostPattern;
use crate::rules::facts::Facts;
use crate::rules::mapping::Module;
use crate::rules::path::SitePath;
use crate::rules::policy::{Policy, Tree};
use crate::rules::route::{self, Asked, Decision, Route};

pub(crate) struct Sites {
    pub(crate) list: Vec<Arc<Site>>,
}

pub(crate) struct Site {
    pub(crate) number: usize,
    /// Empty for any host.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) root: Root,
    /// Where the root is, without a slash at the end.
    pub(crate) physical_root: String,
    pub(crate) policies: Arc<Tree<Policy>>,
    pub(crate) applications: Arc<Applications>,
    /// The application that the whole site is, if it has no configuration.
    pub(crate) one: Option<Arc<Application>>,
    pub(crate) logs: Arc<LogPlaces>,
    /// How failures are shown that concern no application.
    pub(crate) dev_errors: DevErrors,
    /// Directories that are offline, relative to the root, each with the page that says so.
    pub(crate) offline: Vec<(String, Arc<[u8]>)>,
    /// The policies as written, if an edit has errors; where it has, those from before it go on.
    pub(crate) bad_edit: Option<Arc<Tree<Policy>>>,
    /// Every directory is watched, so that what was found on the disk may be remembered.
    pub(crate) is_watched: bool,
}

impl Site {
    /// What is wrong with the latest edit of the configuration, for who looks from this machine.
    pub(crate) fn bad_edit(&self, exchange: &Exchange<'_>) -> Option<Arc<str>> {
        let policies = self.bad_edit.as_ref()?;
        if self.dev_errors == DevErrors::Off || !locality::is_local(&exchange.client) {
            return None;
        }
        let (head, bytes) = (exchange.client.head(), exchange.client.head_bytes());
        let (path, _) = SitePath::of_target(head.target.in_bytes(bytes)).ok()?;
        policies.at(path.as_str())?.broken.clone()
    }

    /// Whether what was found for a path stays so until an event tells otherwise: some directories are not watched.
    pub(crate) fn may_be_remembered(&self, known: &Known, target: &[u8]) -> bool {
        let is_left_out =
            |path: &[u8]| LEFT_OUT.iter().any(|name| memchr::memmem::find(path, name.as_bytes()).is_some());
        let found = match &known.route.decision {
            Decision::File { path } => path,
            Decision::Script { script, .. } => script,
            _ => &known.route.url,
        };
        self.is_watched
            && known.route.is_repeatable
            && ![target, known.route.url.as_bytes(), found.as_bytes()].into_iter().any(is_left_out)
            && found.matches('/').count() < MOST_NAMES
    }

    /// The page that stands in for everything below a directory that is offline. An application that is a program is closed
    /// by the page in its own folder only; one above it closes another.
    pub(crate) fn offline_page(&self, exchange: &Exchange<'_>) -> Option<&Arc<[u8]>> {
        if self.offline.is_empty() {
            return None;
        }
        let (head, bytes) = (exchange.client.head(), exchange.client.head_bytes());
        let (path, _) = SitePath::of_target(head.target.in_bytes(bytes)).ok()?;
        let is_below = |directory: &str| {
            let mut names = path.names();
            directory
                .split('/')
                .filter(|name| !name.is_empty())
                .all(|name| names.next().is_some_and(|there| there.eq_ignore_ascii_case(name)))
        };
        let program = self.policies.at(path.as_str()).and_then(|policy| policy.programs.nearest());
        let closes = |directory: &str| {
            program.is_none_or(|folder| {
                folder.eq_ignore_ascii_case(directory)
                    || (directory.len() > folder.len() && self.runs_scripts(directory))
            })
        };
        let mut offline = self.offline.iter();
        offline.find(|(directory, _)| is_below(directory) && closes(directory)).map(|(_, page)| page)
    }

    /// Whether iisnode runs scripts in a directory.
    fn runs_scripts(&self, directory: &str) -> bool {
        let mapping = self.policies.at(directory).map(|policy| &policy.mapping);
        mapping.is_some_and(|mapping| mapping.mapped.iter().any(|mapped| mapped.module == Module::Iisnode))
    }
}

/// Directories this deep are watched; deeper ones are not.
const MOST_NAMES: usize = 30;

/// A route with what it leads to.
pub(crate) struct Known {
    pub(crate) route: Route,
    /// The policy of the URL as it came.
    pub(crate) first_policy: Arc<Policy>,
    /// For scripts.
    pub(crate) application: Option<Arc<Application>>,
}

impl Sites {
    /// The site that the value of a Host field leads to: the one that names it most exactly.
    pub(crate) fn of(&self, host: &[u8]) -> Option<&Arc<Site>> {
        if let [only] = self.list.as_slice()
            && only.hosts.is_empty()
        {
            return Some(only);
        }
        let name = String::from_utf8_lossy(without_port(host)).trim_end_matches('.').to_ascii_lowercase();
        let fit = |site: &Site| match site.hosts.as_slice() {
            [] => Some(0),
            hosts => hosts.iter().filter_map(|pattern| pattern.fit(&name)).max(),
        };
        // Of several that fit alike the first.
        let fitting = self.list.iter().rev().filter_map(|site| Some((fit(site)?, site)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, site)| site)
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}

impl Site {
    /// What serves the request; None if the site has no configuration, which it always has.
    pub(crate) fn route(&self, exchange: &Exchange<'_>) -> Option<Rc<Known>> {
        let client = &exchange.client;
        let (method, target) = exchange.asked();
        let method = String::from_utf8_lossy(method);
        let scene = Scene { physical_root: &self.physical_root, ..Scene::default() };
        let facts = Variables::of(exchange, scene);
        let asked = Asked { method: &method, target, content_length: declared_length(client) };
        let route = route::decide(&self.policies, asked, &facts, &self.root, None)?;
        let first_policy = match SitePath::of_target(target) {
            Ok((path, _)) => self.policies.at(path.as_str()).unwrap_or(&route.policy).clone(),
            Err(_) => route.policy.clone(),
        };
        let application = self.application(&route);
        Some(Rc::new(Known { route, first_policy, application }))
    }

    /// The application that a URL leads to, for a client that sends nothing but that.
    pub(crate) fn application_of(&self, url: &str) -> Option<Arc<Application>> {
        let asked = Asked { method: "GET", target: url.as_bytes(), content_length: None };
        self.application(&route::decide(&self.policies, asked, &NoFacts, &self.root, None)?)
    }

    fn application(&self, route: &Route) -> Option<Arc<Application>> {
        let Decision::Script { script, mapped, .. } = &route.decision else { return None };
        let programs = &route.policy.programs;
        // A handler whose section is missing has an application all the same: it says what is missing.
        let folder = |folder: &'_ Option<Box<str>>| folder.clone().unwrap_or_else(|| mapped.base.clone());
        let (kind, path) = match mapped.module {
            Module::Iisnode => (Kind::Script, script.as_str().into()),
            Module::HttpPlatform => (Kind::HttpPlatform, folder(&programs.http_platform)),
            Module::AspNetCore => (Kind::AspNetCore, folder(&programs.asp_net_core)),
            Module::FastCgi => (Kind::FastCgi, mapped.processor.clone()?),
            Module::Static | Module::Other(_) => return None,
        };
        Some(self.applications.get(ApplicationId { site: self.number, kind, path }))
    }
}

/// Of a request that nobody has sent.
pub(crate) struct NoFacts;

impl Facts for NoFacts {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match name {
            "REQUEST_METHOD" => "GET",
            "HTTPS" => "off",
            "HTTP_HOST" | "SERVER_NAME" => "localhost",
            "SERVER_PORT" => "80",
            "SERVER_PORT_SECURE" => "0",
            "REMOTE_ADDR" => "127.0.0.1",
            _ => return None,
        }))
    }
}

/// The length of the body, if the client has said it.
pub(crate) fn declared_length(client: &Client<'_>) -> Option<u64> {
    match client.head().framing {
        Framing::Length(length) => Some(length),
        _ => None,
    }
}
