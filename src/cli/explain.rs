//! `ostler explain`: how a URL would be served, and which file says so. Starts nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::url_facts::UrlFacts;
use super::{USAGE, explain_application, fail, fast_cgi, programs, sites};
use crate::base::root::Root;
use crate::config::settings;
use crate::config::site::{self, Section, SiteConfig};
use crate::config::source::Note;
use crate::config::xml::{self, Element};
use crate::handler::variables::Scene;
use crate::rules::encode;
use crate::rules::files::ClientCache;
use crate::rules::mapping::Module;
use crate::rules::rewrite::Step;
use crate::rules::route::{self, Asked, Decision};

const EXAMPLES: &str = "\
Examples:
  ostler explain /api/users                    how this site serves the URL
  ostler explain 'https://shop.example.com/?q=1' site
  ostler explain --json /                      for programs";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// The URL: a path, or all of it
    url: String,
    /// The site's folder; this folder if left out
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// The host's file, for its defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// What is said of a URL, in the order of its way.
#[derive(Debug, Serialize)]
struct Explanation {
    url: String,
    method: String,
    site: String,
    rules: Vec<RuleTried>,
    rewritten: bool,
    path: String,
    outcome: String,
    /// Of a static file.
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caching: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    /// Of FastCGI, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// Set for the program, as `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<String>,
    /// Told to a FastCGI program with the request, as `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<String>,
    /// The URL of the logs, or their folder where no URL leads to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<String>,
    /// What makes the application start anew when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    watched: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<Setting>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RuleTried {
    rule: String,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    value: String,
    source: String,
    #[serde(flatten)]
    described: Option<Described>,
}

#[derive(Debug, Serialize)]
struct Described {
    takes_effect: &'static str,
    doc: &'static str,
}

impl Explain {
    pub(super) fn execute(self) -> ExitCode {
        let facts = UrlFacts { url: &self.url, method: &self.method };
        let asked = explain_application::Asked {
            url: &self.url,
            method: &self.method,
            host: self.url.contains("://").then(|| facts.name().to_ascii_lowercase()),
            is_for_programs: self.json,
        };
        if let Some(code) = explain_application::execute(&asked, &self.path, self.config.as_deref()) {
            return code;
        }
        match self.explanation() {
            Ok(explanation) if self.json => match serde_json::to_string_pretty(&explanation) {
                Ok(text) => super::print(&format!("{text}\n")),
                Err(error) => fail(&error, 1),
            },
            Ok(explanation) => super::print(&explanation.text()),
            Err(why) => fail(&why, USAGE),
        }
    }

    fn explanation(&self) -> Result<Explanation, String> {
        let facts = UrlFacts { url: &self.url, method: &self.method };
        let host = self.url.contains("://").then(|| facts.name().to_ascii_lowercase());
        let plan = sites::site_of(&self.path, self.config.as_deref(), host.as_deref())?;
        let root = plan.root.canonicalize().map_err(|error| format!("{}: {error}", plan.root.display()))?;
        let config = site::load_within(&root, &plan.fast_cgi);
        let disk = Root::open(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        let asked = Asked { method: &self.method, target: self.url.as_bytes(), content_length: None };
        let mut rules = Vec::new();
        let places = rule_places(&config, self.url_path());
        let mut witness = |step: Step| {
            let place = places.get(&*step.rule).cloned();
            rules.push(RuleTried { rule: step.rule.to_string(), what: step.what, place });
        };
        let route = route::decide(&config.policies, asked, &facts, &disk, Some(&mut witness));
        let route = route.ok_or("the site has no configuration")?;
        let mut explanation = Explanation {
            url: self.url.clone(),
            method: self.method.clone(),
            site: root.display().to_string(),
            rules,
            rewritten: route.rewritten,
            path: route.url.clone(),
            outcome: outcome(&route.decision),
            media_type: None,
            caching: None,
            handler: None,
            script: None,
            path_info: None,
            application: None,
            command: None,
            variables: Vec::new(),
            parameters: Vec::new(),
            logs: None,
            watched: None,
            settings: Vec::new(),
            notes: Vec::new(),
        };
        if let Decision::File { path } = &route.decision {
            let media_type = route.policy.files.media_type(path);
            explanation.media_type = Some(media_type.unwrap_or("none, so 404.3 is answered").to_owned());
            explanation.caching = Some(caching(&route.policy.files.client_cache));
        }
        if let Decision::Script { script, mapped, path_info } = &route.decision {
            let file = fast_cgi::declaring_file(mapped, &config);
            let file = file.map(|file| short(&file.display().to_string(), &root));
            let base = if mapped.base.is_empty() { "the root" } else { &mapped.base };
            let base = file.as_deref().unwrap_or(base);
            explanation.handler = Some(format!("{} (path {}, declared in {base})", mapped.name, mapped.path));
            match mapped.module {
                Module::Iisnode => {
                    explanation.application = Some(script.clone());
                    explanation.application(&root, &config, script, &plan.defaults);
                }
                Module::HttpPlatform | Module::AspNetCore => {
                    explanation.program(&root, &config, script, &mapped.module);
                }
                Module::FastCgi => {
                    explanation.script = Some(root.join(script).display().to_string());
                    explanation.path_info = Some(path_info.clone()).filter(|info| !info.is_empty());
                    let physical_root = root.to_string_lossy();
                    let physical_root = physical_root.trim_end_matches('/');
                    let scene = Scene { physical_root, url: &route.url, script, path_info };
                    let processor = mapped.processor.as_deref().unwrap_or_default();
                    explanation.pool(&config, processor, scene, route.target.as_deref());
                }
                _ => {}
            }
        }
        Ok(explanation)
    }

    /// The path of the URL, without slashes at its start, as it was given.
    fn url_path(&self) -> &str {
        let path = match self.url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => &self.url,
        };
        path.split(['?', '#']).next().unwrap_or(path).trim_start_matches('/')
    }
}

