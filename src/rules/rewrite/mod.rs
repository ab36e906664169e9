//! URL rewriting: ordered rules that change, redirect or end a request.
//!
//! A rule sees the URL as the rules before it left it; only `{REQUEST_URI}` stays what the client asked for. Paths are
//! decoded here and queries are not. Which rules hold where, and who inherits them, is the configuration's business.

mod class;
mod condition;
mod ecmascript;
mod outcome;
mod pattern;
mod rule;
mod target;
mod template;
mod text;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use self::outcome::{Outcome, Step, Subject, TooHard};
pub(crate) use self::rule::Rule;
use self::rule::Verdict;
pub(crate) use self::text::{
    ActionText, BadRule, ConditionText, MatchText, Part, RewriteMap, RuleText, Syntax, TestText,
};
use self::view::View;
use super::disk::Disk;
use super::facts::Facts;
use super::path::SitePath;

/// The rules that hold in a directory, in order; shared with the directories that inherit them.
#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// Applies the rules in order; `witness` is told what each did.
    ///
    /// # Errors
    /// A pattern that reached the limit of its work: the request cannot be answered as the site wants it.
    pub(crate) fn apply(
        &self,
        subject: Subject<'_>,
        facts: &dyn Facts,
        disk: &dyn Disk,
        witness: &mut dyn FnMut(Step),
    ) -> Result<Outcome, TooHard> {
        self.run(subject, facts, disk, Some(witness))
    }

    /// The same without a witness, which saves telling.
    ///
    /// # Errors
    /// As [`RuleSet::apply`].
    pub(crate) fn decide(
        &self,
        subject: Subject<'_>,
        facts: &dyn Facts,
        disk: &dyn Disk,
    ) -> Result<Outcome, TooHard> {
        self.run(subject, facts, disk, None)
    }

    fn run(
        &self,
        subject: Subject<'_>,
        facts: &dyn Facts,
        disk: &dyn Disk,
        mut witness: Option<&mut dyn FnMut(Step)>,
    ) -> Result<Outcome, TooHard> {
        let mut rewritten: Option<(SitePath, String)> = None;
        for rule in self.rules.iter().filter(|rule| rule.is_enabled()) {
            let (path, query) =
                rewritten.as_ref().map_or((subject.path, subject.query), |(path, query)| (path, query));
            let url = url(path);
            let view = View { path, url: &url, query, original: subject.original, facts, disk };
            let verdict = rule.try_on(&view).map_err(|_| TooHard { rule: rule.name().into() })?;
            if let Some(witness) = &mut witness {
                witness(Step { rule: rule.name().into(), what: tell(&verdict, rule.stops()) });
            }
            match verdict {
                Verdict::Elsewhere | Verdict::NoMatch | Verdict::Unmet(_) => continue,
                Verdict::Nothing => {}
                Verdict::Rewrite(path, query) => rewritten = Some((path, query)),
                Verdict::End(outcome) => return Ok(outcome),
            }
            if rule.stops() {
                break;
            }
        }
        Ok(match rewritten {
            Some((path, query)) => Outcome::Rewritten { path, query },
            None => Outcome::Unchanged,
        })
    }

    /// Whether the outcome depends on nothing but path, query and disk.
    pub(crate) fn needs_only_the_url(&self) -> bool {
        !self.rules.iter().any(|rule| rule.is_enabled() && rule.reads_facts())
    }
}

/// With the slash at its end that the path has lost.
fn url(path: &SitePath) -> Cow<'_, str> {
    match path.as_str() {
        text if text.is_empty() || !path.ends_in_slash() => text.into(),
        text => format!("{text}/").into(),
    }
}

fn tell(verdict: &Verdict<'_>, stops: bool) -> String {
    let did = match verdict {
        Verdict::Elsewhere => return "is not for this directory".to_owned(),
        Verdict::NoMatch => return "does not match".to_owned(),
        Verdict::Unmet(condition) => return format!("does not apply: not so that {condition}"),
        Verdict::Nothing => "matches and changes nothing".to_owned(),
        Verdict::Rewrite(path, query) if query.is_empty() => format!("rewrites to /{}", url(path)),
        Verdict::Rewrite(path, query) => format!("rewrites to /{}?{query}", url(path)),
        Verdict::End(Outcome::Redirect { status, location }) => {
            return format!("redirects to {location} ({status})");
        }
        Verdict::End(Outcome::Respond { status, substatus, .. }) => {
            return format!("answers {status}.{substatus}");
        }
        Verdict::End(_) => return "closes the connection".to_owned(),
    };
    if stops { did + ", and ends the rules" } else { did }
}

#[cfg(test)]
mod tests;
