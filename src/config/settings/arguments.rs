//! A command line's arguments as Windows programs take them apart: blanks divide, quotes join, and backslashes mean
//! something only before a quote.

use super::paths::forward;

/// Takes `text` apart. The rules are those of Microsoft's C runtime, whose programs `nodeProcessCommandLine` was written
/// for; in one point they differ from `CommandLineToArgvW`: after `""` inside quotes the quotes go on.
pub(in crate::config) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    // None between words: `""` is an empty word, no word is not.
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' if !quoted => words.extend(word.take()),
            '\\' => {
                let mut backslashes = 1;
                while chars.next_if_eq(&'\\').is_some() {
                    backslashes += 1;
                }
                let word = word.get_or_insert_default();
                if chars.peek() != Some(&'"') {
                    word.extend(std::iter::repeat_n('\\', backslashes));
                    continue;
                }
                word.extend(std::iter::repeat_n('\\', backslashes / 2));
                if backslashes % 2 == 1 {
                    chars.next();
                    word.push('"');
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                if quoted && chars.next_if_eq(&'"').is_some() {
                    word.push('"');
                } else {
                    quoted = !quoted;
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `.\lib\x.js` is a path of this system, too, once its slashes are turned. Other backslashes may mean anything.
pub(in crate::config) fn relative_forward(argument: String) -> String {
    if argument.starts_with(".\\") || argument.starts_with("..\\") { forward(&argument) } else { argument }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn arguments_are_taken_apart_as_on_windows() {
        for (text, words) in [
            ("", &[][..]),
            ("   ", &[]),
            ("--harmony", &["--harmony"]),
            (" a \t b ", &["a", "b"]),
            (r#""a b" c"#, &["a b", "c"]),
            (r#"a" b"c"#, &["a bc"]),
            (r#""""#, &[""]),
            (r#"a "" b"#, &["a", "", "b"]),
            (r"C:\x\y", &[r"C:\x\y"]),
            (r#"a\"b"#, &[r#"a"b"#]),
            (r#"a\\"b c""#, &[r"a\b c"]),
            (r#"a\\\"b"#, &[r#"a\"b"#]),
            (r#""a\\""#, &[r"a\"]),
            (r#""a""b""#, &[r#"a"b"#]),
            (r#""open end"#, &["open end"]),
            (r"trailing\", &[r"trailing\"]),
            (r#"--title="é ü""#, &["--title=é ü"]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }
}
