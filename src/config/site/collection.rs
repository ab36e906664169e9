//! A collection as IIS keeps them: `add`, `remove` and `clear` in the order of the file, on top of what is inherited.

use super::findings::Findings;
use crate::config::source::Source;

/// A collection while one file changes it.
pub(super) struct Collection<'c, T> {
    items: &'c mut Vec<T>,
    key: fn(&T) -> String,
    /// Where the next item goes.
    at: usize,
}

impl<'c, T> Collection<'c, T> {
    /// What is added comes after what is inherited.
    pub(super) fn appended(items: &'c mut Vec<T>, key: fn(&T) -> String) -> Collection<'c, T> {
        let at = items.len();
        Collection { items, key, at }
    }

    /// What is added comes before what is inherited, in its own order.
    pub(super) fn prepended(items: &'c mut Vec<T>, key: fn(&T) -> String) -> Collection<'c, T> {
        Collection { items, key, at: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.at = 0;
    }

    /// Whether there was such an item.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let key = key.to_lowercase();
        let Some(found) = self.items.iter().position(|item| (self.key)(item).to_lowercase() == key) else {
            return false;
        };
        self.items.remove(found);
        self.at -= usize::from(found < self.at);
        true
    }

    /// Adds an item; one with the same key gives way.
    pub(super) fn set(&mut self, item: T) -> bool {
        let replaced = self.remove(&(self.key)(&item));
        self.items.insert(self.at, item);
        self.at += 1;
        replaced
    }

    /// The same, with a word about an item that gave way: IIS refuses that.
    pub(super) fn add(&mut self, item: T, source: &Source, findings: &mut Findings) {
        let key = (self.key)(&item).replace('\n', ".");
        if self.set(item) {
            let what = format!("`{key}` is there already; the last one holds, where IIS refuses the file");
            findings.push(
                crate::config::source::Note::warning(source.clone(), what)
                    .with_help("write a remove before it, or leave one of them out"),
            );
        }
    }
}
