//! The line grammar of iisnode.yml: `key: value # comment`, one a line. It is not YAML, whatever its name says.
//!
//! Pure. Which keys there are, and what their values may be, is not known here.

use std::path::Path;
use std::sync::Arc;

use super::values::shortened;
use crate::config::source::{Located, Note, Source};

/// One line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Located<String>,
    pub(super) value: Located<String>,
}

const HELP: &str = "every line is empty, a `# comment`, or `setting: value`";

/// Every line with a key and a value, in order.
///
/// # Errors
/// Every line that is not of this grammar: one of them makes the whole file worthless.
pub(super) fn read(bytes: &[u8], path: &Arc<Path>) -> Result<Vec<Entry>, Vec<Note>> {
    let text = decoded(bytes);
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (index, line) in lines(&text).enumerate() {
        let place = |column: usize| Source::File {
            path: path.clone(),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        };
        match entry(line) {
            Ok(None) => {}
            Ok(Some((key, value))) => entries.push(Entry {
                key: Located::new(key.text.to_owned(), place(key.column)),
                value: Located::new(value.text.to_owned(), place(value.column)),
            }),
            Err((column, what)) => errors.push(Note::error(place(column), what).with_help(HELP)),
        }
        if errors.len() == MOST_ERRORS {
            break;
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

/// Enough to see that a file is something else altogether.
const MOST_ERRORS: usize = 20;

/// A part of a line and the characters before it.
struct Part<'a> {
    text: &'a str,
    column: usize,
}

fn entry(line: &str) -> Result<Option<(Part<'_>, Part<'_>)>, (usize, String)> {
    // The first `#` ends the line, wherever it stands.
    let content = line.split_once('#').map_or(line, |(before, _)| before);
    let Some(start) = content.find(|c| !blank(c)) else { return Ok(None) };
    let column = |at: usize| content[..at].chars().count();
    let Some(colon) = content.find(':') else {
        return Err((column(start), format!("`{}` has no colon", shortened(content.trim_matches(blank)))));
    };
    if colon == start {
        return Err((column(start), "there is no setting before the colon".to_owned()));
    }
    let key = content[start..colon].trim_end_matches(blank);
    if let Some(gap) = key.find(blank) {
        let what = format!("`{}` is not the name of a setting: there is a blank in it", shortened(key));
        return Err((column(start + gap), what));
    }
    let after = &content[colon + 1..];
    let value = after.trim_matches(blank);
    if value.is_empty() {
        return Ok(None);
    }
    let at = colon + 1 + (after.len() - after.trim_start_matches(blank).len());
    Ok(Some((Part { text: key, column: column(start) }, Part { text: value, column: column(at) })))
}

/// iisnode knows only the space, so that a tab becomes part of a name that then means nothing.
fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// Lines end with CR, LF, or both.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// UTF-8, with or without its mark, or UTF-16 with its mark, both as PowerShell writes them. What is neither is read as
/// Latin-1, so that an old comment with an umlaut does no harm.
fn decoded(bytes: &[u8]) -> String {
    let wide = |combine: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| combine([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::read;

    fn told(text: &[u8]) -> String {
        let path: Arc<Path> = Path::new("y").into();
        match read(text, &path) {
            Ok(entries) => entries
                .iter()
                .map(|entry| {
                    let at =
                        |source: &crate::config::source::Source| source.to_string().replacen("y:", "", 1);
                    let (key, value) = (&entry.key, &entry.value);
                    format!("{}@{}={}@{}", key.value, at(&key.source), value.value, at(&value.source))
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(notes) => notes.iter().map(|note| note.source.to_string()).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn lines_are_read_as_iisnode_reads_them() {
        for (text, expected) in [
            ("", ""),
            ("\n\r\n   \n# only a comment", ""),
            ("a: b", "a@1:1=b@1:4"),
            ("  a  :  b c  ", "a@1:3=b c@1:9"),
            ("a:b:c", "a@1:1=b:c@1:3"),
            ("a: b#c", "a@1:1=b@1:4"),
            ("a: \"b#c\"", "a@1:1=\"b@1:4"),
            ("foo:", ""),
            ("foo:    # comment", ""),
            ("baz:7", "baz@1:1=7@1:5"),
            ("a: 1\rb: 2\r\nc: 3\nd: 4", "a@1:1=1@1:4 b@2:1=2@2:4 c@3:1=3@3:4 d@4:1=4@4:4"),
            ("http://foo.com/bar", "http@1:1=//foo.com/bar@1:6"),
            ("é: ü x", "é@1:1=ü x@1:4"),
            ("c: \"D:\\x y\\node.exe\" --harmony", "c@1:1=\"D:\\x y\\node.exe\" --harmony@1:4"),
            // Better than iisnode.
            ("\u{feff}a: b", "a@1:1=b@1:4"),
            ("\ta\t:\tb\t", "a@1:2=b@1:6"),
            // Errors, by place.
            (": foo", "y:1:1"),
            ("   : bar", "y:1:4"),
            ("a: b\n---\n- item\n{}", "y:2:1 y:3:1 y:4:1"),
            ("\"node.exe\" --flag", "y:1:1"),
            ("<?xml version=\"1.0\"?>", "y:1:1"),
            ("two words: x", "y:1:4"),
            ("- a: b", "y:1:2"),
        ] {
            assert_eq!(told(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn other_encodings_are_read_where_they_can_be_told() {
        let wide: Vec<u8> = "\u{feff}a: é".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(told(&wide), "a@1:1=é@1:4");
        let wide: Vec<u8> = "\u{feff}a: é".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(told(&wide), "a@1:1=é@1:4");
        assert_eq!(told(b"# Gr\xfc\xdfe\na: b"), "a@2:1=b@2:4");
        assert_eq!(told(b"\xff\xfe"), "");
    }

    #[test]
    fn a_file_of_something_else_gets_a_bounded_list_of_errors() {
        assert_eq!(told(&b"no\n".repeat(10_000)).split(' ').count(), 20);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            told(&bytes);
        }
    }
}
