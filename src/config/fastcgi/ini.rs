//! `fcgiext.ini`, with which IIS 5.1 and 6 were told of FastCGI: which pool is for which paths, and what each pool is.

use std::path::Path;

use super::ini_text::{Section, sections, variables};
use super::table;
use crate::config::settings::search::without_extension;
use crate::config::source::{Level, Located, Note, Source};
use crate::rules::mapping::{Mapped, Module, Resource};

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ini {
    types: Vec<Type>,
    pub(super) pools: Vec<IniPool>,
    /// What keeps pools of it from running.
    pub(crate) errors: Vec<Note>,
    /// The rest of what is to be said.
    pub(crate) warnings: Vec<Note>,
}

/// A line of `[Types]`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Type {
    /// Without a dot; None for any.
    extension: Option<Box<str>>,
    scope: Scope,
    pool: Located<Box<str>>,
}

/// Where a type holds, wider ones first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Everywhere,
    Site(u32),
    /// With the path of its URLs, without slashes at its ends.
    Application(u32, Box<str>),
}

/// A section that is a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IniPool {
    pub(super) name: Located<Box<str>>,
    /// `ExePath`; the name of the section where there is none.
    pub(super) path: Located<String>,
    pub(super) arguments: Option<Located<String>>,
    /// By the names of the table.
    pub(super) values: Vec<(&'static str, Located<String>)>,
    pub(super) variables: Vec<(String, Located<String>)>,
}

const TYPES: &str = "Types";
/// Settings that only the host's file has.
const NOT_HERE: &[&str] = &["httpsOff", "localRedirect", "responseHeadBytes"];
const MOST_BYTES: u64 = 1024 * 1024;

/// Reads the file at `path`; what is wrong is in [`Ini::errors`].
pub(crate) fn load(path: &Path) -> Ini {
    let read = || {
        let about = std::fs::metadata(path)?;
        if !about.is_file() || about.len() > MOST_BYTES {
            return Err(std::io::Error::other("it is no file of at most 1 MiB"));
        }
        std::fs::read(path)
    };
    match read() {
        Ok(bytes) => parse(&bytes, path),
        Err(error) => {
            let source = Source::File { path: path.into(), line: 1, column: 1 };
            let note = Note::error(source, format!("this file cannot be read: {error}"));
            Ini { types: Vec::new(), pools: Vec::new(), errors: vec![note], warnings: Vec::new() }
        }
    }
}

fn parse(bytes: &[u8], path: &Path) -> Ini {
    let (sections, mut notes) = sections(bytes, path);
    let is_types = |section: &&Section| section.name.value.eq_ignore_ascii_case(TYPES);
    let mut types = Vec::new();
    match sections.iter().find(is_types) {
        Some(section) => {
            for (key, pool) in &section.entries {
                match type_of(&key.value) {
                    Some((extension, scope)) => {
                        let pool = Located::new(pool.value.as_str().into(), pool.source.clone());
                        types.push(Type { extension, scope, pool });
                    }
                    None => notes.push(
                        Note::error(key.source.clone(), format!("`{}` is no type", key.value)).with_help(
                            "one is an extension or `*`, and perhaps `:` with the number of a site, or with \
                             /lm/w3svc/NUMBER/root/PATH",
                        ),
                    ),
                }
            }
        }
        None => {
            let source = Source::File { path: path.into(), line: 1, column: 1 };
            let note = Note::error(source, "there is no section [Types]");
            notes.push(note.with_help("it says which pool is for which paths, as in `php=PHP`"));
        }
    }
    let pools = sections.iter().filter(|section| !is_types(section));
    let mut pools: Vec<IniPool> = pools.map(|section| pool_of(section, &mut notes)).collect();
    for Type { pool, .. } in &types {
        if pools.iter().any(|known| known.name.value.eq_ignore_ascii_case(&pool.value)) {
            continue;
        }
        // The first versions had the path of the program here.
        if pool.value.contains(['\\', '/']) || without_extension(&pool.value) != &*pool.value {
            pools.push(IniPool {
                name: pool.clone(),
                path: Located::new(pool.value.to_string(), pool.source.clone()),
                arguments: None,
                values: Vec::new(),
                variables: Vec::new(),
            });
            continue;
        }
        let note = Note::error(pool.source.clone(), format!("there is no section [{}]", pool.value));
        notes.push(note.with_help("the section says which program the pool runs"));
    }
    // An exact extension before any, within each scope; narrower scopes first.
    types.sort_by(|one, other| {
        let depth = |scope: &Scope| match scope {
            Scope::Application(_, path) => path.len(),
            _ => 0,
        };
        let rank = |scope: &Scope| match scope {
            Scope::Application(..) => 0,
            Scope::Site(_) => 1,
            Scope::Everywhere => 2,
        };
        let key = |a_type: &Type| {
            (
                rank(&a_type.scope),
                std::cmp::Reverse(depth(&a_type.scope)),
                a_type.scope.clone(),
                a_type.extension.is_none(),
            )
        };
        key(one).cmp(&key(other))
    });
    let (errors, warnings) = notes.into_iter().partition(|note: &Note| note.level == Level::Error);
    Ini { types, pools, errors, warnings }
}

