//! Request filtering: what a site refuses before anything else looks at the request.

use super::path::SitePath;

/// Why a request is refused, with IIS's status and substatus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) substatus: u16,
    /// What was refused, for people: `the segment "bin" is hidden`.
    pub(crate) why: String,
}

/// `system.webServer/security/requestFiltering`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// In lower case.
    pub(crate) hidden_segments: Vec<Box<str>>,
    /// Of a declared length; 0 is no limit.
    pub(crate) max_content_bytes: u64,
    /// Of the path; 0 is no limit.
    pub(crate) max_url_bytes: usize,
    /// 0 is no limit.
    pub(crate) max_query_bytes: usize,
    /// Methods by name, and whether they are allowed.
    pub(crate) verbs: Vec<(Box<str>, bool)>,
    pub(crate) allow_unlisted_verbs: bool,
    /// File extensions with their dot, in lower case, and whether they are allowed; `.` for names without one.
    pub(crate) extensions: Vec<(Box<str>, bool)>,
    pub(crate) allow_unlisted_extensions: bool,
}

/// What IIS hides unless a site says otherwise.
const HIDDEN: &[&str] = &[
    "web.config",
    "bin",
    "app_code",
    "app_globalresources",
    "app_localresources",
    "app_webreferences",
    "app_data",
    "app_browsers",
];

/// Sources, projects and databases that IIS never sends. Endings only of its designers' own tools are left out.
const DENIED: &[&str] = &[
    ".asax",
    ".ascx",
    ".browser",
    ".compiled",
    ".config",
    ".cs",
    ".csproj",
    ".java",
    ".ldb",
    ".ldf",
    ".licx",
    ".master",
    ".mdb",
    ".mdf",
    ".resources",
    ".resx",
    ".sitemap",
    ".skin",
    ".vb",
    ".vbproj",
    ".webinfo",
];

/// The limits of an IIS that was not told otherwise.
impl Default for Filter {
    fn default() -> Filter {
        Filter {
            hidden_segments: HIDDEN.iter().map(|&name| name.into()).collect(),
            max_content_bytes: 30_000_000,
            max_url_bytes: 4096,
            max_query_bytes: 2048,
            verbs: Vec::new(),
            allow_unlisted_verbs: true,
            extensions: DENIED.iter().map(|&extension| (extension.into(), false)).collect(),
            allow_unlisted_extensions: true,
        }
    }
}

impl Filter {
    /// What of a request does not change when its URL is rewritten: method, declared length, length of URL and query.
    ///
    /// # Errors
    /// 404.6, 413.1, 404.14 or 404.15.
    pub(crate) fn admit_request(
        &self,
        method: &str,
        content_length: Option<u64>,
        url_bytes: usize,
        query_bytes: usize,
    ) -> Result<(), Refusal> {
        let listed = self.verbs.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
        if !listed.map_or(self.allow_unlisted_verbs, |(_, allowed)| *allowed) {
            return refuse(404, 6, format!("the method {method:?} is not allowed"));
        }
        let over = |length: u64, limit: u64| limit != 0 && length > limit;
        if let Some(length) = content_length.filter(|length| over(*length, self.max_content_bytes)) {
            let limit = self.max_content_bytes;
            return refuse(413, 1, format!("a body of {length} bytes is over the limit of {limit}"));
        }
        if over(url_bytes as u64, self.max_url_bytes as u64) {
            let limit = self.max_url_bytes;
            return refuse(404, 14, format!("a path of {url_bytes} bytes is over the limit of {limit}"));
        }
        if over(query_bytes as u64, self.max_query_bytes as u64) {
            let limit = self.max_query_bytes;
            return refuse(404, 15, format!("a query of {query_bytes} bytes is over the limit of {limit}"));
        }
        Ok(())
    }

    /// Hidden segments and extensions; asked for the URL as it came and as it was rewritten.
    ///
    /// # Errors
    /// 404.8 or 404.7.
    pub(crate) fn admit_path(&self, path: &SitePath) -> Result<(), Refusal> {
        if !self.hidden_segments.is_empty() {
            for name in path.names() {
                if position(name, self.hidden_segments.iter()).is_some() {
                    return refuse(404, 8, format!("the segment {name:?} is hidden"));
                }
            }
        }
        if self.extensions.is_empty() && self.allow_unlisted_extensions {
            return Ok(());
        }
        let last = path.as_str().rsplit('/').next().unwrap_or_default();
        let extension = last.rfind('.').map_or(".", |dot| &last[dot..]);
        let listed = position(extension, self.extensions.iter().map(|(listed, _)| listed));
        if !listed.map_or(self.allow_unlisted_extensions, |at| self.extensions[at].1) {
            let what = match extension {
                "." => "names without an extension are".to_owned(),
                _ => format!("the extension {extension:?} is"),
            };
            return refuse(404, 7, format!("{what} not allowed"));
        }
        Ok(())
    }
}

