//! What a file forbids nearer files to set: `allowOverride`, `overrideMode`, `lockItem` and the other `lock` attributes.

use std::path::Path;
use std::sync::Arc;

use super::check::LOCKS;
use super::findings::Findings;
use super::schema::{Kind, Shape};
use crate::config::source::Source;
use crate::config::xml::Element;

/// One lock; it binds every file but its own.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    /// Names of elements from below `configuration`, with `/` between them.
    path: String,
    what: What,
    source: Source,
    file: Arc<Path>,
}

#[derive(Debug, Clone)]
enum What {
    /// The element itself.
    All,
    /// The item of this collection with this key.
    Item(String),
    Attributes(Names),
    Elements(Names),
}

#[derive(Debug, Clone)]
struct Names {
    names: Vec<String>,
    /// All but these.
    except: bool,
}

impl Names {
    fn of(list: &str, except: bool) -> Names {
        let names = list.split([',', ';', ' ']).map(str::trim).filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(str::to_owned).collect();
        match names.iter().any(|name| name == "*") {
            true => Names { names: Vec::new(), except: true },
            false => Names { names, except },
        }
    }

    fn hold(&self, name: &str) -> bool {
        self.names.iter().any(|one| one.eq_ignore_ascii_case(name)) != self.except
    }
}

/// Adds the locks that `configuration` sets; every section of it if `all` says so.
pub(super) fn gather(
    configuration: &Element,
    shape: &'static Shape,
    file: &Arc<Path>,
    all: Option<&Source>,
    locks: &mut Vec<Lock>,
) {
    gather_below(configuration, shape, "", file, all, locks);
}

fn gather_below(
    element: &Element,
    shape: &'static Shape,
    path: &str,
    file: &Arc<Path>,
    all: Option<&Source>,
    locks: &mut Vec<Lock>,
) {
    for child in &element.children {
        let Some(known) = shape.below(&child.name) else { continue };
        let below = join(path, &child.name);
        let mut lock = |path: &str, what, source: &Source| {
            let (path, source, file) = (path.to_owned(), source.clone(), file.clone());
            locks.push(Lock { path, what, source, file });
        };
        if let Some(source) = all.filter(|_| known.is_section()) {
            lock(&below, What::All, source);
        }
        for attribute in &child.attributes {
            let (value, source) = (&*attribute.value, &attribute.source);
            match (&*attribute.name, key(child, known)) {
                ("lockItem", _) if !value.trim().eq_ignore_ascii_case("true") => {}
                ("lockItem", Some(key)) => lock(path, What::Item(key), source),
                ("lockItem", None) => lock(&below, What::All, source),
                ("lockAttributes", _) => lock(&below, What::Attributes(Names::of(value, false)), source),
                ("lockAllAttributesExcept", _) => {
                    lock(&below, What::Attributes(Names::of(value, true)), source);
                }
                ("lockElements", _) => lock(&below, What::Elements(Names::of(value, false)), source),
                ("lockAllElementsExcept", _) => lock(&below, What::Elements(Names::of(value, true)), source),
                _ => {}
            }
        }
        gather_below(child, known, &below, file, all, locks);
    }
}

/// Takes out of `configuration` what `locks` forbid its file to set, and says so.
pub(super) fn enforce(
    configuration: &mut Element,
    shape: &'static Shape,
    file: &Arc<Path>,
    locks: &[Lock],
    findings: &mut Findings,
) {
    let locks: Vec<&Lock> = locks.iter().filter(|lock| lock.file != *file).collect();
    if !locks.is_empty() {
        enforce_below(configuration, shape, "", &locks, findings);
    }
}

fn enforce_below(
    element: &mut Element,
    shape: &'static Shape,
    path: &str,
    locks: &[&Lock],
    findings: &mut Findings,
) {
    let here = || locks.iter().filter(|lock| lock.path == path);
    let name = element.name.clone();
    element.attributes.retain(|attribute| {
        let forbids =
            |lock: &&&Lock| matches!(&lock.what, What::Attributes(names) if names.hold(&attribute.name));
        let found = here().find(forbids).filter(|_| !LOCKS.contains(&&*attribute.name));
        if let Some(lock) = found {
            refuse(&format!("`{}` of `{name}`", attribute.name), &attribute.source, lock, findings);
        }
        found.is_none()
    });
    element.children.retain_mut(|child| {
        let Some(known) = shape.below(&child.name) else { return false };
        let below = join(path, &child.name);
        let key = key(child, known);
        let before = findings.about_applications;
        findings.about_applications |= known.is_about_applications();
        let within = here().find(|lock| match &lock.what {
            What::Elements(names) => names.hold(&child.name),
            What::Item(locked) => &*child.name == "clear" || key.as_ref() == Some(locked),
            What::All | What::Attributes(_) => false,
        });
        let whole = || locks.iter().find(|lock| lock.path == below && matches!(lock.what, What::All));
        let found = within.or_else(whole);
        match found {
            Some(lock) => refuse(&format!("`{}`", child.name), &child.source, lock, findings),
            None => enforce_below(child, known, &below, locks, findings),
        }
        findings.about_applications = before;
        found.is_none()
    });
}

fn refuse(what: &str, source: &Source, lock: &Lock, findings: &mut Findings) {
    let what = format!("{what} is locked by {} and is not used", lock.source);
    findings.error(source, what, "take it out here, or the lock away there");
}

/// What tells an item of a collection from the others.
fn key(element: &Element, shape: &Shape) -> Option<String> {
    let Kind::Item(attributes) = shape.kind else { return None };
    let values = attributes.iter().map(|name| match element.value(name) {
        Some(value) => value.to_lowercase(),
        // The one key that may be left out is the substatus, and then it is any.
        None => "-1".to_owned(),
    });
    Some(values.collect::<Vec<_>>().join("\n"))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
