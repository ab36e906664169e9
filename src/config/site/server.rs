//! An `applicationHost.config` as the outermost file of a site: its FastCGI pools, and the handlers whose modules are here.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::tree;
use super::findings::Findings;
use super::read::{Piece, prepare};
use super::serving;
use crate::config::xml::Element;
use crate::rules::mapping::Module;

/// What the file says for every site. Its locks, and all that is about IIS itself, are left out without a word.
pub(super) fn piece(file: &Path, root: &Path, files: &mut Vec<PathBuf>) -> Piece {
    let path: Arc<Path> = file.into();
    files.push(file.to_owned());
    let mut findings = Findings::default();
    let (mut pools, source) = match tree(&path) {
        Ok(tree) => {
            let source = tree.source.clone();
            (sections(tree), source)
        }
        Err(note) => {
            let source = note.source.clone();
            findings.push(note);
            (Vec::new(), source)
        }
    };
    for section in &mut pools {
        if section.name.eq_ignore_ascii_case("handlers") {
            section.attributes.clear();
            section.children.retain(is_of_a_module_here);
        }
    }
    let element = |name: &str, children| Element {
        name: name.into(),
        source: source.clone(),
        attributes: Vec::new(),
        children,
    };
    let mut configuration = element("configuration", vec![element("system.webServer", pools)]);
    prepare(&mut configuration, &HashSet::new(), root, files, &mut findings);
    Piece {
        base: "".into(),
        target: String::new(),
        file: path,
        configuration,
        locked: None,
        is_inherited: true,
        findings,
    }
}

/// `fastCgi` and `handlers`, which stand in the file itself or in a `location` for all of the server.
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

fn is_of_a_module_here(handler: &Element) -> bool {
    let module = serving::named(handler.value("modules").unwrap_or_default());
    handler.name.eq_ignore_ascii_case("add")
        && (module.is_program() || matches!(module, Module::FastCgi | Module::Iisnode))
}
