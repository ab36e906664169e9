//! The host file, ostler.yml: listeners, sites and applications with their host names, defaults and locks, limits.
//!
//! Text to validated values with the place of each. Whether a site's folder exists, or an address is free, is for those to
//! find out who use it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fastcgi::outside::{Outside, PoolEntry, ProgramEntry};
use super::limits::Limits;
use super::settings::Defaults;
use super::source::{Located, Note, Source};
use crate::base::address::Address;
use crate::rules::bindings::HostPattern;

mod application;
mod fast_cgi;
mod places;
mod reader;
mod server_config;

/// What an ostler.yml says. What it does not say is empty, and the limits have their defaults.
#[derive(Debug, Clone)]
pub(crate) struct HostFile {
    /// Where it lies; relative paths in it start there.
    pub(crate) folder: PathBuf,
    pub(crate) listen: Vec<Located<Address>>,
    pub(crate) sites: Vec<SiteEntry>,
    /// Everything goes to it; then there are no sites.
    pub(crate) application: Option<ApplicationEntry>,
    /// For every application of every site.
    pub(crate) defaults: Vec<(Box<str>, Located<String>)>,
    /// Settings that no site's own files may change.
    pub(crate) lock: Vec<Located<Box<str>>>,
    pub(crate) limits: Limits,
    /// A path, absolute if the file's is, or `-` for stdout.
    pub(crate) access_log: Option<Located<PathBuf>>,
    /// What stands in for programs of Windows.
    pub(crate) programs: Vec<ProgramEntry>,
    /// FastCGI pools of every site.
    pub(crate) fast_cgi: Vec<PoolEntry>,
    /// A `fcgiext.ini` for every site. Absolute if the file's path is.
    pub(crate) ini_file: Option<Located<PathBuf>>,
    /// Absolute: this file, if it is an `applicationHost.config`.
    pub(crate) server_file: Option<PathBuf>,
    /// Of the data plane; 0 means one for each core.
    pub(crate) threads: Option<Located<usize>>,
    /// What is to be said about it that keeps nothing from running.
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone)]
pub(crate) struct SiteEntry {
    /// By which a `fcgiext.ini` and programs know it: its `id` on IIS, else its position, 1 first.
    pub(crate) id: u32,
    /// Of a site of IIS.
    pub(crate) name: Option<Box<str>>,
    /// Absolute if the file's path is.
    pub(crate) root: Located<PathBuf>,
    /// At least one; no pattern stands at two sites.
    pub(crate) hosts: Vec<Located<HostPattern>>,
    /// For every application of this site, over the file's `defaults`.
    pub(crate) settings: Vec<(Box<str>, Located<String>)>,
    /// What serves all of it, instead of what its folder says.
    pub(crate) application: Option<ApplicationEntry>,
    /// FastCGI pools, in place of those of every site with the same key.
    pub(crate) fast_cgi: Vec<PoolEntry>,
    pub(crate) ini_file: Option<Located<PathBuf>>,
}

/// A program to run, and what is set for it.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationEntry {
    /// At least one word; the first is the program.
    pub(crate) command: Located<Vec<String>>,
    /// Where it is started. Absolute if the file's path is.
    pub(crate) directory: Located<PathBuf>,
    pub(crate) variables: Vec<(String, Located<String>)>,
    /// By the names of the table of settings.
    pub(crate) settings: Vec<(Box<str>, Located<String>)>,
}

impl HostFile {
    /// One that says nothing.
    fn empty(folder: &Path) -> HostFile {
        HostFile {
            folder: reader::or_here(folder).to_owned(),
            listen: Vec::new(),
            sites: Vec::new(),
            application: None,
            defaults: Vec::new(),
            lock: Vec::new(),
            limits: Limits::default(),
            access_log: None,
            programs: Vec::new(),
            fast_cgi: Vec::new(),
            ini_file: None,
            server_file: None,
            threads: None,
            notes: Vec::new(),
        }
    }

    /// What this file says to the applications of `site`.
    pub(crate) fn defaults_for(&self, site: &SiteEntry) -> Defaults {
        let settings = self.defaults.iter().chain(&site.settings).cloned().collect();
        Defaults { settings, lock: self.lock.clone() }
    }

    /// What this file says of FastCGI to a site; to its own folder if it names none.
    pub(crate) fn outside_of(&self, site: Option<&SiteEntry>) -> Outside {
        let own = site.map_or(&[][..], |site| site.fast_cgi.as_slice());
        let is_own = |pool: &PoolEntry| own.iter().any(|own| own.key.value == pool.key.value);
        let shared = self.fast_cgi.iter().filter(|pool| !is_own(pool));
        let ini_file = site.and_then(|site| site.ini_file.clone());
        Outside {
            site: site.map_or(1, |site| site.id),
            site_name: site.and_then(|site| site.name.clone()),
            programs: self.programs.clone(),
            pools: own.iter().chain(shared).cloned().collect(),
            ini_file: ini_file.or_else(|| self.ini_file.clone()),
            server_file: self.server_file.clone(),
            ..Outside::default()
        }
    }

    /// What this file says to the applications of its own folder, if it names no sites.
    pub(crate) fn defaults(&self) -> Defaults {
        Defaults { settings: self.defaults.clone(), lock: self.lock.clone() }
    }
}

const MOST_BYTES: u64 = 1024 * 1024;

/// Reads the file at `path`. Relative paths in it start at its folder.
///
/// # Errors
/// Every error, each with its place; after one of YAML itself, only that.
pub(crate) fn load(path: &Path) -> Result<HostFile, Vec<Note>> {
    let unreadable = |why: String| {
        let source = Source::File { path: path.into(), line: 1, column: 1 };
        vec![Note::error(source, format!("this file cannot be read: {why}"))]
    };
    let bytes = bytes(path).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    if server_config::is_xml(&text) { server_config::read(&text, path) } else { reader::read(&text, path) }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
