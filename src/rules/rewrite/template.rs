//! Text with `{R:1}`, `{C:1}`, variables, functions and maps in it.
//!
//! Where the pieces go decides how they are written: a sink takes each with its origin.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::pattern::Origin;
use super::text::RewriteMap;
use super::view::{Captured, Variable, View};

/// Functions within functions, deeper than anyone writes.
const MAX_DEPTH: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    MatchGroup(usize),
    ConditionGroup(usize),
    Variable(Variable),
    Function(Function, Template),
    Map(Arc<Map>, Template),
}

#[derive(Debug, Clone, Copy)]
enum Function {
    ToLower,
    UrlEncode,
    UrlDecode,
}

/// A rewrite map, its keys in lower case.
#[derive(Debug)]
struct Map {
    default: Box<str>,
    entries: HashMap<Box<str>, Box<str>>,
}

/// Takes the pieces of an expanded template.
pub(super) trait Sink {
    fn put(&mut self, text: &str, origin: Origin);
}

/// All pieces as they are, and the most delicate of their origins.
#[derive(Debug, Default)]
struct Plain {
    text: String,
    origin: Origin,
}

impl Sink for Plain {
    fn put(&mut self, text: &str, origin: Origin) {
        self.text.push_str(text);
        self.origin = self.origin.max(origin);
    }
}

impl Template {
    /// # Errors
    /// What is wrong, as a fragment of a sentence.
    pub(super) fn new(text: &str, maps: &[Arc<RewriteMap>]) -> Result<Template, String> {
        let mut rest = text;
        let template = parse(&mut rest, maps, 0)?;
        Ok(template)
    }

    pub(super) fn write(&self, view: &View<'_>, captured: &Captured, sink: &mut dyn Sink) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sink.put(text, Origin::Plain),
                Piece::MatchGroup(group) => {
                    let (text, origin) = captured.by_match.get(*group);
                    sink.put(text, origin);
                }
                Piece::ConditionGroup(group) => {
                    let (text, origin) = captured.by_conditions.get(*group);
                    sink.put(text, origin);
                }
                Piece::Variable(variable) => {
                    let (text, origin) = view.variable(variable);
                    sink.put(&text, origin);
                }
                Piece::Function(function, inner) => {
                    let (text, origin) = inner.text(view, captured);
                    match function {
                        Function::ToLower => sink.put(&text.to_lowercase(), origin),
                        Function::UrlEncode => {
                            sink.put(&utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string(), Origin::Raw);
                        }
                        Function::UrlDecode => {
                            sink.put(&percent_decode_str(&text).decode_utf8_lossy(), Origin::Decoded);
                        }
                    }
                }
                Piece::Map(map, key) => {
                    let (key, _) = key.text(view, captured);
                    sink.put(
                        map.entries.get(key.to_lowercase().as_str()).unwrap_or(&map.default),
                        Origin::Plain,
                    );
                }
            }
        }
    }

    /// Expanded as it is, and where it comes from.
    pub(super) fn text(&self, view: &View<'_>, captured: &Captured) -> (String, Origin) {
        let mut plain = Plain::default();
        self.write(view, captured, &mut plain);
        (plain.text, plain.origin)
    }

    /// The template is one variable and nothing else.
    pub(super) fn only_variable(&self) -> Option<&Variable> {
        match self.pieces.as_slice() {
            [Piece::Variable(variable)] => Some(variable),
            _ => None,
        }
    }

    /// The text of a template without braces.
    pub(super) fn only_text(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text it begins with, before any braces.
    pub(super) fn start(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// It asks for more than URL, query and disk.
    pub(super) fn reads_facts(&self) -> bool {
        self.any(&|piece| matches!(piece, Piece::Variable(Variable::Fact(_))))
    }

    /// The highest `{R:n}` and `{C:n}` in it.
    pub(super) fn highest_groups(&self) -> (Option<usize>, Option<usize>) {
        let (mut of_match, mut of_conditions) = (None, None);
        for piece in &self.pieces {
            let (one, other) = match piece {
                Piece::MatchGroup(group) => (Some(*group), None),
                Piece::ConditionGroup(group) => (None, Some(*group)),
                Piece::Function(_, inner) | Piece::Map(_, inner) => inner.highest_groups(),
                Piece::Text(_) | Piece::Variable(_) => (None, None),
            };
            of_match = of_match.max(one);
            of_conditions = of_conditions.max(other);
        }
        (of_match, of_conditions)
    }

    fn any(&self, wanted: &dyn Fn(&Piece) -> bool) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Function(_, inner) | Piece::Map(_, inner) => inner.any(wanted),
            piece => wanted(piece),
        })
    }
}

/// Up to the end, or within braces to the one that closes them, which stays.
fn parse(rest: &mut &str, maps: &[Arc<RewriteMap>], depth: usize) -> Result<Template, String> {
    if depth > MAX_DEPTH {
        return Err(format!("braces are nested more than {MAX_DEPTH} deep"));
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    while let Some(next) = rest.chars().next() {
        match next {
            '}' if depth > 0 => break,
            '{' if let Some((piece, after)) = braces(rest, maps, depth)? => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(piece);
                *rest = after;
            }
            _ => {
                text.push(next);
                *rest = &rest[next.len_utf8()..];
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(Template { pieces })
}

/// What an opening brace begins, and what follows it; None if it is not closed and so stands for itself.
fn braces<'t>(
    text: &'t str,
    maps: &[Arc<RewriteMap>],
    depth: usize,
) -> Result<Option<(Piece, &'t str)>, String> {
    // Doubled braces come from templates of other kinds and mean the same.
    let doubled = text.starts_with("{{");
    let inside = &text[1 + usize::from(doubled)..];
    let Some(end) = inside.find([':', '{', '}']) else { return Ok(None) };
    let (name, rest) = (inside[..end].trim(), &inside[end..]);
    let (piece, after) = if rest.starts_with('}') && !name.is_empty() {
        (Piece::Variable(Variable::named(name)), rest)
    } else if let Some(mut rest) = rest.strip_prefix(':') {
        let inner = parse(&mut rest, maps, depth + 1)?;
        if !rest.starts_with('}') {
            return Ok(None);
        }
        (call(name, inner, maps)?, rest)
    } else {
        return Ok(None);
    };
    let after = &after[1..];
    Ok(Some((piece, if doubled { after.strip_prefix('}').unwrap_or(after) } else { after })))
}

/// `{name:argument}`.
fn call(name: &str, argument: Template, maps: &[Arc<RewriteMap>]) -> Result<Piece, String> {
    let group = || {
        let number = argument.only_text().and_then(|text| text.trim().parse::<usize>().ok());
        number.ok_or_else(|| format!("`{{{name}:` is followed by no number of a group"))
    };
    if let Some(map) = maps.iter().find(|map| map.name.eq_ignore_ascii_case(name)) {
        let mut entries = HashMap::new();
        for (key, value) in &map.entries {
            // The first of several counts.
            entries.entry(key.to_lowercase().into()).or_insert_with(|| value.as_str().into());
        }
        return Ok(Piece::Map(Arc::new(Map { default: map.default.as_str().into(), entries }), argument));
    }
    Ok(match name.to_ascii_lowercase().as_str() {
        "r" => Piece::MatchGroup(group()?),
        "c" => Piece::ConditionGroup(group()?),
        "tolower" => Piece::Function(Function::ToLower, argument),
        "urlencode" => Piece::Function(Function::UrlEncode, argument),
        "urldecode" => Piece::Function(Function::UrlDecode, argument),
        _ => return Err(format!("there is no rewrite map and no function named `{name}`")),
    })
}
