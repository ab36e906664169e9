//! From the text of an ostler.yml to a [`HostFile`], with every error it holds.
//!
//! The YAML is read into a tree first, and the tree is walked by hand: an error does not hide the next one, and each is told
//! with its place and what is allowed there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_yaml::{Mapping, Value};

use super::places::{Place, Places};
use super::{HostFile, SiteEntry};
use crate::base::address::Address;
use crate::config::limits::Limits;
use crate::config::settings::check;
use crate::config::source::{Located, Note, Source};
use crate::rules::bindings::HostPattern;

pub(super) const KEYS: &[&str] = &[
    "listen",
    "sites",
    "application",
    "defaults",
    "lock",
    "limits",
    "accessLog",
    "threads",
    "programs",
    "fastCgi",
    "fcgiext",
];
pub(super) const SITE_KEYS: &[&str] = &["root", "host", "application", "settings", "fastCgi", "fcgiext"];

/// For those who write paths of Windows.
pub(super) const SINGLE_QUOTES: &str = r"in double quotes a backslash begins an escape; a path of Windows belongs in single quotes, as 'C:\PHP\php-cgi.exe'";

/// More threads, listeners or sites than anyone has.
const MOST_THREADS: u64 = 1024;
const MOST_ENTRIES: usize = 10_000;

/// # Errors
/// Every error, each with its place; after one of YAML itself, only that.
pub(super) fn read(text: &str, path: &Path) -> Result<HostFile, Vec<Note>> {
    let places = Places::of(text);
    let mut walk = Walk { file: path.into(), places, at: Vec::new(), errors: Vec::new() };
    let tree = match serde_yaml::from_str::<Value>(text) {
        Ok(tree) => tree,
        Err(error) => return Err(walk.not_yaml(&error)),
    };
    let host_file = walk.host_file(tree, path.parent().unwrap_or(Path::new("")));
    if walk.errors.is_empty() { Ok(host_file) } else { Err(walk.errors) }
}

type Settings = Vec<(Box<str>, Located<String>)>;

pub(super) struct Walk {
    file: Arc<Path>,
    places: Places,
    /// The way from the root to the value that is being read.
    at: Vec<String>,
    errors: Vec<Note>,
}

impl Walk {
    fn host_file(&mut self, tree: Value, folder: &Path) -> HostFile {
        let mut host_file = HostFile::empty(folder);
        let Some(mapping) = self.mapping(tree, "keys with values") else { return host_file };
        let mut application_place = None;
        self.each(mapping, |walk, key, value| {
            match key {
                "listen" => host_file.listen = walk.listen(value, folder),
                "sites" => host_file.sites = walk.sites(value, folder),
                "application" => {
                    application_place = Some(walk.key());
                    host_file.application = walk.application(value, or_here(folder));
                }
                "defaults" => host_file.defaults = walk.settings(value),
                "lock" => host_file.lock = walk.lock(value),
                "limits" => walk.limits(value, &mut host_file.limits),
                "accessLog" => host_file.access_log = walk.access_log(value, folder),
                "threads" => host_file.threads = walk.threads(value),
                "programs" => host_file.programs = walk.programs(value, &whole(folder)),
                "fastCgi" => host_file.fast_cgi = walk.pools(value, &whole(folder)),
                "fcgiext" => host_file.ini_file = walk.ini_file(value, &whole(folder)),
                _ => walk.unknown(key, KEYS),
            };
        });
        if let (Some(place), false) = (application_place, host_file.sites.is_empty()) {
            let what = "`application` is for every host, so there can be no `sites` beside it".to_owned();
            self.error_at(place, what, "in `sites`, each site may have an `application` of its own");
        }
        host_file
    }

    fn listen(&mut self, value: Value, folder: &Path) -> Vec<Located<Address>> {
        let mut found: Vec<Located<Address>> = Vec::new();
        self.items(value, |walk, item| {
            let Some(text) = walk.text(item, "an address: HOST:PORT, PORT or unix:/path") else { return };
            match text.parse::<Address>() {
                Ok(address) => {
                    let address = match address {
                        Address::Unix(path) => Address::Unix(folder.join(path)),
                        tcp @ Address::Tcp(_) => tcp,
                    };
                    let free = matches!(&address, Address::Tcp(tcp) if tcp.port() == 0);
                    match found.iter().find(|known| !free && known.value == address) {
                        Some(known) => {
                            let what = format!("`{text}` is listened on already, at {}", known.source);
                            walk.error(what, None);
                        }
                        None => found.push(Located::new(address, walk.here())),
                    }
                }
                Err(error) => walk.error(error.to_string(), None),
            }
        });
        found
    }

    fn sites(&mut self, value: Value, folder: &Path) -> Vec<SiteEntry> {
        let mut sites: Vec<SiteEntry> = Vec::new();
        if !matches!(value, Value::Null | Value::Sequence(_)) {
            self.error("`sites` is a list".to_owned(), Some("each site begins with `- root: FOLDER`"));
            return sites;
        }
        self.items(value, |walk, item| {
            let position = walk.at.last().and_then(|index| index.parse::<u32>().ok()).unwrap_or_default();
            if let Some(site) = walk.site(item, folder, &sites) {
                sites.push(SiteEntry { id: position + 1, ..site });
            }
        });
        sites
    }

