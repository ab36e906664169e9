//! Percent-encoding: what must not stand in a URL as it is.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Anywhere, whoever wrote it; among it all that would end a header field.
pub(super) const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Decoded text is a name, so what divides URLs is part of it.
pub(super) const DECODED: &AsciiSet = &UNSAFE.add(b'%').add(b'?').add(b'#');
/// In a query what is encoded already stays.
const QUERY: &AsciiSet = &UNSAFE.add(b'#');

/// A decoded path, as it stands in a URL.
pub(crate) fn encode(path: &str) -> String {
    utf8_percent_encode(path, DECODED).to_string()
}

/// A query, as it stands in a URL.
pub(super) fn encode_query(query: &str) -> String {
    utf8_percent_encode(query, QUERY).to_string()
}
