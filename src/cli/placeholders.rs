//! What stands in braces in a command and looks like a placeholder that it is not.

const PLACEHOLDERS: &[&str] = &["{port}", "{socket}"];

/// No placeholder is longer; a text in braces may be.
const LONGEST: usize = 8;

/// Every `{word}` of an argument that is a slip of the finger for a placeholder, with that one. What follows a `$` is
/// the shell's.
pub(super) fn mistaken(argument: &str) -> Vec<(&str, &'static str)> {
    let starts = argument.match_indices('{').filter(|(at, _)| !argument[..*at].ends_with('$'));
    let words = starts.filter_map(|(at, _)| Some(&argument[at..=at + argument[at..].find('}')?]));
    let near = |word: &str| PLACEHOLDERS.iter().copied().find(|known| is_near(word, known));
    words.filter_map(|word| Some((word, near(word)?))).collect()
}

/// Whether the same letters stand in both, whatever their case and order, or all but one of them in their order.
fn is_near(word: &str, known: &str) -> bool {
    if word == known || word.len() > LONGEST || !word.is_ascii() {
        return false;
    }
    let word = word.to_ascii_lowercase();
    let sorted = |text: &str| {
        let mut letters: Vec<u8> = text.bytes().collect();
        letters.sort_unstable();
        letters
    };
    let lacks_one = |long: &str, short: &str| {
        long.len() == short.len() + 1
            && (0..long.len()).any(|at| [&long[..at], &long[at + 1..]].concat() == short)
    };
    sorted(&word) == sorted(known) || lacks_one(known, &word) || lacks_one(&word, known)
}

#[cfg(test)]
mod tests {
    use super::mistaken;

    #[test]
    fn a_slip_of_the_finger_in_braces_is_told_and_other_braces_are_not() {
        for (argument, expected) in [
            ("{PORT}", &[("{PORT}", "{port}")][..]),
            ("--bind=0.0.0.0:{prot}", &[("{prot}", "{port}")]),
            ("{Socket}{por}{ports}", &[("{Socket}", "{socket}"), ("{por}", "{port}"), ("{ports}", "{port}")]),
            ("{port}{socket}", &[]),
            ("${PORT}", &[]),
            ("{host} {} { {é} {\"a\":1}", &[]),
        ] {
            assert_eq!(mistaken(argument), expected, "{argument}");
        }
    }
}
