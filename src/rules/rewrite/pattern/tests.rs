//! Patterns against tables, and the translation against an engine that is ECMAScript's own.

use proptest::prelude::*;

use super::*;

/// All groups, or None for no match.
fn captured(syntax: Syntax, pattern: &str, input: &str) -> Option<Vec<String>> {
    let pattern = Pattern::new(syntax, pattern, true).unwrap();
    let mut groups = Groups::default();
    let matched = pattern.capture(input, Origin::Plain, &mut groups).unwrap();
    assert_eq!(pattern.is_match(input), Ok(matched));
    matched.then(|| (0..groups.spans.len()).map(|group| groups.get(group).0.to_owned()).collect())
}

#[test]
fn regular_expressions_are_unanchored_and_know_no_case() {
    for (pattern, input, groups) in [
        ("(.*)", "a/b", Some(vec!["a/b", "a/b"])),
        ("(.*)", "a\nb", Some(vec!["a", "a"])),
        ("^(.*)$", "a\nb", None),
        ("^(.*)$", "\u{20ac}", Some(vec!["\u{20ac}", "\u{20ac}"])),
        (".*", "", Some(vec![""])),
        ("/*", "a//b", Some(vec![""])),
        ("/*", "//b", Some(vec!["//"])),
        ("api/*", "my/api", Some(vec!["api"])),
        ("api/*", "my/ap", None),
        ("api/*", "my/API/x", Some(vec!["API/"])),
        ("^$", "", Some(vec![""])),
        ("^$", "a", None),
        (r"^server.js\/debug[\/]?", "Server.js/debug/x", Some(vec!["Server.js/debug/"])),
        (r"^(server|.reference|node_modules)", ".reference/x", Some(vec![".reference", ".reference"])),
        ("(.php)($|/)", "a/x.php", Some(vec![".php", ".php", ""])),
        (r"^([\w\d\-]+)(/[\w\d\-]+)?(/[\w\d\-]+)?$", "a-b/c", Some(vec!["a-b/c", "a-b", "/c", ""])),
        (r"^([\S]+[.](html|js))$", "x y.js", None),
        (r"^([\S]+[.](html|js))$", "x/y.js", Some(vec!["x/y.js", "x/y.js", "js"])),
        (r"^(?!api/|assets/).*", "api/x", None),
        (r"^(?!api/|assets/).*", "apix", Some(vec!["apix"])),
        (r"[\w-.]+", "!a-b.c!", Some(vec!["a-b.c"])),
        (r"^a{,2}$", "a{,2}", Some(vec!["a{,2}"])),
        (r"(^|/)?x(/|$)*", "a/x", Some(vec!["/x", "/", ""])),
        (r"\d+", "\u{0663}", None),
        (r"\s", "\u{feff}", Some(vec!["\u{feff}"])),
        (r"\bb", "a\u{e4}b", Some(vec!["b"])),
        (r"a[^]b", "a\nb", Some(vec!["a\nb"])),
        (r"a[]|b", "ab", Some(vec!["b"])),
        (r"[[&&a]", "x&", Some(vec!["&"])),
        (r"\cJ\x41\u00e4\101", "\nA\u{e4}A", Some(vec!["\nA\u{e4}A"])),
        (r"^(?:(a)|b)\1c$", "bc", Some(vec!["bc", ""])),
        (r"^(a)\1$", "aA", Some(vec!["aA", "a"])),
        (r"(?<name>x)\k<name>", "axx", Some(vec!["xx", "x"])),
        (r"\<\-\/\@", "a<-/@", Some(vec!["<-/@"])),
    ] {
        let groups = groups.map(|groups| groups.into_iter().map(str::to_owned).collect());
        assert_eq!(captured(Syntax::EcmaScript, pattern, input), groups, "{pattern} on {input:?}");
    }
}

#[test]
fn wildcards_and_exact_patterns_take_all_of_the_input() {
    for (syntax, pattern, input, groups) in [
        (Syntax::Wildcard, "*", "a\nb", Some(vec!["a\nb", "a\nb"])),
        (Syntax::Wildcard, "api/*", "API/a/b", Some(vec!["API/a/b", "a/b"])),
        (Syntax::Wildcard, "api/*", "x/api/a", None),
        (Syntax::Wildcard, "a.b", "axb", None),
        (Syntax::Wildcard, "*/x*y", "a/b/x1y", Some(vec!["a/b/x1y", "a/b", "1"])),
        (Syntax::ExactMatch, "In", "iN", Some(vec!["iN"])),
        (Syntax::ExactMatch, "+", "+", Some(vec!["+"])),
        (Syntax::ExactMatch, ".*", "a", None),
        (Syntax::ExactMatch, "\u{c4}", "\u{e4}", Some(vec!["\u{e4}"])),
    ] {
        let groups = groups.map(|groups| groups.into_iter().map(str::to_owned).collect());
        assert_eq!(captured(syntax, pattern, input), groups, "{pattern} on {input:?}");
    }
    assert_eq!(Pattern::new(Syntax::ExactMatch, "In", false).unwrap().is_match("in"), Ok(false));
    assert_eq!(Pattern::new(Syntax::Wildcard, "In*", false).unwrap().is_match("inx"), Ok(false));
}

