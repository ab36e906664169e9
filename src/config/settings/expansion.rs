//! `%NAME%` in the values of files: a variable of the host's environment, as Windows puts it in.

use super::Environment;

/// Puts the host's variables in for `%NAME%`, whatever the letter case; one that is not defined stays as it is written.
/// What is put in is not looked at again.
pub(in crate::config) fn expand(text: &str, environment: &Environment) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = reference(rest) {
        out.push_str(before);
        if let Some(value) = variable(name, environment) {
            out.push_str(value);
            rest = after;
        } else {
            // The closing sign may open the next name.
            let kept = before.len() + 1 + name.len();
            out.push_str(&rest[before.len()..kept]);
            rest = &rest[kept..];
        }
    }
    out.push_str(rest);
    out
}

/// The name in the first `%NAME%`, if there is one.
pub(in crate::config) fn unresolved(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((before, name, _)) = reference(rest) {
        if !name.is_empty() && !name.contains(char::is_whitespace) {
            return Some(name);
        }
        rest = &rest[before.len() + 1 + name.len()..];
    }
    None
}

/// What stands before, between and after the first two `%`.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('%')?;
    let (name, after) = rest.split_once('%')?;
    Some((before, name, after))
}

/// The host's variable of a name, in any letter case; the exact name first.
pub(in crate::config) fn variable<'a>(name: &str, environment: &'a Environment) -> Option<&'a str> {
    if name.is_empty() {
        return None;
    }
    let exact = environment.get(name);
    let value = exact.or_else(|| {
        environment.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{Environment, expand, unresolved};

    #[test]
    fn variables_are_put_in_and_unknown_ones_stay() {
        let pairs = [("HOME", "/h"), ("ProgramFiles(x86)", "/p"), ("A", "%HOME%"), ("E", "")];
        let environment: Environment =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (text, expanded) in [
            ("", ""),
            ("plain", "plain"),
            ("%HOME%\\logs", "/h\\logs"),
            ("%home%", "/h"),
            ("%programfiles(X86)%/node", "/p/node"),
            ("%NOPE%\\x", "%NOPE%\\x"),
            ("%NOPE%HOME%", "%NOPE/h"),
            ("100%%HOME%", "100%/h"),
            ("%A%", "%HOME%"),
            ("%E%x", "x"),
            ("50%", "50%"),
            ("é%HOME%é", "é/hé"),
        ] {
            assert_eq!(expand(text, &environment), expanded, "{text}");
        }
        assert_eq!(unresolved("a %X% b"), Some("X"));
        assert_eq!(unresolved("50% of 100% %%"), None);
    }
}
