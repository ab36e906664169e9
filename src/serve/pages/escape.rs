//! Text of strangers in HTML: URLs, and what programs print.

use std::fmt::Write;

/// Makes text safe between tags and inside quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => show(char, &mut out),
        }
    }
    out
}

/// Text for programs and terminals: nothing in it steers them.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|char| show(char, &mut out));
    out
}

fn show(char: char, out: &mut String) {
    if char.is_control() && !matches!(char, '\n' | '\t') {
        // Writing to a String cannot fail.
        let _ = write!(out, "[x{:02X}]", u32::from(char));
    } else {
        out.push(char);
    }
}

/// What a program printed, as it would be read in a terminal, without the colours.
pub(super) fn printed(bytes: &[u8]) -> String {
    escape(uncoloured(bytes).trim_end())
}

/// The same as bare text.
pub(super) fn uncoloured(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        out.push_str(before);
        match after_sequence(after) {
            Some(after) => rest = after,
            None => {
                out.push('\x1b');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// What follows a control sequence of terminals of which the escape character was read; None if it is none.
fn after_sequence(text: &str) -> Option<&str> {
    match text.as_bytes().first()? {
        // Colours, cursor movements: parameters, then one letter.
        b'[' => {
            let end = text[1..].find(|char: char| !matches!(char, ' '..='?'))?;
            matches!(text.as_bytes()[1 + end], b'@'..=b'~').then(|| &text[2 + end..])
        }
        // Titles and links: up to a bell or ESC \.
        b']' => {
            let end = text.find(['\x07', '\x1b'])?;
            let after = &text[end + 1..];
            Some(after.strip_prefix('\\').unwrap_or(after))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, printed, visible};

    #[test]
    fn nothing_a_stranger_writes_becomes_markup() {
        assert_eq!(escape(r#"<a href="x" o='y'>&"#), "&lt;a href=&quot;x&quot; o=&apos;y&apos;&gt;&amp;");
        assert_eq!(visible("<a>\n\tb\0\x1b"), "<a>\n\tb[x00][x1B]");
        assert_eq!(escape("a\n\tb\0\x1b\u{85}"), "a\n\tb[x00][x1B][x85]");
    }

    #[test]
    fn output_loses_its_colours_and_keeps_its_words() {
        for (bytes, shown) in [
            (&b"\x1b[31mred\x1b[0m \x1b[38;5;9mpink\x1b[m"[..], "red pink"),
            (b"\x1b[2K\x1b[1Gprogress", "progress"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x07!", "link!"),
            (b"a\r\nb\rc\n\n", "a\nb[x0D]c"),
            (b"bell \x07 back\x08", "bell [x07] back[x08]"),
            (b"\x1b", "[x1B]"),
            (b"\x1b[", "[x1B]["),
            (b"\x1b[\xff", "[x1B][\u{fffd}"),
            (b"\x1b[1\xc3\xa9", "[x1B][1\u{e9}"),
            (b"\xff<b>", "\u{fffd}&lt;b&gt;"),
        ] {
            assert_eq!(printed(bytes), shown);
        }
    }
}
