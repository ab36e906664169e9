//! Which host names lead to a site.

use std::fmt;

/// A host name, in lower case, or what stands for many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HostPattern {
    /// `name`
    Exact(Box<str>),
    /// `*.name`: any name that ends so, but not `name` itself. Holds the part from the dot on.
    Below(Box<str>),
    /// `*`
    Any,
}

impl HostPattern {
    /// Reads a pattern, in any letter case.
    ///
    /// # Errors
    /// What is allowed instead.
    pub(crate) fn parse(text: &str) -> Result<HostPattern, &'static str> {
        const FORM: &str =
            "a host is a name such as example.com, *.example.com for all below it, or * for every other";
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        if !text.is_ascii() {
            return Err("names outside of ASCII are written in their xn-- form");
        }
        if text.starts_with('[')
            && text.ends_with(']')
            && text[1..text.len() - 1].parse::<std::net::Ipv6Addr>().is_ok()
        {
            return Ok(HostPattern::Exact(text.into()));
        }
        if text.contains(':') {
            return Err("a host is a name without scheme and port; ports stand below `listen`");
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text.as_str()),
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(FORM);
        }
        Ok(if below {
            HostPattern::Below(format!(".{name}").into())
        } else {
            HostPattern::Exact(name.into())
        })
    }

    /// How well this leads from `host` (lower case, no port, no dot at its end): the greatest wins, None does not lead.
    pub(crate) fn fit(&self, host: &str) -> Option<usize> {
        match self {
            HostPattern::Exact(name) => (**name == *host).then_some(usize::MAX),
            HostPattern::Below(end) => {
                (host.len() > end.len() && host.ends_with(&**end)).then_some(end.len())
            }
            HostPattern::Any => Some(0),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Below(end) => write!(f, "*{end}"),
            HostPattern::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn patterns_are_names_with_a_star_in_front_at_most() {
        for (text, shown) in [
            ("Example.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("*.Example.com", Some("*.example.com")),
            ("*", Some("*")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("my_host", Some("my_host")),
            ("", None),
            ("*example.com", None),
            ("a.*.com", None),
            ("a..b", None),
            ("example.com:80", None),
            ("http://example.com", None),
            ("exämple.com", None),
            ("a b", None),
        ] {
            let read = HostPattern::parse(text).ok().map(|pattern| pattern.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn the_most_exact_pattern_wins() {
        let best = |host: &str| {
            ["*", "*.example.com", "*.a.example.com", "b.example.com"]
                .into_iter()
                .max_by_key(|text| HostPattern::parse(text).unwrap().fit(host))
        };
        for (host, pattern) in [
            ("b.example.com", "b.example.com"),
            ("c.example.com", "*.example.com"),
            ("x.a.example.com", "*.a.example.com"),
            ("example.com", "*"),
            ("notexample.com", "*"),
        ] {
            assert_eq!(best(host), Some(pattern), "{host}");
        }
    }
}
