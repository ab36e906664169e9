//! The way of a URL through a site: filtered, rewritten, found on the disk, mapped to what serves it.
//!
//! Pure but for the questions to the disk; the order is IIS's (request filtering, rewriting, filtering again, default
//! document, script and path info, handler mapping). A program that is mapped to all of a path comes before the disk: it
//! answers for files and directories, too.

use std::sync::Arc;

use super::disk::{Disk, Kind};
use super::encode::{encode, encode_query};
use super::facts::Facts;
use super::filter::Refusal;
use super::mapping::{Mapped, Mapping, Module};
use super::path::{BadPath, SitePath};
use super::policy::{Policy, Tree};
use super::rewrite::{Outcome, Step, Subject};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) method: &'r str,
    /// As received.
    pub(crate) target: &'r [u8],
    pub(crate) content_length: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// A file of the site, relative to its root and spelled as on the disk.
    File {
        path: String,
    },
    /// The script of a handler; for a program, the path. FastCGI that has all paths of a folder has that folder for a
    /// script, which may be empty.
    Script {
        script: String,
        path_info: String,
        mapped: Box<Mapped>,
    },
    Redirect {
        status: u16,
        location: String,
    },
    Refuse(Refusal),
    /// A rule's own response.
    Respond {
        status: u16,
        substatus: u16,
        reason: Option<Box<str>>,
        description: Option<Box<str>>,
    },
    Abort,
    /// The configuration of the directory cannot be used, or a rule of it cannot be decided.
    Broken(Arc<str>),
}

/// A decision, and what was found on the way to it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) decision: Decision,
    /// That of the directory the decision was made in.
    pub(crate) policy: Arc<Policy>,
    pub(crate) rewritten: bool,
    /// The path at the end of all rewriting, with its slash.
    pub(crate) url: String,
    /// What a program is asked for in place of the URL as it came, if rules have rewritten that: encoded, with the query.
    pub(crate) target: Option<String>,
    /// The same path, method and query have the same route until the disk or the configuration changes.
    pub(crate) is_repeatable: bool,
}

/// Decides what serves a request. `witness`, if there is one, is told what each rewrite rule did.
pub(crate) fn decide(
    policies: &Tree<Policy>,
    asked: Asked<'_>,
    facts: &dyn Facts,
    disk: &dyn Disk,
    witness: Option<&mut dyn FnMut(Step)>,
) -> Option<Route> {
    let refuse =
        |status, substatus, why: &str| Decision::Refuse(Refusal { status, substatus, why: why.to_owned() });
    let mut route = Route {
        decision: Decision::Abort,
        policy: policies.at("")?.clone(),
        rewritten: false,
        url: "/".to_owned(),
        target: None,
        is_repeatable: true,
    };
    let (path, query) = match SitePath::of_target(asked.target) {
        Ok(parts) => parts,
        Err(bad) => {
            route.decision = match bad {
                BadPath::Outside => refuse(403, 0, "the URL leads out of the site"),
                BadPath::Forbidden => refuse(400, 0, "the URL holds a character that no path may hold"),
            };
            return Some(route);
        }
    };
    let query = String::from_utf8_lossy(query);
    route.policy = policies.at(path.as_str())?.clone();
    route.decision = match pass(&mut route, policies, asked, &path, &query, facts, disk, witness) {
        Ok((path, query)) => {
            let decision = place(&mut route, policies, &path, &query, asked.method, disk);
            if let (true, Decision::Script { mapped, .. }) = (route.rewritten, &decision)
                && mapped.module.gets_rewritten_target()
            {
                let query =
                    if query.is_empty() { String::new() } else { format!("?{}", encode_query(&query)) };
                route.target = Some(format!("{}{query}", encode(&route.url)));
            }
            decision
        }
        Err(decision) => decision,
    };
    Some(route)
}

/// Filtering and rewriting: the path and query that are to be found on the disk, or a decision already.
#[expect(clippy::too_many_arguments, reason = "the facts of one request; a struct would only rename them")]
fn pass(
    route: &mut Route,
    policies: &Tree<Policy>,
    asked: Asked<'_>,
    path: &SitePath,
    query: &str,
    facts: &dyn Facts,
    disk: &dyn Disk,
    witness: Option<&mut dyn FnMut(Step)>,
) -> Result<(SitePath, String), Decision> {
    let policy = route.policy.clone();
    if let Some(why) = &policy.broken {
        return Err(Decision::Broken(why.clone()));
    }
    let url_bytes = asked.target.len() - query.len().min(asked.target.len());
    let admitted = policy.filter.admit_request(asked.method, asked.content_length, url_bytes, query.len());
    // The next request for the URL may have a smaller body.
    route.is_repeatable = admitted.is_ok() && policy.rewrite.needs_only_the_url();
    admitted.and_then(|()| policy.filter.admit_path(path)).map_err(Decision::Refuse)?;
    let original = String::from_utf8_lossy(path_and_query(asked.target));
    let subject = Subject { path, query, original: &original };
    let outcome = match witness {
        Some(witness) => policy.rewrite.apply(subject, facts, disk, witness),
        None => policy.rewrite.decide(subject, facts, disk),
    };
    let outcome = outcome.map_err(|too_hard| {
        Decision::Broken(format!("the pattern of rewrite rule \"{}\" took too long", too_hard.rule).into())
    })?;
    match outcome {
        Outcome::Unchanged => Ok((path.clone(), query.to_owned())),
        Outcome::Rewritten { path, query } => {
            route.rewritten = true;
            route.policy = policies.at(path.as_str()).unwrap_or(&policy).clone();
            if let Some(why) = &route.policy.broken {
                return Err(Decision::Broken(why.clone()));
            }
            route.policy.filter.admit_path(&path).map_err(Decision::Refuse)?;
            Ok((path, query))
        }
        Outcome::Redirect { status, location } => Err(Decision::Redirect { status, location }),
        Outcome::Respond { status, substatus, reason, description } => {
            Err(Decision::Respond { status, substatus, reason, description })
        }
        Outcome::Abort => Err(Decision::Abort),
    }
}

