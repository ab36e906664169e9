//! What the commands that know sites say of FastCGI pools: which one a handler means here, and what is to be said of it.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::config::fastcgi::outside::ProgramEntry;
use crate::config::fastcgi::{self, ResolvedPool, Runs, Surroundings};
use crate::config::settings::Environment;
use crate::config::site::SiteConfig;
use crate::config::source::{Note, Source};
use crate::exchange::Peer;
use crate::handler::cgi::Cgi;
use crate::handler::variables::Scene;
use crate::http1::request::RequestHead;
use crate::pool::FastCgiPassing;
use crate::rules::mapping::Mapped;
use crate::tend::look_up;

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
    let find = |name: &str| look_up(name, &config.root, environment);
    fastcgi::pool(processor, layer, &Surroundings { environment, find: &find })
}

/// Everything that is to be said about the pools that handlers of a site lead to.
pub(super) fn notes(config: &SiteConfig, environment: &Environment) -> Vec<Note> {
    let of_pools = fastcgi::processors(&config.policies).into_iter().flat_map(|processor| {
        resolve(processor, config, environment).map_or_else(|notes| notes, |resolved| all_notes(&resolved))
    });
    let unheard = fastcgi::unheard(&config.policies, &config.layers, environment);
    of_pools.chain(unheard.into_iter().map(|(_, note)| note)).collect()
}

/// Whether a program of the host's file stands in for one of a site.
pub(super) fn is_used(program: &ProgramEntry, config: &SiteConfig, environment: &Environment) -> bool {
    let Some(layer) = config.layers.at("") else { return false };
    fastcgi::processors(&config.policies)
        .into_iter()
        .any(|processor| layer.fast_cgi_outside.uses(program, processor, environment))
}

/// The word about one that stands in for none.
pub(super) fn unused(program: &ProgramEntry) -> Note {
    let what = format!("no FastCGI handler names `{}`, so nothing is run in its place", program.written);
    let help = "a key is the program of a scriptProcessor, by its name or path, or a whole scriptProcessor";
    Note::warning(program.command.source.clone(), what).with_help(help)
}

/// What is said of a pool where nobody hears it.
pub(super) fn unheard(processor: &str, config: &SiteConfig, environment: &Environment) -> Vec<Note> {
    let all = fastcgi::unheard(&config.policies, &config.layers, environment);
    let about = all.into_iter().filter(|(meant, _)| meant.as_deref() == Some(processor));
    about.map(|(_, note)| note).collect()
}

/// The file that declares a handler, if that is no web.config of the site.
pub(super) fn declaring_file(mapped: &Mapped, config: &SiteConfig) -> Option<PathBuf> {
    let processor = mapped.processor.as_deref()?;
    let layer = config.layers.at("")?;
    let outside = &*layer.fast_cgi_outside;
    let pool = outside.pools.iter().find(|pool| pool.key.value == mapped.name);
    let of_ini = || outside.ini.as_ref().and_then(|ini| ini.place(processor));
    match pool.map(|pool| &pool.key.source).or_else(of_ini) {
        Some(Source::File { path, .. }) => return Some(path.to_path_buf()),
        Some(_) => return None,
        None => {}
    }
    let named = layer.processors.iter().find(|named| named.value == processor);
    match &named?.source {
        Source::File { path, .. } if !path.starts_with(&config.root) => Some(path.to_path_buf()),
        _ => None,
    }
}

/// With a word for a program that is not here, as it may be where the site will run, and for what is said in vain.
pub(super) fn all_notes(resolved: &ResolvedPool) -> Vec<Note> {
    let ResolvedPool { notes, without_effect, .. } = resolved;
    notes.iter().chain(without_effect).cloned().chain(resolved.missing()).collect()
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
    config: &SiteConfig,
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
    // As the host tells whoever gets a rewritten request.
    let original = rewritten.map(|_| format!("X-Original-URL: {target}\r\n")).unwrap_or_default();
    let site = config.layers.at("").map_or(1, |layer| layer.fast_cgi_outside.site);
    let passing = FastCgiPassing::of(&resolved.pool, &config.root, site);
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
        told: &original,
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
        let [watched, missing] = told.as_slice() else { panic!("{told:?}") };
        assert!(watched.what.contains("there is no file /x/php.ini"), "{watched}");
        let note = missing.to_string();
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
