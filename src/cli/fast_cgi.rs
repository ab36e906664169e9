//! What the commands that know sites say of FastCGI pools: which one a handler means here, and what is to be said of it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::config::fastcgi::{self, ResolvedPool, Runs, Surroundings};
use crate::config::settings::Environment;
use crate::config::site::SiteConfig;
use crate::config::source::{Note, Source};
use crate::exchange::Peer;
use crate::handler::cgi::Cgi;
use crate::handler::variables::Scene;
use crate::http1::request::RequestHead;
use crate::pool::FastCgiPassing;
use crate::rules::mapping::Module;
use crate::tend::CommandLine;

/// The pool of a `scriptProcessor` in a site.
///
/// # Errors
/// Why it does not run.
pub(super) fn resolve(
    processor: &str,
    config: &SiteConfig,
    environment: &Environment,
) -> Result<ResolvedPool, Vec<Note>> {
    let layer = fastcgi::layer_of(processor, &config.layers, environment);
    let Some(layer) = layer else { return Err(Vec::new()) };
    let path = environment.get("PATH").cloned().unwrap_or_default();
    let find = |name: &str| {
        let command = CommandLine { program: name.to_owned(), args: Vec::new() };
        command.find(&config.root, path.as_ref()).ok()
    };
    fastcgi::pool(processor, layer, &Surroundings { environment, find: &find })
}

/// Everything that is to be said about the pools that handlers of a site lead to.
pub(super) fn notes(config: &SiteConfig, environment: &Environment) -> Vec<Note> {
    let mut processors = BTreeSet::new();
    for policy in config.policies.values() {
        let rows = policy.mapping.mapped.iter().filter(|mapped| mapped.module == Module::FastCgi);
        processors.extend(rows.filter_map(|mapped| mapped.processor.as_deref()));
    }
    let resolved =
        processors.into_iter().map(|processor| (processor, resolve(processor, config, environment)));
    resolved
        .flat_map(|(_, resolved)| resolved.map_or_else(|notes| notes, |resolved| all_notes(&resolved)))
        .collect()
}

/// With a word for a program that is not here: it may be where the site will run.
pub(super) fn all_notes(resolved: &ResolvedPool) -> Vec<Note> {
    let place = resolved.told.iter().find(|(name, _)| matches!(*name, "fullPath" | "command"));
    let place = place.map_or(Source::Default, |(_, told)| told.source.clone());
    let missing = match &resolved.pool.runs {
        Runs::Program { command, .. } => command.missing.as_ref(),
        Runs::Server(_) => None,
    };
    let missing = missing.map(|what| Note::warning(place, what));
    resolved.notes.iter().cloned().chain(missing).collect()
}

/// What is run, or who is asked.
pub(super) fn command(resolved: &ResolvedPool) -> String {
    match &resolved.pool.runs {
        Runs::Program { command, .. } => command.shown.clone(),
        Runs::Server(address) => format!("none; {address} is asked"),
    }
}

/// Set for each program; what is told of each request goes with that.
pub(super) fn variables(resolved: &ResolvedPool) -> Vec<String> {
    match &resolved.pool.runs {
        Runs::Program { variables, .. } => {
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
        }
        Runs::Server(_) => Vec::new(),
    }
}

/// What a program of the pool is told of a request for `url` from this machine, as `NAME=value`, where the host has routed it to
/// `scene`; `rewritten` is its target after rewriting. The host's own facts, such as ports, are those of a usual request.
pub(super) fn parameters(
    resolved: &ResolvedPool,
    root: &Path,
    (method, url): (&str, &str),
    scene: Scene<'_>,
    rewritten: Option<&str>,
) -> Vec<String> {
    let (host, target) = match url.split_once("://") {
        None => ("localhost", url),
        Some((_, rest)) => match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        },
    };
    let target = target.split('#').next().unwrap_or_default();
    let text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut head = RequestHead::default();
    if !matches!(head.parse(text.as_bytes(), 0, 8), Ok(true)) {
        return Vec::new();
    }
    let pool = &resolved.pool;
    let passing = FastCgiPassing {
        document_root: root.to_string_lossy().trim_end_matches('/').to_owned(),
        stderr: pool.stderr,
        activity_timeout: pool.activity_timeout,
        request_timeout: pool.request_timeout,
        tells_https_off: pool.tells_https_off,
        redirects_locally: pool.redirects_locally,
        sends_files_below: pool.sends_files_below.clone(),
        keeps_connection: true,
    };
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let peer = Peer::new(Some(here), None);
    let cgi = Cgi {
        head: &head,
        bytes: text.as_bytes(),
        peer: &peer,
        over_http2: false,
        scene,
        passing: &passing,
        target: rewritten,
        body_bytes: None,
        told: "",
        is_redirected: false,
        guards_identity: true,
    };
    let mut told = Vec::new();
    let put = |name: &[u8], value: &[u8]| {
        told.push(format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
        Ok::<(), Infallible>(())
    };
    match cgi.each(put) {
        Ok(()) => told,
        Err(never) => match never {},
    }
}

/// What recycles the pool when it changes; places inside the site are told relative to its root.
pub(super) fn watched(resolved: &ResolvedPool, root: &Path) -> String {
    let files = &resolved.pool.watched_files;
    let told = files.iter().map(|file| file.strip_prefix(root).unwrap_or(file).display().to_string());
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::{all_notes, command, notes, resolve, variables, watched};
    use crate::config::settings::Environment;
    use crate::config::site;

    #[test]
    fn a_pool_is_told_with_its_program_and_all_that_is_to_be_said() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"<configuration><system.webServer>
<handlers><add name="P" path="*.php" verb="*" modules="FastCgiModule" scriptProcessor="C:\PHP\php-cgi.exe"/></handlers>
<fastCgi><application fullPath="C:\PHP\php-cgi.exe" monitorChangesTo="/x/php.ini" maxInstances="5">
<environmentVariables><environmentVariable name="A" value="1"/></environmentVariables></application></fastCgi>
</system.webServer></configuration>"#;
        std::fs::write(folder.path().join("web.config"), text).unwrap();
        let config = site::load(folder.path());
        assert!(config.notes.is_empty(), "{:?}", config.notes);
        // Nobody has a program in an empty PATH.
        let environment: Environment = [("PATH".to_owned(), "/nowhere".to_owned())].into();
        let resolved = resolve(r"C:\PHP\php-cgi.exe", &config, &environment).unwrap();
        assert_eq!(resolved.pool.max_instances, 5);
        assert_eq!(command(&resolved), "php-cgi");
        assert_eq!(variables(&resolved), ["A=1", "PHP_FCGI_MAX_REQUESTS=1200"]);
        assert_eq!(watched(&resolved, folder.path()), "/x/php.ini");
        let told = notes(&config, &environment);
        assert_eq!(told, all_notes(&resolved));
        assert_eq!(told.len(), 1, "{told:?}");
        let note = told[0].to_string();
        assert!(note.contains("web.config:3:23: warning: there is no program `php-cgi` in PATH"), "{note}");
    }

    #[test]
    fn an_error_of_a_pool_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[Types]\nphp=PHP\n[PHP]\nQueueLength=0\n";
        std::fs::write(folder.path().join("fcgiext.ini"), text).unwrap();
        let config = site::load(folder.path());
        let told = notes(&config, &Environment::new());
        assert!(told[0].to_string().contains("fcgiext.ini:4:13: error: `0` is not a value"), "{told:?}");
    }
}