/// Finds the path on the disk and what serves it.
fn place(
    route: &mut Route,
    policies: &Tree<Policy>,
    path: &SitePath,
    query: &str,
    method: &str,
    disk: &dyn Disk,
) -> Decision {
    route.url = format!(
        "/{}{}",
        path.as_str(),
        if path.ends_in_slash() && !path.as_str().is_empty() { "/" } else { "" }
    );
    let refuse = |status, substatus, why: String| Decision::Refuse(Refusal { status, substatus, why });
    let mapping = &route.policy.mapping;
    if let Some(program) = mapping.program_at_once(path, method) {
        return run(program, path);
    }
    // A file has nothing below it.
    let found =
        disk.find(path.as_str()).filter(|(kind, _)| *kind == Kind::Directory || !path.ends_in_slash());
    if let Some((kind, found)) = found {
        if let Some(program) = mapping.program(path, method, Some(kind)) {
            return run(program, path);
        }
        return match kind {
            Kind::File => serve(route, policies, found, String::new(), method, disk),
            Kind::Directory => directory(route, policies, path, query, found, method, disk),
        };
    }
    let (before, nothing_from) = script_before(path, disk);
    if let Some((script, path_info)) = before {
        let policy = route.policy.clone();
        let decision = serve(route, policies, script, path_info, method, disk);
        if !matches!(decision, Decision::File { .. }) {
            return decision;
        }
        // A file on the way that is no script of FastCGI must not become one by what follows it.
        let program = policy.mapping.program(path, method, None);
        if let Some(program) = program.filter(|program| program.module.is_program()) {
            let decision = run(program, path);
            route.policy = policy;
            return decision;
        }
    } else if let Some(decision) = unseen_script(mapping, path, method, nothing_from) {
        return decision;
    } else if let Some(program) = mapping.program(path, method, None) {
        return run(program, path);
    } else if let Some(mapped) = mapping.pick(path.as_str(), method, None) {
        // What runs scripts needs one; what stands in front of a server of its own does not.
        if !matches!(mapped.module, Module::Iisnode | Module::FastCgi | Module::Static) {
            let mapped = Box::new(mapped.clone());
            return Decision::Script { script: path.as_str().to_owned(), path_info: String::new(), mapped };
        }
    }
    refuse(404, 0, format!("/{} does not exist", path.as_str()))
}

/// A program gets the request as it is.
fn run(program: &Mapped, path: &SitePath) -> Decision {
    let (script, mut path_info) = program.divided(path.as_str());
    match path_info.len() {
        2.. if path.ends_in_slash() => path_info.push('/'),
        // The folder itself, without a slash.
        1 if !path.ends_in_slash() && !script.is_empty() => path_info.clear(),
        _ => {}
    }
    Decision::Script { script, path_info, mapped: Box::new(program.clone()) }
}

/// A script of FastCGI that is not on the disk, along a path of which nothing is there after its first `nothing_from`
/// bytes: the shortest that has a row for what need not exist.
fn unseen_script(mapping: &Mapping, path: &SitePath, method: &str, nothing_from: usize) -> Option<Decision> {
    if !mapping.mapped.iter().any(|mapped| mapped.module == Module::FastCgi) {
        return None;
    }
    let text = path.as_str();
    let slashes = text.match_indices('/').map(|(at, _)| at).filter(|at| *at > nothing_from);
    let ends = slashes.take(MOST_UNSEEN).chain([text.len()]);
    ends.into_iter().find_map(|end| {
        let (script, rest) = text.split_at_checked(end)?;
        let mapped = mapping.pick(script, method, None)?;
        if mapped.module != Module::FastCgi || mapped.is_wildcard() {
            return None;
        }
        let slash = if path.ends_in_slash() { "/" } else { "" };
        let (script, path_info) = (script.to_owned(), format!("{rest}{slash}"));
        Some(Decision::Script { script, path_info, mapped: Box::new(mapped.clone()) })
    })
}

