//! Sections of programs as tables: what folders inherit, which of them are applications, and what is said.

use std::fs;

use tempfile::TempDir;

use super::{AppLayer, Section, SiteConfig, load};
use crate::config::source::Level;
use crate::rules::mapping::{Module, Resource};

struct Site {
    folder: TempDir,
    config: SiteConfig,
}

fn site(files: &[(&str, &str)]) -> Site {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let config = load(folder.path());
    Site { folder, config }
}

fn server(text: &str) -> String {
    format!("<configuration><system.webServer>\n{text}\n</system.webServer></configuration>")
}

/// The same inside of a location with these attributes.
fn location(attributes: &str, text: &str) -> String {
    format!(
        "<configuration><location {attributes}><system.webServer>\n{text}\n</system.webServer></location>\
         </configuration>"
    )
}

const ROW: &str = "<handlers><add name='p' path='*' verb='*' modules='HTTPPlatformHandler' \
                   resourceType='Unspecified'/></handlers>";
const CORE_ROW: &str = "<handlers><add name='c' path='*' verb='*' modules='aspnetcoremodulev2'/></handlers>";
const NOT_BELOW: &str = "path='.' inheritInChildApplications='false'";

impl Site {
    fn layer(&self, path: &str) -> &AppLayer {
        self.config.layers.at(path).unwrap()
    }

    fn told(&self) -> Vec<String> {
        let root = format!("{}/", self.folder.path().display());
        self.config.notes.iter().map(|note| note.to_string().replace(&root, "")).collect()
    }

    fn quiet(self) -> Site {
        assert_eq!(self.told(), [""; 0]);
        self
    }

    fn mapped(&self, path: &str) -> String {
        let mapped = self.config.policies.at(path).unwrap().mapping.mapped.iter();
        mapped.map(|one| format!("{}@{}", one.name, one.base)).collect::<Vec<_>>().join(" ")
    }

    /// Folder, attributes, variables, files and settings of `httpPlatform`.
    fn platform(&self, path: &str) -> String {
        self.layer(path).http_platform.as_ref().map_or_else(|| "none".to_owned(), written)
    }
}

fn written(section: &Section) -> String {
    let mut parts = vec![format!("@{}", section.base)];
    parts.extend(section.attributes.iter().map(|(name, value)| format!("{name}={}", value.value)));
    parts.extend(section.variables.iter().map(|(name, value)| format!("{}:{}", name.value, value.value)));
    parts.extend(section.files.iter().map(|path| format!("<{}>", path.value)));
    parts.extend(
        section.handler_settings.iter().map(|(name, value)| format!("{}~{}", name.value, value.value)),
    );
    parts.join(" ")
}

#[test]
fn a_section_is_kept_as_it_is_written_with_the_folder_that_is_its_application() {
    let text = format!(
        "{ROW}\n<httpPlatform processPath='.\\x' Arguments='%A%' lockItem='false'><environmentVariables>\
         <environmentVariable name='A' value=''/><environmentVariable name='B' value='%B%'/>\
         <environmentVariable name='a' value='2'/></environmentVariables>\
         <recycleOnFileChange><file path='.\\t.txt'/></recycleOnFileChange>\
         <handlerSettings><handlerSetting name='debugLevel' value='info'/></handlerSettings></httpPlatform>"
    );
    let site = site(&[("web.config", &server("")), ("Shop/web.config", &server(&text))]).quiet();
    assert_eq!(
        site.platform("shop/deep"),
        "@Shop processPath=.\\x Arguments=%A% B:%B% a:2 <.\\t.txt> debugLevel~info"
    );
    assert_eq!(site.platform(""), "none");
    let section = site.layer("shop").http_platform.as_ref().unwrap();
    assert_eq!(section.directory, site.folder.path().join("Shop"));
    assert!(section.source.to_string().contains("Shop/web.config:3:1"), "{}", section.source);
    assert_eq!(section.attributes[0].1.source.to_string().rsplit('/').next(), Some("web.config:3:15"));
    let policy = site.config.policies.at("shop/x").unwrap();
    assert_eq!(policy.programs.http_platform.as_deref(), Some("Shop"));
    assert_eq!((policy.mapping.mapped[0].module.clone(), policy.mapping.mapped[0].resource), {
        (Module::HttpPlatform, Resource::Unspecified)
    });
}

