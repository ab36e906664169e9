//! FastCGI in whole sites: sections that are inherited, rows of the host's file and of `fcgiext.ini`.

use std::path::Path;

use super::{SiteConfig, load_within};
use crate::config::fastcgi::outside::{Outside, PoolEntry};
use crate::config::source::{Located, Source};
use crate::rules::mapping::{Module, Resource};

fn site(files: &[(&str, &str)], outside: &Outside) -> (tempfile::TempDir, SiteConfig) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let config = load_within(folder.path(), outside);
    (folder, config)
}

fn server(text: &str) -> String {
    format!("<configuration><system.webServer>{text}</system.webServer></configuration>")
}

/// The rows in force in a folder: path, processor, resource type.
fn rows(config: &SiteConfig, path: &str) -> Vec<String> {
    let mapping = &config.policies.at(path).unwrap().mapping;
    let told = mapping.mapped.iter().map(|row| {
        let processor = row.processor.as_deref().unwrap_or("-");
        format!("{} {processor} {:?}", row.path, row.resource)
    });
    told.collect()
}

fn pool(key: &str) -> PoolEntry {
    PoolEntry {
        key: Located::new(key.into(), Source::Default),
        values: Vec::new(),
        variables: Vec::new(),
        server: None,
        command: None,
        folder: "/".into(),
        sends_files_below: Vec::new(),
        document_root: None,
        resource: Resource::Either,
    }
}