/// Where the rules are written that may concern a path, by their names; the nearest file wins.
fn rule_places(config: &SiteConfig, path: &str) -> HashMap<String, String> {
    let asked = config.root.join(path);
    let mut places = HashMap::new();
    for file in config.files.iter().filter(|file| file.parent().is_some_and(|above| asked.starts_with(above)))
    {
        let tree = std::fs::read(file).ok().and_then(|bytes| xml::decode(&bytes).ok());
        let tree = tree.and_then(|text| xml::parse(&text, &file.as_path().into()).ok());
        let mut left: Vec<Element> = tree.into_iter().collect();
        while let Some(element) = left.pop() {
            if let Some(name) = element.value("name").filter(|_| element.name.eq_ignore_ascii_case("rule")) {
                places.insert(name.to_owned(), short(&element.source.to_string(), &config.root));
            }
            left.extend(element.children);
        }
    }
    places
}

impl Explanation {
    /// Adds what holds for the application of a script.
    fn application(&mut self, root: &Path, config: &SiteConfig, script: &str, defaults: &settings::Defaults) {
        let Some(layer) = config.layers.at(script) else { return };
        let script = root.join(script);
        let environment = sites::environment();
        let directory = script.parent().unwrap_or(root);
        match settings::resolve(layer, directory, &environment, defaults) {
            Ok(resolved) => {
                self.notes.extend(resolved.notes.iter().map(Note::to_string));
                let settings = &resolved.settings;
                self.logs = settings.logs.as_ref().map(|logs| {
                    let inside = logs.directory.strip_prefix(root).ok().and_then(Path::to_str);
                    inside.map_or_else(
                        || format!("{} (outside the site, so at no URL)", logs.directory.display()),
                        |inside| format!("/{}/index.html", encode::encode(inside)),
                    )
                });
                let place = directory.strip_prefix(root).ok().filter(|place| !place.as_os_str().is_empty());
                let place = place.map_or_else(|| "the root".to_owned(), |place| place.display().to_string());
                self.watched = Some(match settings.watched_files.as_str() {
                    "" => "nothing".to_owned(),
                    files => format!("{files} in {place}"),
                });
                let told = resolved.told.into_iter().map(|(name, told)| Setting {
                    name,
                    value: told.value,
                    source: short(&told.source.to_string(), root),
                    described: settings::described(name)
                        .map(|(takes_effect, doc)| Described { takes_effect, doc }),
                });
                self.settings.extend(told);
                let command = sites::worker_command(&resolved.settings, &script, layer, &environment);
                self.command = command.map(|command| command.shown).ok();
            }
            Err(notes) => self.notes.extend(notes.iter().map(Note::to_string)),
        }
    }

    /// Adds what holds for the program that serves a path.
    fn program(&mut self, root: &Path, config: &SiteConfig, path: &str, module: &Module) {
        let layer = config.layers.at(path);
        let resolved = layer.and_then(|layer| programs::resolve(layer, module, &sites::environment()));
        let Some(resolved) = resolved else {
            self.notes.push("no section says which program that is".to_owned());
            return;
        };
        match resolved {
            Ok(resolved) => {
                self.notes.extend(programs::all_notes(&resolved).iter().map(Note::to_string));
                let program = &resolved.program;
                self.application =
                    layer.and_then(|layer| programs::section(layer, module)).map(Section::name);
                self.command = Some(program.command.shown.clone());
                self.variables = programs::variables(program);
                self.logs = Some(programs::logs(program));
                self.watched = Some(programs::watched(program, root));
                self.settings.extend(resolved.told.into_iter().map(|(name, told)| Setting {
                    name,
                    value: told.value,
                    source: short(&told.source.to_string(), root),
                    described: None,
                }));
            }
            Err(notes) => self.notes.extend(notes.iter().map(Note::to_string)),
        }
    }

