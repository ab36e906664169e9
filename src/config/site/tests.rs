//! Sites as tables: files in, policies and notes out.

use std::fs;

use tempfile::TempDir;

use super::{SiteConfig, load};
use crate::config::source::Level;
use crate::rules::files::ClientCache;
use crate::rules::mapping::Module;
use crate::rules::policy::{ErrorPage, Policy};

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

/// A `web.config` with this inside of `system.webServer`.
fn server(text: &str) -> String {
    format!("<configuration><system.webServer>\n{text}\n</system.webServer></configuration>")
}

impl Site {
    fn at(&self, path: &str) -> &Policy {
        self.config.policies.at(path).unwrap()
    }

    /// Every note, with places relative to the site.
    fn told(&self) -> Vec<String> {
        let root = format!("{}/", self.folder.path().display());
        self.config.notes.iter().map(|note| note.to_string().replace(&root, "")).collect()
    }

    fn quiet(self) -> Site {
        assert_eq!(self.told(), [""; 0]);
        self
    }

    fn hidden(&self, path: &str) -> String {
        self.at(path).filter.hidden_segments.join(" ")
    }

    fn mapped(&self, path: &str) -> String {
        let mapped = self.at(path).mapping.mapped.iter();
        mapped.map(|one| format!("{}:{}@{}", one.name, one.path, one.base)).collect::<Vec<_>>().join(" ")
    }

    fn settings(&self, path: &str) -> String {
        let layer = self.config.layers.at(path).unwrap();
        let settings = layer.app_settings.iter();
        settings.map(|(key, value)| format!("{key}={}", value.value)).collect::<Vec<_>>().join(" ")
    }

    fn errors(&self) -> usize {
        self.config.notes.iter().filter(|note| note.level == Level::Error).count()
    }
}

#[test]
fn a_site_without_a_file_has_the_defaults_of_iis() {
    let site = site(&[("index.html", "")]).quiet();
    let policy = site.at("some/where");
    assert!(policy.broken.is_none() && policy.documents.enabled && policy.fields.is_empty());
    assert_eq!(
        policy.documents.names.join(" "),
        "Default.htm Default.asp index.htm index.html iisstart.htm default.aspx"
    );
    let filter = &policy.filter;
    assert_eq!(
        (filter.max_content_bytes, filter.max_url_bytes, filter.max_query_bytes),
        (30_000_000, 4096, 2048)
    );
    assert_eq!(
        site.hidden(""),
        "web.config bin app_code app_globalresources app_localresources app_webreferences app_data app_browsers \
         iisnode.yml fcgiext.ini"
    );
    assert_eq!(site.config.layers.at("x").unwrap().directory, site.folder.path());
    assert_eq!(site.config.directories, [site.folder.path()]);
}

#[test]
fn nearer_files_change_what_they_inherit() {
    let root = server(
        r#"<handlers><add name="a" path="/a.js" verb="GET, POST" modules="iisNode"/></handlers>
        <security><requestFiltering><hiddenSegments><add segment="Secret"/><remove segment="BIN"/></hiddenSegments>
        <requestLimits maxAllowedContentLength="10" maxUrl="20"/></requestFiltering></security>
        <httpProtocol><customHeaders><add name="A" value="1"/><add name="B" value="2"/></customHeaders></httpProtocol>
        <defaultDocument><files><add value="x.js"/><add value="y.js"/></files></defaultDocument>
        <iisnode loggingEnabled="false" watchedFiles="*.js"/>"#,
    );
    let sub = server(
        r#"<handlers><remove name="none"/><add name="b" path="lib\b.js" verb="*" modules="iisnode"/></handlers>
        <security><requestFiltering><hiddenSegments><remove segment="secret"/></hiddenSegments>
        <requestLimits maxUrl="30"/></requestFiltering></security>
        <httpProtocol><customHeaders><remove name="a"/><add name="C" value="3"/></customHeaders></httpProtocol>
        <defaultDocument><files><clear/><add value="z.js"/></files></defaultDocument>
        <iisnode LoggingEnabled="true"/>"#,
    );
    let site = site(&[("web.config", &root), ("Sub/web.config", &sub), ("sub2/x", "")]).quiet();
    assert_eq!(site.mapped(""), "a:a.js@");
    assert_eq!(site.mapped("sub/deep"), "b:lib/b.js@Sub a:a.js@");
    assert_eq!(site.at("").mapping.mapped[0].module, Module::Iisnode);
    assert_eq!(site.at("").mapping.mapped[0].verbs.as_deref().unwrap().join(" "), "GET POST");
    assert!(site.hidden("sub2").contains("secret") && !site.hidden("").contains("bin"));
    assert!(!site.hidden("sub").contains("secret") && site.hidden("sub").contains("web.config"));
    assert_eq!((site.at("sub").filter.max_content_bytes, site.at("sub").filter.max_url_bytes), (10, 30));
    assert_eq!(&*site.at("").fields, "A: 1\r\nB: 2\r\n");
    assert_eq!(&*site.at("sub").fields, "B: 2\r\nC: 3\r\n");
    assert!(site.at("").documents.names.join(" ").starts_with("x.js y.js Default.htm"));
    assert_eq!(site.at("sub").documents.names.join(" "), "z.js");
    let layer = site.config.layers.at("sub").unwrap();
    let told: Vec<_> = layer.iisnode.iter().map(|(name, value)| format!("{name}={}", value.value)).collect();
    assert_eq!(told, ["watchedFiles=*.js", "LoggingEnabled=true"]);
    assert_eq!(layer.directory, site.folder.path().join("Sub"));
    assert!(layer.iisnode[0].1.source.to_string().ends_with("/web.config:7:41"), "{:?}", layer.iisnode);
}