fn refuse(status: u16, substatus: u16, why: String) -> Result<(), Refusal> {
    Err(Refusal { status, substatus, why })
}

/// Where `text` stands in a list in lower case.
fn position<'l>(text: &str, mut list: impl Iterator<Item = &'l Box<str>>) -> Option<usize> {
    if text.is_ascii() {
        return list.position(|lower| lower.len() == text.len() && lower.eq_ignore_ascii_case(text));
    }
    let text = text.to_lowercase();
    list.position(|lower| **lower == *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_answer(filter: &Filter, path: &str) -> (u16, u16) {
        let path = SitePath::of_target(path.as_bytes()).unwrap().0;
        filter.admit_path(&path).map_or_else(|refusal| (refusal.status, refusal.substatus), |()| (200, 0))
    }

    fn request_answer(
        filter: &Filter,
        method: &str,
        length: Option<u64>,
        url: usize,
        query: usize,
    ) -> (u16, u16) {
        let answer = filter.admit_request(method, length, url, query);
        answer.map_or_else(|refusal| (refusal.status, refusal.substatus), |()| (200, 0))
    }

    #[test]
    fn hidden_segments_are_whole_names_at_any_depth_in_any_case() {
        let mut filter = Filter::default();
        filter.hidden_segments.push("geh\u{e4}us\u{e9}".into());
        for (path, answer) in [
            ("/", (200, 0)),
            ("/index.html", (200, 0)),
            ("/bin/www", (404, 8)),
            ("/a/BIN/x", (404, 8)),
            ("/a/bin", (404, 8)),
            ("/%62in", (404, 8)),
            ("/binary/x", (200, 0)),
            ("/a.bin", (200, 0)),
            ("/Web.Config", (404, 8)),
            ("/app_data/x", (404, 8)),
            ("/x/GEH\u{c4}US\u{c9}/y", (404, 8)),
        ] {
            assert_eq!(path_answer(&filter, path), answer, "{path}");
        }
        filter.hidden_segments.clear();
        assert_eq!(path_answer(&filter, "/bin/www"), (200, 0));
    }

    #[test]
    fn extensions_are_those_of_the_last_name() {
        let mut filter =
            Filter { extensions: vec![(".env".into(), false), (".js".into(), true)], ..Filter::default() };
        for (path, answer) in [
            ("/.env", (404, 7)),
            ("/a/.ENV", (404, 7)),
            ("/prod.env", (404, 7)),
            ("/x.env/y", (200, 0)),
            ("/a.environment", (200, 0)),
            ("/a.config", (200, 0)),
        ] {
            assert_eq!(path_answer(&filter, path), answer, "{path}");
        }
        filter.allow_unlisted_extensions = false;
        assert_eq!(path_answer(&filter, "/a.js"), (200, 0));
        assert_eq!(path_answer(&filter, "/a.css"), (404, 7));
        assert_eq!(path_answer(&filter, "/a"), (404, 7));
        filter.extensions.push((".".into(), true));
        assert_eq!(path_answer(&filter, "/a"), (200, 0));
        assert_eq!(path_answer(&filter, "/"), (200, 0));
        assert_eq!(path_answer(&Filter::default(), "/other.config"), (404, 7));
    }

    #[test]
    fn methods_and_lengths_are_refused_with_their_own_numbers() {
        let mut filter = Filter::default();
        for (method, length, url, query, answer) in [
            ("GET", None, 4096, 2048, (200, 0)),
            ("GET", None, 4097, 0, (404, 14)),
            ("GET", None, 1, 2049, (404, 15)),
            ("POST", Some(30_000_000), 1, 0, (200, 0)),
            ("POST", Some(30_000_001), 1, 0, (413, 1)),
            ("POST", None, 1, 0, (200, 0)),
            ("BREW", None, 1, 0, (200, 0)),
        ] {
            assert_eq!(
                request_answer(&filter, method, length, url, query),
                answer,
                "{method} {length:?} {url} {query}"
            );
        }
        filter.verbs = vec![("GET".into(), true), ("TRACE".into(), false)];
        assert_eq!(request_answer(&filter, "TRACE", None, 1, 0), (404, 6));
        assert_eq!(request_answer(&filter, "PUT", None, 1, 0), (200, 0));
        filter.allow_unlisted_verbs = false;
        assert_eq!(request_answer(&filter, "PUT", None, 1, 0), (404, 6));
        assert_eq!(request_answer(&filter, "GET", None, 1, 0), (200, 0));
        (filter.max_content_bytes, filter.max_url_bytes, filter.max_query_bytes) = (0, 0, 0);
        assert_eq!(request_answer(&filter, "GET", Some(u64::MAX), 1 << 20, 1 << 20), (200, 0));
    }
}
