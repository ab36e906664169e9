//! `rewrite`: elements to rules and maps.

use std::sync::Arc;

use super::collection::Collection;
use super::findings::Findings;
use crate::config::source::Source;
use crate::config::xml::Element;
use crate::rules::rewrite::{
    ActionText, BadRule, ConditionText, MatchText, Part, RewriteMap, Rule, RuleSet, RuleText, Syntax,
    TestText,
};

/// What is wrong with a rule: where, why, and what to do.
type Wrong = (Source, String, &'static str);

/// Rules, by name, and maps that hold somewhere.
#[derive(Clone, Default)]
pub(super) struct Rewriting {
    rules: Vec<(String, Arc<Rule>)>,
    maps: Vec<Arc<RewriteMap>>,
}

impl Rewriting {
    /// Takes what `section`, an element `rewrite`, says about the directory `base`.
    pub(super) fn apply(&mut self, section: &Element, base: &str, findings: &mut Findings) {
        // Rules may name maps that come after them.
        for maps in section.children.iter().filter(|child| &*child.name == "rewriteMaps") {
            let mut collection = Collection::appended(&mut self.maps, |map| map.name.clone());
            for element in &maps.children {
                match &*element.name {
                    "clear" => collection.clear(),
                    "remove" => {
                        collection.remove(text(element, "name"));
                    }
                    _ => collection.add(Arc::new(map(element)), &element.source, findings),
                }
            }
        }
        for rules in section.children.iter().filter(|child| &*child.name == "rules") {
            let mut collection = Collection::appended(&mut self.rules, |(name, _)| name.clone());
            for element in &rules.children {
                let name = text(element, "name");
                match &*element.name {
                    "clear" => collection.clear(),
                    "remove" => {
                        collection.remove(name);
                    }
                    _ => {
                        if let Some(rule) = rule(element, base, &self.maps, findings) {
                            collection.add((name.to_owned(), Arc::new(rule)), &element.source, findings);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn rule_set(&self) -> RuleSet {
        RuleSet { rules: self.rules.iter().map(|(_, rule)| rule.clone()).collect() }
    }
}

/// The rule, if it can be used; what is to be said about it is said.
fn rule(element: &Element, base: &str, maps: &[Arc<RewriteMap>], findings: &mut Findings) -> Option<Rule> {
    let name = text(element, "name");
    if let Some(action) = element.child("action")
        && text(action, "type") == "Rewrite"
        && is_absolute(text(action, "url"))
    {
        let what = format!("rule `{name}` rewrites to another server and is left out");
        findings.warn(&action.place("url"), format!("{what}: ostler is no proxy for other servers"));
        return None;
    }
    let made =
        rule_text(element, base).and_then(|text| Rule::new(text, maps).map_err(|bad| wrong(element, bad)));
    match made {
        Ok((rule, warnings)) => {
            for warning in warnings {
                findings.warn(&element.source, format!("rule `{name}`: {warning}"));
            }
            Some(rule)
        }
        Err((source, why, help)) => {
            findings.error(&source, format!("rule `{name}` cannot be used: {why}"), help);
            None
        }
    }
}

fn wrong(rule: &Element, bad: BadRule) -> Wrong {
    const HELP: &str = "the directory is not served until this is mended, as the rule may protect something";
    let conditions = conditions(rule);
    let (part, attribute) = match bad.part {
        Part::Match => (rule.child("match"), "url"),
        Part::Condition(at) => match conditions.get(at) {
            Some(condition) if condition.attribute("pattern").is_some() => (Some(*condition), "pattern"),
            condition => (condition.copied(), "input"),
        },
        Part::Action => (rule.child("action"), "url"),
    };
    (part.unwrap_or(rule).place(attribute), bad.why, HELP)
}

fn rule_text(rule: &Element, base: &str) -> Result<RuleText, Wrong> {
    let grouping = rule.child("conditions");
    let variables = rule.child("serverVariables").map_or(&[][..], |variables| &variables.children);
    Ok(RuleText {
        name: text(rule, "name").to_owned(),
        enabled: flag(rule, "enabled", true),
        stop_processing: flag(rule, "stopProcessing", false),
        syntax: match text(rule, "patternSyntax") {
            "Wildcard" => Syntax::Wildcard,
            "ExactMatch" => Syntax::ExactMatch,
            _ => Syntax::EcmaScript,
        },
        pattern: rule.child("match").map(|element| MatchText {
            url: text(element, "url").to_owned(),
            ignore_case: flag(element, "ignoreCase", true),
            negate: flag(element, "negate", false),
        }),
        any: grouping.is_some_and(|element| text(element, "logicalGrouping") == "MatchAny"),
        track_all_captures: grouping.is_some_and(|element| flag(element, "trackAllCaptures", false)),
        conditions: conditions(rule).into_iter().map(condition).collect::<Result<_, _>>()?,
        server_variables: variables
            .iter()
            .filter(|element| &*element.name == "set")
            .map(|element| (text(element, "name").to_owned(), text(element, "value").to_owned()))
            .collect(),
        action: rule.child("action").map(action).transpose()?,
        base: base.to_owned(),
    })
}

/// Those after the last `clear`.
fn conditions(rule: &Element) -> Vec<&Element> {
    let conditions = rule.child("conditions").map_or(&[][..], |element| &element.children);
    let start = conditions.iter().rposition(|element| &*element.name == "clear").map_or(0, |at| at + 1);
    conditions[start..].iter().collect()
}

fn condition(element: &Element) -> Result<ConditionText, Wrong> {
    let test = match text(element, "matchType") {
        "IsFile" => TestText::IsFile,
        "IsDirectory" => TestText::IsDirectory,
        _ => match element.value("pattern") {
            Some(pattern) => TestText::Pattern(pattern.to_owned()),
            None => {
                let why = "a condition has no `pattern`".to_owned();
                return Err((
                    element.source.clone(),
                    why,
                    "it needs pattern, or matchType IsFile or IsDirectory",
                ));
            }
        },
    };
    Ok(ConditionText {
        input: text(element, "input").to_owned(),
        test,
        ignore_case: flag(element, "ignoreCase", true),
        negate: flag(element, "negate", false),
    })
}

fn action(element: &Element) -> Result<ActionText, Wrong> {
    let url = || match element.value("url") {
        Some(url) => Ok(url.to_owned()),
        None => {
            let why = format!("its {} has no `url`", text(element, "type"));
            Err((element.source.clone(), why, "the action needs url"))
        }
    };
    let append_query = flag(element, "appendQueryString", true);
    Ok(match text(element, "type") {
        "Rewrite" => ActionText::Rewrite { url: url()?, append_query },
        "Redirect" => {
            let status = match text(element, "redirectType") {
                "Found" | "302" => 302,
                "SeeOther" | "303" => 303,
                "Temporary" | "307" => 307,
                _ => 301,
            };
            ActionText::Redirect { url: url()?, append_query, status }
        }
        "CustomResponse" => {
            let Some(status) = element.value("statusCode").and_then(|value| value.parse().ok()) else {
                let why = "its CustomResponse has no `statusCode`".to_owned();
                return Err((element.source.clone(), why, "the action needs statusCode"));
            };
            ActionText::CustomResponse {
                status,
                substatus: element.value("subStatusCode").and_then(|value| value.parse().ok()).unwrap_or(0),
                reason: element.value("statusReason").map(str::to_owned),
                description: element.value("statusDescription").map(str::to_owned),
            }
        }
        "AbortRequest" => ActionText::AbortRequest,
        _ => ActionText::None,
    })
}

fn map(element: &Element) -> RewriteMap {
    let mut entries: Vec<(String, String)> = Vec::new();
    for entry in &element.children {
        match &*entry.name {
            "clear" => entries.clear(),
            "remove" => entries.retain(|(key, _)| !key.eq_ignore_ascii_case(text(entry, "key"))),
            _ => {
                entries.retain(|(key, _)| !key.eq_ignore_ascii_case(text(entry, "key")));
                entries.push((text(entry, "key").to_owned(), text(entry, "value").to_owned()));
            }
        }
    }
    RewriteMap {
        name: text(element, "name").to_owned(),
        default: text(element, "defaultValue").to_owned(),
        entries,
    }
}

fn is_absolute(url: &str) -> bool {
    let start = |scheme: &str| url.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
    start("http://") || start("https://")
}

fn text<'e>(element: &'e Element, name: &str) -> &'e str {
    element.value(name).unwrap_or_default()
}

fn flag(element: &Element, name: &str, default: bool) -> bool {
    element.value(name).map_or(default, |value| value == "true")
}