#[test]
fn a_location_holds_for_its_path_and_what_is_below() {
    let add = |segment: &str| {
        format!(
            "<system.webServer><security><requestFiltering><hiddenSegments><add segment=\"{segment}\"/>\
             </hiddenSegments></requestFiltering></security></system.webServer>"
        )
    };
    let text = format!(
        "<configuration><location path=\".\" inheritInChildApplications=\"false\">{}</location>\
         <location path=\"\">{}</location><location path=\"A\\b/\">{}</location>\
         <location path=\"a/file.txt\">{}</location></configuration>",
        add("dot"),
        add("empty"),
        add("deep"),
        add("file")
    );
    let below = server(
        "<security><requestFiltering><hiddenSegments><remove segment='deep'/></hiddenSegments></requestFiltering>\
         </security>",
    );
    let site = site(&[("web.config", &text), ("a/b/c/web.config", &below), ("a/file.txt", "")]).quiet();
    for (path, has) in [
        ("", "dot empty"),
        ("a", "dot empty"),
        ("a/b", "dot empty deep"),
        ("a/B/x", "dot empty deep"),
        ("a/b/c", "dot empty"),
        ("a/file.txt", "dot empty file"),
    ] {
        let hidden = site.hidden(path);
        let own: Vec<_> =
            hidden.split(' ').filter(|name| ["dot", "empty", "deep", "file"].contains(name)).collect();
        assert_eq!(own.join(" "), has, "{path}");
    }
}

#[test]
fn a_location_of_the_parent_comes_before_the_directory_s_own_file() {
    let parent = "<configuration><location path='sub'><appSettings><add key='a' value='far'/></appSettings></location>\
                  <appSettings><add key='a' value='root'/></appSettings></configuration>";
    let own = "<configuration><appSettings><add key='b' value='{}'/></appSettings></configuration>";
    let both = site(&[("web.config", parent), ("sub/web.config", own)]).quiet();
    assert_eq!(both.settings(""), "a=root");
    assert_eq!(both.settings("sub"), "a=far b={}");
    let own = "<configuration><appSettings><add key='a' value='near'/></appSettings></configuration>";
    assert_eq!(site(&[("web.config", parent), ("sub/web.config", own)]).quiet().settings("sub"), "a=near");
}

