//! docs/settings.md, written from the table, and the test that keeps them equal.

use std::fmt::Write;
use std::path::Path;

use super::{Effect, Expands, Kind, Setting, settings};

const OPENING: &str = "\
# Settings of an application

This file is written from the table in `src/config/settings/table`. For the scripts of iisnode each setting can stand in `iisnode.yml`
(`name: value`), in the host's environment (`IISNODE_name`), in `web.config` (an attribute of
`system.webServer/iisnode`) and in `ostler.yml` (below `defaults` or `settings`). The first of these that sets it wins;
a name that `ostler.yml` locks is not taken from the site's own files. `%NAME%` stands for a variable of the host's
environment where the last column says so.

Programs of sections `httpPlatform` and `aspNetCore` have those marked as ostler's own, `watchedFiles` and others of the table from the same
places, below what their section says; an `application` of `ostler.yml`, and a folder without a `web.config`, those that
[ostler-yml.md](ostler-yml.md) lists, from `ostler.yml` alone.

Those marked as ostler's own are unknown to iisnode: IIS refuses a `web.config` that holds them, so a site that runs on
both has them in `iisnode.yml`.
";

fn document() -> String {
    let mut out = OPENING.to_owned();
    table(&mut out, "Settings with an effect", "takes effect", |setting| match setting.effect {
        Effect::Works => Some(setting.when.told()),
        Effect::Moot(_) | Effect::Missing(_) => None,
    });
    table(&mut out, "Settings accepted without effect", "why", |setting| match setting.effect {
        Effect::Works => None,
        Effect::Moot(why) | Effect::Missing(why) => Some(why),
    });
    out
}

fn table(out: &mut String, title: &str, column: &str, tell: impl Fn(&Setting) -> Option<&'static str>) {
    let _ = write!(out, "\n## {title}\n\n| setting | value | default | meaning | {column} | `%NAME%` in |\n");
    out.push_str("|---|---|---|---|---|---|\n");
    for setting in settings() {
        let Some(told) = tell(setting) else { continue };
        let default = match (setting.default, &setting.kind) {
            ("", Kind::Choice(..)) => "not set".to_owned(),
            ("", _) => "empty".to_owned(),
            (default, _) => format!("`{default}`"),
        };
        let expands = match setting.expands {
            Expands::No => "",
            Expands::WebConfig => "web.config",
            Expands::Files => "every file",
        };
        let (name, expected, doc) = (setting.name, setting.kind.expected(), setting.doc);
        let _ = writeln!(out, "| `{name}` | {expected} | {default} | {doc} | {told} | {expands} |");
    }
}

#[test]
fn the_documented_settings_are_those_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let expected = document();
    if std::env::var_os("OSTLER_UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "docs/settings.md is not what the table says: run this test with OSTLER_UPDATE_DOCS=1"
    );
}

#[test]
fn every_setting_of_iisnode_and_all_of_our_own_are_in_the_table_once() {
    let names: std::collections::BTreeSet<&str> = settings().map(|setting| setting.name).collect();
    assert_eq!(names.len(), settings().count());
    assert_eq!(names.len(), 34 + 22);
    for setting in settings() {
        assert!(setting.doc.ends_with('.') && !setting.doc.contains('|'), "{}", setting.name);
    }
}
