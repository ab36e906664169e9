//! FastCGI in the configuration of a site: the `fastCgi` section, and the handler rows that other files declare.

use std::path::{Path, PathBuf};

use super::FastCgiElement;
use super::applications;
use super::findings::Findings;
use super::programs;
use crate::config::fastcgi::ini;
use crate::config::fastcgi::outside::{Outside, parts};
use crate::config::settings::search::bare;
use crate::config::source::{Located, Note};
use crate::config::xml::Element;
use crate::rules::mapping::{Mapped, Module, Resource};

/// The file of IIS 5.1 and 6 in the root of a site.
const INI: &str = "fcgiext.ini";
const INDEX: &str = "index.php";

/// What is said outside of the site, with the `fcgiext.ini` read that is named or lies in the root.
pub(super) fn outside(
    root: &Path,
    given: &Outside,
    files: &mut Vec<PathBuf>,
    notes: &mut Vec<Note>,
) -> Outside {
    let mut outside = given.clone();
    outside.root = root.to_owned();
    let named = outside.ini_file.as_ref().map(|file| file.value.clone());
    let is_named = named.is_some();
    let file = named.unwrap_or_else(|| root.join(INI));
    if is_named || file.is_file() {
        let ini = ini::load(&file);
        notes.extend(ini.errors.iter().chain(&ini.warnings).cloned());
        outside.ini = Some(ini);
    }
    // One that comes later is a change, too.
    files.push(file);
    outside
}

/// The handlers that a site has before its own files say anything: those of the host's file, then those of the ini.
pub(super) fn rows_outside(outside: &Outside) -> Vec<Mapped> {
    let pools = outside.pools.iter().filter_map(|pool| {
        Some(Mapped {
            name: pool.key.value.clone(),
            path: pool.path()?.into(),
            verbs: None,
            module: Module::FastCgi,
            processor: Some(pool.key.value.clone()),
            base: "".into(),
            resource: pool.resource,
        })
    });
    // A host whose number nobody knows serves its first site.
    let ini = outside.ini.iter().flat_map(|ini| ini.rows(outside.site.max(1)));
    pools.chain(ini).chain(unsaid(outside)).collect()
}

/// A folder with an `index.php` where nobody has said anything is one of PHP.
fn unsaid(outside: &Outside) -> Option<Mapped> {
    let has = |name: &str| outside.root.join(name).is_file();
    let is_unsaid = outside.ini.is_none() && outside.server_file.is_none() && !has("web.config");
    (is_unsaid && has(INDEX)).then(|| Mapped {
        name: INDEX.into(),
        path: "*.php".into(),
        verbs: None,
        module: Module::FastCgi,
        processor: Some("php-cgi".into()),
        base: "".into(),
        resource: Resource::Either,
    })
}

/// The rows as requests see them: a pool of the host's file has the path it names, whoever else declares that; and where
/// PHP has every path, scripts are the files whose names say so.
pub(super) fn compiled(mapped: &[Mapped], outside: &Outside) -> Vec<Mapped> {
    let mut rows = Vec::with_capacity(mapped.len());
    for row in mapped {
        let mut row = row.clone();
        if row.module == Module::FastCgi {
            let mut pools = outside.pools.iter();
            let pool =
                pools.find(|pool| pool.path().is_some_and(|path| path.eq_ignore_ascii_case(&row.path)));
            if let Some(pool) = pool {
                row.processor = Some(pool.key.value.clone());
            }
            if let Some(directory) =
                row.path.strip_suffix('*').filter(|_| row.is_wildcard() && is_php(&row, outside))
            {
                let path = format!("{directory}*.php").into();
                rows.push(Mapped { path, resource: Resource::File, ..row.clone() });
            }
        }
        rows.push(row);
    }
    rows
}

fn is_php(row: &Mapped, outside: &Outside) -> bool {
    let processor = row.processor.as_deref().unwrap_or_default();
    let of_ini = outside.ini.as_ref().and_then(|ini| ini.program(processor));
    let (path, _) = parts(of_ini.unwrap_or(processor));
    bare(path).to_ascii_lowercase().starts_with("php")
}

/// Where programs are named by handlers.
pub(super) fn processors(handlers: &Element) -> impl Iterator<Item = Located<String>> {
    handlers.children.iter().filter_map(|element| {
        let processor = element.value("scriptProcessor")?;
        Some(Located::new(processor.to_owned(), element.place("scriptProcessor")))
    })
}

/// Lets a section for `target` change what is inherited; an application is known by its program and arguments.
pub(super) fn take(
    section: &Element,
    target: &str,
    known: &mut Vec<FastCgiElement>,
    findings: &mut Findings,
) {
    for element in &section.children {
        match &*element.name {
            "clear" => known.clear(),
            "remove" => known.retain(|other| key(other) != key_of(element)),
            _ => {
                let mut own = FastCgiElement {
                    source: element.source.clone(),
                    target: target.to_lowercase().into(),
                    attributes: Vec::new(),
                    variables: Vec::new(),
                };
                applications::attributes(element, &mut own.attributes);
                for collection in &element.children {
                    programs::named_values(collection, &mut own.variables);
                }
                let before = known.iter().position(|other| key(other) == key(&own));
                let before = before.map(|at| known.remove(at));
                // Which of two folders holds is a question to whole sites.
                if before.is_some_and(|before| before.target == own.target) {
                    let what = "this pool is there already; the last one holds, where IIS refuses the file";
                    let note = Note::warning(element.source.clone(), what);
                    findings.push(note.with_help("write a remove before it, or leave one of them out"));
                }
                known.push(own);
            }
        }
    }
}

fn key(element: &FastCgiElement) -> (String, String) {
    let value = |name: &str| {
        let found = element.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.value.clone())
    };
    (value("fullPath").to_lowercase(), value("arguments"))
}

fn key_of(element: &Element) -> (String, String) {
    let value = |name: &str| element.value(name).unwrap_or_default().to_owned();
    (value("fullPath").to_lowercase(), value("arguments"))
}
