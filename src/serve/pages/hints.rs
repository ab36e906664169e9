//! What the last words of a Node program usually mean, for the commonest of them.

/// By words of its stderr, the first that is found.
const HINTS: &[(&[u8], &str)] = &[
    (
        b"ERR_REQUIRE_ESM",
        "A CommonJS file loads an ES module with require(). Use import(), or a Node version that allows it (22.12 and \
         newer).",
    ),
    (
        b"Cannot use import statement outside a module",
        "The file is an ES module and Node reads it as CommonJS. Set \"type\": \"module\" in package.json, or name the \
         file .mjs.",
    ),
    (
        b"is not defined in ES module scope",
        "The file is CommonJS and Node reads it as an ES module. Name it .cjs, or take \"type\": \"module\" out of \
         package.json.",
    ),
    (
        b"Cannot find module",
        "A module is missing. Run `npm ci` or `npm install` in the folder of package.json; for a file of your own, \
         check the path and the case of its letters.",
    ),
    (
        b"ERR_MODULE_NOT_FOUND",
        "A module is missing. Run `npm ci` or `npm install` in the folder of package.json; an import of your own file \
         needs its extension.",
    ),
    (
        b"ERR_DLOPEN_FAILED",
        "A native module was built for another Node version or machine. Run `npm rebuild` with the Node version that \
         runs the site.",
    ),
    (
        b"EADDRINUSE",
        "The program listens on a port that is taken. Have it listen on process.env.PORT and on nothing else: several \
         workers cannot share a port that is written into the program.",
    ),
    (
        b"heap out of memory",
        "The program used up its memory. Raise it with --max-old-space-size in NODE_OPTIONS, or find the leak.",
    ),
];

pub(super) fn of(stderr: &[u8]) -> Option<&'static str> {
    let is_said = |words: &[u8]| memchr::memmem::find(stderr, words).is_some();
    HINTS.iter().find(|(words, _)| is_said(words)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_commonest_last_words_are_understood() {
        for (stderr, hint) in [
            ("Error: Cannot find module 'express'\nRequire stack:", Some("npm ci")),
            ("code: 'ERR_MODULE_NOT_FOUND'", Some("npm ci")),
            ("Error [ERR_REQUIRE_ESM]: require() of ES Module", Some("import()")),
            ("SyntaxError: Cannot use import statement outside a module", Some("\"module\"")),
            ("ReferenceError: require is not defined in ES module scope", Some(".cjs")),
            ("Error: listen EADDRINUSE: address already in use :::3000", Some("process.env.PORT")),
            ("FATAL ERROR: Reached heap limit - JavaScript heap out of memory", Some("memory")),
            ("code: 'ERR_DLOPEN_FAILED'", Some("npm rebuild")),
            ("oh dear", None),
            ("", None),
        ] {
            let found = of(stderr.as_bytes());
            assert_eq!(found.is_some(), hint.is_some(), "{stderr}");
            assert!(found.unwrap_or_default().contains(hint.unwrap_or_default()), "{stderr}");
        }
    }
}
