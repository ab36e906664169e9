//! Which folder of a site speaks for a pool, and who speaks in vain.
//!
//! IIS has one list of pools for a whole server; here any folder of a site may have some, and a pool is the same wherever a
//! handler leads to it: the widest folder that knows it speaks.

use std::collections::BTreeSet;

use super::outside::{is_same, parts};
use crate::config::settings::Environment;
use crate::config::settings::expansion::expand;
use crate::config::settings::paths::forward;
use crate::config::settings::search::bare;
use crate::config::site::{AppLayer, FastCgiElement};
use crate::config::source::{Located, Note, Source};
use crate::rules::mapping::Module;
use crate::rules::policy::{Policy, Tree};

/// The pools that handlers lead to, as their `scriptProcessor` names them.
pub(crate) fn processors(policies: &Tree<Policy>) -> BTreeSet<&str> {
    let mapped = policies.values().into_iter().flat_map(|policy| &policy.mapping.mapped);
    let rows = mapped.filter(|mapped| mapped.module == Module::FastCgi);
    rows.filter_map(|mapped| mapped.processor.as_deref()).collect()
}

/// The layer that says most about a pool.
pub(crate) fn layer_of<'l>(
    processor: &str,
    layers: &'l Tree<AppLayer>,
    environment: &Environment,
) -> Option<&'l AppLayer> {
    let root = layers.at("")?;
    let knows = |layer: &AppLayer| element(processor, layer, environment).is_some();
    if knows(root) {
        return Some(root);
    }
    let names = |layer: &AppLayer| layer.processors.iter().any(|named| named.value == processor);
    let find = |fits: &dyn Fn(&AppLayer) -> bool| layers.values().into_iter().find(|layer| fits(layer));
    Some(find(&knows).or_else(|| find(&names)).map_or(root, |layer| layer))
}

/// A word for every `application` of a site from which no pool has its settings: no handler leads to it, or a wider folder
/// speaks for it. Each with the `scriptProcessor` that is meant, or may be.
pub(crate) fn unheard(
    policies: &Tree<Policy>,
    layers: &Tree<AppLayer>,
    environment: &Environment,
) -> Vec<(Option<Box<str>>, Note)> {
    let all = layers.values();
    let declared = all.iter().flat_map(|layer| &layer.processors).map(|named| named.value.as_str());
    let processors: BTreeSet<&str> = declared.chain(processors(policies)).collect();
    let mut seen: Vec<&Source> = Vec::new();
    let mut notes = Vec::new();
    for layer in &all {
        for element in &layer.fast_cgi {
            // Those below inherit it. A server has many pools that this site does not need.
            if seen.contains(&&element.source) || is_of_server(element, layer) {
                continue;
            }
            seen.push(&element.source);
            let own = processor_of(element, environment);
            let leading = processors.iter().find(|processor| is_same(&expand(processor, environment), &own));
            let Some(processor) = leading else {
                notes.push(unused(element, &own, &processors, environment));
                continue;
            };
            let speaker = layer_of(processor, layers, environment);
            let holds = speaker.and_then(|layer| self::element(processor, layer, environment));
            if let Some(holds) = holds.filter(|holds| !says_the_same(holds, element)) {
                let what = format!(
                    "this pool is that of {} wherever handlers of this site lead to it; what is said here does not hold",
                    holds.source
                );
                let help = "other arguments, in the scriptProcessor too, make it a pool of its own";
                let note = Note::warning(element.source.clone(), what).with_help(help);
                notes.push((Some((*processor).into()), note));
            }
        }
    }
    notes
}

fn is_of_server(element: &FastCgiElement, layer: &AppLayer) -> bool {
    match (&element.source, &layer.fast_cgi_outside.server_file) {
        (Source::File { path, .. }, Some(server)) => **path == **server,
        _ => false,
    }
}

fn says_the_same(one: &FastCgiElement, other: &FastCgiElement) -> bool {
    let attributes = |element: &FastCgiElement| {
        let named = element.attributes.iter().map(|(name, value)| (name.to_lowercase(), value.value.clone()));
        named.collect::<BTreeSet<_>>()
    };
    let variables = |element: &FastCgiElement| {
        let named = element.variables.iter().map(|(name, value)| (name.value.clone(), value.value.clone()));
        named.collect::<Vec<_>>()
    };
    attributes(one) == attributes(other) && variables(one) == variables(other)
}

/// A word for an `application` to which no handler leads, with the `scriptProcessor` that may have been meant.
fn unused(
    element: &FastCgiElement,
    own: &str,
    processors: &BTreeSet<&str>,
    environment: &Environment,
) -> (Option<Box<str>>, Note) {
    let (path, arguments) = parts(own);
    let near = processors.iter().filter_map(|named| {
        let expanded = expand(named, environment);
        let (other_path, other_arguments) = parts(&expanded);
        let is_same_path = forward(path).eq_ignore_ascii_case(&forward(other_path));
        let is_same_name = bare(path).eq_ignore_ascii_case(bare(other_path));
        match (is_same_path, is_same_name, arguments == other_arguments) {
            (true, ..) => Some((0, "`arguments`", *named)),
            (_, true, true) => Some((1, "`fullPath`", *named)),
            (_, true, false) => Some((2, "`fullPath` and `arguments`", *named)),
            (_, false, _) => None,
        }
    });
    let near = near.min();
    let what = match near {
        Some((_, difference, named)) => {
            format!("no handler uses this pool; the nearest is `{named}`, which differs in {difference}")
        }
        None => "no handler uses this pool".to_owned(),
    };
    let help = "a scriptProcessor is the fullPath, and if there are arguments a `|` and these";
    let note = Note::warning(element.source.clone(), what).with_help(help);
    (near.map(|(.., named)| named.into()), note)
}

/// The `fastCgi/application` of a processor in one layer: that of the nearest folder.
pub(super) fn element<'l>(
    processor: &str,
    layer: &'l AppLayer,
    environment: &Environment,
) -> Option<&'l FastCgiElement> {
    let wanted = expand(processor, environment);
    layer.fast_cgi.iter().rev().find(|element| is_same(&processor_of(element, environment), &wanted))
}

/// The `scriptProcessor` that an `application` is for, its variables replaced.
fn processor_of(element: &FastCgiElement, environment: &Environment) -> String {
    let value = |name: &str| attribute(element, name).map_or("", |value| value.value.as_str());
    let [path, arguments] = ["fullPath", "arguments"].map(|name| expand(value(name), environment));
    let bar = if arguments.is_empty() { "" } else { "|" };
    format!("{path}{bar}{arguments}")
}

pub(super) fn attribute<'e>(element: &'e FastCgiElement, name: &str) -> Option<&'e Located<String>> {
    let mut attributes = element.attributes.iter().rev();
    attributes.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
