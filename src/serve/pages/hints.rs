//! What the last words of a program usually mean, for the commonest of them.

use std::borrow::Cow;

use crate::failure::Manner;

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
        b"ModuleNotFoundError",
        "A module of Python is missing. Install it for the interpreter that the command names, or name the one of the \
         virtual environment.",
    ),
    (
        b"You must install or update .NET",
        "The runtime that the application was built for is not installed here. Install it, or publish the application \
         self-contained.",
    ),
    (b"UnsupportedClassVersionError", "The program was built for a newer Java than the one that runs it."),
    (
        b"heap out of memory",
        "The program used up its memory. Raise it with --max-old-space-size in NODE_OPTIONS, or find the leak.",
    ),
];

/// How programs say that they cannot listen: Node, then what C libraries, .NET and Java have for it.
const TAKEN: [&[u8]; 3] = [b"EADDRINUSE", b"ddress already in use", b"AddressInUseException"];

pub(super) fn of(stderr: &[u8], manner: Manner) -> Option<Cow<'static, str>> {
    let is_said = |words: &[u8]| memchr::memmem::find(stderr, words).is_some();
    if let Some((_, hint)) = HINTS.iter().find(|(words, _)| is_said(words)) {
        return Some(Cow::Borrowed(hint));
    }
    let port = match manner {
        Manner::Iisnode => "process.env.PORT",
        _ => manner.port_variable(),
    };
    TAKEN.iter().any(|words| is_said(words)).then(|| {
        Cow::Owned(format!(
            "The program listens on a port that is taken. Have it listen on {port} and on nothing else: several workers \
             cannot share a port that is written into the program."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::failure::Manner;

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
            ("ModuleNotFoundError: No module named 'flask'", Some("Python")),
            ("You must install or update .NET to run this application.", Some("self-contained")),
            ("java.lang.UnsupportedClassVersionError: Main", Some("Java")),
            ("OSError: [Errno 98] Address already in use", Some("process.env.PORT")),
            ("oh dear", None),
            ("", None),
        ] {
            let found = of(stderr.as_bytes(), Manner::Iisnode);
            assert_eq!(found.is_some(), hint.is_some(), "{stderr}");
            assert!(found.as_deref().unwrap_or_default().contains(hint.unwrap_or_default()), "{stderr}");
        }
    }

    #[test]
    fn a_port_that_is_taken_is_answered_with_the_variable_of_the_application() {
        for (manner, variable) in
            [(Manner::HttpPlatform, "HTTP_PLATFORM_PORT"), (Manner::AspNetCore, "ASPNETCORE_PORT")]
        {
            let hint =
                of(b"Failed to bind to address http://127.0.0.1:5000: address already in use.", manner);
            assert!(hint.is_some_and(|hint| hint.contains(variable)));
        }
    }
}