#[test]
fn what_a_file_locks_nearer_files_cannot_set() {
    let filtering =
        |inner: &str| format!("<security><requestFiltering>{inner}</requestFiltering></security>");
    let hide = filtering("<hiddenSegments><remove segment='bin'/></hiddenSegments>");
    let deny = |attribute: &str| {
        format!(
            "<configuration><location path='.' {attribute}>\n<system.webServer>{}</system.webServer></location>\
             </configuration>",
            filtering("<requestLimits maxUrl='9'/>")
        )
    };
    let item = filtering("<hiddenSegments><add segment='data' lockItem='true'/></hiddenSegments>");
    let unhide = filtering("<hiddenSegments><remove segment='Data'/></hiddenSegments>");
    let clear = filtering("<hiddenSegments><clear/></hiddenSegments>");
    let limits = |lock: &str| filtering(&format!("<requestLimits {lock} maxUrl='9'/>"));
    let longer = filtering("<requestLimits maxUrl='10' maxQueryString='11'/>");
    for (name, root, sub, told) in [
        ("override", deny("allowOverride='false'"), &hide, "`requestFiltering` is locked by"),
        ("mode", deny("overrideMode='Deny'"), &hide, "web.config:1:35 and is not used"),
        ("allowed", deny("overrideMode='Allow'"), &hide, ""),
        ("item", server(&item), &unhide, "`remove` is locked by"),
        ("item cleared", server(&item), &clear, "`clear` is locked by"),
        ("other item", server(&item), &hide, ""),
        (
            "attribute",
            server(&limits("lockAttributes='maxUrl'")),
            &longer,
            "`maxUrl` of `requestLimits` is locked",
        ),
        ("other attribute", server(&limits("lockAttributes='maxAllowedContentLength'")), &longer, ""),
        ("all but", server(&limits("lockAllAttributesExcept='maxQueryString'")), &longer, "`maxUrl` of"),
        ("section", server(&limits("lockItem='true'")), &longer, "`requestLimits` is locked"),
        (
            "elements",
            server("<security><requestFiltering lockElements='hiddenSegments'/></security>"),
            &hide,
            "`hiddenSegments` is locked",
        ),
        (
            "all elements",
            server("<security><requestFiltering lockElements='*'/></security>"),
            &longer,
            "`requestLimits` is locked",
        ),
    ] {
        let site = site(&[("web.config", &root), ("sub/web.config", &server(sub)), ("other/x", "")]);
        let notes = site.told();
        if told.is_empty() {
            assert!(notes.is_empty() && site.at("sub").broken.is_none(), "{name}: {notes:?}");
            continue;
        }
        assert_eq!(notes.len(), 1, "{name}: {notes:?}");
        assert!(notes[0].starts_with("sub/web.config:2:") && notes[0].contains(told), "{name}: {notes:?}");
        assert!(site.at("sub/x").broken.is_some() && site.at("other").broken.is_none(), "{name}");
        assert_ne!(site.at("sub").filter.max_url_bytes, 10, "{name}");
        assert!(name != "override" || site.hidden("sub").contains("bin"), "{name}");
    }
}

#[test]
fn a_broken_file_breaks_its_directory_and_nothing_else() {
    let good = server("<webSocket enabled='false'/>");
    let bad = "<configuration>\n  <system.webServer>\n</configuration>";
    let site = site(&[("web.config", &good), ("a/web.config", bad), ("b/web.config", &good)]);
    assert_eq!(site.errors(), 1);
    assert!(
        site.told()[0].starts_with("a/web.config:3:1: error: the file is not well-formed XML"),
        "{:?}",
        site.told()
    );
    assert!(site.at("").broken.is_none() && site.at("b").broken.is_none());
    let why = site.at("A/deep").broken.as_deref().unwrap();
    assert!(why.starts_with("a/web.config:3:1: "), "{why}");
    assert_eq!(site.config.layers.at("a").unwrap().errors.len(), 1);
}

