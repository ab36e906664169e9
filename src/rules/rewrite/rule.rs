//! One rule: what it matches, on which conditions, and what it does then.

use std::sync::Arc;

use super::condition::Condition;
use super::outcome::Outcome;
use super::pattern::{GaveUp, Origin, Pattern};
use super::target::{Location, Target, join_queries, scheme};
use super::template::Template;
use super::text::{ActionText, BadRule, ConditionText, Part, RewriteMap, RuleText, Syntax};
use super::view::{Captured, View};
use crate::rules::path::{SitePath, below};

/// One rule; built by [`Rule::new`] from what its element says.
#[derive(Debug)]
pub(crate) struct Rule {
    name: Box<str>,
    enabled: bool,
    stops: bool,
    /// None matches everything.
    pattern: Option<Pattern>,
    negate: bool,
    conditions: Vec<Condition>,
    any: bool,
    track_all: bool,
    action: Action,
    base: Box<str>,
    /// Somebody asks for `{R:n}` or `{C:n}`.
    wants_match_groups: bool,
    wants_condition_groups: bool,
    reads_facts: bool,
}

#[derive(Debug)]
enum Action {
    Rewrite { url: Template, append_query: bool },
    Redirect { url: Template, append_query: bool, status: u16 },
    End(Outcome),
    None,
}

/// What came of trying a rule.
#[derive(Debug)]
pub(super) enum Verdict<'r> {
    /// The path is not below the rule's directory.
    Elsewhere,
    /// The pattern says no.
    NoMatch,
    /// A condition says no, or all of them where one would do.
    Unmet(&'r str),
    /// It applies and changes nothing.
    Nothing,
    Rewrite(SitePath, String),
    End(Outcome),
}

impl Rule {
    /// # Errors
    /// What is wrong and where; what works only in part is in the warnings.
    pub(crate) fn new(text: RuleText, maps: &[Arc<RewriteMap>]) -> Result<(Rule, Vec<String>), BadRule> {
        let mut warnings = Vec::new();
        let bad = |part| move |why| BadRule { part, why };
        let mut negate = false;
        let pattern = match &text.pattern {
            None => None,
            Some(wanted) => {
                negate = wanted.negate;
                if text.syntax == Syntax::EcmaScript && !negate && wants_leading_slash(&wanted.url) {
                    warnings.push(format!(
                        "the pattern `{}` never matches: what is matched has no slash at its start",
                        wanted.url
                    ));
                }
                Some(Pattern::new(text.syntax, &wanted.url, wanted.ignore_case).map_err(bad(Part::Match))?)
            }
        };
        let compile = |(at, condition): (usize, &ConditionText)| {
            Condition::new(condition, text.syntax, maps).map_err(bad(Part::Condition(at)))
        };
        let conditions = text.conditions.iter().enumerate().map(compile).collect::<Result<Vec<_>, _>>()?;
        let template = |url: &str| Template::new(url.trim(), maps).map_err(bad(Part::Action));
        let action = match text.action {
            None | Some(ActionText::None) => Action::None,
            Some(ActionText::Rewrite { url, append_query }) => {
                if scheme(&url).is_some() {
                    warnings.push(format!("`{url}` is another server: such requests are answered 404.4"));
                }
                Action::Rewrite { url: template(&url)?, append_query }
            }
            Some(ActionText::Redirect { url, append_query, status }) => {
                Action::Redirect { url: template(&url)?, append_query, status }
            }
            Some(ActionText::CustomResponse { status, substatus, reason, description }) => {
                let (reason, description) = (reason.map(Into::into), description.map(Into::into));
                Action::End(Outcome::Respond { status, substatus, reason, description })
            }
            Some(ActionText::AbortRequest) => Action::End(Outcome::Abort),
        };
        for (name, _) in &text.server_variables {
            if !name.eq_ignore_ascii_case("HTTP_CONNECTION") {
                warnings.push(format!("the server variable {name} is not set: rules change only the URL"));
            }
        }
        let mut rule = Rule {
            name: text.name.into(),
            enabled: text.enabled,
            stops: text.stop_processing,
            pattern,
            negate,
            conditions,
            any: text.any,
            track_all: text.track_all_captures,
            action,
            base: text.base.trim_matches('/').into(),
            wants_match_groups: false,
            wants_condition_groups: false,
            reads_facts: false,
        };
        rule.look_at_templates(&mut warnings);
        Ok((rule, warnings))
    }