#[test]
fn nearer_sections_override_attribute_by_attribute_and_add_to_collections() {
    let variables = |inner: &str| format!("<environmentVariables>{inner}</environmentVariables>");
    let variable = |name: &str| format!("<environmentVariable name='{name}' value='{name}'/>");
    let root = format!(
        "{ROW}\n<httpPlatform processPath='x' arguments='1'>{}<recycleOnFileChange><file path='a'/>\
         </recycleOnFileChange></httpPlatform>",
        variables(&(variable("A") + &variable("B")))
    );
    let add = format!("<httpPlatform Arguments='2'>{}</httpPlatform>", variables(&variable("b")));
    let clear = format!("<httpPlatform>{}</httpPlatform>", variables(&format!("<clear/>{}", variable("C"))));
    let site = site(&[
        ("web.config", &server(&root)),
        ("add/web.config", &server(&add)),
        ("add/deep/web.config", &server(&clear)),
        ("part/web.config", &server("<webSocket enabled='false'/>")),
    ])
    .quiet();
    for (path, expected) in [
        ("", "@ processPath=x arguments=1 A:A B:B <a>"),
        ("part", "@ processPath=x arguments=1 A:A B:B <a>"),
        ("add", "@add processPath=x Arguments=2 A:A b:b <a>"),
        ("add/deep/x", "@add/deep processPath=x Arguments=2 C:C <a>"),
    ] {
        assert_eq!(site.platform(path), expected, "{path}");
        let base = expected[1..].split(' ').next();
        assert_eq!(site.config.policies.at(path).unwrap().programs.http_platform.as_deref(), base, "{path}");
    }
}

#[test]
fn what_is_not_for_child_applications_ends_where_one_begins() {
    let section = |name: &str| format!("<httpPlatform processPath='{name}'/>");
    let child = format!("{}{}", ROW.replace("'p'", "'q'"), section("child"));
    let grandchild = format!("{}<iisnode/>", ROW.replace("'p'", "'r'"));
    let part = server("<webSocket enabled='false'/>");
    for (attributes, expected) in [
        (
            NOT_BELOW,
            [
                ("", "p@", "@ processPath=root"),
                ("part/deep", "p@", "@ processPath=root"),
                ("child", "q@child", "@child processPath=child"),
                ("child/part/x", "q@child", "@child processPath=child"),
                ("child/part/app", "r@child/part/app", "none"),
                ("part/app", "r@part/app", "none"),
            ],
        ),
        (
            "path='' inheritInChildApplications='true'",
            [
                ("", "p@", "@ processPath=root"),
                ("part/deep", "p@", "@ processPath=root"),
                ("child", "q@child p@", "@child processPath=child"),
                ("child/part/x", "q@child p@", "@child processPath=child"),
                ("child/part/app", "r@child/part/app q@child p@", "@child processPath=child"),
                ("part/app", "r@part/app p@", "@ processPath=root"),
            ],
        ),
    ] {
        let nested = attributes == NOT_BELOW;
        let child = if nested { location(NOT_BELOW, &child) } else { server(&child) };
        let site = site(&[
            ("web.config", &location(attributes, &format!("{ROW}{}", section("root")))),
            ("part/web.config", &part),
            ("part/app/web.config", &server(&grandchild)),
            ("child/web.config", &child),
            ("child/part/web.config", &part),
            ("child/part/app/web.config", &server(&grandchild)),
        ]);
        for (path, mapped, platform) in expected {
            assert_eq!(site.mapped(path), mapped, "{path} {attributes}");
            assert_eq!(site.platform(path), platform, "{path} {attributes}");
        }
        // The handlers named r of the grandchildren lead to a program only where a section is inherited.
        let lost =
            site.told().iter().filter(|note| note.contains("handler `r` has no `httpPlatform`")).count();
        assert_eq!((lost, site.told().len()), if nested { (2, 2) } else { (0, 0) }, "{:?}", site.told());
    }
}

#[test]
fn rules_locks_and_errors_of_such_a_location_end_there_too() {
    let rules = "<rewrite><rules><rule name='r'><match url='.*'/></rule></rules></rewrite>";
    let app = server("<iisnode/>");
    for (attributes, text, own, below) in [
        (NOT_BELOW.to_owned(), rules, (1, false), (0, false)),
        ("path='.'".to_owned(), rules, (1, false), (1, false)),
        (NOT_BELOW.to_owned(), "<webSocket enabled='?'/>", (0, true), (0, false)),
        ("path='.'".to_owned(), "<webSocket enabled='?'/>", (0, true), (0, true)),
        (format!("{NOT_BELOW} allowOverride='false'"), "<iisnode/>", (0, false), (0, false)),
    ] {
        let site = site(&[
            ("web.config", &location(&attributes, text)),
            ("app/web.config", &app),
            ("part/web.config", &server("")),
        ]);
        let holds = |path| {
            let policy = site.config.policies.at(path).unwrap();
            (policy.rewrite.rules.len(), policy.broken.is_some())
        };
        assert_eq!((holds(""), holds("part"), holds("app/x")), (own, own, below), "{attributes} {text}");
        assert_eq!(site.layer("app").errors.len(), usize::from(below.1), "{attributes} {text}");
    }
}