#[test]
fn wrong_values_are_told_with_their_place_and_what_is_allowed() {
    for (text, told) in [
        (
            "<webSocket enabled='yes'/>",
            "2:12: error: `yes` is no value for `enabled`; allowed is true or false",
        ),
        (
            "<rewrite><rules><rule name='r'><match url='(' /></rule></rules></rewrite>",
            "2:39: error: rule `r` cannot",
        ),
        (
            "<rewrite><rules><rule name='r'><conditions><add input='a' pattern='(' /></conditions></rule></rules></rewrite>",
            "2:59: error: rule `r` cannot be used",
        ),
        (
            "<rewrite><rules><rule name='r'><conditions><add input='a'/></conditions></rule></rules></rewrite>",
            "2:44: error: rule `r` cannot be used: a condition has no `pattern`",
        ),
        (
            "<rewrite><rules><rule name='r'><action type='Redirect'/></rule></rules></rewrite>",
            "2:32: error: rule `r` cannot be used: its Redirect has no `url`",
        ),
        (
            "<rewrite><rules><rule><match url='x'/></rule></rules></rewrite>",
            "2:17: error: `rule` has no `name`; it needs name",
        ),
        (
            "<staticContent><clientCache cacheControlMaxAge='1d'/></staticContent>",
            "2:29: error: `1d` is no value for `cacheControlMaxAge`; allowed is a time as",
        ),
        (
            "<httpProtocol><customHeaders><add name='a b' value=''/></customHeaders></httpProtocol>",
            "2:35: error: `a b` is no name of a header",
        ),
        (
            "<httpProtocol><customHeaders><add name='a' value='x&#13;&#10;y: z'/></customHeaders></httpProtocol>",
            "2:44: error: the value of `a` holds what no header may hold",
        ),
        ("<handlers><add name='n' path='*' verb='*'/></handlers>", "2:11: error: `add` names no module"),
        (
            "<httpErrors errorMode='on'/>",
            "2:13: error: `on` is no value for `errorMode`; allowed is DetailedLocal",
        ),
        (
            "<security><requestFiltering><requestLimits maxUrl='-1'/></requestFiltering></security>",
            "2:44: error: `-1` is no value for `maxUrl`; allowed is a whole number from 0 to 4294967295",
        ),
    ] {
        let site = site(&[("web.config", &server(text))]);
        let notes = site.told();
        assert_eq!(notes.len(), 1, "{text}: {notes:?}");
        assert!(notes[0].starts_with(&format!("web.config:{told}")), "{text}: {notes:?}");
        assert!(notes[0].contains("; ") && site.at("").broken.is_some(), "{text}: {notes:?}");
    }
}

#[test]
fn what_is_odd_but_plain_is_used_with_a_warning() {
    for (text, told) in [
        ("<Handlers/>", "2:1: warning: `Handlers` is written `handlers` in IIS"),
        ("<webSocket Enabled='TRUE'/>", "2:12: warning: `Enabled` is written `enabled` in IIS"),
        ("<webSocket sped='1'/>", "2:12: warning: `sped` is no attribute of `webSocket` and is left out"),
        ("<nothing a='1'/>", "2:1: warning: `nothing` is not known in `system.webServer`"),
        ("<rewrite><outboundRules/></rewrite>", "2:10: warning: `outboundRules` is not served yet"),
        (
            "<rewrite><rules><rule name='r'><action type='Rewrite' url='HTTP://x/'/></rule></rules></rewrite>",
            "2:55: warning: rule `r` rewrites to another server and is left out",
        ),
        (
            "<security><requestFiltering><hiddenSegments><remove segment='web.config'/></hiddenSegments>\
             </requestFiltering></security>",
            "2:45: warning: `web.config` stays hidden",
        ),
        (
            "<httpProtocol><customHeaders><add name='Content-Length' value='1'/></customHeaders></httpProtocol>",
            "2:35: warning: `Content-Length` is left out",
        ),
        (
            "<staticContent><mimeMap fileExtension='x' mimeType='a/b'/></staticContent>",
            "2:25: warning: `x` is read",
        ),
        (
            "<handlers><add name='n' path='a' verb='*' modules='iisnode'/>\
             <add name='N' path='b' verb='*' modules='iisnode'/></handlers>",
            "2:62: warning: `N` is there already; the last one holds",
        ),
        ("<security><ipSecurity/></security>", "2:11: warning: `ipSecurity` is not enforced"),
    ] {
        let site = site(&[("web.config", &server(text))]);
        let notes = site.told();
        assert_eq!(notes.len(), 1, "{text}: {notes:?}");
        assert!(notes[0].starts_with(&format!("web.config:{told}")), "{text}: {notes:?}");
        assert!(site.at("").broken.is_none() && site.at("").rewrite.rules.is_empty(), "{text}");
        assert!(site.hidden("").contains("web.config"));
    }
}

#[test]
fn rules_are_inherited_removed_and_cleared() {
    let rule = |name: &str| format!("<rule name='{name}'><match url='.*'/><action type='None'/></rule>");
    let rules = |inner: &str| server(&format!("<rewrite><rules>{inner}</rules></rewrite>"));
    let site = site(&[
        ("web.config", &rules(&(rule("a") + &rule("b")))),
        ("more/web.config", &rules(&rule("c"))),
        ("less/web.config", &rules("<remove name='A'/>")),
        ("none/web.config", &rules(&format!("<clear/>{}", rule("d")))),
    ])
    .quiet();
    for (path, count) in [("", 2), ("more/x", 3), ("less", 1), ("none", 1), ("other", 2)] {
        assert_eq!(site.at(path).rewrite.rules.len(), count, "{path}");
    }
}

