//! An `applicationHost.config` in place of an ostler.yml: the sites of IIS whose folders are here, and where its FastCGI
//! pools and handlers are read from. The rest of it is about IIS.

use std::path::{Path, PathBuf};

use super::{HostFile, SiteEntry};
use crate::config::settings::paths::{forward, is_windows_absolute};
use crate::config::source::{Level, Located, Note, Source};
use crate::config::xml::{self, Element};
use crate::rules::bindings::HostPattern;

const TO_MAP: &str = "let `physicalPath` name the folder that has its files here (a relative one starts at the folder of \
    this file), or give --config an ostler.yml whose `sites` have a `root` and a `host` each";
const BY_NAME: &str = "sites are told apart by the host names of their bindings, not by addresses and ports";

/// Whether the text of a host file is one of IIS.
pub(super) fn is_xml(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('<')
}

/// # Errors
/// It is no XML, or not that of a server, or none of its sites is here.
pub(super) fn read(text: &str, path: &Path) -> Result<HostFile, Vec<Note>> {
    let file = path.into();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = xml::parse(text, &file).map_err(|bad| {
        let source = Source::File { path: file.clone(), line: bad.line, column: bad.column };
        vec![Note::error(source, format!("this is not well-formed XML: {}", bad.why)).with_help(bad.help)]
    })?;
    if !root.name.eq_ignore_ascii_case("configuration") {
        let what = format!("the root element is `{}`", root.name);
        let help = "a host file is YAML, or an applicationHost.config with the root element configuration";
        return Err(vec![Note::error(root.source, what).with_help(help)]);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut host_file = HostFile::empty(folder);
    // Absolute: sites read it again from wherever the host stands.
    host_file.server_file = Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let hosts = below(&root, "system.applicationHost");
    let sites = hosts.flat_map(|host| below(host, "sites")).flat_map(|sites| below(sites, "site"));
    let sites: Vec<&Element> = sites.collect();
    let mut left_out = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        match site_of(site, index, folder, &mut host_file) {
            Ok(entry) => host_file.sites.push(entry),
            Err(note) => left_out.push(note),
        }
    }
    if let (true, Some(first)) = (host_file.sites.is_empty(), sites.first()) {
        let all = Note::error(first.source.clone(), "no site of this file can be served here");
        let each = left_out.into_iter().map(|note| Note { level: Level::Error, help: None, ..note });
        return Err([all.with_help(TO_MAP)].into_iter().chain(each).collect());
    }
    host_file.notes.extend(left_out);
    host_file.notes.extend(of_nobody(&root, &sites));
    host_file.notes.sort_by_key(|note| match note.source {
        Source::File { line, column, .. } => (line, column),
        _ => (0, 0),
    });
    Ok(host_file)
}

fn below<'e>(element: &'e Element, name: &'static str) -> impl Iterator<Item = &'e Element> {
    element.children.iter().filter(move |child| child.name.eq_ignore_ascii_case(name))
}

/// For people, and for `location`.
fn name_of(site: &Element) -> &str {
    site.value("name").or_else(|| site.value("id")).unwrap_or_default()
}

/// # Errors
/// Why it is left out.
fn site_of(site: &Element, index: usize, folder: &Path, host_file: &mut HostFile) -> Result<SiteEntry, Note> {
    let left_out = |source: Source, why: &str| {
        Note::warning(source, format!("the site `{}` is left out: {why}", name_of(site)))
    };
    let Some(physical) = root_of(site) else {
        return Err(left_out(site.source.clone(), "nothing says where its files are").with_help(TO_MAP));
    };
    let Some(root) = here(&physical.value, folder) else {
        let why = format!("`{}` is a folder of Windows", physical.value);
        return Err(left_out(physical.source, &why).with_help(TO_MAP));
    };
    if !root.is_dir() {
        let why = format!("there is no folder {}", root.display());
        return Err(left_out(physical.source, &why).with_help(TO_MAP));
    }
    let named = hosts_of(site);
    if named.is_empty() {
        let why = "it has no binding for HTTP";
        let help = "bindingInformation=\"*:80:shop.example.com\" of a binding makes it a site for that name";
        return Err(left_out(site.source.clone(), why).with_help(help));
    }
    let mut hosts: Vec<Located<HostPattern>> = Vec::new();
    let mut taken = Vec::new();
    for host in named {
        let mut known = host_file.sites.iter().flat_map(|other| &other.hosts);
        match known.find(|known| known.value == host.value) {
            None => hosts.push(host),
            Some(other) => {
                let what =
                    format!("host `{}` leads to another site already, at {}", host.value, other.source);
                taken.push(Note::warning(host.source, what).with_help(BY_NAME));
            }
        }
    }
    if let (true, Some(note)) = (hosts.is_empty(), taken.first()) {
        return Err(left_out(note.source.clone(), &note.what).with_help(BY_NAME));
    }
    host_file.notes.extend(taken);
    host_file.notes.extend(elsewhere(site, &root, folder));
    let position = u32::try_from(index + 1).unwrap_or(u32::MAX);
    Ok(SiteEntry {
        id: site.value("id").and_then(|id| id.trim().parse().ok()).unwrap_or(position),
        name: Some(name_of(site).into()),
        root: Located::new(root, physical.source),
        hosts,
        settings: Vec::new(),
        application: None,
        fast_cgi: Vec::new(),
        ini_file: None,
    })
}