    fn site(&mut self, value: Value, folder: &Path, others: &[SiteEntry]) -> Option<SiteEntry> {
        let place = self.here();
        let mapping =
            self.mapping(value, "a site: `root` or `application`, and perhaps `host` and `settings`")?;
        let (mut root, mut hosts, mut settings, mut said_root) = (None, Vec::new(), Vec::new(), false);
        let (mut application, mut fast_cgi, mut ini_file) = (None, Vec::new(), None);
        self.each(mapping, |walk, key, value| match key {
            "root" => {
                said_root = true;
                let text = walk.text(value, "the path of a folder");
                root = text.map(|text| Located::new(folder.join(text), walk.here()));
            }
            "host" => hosts = walk.hosts(value, others),
            "settings" => settings = walk.settings(value),
            "fastCgi" => fast_cgi = walk.pools(value, &whole(folder)),
            "fcgiext" => ini_file = walk.ini_file(value, &whole(folder)),
            // Its paths start at the root, which may stand below it.
            "application" => application = Some((walk.at.clone(), value)),
            _ => walk.unknown(key, SITE_KEYS),
        });
        if !said_root && application.is_some() {
            root = Some(Located::new(or_here(folder).to_owned(), place.clone()));
            said_root = true;
        }
        let application = application.and_then(|(at, value)| {
            let before = std::mem::replace(&mut self.at, at);
            let application = self.application(value, root.as_ref().map_or(folder, |root| &root.value));
            self.at = before;
            application
        });
        if hosts.is_empty() {
            let any = Located::new(HostPattern::Any, place.clone());
            hosts.extend(self.unless_taken(any, others));
        }
        if !said_root {
            let note = Note::error(place, "this site has no `root`");
            self.errors.push(
                note.with_help("`root` is the folder that holds the site; an `application` needs none"),
            );
        }
        Some(SiteEntry { id: 1, name: None, root: root?, hosts, settings, application, fast_cgi, ini_file })
    }

    fn hosts(&mut self, value: Value, others: &[SiteEntry]) -> Vec<Located<HostPattern>> {
        let mut hosts: Vec<Located<HostPattern>> = Vec::new();
        self.items(value, |walk, item| {
            let Some(text) = walk.text(item, "a host name") else { return };
            match HostPattern::parse(&text) {
                Ok(pattern) if hosts.iter().any(|known| known.value == pattern) => {}
                Ok(pattern) => hosts.extend(walk.unless_taken(Located::new(pattern, walk.here()), others)),
                Err(allowed) => walk.error(format!("`{text}` is not a host"), Some(allowed)),
            }
        });
        hosts
    }

    /// The pattern, unless it leads to another site already; then an error names both places.
    fn unless_taken(
        &mut self,
        pattern: Located<HostPattern>,
        others: &[SiteEntry],
    ) -> Option<Located<HostPattern>> {
        let mut taken = others.iter().flat_map(|site| &site.hosts);
        let Some(other) = taken.find(|other| other.value == pattern.value) else { return Some(pattern) };
        let what = format!("host `{}` leads to another site already, at {}", pattern.value, other.source);
        let note = Note::error(pattern.source, what);
        self.errors
            .push(note.with_help("a site without `host` is for `*`: every name that no other site has"));
        None
    }

    fn settings(&mut self, value: Value) -> Settings {
        let mut settings = Vec::new();
        let Some(mapping) = self.mapping(value, "settings, each with its value") else { return settings };
        self.each(mapping, |walk, key, value| {
            if value.is_null() {
                return;
            }
            let Some(text) = walk.text(value, "one value") else { return };
            match check(key, &text) {
                Ok(()) => settings.push((key.into(), Located::new(text, walk.here()))),
                Err((what, allowed)) => walk.error(what, Some(&allowed)),
            }
        });
        settings
    }

    fn lock(&mut self, value: Value) -> Vec<Located<Box<str>>> {
        let mut names = Vec::new();
        self.items(value, |walk, item| {
            let Some(name) = walk.text(item, "the name of a setting") else { return };
            match crate::config::settings::known(&name) {
                Ok(name) => names.push(Located::new(name.into(), walk.here())),
                Err((what, help)) => walk.error(what, Some(&help)),
            }
        });
        names
    }

    fn limits(&mut self, value: Value, limits: &mut Limits) {
        let Some(mapping) = self.mapping(value, "limits, each with its value") else { return };
        self.each(mapping, |walk, key, value| {
            if value.is_null() {
                return;
            }
            let Some(text) = walk.text(value, "one value") else { return };
            if let Err(error) = limits.set_value(key, &text) {
                walk.error(error.to_string(), None);
            }
        });
    }

