//! `programs`, `fastCgi` and `fcgiext` of an ostler.yml: FastCGI as the host has it, whatever sites say.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::reader::{SINGLE_QUOTES, Walk, or_here};
use crate::base::address::Address;
use crate::config::fastcgi::outside::{PoolEntry, ProgramEntry};
use crate::config::fastcgi::table;
use crate::config::source::Located;
use crate::rules::mapping::Resource;

const RESOURCES: &[(&str, Resource)] = &[
    ("File", Resource::File),
    ("Directory", Resource::Directory),
    ("Either", Resource::Either),
    ("Unspecified", Resource::Unspecified),
];

impl Walk {
    /// Names and paths as they are written for Windows, each with a command of this system.
    pub(super) fn programs(&mut self, value: Value, folder: &Path) -> Vec<ProgramEntry> {
        let mut programs = Vec::new();
        let Some(mapping) = self.mapping(value, "programs, each with the command that stands in for it")
        else {
            return programs;
        };
        self.each(mapping, |walk, key, value| {
            let Some(command) = walk.command(value) else { return };
            walk.without_escapes(key);
            programs.push(ProgramEntry { written: key.into(), command, folder: or_here(folder).to_owned() });
        });
        programs
    }

    /// Pools, by the paths they serve or by the `scriptProcessor` they are about.
    pub(super) fn pools(&mut self, value: Value, folder: &Path) -> Vec<PoolEntry> {
        let mut pools = Vec::new();
        let Some(mapping) = self.mapping(value, "pools, each by a path such as `*.php` or a scriptProcessor")
        else {
            return pools;
        };
        self.each(mapping, |walk, key, value| pools.extend(walk.pool(key, value, or_here(folder))));
        pools
    }

    fn pool(&mut self, key: &str, value: Value, folder: &Path) -> Option<PoolEntry> {
        let place = self.here();
        self.without_escapes(key);
        let mapping = self.mapping(value, "a pool: `server` or `command`, and perhaps settings")?;
        let mut pool = PoolEntry {
            key: Located::new(key.trim().into(), place),
            values: Vec::new(),
            variables: Vec::new(),
            server: None,
            command: None,
            folder: folder.to_owned(),
            sends_files_below: Vec::new(),
            document_root: None,
            // Scripts are files; who serves paths that are none says so.
            resource: if key.trim_end().ends_with(['/', '*']) {
                Resource::Unspecified
            } else {
                Resource::Either
            },
        };
        let (mut said_server, mut said_command) = (false, false);
        self.each(mapping, |walk, key, value| match key {
            "server" => {
                said_server = true;
                pool.server = walk.server(value, folder);
            }
            "command" => {
                said_command = true;
                pool.command = walk.command(value);
            }
            "env" => pool.variables = walk.variables(value),
            "sendFilesBelow" => walk.items(value, |walk, item| {
                let text = walk.text(item, "the path of a folder");
                pool.sends_files_below.extend(text.map(|text| folder.join(text)));
            }),
            "documentRoot" => pool.document_root = walk.document_root(value).or(pool.document_root.take()),
            "resourceType" => pool.resource = walk.resource(value).unwrap_or(pool.resource),
            _ => walk.pool_setting(key, value, &mut pool),
        });
        if said_server && said_command {
            self.error(
                "`server` runs already, and `command` is to be run".to_owned(),
                Some("a pool has one of them"),
            );
        }
        if pool.path().is_some() && !said_server && !said_command {
            let what = format!("nothing says who serves `{}`", pool.key.value);
            self.error(
                what,
                Some("`server` is the address of one that runs, `command` is what the host runs"),
            );
        }
        Some(pool)
    }

    /// No program has a name with line ends or tabs: `\n` or `\t` of a path of Windows has become one.
    fn without_escapes(&mut self, key: &str) {
        if key.contains(char::is_control) {
            let what = format!("`{}` names no program", key.escape_debug());
            self.unknown_key(what, SINGLE_QUOTES);
        }
    }

    fn server(&mut self, value: Value, folder: &Path) -> Option<Located<Address>> {
        let text = self.text(value, "an address: unix:/path, HOST:PORT or PORT")?;
        match text.parse::<Address>() {
            Ok(Address::Unix(path)) => Some(Located::new(Address::Unix(folder.join(path)), self.here())),
            Ok(tcp) => Some(Located::new(tcp, self.here())),
            Err(error) => {
                self.error(error.to_string(), None);
                None
            }
        }
    }

    fn document_root(&mut self, value: Value) -> Option<Located<String>> {
        let text = self.text(value, "the root of the site as its programs see it")?;
        if !text.starts_with('/') {
            let help = "it is an absolute path where the programs run, such as /var/www/html";
            self.error(format!("`{text}` is not a value for `documentRoot`"), Some(help));
            return None;
        }
        Some(Located::new(text, self.here()))
    }

    fn resource(&mut self, value: Value) -> Option<Resource> {
        let text = self.text(value, "one value")?;
        let found = RESOURCES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
        if found.is_none() {
            let names: Vec<&str> = RESOURCES.iter().map(|(name, _)| *name).collect();
            let what = format!("`{text}` is not a value for `resourceType`");
            self.error(what, Some(&format!("allowed is {}", names.join(", "))));
        }
        found.map(|(_, resource)| *resource)
    }