#[test]
fn wrong_patterns_are_refused_with_a_reason() {
    for (pattern, reason) in [
        ("(", "not closed"),
        (")", "closes nothing"),
        ("[a", "not closed"),
        ("*a", "repeats nothing"),
        ("a**", "repeats nothing"),
        ("a*+", "repeats nothing"),
        ("^*", "repeats nothing"),
        ("a{2,1}", "out of order"),
        ("[b-a]", "out of order"),
        ("(?i)a", "no group"),
        ("a\\", "backslash"),
        (r"\ud800", "surrogate"),
        ("a{100000}", "too large"),
        ("((a{1000}){1000}){1000}", ""),
    ] {
        let error = Pattern::new(Syntax::EcmaScript, pattern, true).err();
        assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{pattern}: {error:?}");
    }
    assert!(Pattern::new(Syntax::EcmaScript, &"(".repeat(10_000), true).is_err());
}

#[test]
fn a_pattern_without_end_gives_up_instead_of_matching_for_ever() {
    let pattern = Pattern::new(Syntax::EcmaScript, r"^(?:a|a(?=a)|aa)+b(?=c)", true).unwrap();
    let input = format!("{}!", "a".repeat(60));
    assert_eq!(pattern.is_match(&input), Err(GaveUp));
    let plain = Pattern::new(Syntax::EcmaScript, "^(a+)+$", true).unwrap();
    assert_eq!(plain.is_match(&input), Ok(false));
}

#[test]
fn groups_of_several_matches_are_counted_on() {
    let mut groups = Groups::default();
    for (pattern, input, origin) in [("(a)(b)", "xab", Origin::Raw), ("(c)", "c", Origin::Decoded)] {
        let pattern = Pattern::new(Syntax::EcmaScript, pattern, true).unwrap();
        assert!(pattern.capture(input, origin, &mut groups).unwrap());
    }
    let all: Vec<_> = (0..5).map(|group| groups.get(group)).collect();
    let (raw, decoded) = (Origin::Raw, Origin::Decoded);
    assert_eq!(all, [("ab", raw), ("a", raw), ("b", raw), ("c", decoded), ("", Origin::Plain)]);
}

/// Patterns of many forms, right and wrong, without what is known to differ: letters that fold across ASCII.
fn patterns() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        8 => "[abA0_/.\u{e4}\u{c4} -]",
        2 => r"\\[dDwWsSbB]",
        2 => r"\\[./$(){}\-<>tnrc@0]",
        2 => r"\[\^?[ab0._/-]{0,3}(\\[dwsDWSb./-])?[ab0._\-&\[]{0,2}\]",
        1 => Just("^".to_owned()),
        1 => Just("$".to_owned()),
        1 => "[{}\\]]",
        1 => r"\\(x41|u0062|cA|12|101|u00e4|x4)",
    ];
    atom.prop_recursive(3, 12, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| parts.concat());
        prop_oneof![
            4 => several.clone(),
            2 => (several.clone(), r"\((\?:|\?=|\?!)?").prop_map(|(inner, open)| format!("{open}{inner})")),
            2 => (inner.clone(), r"[*+?]\??|\{[0-2](,[2-3]?)?\}").prop_map(|(inner, times)| format!("{inner}{times}")),
            1 => (several.clone(), several).prop_map(|(one, other)| format!("{one}|{other}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is accepted matches the same text; group by group, as long as no group stands in a repetition.
    #[test]
    fn translated_patterns_match_as_ecmascript_does(
        pattern in patterns(),
        input in "[abAB01_/. \u{e4}\u{c4}\n{}-]{0,12}",
        ignore_case: bool,
    ) {
        let flags = if ignore_case { "i" } else { "" };
        let theirs = regress::Regex::with_flags(&pattern, flags);
        let ours = Pattern::new(Syntax::EcmaScript, &pattern, ignore_case);
        if let (Ok(_), Err(why)) = (&theirs, &ours) {
            // The other engine repeats word boundaries, which the standard does not.
            // Ours refuses to repeat the empty group.
            let known = why.contains("repeats nothing") || why.contains("Target of repeat");
            prop_assert!(known, "{} is refused: {}", pattern, why);
        }
        if let (Ok(theirs), Ok(ours)) = (theirs, ours) {
            let expected = theirs.find(&input);
            let mut groups = Groups::default();
            let matched = ours.capture(&input, Origin::Plain, &mut groups).unwrap();
            prop_assert_eq!(ours.is_match(&input).unwrap(), matched);
            prop_assert_eq!(matched, expected.is_some(), "{} on {:?}", pattern, input);
            if let Some(expected) = expected {
                prop_assert_eq!(groups.get(0).0, &input[expected.range()], "{} on {:?}", pattern, input);
                let repeats = [")*", ")+", ")?", "){"].iter().any(|repeat| pattern.contains(repeat));
                for group in 1..=ours.groups().min(if repeats { 0 } else { 9 }) {
                    let theirs = expected.group(group).map_or("", |range| &input[range]);
                    prop_assert_eq!(groups.get(group).0, theirs, "group {} of {} on {:?}", group, pattern, input);
                }
            }
        }
    }
}
