//! Where in the text of a YAML file each key and value stands.
//!
//! The YAML library keeps no places of values it has read, so this looks at the lines: indentation, dashes, and keys up to
//! their colon. What stands in braces on one line gets the place of the key before it, which is near enough to be found.

use std::collections::HashMap;

/// A line and a column, both from 1.
pub(super) type Place = (u32, u32);

/// Places by the path of names and indexes that leads to them.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_path: HashMap<Vec<String>, Marks>,
    /// Keys that stand twice in one mapping: what the path is, and the second place.
    pub(super) twice: Vec<(Vec<String>, Place)>,
}

#[derive(Debug, Clone, Copy)]
struct Marks {
    key: Place,
    value: Place,
}

/// An open key or item while the lines are read.
struct Open {
    indent: usize,
    name: String,
    is_item: bool,
    /// Index of the next item, if this key holds items.
    items: usize,
}

impl Places {
    pub(super) fn of(text: &str) -> Places {
        let mut places = Places::default();
        let mut open: Vec<Open> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            places.line(line.strip_prefix('\u{feff}').unwrap_or(line), line_number, &mut open);
        }
        places
    }

    /// The place of the key that leads to `path`, or of the nearest thing around it.
    pub(super) fn key(&self, path: &[String]) -> Place {
        self.nearest(path, |marks| marks.key)
    }

    /// The place of the value at `path`, or of the nearest thing around it.
    pub(super) fn value(&self, path: &[String]) -> Place {
        self.nearest(path, |marks| marks.value)
    }

    fn nearest(&self, path: &[String], exact: fn(&Marks) -> Place) -> Place {
        match self.by_path.get(path) {
            Some(marks) => exact(marks),
            None => (0..path.len())
                .rev()
                .find_map(|n| self.by_path.get(&path[..n]))
                .map_or((1, 1), |marks| marks.value),
        }
    }

    fn line(&mut self, line: &str, number: u32, open: &mut Vec<Open>) {
        let mut indent = line.len() - line.trim_start_matches(' ').len();
        for dashes in 0.. {
            let rest = &line[indent..];
            if rest.trim().is_empty() || rest.starts_with('#') || dashes > MOST_DASHES {
                return;
            }
            let Some(after_dash) =
                rest.strip_prefix('-').filter(|after| after.is_empty() || after.starts_with(' '))
            else {
                break;
            };
            // An item belongs to the key before it, which may stand in the same column.
            open.retain(|entry| entry.indent < indent || entry.indent == indent && !entry.is_item);
            let item = match open.last_mut() {
                Some(parent) => {
                    parent.items += 1;
                    parent.items - 1
                }
                None => 0,
            };
            open.push(Open { indent, name: item.to_string(), is_item: true, items: 0 });
            let blanks = after_dash.len() - after_dash.trim_start_matches(' ').len();
            let at = indent + 1 + blanks;
            let place = (number, column(line, if after_dash.trim().is_empty() { indent } else { at }));
            self.mark(open, Marks { key: place, value: place });
            indent = at;
        }
        let rest = &line[indent..];
        let Some((name, after)) = key(rest) else { return };
        open.retain(|entry| entry.indent < indent);
        open.push(Open { indent, name, is_item: false, items: 0 });
        let value = after.trim_start_matches(' ');
        let key_place = (number, column(line, indent));
        let value_place = match value.is_empty() || value.starts_with('#') {
            true => key_place,
            false => (number, column(line, line.len() - value.len())),
        };
        self.mark(open, Marks { key: key_place, value: value_place });
    }

    fn mark(&mut self, open: &[Open], marks: Marks) {
        let path: Vec<String> = open.iter().map(|entry| entry.name.clone()).collect();
        match self.by_path.get(&path) {
            Some(_) => self.twice.push((path, marks.key)),
            None => drop(self.by_path.insert(path, marks)),
        }
    }
}

/// No list stands in a list in a host file; a line of a million dashes shall not cost more than others.
const MOST_DASHES: u32 = 4;

/// The key at the start of `text`, and what follows its colon.
fn key(text: &str) -> Option<(String, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (name, after) = text[1..].split_once(quote)?;
        return Some((name.to_owned(), after.trim_start().strip_prefix(':')?));
    }
    let end = text.match_indices(':').map(|(at, _)| at).find(|at| {
        let after = &text[at + 1..];
        after.is_empty() || after.starts_with([' ', '\t'])
    })?;
    let name = text[..end].trim_end();
    (!name.contains(" #")).then(|| (name.to_owned(), &text[end + 1..]))
}

fn column(line: &str, at: usize) -> u32 {
    u32::try_from(line[..at].chars().count() + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Places;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let text = "\
# first
listen:
  - 8080
  -   é
sites:
- root: a   # one
  host: [x, y]
-
  root: 'b'
  settings:
    \"quoted\": 1
    url: http://x:1
one: {a: 1, b: 2}
";
        let places = Places::of(text);
        for (path_text, key, value) in [
            ("listen", (2, 1), (2, 1)),
            ("listen.0", (3, 5), (3, 5)),
            ("listen.1", (4, 7), (4, 7)),
            ("sites.0.root", (6, 3), (6, 9)),
            ("sites.0.host", (7, 3), (7, 9)),
            ("sites.0.host.1", (7, 9), (7, 9)),
            ("sites.1", (8, 1), (8, 1)),
            ("sites.1.root", (9, 3), (9, 9)),
            ("sites.1.settings.quoted", (11, 5), (11, 15)),
            ("sites.1.settings.url", (12, 5), (12, 10)),
            ("one.b", (13, 6), (13, 6)),
            ("nowhere", (1, 1), (1, 1)),
        ] {
            assert_eq!(
                (places.key(&path(path_text)), places.value(&path(path_text))),
                (key, value),
                "{path_text}"
            );
        }
        assert!(places.twice.is_empty(), "{:?}", places.twice);
    }

    #[test]
    fn keys_that_stand_twice_are_found() {
        let places = Places::of("a: 1\nb:\n  a: 2\n  c: 3\n  a: 4\n");
        assert_eq!(places.twice, [(path("b.a"), (5, 3))]);
    }

    #[test]
    fn a_line_of_dashes_is_not_followed_for_ever() {
        let places = Places::of(&format!("{}\na: 1\n", "- ".repeat(100_000)));
        assert_eq!(places.value(&path("a")), (2, 4));
    }
}
