//! XML text to a tree in which every element and attribute knows its place.
//!
//! Knows nothing of what the elements mean. Text between elements, comments and attributes of foreign namespaces are
//! left out; a document type is refused, so there are no entities to expand.

use std::path::Path;
use std::sync::Arc;

use super::source::Source;

/// Elements deeper than this are refused; the tree is walked by recursion.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: Box<str>,
    pub(crate) source: Source,
    /// In document order.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Element>,
}

#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) name: Box<str>,
    pub(crate) value: Box<str>,
    pub(crate) source: Source,
}

/// Why a text is not such a tree, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) why: String,
    /// What would do.
    pub(crate) help: &'static str,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| &*attribute.name == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.attribute(name).map(|attribute| &*attribute.value)
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| &*child.name == name)
    }

    /// The place of an attribute; of the element if it is not there.
    pub(crate) fn place(&self, name: &str) -> Source {
        self.attribute(name).map_or_else(|| self.source.clone(), |attribute| attribute.source.clone())
    }
}

/// The text of a file: UTF-8 with or without a byte order mark, UTF-16 with one.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, Malformed> {
    const HELP: &str = "save it as UTF-8, or as UTF-16 with a byte order mark";
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| unit([pair[0], *pair.get(1).unwrap_or(&0)]));
        let mut text = String::with_capacity(bytes.len() / 2);
        for character in char::decode_utf16(units) {
            let Ok(character) = character else {
                let (line, column) = end_of(&text);
                return Err(Malformed { line, column, why: "this is not UTF-16".to_owned(), help: HELP });
            };
            text.push(character);
        }
        Ok(text)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
                let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                let (line, column) = end_of(&valid);
                Malformed { line, column, why: "this byte is not UTF-8".to_owned(), help: HELP }
            })
        }
    }
}

/// The tree of a text; `path` becomes the place of everything in it.
pub(crate) fn parse(text: &str, path: &Arc<Path>) -> Result<Element, Malformed> {
    let options = roxmltree::ParsingOptions { allow_dtd: false, ..roxmltree::ParsingOptions::default() };
    let document =
        roxmltree::Document::parse_with_options(text, options).map_err(|error| told(text, &error))?;
    let mut cursor = Cursor { text, path, offset: 0, line: 1, column: 1 };
    build(document.root_element(), &mut cursor, 1)
}

fn build(node: roxmltree::Node<'_, '_>, cursor: &mut Cursor<'_>, depth: usize) -> Result<Element, Malformed> {
    let source = cursor.at(node.range().start);
    if depth > MAX_DEPTH {
        let why = format!("elements lie more than {MAX_DEPTH} deep");
        return Err(Malformed {
            line: cursor.line,
            column: cursor.column,
            why,
            help: "no section needs that",
        });
    }
    let attributes = node
        .attributes()
        .filter(|attribute| attribute.namespace().is_none())
        .map(|attribute| Attribute {
            name: attribute.name().into(),
            value: attribute.value().into(),
            source: cursor.at(attribute.range().start),
        })
        .collect();
    let children = node
        .children()
        .filter(roxmltree::Node::is_element)
        .map(|child| build(child, cursor, depth + 1))
        .collect::<Result<_, _>>()?;
    Ok(Element { name: node.tag_name().name().into(), source, attributes, children })
}

/// Turns offsets, asked in rising order, into lines and columns; one pass over the text in all.
struct Cursor<'t> {
    text: &'t str,
    path: &'t Arc<Path>,
    offset: usize,
    line: u32,
    column: u32,
}

impl Cursor<'_> {
    fn at(&mut self, offset: usize) -> Source {
        if offset < self.offset {
            (self.offset, self.line, self.column) = (0, 1, 1);
        }
        for character in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            advance(character, &mut self.line, &mut self.column);
        }
        self.offset = offset;
        Source::File { path: self.path.clone(), line: self.line, column: self.column }
    }
}