    fn look_at_templates(&mut self, warnings: &mut Vec<String>) {
        let (mut of_match, mut of_conditions, mut reads_facts) = (None, None, false);
        for template in self.conditions.iter().map(Condition::input).chain(self.action.url()) {
            let (one, other) = template.highest_groups();
            of_match = of_match.max(one);
            of_conditions = of_conditions.max(other);
            reads_facts |= template.reads_facts();
        }
        let there = if self.negate { None } else { Some(self.pattern.as_ref().map_or(0, Pattern::groups)) };
        let all = self.conditions.iter().filter_map(Condition::groups);
        let tracked = if self.track_all { all.reduce(|one, other| one + other) } else { all.max() };
        for (letter, asked, there) in [('R', of_match, there), ('C', of_conditions, tracked)] {
            if let Some(asked) = asked.filter(|asked| there.is_none_or(|there| *asked > there)) {
                warnings.push(format!("`{{{letter}:{asked}}}` refers to no group and is always empty"));
            }
        }
        self.wants_match_groups = of_match.is_some();
        self.wants_condition_groups = of_conditions.is_some();
        self.reads_facts = reads_facts;
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// No rule after it is tried when it applies.
    pub(super) fn stops(&self) -> bool {
        self.stops
    }

    pub(super) fn reads_facts(&self) -> bool {
        self.reads_facts
    }

    pub(super) fn try_on(&self, view: &View<'_>) -> Result<Verdict<'_>, GaveUp> {
        let Some(input) = below(view.url, &self.base) else { return Ok(Verdict::Elsewhere) };
        let mut captured = Captured::default();
        let matched = match &self.pattern {
            None if !self.wants_match_groups => true,
            None => captured.by_match.all(input, Origin::Decoded),
            Some(pattern) if self.wants_match_groups && !self.negate => {
                pattern.capture(input, Origin::Decoded, &mut captured.by_match)?
            }
            Some(pattern) => pattern.is_match(input)?,
        };
        if matched == self.negate {
            return Ok(Verdict::NoMatch);
        }
        if let Some(why) = self.unmet(view, &mut captured)? {
            return Ok(Verdict::Unmet(why));
        }
        Ok(match &self.action {
            Action::None => Verdict::Nothing,
            Action::End(outcome) => Verdict::End(outcome.clone()),
            Action::Rewrite { url, append_query } => {
                let mut target = Target::default();
                url.write(view, &captured, &mut target);
                self.rewrite(target, if *append_query { view.query } else { "" })
            }
            Action::Redirect { url, append_query, status } => {
                let mut location = Location::default();
                url.write(view, &captured, &mut location);
                let mut location = location.from(&self.base);
                if !url.start().starts_with("//") {
                    location = location.on_this_host();
                }
                if *append_query {
                    location = location.with_query(view.query);
                }
                Verdict::End(Outcome::Redirect { status: *status, location: location.0 })
            }
        })
    }

    /// The condition that keeps the rule from applying.
    fn unmet(&self, view: &View<'_>, captured: &mut Captured) -> Result<Option<&str>, GaveUp> {
        let mut unmet = None;
        for condition in &self.conditions {
            let holds = condition.holds(view, captured, self.wants_condition_groups, self.track_all)?;
            if holds == self.any {
                return Ok(if holds { None } else { Some(condition.told()) });
            }
            if !holds {
                unmet = Some(condition.told());
            }
        }
        Ok(unmet)
    }

    fn rewrite(&self, target: Target, query: &str) -> Verdict<'_> {
        let refused = |substatus, description: &str| {
            let description = Some(description.into());
            Verdict::End(Outcome::Respond { status: 404, substatus, reason: None, description })
        };
        if scheme(&target.path).is_some() {
            return refused(
                4,
                "A rewrite rule passes this request to another server, which is not supported.",
            );
        }
        let path = match target.path.strip_prefix("~/") {
            Some(rest) => SitePath::of_text(rest),
            None if self.base.is_empty() || target.path.starts_with(['/', '\\']) => {
                SitePath::of_text(&target.path)
            }
            None => SitePath::of_text(&format!("{}/{}", self.base, target.path)),
        };
        match path {
            Ok(path) => Verdict::Rewrite(path, join_queries(target.query, query)),
            Err(_) => refused(0, "A rewrite rule leads outside of the site."),
        }
    }
}

impl Action {
    fn url(&self) -> Option<&Template> {
        match self {
            Action::Rewrite { url, .. } | Action::Redirect { url, .. } => Some(url),
            Action::End(_) | Action::None => None,
        }
    }
}

/// `^/` or `^\/`, and the slash is not optional.
fn wants_leading_slash(pattern: &str) -> bool {
    let rest = pattern.strip_prefix("^/").or_else(|| pattern.strip_prefix("^\\/"));
    rest.is_some_and(|rest| !rest.starts_with(['?', '*', '{']) && !pattern.contains('|'))
}
