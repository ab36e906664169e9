//! `security/requestFiltering`: elements to a [`Filter`].

use super::collection::Collection;
use super::findings::Findings;
use crate::config::xml::Element;
use crate::rules::filter::Filter;

/// Hidden whatever a site says.
const ALWAYS_HIDDEN: [&str; 3] = ["web.config", "iisnode.yml", "fcgiext.ini"];

/// Hides what is never served.
pub(super) fn seal(filter: &mut Filter, overrides: Option<&str>) {
    for name in ALWAYS_HIDDEN.into_iter().chain(overrides) {
        if !filter.hidden_segments.iter().any(|hidden| hidden.eq_ignore_ascii_case(name)) {
            filter.hidden_segments.push(name.to_lowercase().into());
        }
    }
}

pub(super) fn security(section: &Element, filter: &mut Filter, findings: &mut Findings) {
    let Some(section) = section.child("requestFiltering") else { return };
    for part in &section.children {
        match &*part.name {
            "hiddenSegments" => hidden(part, filter, findings),
            "requestLimits" => limits(part, filter),
            "verbs" => {
                if let Some(allow) = part.value("allowUnlisted") {
                    filter.allow_unlisted_verbs = allow == "true";
                }
                listed(part, "verb", &mut filter.verbs, str::to_owned, findings);
            }
            "fileExtensions" => {
                if let Some(allow) = part.value("allowUnlisted") {
                    filter.allow_unlisted_extensions = allow == "true";
                }
                let dotted = |text: &str| format!(".{}", text.trim_start_matches('.').to_lowercase());
                listed(part, "fileExtension", &mut filter.extensions, dotted, findings);
            }
            _ => {}
        }
    }
}

fn hidden(part: &Element, filter: &mut Filter, findings: &mut Findings) {
    let mut segments = Collection::appended(&mut filter.hidden_segments, |segment| segment.to_string());
    for element in &part.children {
        let segment = element.value("segment").unwrap_or_default().to_lowercase();
        match &*element.name {
            "clear" => segments.clear(),
            "remove" => {
                segments.remove(&segment);
                if ALWAYS_HIDDEN.contains(&segment.as_str()) {
                    findings.warn(&element.source, format!("`{segment}` stays hidden; it is never served"));
                }
            }
            _ if segment.is_empty() || segment.contains(['/', '\\']) => {
                let what = format!("`{segment}` is no segment of a path and hides nothing");
                findings.warn(&element.source, what);
            }
            _ => segments.add(segment.into(), &element.source, findings),
        }
    }
}

fn limits(part: &Element, filter: &mut Filter) {
    let number = |name| part.value(name).and_then(|value| value.parse::<u64>().ok());
    if let Some(bytes) = number("maxAllowedContentLength") {
        // In the filter 0 means no limit, in IIS it means no bodies.
        filter.max_content_bytes = bytes.max(1);
    }
    if let Some(bytes) = number("maxUrl") {
        filter.max_url_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    if let Some(bytes) = number("maxQueryString") {
        filter.max_query_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
}

/// A collection of names, each allowed or not.
fn listed(
    part: &Element,
    key: &str,
    items: &mut Vec<(Box<str>, bool)>,
    form: impl Fn(&str) -> String,
    findings: &mut Findings,
) {
    let mut items = Collection::appended(items, |item| item.0.to_string());
    for element in &part.children {
        let name = form(element.value(key).unwrap_or_default());
        match &*element.name {
            "clear" => items.clear(),
            "remove" => {
                items.remove(&name);
            }
            _ => {
                items.add((name.into(), element.value("allowed") == Some("true")), &element.source, findings)
            }
        }
    }
}