/// Nobody's virtual scripts lie deeper below what exists; each name costs a look through all rows.
const MOST_UNSEEN: usize = 32;

const PHP_INDEX: &str = "index.php";

fn directory(
    route: &mut Route,
    policies: &Tree<Policy>,
    path: &SitePath,
    query: &str,
    found: String,
    method: &str,
    disk: &dyn Disk,
) -> Decision {
    let refuse = |status, substatus, why: String| Decision::Refuse(Refusal { status, substatus, why });
    if !path.ends_in_slash() && matches!(method, "GET" | "HEAD") && !route.rewritten {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        return Decision::Redirect { status: 301, location: format!("/{}/{query}", encode(path.as_str())) };
    }
    if let Some(policy) = policies.at(&found) {
        route.policy = policy.clone();
    }
    let documents = &route.policy.documents;
    if documents.enabled {
        for name in &documents.names {
            let document = if found.is_empty() { name.to_string() } else { format!("{found}/{name}") };
            if let Some((Kind::File, document)) = disk.find(&document) {
                return serve(route, policies, document, String::new(), method, disk);
            }
        }
        // IIS is told of this name when PHP is installed, which no web.config says.
        let index = if found.is_empty() { PHP_INDEX.to_owned() } else { format!("{found}/{PHP_INDEX}") };
        let row = route.policy.mapping.pick(&index, method, Some(Kind::File));
        if row.is_some_and(|row| row.module == Module::FastCgi && !row.is_wildcard())
            && let Some((Kind::File, document)) = disk.find(&index)
        {
            return serve(route, policies, document, String::new(), method, disk);
        }
    }
    if let Some(mapped) = route.policy.mapping.pick(&found, method, Some(Kind::Directory))
        && !matches!(mapped.module, Module::Iisnode | Module::Static)
    {
        let mapped = Box::new(mapped.clone());
        return Decision::Script { script: found, path_info: String::new(), mapped };
    }
    let looked_for = if documents.enabled { documents.names.join(", ") } else { "none".to_owned() };
    refuse(
        403,
        14,
        format!(
            "/{found} is a directory, and none of its default documents exists (looked for: {looked_for})"
        ),
    )
}

/// What serves a file that exists.
fn serve(
    route: &mut Route,
    policies: &Tree<Policy>,
    file: String,
    path_info: String,
    method: &str,
    disk: &dyn Disk,
) -> Decision {
    // By its names on the disk: the URL may have spelled a hidden name in a way that only the disk understands. And as
    // what it is without links: they lead neither past the policy of a directory nor to applications without number.
    let real = disk.without_links(&file);
    for name in [&file, &real] {
        if let Some(policy) = policies.at(name) {
            route.policy = policy.clone();
        }
        if let Some(why) = &route.policy.broken {
            return Decision::Broken(why.clone());
        }
        if let Ok(path) = SitePath::of_text(name)
            && let Err(refusal) = route.policy.filter.admit_path(&path)
        {
            return Decision::Refuse(refusal);
        }
    }
    let file = real;
    match route.policy.mapping.pick(&file, method, Some(Kind::File)) {
        Some(mapped) if mapped.module.is_program() => Decision::Script {
            script: format!("{file}{path_info}").trim_end_matches('/').to_owned(),
            path_info: String::new(),
            mapped: Box::new(mapped.clone()),
        },
        Some(mapped) if mapped.is_wildcard() => {
            let (script, path_info) = mapped.divided(&format!("{file}{path_info}"));
            Decision::Script { script, path_info, mapped: Box::new(mapped.clone()) }
        }
        Some(mapped) if mapped.module != Module::Static => {
            Decision::Script { script: file, path_info, mapped: Box::new(mapped.clone()) }
        }
        _ => Decision::File { path: file },
    }
}

/// The beginning of the path that is a file, and the rest of it with its slash; and how much of the path is there.
fn script_before(path: &SitePath, disk: &dyn Disk) -> (Option<(String, String)>, usize) {
    let text = path.as_str();
    let mut there = 0;
    let ends = text.match_indices('/').map(|(at, _)| at).chain(path.ends_in_slash().then_some(text.len()));
    for end in ends {
        match disk.find(&text[..end]) {
            Some((Kind::Directory, _)) => there = end,
            Some((Kind::File, script)) => {
                let slash = if path.ends_in_slash() && end < text.len() { "/" } else { "" };
                let rest = if end < text.len() { &text[end..] } else { "/" };
                return (Some((script, format!("{rest}{slash}"))), end);
            }
            None => break,
        }
    }
    (None, there)
}

/// The path and query of a target that may be a whole URL.
fn path_and_query(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') {
        return target;
    }
    let after_scheme = target.windows(3).position(|window| window == b"://").map_or(0, |at| at + 3);
    let slash = target[after_scheme..].iter().position(|byte| *byte == b'/');
    slash.map_or(b"/", |slash| &target[after_scheme + slash..])
}

#[cfg(test)]
mod tests;
