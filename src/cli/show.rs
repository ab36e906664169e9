//! A note as a person reads it: its place and sentence, the line of the file it is about, and what helps.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level as Mark, Renderer, Snippet};

use crate::config::source::{Level, Note, Source};
use crate::config::xml;

/// Longer files are named, not shown.
const MAX_BYTES: u64 = 1024 * 1024;

/// One line as editors and programs look for it, `FILE:LINE:COLUMN: level: what`; then the line of the file, with a mark
/// below what the note is about, and what helps.
pub(super) fn note(note: &Note) -> String {
    let (level, mark) = match note.level {
        Level::Error => ("error", Mark::ERROR),
        Level::Warning => ("warning", Mark::WARNING),
    };
    let mut text = format!("{}: {level}: {}\n", place(&note.source), note.what);
    let shown = match &note.source {
        Source::File { path, line, column } => snippet(path, *line, *column, mark, note.help.as_deref()),
        _ => None,
    };
    match (shown, &note.help) {
        (Some(shown), _) => text.push_str(&format!("{shown}\n")),
        (None, Some(help)) => text.push_str(&format!("  = help: {help}\n")),
        (None, None) => {}
    }
    text.push('\n');
    text
}

/// Where something is written; a file below the current folder is named from there.
pub(super) fn place(source: &Source) -> String {
    let Source::File { path, line, column } = source else { return source.to_string() };
    let here = std::env::current_dir().ok();
    let near = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    format!("{}:{line}:{column}", near.unwrap_or(path).display())
}

fn snippet(path: &Path, line: u32, column: u32, mark: Mark<'_>, help: Option<&str>) -> Option<String> {
    let text = text(path)?;
    let text = text.lines().nth(line.checked_sub(1)? as usize)?;
    let start = text.char_indices().nth(column.saturating_sub(1) as usize).map_or(text.len(), |(at, _)| at);
    let rest = &text[start..];
    // A tag is marked with its bracket.
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end =
        rest[first..].find([' ', '\t', '=', '>', ':', '/', '"']).map_or(text.len(), |at| start + first + at);
    let annotation = AnnotationKind::Primary.span(start..end);
    let snippet = Snippet::source(text).line_start(line as usize).annotation(annotation);
    let group = Group::with_level(mark).element(snippet);
    let group = match help {
        Some(help) => group.element(Mark::HELP.message(help)),
        None => group,
    };
    Some(Renderer::plain().render(&[group]))
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_BYTES {
        return None;
    }
    // A file that is no text in whole is shown as far as it is text.
    Some(xml::decode(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_shows_its_line_its_mark_and_its_help_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.config");
        std::fs::write(&path, "\u{feff}<a>\n  <iisnode tea=\"1\"/>\n").unwrap();
        let source = Source::File { path: path.as_path().into(), line: 2, column: 12 };
        let shown = note(&Note::error(source, "there is no setting `tea`").with_help("have coffee"));
        let expected = format!(
            "{}:2:12: error: there is no setting `tea`\n  |\n2 |   <iisnode tea=\"1\"/>\n  |            ^^^\n  |\n  = help: have coffee\n\n",
            path.display()
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_note_without_a_file_is_told_all_the_same() {
        let source = Source::Environment("IISNODE_X".into());
        let shown = note(&Note::warning(source, "nobody reads this").with_help("unset it"));
        assert_eq!(
            shown,
            "environment variable IISNODE_X: warning: nobody reads this\n  = help: unset it\n\n"
        );
    }
}
