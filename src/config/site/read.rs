//! One file to its pieces: what it says for its own directory, and for each `<location>`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::check;
use super::external;
use super::file::tree;
use super::findings::Findings;
use super::schema::CONFIGURATION;
use crate::config::source::Source;
use crate::config::xml::Element;

/// What one file says for one path.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The file's directory, relative to the root of the site.
    pub(super) base: Arc<str>,
    /// Whom it concerns: a directory or a file, relative to the root; as the file spells it below its own directory.
    pub(super) target: String,
    pub(super) file: Arc<Path>,
    /// A `configuration` that keeps to its shape.
    pub(super) configuration: Element,
    /// Nearer files may not set what is set here.
    pub(super) locked: Option<Source>,
    /// Applications nested below inherit it, as they do without `inheritInChildApplications="false"`.
    pub(super) is_inherited: bool,
    pub(super) findings: Findings,
}

/// The pieces of a `web.config`, in order, the whole file's first. Files that were read besides it, or would have been,
/// are added to `files`.
pub(super) fn pieces(root: &Path, path: &Path, base: &str, files: &mut Vec<PathBuf>) -> Vec<Piece> {
    let file: Arc<Path> = path.into();
    let base: Arc<str> = base.into();
    let mut findings = Findings::default();
    let mut whole = match tree(&file) {
        Ok(tree) if tree.name.eq_ignore_ascii_case("configuration") => tree,
        Ok(tree) => {
            let what = format!("the root element is `{}`", tree.name);
            findings.error(&tree.source, what, "a web.config has the root element configuration");
            Element { name: "configuration".into(), children: Vec::new(), ..tree }
        }
        Err(note) => {
            let source = note.source.clone();
            findings.push(note);
            Element { name: "configuration".into(), source, attributes: Vec::new(), children: Vec::new() }
        }
    };
    let declared = declared(&whole);
    let locations = take_named(&mut whole.children, "location", &mut findings);
    let mut pieces = Vec::new();
    for location in locations {
        let Some(head) = head_of(&location, &mut findings) else { continue };
        let target = [&*base, head.path.as_str()].into_iter().filter(|part| !part.is_empty());
        let target = target.collect::<Vec<_>>().join("/");
        let mut configuration = Element { name: "configuration".into(), attributes: Vec::new(), ..location };
        let mut own = Findings::default();
        prepare(&mut configuration, &declared, root, files, &mut own);
        pieces.push(Piece {
            base: base.clone(),
            target,
            file: file.clone(),
            configuration,
            locked: head.locked,
            is_inherited: head.is_inherited,
            findings: own,
        });
    }
    prepare(&mut whole, &declared, root, files, &mut findings);
    let target = base.to_string();
    let locked = None;
    let own = Piece { base, target, file, configuration: whole, locked, is_inherited: true, findings };
    pieces.insert(0, own);
    pieces
}

/// Puts things where they belong, takes in other files, and checks the result against the table.
pub(super) fn prepare(
    configuration: &mut Element,
    declared: &HashSet<String>,
    root: &Path,
    files: &mut Vec<PathBuf>,
    findings: &mut Findings,
) {
    let mut hoisted = Vec::new();
    for server in &mut configuration.children {
        if server.name.eq_ignore_ascii_case("system.webServer") {
            let mut quiet = Findings::default();
            for settings in take_named(&mut server.children, "appSettings", &mut quiet) {
                let what =
                    "`appSettings` belongs beside system.webServer, not into it; read as if it stood there";
                findings.warn(&settings.source, what);
                hoisted.push(settings);
            }
        }
    }
    configuration.children.append(&mut hoisted);
    external::take_in(configuration, &CONFIGURATION, root, files, findings);
    check(configuration, &CONFIGURATION, declared, findings);
}

/// Removes and returns the elements of a name.
fn take_named(children: &mut Vec<Element>, name: &str, findings: &mut Findings) -> Vec<Element> {
    let (named, others) =
        std::mem::take(children).into_iter().partition(|child| child.name.eq_ignore_ascii_case(name));
    *children = others;
    let named: Vec<Element> = named;
    for odd in named.iter().filter(|child| &*child.name != name) {
        findings.warn(&odd.source, format!("`{}` is written `{name}` in IIS; read as that", odd.name));
    }
    named
}

/// What the attributes of a `location` say.
struct Head {
    path: String,
    locked: Option<Source>,
    is_inherited: bool,
}

fn head_of(location: &Element, findings: &mut Findings) -> Option<Head> {
    const PATHS: &str =
        "a path is relative to the file's directory, such as `api` or `docs/old.html`; `.` is the directory";
    let mut head = Head { path: String::new(), locked: None, is_inherited: true };
    for attribute in &location.attributes {
        let value = attribute.value.trim();
        let mut expect = |words: &[&'static str]| {
            let known = words.iter().find(|word| word.eq_ignore_ascii_case(value)).copied();
            if known.is_none() {
                let what = format!("`{value}` is no value for `{}`", attribute.name);
                findings.error(&attribute.source, what, format!("allowed is {}", words.join(", ")));
            }
            known.unwrap_or_default()
        };
        match attribute.name.to_ascii_lowercase().as_str() {
            "path" => {
                let turned = value.replace('\\', "/");
                let names: Vec<&str> = turned.split('/').filter(|name| !name.is_empty()).collect();
                let names = if names == ["."] { Vec::new() } else { names };
                if names.iter().any(|name| [".", ".."].contains(name)) || turned.contains(':') {
                    findings.error(&attribute.source, format!("`{value}` is no path for a location"), PATHS);
                    return None;
                }
                head.path = names.join("/");
            }
            "allowoverride" => {
                if expect(&["true", "false"]) == "false" {
                    head.locked = Some(attribute.source.clone());
                }
            }
            "overridemode" => {
                if expect(&["Allow", "Deny", "Inherit"]) == "Deny" {
                    head.locked = Some(attribute.source.clone());
                }
            }
            "inheritinchildapplications" => {
                head.is_inherited = expect(&["true", "false"]) != "false";
            }
            _ => {
                let what = format!("`{}` is no attribute of `location` and is left out", attribute.name);
                findings.warn(&attribute.source, what);
            }
        }
    }
    Some(head)
}

/// The sections a file declares for other programs.
fn declared(whole: &Element) -> HashSet<String> {
    whole
        .children
        .iter()
        .filter(|child| &*child.name == "configSections")
        .flat_map(|child| &child.children)
        .filter_map(|section| section.value("name").map(str::to_owned))
        .collect()
}
