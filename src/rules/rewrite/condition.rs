//! One condition of a rule.

use std::sync::Arc;

use super::pattern::{GaveUp, Groups, Pattern};
use super::target::Target;
use super::template::Template;
use super::text::{ConditionText, RewriteMap, Syntax, TestText};
use super::view::{Captured, Variable, View};
use crate::rules::disk::Kind;

#[derive(Debug)]
pub(super) struct Condition {
    input: Template,
    test: Test,
    negate: bool,
    /// As written, for people.
    told: Box<str>,
}

#[derive(Debug)]
enum Test {
    Pattern(Pattern),
    Is(Kind),
}

impl Condition {
    pub(super) fn new(
        text: &ConditionText,
        syntax: Syntax,
        maps: &[Arc<RewriteMap>],
    ) -> Result<Condition, String> {
        let (test, told) = match &text.test {
            TestText::Pattern(pattern) => {
                (Test::Pattern(Pattern::new(syntax, pattern, text.ignore_case)?), format!("`{pattern}`"))
            }
            TestText::IsFile => (Test::Is(Kind::File), "a file".to_owned()),
            TestText::IsDirectory => (Test::Is(Kind::Directory), "a directory".to_owned()),
        };
        let not = if text.negate { "not " } else { "" };
        let told = format!("{} is {not}{told}", text.input).into();
        Ok(Condition { input: Template::new(&text.input, maps)?, test, negate: text.negate, told })
    }

    /// Whether it holds; what its pattern captured goes into `captured`.
    pub(super) fn holds(
        &self,
        view: &View<'_>,
        captured: &mut Captured,
        wants_groups: bool,
        track_all: bool,
    ) -> Result<bool, GaveUp> {
        let matched = match &self.test {
            Test::Is(kind) => self.names(*kind, view, captured),
            Test::Pattern(pattern) => {
                let text;
                let (input, origin) = match (self.input.only_text(), self.input.only_variable()) {
                    (Some(text), _) => (text.into(), super::pattern::Origin::Plain),
                    (_, Some(variable)) => view.variable(variable),
                    _ => {
                        text = self.input.text(view, captured);
                        (text.0.as_str().into(), text.1)
                    }
                };
                if wants_groups && !self.negate {
                    let mut groups = if track_all {
                        std::mem::take(&mut captured.by_conditions)
                    } else {
                        Groups::default()
                    };
                    let matched = pattern.capture(&input, origin, &mut groups)?;
                    drop(input);
                    if matched || track_all {
                        captured.by_conditions = groups;
                    }
                    matched
                } else {
                    pattern.is_match(&input)?
                }
            }
        };
        Ok(matched != self.negate)
    }

    fn names(&self, kind: Kind, view: &View<'_>, captured: &Captured) -> bool {
        let elsewhere;
        let path = if self.input.only_variable() == Some(&Variable::File) {
            view.path
        } else {
            // As for a rewrite, so that a URL in the input is decoded and its query set aside.
            let mut target = Target::default();
            self.input.write(view, captured, &mut target);
            let Some(below) = view.below_root(&target.path) else { return false };
            elsewhere = below;
            &elsewhere
        };
        // A slash at the end means a directory, on any disk.
        if kind == Kind::File && path.ends_in_slash() {
            return false;
        }
        view.disk.find(path.as_str()).is_some_and(|(found, _)| found == kind)
    }

    pub(super) fn told(&self) -> &str {
        &self.told
    }

    /// How many groups its pattern has; none if it captures nothing.
    pub(super) fn groups(&self) -> Option<usize> {
        match &self.test {
            Test::Pattern(pattern) if !self.negate => Some(pattern.groups()),
            _ => None,
        }
    }

    pub(super) fn input(&self) -> &Template {
        &self.input
    }
}
