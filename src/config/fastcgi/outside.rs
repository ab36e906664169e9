//! What is said of FastCGI outside of `web.config`: by the host's file, and by a `fcgiext.ini`.

use std::path::PathBuf;

use super::ini::Ini;
use crate::base::address::Address;
use crate::config::settings::Environment;
use crate::config::settings::expansion::expand;
use crate::config::settings::paths::forward;
use crate::config::settings::search::bare;
use crate::config::source::Located;
use crate::rules::mapping::Resource;

/// For one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    /// The root of the site, once that is known.
    pub(crate) root: PathBuf,
    /// The id of the site, from 1; 0 where nobody counts.
    pub(crate) site: u32,
    pub(crate) programs: Vec<ProgramEntry>,
    pub(crate) pools: Vec<PoolEntry>,
    /// A `fcgiext.ini` that is named; else the one in the root of the site.
    pub(crate) ini_file: Option<Located<PathBuf>>,
    /// What that file says, once it is read.
    pub(crate) ini: Option<Ini>,
    /// An `applicationHost.config`, whose pools and handlers every site has.
    pub(crate) server_file: Option<PathBuf>,
    /// By which that file knows the site.
    pub(crate) site_name: Option<Box<str>>,
}

/// Of `programs` in the host's file: what is run here in place of a program of Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramEntry {
    /// A name, a path, or a whole `scriptProcessor`, as it is written elsewhere.
    pub(crate) written: Box<str>,
    /// At least one word; the first is the program.
    pub(crate) command: Located<Vec<String>>,
    /// What a relative path of it starts at.
    pub(crate) folder: PathBuf,
}

/// Of `fastCgi` in the host's file: a pool, or what is different in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolEntry {
    /// A path with a star, as `*.php`; else a `scriptProcessor`, or the program of it.
    pub(crate) key: Located<Box<str>>,
    /// By the names of the table, each allowed.
    pub(crate) values: Vec<(&'static str, Located<String>)>,
    pub(crate) variables: Vec<(String, Located<String>)>,
    pub(crate) server: Option<Located<Address>>,
    /// At least one word; the first is the program.
    pub(crate) command: Option<Located<Vec<String>>>,
    /// What a relative program starts at.
    pub(crate) folder: PathBuf,
    /// Absolute if the file's path is.
    pub(crate) sends_files_below: Vec<PathBuf>,
    /// The root of the site as programs see it.
    pub(crate) document_root: Option<Located<String>>,
    pub(crate) resource: Resource,
}

impl PoolEntry {
    /// The path of handlers that it serves, if its key is one.
    pub(crate) fn path(&self) -> Option<&str> {
        let key = &*self.key.value;
        (key.contains('*') && !key.contains('|')).then(|| key.trim_start_matches('/'))
    }

    /// Whether it is about the pool of a `scriptProcessor`.
    pub(crate) fn is_about(&self, processor: &str) -> bool {
        is_same(&self.key.value, processor) || names(&self.key.value, processor)
    }
}

impl Outside {
    /// Whether `program` is what is run in place of the pool of `processor`.
    pub(crate) fn uses(&self, program: &ProgramEntry, processor: &str, environment: &Environment) -> bool {
        let named = self.ini.as_ref().and_then(|ini| ini.whole(processor));
        let named = expand(&named.unwrap_or_else(|| processor.to_owned()), environment);
        self.program(&named).is_some_and(|(known, _)| known.written == program.written)
    }

    /// What is run in place of `processor`, and whether its arguments are part of that.
    pub(super) fn program(&self, processor: &str) -> Option<(&ProgramEntry, bool)> {
        let find = |fits: &dyn Fn(&str) -> bool| self.programs.iter().find(|entry| fits(&entry.written));
        let whole = find(&|written| written.contains('|') && is_same(written, processor));
        whole.map(|entry| (entry, true)).or_else(|| {
            let (path, _) = parts(processor);
            let exact = find(&|written| is_same(written, path));
            exact.or_else(|| find(&|written| names(written, processor))).map(|entry| (entry, false))
        })
    }
}

/// The program and the arguments of a `scriptProcessor`.
pub(crate) fn parts(processor: &str) -> (&str, &str) {
    let (path, arguments) = processor.split_once('|').unwrap_or((processor, ""));
    (path.trim().trim_matches('"').trim(), arguments)
}

/// Whether two texts mean the same program with the same arguments: paths in any case, arguments exactly.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let ((path, arguments), (other_path, other_arguments)) = (parts(one), parts(other));
    arguments == other_arguments && forward(path).eq_ignore_ascii_case(&forward(other_path))
}

/// Whether `written`, a path or a name without arguments, is the program of `processor`.
fn names(written: &str, processor: &str) -> bool {
    let (path, _) = parts(processor);
    if written.contains('|') {
        return false;
    }
    if written.contains(['/', '\\']) {
        return is_same(written, path);
    }
    !bare(path).is_empty() && bare(written.trim()).eq_ignore_ascii_case(bare(path))
}

#[cfg(test)]
mod tests {
    use super::{is_same, names, parts};

    #[test]
    fn a_processor_is_a_program_and_what_follows_the_first_bar() {
        for (text, path, arguments) in [
            (r"C:\PHP\php-cgi.exe", r"C:\PHP\php-cgi.exe", ""),
            (r#""C:\P H\php-cgi.exe"|-d a=b|c"#, r"C:\P H\php-cgi.exe", "-d a=b|c"),
            (" php-cgi |", "php-cgi", ""),
            ("", "", ""),
        ] {
            assert_eq!(parts(text), (path, arguments), "{text}");
        }
        assert!(is_same(r"c:/php/PHP-CGI.exe|-x", r"C:\PHP\php-cgi.exe|-x"));
        assert!(!is_same(r"C:\PHP\php-cgi.exe|-X", r"C:\PHP\php-cgi.exe|-x"));
        for (written, processor, is_meant) in [
            ("php-cgi", r"C:\PHP\php-cgi.exe|-x", true),
            ("PHP-CGI.EXE", r"C:\PHP\php-cgi.exe", true),
            (r"C:\PHP\php-cgi.exe", r"c:\php\php-cgi.exe|-x", true),
            (r"D:\PHP\php-cgi.exe", r"C:\PHP\php-cgi.exe", false),
            ("php", r"C:\PHP\php-cgi.exe", false),
            ("", "", false),
        ] {
            assert_eq!(names(written, processor), is_meant, "{written}");
        }
    }
}
