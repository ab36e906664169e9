//! Routes that were decided before: most requests ask for what was asked a moment ago.
//!
//! Only routes that depend on nothing but method, URL, disk and configuration are remembered, and only until one of the
//! latter changes; the view they live in ends then.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::site::Known;

/// A stranger can ask for anything; when so much is remembered, all of it is forgotten.
const MOST: usize = 1024;
/// Longer targets are decided each time.
const LONGEST_TARGET_BYTES: usize = 512;

#[derive(Default)]
pub(crate) struct Routes {
    known: RefCell<HashMap<Box<[u8]>, Rc<Known>>>,
}

/// What a route is remembered by.
pub(crate) struct Key {
    bytes: [u8; 3 + 16 + LONGEST_TARGET_BYTES],
    length: usize,
}

impl Key {
    /// None if the request is too long to be remembered.
    pub(crate) fn new(site: usize, method: &[u8], target: &[u8]) -> Option<Key> {
        let length = 3 + method.len() + target.len();
        if method.len() > 16 || target.len() > LONGEST_TARGET_BYTES || site > usize::from(u16::MAX) {
            return None;
        }
        let mut bytes = [0; 3 + 16 + LONGEST_TARGET_BYTES];
        bytes[..2].copy_from_slice(&(site as u16).to_ne_bytes());
        bytes[2] = method.len() as u8;
        bytes[3..3 + method.len()].copy_from_slice(method);
        bytes[3 + method.len()..length].copy_from_slice(target);
        Some(Key { bytes, length })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Routes {
    pub(crate) fn get(&self, key: &Key) -> Option<Rc<Known>> {
        self.known.borrow().get(key.as_bytes()).cloned()
    }

    pub(crate) fn remember(&self, key: &Key, known: Rc<Known>) {
        let mut table = self.known.borrow_mut();
        if table.len() >= MOST {
            table.clear();
        }
        table.insert(key.as_bytes().into(), known);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::super::site::Known;
    use super::{Key, LONGEST_TARGET_BYTES, MOST, Routes};
    use crate::rules::documents::Documents;
    use crate::rules::files::FilePolicy;
    use crate::rules::filter::Filter;
    use crate::rules::mapping::Mapping;
    use crate::rules::policy::{ErrorPolicy, Policy, ProgramFolders};
    use crate::rules::rewrite::RuleSet;
    use crate::rules::route::{Decision, Route};

    fn known() -> Rc<Known> {
        let policy = Arc::new(Policy {
            broken: None,
            filter: Filter::default(),
            rewrite: RuleSet::default(),
            documents: Documents::default(),
            mapping: Mapping::default(),
            files: FilePolicy::default(),
            fields: "".into(),
            errors: ErrorPolicy::default(),
            programs: ProgramFolders::default(),
        });
        let route = Route {
            decision: Decision::Abort,
            policy: policy.clone(),
            rewritten: false,
            url: "/".to_owned(),
            target: None,
            is_repeatable: true,
        };
        Rc::new(Known { route, first_policy: policy, application: None })
    }

    fn key(site: usize, method: &str, target: &str) -> Key {
        Key::new(site, method.as_bytes(), target.as_bytes()).expect("short enough")
    }

    #[test]
    fn a_route_is_remembered_for_its_site_method_and_target_only() {
        let routes = Routes::default();
        let one = known();
        routes.remember(&key(1, "GET", "/a?b"), one.clone());
        assert!(routes.get(&key(1, "GET", "/a?b")).is_some_and(|found| Rc::ptr_eq(&found, &one)));
        for other in [
            key(2, "GET", "/a?b"),
            key(257, "GET", "/a?b"),
            key(1, "HEAD", "/a?b"),
            key(1, "GET", "/a"),
            key(1, "GET", "/a?b\0"),
            key(1, "GE", "T/a?b"),
            key(1, "get", "/a?b"),
        ] {
            assert!(routes.get(&other).is_none(), "{:?}", String::from_utf8_lossy(other.as_bytes()));
        }
    }

    #[test]
    fn what_strangers_ask_for_is_never_remembered_beyond_a_bound() {
        let routes = Routes::default();
        let known = known();
        for number in 0..3 * MOST {
            let key = key(0, "GET", &format!("/{number}"));
            routes.remember(&key, known.clone());
            assert!(routes.known.borrow().len() <= MOST);
            assert!(routes.get(&key).is_some(), "the latest is remembered");
        }
    }

    #[test]
    fn what_is_too_long_has_no_key() {
        let target = "x".repeat(LONGEST_TARGET_BYTES);
        for (site, method, target, has) in [
            (0, "GET", target.as_str(), true),
            (0, "GET", &format!("{target}x"), false),
            (0, "0123456789abcdef", target.as_str(), true),
            (0, "0123456789abcdefg", "/", false),
            (65_535, "GET", "/", true),
            (65_536, "GET", "/", false),
        ] {
            let key = Key::new(site, method.as_bytes(), target.as_bytes());
            assert_eq!(key.is_some(), has, "{site} {method} {}", target.len());
        }
    }
}