#[test]
fn sections_are_inherited_and_changed_by_nearer_files() {
    let above = server(
        "<fastCgi><application fullPath='C:\\a.exe'/><application fullPath='C:\\a.exe' arguments='-x' idleTimeout='20'>\
         <environmentVariables><environmentVariable name='A' value='1'/></environmentVariables></application></fastCgi>",
    );
    let below =
        server("<fastCgi><remove fullPath='c:\\A.exe'/><application fullPath='C:\\b.exe'/></fastCgi>");
    let cleared = server("<fastCgi><clear/></fastCgi>");
    let files = [
        ("web.config", above.as_str()),
        ("b/web.config", below.as_str()),
        ("c/web.config", cleared.as_str()),
    ];
    let (_folder, config) = site(&files, &Outside::default());
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    let told = |path: &str| {
        let elements = &config.layers.at(path).unwrap().fast_cgi;
        let told = elements.iter().map(|element| {
            let values = element.attributes.iter().map(|(_, value)| value.value.as_str());
            format!("{} {}", values.collect::<Vec<_>>().join(" "), element.variables.len())
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(""), [r"C:\a.exe 0", r"C:\a.exe -x 20 1"]);
    assert_eq!(told("b"), [r"C:\a.exe -x 20 1", r"C:\b.exe 0"]);
    assert!(told("c").is_empty());
}

#[test]
fn what_is_wrong_in_a_section_breaks_applications_only() {
    for (text, told) in [
        ("<fastCgi><application arguments='x'/></fastCgi>", "`application` has no `fullPath`"),
        ("<fastCgi><app fullPath='x'/></fastCgi>", "`app` may not stand in `fastCgi`"),
        (
            "<fastCgi><application fullPath='x'><variables/></application></fastCgi>",
            "`variables` may not stand in `application`",
        ),
    ] {
        let (_folder, config) = site(&[("web.config", &server(text))], &Outside::default());
        let notes: Vec<String> = config.notes.iter().map(ToString::to_string).collect();
        assert!(notes.len() == 1 && notes[0].contains(told), "{text}: {notes:?}");
        assert!(config.policies.at("").unwrap().broken.is_none(), "{text}");
        assert_eq!(config.layers.at("").unwrap().errors.len(), 1, "{text}");
    }
}

#[test]
fn a_pool_of_the_host_has_its_path_whoever_declares_that() {
    let outside = Outside { pools: vec![pool("*.php"), pool("C:\\other.exe")], ..Outside::default() };
    let (_folder, config) = site(&[("x.txt", "")], &outside);
    assert_eq!(rows(&config, ""), ["*.php *.php Either"]);
    let declared = server(
        "<handlers><add name='P' path='*.PHP' verb='*' modules='FastCgiModule' scriptProcessor='C:\\p.exe' \
         resourceType='File'/><add name='N' path='a.js' verb='*' modules='iisnode'/></handlers>",
    );
    let (_folder, config) = site(&[("web.config", &declared)], &outside);
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    assert_eq!(rows(&config, ""), ["*.PHP *.php File", "a.js - Unspecified", "*.php *.php Either"]);
}

#[test]
fn an_ini_in_the_root_declares_handlers() {
    let text =
        "[Types]\nphp=PHP\n*=Any\n[PHP]\nExePath=php-cgi\n[Any]\nExePath=python\nIgnoreExistingFiles=1\n";
    let (folder, config) = site(&[("fcgiext.ini", text)], &Outside::default());
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    assert_eq!(rows(&config, ""), ["*.php [PHP] File", "* - File", "* [Any] Unspecified"]);
    assert_eq!(config.files, [folder.path().join("fcgiext.ini")]);
    let elsewhere = Located::new(folder.path().join("fcgiext.ini"), Source::Default);
    let outside = Outside { ini_file: Some(elsewhere), ..Outside::default() };
    let (_other, config) = site(&[("x.txt", "")], &outside);
    assert_eq!(rows(&config, "").len(), 3);
    let missing = Located::new(Path::new("/none/fcgiext.ini").to_owned(), Source::Default);
    let (_other, config) = site(&[], &Outside { ini_file: Some(missing), ..Outside::default() });
    assert!(config.notes[0].what.contains("cannot be read"), "{:?}", config.notes);
}

#[test]
fn php_for_all_paths_has_its_scripts_by_their_names() {
    let all = server(
        "<handlers><add name='P' path='*' verb='*' modules='FastCgiModule' scriptProcessor='C:\\PHP\\php-cgi.exe'/>\
         <add name='Q' path='*' verb='*' modules='FastCgiModule' scriptProcessor='C:\\python.exe|x'/></handlers>",
    );
    let (_folder, config) = site(&[("web.config", &all)], &Outside::default());
    assert_eq!(
        rows(&config, ""),
        [
            r"*.php C:\PHP\php-cgi.exe File",
            r"* C:\PHP\php-cgi.exe Unspecified",
            r"* C:\python.exe|x Unspecified"
        ]
    );
}

#[test]
fn a_row_without_a_program_is_told() {
    let row = server("<handlers><add name='P' path='*.php' verb='*' modules='FastCgiModule'/></handlers>");
    let (_folder, config) = site(&[("web.config", &row)], &Outside::default());
    assert!(config.notes[0].what.contains("names no `scriptProcessor`"), "{:?}", config.notes);
    assert_eq!(config.policies.at("").unwrap().mapping.mapped[0].module, Module::FastCgi);
}

#[test]
fn the_file_of_a_server_is_the_outermost_of_its_sites() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("applicationHost.config");
    let text = "<configuration><configSections><sectionGroup name='x'/></configSections><system.applicationHost/>\
        <system.webServer><fastCgi><application fullPath='C:\\p.exe' maxInstances='3'/></fastCgi><asp/></system.webServer>\
        <location path='' overrideMode='Allow'><system.webServer><handlers accessPolicy='Read'>\
        <add name='P' path='*.php' verb='*' modules='FastCgiModule' scriptProcessor='C:\\p.exe' resourceType='Either'/>\
        <add name='T' path='*' verb='TRACE' modules='ProtocolSupportModule'/></handlers></system.webServer></location>\
        <location path='Default Web Site'><system.webServer><handlers><clear/></handlers></system.webServer></location>\
        </configuration>";
    std::fs::write(&file, text).unwrap();
    let outside = Outside { server_file: Some(file.clone()), ..Outside::default() };
    let (_site, config) = site(&[("x.txt", "")], &outside);
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    assert_eq!(rows(&config, ""), [r"*.php C:\p.exe Either"]);
    assert_eq!(config.layers.at("").unwrap().fast_cgi.len(), 1);
    assert_eq!(config.files, [config.root.join("fcgiext.ini"), file]);
    let own = server("<handlers><remove name='P'/></handlers>");
    let (_site, config) = site(&[("web.config", &own)], &outside);
    assert!(config.notes.is_empty() && rows(&config, "").is_empty(), "{:?}", config.notes);
}
