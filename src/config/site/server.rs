//! An `applicationHost.config` as the outermost file of a site: its FastCGI pools, and the handlers whose modules are here.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::tree;
use super::findings::Findings;
use super::read::{Piece, prepare};
use super::serving;
use crate::config::source::{Note, Source};
use crate::config::xml::Element;
use crate::rules::mapping::Module;

/// Sections that a `web.config` may have and that are not read from here.
const OF_A_WEB_CONFIG: [&str; 9] = [
    "iisnode",
    "httpPlatform",
    "aspNetCore",
    "rewrite",
    "defaultDocument",
    "staticContent",
    "httpProtocol",
    "httpErrors",
    "applicationInitialization",
];

/// What the file says: for every site first, then for the site of this name and for folders in it. Its locks, and all
/// that is about IIS itself, are left out without a word.
pub(super) fn pieces(file: &Path, site: Option<&str>, root: &Path, files: &mut Vec<PathBuf>) -> Vec<Piece> {
    let path: Arc<Path> = file.into();
    files.push(file.to_owned());
    let mut findings = Findings::default();
    let configuration = match tree(&path) {
        Ok(tree) => tree,
        Err(note) => {
            let source = note.source.clone();
            findings.push(note);
            Element { name: "configuration".into(), source, attributes: Vec::new(), children: Vec::new() }
        }
    };
    let source = configuration.source.clone();
    let mut own = Vec::new();
    let locations = configuration.children.iter().filter(|child| child.name.eq_ignore_ascii_case("location"));
    for location in locations {
        let Some(target) = site.and_then(|site| target(location, site)) else { continue };
        let mut findings = Findings::default();
        findings.notes.extend(not_read(location));
        let mut sections = sections(location.clone());
        for handlers in sections.iter_mut().filter(|section| is_handlers(section)) {
            handlers.attributes.clear();
            handlers.children.retain(|child| !is_add(child) || is_known(child));
        }
        if sections.is_empty() && findings.notes.is_empty() {
            continue;
        }
        own.push((target, location.source.clone(), sections, findings));
    }
    let mut shared = sections(configuration);
    for handlers in shared.iter_mut().filter(|section| is_handlers(section)) {
        handlers.attributes.clear();
        handlers.children.retain(|child| is_add(child) && is_of_a_module_here(child));
    }
    let all = [(String::new(), source, shared, findings)].into_iter().chain(own);
    let piece = |(target, source, sections, mut findings)| {
        let mut configuration = configuration_of(sections, source);
        prepare(&mut configuration, &HashSet::new(), root, files, &mut findings);
        Piece {
            base: "".into(),
            target,
            file: path.clone(),
            configuration,
            locked: None,
            is_inherited: true,
            findings,
        }
    };
    all.map(piece).collect()
}

fn configuration_of(sections: Vec<Element>, source: Source) -> Element {
    let element = |name: &str, source, children| Element {
        name: name.into(),
        source,
        attributes: Vec::new(),
        children,
    };
    let server = element("system.webServer", source.clone(), sections);
    element("configuration", source, vec![server])
}

/// The path in the site that a `location` is about, if it is about that site: `Shop/app` is `app` in the site Shop.
fn target(location: &Element, site: &str) -> Option<String> {
    let path = location.value("path")?.trim().replace('\\', "/");
    let (name, rest) = path.split_once('/').unwrap_or((&path, ""));
    let names: Vec<&str> = rest.split('/').filter(|name| !name.is_empty()).collect();
    let is_plain = !names.iter().any(|name| [".", ".."].contains(name));
    (name.to_lowercase() == site.to_lowercase() && is_plain).then(|| names.join("/"))
}

/// `fastCgi` and `handlers`, which stand in an element itself or in a `location` for all of the server.
fn sections(configuration: Element) -> Vec<Element> {
    let mut found = Vec::new();
    for child in configuration.children {
        if child.name.eq_ignore_ascii_case("system.webServer") {
            let wanted = |section: &Element| {
                ["fastCgi", "handlers"].iter().any(|name| section.name.eq_ignore_ascii_case(name))
            };
            found.extend(child.children.into_iter().filter(wanted));
        } else if child.name.eq_ignore_ascii_case("location")
            && child.value("path").is_none_or(|path| matches!(path, "" | "."))
        {
            found.extend(sections(child));
        }
    }
    found
}

/// A word for every section of a site that would count in its `web.config`.
fn not_read(location: &Element) -> Vec<Note> {
    let servers =
        location.children.iter().filter(|child| child.name.eq_ignore_ascii_case("system.webServer"));
    let is_known =
        |section: &&Element| OF_A_WEB_CONFIG.iter().any(|name| section.name.eq_ignore_ascii_case(name));
    let note = |section: &Element| {
        let what = format!("`{}` is not read from this file", section.name);
        Note::warning(section.source.clone(), what).with_help("write it into the web.config of the site")
    };
    servers.flat_map(|server| server.children.iter().filter(is_known)).map(note).collect()
}

fn is_handlers(section: &Element) -> bool {
    section.name.eq_ignore_ascii_case("handlers")
}

fn is_add(element: &Element) -> bool {
    element.name.eq_ignore_ascii_case("add")
}

fn is_of_a_module_here(handler: &Element) -> bool {
    let module = serving::named(handler.value("modules").unwrap_or_default());
    module.is_program() || matches!(module, Module::FastCgi | Module::Iisnode)
}

/// Of a list for one site also the rows of files: a list that was cleared has an order.
fn is_known(handler: &Element) -> bool {
    is_of_a_module_here(handler)
        || serving::named(handler.value("modules").unwrap_or_default()) == Module::Static
}
