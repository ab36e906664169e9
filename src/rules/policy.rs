//! Everything a directory of a site decides, and the tree of directories that decide differently.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::documents::Documents;
use super::files::FilePolicy;
use super::filter::Filter;
use super::mapping::Mapping;
use super::rewrite::RuleSet;

#[derive(Debug)]
pub(crate) struct Policy {
    /// Why the configuration of this directory cannot be used; every request below it is answered 500.19.
    pub(crate) broken: Option<Arc<str>>,
    pub(crate) filter: Filter,
    pub(crate) rewrite: RuleSet,
    pub(crate) documents: Documents,
    pub(crate) mapping: Mapping,
    pub(crate) files: FilePolicy,
    /// Whole field lines for every response, each with its CR LF.
    pub(crate) fields: Box<str>,
    pub(crate) errors: ErrorPolicy,
    pub(crate) programs: ProgramFolders,
}

/// The folders, relative to the site's root, whose sections say how programs are run that serve here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ProgramFolders {
    pub(crate) http_platform: Option<Box<str>>,
    pub(crate) asp_net_core: Option<Box<str>>,
}

impl ProgramFolders {
    /// The deepest of them: of the application that is nearest.
    pub(crate) fn nearest(&self) -> Option<&str> {
        let folders = [&self.http_platform, &self.asp_net_core].into_iter().flatten();
        folders.max_by_key(|folder| folder.len()).map(|folder| &**folder)
    }
}

/// `httpErrors`: what becomes of errors the host itself answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ErrorPolicy {
    pub(crate) mode: ErrorMode,
    /// `existingResponse="Replace"`: error pages of the site stand in for those of workers too.
    pub(crate) replaces_workers: bool,
    /// By status and substatus (None for any), the answer.
    pub(crate) pages: Vec<(u16, Option<u16>, ErrorPage)>,
}

/// Who sees the pages of the site, and who the host's own explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ErrorMode {
    /// Clients on the machine itself see what happened, where development errors are on.
    #[default]
    DetailedLocalOnly,
    Custom,
    Detailed,
}

impl ErrorPolicy {
    /// The page for an error: one for exactly this substatus, else one for any.
    pub(crate) fn page(&self, status: u16, substatus: u16) -> Option<&ErrorPage> {
        let of = |wanted| {
            // Of several the last one, which the nearest web.config has added.
            let mut pages = self.pages.iter().rev();
            pages.find(|(known, sub, _)| (*known, *sub) == (status, wanted)).map(|(_, _, page)| page)
        };
        of(Some(substatus)).or_else(|| of(None))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorPage {
    /// A file, relative to the site's root.
    File(Box<str>),
    /// A URL of the site, served in place.
    ExecuteUrl(Box<str>),
    Redirect(Box<str>),
}

/// A tree of values by path: a path has the value of its deepest ancestor that has one. Names match in any case.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    value: Option<Arc<T>>,
    below: BTreeMap<Box<str>, Node<T>>,
}

// By hand, because values are shared and need not be copied.
impl<T> Clone for Tree<T> {
    fn clone(&self) -> Tree<T> {
        Tree { root: self.root.clone() }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Node<T> {
        Node { value: self.value.clone(), below: self.below.clone() }
    }
}

impl<T> Node<T> {
    fn new() -> Node<T> {
        Node { value: None, below: BTreeMap::new() }
    }
}

impl<T> Tree<T> {
    pub(crate) fn new(root: Arc<T>) -> Tree<T> {
        Tree { root: Node { value: Some(root), below: BTreeMap::new() } }
    }

    /// A tree in which nothing has a value.
    pub(crate) fn empty() -> Tree<T> {
        Tree { root: Node::new() }
    }

    /// Every value, parents before children.
    pub(crate) fn values(&self) -> Vec<&Arc<T>> {
        let mut values = Vec::new();
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            values.extend(&node.value);
            nodes.extend(node.below.values().rev());
        }
        values
    }

    /// Sets the value of `path` and of what lies below it, as far as nothing deeper is set.
    pub(crate) fn set(&mut self, path: &str, value: Arc<T>) {
        let mut node = &mut self.root;
        for name in names(path) {
            node = node.below.entry(name.to_lowercase().into_boxed_str()).or_insert_with(Node::new);
        }
        node.value = Some(value);
    }

    /// Puts what `before` says of a path, and of everything below it, in the place of a value that is bad where the one
    /// before was not. Returns the paths at which that was done.
    pub(crate) fn keep(&mut self, before: &Tree<T>, is_bad: impl Fn(&T) -> bool) -> Vec<String> {
        let mut kept = Vec::new();
        let mut nodes = vec![(String::new(), &mut self.root)];
        while let Some((path, node)) = nodes.pop() {
            let known = before.at(&path).filter(|known| !is_bad(known));
            if node.value.as_ref().is_some_and(|value| is_bad(value)) && known.is_some() {
                *node = before.node(&path);
                kept.push(path);
                continue;
            }
            let slash = if path.is_empty() { "" } else { "/" };
            nodes.extend(node.below.iter_mut().map(|(name, below)| (format!("{path}{slash}{name}"), below)));
        }
        kept
    }