    fn pool_setting(&mut self, key: &str, value: Value, pool: &mut PoolEntry) {
        const NOT_HERE: &[&str] = &["ignoreExistingFiles", "ignoreDirectories"];
        if value.is_null() {
            return;
        }
        let Some(text) = self.text(value, "one value") else { return };
        match table::check(key, &text) {
            Ok(name) if !NOT_HERE.contains(&name) => {
                let text = match name {
                    // Beside this file, not beside the program.
                    "monitorChangesTo" => pool.folder.join(text).to_string_lossy().into_owned(),
                    _ => text,
                };
                pool.values.push((name, Located::new(text, self.here())));
            }
            Err(Some((what, allowed))) => self.error(what, Some(&allowed)),
            Ok(_) | Err(None) => {
                let mut names =
                    vec!["server", "command", "env", "sendFilesBelow", "documentRoot", "resourceType"];
                names.extend(["stderrMode", "monitorChangesTo", "httpsOff", "localRedirect"]);
                names.extend(table::NUMBERS.iter().map(|number| number.name));
                let help = format!("there are {}", names.join(", "));
                self.unknown_key(format!("a pool has no setting `{key}`"), &help);
            }
        }
    }

    /// The path of a `fcgiext.ini`.
    pub(super) fn ini_file(&mut self, value: Value, folder: &Path) -> Option<Located<PathBuf>> {
        let text = self.text(value, "the path of a fcgiext.ini")?;
        Some(Located::new(folder.join(text), self.here()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::reader::read;
    use crate::config::fastcgi::outside::Outside;
    use crate::rules::mapping::Resource;

    fn outside(text: &str) -> Vec<Outside> {
        let file = read(text, Path::new("/h/ostler.yml")).unwrap();
        let sites = file.sites.iter().map(|site| file.outside_of(Some(site)));
        if file.sites.is_empty() { vec![file.outside_of(None)] } else { sites.collect() }
    }

    #[test]
    fn pools_and_programs_are_read_with_their_places() {
        let text = "\
programs:
  C:\\PHP\\php-cgi.exe: php-cgi8.2 -n
fcgiext: old/fcgiext.ini
fastCgi:
  \"*.php\":
    server: unix:php.sock
    maxInstances: 4
    monitorChangesTo: php.ini
    sendFilesBelow: [a, /b]
    env: {A: 1}
  \"*\":
    command: [python3, app.py]
    stderrMode: pass
";
        let all = outside(text);
        let [outside] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(outside.site, 1);
        assert_eq!(outside.ini_file.as_ref().unwrap().value, Path::new("/h/old/fcgiext.ini"));
        let program = &outside.programs[0];
        assert_eq!((&*program.written, program.command.value.len()), (r"C:\PHP\php-cgi.exe", 2));
        let [php, any] = outside.pools.as_slice() else { panic!("{:?}", outside.pools) };
        assert_eq!(php.server.as_ref().unwrap().value.to_string(), "unix:/h/php.sock");
        assert_eq!(php.values[0].1.source.to_string(), "/h/ostler.yml:7:19");
        assert_eq!(php.values[1].1.value, "/h/php.ini");
        assert_eq!(php.sends_files_below, [PathBuf::from("/h/a"), PathBuf::from("/b")]);
        assert_eq!((php.path(), php.resource), (Some("*.php"), Resource::Either));
        assert_eq!((any.path(), any.resource), (Some("*"), Resource::Unspecified));
        assert_eq!(any.command.as_ref().unwrap().value, ["python3", "app.py"]);
    }

    #[test]
    fn a_site_has_pools_of_its_own_over_those_of_all() {
        let text = "\
fastCgi: {\"*.php\": {command: php-cgi}}
sites:
- root: a
  host: a
  fastCgi: {\"*.php\": {server: 9000}}
- root: b
";
        let all = outside(text);
        let told: Vec<(u32, usize, bool)> = all
            .iter()
            .map(|outside| (outside.site, outside.pools.len(), outside.pools[0].server.is_some()))
            .collect();
        assert_eq!(told, [(1, 1, true), (2, 1, false)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("fastCgi: 1", "1:10: error: expected pools"),
            ("fastCgi:\n  '*.php': {}", "2:12: error: nothing says who serves `*.php`"),
            ("fastCgi:\n  '*.php':\n    server: here", "3:13: error: `here` is not an address"),
            ("fastCgi:\n  x:\n    maxInstances: -1", "3:19: error: `-1` is not a value for `maxInstances`"),
            ("fastCgi:\n  x:\n    maxInstance: 1", "3:5: error: a pool has no setting `maxInstance`"),
            ("fastCgi:\n  x:\n    ignoreDirectories: 1", "3:5: error: a pool has no setting"),
            ("fastCgi:\n  x:\n    documentRoot: y", "3:19: error: `y` is not a value for `documentRoot`"),
            ("fastCgi:\n  x:\n    resourceType: y", "3:19: error: `y` is not a value for `resourceType`"),
            ("fastCgi:\n  x:\n    server: 1\n    command: y", "2:3: error: `server` runs already"),
            ("programs:\n  x: ''", "2:6: error: this command is empty"),
        ] {
            let notes = read(text, Path::new("f")).unwrap_err();
            let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
            assert!(notes.len() == 1 && notes[0].starts_with(&format!("f:{told}")), "{text}: {notes:?}");
        }
    }
}