fn advance(character: char, line: &mut u32, column: &mut u32) {
    if character == '\n' {
        *line += 1;
        *column = 1;
    } else {
        *column += 1;
    }
}

/// The place behind a text.
fn end_of(text: &str) -> (u32, u32) {
    let (mut line, mut column) = (1, 1);
    for character in text.chars() {
        advance(character, &mut line, &mut column);
    }
    (line, column)
}

fn told(text: &str, error: &roxmltree::Error) -> Malformed {
    const WELL_FORMED: &str = "every element is closed in order, every value stands in one pair of quotes, and &, < are written &amp;, &lt;";
    if matches!(error, roxmltree::Error::DtdDetected) {
        let (line, column) = end_of(text.split("<!DOCTYPE").next().unwrap_or_default());
        let why = "a document type is not read".to_owned();
        return Malformed { line, column, why, help: "leave the DOCTYPE out" };
    }
    let place = error.pos();
    let sentence = error.to_string();
    // The library ends its sentences with the place, which we tell in our own way.
    let why = sentence.rsplit_once(" at ").filter(|(_, place)| place.contains(':'));
    let why = why.map_or(sentence.as_str(), |(why, _)| why).to_owned();
    Malformed { line: place.row, column: place.col, why, help: WELL_FORMED }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::{decode, parse};
    use crate::config::source::Source;

    fn file() -> Arc<Path> {
        Arc::from(Path::new("w"))
    }

    fn place(source: &Source) -> String {
        source.to_string()
    }

    #[test]
    fn elements_and_attributes_know_their_line_and_column() {
        let text = "<?xml version=\"1.0\"?>\r\n<a>\n  <é ü='1' b=\"2\"/><c\n\td=''/>\n</a>\n";
        let root = parse(text, &file()).unwrap();
        assert_eq!(place(&root.source), "w:2:1");
        assert_eq!(place(&root.children[0].source), "w:3:3");
        assert_eq!(place(&root.children[0].place("ü")), "w:3:6");
        assert_eq!(place(&root.children[0].place("b")), "w:3:12");
        assert_eq!(place(&root.children[1].source), "w:3:19");
        assert_eq!(place(&root.children[1].place("d")), "w:4:2");
        assert_eq!(place(&root.children[1].place("none")), "w:3:19");
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_place() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for (text, place, why) in [
            ("", (1, 1), "root"),
            ("<a>", (1, 1), ""),
            ("<a>\n</b>", (2, 1), "b"),
            ("  <?xml version=\"1.0\"?><a/>", (1, 3), ""),
            ("<a b=\"\"c\"\"/>", (1, 8), ""),
            ("<a>\n <b>%</c></a>", (2, 6), "c"),
            ("<!DOCTYPE x [<!ENTITY y \"z\">]>\n<a>&y;</a>", (1, 1), "document type"),
            ("<a b='1' b='2'/>", (1, 10), "b"),
            (deep.as_str(), (1, 193), "deep"),
        ] {
            let error = parse(text, &file()).unwrap_err();
            assert_eq!((error.line, error.column), place, "{text}: {error:?}");
            assert!(error.why.contains(why) && !error.help.is_empty(), "{text}: {error:?}");
        }
    }

    #[test]
    fn text_is_read_in_utf_8_and_with_a_mark_in_utf_16() {
        let little: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<é/>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let big: Vec<u8> =
            [0xfe, 0xff].into_iter().chain("<é/>".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for bytes in ["<é/>".as_bytes(), "\u{feff}<é/>".as_bytes(), &little, &big] {
            assert_eq!(decode(bytes).unwrap(), "<é/>");
        }
        let error = decode(b"<a>\n\xc3\xa9\xe9</a>").unwrap_err();
        assert_eq!((error.line, error.column), (2, 2));
        assert!(decode(&[0xff, 0xfe, 0x00, 0xd8]).is_err());
    }
}