    /// Adds what holds for the pool of a FastCGI handler.
    fn pool(&mut self, config: &SiteConfig, processor: &str, scene: Scene<'_>, rewritten: Option<&str>) {
        self.application = Some(format!("the pool {processor}"));
        match fast_cgi::resolve(processor, config, &sites::environment()) {
            Ok(resolved) => {
                self.notes.extend(fast_cgi::all_notes(&resolved).iter().map(Note::to_string));
                self.command = Some(fast_cgi::command(&resolved));
                self.variables = fast_cgi::variables(&resolved);
                let asked = (self.method.as_str(), self.url.as_str());
                self.parameters = fast_cgi::parameters(&resolved, config, asked, scene, rewritten);
                self.watched = Some(fast_cgi::watched(&resolved, &config.root));
                self.settings.extend(resolved.told.into_iter().map(|(name, told)| Setting {
                    name,
                    value: told.value,
                    source: short(&told.source.to_string(), &config.root),
                    described: None,
                }));
            }
            Err(notes) => self.notes.extend(notes.iter().map(Note::to_string)),
        }
        let unheard = fast_cgi::unheard(processor, config, &sites::environment());
        self.notes.extend(unheard.iter().map(Note::to_string));
    }

    fn text(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let mut line = |what: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{what:<12} {value}");
        };
        line("url", &format!("{} {}", self.method, self.url));
        line("site", &self.site);
        for (index, RuleTried { rule, what, place }) in self.rules.iter().enumerate() {
            let place = place.as_ref().map_or_else(String::new, |place| format!("  ({place})"));
            line(if index == 0 { "rules" } else { "" }, &format!("{rule}: {what}{place}"));
        }
        line("path", &format!("{}{}", self.path, if self.rewritten { " (rewritten)" } else { "" }));
        line("outcome", &self.outcome);
        for (what, value) in [
            ("media type", &self.media_type),
            ("caching", &self.caching),
            ("handler", &self.handler),
            ("script", &self.script),
            ("path info", &self.path_info),
            ("application", &self.application),
            ("command", &self.command),
            ("logs", &self.logs),
            ("watched", &self.watched),
        ] {
            if let Some(value) = value {
                line(what, value);
            }
        }
        for (what, variables) in [("variables", &self.variables), ("told with the request", &self.parameters)]
        {
            if !variables.is_empty() {
                let _ = writeln!(text, "{what}");
            }
            for variable in variables {
                let _ = writeln!(text, "  {variable}");
            }
        }
        if !self.settings.is_empty() {
            let (mut name_width, mut value_width) = (0, 0);
            for Setting { name, value, .. } in &self.settings {
                name_width = name_width.max(name.len());
                value_width = value_width.max(value.chars().count()).min(40);
            }
            text.push_str("settings\n");
            for Setting { name, value, source, .. } in &self.settings {
                let _ = writeln!(text, "  {name:<name_width$}  {value:<value_width$}  {source}");
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        text
    }
}

fn outcome(decision: &Decision) -> String {
    match decision {
        Decision::File { path } => format!("the static file {path}"),
        Decision::Script { script, path_info, mapped } => {
            let rest =
                if path_info.is_empty() { String::new() } else { format!(" with path info {path_info}") };
            match mapped.module {
                Module::Iisnode => format!("the application {script}{rest}"),
                Module::HttpPlatform | Module::AspNetCore => {
                    format!("the program that serves /{script}{rest}")
                }
                Module::FastCgi if mapped.is_wildcard() => {
                    format!("FastCGI for all paths of /{script}{rest}")
                }
                Module::FastCgi => format!("the FastCGI script {script}{rest}"),
                _ => format!("{script}{rest}, by a handler that is not served"),
            }
        }
        Decision::Redirect { status, location } => format!("{status} to {location}"),
        Decision::Refuse(refusal) => format!("{}.{}: {}", refusal.status, refusal.substatus, refusal.why),
        Decision::Respond { status, substatus, .. } => format!("{status}.{substatus}, by a rule"),
        Decision::Abort => "the connection is closed, by a rule".to_owned(),
        Decision::Broken(why) => format!("500.19: {why}"),
    }
}

fn caching(cache: &ClientCache) -> String {
    match cache {
        ClientCache::Unset => "as the client likes, with ETag and Last-Modified".to_owned(),
        ClientCache::Disable => "no-cache".to_owned(),
        ClientCache::MaxAge(age) => format!("max-age={}", age.as_secs()),
        ClientCache::Expires(time) => format!("until {}", httpdate::fmt_http_date(*time)),
    }
}

/// Places inside the site are told relative to it.
fn short(source: &str, root: &Path) -> String {
    let root = format!("{}/", root.display());
    source.strip_prefix(&root).unwrap_or(source).to_owned()
}
