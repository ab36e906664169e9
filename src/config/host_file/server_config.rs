//! An `applicationHost.config` in place of an ostler.yml: the sites of IIS whose folders are here, and where its FastCGI
//! pools and handlers are read from. The rest of it is about IIS.

use std::path::Path;

use super::{HostFile, SiteEntry};
use crate::config::settings::paths::is_windows_absolute;
use crate::config::source::{Located, Note, Source};
use crate::config::xml::{self, Element};
use crate::rules::bindings::HostPattern;

/// Whether the text of a host file is one of IIS.
pub(super) fn is_xml(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('<')
}

/// # Errors
/// It is no XML, or not that of a server.
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
    for site in sites {
        let Some(physical) = root_of(site) else { continue };
        let folder = folder.join(&physical.value);
        if is_windows_absolute(&physical.value) || !folder.is_dir() {
            continue;
        }
        let taken = |host: &HostPattern| {
            host_file.sites.iter().any(|other| other.hosts.iter().any(|known| known.value == *host))
        };
        let hosts: Vec<Located<HostPattern>> =
            hosts_of(site).into_iter().filter(|host| !taken(&host.value)).collect();
        if hosts.is_empty() {
            continue;
        }
        host_file.sites.push(SiteEntry {
            root: Located::new(folder, physical.source),
            hosts,
            settings: Vec::new(),
            application: None,
            fast_cgi: Vec::new(),
            ini_file: None,
        });
    }
    Ok(host_file)
}

fn below<'e>(element: &'e Element, name: &'static str) -> impl Iterator<Item = &'e Element> {
    element.children.iter().filter(move |child| child.name.eq_ignore_ascii_case(name))
}

/// Where the files of a site lie.
fn root_of(site: &Element) -> Option<Located<String>> {
    let is_root = |element: &&Element| element.value("path") == Some("/");
    let application = below(site, "application").find(is_root)?;
    let directory = below(application, "virtualDirectory").find(is_root)?;
    let path = directory.value("physicalPath").filter(|path| !path.is_empty())?;
    Some(Located::new(path.to_owned(), directory.place("physicalPath")))
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
