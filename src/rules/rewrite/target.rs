//! Expanded URLs: the target of a rewrite, decoded; the location of a redirect, encoded.

use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::super::encode::{DECODED, UNSAFE};
use super::pattern::Origin;
use super::template::Sink;

/// Where a rewrite leads: a decoded path and a query as it stands in a URL.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) path: String,
    pub(super) query: Option<String>,
}

impl Sink for Target {
    fn put(&mut self, text: &str, origin: Origin) {
        if let Some(query) = &mut self.query {
            return match origin {
                Origin::Plain | Origin::Raw => query.push_str(text),
                Origin::Decoded => query.extend(utf8_percent_encode(text, DECODED)),
            };
        }
        if origin == Origin::Decoded {
            return self.path.push_str(text);
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (text, None),
        };
        match origin {
            Origin::Raw => self.path.push_str(&percent_decode_str(path).decode_utf8_lossy()),
            _ => self.path.push_str(path),
        }
        self.query = query;
    }
}

/// Where a redirect leads.
#[derive(Debug, Default)]
pub(super) struct Location(pub(super) String);

impl Sink for Location {
    fn put(&mut self, text: &str, origin: Origin) {
        let set = if origin == Origin::Decoded { DECODED } else { UNSAFE };
        self.0.extend(utf8_percent_encode(text, set));
    }
}

impl Location {
    /// With `query` after the query it has, before a fragment.
    pub(super) fn with_query(mut self, query: &str) -> Location {
        let query: String = utf8_percent_encode(query, UNSAFE).collect();
        let fragment = self.0.find('#').map(|at| self.0.split_off(at)).unwrap_or_default();
        let own = self.0.find('?').map(|at| self.0.split_off(at)[1..].to_owned());
        let joined = join_queries(own, &query);
        if !joined.is_empty() {
            self.0.push('?');
            self.0.push_str(&joined);
        }
        self.0.push_str(&fragment);
        self
    }

    /// Absolute, if it was relative to the directory `base`.
    pub(super) fn from(mut self, base: &str) -> Location {
        if scheme(&self.0).is_some() || self.0.starts_with('/') {
            return self;
        }
        let mut location = String::from("/");
        if let Some(rest) = self.0.strip_prefix("~/") {
            location.push_str(rest);
        } else {
            if !base.is_empty() {
                location.extend(utf8_percent_encode(base, DECODED));
                location.push('/');
            }
            location.push_str(self.0.strip_prefix("./").unwrap_or(&self.0));
        }
        self.0 = location;
        self
    }

    /// With one slash at the start, where two would lead to another host that the client could name.
    pub(super) fn on_this_host(mut self) -> Location {
        let slashes = self.0.bytes().take_while(|byte| *byte == b'/').count();
        if slashes > 1 {
            self.0.drain(1..slashes);
        }
        self
    }
}

/// A query of the rule's own, and the one of the request after it, unless the own one carries it already.
pub(super) fn join_queries(own: Option<String>, query: &str) -> String {
    let mut own = own.unwrap_or_default();
    let carries = own.strip_suffix(query).is_some_and(|before| before.is_empty() || before.ends_with('&'));
    if query.is_empty() || carries {
        return own;
    }
    if !own.is_empty() {
        own.push('&');
    }
    own.push_str(query);
    own
}

/// The scheme of an absolute URL.
pub(super) fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    (!scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(scheme)
}
