//! Server variables a site promotes to fields for its workers (iisnode 2.4).

use std::fmt::Write;

use super::variables::{Scene, Variables};
use crate::exchange::Exchange;
use crate::rules::facts::Facts;

/// One line a variable, in the order of the setting; unknown ones are left out, empty ones are sent empty.
pub(super) fn lines(promoted: &[Box<str>], scene: &Scene<'_>, exchange: &Exchange<'_>) -> String {
    let variables = Variables::of(exchange, *scene);
    let mut lines = String::new();
    for name in promoted {
        if let Some(value) = variables.variable(&name.to_ascii_uppercase()) {
            // A line end in a value would begin another field; there is none in what the parser lets through, but
            // paths of the disk may hold one.
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            // Writing to a String cannot fail.
            let _ = write!(lines, "X-iisnode-{name}: {value}\r\n");
        }
    }
    lines
}