/// A folder that is named, seen from here; None if it is one of Windows.
fn here(physical: &str, folder: &Path) -> Option<PathBuf> {
    let physical = physical.trim();
    // Variables of Windows lead to its drives.
    let is_of_windows = is_windows_absolute(physical) || physical.starts_with('%');
    (!is_of_windows).then(|| folder.join(forward(physical)))
}

/// Where the files of a site lie.
fn root_of(site: &Element) -> Option<Located<String>> {
    let is_root = |element: &&Element| element.value("path") == Some("/");
    let application = below(site, "application").find(is_root)?;
    let directory = below(application, "virtualDirectory").find(is_root)?;
    let path = directory.value("physicalPath").filter(|path| !path.trim().is_empty())?;
    Some(Located::new(path.to_owned(), directory.place("physicalPath")))
}

/// A word for every further application and virtual directory of a site that is not the folder of its path below the root:
/// only those are served.
fn elsewhere(site: &Element, root: &Path, folder: &Path) -> Vec<Note> {
    let mut notes = Vec::new();
    for application in below(site, "application") {
        for directory in below(application, "virtualDirectory") {
            let [above, path] = [application, directory]
                .map(|element| element.value("path").unwrap_or_default().trim_matches('/'));
            let url = [above, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            let physical = directory.value("physicalPath").unwrap_or_default();
            let expected = root.join(&url);
            // URLs find folders in any case.
            let lower = |path: &Path| path.to_string_lossy().to_lowercase();
            let is_there = |there: PathBuf| {
                lower(&there) == lower(&expected)
                    || matches!((there.canonicalize(), expected.canonicalize()), (Ok(one), Ok(other)) if one == other)
            };
            if url.is_empty() || here(physical, folder).is_some_and(is_there) {
                continue;
            }
            let what = format!(
                "`/{url}` of the site `{}` is not served from `{physical}`: a site has one folder here",
                name_of(site)
            );
            let help = format!(
                "put its files into {} (a link out of the root is not followed) and let `physicalPath` name that",
                expected.display()
            );
            notes.push(Note::warning(directory.place("physicalPath"), what).with_help(help));
        }
    }
    notes
}

/// A word for every `location` whose path begins with the name of no site.
fn of_nobody(root: &Element, sites: &[&Element]) -> Vec<Note> {
    let mut notes = Vec::new();
    for location in below(root, "location") {
        let path = location.value("path").unwrap_or_default().trim();
        let name = path.split(['/', '\\']).next().unwrap_or_default();
        let is_known = |site: &&Element| name_of(site).eq_ignore_ascii_case(name);
        if !matches!(name, "" | ".") && !sites.iter().any(is_known) {
            let what = format!("no site of this file has the name `{name}`; this is left out");
            notes.push(Note::warning(location.place("path"), what));
        }
    }
    notes
}

/// The names of its bindings, each once; `*` for one without a name.
fn hosts_of(site: &Element) -> Vec<Located<HostPattern>> {
    let mut hosts: Vec<Located<HostPattern>> = Vec::new();
    for binding in below(site, "bindings").flat_map(|bindings| below(bindings, "binding")) {
        let protocol = binding.value("protocol").unwrap_or("http").to_ascii_lowercase();
        let name = binding.value("bindingInformation").and_then(|text| text.rsplit(':').next());
        let (true, Some(name)) = (matches!(protocol.as_str(), "http" | "https"), name) else { continue };
        let Ok(host) = HostPattern::parse(if name.is_empty() { "*" } else { name }) else { continue };
        if !hosts.iter().any(|known| known.value == host) {
            hosts.push(Located::new(host, binding.place("bindingInformation")));
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::{is_xml, read};

    #[test]
    fn sites_whose_folders_are_here_are_sites() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["shop", "other", "third"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let site = |path: &str, bindings: &str| {
            format!(
                "<site name='s' id='1'><application path='/'><virtualDirectory path='/' physicalPath='{path}'/>\
                 </application><bindings>{bindings}</bindings></site>"
            )
        };
        let binding = |text: &str| format!("<binding protocol='http' bindingInformation='{text}'/>");
        let sites = [
            site("shop", &(binding("*:80:Shop.example.com") + &binding("*:8080:shop.example.com"))),
            site(r"C:\inetpub\wwwroot", &binding("*:80:")),
            site("none", &binding("*:80:none.example.com")),
            site("other", &binding("*:80:")),
            site("third", &binding("*:81:")),
        ];
        let text = format!(
            "\u{feff}<configuration><system.applicationHost><sites>{}</sites></system.applicationHost></configuration>",
            sites.concat()
        );
        assert!(is_xml(&text) && !is_xml("sites:"));
        let file = folder.path().join("applicationHost.config");
        let host_file = read(&text, &file).unwrap();
        let told: Vec<String> = host_file
            .sites
            .iter()
            .map(|site| {
                let hosts: Vec<String> = site.hosts.iter().map(|host| host.value.to_string()).collect();
                format!("{} {}", site.root.value.file_name().unwrap().display(), hosts.join(","))
            })
            .collect();
        assert_eq!(told, ["shop shop.example.com", "other *"]);
        assert_eq!(host_file.outside_of(None).server_file, Some(file));
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_place() {
        for (text, told) in [("<a/>", "f:1:1: error: the root element is `a`"), ("<a>", "f:1:")] {
            let notes = read(text, std::path::Path::new("f")).unwrap_err();
            assert!(notes[0].to_string().starts_with(told), "{notes:?}");
        }
    }
}
