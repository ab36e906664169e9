//! One file to the tree of its elements, or to what is wrong with it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::config::source::{Note, Source};
use crate::config::xml::{self, Element};

/// Four times what IIS reads by default.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a file to the tree of its root element.
pub(super) fn tree(path: &Arc<Path>) -> Result<Element, Note> {
    let at = |line, column| Source::File { path: path.clone(), line, column };
    let unreadable =
        |error: std::io::Error| Note::error(at(1, 1), format!("the file cannot be read: {error}"));
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(Note::error(at(1, 1), "this is no file").with_help("a regular file is expected"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        let help = format!("a configuration file may have up to {} KiB", MAX_BYTES / 1024);
        return Err(Note::error(at(1, 1), "the file is too large").with_help(help));
    }
    let tree = xml::decode(&bytes).and_then(|text| xml::parse(&text, path));
    tree.map_err(|malformed| {
        let what = format!("the file is not well-formed XML: {}", malformed.why);
        Note::error(at(malformed.line, malformed.column), what).with_help(malformed.help)
    })
}