#[test]
fn settings_come_from_the_file_that_is_named_too() {
    let text = "<configuration><appSettings file='conf\\own.config'><add key='A' value='1'/><add key='B' value=''/>\
                </appSettings></configuration>";
    let own =
        "<appSettings><add key='A' value='2'/><remove key='B'/><add key='C' value='%X%'/></appSettings>";
    let both = site(&[("web.config", text), ("conf/own.config", own)]).quiet();
    assert_eq!(both.settings(""), "A=2 C=%X%");
    // With the fcgiext.ini that is not there.
    assert_eq!(both.config.files.len(), 3);
    let missing = site(&[("web.config", text)]);
    assert_eq!(missing.settings(""), "A=1 B=");
    assert!(missing.told()[0].contains("web.config:1:29: warning: there is no conf"), "{:?}", missing.told());
    let outside = site(&[("web.config", &text.replace("conf\\own", "..\\x"))]);
    assert!(outside.told()[0].contains("lies outside of the site"), "{:?}", outside.told());
    let misplaced = site(&[("web.config", &server("<appSettings><add key='A' value='1'/></appSettings>"))]);
    assert_eq!(misplaced.settings(""), "A=1");
    assert_eq!(misplaced.told().len(), 1);
    let wrong =
        site(&[("web.config", "<configuration><appSettings><add value='1'/></appSettings></configuration>")]);
    assert_eq!(wrong.errors(), 1);
    assert!(wrong.at("").broken.is_none() && wrong.config.layers.at("").unwrap().errors.len() == 1);
}

#[test]
fn a_section_may_lie_in_a_file_of_its_own() {
    let text = server("<rewrite><rules configSource='rules.config'/></rewrite>");
    let rules = "<rules><rule name='r'><match url='.*'/></rule></rules>";
    let good = site(&[("web.config", &text), ("rules.config", rules)]).quiet();
    assert_eq!(good.at("").rewrite.rules.len(), 1);
    let missing = site(&[("web.config", &text)]);
    assert!(missing.errors() == 1 && missing.at("").broken.is_some());
}

#[test]
fn pages_types_and_caching_are_compiled() {
    let text = server(
        "<httpErrors existingResponse='replace' defaultResponseMode='ExecuteURL'>\
         <error statusCode='404' path='/e.html'/><error statusCode='404' subStatusCode='8' path='\\p\\8.html' \
         responseMode='File'/><error statusCode='500' path='https://x/' responseMode='Redirect'/></httpErrors>\
         <staticContent><remove fileExtension='.JSON'/><mimeMap fileExtension='.JSON' mimeType='a/b'/>\
         <remove fileExtension='.txt'/><clientCache cacheControlMode='usemaxage' cacheControlMaxAge='0.00:01:00'/>\
         </staticContent><applicationInitialization><add initializationPage='/warm?x'/></applicationInitialization>",
    );
    let site = site(&[("web.config", &text)]).quiet();
    let policy = site.at("");
    assert!(policy.errors.replaces_workers);
    let pages = [
        (404, None, ErrorPage::ExecuteUrl("/e.html".into())),
        (404, Some(8), ErrorPage::File("p/8.html".into())),
        (500, None, ErrorPage::Redirect("https://x/".into())),
    ];
    assert_eq!(policy.errors.pages, pages);
    assert_eq!(policy.files.types[".json"].as_deref(), Some("a/b"));
    assert_eq!(policy.files.types[".txt"], None);
    assert_eq!(policy.files.client_cache, ClientCache::MaxAge(std::time::Duration::from_secs(60)));
    assert_eq!(site.config.warm_up[0].value, "/warm?x");
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let large = format!("<configuration>{}</configuration>", " ".repeat(1 << 20));
    let site = site(&[("a/web.config", &large), ("b/web.config", "<rewrite/>"), ("c/web.config", "")]);
    let notes = site.told();
    assert_eq!(site.errors(), 3, "{notes:?}");
    assert!(notes[0].contains("too large; a configuration file may have up to 1024 KiB"), "{notes:?}");
    assert!(notes[1].starts_with("b/web.config:1:1: error: the root element is `rewrite`;"), "{notes:?}");
    assert!(site.at("").broken.is_none());
}