    /// A path; `-` is stdout and stays as it is.
    fn access_log(&mut self, value: Value, folder: &Path) -> Option<Located<PathBuf>> {
        let text = self.text(value, "the path of a file, or - for the terminal")?;
        let path = if text == "-" { PathBuf::from(text) } else { folder.join(text) };
        Some(Located::new(path, self.here()))
    }

    fn threads(&mut self, value: Value) -> Option<Located<usize>> {
        if value.is_null() {
            return None;
        }
        let allowed = format!("a number from 0 (one for each core) to {MOST_THREADS}");
        match value.as_u64().filter(|threads| *threads <= MOST_THREADS) {
            Some(threads) => Some(Located::new(usize::try_from(threads).ok()?, self.here())),
            None => {
                self.error(
                    "`threads` is not such a number".to_owned(),
                    Some(&format!("allowed is {allowed}")),
                );
                None
            }
        }
    }

    /// A mapping; nothing counts as an empty one.
    pub(super) fn mapping(&mut self, value: Value, expected: &str) -> Option<Mapping> {
        match value {
            Value::Mapping(mapping) => Some(mapping),
            Value::Null => Some(Mapping::new()),
            _ => {
                self.error(format!("expected {expected}"), None);
                None
            }
        }
    }

    /// Calls `read` for each entry, with the way to it in place.
    pub(super) fn each(&mut self, mapping: Mapping, mut read: impl FnMut(&mut Walk, &str, Value)) {
        for (key, value) in mapping {
            let Some(key) = plain(&key) else {
                self.error("a key here is not a plain word".to_owned(), None);
                continue;
            };
            self.at.push(key.clone());
            read(self, &key, value);
            self.at.pop();
        }
    }

    /// Calls `read` for each item of a list, or for the one value that stands for a list of one.
    pub(super) fn items(&mut self, value: Value, mut read: impl FnMut(&mut Walk, Value)) {
        match value {
            Value::Null => {}
            Value::Sequence(items) => {
                if items.len() > MOST_ENTRIES {
                    self.error(format!("this list is longer than {MOST_ENTRIES}"), None);
                }
                for (index, item) in items.into_iter().take(MOST_ENTRIES).enumerate() {
                    self.at.push(index.to_string());
                    read(self, item);
                    self.at.pop();
                }
            }
            one => read(self, one),
        }
    }

    /// A scalar as text, as it would be written elsewhere.
    pub(super) fn text(&mut self, value: Value, expected: &str) -> Option<String> {
        let text = plain(&value);
        if text.is_none() {
            self.error(format!("expected {expected}"), None);
        }
        text
    }

    fn unknown(&mut self, key: &str, allowed: &[&str]) {
        let what = format!("there is no key `{key}` here");
        self.unknown_key(what, &format!("allowed are {}", allowed.join(", ")));
    }

    /// The same for a key that is known elsewhere.
    pub(super) fn unknown_key(&mut self, what: String, help: &str) {
        self.error_at(self.key(), what, help);
    }

    pub(super) fn error_at(&mut self, source: Source, what: String, help: &str) {
        self.errors.push(Note::error(source, what).with_help(help));
    }

    pub(super) fn error(&mut self, what: String, help: Option<&str>) {
        let note = Note::error(self.here(), what);
        self.errors.push(match help {
            Some(help) => note.with_help(help),
            None => note,
        });
    }

    /// The place of the value that is being read.
    pub(super) fn here(&self) -> Source {
        self.source(self.places.value(&self.at))
    }

    /// The place of the key that is being read.
    fn key(&self) -> Source {
        self.source(self.places.key(&self.at))
    }

    fn source(&self, (line, column): Place) -> Source {
        Source::File { path: self.file.clone(), line, column }
    }

    /// The library's own error. For a key that stands twice it knows no place, but we do.
    fn not_yaml(&self, error: &serde_yaml::Error) -> Vec<Note> {
        let text = error.to_string();
        if text.contains("duplicate entry") && !self.places.twice.is_empty() {
            let twice = |(path, place): &(Vec<String>, Place)| {
                let (line, _) = self.places.key(path);
                let name = path.last().map_or("", String::as_str);
                Note::error(self.source(*place), format!("`{name}` stands here and in line {line}"))
            };
            return self.places.twice.iter().map(twice).collect();
        }
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        let place = error.location().map_or((1, 1), |at| (number(at.line()), number(at.column())));
        let note = Note::error(self.source(place), format!("this is not YAML: {text}"));
        // What a `\P` or `\x` within quotes is called.
        let is_escape = ["escape character", "hexadecimal"].iter().any(|word| text.contains(word));
        vec![if is_escape { note.with_help(SINGLE_QUOTES) } else { note }]
    }
}

/// A folder from the root of the file system on: programs are started elsewhere, and files looked at from there.
fn whole(folder: &Path) -> PathBuf {
    let folder = or_here(folder);
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned())
}

/// The folder of a file that was named without one.
pub(super) fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(on) => Some(on.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