/// The extension and the scope of a key such as `php:1`.
fn type_of(key: &str) -> Option<(Option<Box<str>>, Scope)> {
    let (extension, place) = key.split_once(':').unwrap_or((key, ""));
    let extension = extension.trim().trim_start_matches('.');
    if extension.is_empty() || extension.contains(['/', '\\']) || extension != "*" && extension.contains('*')
    {
        return None;
    }
    let extension = (extension != "*").then(|| extension.into());
    let place = place.trim();
    let scope = if !key.contains(':') {
        Scope::Everywhere
    } else if let Ok(number) = place.parse() {
        Scope::Site(number)
    } else {
        const START: &str = "/lm/w3svc/";
        let (start, rest) = place.split_at_checked(START.len())?;
        let (number, rest) = rest.split_once('/')?;
        let (root, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !start.eq_ignore_ascii_case(START) || !root.eq_ignore_ascii_case("root") {
            return None;
        }
        Scope::Application(number.parse().ok()?, path.trim_matches('/').into())
    };
    Some((extension, scope))
}

fn pool_of(section: &Section, notes: &mut Vec<Note>) -> IniPool {
    let name = section.name.clone();
    let path = Located::new(name.value.to_string(), name.source.clone());
    let mut pool = IniPool { name, path, arguments: None, values: Vec::new(), variables: Vec::new() };
    for (key, value) in &section.entries {
        let is = |name: &str| key.value.eq_ignore_ascii_case(name);
        if is("ExePath") {
            pool.path = value.clone();
        } else if is("Arguments") {
            pool.arguments = Some(value.clone());
        } else if is("EnvironmentVars") {
            match variables(&value.value) {
                Ok(found) => {
                    let located = |(name, text)| (name, Located::new(text, value.source.clone()));
                    pool.variables = found.into_iter().map(located).collect();
                }
                Err(why) => {
                    let note = Note::error(value.source.clone(), format!("`EnvironmentVars`: {why}"));
                    notes.push(note.with_help(
                        "it looks like `Name:Value,Name:Value`; a `,` or `/` of a value is written `/,` or `//`",
                    ));
                }
            }
        } else if NOT_HERE.iter().any(|name| is(name)) {
            notes.push(unknown(key));
        } else {
            match table::check(&key.value, &value.value) {
                Ok(name) => pool.values.push((name, value.clone())),
                Err(Some((what, allowed))) => {
                    notes.push(Note::error(value.source.clone(), what).with_help(allowed));
                }
                Err(None) => notes.push(unknown(key)),
            }
        }
    }
    pool
}

fn unknown(key: &Located<Box<str>>) -> Note {
    let mut names =
        vec!["ExePath", "Arguments", "EnvironmentVars", "Protocol", "StderrMode", "MonitorChangesTo"];
    let others = table::SWITCHES.iter().copied().chain(table::NUMBERS.iter().map(|number| number.name));
    names.extend(others.filter(|name| !NOT_HERE.contains(name)));
    let note = Note::error(key.source.clone(), format!("a pool has no setting `{}`", key.value));
    note.with_help(format!("there are {}, in any case", names.join(", ")))
}

/// The `scriptProcessor` of a pool is its name in brackets.
fn bracketed(processor: &str) -> Option<&str> {
    processor.strip_prefix('[')?.strip_suffix(']')
}

/// Whether it is the `scriptProcessor` of a pool of such a file.
pub(super) fn names_pool(processor: &str) -> bool {
    bracketed(processor).is_some()
}

impl Ini {
    pub(super) fn pool(&self, processor: &str) -> Option<&IniPool> {
        let name = bracketed(processor)?;
        self.pools.iter().find(|pool| pool.name.value.eq_ignore_ascii_case(name))
    }

    /// Where a pool stands.
    pub(crate) fn place(&self, processor: &str) -> Option<&Source> {
        self.pool(processor).map(|pool| &pool.name.source)
    }

    /// The path of the program of a pool.
    pub(crate) fn program(&self, processor: &str) -> Option<&str> {
        self.pool(processor).map(|pool| pool.path.value.as_str())
    }

    /// The same with its arguments, as a `scriptProcessor` is written elsewhere.
    pub(super) fn whole(&self, processor: &str) -> Option<String> {
        let pool = self.pool(processor)?;
        let arguments = pool.arguments.as_ref().map_or("", |arguments| arguments.value.as_str());
        Some([pool.path.value.as_str(), arguments].join("|").trim_end_matches('|').to_owned())
    }

    /// The handlers of a site, first the one that is asked first; `site` is its number from 1.
    pub(crate) fn rows(&self, site: u32) -> Vec<Mapped> {
        let holds = |a_type: &&Type| match &a_type.scope {
            Scope::Everywhere => true,
            Scope::Site(number) | Scope::Application(number, _) => *number == site,
        };
        self.types.iter().filter(holds).flat_map(|a_type| self.rows_of(a_type)).collect()
    }

    fn rows_of(&self, a_type: &Type) -> Vec<Mapped> {
        let base: &str = match &a_type.scope {
            Scope::Application(_, path) => path,
            _ => "",
        };
        let processor = format!("[{}]", a_type.pool.value);
        let is_on = |name: &str| {
            let values = self.pool(&processor).into_iter().flat_map(|pool| &pool.values);
            let mut said = values.filter(|(known, _)| *known == name).map(|(_, value)| &value.value);
            said.next_back().is_some_and(|text| table::switch(name, text) == Ok(true))
        };
        let row = |path: &str, module: Module, resource: Resource| Mapped {
            name: format!("fcgiext.ini {path}").into(),
            path: path.into(),
            verbs: None,
            processor: (module == Module::FastCgi).then(|| processor.as_str().into()),
            module,
            base: base.into(),
            resource,
        };
        let Some(extension) = &a_type.extension else {
            let left = match (is_on("ignoreExistingFiles"), is_on("ignoreDirectories")) {
                (true, true) => Some(Resource::Either),
                (true, false) => Some(Resource::File),
                (false, true) => Some(Resource::Directory),
                (false, false) => None,
            };
            let left = left.map(|resource| row("*", Module::Static, resource));
            return left.into_iter().chain([row("*", Module::FastCgi, Resource::Unspecified)]).collect();
        };
        // Script maps verify that the file exists, unless somebody turned that off.
        vec![row(&format!("*.{extension}"), Module::FastCgi, Resource::File)]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Ini, parse};

    fn read(text: &str) -> Ini {
        parse(text.as_bytes(), Path::new("f"))
    }

    #[test]
    fn types_are_looked_up_from_the_narrowest_to_the_widest() {
        let ini = read(
            "[Types]\n*=F\nphp=E\n*:7=D\nphp:7=C\n*:/lm/w3svc/7/root/app=B\nPHP:/LM/W3SVC/7/ROOT/app=A\n\
             php:/lm/w3svc/7/root/app/deep=Z\nphp:8=Y\n[A]\nExePath=x\n[B]\nExePath=x\nIgnoreDirectories=1\n[C]\n[D]\n\
             [E]\n[F]\nIgnoreExistingFiles=1\nignoredirectories=1\n[Y]\n[Z]\n",
        );
        assert!(ini.errors.is_empty(), "{:?}", ini.errors);
        let rows = |site| {
            let rows = ini.rows(site);
            let told = rows.iter().map(|row| {
                let (base, path) = (&row.base, &row.path);
                let processor = row.processor.as_deref().unwrap_or("files");
                format!("{base}/{path} {processor} {:?}", row.resource)
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            rows(7),
            [
                "app/deep/*.php [Z] File",
                "app/*.PHP [A] File",
                "app/* files Directory",
                "app/* [B] Unspecified",
                "/*.php [C] File",
                "/* [D] Unspecified",
                "/*.php [E] File",
                "/* files Either",
                "/* [F] Unspecified",
            ]
        );
        assert_eq!(rows(1), ["/*.php [E] File", "/* files Either", "/* [F] Unspecified"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("[A]\nExePath=x", "f:1:1: error: there is no section [Types]"),
            ("[Types]\nphp=A\n[A]\nMaxInstance=1", "f:4:1: error: a pool has no setting `MaxInstance`"),
            ("[Types]\nphp=A\n[A]\nMaxInstances = 10001", "f:4:16: error: `10001` is not a value"),
            ("[Types]\nphp=A\n[A]\nStderrMode=7", "f:4:12: error: `7` is not a value for `stderrMode`"),
            ("[Types]\nphp=A\n[A]\nProtocol=Pipe", "f:4:10: error: `Pipe` is not a value for `protocol`"),
            ("[Types]\nphp=A\n[A]\nEnvironmentVars=A", "f:4:17: error: `EnvironmentVars`: `A` has no name"),
            ("[Types]\nphp=A", "f:2:5: error: there is no section [A]"),
            ("[Types]\nphp:x=A\n[A]\nExePath=x", "f:2:1: error: `php:x` is no type"),
            ("[Types]\n*p=A\n[A]\nExePath=x", "f:2:1: error: `*p` is no type"),
        ] {
            let errors: Vec<String> = read(text).errors.iter().map(ToString::to_string).collect();
            assert_eq!(errors.len(), 1, "{text}: {errors:?}");
            assert!(errors[0].starts_with(told) && errors[0].contains("; "), "{text}: {errors:?}");
        }
    }

    #[test]
    fn a_section_without_a_path_is_named_by_its_program() {
        let ini = read("[types]\nphp=C:\\PHP\\php-cgi.exe\npl=perl.exe\n[perl.exe]\nqueuelength=5\n");
        assert!(ini.errors.is_empty(), "{:?}", ini.errors);
        for (processor, path, values) in
            [("[c:\\php\\PHP-cgi.exe]", "C:\\PHP\\php-cgi.exe", 0), ("[perl.exe]", "perl.exe", 1)]
        {
            let pool = ini.pool(processor).unwrap();
            assert_eq!((pool.path.value.as_str(), pool.values.len()), (path, values));
        }
        assert!(ini.pool("perl.exe").is_none());
    }
}
