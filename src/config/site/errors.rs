//! `httpErrors`: elements to an [`ErrorPolicy`].

use super::collection::Collection;
use super::findings::Findings;
use crate::config::xml::Element;
use crate::rules::policy::{ErrorMode, ErrorPage, ErrorPolicy};

pub(super) fn errors(section: &Element, base: &str, policy: &mut ErrorPolicy, findings: &mut Findings) {
    if let Some(existing) = section.value("existingResponse") {
        policy.replaces_workers = existing == "Replace";
    }
    if let Some(mode) = section.value("errorMode") {
        policy.mode = match mode {
            "Custom" => ErrorMode::Custom,
            "Detailed" => ErrorMode::Detailed,
            _ => ErrorMode::DetailedLocalOnly,
        };
    }
    let mode = section.value("defaultResponseMode");
    let mut pages = Collection::appended(&mut policy.pages, |page| key(page.0, page.1));
    for element in &section.children {
        let status = element.value("statusCode").and_then(|value| value.parse().ok()).unwrap_or(0);
        let substatus = element.value("subStatusCode").and_then(|value| value.parse().ok());
        match &*element.name {
            "clear" => pages.clear(),
            "remove" => {
                pages.remove(&key(status, substatus));
            }
            _ => {
                let mode = element.value("responseMode").or(mode).unwrap_or("File");
                if let Some(page) = page(element, mode, base, findings) {
                    pages.add((status, substatus, page), &element.source, findings);
                }
            }
        }
    }
}

/// Without a substatus (in IIS: -1) it is any.
fn key(status: u16, substatus: Option<u16>) -> String {
    substatus.map_or_else(|| status.to_string(), |substatus| format!("{status}.{substatus}"))
}

fn page(element: &Element, mode: &str, base: &str, findings: &mut Findings) -> Option<ErrorPage> {
    let path = element.value("path").unwrap_or_default();
    match mode {
        "Redirect" => Some(ErrorPage::Redirect(path.into())),
        "ExecuteURL" if path.starts_with('/') => Some(ErrorPage::ExecuteUrl(path.into())),
        "ExecuteURL" => {
            let url = if base.is_empty() { format!("/{path}") } else { format!("/{base}/{path}") };
            let what =
                format!("`{path}` should begin with a slash, as the URL of a page does; read as {url}");
            findings.warn(&element.place("path"), what);
            Some(ErrorPage::ExecuteUrl(url.into()))
        }
        _ => {
            let prefix = element.value("prefixLanguageFilePath").unwrap_or_default();
            if prefix.contains('%') || path.contains('%') {
                let what = format!("`{prefix}{path}` names a place on a Windows disk; this page is left out");
                findings.warn(&element.place("path"), what);
                return None;
            }
            let path = path.replace('\\', "/");
            let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
            if path.contains(':') || names.contains(&"..") || names.is_empty() {
                let what = format!("`{path}` is no file of the site; this page is left out");
                findings.warn(&element.place("path"), what);
                return None;
            }
            let base = (!path.starts_with('/') && !base.is_empty()).then_some(base);
            Some(ErrorPage::File(base.into_iter().chain(names).collect::<Vec<_>>().join("/").into()))
        }
    }
}
