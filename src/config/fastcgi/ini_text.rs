//! The text of a `fcgiext.ini`: lines to sections of entries, each with its place.

use std::path::Path;
use std::sync::Arc;

use crate::config::source::{Located, Note, Source};
use crate::config::xml;

/// A section; parts of the same name are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: Located<Box<str>>,
    /// Each name once: a later line has taken the place of an earlier one. With the place of the name, and of the value.
    pub(super) entries: Vec<(Located<Box<str>>, Located<String>)>,
}

/// Takes a file apart.
///
/// # Errors
/// Only in the notes: what is wrong is left out of the sections.
pub(super) fn sections(bytes: &[u8], path: &Path) -> (Vec<Section>, Vec<Note>) {
    let path: Arc<Path> = path.into();
    let at = |line: usize, column: usize| Source::File {
        path: path.clone(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    let text = match xml::decode(bytes) {
        Ok(text) => text,
        Err(bad) => {
            let source = Source::File { path: path.clone(), line: bad.line, column: bad.column };
            return (Vec::new(), vec![Note::error(source, bad.why).with_help(bad.help)]);
        }
    };
    let mut sections: Vec<Section> = Vec::new();
    let mut errors = Vec::new();
    // The section that lines belong to now.
    let mut open = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let content = line.trim();
        if content.is_empty() || line.starts_with(';') {
            continue;
        }
        let column = |part: &str| {
            let start = part.as_ptr() as usize - line.as_ptr() as usize;
            line.get(..start).map_or(1, |before| before.chars().count() + 1)
        };
        if let Some(name) = line.trim_end().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if name.trim().is_empty() || !name.is_ascii() || name.contains(['[', ']']) {
                let note = Note::error(at(number, 1), format!("`{}` cannot be the name of a section", name));
                errors.push(note.with_help("a name has ASCII characters, and blanks if need be"));
                open = None;
                continue;
            }
            let known = sections.iter().position(|section| section.name.value.eq_ignore_ascii_case(name));
            open = Some(known.unwrap_or_else(|| {
                let name = Located::new(name.into(), at(number, 1));
                sections.push(Section { name, entries: Vec::new() });
                sections.len() - 1
            }));
            continue;
        }
        let entry = content.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = entry.filter(|(name, value)| {
            !name.is_empty() && !value.is_empty() && !name.contains(char::is_whitespace)
        }) else {
            let what = "this line is no section, no comment and no `name = value`";
            let help = "a name has no blanks, a value is not empty, and comments begin with `;`";
            errors.push(Note::error(at(number, column(content)), what).with_help(help));
            continue;
        };
        let Some(section) = open.and_then(|open| sections.get_mut(open)) else {
            let what = format!("`{name}` stands before every section");
            let help = "the file begins with `[Types]`, or with the section of a pool";
            errors.push(Note::error(at(number, column(name)), what).with_help(help));
            continue;
        };
        section.entries.retain(|(known, _)| !known.value.eq_ignore_ascii_case(name));
        section.entries.push((
            Located::new(name.into(), at(number, column(name))),
            Located::new(value.to_owned(), at(number, column(value))),
        ));
    }
    (sections, errors)
}

/// The variables of `EnvironmentVars`: `Name:Value,Name:Value`, values in quotes if need be; `/` takes the meaning from a
/// `,` or `/` that follows.
///
/// # Errors
/// Which part of it is none.
pub(super) fn variables(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut parts: Vec<(Option<String>, String)> = Vec::new();
    let (mut name, mut part, mut quoted) = (None, String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '/' => part.push(chars.next_if(|next| matches!(next, ',' | '/')).unwrap_or('/')),
            ':' | '=' if name.is_none() => name = Some(std::mem::take(&mut part)),
            ',' if !quoted => parts.push((name.take(), std::mem::take(&mut part))),
            c => part.push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    parts.push((name, part));
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in parts {
        let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let Some(name) = name.filter(|name| !name.contains(['\0', '='])) else {
            return Err(format!("`{}` has no name before a `:`", value.trim()));
        };
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value.trim().to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{sections, variables};

    #[test]
    fn lines_are_read_as_the_grammar_has_them() {
        for (text, read, wrong) in [
            ("", "", ""),
            (" \t\r\n;x\n;[a]\n", "", ""),
            ("[Types]\nphp=PHP\n", "Types{php=PHP}", ""),
            ("\u{feff}[Types]\r\n  php =  A Pool \r\n", "Types{php=A Pool}", ""),
            ("[a b]\nx=1\n[c]\ny=2\n[A B]\nX=3", "a b{X=3} c{y=2}", ""),
            ("[a]\nx=a=b;c", "a{x=a=b;c}", ""),
            ("[a]\n ;x=1", "a{;x=1}", ""),
            ("x=1\n[a]\ny=2", "a{y=2}", "1:1"),
            ("[a]\nx=\n=1\nx\nb c=1\n[a]x\n", "a{}", "2:1 3:1 4:1 5:1 6:1"),
            (" [a]\nx=1", "", "1:2 2:1"),
            ("[a]\n[]\nx=1\n[\u{e4}]\n", "a{}", "2:1 3:1 4:1"),
        ] {
            let (found, errors) = sections(text.as_bytes(), Path::new("f"));
            let shown: Vec<String> = found
                .iter()
                .map(|section| {
                    let entries =
                        section.entries.iter().map(|(name, value)| format!("{}={}", name.value, value.value));
                    format!("{}{{{}}}", section.name.value, entries.collect::<Vec<_>>().join(" "))
                })
                .collect();
            let places: Vec<String> =
                errors.iter().map(|note| note.source.to_string().replace("f:", "")).collect();
            assert_eq!((shown.join(" "), places.join(" ")), (read.to_owned(), wrong.to_owned()), "{text:?}");
            assert!(errors.iter().all(|note| note.help.is_some()), "{text:?}");
        }
    }

    #[test]
    fn variables_are_divided_by_commas_and_slashes_take_meaning_away() {
        for (text, read) in [
            ("A:1", Some(&[("A", "1")][..])),
            ("A:1,B:2", Some(&[("A", "1"), ("B", "2")])),
            (r#"A:"1/,2/,3",B:x y"#, Some(&[("A", "1,2,3"), ("B", "x y")])),
            ("PHPRC:C://PHP", Some(&[("PHPRC", "C:/PHP")])),
            (r"PHPRC:C:\PHP\", Some(&[("PHPRC", r"C:\PHP\")])),
            ("A:a/b", Some(&[("A", "a/b")])),
            ("A=1, B = 2:3=4", Some(&[("A", "1"), ("B", "2:3=4")])),
            (r#"A:"1,2""#, Some(&[("A", "1,2")])),
            ("A:1,A:2", Some(&[("A", "2")])),
            ("A:", Some(&[("A", "")])),
            ("A", None),
            ("A:1,", None),
            (":1", None),
            (r#"A:"1"#, None),
        ] {
            let found = variables(text).ok();
            let found: Option<Vec<(&str, &str)>> =
                found.as_ref().map(|all| all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect());
            assert_eq!(found.as_deref(), read, "{text}");
        }
    }
}
