//! All that is said of a pool, whoever says it.

use crate::config::source::Located;

/// What was said about a pool, before it is judged.
pub(super) struct Said {
    pub(super) path: Located<String>,
    pub(super) arguments: Located<String>,
    /// What wins comes last.
    pub(super) values: Vec<(Box<str>, Located<String>)>,
    pub(super) variables: Vec<(String, Located<String>)>,
    pub(super) is_of_ini: bool,
}

impl Said {
    pub(super) fn written(&self, name: &str) -> Option<&Located<String>> {
        let mut values = self.values.iter().rev();
        values.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
