//! A command line that others wrote for a shell: its words where it needs none, a shell where it does.

/// What a line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// `NAME=value` before the program.
    pub(super) variables: Vec<(String, String)>,
    pub(super) words: Vec<String>,
    /// It mentions `$PORT`, so a number is wanted there.
    pub(super) wants_port: bool,
    /// What only a shell understands; then the words are those of one.
    pub(super) of_a_shell: Option<String>,
}

/// Words that are no programs.
const BUILTINS: &[&str] =
    &[".", "cd", "command", "eval", "exec", "export", "set", "source", "ulimit", "umask", "unset"];

/// Reads a line; `$PORT` and `${PORT}` become `{port}` where no shell is needed.
///
/// # Errors
/// Why it is no command.
pub(super) fn read(text: &str) -> Result<Line, &'static str> {
    let Scan { plain, wants_port, syntax } = scan(text);
    let words = shell_words::split(&plain).map_err(|_| "a quote is not closed")?;
    let is_assignment = |word: &&String| assignment(word).is_some();
    let assignments = words.iter().take_while(is_assignment).count();
    let Some(program) = words.get(assignments) else { return Err("it names no program") };
    let mut of_a_shell = syntax;
    if of_a_shell.is_none() && BUILTINS.contains(&program.as_str()) {
        of_a_shell = Some(program.clone());
    }
    // Only in arguments is it replaced.
    if of_a_shell.is_none() && words[..=assignments].iter().any(|word| word.contains("{port}")) {
        of_a_shell = Some("$PORT".to_owned());
    }
    if of_a_shell.is_some() {
        let words = vec!["sh".to_owned(), "-c".to_owned(), text.trim().to_owned()];
        return Ok(Line { variables: Vec::new(), words, wants_port, of_a_shell });
    }
    let variables = words[..assignments].iter().filter_map(|word| assignment(word)).collect();
    Ok(Line { variables, words: words[assignments..].to_vec(), wants_port, of_a_shell })
}

/// `NAME=value`.
fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

struct Scan {
    /// With `{port}` for `$PORT`.
    plain: String,
    wants_port: bool,
    /// The first thing that only a shell understands.
    syntax: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

fn scan(text: &str) -> Scan {
    let mut scan = Scan { plain: String::new(), wants_port: false, syntax: None };
    let mut quote = Quote::None;
    let mut begins_word = true;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let mut put = &rest[..length];
        let mut is_syntax = false;
        match (c, quote) {
            ('\'', Quote::None) => quote = Quote::Single,
            ('\'', Quote::Single) | ('"', Quote::Double) => quote = Quote::None,
            ('"', Quote::None) => quote = Quote::Double,
            (_, Quote::Single) => {}
            ('\\', _) => {
                length += rest[length..].chars().next().map_or(0, char::len_utf8);
                put = &rest[..length];
            }
            ('$', _) => match port(rest) {
                Some(taken) => (length, put, scan.wants_port) = (taken, "{port}", true),
                None => {
                    is_syntax = true;
                    scan.wants_port |= rest.starts_with("${PORT");
                }
            },
            ('`', _) => is_syntax = true,
            ('&' | '|' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '\n', Quote::None) => {
                is_syntax = true
            }
            ('~' | '#', Quote::None) => is_syntax = begins_word,
            _ => {}
        }
        if is_syntax && scan.syntax.is_none() {
            scan.syntax = Some(shown(rest));
        }
        scan.plain.push_str(put);
        begins_word = quote == Quote::None && c.is_ascii_whitespace();
        rest = &rest[length..];
    }
    scan
}

/// How many bytes of the text are `$PORT` or `${PORT}`.
fn port(text: &str) -> Option<usize> {
    const PLAIN: &str = "$PORT";
    const BRACED: &str = "${PORT}";
    if text.starts_with(BRACED) {
        return Some(BRACED.len());
    }
    let after = text.strip_prefix(PLAIN)?;
    let is_longer = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!is_longer).then_some(PLAIN.len())
}

/// Enough of what only a shell understands to recognise it.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    let next = chars.next();
    match (first, next) {
        ('\n', _) => "a second line".to_owned(),
        ('$', Some('(' | '{')) => format!("${}", next.unwrap_or('(')),
        ('$', _) => {
            let name = text[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').take(32);
            format!("${}", name.collect::<String>())
        }
        ('&' | '|' | '>' | '<' | ';', Some(again)) if again == first => format!("{first}{first}"),
        _ => first.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn told(text: &str) -> String {
        match read(text) {
            Ok(line) => {
                let variables = line.variables.iter().map(|(name, value)| format!("{name}={value} "));
                let variables: String = variables.collect();
                let port = if line.wants_port { " [port]" } else { "" };
                let shell = line.of_a_shell.map_or_else(String::new, |what| format!(" [shell: {what}]"));
                format!("{variables}{}{port}{shell}", line.words.join("|"))
            }
            Err(why) => why.to_owned(),
        }
    }

    #[test]
    fn a_line_is_split_into_words_unless_only_a_shell_understands_it() {
        for (text, expected) in [
            ("node server.js", "node|server.js"),
            ("node 'a b.js' --port {port}", "node|a b.js|--port|{port}"),
            ("node -e \"a(); b > c\" 'x;y' *", "sh|-c|node -e \"a(); b > c\" 'x;y' * [shell: *]"),
            ("node -e 'a(); `b` $c' \"x;y\" a\\;b", "node|-e|a(); `b` $c|x;y|a;b"),
            ("A=1 B='x y' node s.js C=3", "A=1 B=x y node|s.js|C=3"),
            ("gunicorn -b 0.0.0.0:$PORT app", "gunicorn|-b|0.0.0.0:{port}|app [port]"),
            ("gunicorn -b \"0.0.0.0:${PORT}\" app", "gunicorn|-b|0.0.0.0:{port}|app [port]"),
            ("echo '$PORT' \\$PORT", "echo|$PORT|$PORT"),
            ("serve $PORTS", "sh|-c|serve $PORTS [shell: $PORTS]"),
            ("serve ${PORT:-80}", "sh|-c|serve ${PORT:-80} [port] [shell: ${]"),
            ("build && serve $PORT", "sh|-c|build && serve $PORT [port] [shell: &&]"),
            ("serve > log", "sh|-c|serve > log [shell: >]"),
            ("serve $(cat port)", "sh|-c|serve $(cat port) [shell: $(]"),
            ("serve \"$HOME\"", "sh|-c|serve \"$HOME\" [shell: $HOME]"),
            ("exec serve", "sh|-c|exec serve [shell: exec]"),
            ("BIND=:$PORT serve", "sh|-c|BIND=:$PORT serve [port] [shell: $PORT]"),
            ("serve a~b ~/c", "sh|-c|serve a~b ~/c [shell: ~]"),
            ("serve a#b # why", "sh|-c|serve a#b # why [shell: #]"),
            ("1A=2 x", "1A=2|x"),
            ("", "it names no program"),
            ("A=1", "it names no program"),
            ("node 'a", "a quote is not closed"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[$PORT{}'\"\\\\ a=é&#~]{0,20}") {
            told(&text);
        }
    }
}