#[test]
fn a_handler_of_the_same_name_in_a_child_application_holds_there() {
    let core = |path: &str| format!("{CORE_ROW}<aspNetCore processPath='{path}'/>");
    let files = [("web.config", server(&core("a"))), ("sub/web.config", server(&core("b")))];
    let site = site(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    assert!(site.config.notes.iter().all(|note| note.level == Level::Warning), "{:?}", site.told());
    assert_eq!((site.mapped(""), site.mapped("sub")), ("c@".to_owned(), "c@sub".to_owned()));
    assert_eq!(site.layer("sub").asp_net_core.as_ref().map(written).as_deref(), Some("@sub processPath=b"));
}

#[test]
fn a_location_makes_its_folder_an_application_and_a_file_none() {
    let text = format!("{ROW}\n<httpPlatform processPath='x'/>");
    for (path, folder, at) in [
        ("Sub", "Sub", "sub/x"),
        ("SUB", "Sub", "sub"),
        ("Sub\\deep", "Sub/deep", "sub/deep"),
        ("sub/page.txt", "Sub", "sub/page.txt"),
        ("virtual", "", "virtual/x"),
    ] {
        let text = location(&format!("path='{path}'"), &text);
        let site = site(&[("web.config", &text), ("Sub/page.txt", ""), ("Sub/deep/x", "")]).quiet();
        assert_eq!(site.platform(at), format!("@{folder} processPath=x"), "{path}");
        assert_eq!(site.mapped(at), format!("p@{folder}"), "{path}");
        assert_eq!(site.platform(""), "none", "{path}");
    }
    let inherited = format!(
        "<configuration><location {NOT_BELOW}><appSettings><add key='a' value='1'/></appSettings></location>\
         <location path='sub'><system.webServer>{text}</system.webServer></location>\
         <location path='other'><system.webServer><webSocket enabled='true'/></system.webServer></location>\
         </configuration>"
    );
    let site = site(&[("web.config", &inherited), ("sub/x", ""), ("other/x", "")]).quiet();
    let settings = |path| site.layer(path).app_settings.len();
    assert_eq!((settings(""), settings("sub"), settings("other")), (1, 0, 1));
}

#[test]
fn two_modules_in_one_site_stand_side_by_side() {
    let text = "<handlers><add name='api' path='api/*' verb='*' modules='AspNetCoreModule' resourceType='Either'/>\
                <add name='all' path='*' verb='*' modules='httpPlatformHandler'/></handlers>\
                <httpPlatform processPath='x'/><aspNetCore processPath='y'/>";
    let site = site(&[("web.config", &server(text))]).quiet();
    let policy = site.config.policies.at("").unwrap();
    let rows: Vec<_> = policy.mapping.mapped.iter().map(|row| (&row.module, row.resource)).collect();
    assert_eq!(
        rows,
        [(&Module::AspNetCore, Resource::Either), (&Module::HttpPlatform, Resource::Unspecified)]
    );
    assert!(policy.programs.http_platform.is_some() && policy.programs.asp_net_core.is_some());
    assert!(site.layer("").http_platform.is_some() && site.layer("").asp_net_core.is_some());
}

#[test]
fn what_does_not_belong_into_a_section_is_an_error_of_the_application_with_its_place() {
    for (inner, told) in [
        (
            "<environmentVariables><add name='a' value='b'/></environmentVariables>",
            "3:37: error: `add` may not stand in `environmentVariables`; allowed is environmentVariable, clear",
        ),
        (
            "<environmentVariables><remove name='a'/></environmentVariables>",
            "3:37: error: `remove` may not stand in `environmentVariables`",
        ),
        (
            "<environmentVariables><environmentVariable value='b'/></environmentVariables>",
            "3:37: error: `environmentVariable` has no `name`; it needs name, value",
        ),
        (
            "<environmentVariables><environmentVariable name='b'/></environmentVariables>",
            "3:37: error: `environmentVariable` has no `value`",
        ),
        (
            "<environmentVariables><environmentVariable name=' ' value=''/></environmentVariables>",
            "3:58: error: ` ` is no value for `name`; allowed is any text but an empty one",
        ),
        (
            "<environmentVariables><environmentVariable name='a' value=''><x/></environmentVariable>\
             </environmentVariables>",
            "3:76: error: `x` may not stand in `environmentVariable`; allowed is nothing",
        ),
        ("<recycleOnFileChange><file/></recycleOnFileChange>", "3:36: error: `file` has no `path`"),
        (
            "<recycleOnFileChange><file path=''/></recycleOnFileChange>",
            "3:42: error: `` is no value for `path`",
        ),
        (
            "<environmentVariable name='a' value=''/>",
            "3:15: error: `environmentVariable` may not stand in `httpPlatform`; allowed is \
             environmentVariables, recycleOnFileChange, handlerSettings",
        ),
    ] {
        let text = format!("{ROW}\n<httpPlatform>{inner}</httpPlatform>");
        let both = site(&[("web.config", &server(&text)), ("other/x", "")]);
        let notes = both.told();
        assert_eq!(notes.len(), 1, "{inner}: {notes:?}");
        assert!(notes[0].starts_with(&format!("web.config:{told}")), "{inner}: {notes:?}");
        assert_eq!(both.layer("").errors.len(), 1, "{inner}");
        assert!(both.config.policies.at("").unwrap().broken.is_none(), "{inner}");
        let text = text.replace("httpPlatform>", "aspNetCore>");
        assert_eq!(site(&[("web.config", &server(&text))]).layer("").errors.len(), 1, "{inner}");
    }
}

#[test]
fn a_section_without_a_handler_and_a_handler_without_a_section_are_told() {
    for (files, told) in [
        (
            vec![("web.config", server("<httpPlatform/>"))],
            "web.config:2:1: warning: no handler leads to `httpPlatform`",
        ),
        (
            vec![("web.config", server(&format!("{ROW}\n<aspNetCore/><httpPlatform/>")))],
            "web.config:3:1: warning: no handler leads to `aspNetCore`",
        ),
        (
            vec![("web.config", server(CORE_ROW))],
            "web.config:2:25: warning: handler `c` has no `aspNetCore` section",
        ),
        (
            vec![("web.config", location(NOT_BELOW, CORE_ROW)), ("sub/web.config", server("<aspNetCore/>"))],
            "web.config:2:25: warning: handler `c` has no `aspNetCore` section",
        ),
        (vec![("web.config", server(CORE_ROW)), ("sub/web.config", server("<aspNetCore/>"))], ""),
        (vec![("web.config", server("<aspNetCore/>")), ("sub/web.config", server(CORE_ROW))], ""),
    ] {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let site = site(&files);
        let first = site.told().into_iter().next().unwrap_or_default();
        assert!(
            first.starts_with(told) && first.is_empty() == told.is_empty(),
            "{files:?}: {:?}",
            site.told()
        );
        assert_eq!(site.layer("").errors.len(), 0);
    }
}

#[test]
fn sections_are_locked_and_lie_in_files_of_their_own_as_others_do() {
    let own = "<httpPlatform processPath='y'><environmentVariables><environmentVariable name='A' value='1'/>\
               </environmentVariables></httpPlatform>";
    let named = format!("{ROW}\n<httpPlatform configSource='p.config'/>");
    let apart = site(&[("web.config", &server(&named)), ("p.config", own)]).quiet();
    assert_eq!(apart.platform(""), "@ processPath=y A:1");
    let missing = site(&[("web.config", &server(&named))]);
    assert!(missing.told()[0].contains("error: there is no p.config"), "{:?}", missing.told());
    for (attributes, platform) in [
        ("processPath='x' lockItem='true'", "@ processPath=x"),
        ("processPath='x'", "@sub processPath=y A:1"),
    ] {
        let root = server(&format!("{ROW}\n<httpPlatform {attributes}/>"));
        let both = site(&[("web.config", &root), ("sub/web.config", &server(own))]);
        assert_eq!(both.platform("sub"), platform);
        let locked = attributes.contains("lock");
        assert_eq!(both.layer("sub").errors.len(), usize::from(locked), "{:?}", both.told());
        assert!(both.config.policies.at("sub").unwrap().broken.is_none());
    }
}