    /// Puts what `before` says of a path, and of everything below it, in the place of what is said here.
    pub(crate) fn keep_at(&mut self, path: &str, before: &Tree<T>) {
        let mut node = &mut self.root;
        for name in names(path) {
            node = node.below.entry(name.to_lowercase().into_boxed_str()).or_insert_with(Node::new);
        }
        *node = before.node(path);
    }

    /// What holds for `path` and below it.
    fn node(&self, path: &str) -> Node<T> {
        let mut node = Some(&self.root);
        for name in names(path) {
            node = node.and_then(|node| node.get(name));
        }
        let below = node.map(|node| node.below.clone()).unwrap_or_default();
        Node { value: self.at(path).cloned(), below }
    }

    /// The value that holds for `path`, relative to the root.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<T>> {
        let mut node = &self.root;
        let mut value = node.value.as_ref();
        for name in names(path) {
            let Some(below) = node.get(name) else { break };
            node = below;
            value = node.value.as_ref().or(value);
        }
        value
    }
}

impl<T> Node<T> {
    fn get(&self, name: &str) -> Option<&Node<T>> {
        if self.below.is_empty() {
            return None;
        }
        if let Some(node) = self.below.get(name) {
            return Some(node);
        }
        self.below.get(name.to_lowercase().as_str())
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ErrorPage, ErrorPolicy, Tree};

    /// Values that begin with `bad` are bad.
    fn tree(values: &[(&str, &str)]) -> Tree<String> {
        let mut tree = Tree::empty();
        for (path, value) in values {
            tree.set(path, Arc::new((*value).to_owned()));
        }
        tree
    }

    #[test]
    fn what_is_bad_now_and_was_not_stays_with_all_below_it_and_nothing_else_does() {
        let before = tree(&[
            ("", "root 1"),
            ("A/b", "b 1"),
            ("a/b/place", "place 1"),
            ("old", "bad from the beginning"),
            ("fine", "fine 1"),
        ]);
        let mut now = tree(&[
            ("", "root 2"),
            ("a/b", "bad b"),
            ("a/b/c", "bad c"),
            ("old", "bad still"),
            ("fine", "fine 2"),
            ("new", "bad new"),
        ]);
        let mut kept = now.keep(&before, |value| value.starts_with("bad"));
        kept.sort();
        assert_eq!(kept, ["a/b", "new"]);
        for (path, value) in [
            ("x", "root 2"),
            ("a", "root 2"),
            ("a/B", "b 1"),
            ("a/b/c", "b 1"),
            ("a/b/place/x", "place 1"),
            ("old", "bad still"),
            ("fine", "fine 2"),
            ("new", "root 1"),
        ] {
            assert_eq!(now.at(path).map(|value| value.as_str()), Some(value), "{path}");
        }
        let mut other = tree(&[("", "other"), ("a/b/c", "other c")]);
        other.keep_at("a/b", &before);
        assert_eq!(other.at("a/b/c").map(|value| value.as_str()), Some("b 1"));
        assert_eq!(other.at("a").map(|value| value.as_str()), Some("other"));
    }

    #[test]
    fn a_tree_whose_root_is_bad_stays_as_a_whole_and_one_without_a_past_is_taken_as_it_is() {
        let before = tree(&[("", "root 1"), ("a", "a 1")]);
        let bad = || tree(&[("", "bad"), ("a", "bad"), ("b", "bad")]);
        let mut now = bad();
        assert_eq!(now.keep(&before, |value| value.starts_with("bad")), [""]);
        assert_eq!(now.values(), before.values());
        let mut first = bad();
        assert_eq!(first.keep(&Tree::empty(), |value| value.starts_with("bad")), [] as [&str; 0]);
        assert_eq!(first.values(), bad().values());
    }

    #[test]
    fn the_page_of_an_error_is_the_one_for_its_substatus_or_else_the_one_for_any() {
        let page = |name: &str| ErrorPage::File(name.into());
        let policy = ErrorPolicy {
            pages: vec![
                (404, None, page("inherited")),
                (404, Some(8), page("hidden")),
                (404, None, page("any")),
                (500, Some(0), page("bare")),
            ],
            ..ErrorPolicy::default()
        };
        for (status, substatus, name) in [
            (404, 0, Some("any")),
            (404, 8, Some("hidden")),
            (404, 3, Some("any")),
            (500, 0, Some("bare")),
            (500, 1002, None),
            (403, 14, None),
        ] {
            let expected = name.map(page);
            assert_eq!(policy.page(status, substatus), expected.as_ref(), "{status}.{substatus}");
        }
        assert_eq!(ErrorPolicy::default().page(404, 0), None);
    }
}
