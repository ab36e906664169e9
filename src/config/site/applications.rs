//! What a file says to applications: `iisnode`, `appSettings`, `applicationInitialization`.

use super::AppLayer;
use super::check::LOCKS;
use super::findings::Findings;
use crate::config::source::Located;
use crate::config::xml::Element;

/// Attributes as written, but for those that IIS itself reads; those of a nearer file replace inherited ones.
pub(super) fn attributes(section: &Element, attributes: &mut Vec<(Box<str>, Located<String>)>) {
    for attribute in &section.attributes {
        let name = &*attribute.name;
        if name == "configSource" || LOCKS.iter().any(|lock| lock.eq_ignore_ascii_case(name)) {
            continue;
        }
        attributes.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        let value = Located::new(attribute.value.to_string(), attribute.source.clone());
        attributes.push((attribute.name.clone(), value));
    }
}

/// `appSettings`; that a nearer `add` replaces another is how they are meant.
pub(super) fn settings(
    section: &Element,
    settings: &mut Vec<(Box<str>, Located<String>)>,
    findings: &mut Findings,
) {
    for element in &section.children {
        let key = element.value("key").unwrap_or_default();
        match &*element.name {
            "clear" => settings.clear(),
            "remove" => settings.retain(|(known, _)| &**known != key),
            _ if key.is_empty() => findings.warn(&element.source, "a setting without a key is left out"),
            _ => {
                settings.retain(|(known, _)| &**known != key);
                let value = element.value("value").unwrap_or_default().to_owned();
                settings.push((key.into(), Located::new(value, element.place("value"))));
            }
        }
    }
}

/// The URLs of `applicationInitialization`, as seen from the root of the site.
pub(super) fn warm_up(section: &Element, base: &str, urls: &mut Vec<Located<String>>) {
    let start = urls.len();
    for element in &section.children {
        let page = element.value("initializationPage").unwrap_or_default().trim_start_matches('/');
        let url = if base.is_empty() { format!("/{page}") } else { format!("/{base}/{page}") };
        match &*element.name {
            "clear" => urls.truncate(start),
            "remove" => urls.retain(|known| known.value != url),
            _ => urls.push(Located::new(url, element.place("initializationPage"))),
        }
    }
}

/// The name of the file that stands in for iisnode.yml, if one is given.
pub(super) fn overrides(layer: &AppLayer) -> Option<&str> {
    let given = layer.iisnode.iter().find(|(name, _)| name.eq_ignore_ascii_case("configOverrides"))?;
    given.1.value.rsplit(['/', '\\']).next().filter(|name| !name.is_empty())
}
