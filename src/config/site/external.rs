//! Other files that a section names: `configSource`, which stands for the whole section, and `file` of `appSettings`,
//! which adds to it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::file::tree;
use super::findings::Findings;
use super::schema::{Kind, Shape};
use crate::config::source::Source;
use crate::config::xml::Element;

/// Replaces and completes the sections below `element` by what the files say that they name.
pub(super) fn take_in(
    element: &mut Element,
    shape: &'static Shape,
    root: &Path,
    files: &mut Vec<PathBuf>,
    findings: &mut Findings,
) {
    for child in &mut element.children {
        let Some(known) = shape.below(&child.name) else { continue };
        if !known.is_section() {
            take_in(child, known, root, files, findings);
            continue;
        }
        findings.about_applications = known.is_about_applications();
        if let Some(named) = named(child, "configSource")
            && matches!(known.kind, Kind::Section | Kind::Open | Kind::Program)
        {
            match read(&named, child, root, files, findings, true) {
                Some(Ok(section)) => *child = section,
                Some(Err(())) => {}
                None => {
                    let what = format!("there is no {}, so the section is empty", named.0);
                    findings.error(
                        &named.1,
                        what,
                        "configSource names a file relative to this one's directory",
                    );
                }
            }
        }
        if known.name == "appSettings"
            && let Some(named) = named(child, "file")
        {
            match read(&named, child, root, files, findings, false) {
                // As .NET does it: what the other file says comes after, and holds.
                Some(Ok(mut settings)) => child.children.append(&mut settings.children),
                Some(Err(())) => {}
                None => findings.warn(&named.1, format!("there is no {}; nothing is added from it", named.0)),
            }
        }
        findings.about_applications = false;
    }
}

fn named(section: &Element, attribute: &str) -> Option<(String, Source)> {
    let attribute = section.attributes.iter().find(|known| known.name.eq_ignore_ascii_case(attribute))?;
    let name = attribute.value.trim();
    (!name.is_empty()).then(|| (name.to_owned(), attribute.source.clone()))
}

/// The section in a file; None if there is no such file. `whole` if the file is all there is of the section.
fn read(
    (name, place): &(String, Source),
    section: &Element,
    root: &Path,
    files: &mut Vec<PathBuf>,
    findings: &mut Findings,
    whole: bool,
) -> Option<Result<Element, ()>> {
    let Source::File { path: file, .. } = place else { return Some(Err(())) };
    let relative = name.replace('\\', "/");
    let climbs = Path::new(&relative).components().any(|part| matches!(part, Component::ParentDir));
    let path = file.parent().unwrap_or(root).join(&relative);
    // A drive letter makes a path absolute, too.
    let outside = relative.contains(':') || !path.starts_with(root) || (climbs && !is_below(&path, root));
    if outside || (path.exists() && !is_below(&path, root)) {
        let what = format!("{name} lies outside of the site and is not read");
        match whole {
            true => findings.error(place, what, "a section may be in a file below the root of the site"),
            false => findings.warn(place, what),
        }
        return Some(Err(()));
    }
    files.push(path.clone());
    if !path.exists() {
        return None;
    }
    let path: Arc<Path> = path.into();
    match tree(&path) {
        Ok(tree) if tree.name.eq_ignore_ascii_case(&section.name) => Some(Ok(tree)),
        Ok(tree) => {
            let what = format!("the root element is `{}`", tree.name);
            findings.error(&tree.source, what, format!("it stands for `{}`", section.name));
            Some(Err(()))
        }
        Err(note) => {
            findings.push(note);
            Some(Err(()))
        }
    }
}

/// Whether a path, all links followed, is below the root.
fn is_below(path: &Path, root: &Path) -> bool {
    match (path.canonicalize(), root.canonicalize()) {
        (Ok(path), Ok(root)) => path.starts_with(root),
        _ => false,
    }
}
