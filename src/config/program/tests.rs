//! Sections as people write them, and the programs they come to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OutputTo, Program, ResolvedProgram, Surroundings, asp_net_core, http_platform};
use crate::config::settings::Environment;
use crate::config::site::Section;
use crate::config::source::{Level, Located, Note};
use crate::config::xml::{self, Element};

/// The section that an element is, at the root of a site.
pub(super) fn section_of(element: &Element, directory: &Path) -> Section {
    let children = |name: &str| element.child(name).map_or(&[][..], |child| &child.children);
    let value = |element: &Element, name: &str| {
        Located::new(element.value(name).unwrap_or_default().to_owned(), element.place(name))
    };
    let pairs = |name: &str| {
        children(name).iter().map(|child| (value(child, "name"), value(child, "value"))).collect()
    };
    Section {
        directory: directory.to_owned(),
        base: "".into(),
        source: element.source.clone(),
        attributes: element
            .attributes
            .iter()
            .map(|it| (it.name.clone(), Located::new(it.value.to_string(), it.source.clone())))
            .collect(),
        variables: pairs("environmentVariables"),
        files: children("recycleOnFileChange").iter().map(|child| value(child, "path")).collect(),
        handler_settings: pairs("handlerSettings"),
    }
}

/// A machine with what these programs need but .NET.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let known = ["python3", "node", "java", "ruby", "gunicorn"];
    known.contains(&name).then(|| Path::new("/bin").join(name))
}

pub(super) fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(super) fn read_with(
    text: &str,
    host: &Environment,
    find: &dyn Fn(&str) -> Option<PathBuf>,
    directory: &Path,
) -> Result<ResolvedProgram, Vec<Note>> {
    let file: Arc<Path> = Path::new("w").into();
    let element = xml::parse(text, &file).unwrap();
    let section = section_of(&element, directory);
    let surroundings = Surroundings { environment: host, url: "/shop", find, instances: None };
    match &*element.name {
        "httpPlatform" => http_platform(&section, &surroundings),
        "aspNetCore" => asp_net_core(&section, &surroundings),
        other => panic!("{other} is no such section"),
    }
}

fn read(text: &str, host: &[(&str, &str)]) -> Result<ResolvedProgram, Vec<Note>> {
    read_with(text, &environment(host), &find, Path::new("/site"))
}

/// Both sections with these attributes.
fn both(attributes: &str) -> [String; 2] {
    ["httpPlatform", "aspNetCore"].map(|name| format!("<{name} processPath='node' {attributes}/>"))
}

#[test]
fn slips_of_the_finger_are_told_with_what_was_meant() {
    for (text, what, help) in [
        ("<httpPlatform processPath='node' argumnets='x'/>", "`argumnets`", "did you mean `arguments`?"),
        ("<aspNetCore processPath='node' hostingmodell='x'/>", "`hostingmodell`", "mean `hostingModel`?"),
        ("<aspNetCore processPath='node' teapot='x'/>", "`teapot`", "there are processPath, arguments"),
        (
            "<httpPlatform processPath='node'><handlerSettings><handlerSetting name='enableShadowCopi' value='1'/></handlerSettings></httpPlatform>",
            "`enableShadowCopi`",
            "did you mean `enableShadowCopy`?",
        ),
        (
            "<httpPlatform processPath='node' arguments='%HTTP_PLATFORM_PORT% %http_platform_port%'/>",
            "`%http_platform_port%` is not replaced",
            "",
        ),
        (
            "<aspNetCore processPath='node' arguments='--p=%AspNetCore_Port%'/>",
            "only `%ASPNETCORE_PORT%` is",
            "",
        ),
    ] {
        let notes = read(text, &[]).unwrap().notes;
        let [note] = notes.as_slice() else { panic!("{text}: {notes:?}") };
        assert_eq!(note.level, Level::Warning, "{text}");
        assert!(note.what.contains(what), "{text}: {note}");
        assert!(note.help.as_deref().unwrap_or_default().contains(help), "{text}: {note}");
    }
}

#[track_caller]
fn program(text: &str, host: &[(&str, &str)]) -> Program {
    let resolved = read(text, host).unwrap_or_else(|notes| panic!("{text}: {notes:?}"));
    resolved.program
}

fn notes(text: &str, host: &[(&str, &str)]) -> Vec<Note> {
    read(text, host).map_or_else(|notes| notes, |resolved| resolved.notes)
}

#[test]
fn what_is_not_said_has_the_defaults_of_the_modules() {
    for (text, attempts, stem) in [
        ("<httpPlatform processPath='node'/>", 10, "/site/httpplatform-stdout"),
        ("<aspNetCore processPath='node'/>", 2, "/site/aspnetcore-stdout"),
    ] {
        let resolved = read(text, &[]).unwrap();
        assert!(resolved.notes.is_empty(), "{:?}", resolved.notes);
        let program = resolved.program;
        assert_eq!(program.start_timeout.as_secs(), 120);
        assert_eq!(
            (program.start_attempts, program.rapid_fails_per_minute, program.instances),
            (attempts, 10, 1)
        );
        assert_eq!(program.request_timeout.unwrap().as_secs(), 120);
        assert_eq!(program.shutdown_timeout.as_secs(), 10);
        assert_eq!((program.fixed_port, program.fixed_token, program.help_link), (None, None, None));
        assert_eq!(program.output, OutputTo::Memory);
        assert!(program.watched_files.is_empty() && program.watched_patterns.is_empty());
        assert!(program.startup_error_page && !program.shows_details);
        assert!(!program.forwards_connection && !program.ignores_configuration);
        let logged = format!("{} stdoutLogEnabled='TRUE'/>", text.trim_end_matches("/>"));
        assert_eq!(self::program(&logged, &[]).output, OutputTo::File { stem: stem.into() });
    }
}

#[test]
fn attributes_hold_in_any_letter_case_within_their_range() {
    let told = |text: &str| {
        let it = program(text, &[]);
        let seconds = [Some(it.start_timeout), it.request_timeout, Some(it.shutdown_timeout)];
        let seconds = seconds.map(|time| time.map_or(-1, |time| time.as_secs() as i64));
        format!("{seconds:?} {} {} {}", it.rapid_fails_per_minute, it.instances, it.startup_error_page)
    };
    for (attributes, expected) in [
        ("STARTUPTIMELIMIT='0' shutdownTimeLimit='0'", "[0, 120, 0] 10 1 true"),
        ("startupTimeLimit='3600' requestTimeout='00:04:00'", "[3600, 240, 10] 10 1 true"),
        ("requestTimeout='1.00:00:01' processesPerApplication='100'", "[120, 86401, 10] 10 100 true"),
        ("requestTimeout='00:00:00' disableStartUpErrorPage='True'", "[120, -1, 10] 10 1 false"),
        ("rapidFailsPerMinute='0' requestTimeout='360:00:00'", "[120, 1296000, 10] 0 1 true"),
        ("rapidFailsPerMinute='500'", "[120, 120, 10] 100 1 true"),
    ] {
        for text in both(attributes) {
            assert_eq!(told(&text), expected, "{text}");
        }
    }
    for (retries, attempts) in [("0", 1), ("3", 3), ("100", 100)] {
        let text = format!("<httpPlatform processPath='node' startupRetryCount='{retries}'/>");
        assert_eq!(program(&text, &[]).start_attempts, attempts);
    }
    assert_eq!(
        program("<httpPlatform processPath='node' requestTimeout='30.00:00:00'/>", &[])
            .request_timeout
            .unwrap(),
        std::time::Duration::from_secs(2_592_000)
    );
}

#[test]
fn a_wrong_value_is_an_error_with_its_place_and_what_is_allowed() {
    for (attribute, allowed) in [
        ("startupTimeLimit='3601'", "seconds from 0 to 3600"),
        ("startupTimeLimit='-1'", "seconds from 0 to 3600"),
        ("shutdownTimeLimit='601'", "seconds from 0 to 600"),
        ("rapidFailsPerMinute='many'", "crashes from 0"),
        ("processesPerApplication='0'", "processes from 1 to 100"),
        ("processesPerApplication='101'", "processes from 1 to 100"),
        ("requestTimeout='00:60:00'", "hours, minutes and seconds as in 00:02:00"),
        ("requestTimeout='00:00:60'", "hours, minutes and seconds as in 00:02:00"),
        ("requestTimeout='721:00:00'", "at most"),
        ("requestTimeout='2'", "at most"),
        ("stdoutLogEnabled='1'", "true or false"),
        ("forwardWindowsAuthToken='yes'", "true or false"),
        ("disableStartUpErrorPage=''", "true or false"),
    ] {
        for text in both(attribute) {
            let notes = read(&text, &[]).unwrap_err();
            let [note] = &notes[..] else { panic!("{text}: {notes:?}") };
            let column = text.find(attribute).unwrap() + 1;
            assert_eq!(
                (note.level, note.source.to_string()),
                (Level::Error, format!("w:1:{column}")),
                "{text}"
            );
            let value = attribute.split('\'').nth(1).unwrap();
            assert!(note.what.contains(&format!("`{value}` is not a value for")), "{}", note.what);
            assert!(note.what.contains("does not run"), "{}", note.what);
            assert!(note.help.as_ref().unwrap().contains(allowed), "{attribute}: {:?}", note.help);
        }
    }
    for (text, what) in [
        ("<aspNetCore/>", "names no program"),
        ("<httpPlatform processPath=' \"\" '/>", "names no program"),
        ("<aspNetCore processPath='node' requestTimeout='361:00:00'/>", "`requestTimeout`"),
        ("<httpPlatform processPath='node' startupRetryCount='101'/>", "`startupRetryCount`"),
        ("<aspNetCore processPath='node' hostingModel='both'/>", "`both` is not a value for `hostingModel`"),
    ] {
        let notes = read(text, &[]).unwrap_err();
        assert!(notes.iter().any(|note| note.what.contains(what)), "{text}: {notes:?}");
    }
}

#[test]
fn what_works_differently_is_a_warning_and_defaults_are_none() {
    for (text, warned) in [
        ("<httpPlatform processPath='node' rapidFailsPerMinute='101'/>", "101 is more than"),
        ("<httpPlatform processPath='node' forwardWindowsAuthToken='true'/>", "no Windows accounts"),
        ("<httpPlatform processPath='node' forwardWindowsAuthToken='false'/>", ""),
        ("<httpPlatform processPath='node' hostingModel='inprocess'/>", "no attribute `hostingModel`"),
        ("<aspNetCore processPath='node' forwardWindowsAuthToken='true'/>", ""),
        ("<aspNetCore processPath='node' forwardWindowsAuthToken='false'/>", ""),
        ("<aspNetCore processPath='node' hostingModel='OutOfProcess'/>", ""),
        ("<aspNetCore processPath='node' hostingModel='InProcess'/>", "out of process"),
        ("<aspNetCore processPath='node' startupRetryCount='3'/>", "no attribute `startupRetryCount`"),
        ("<aspNetCore processPath='node' lockAttributes='processPath'/>", ""),
        ("<aspNetCore processPath='python.exe'/>", "/bin/python3 is run instead"),
    ] {
        let notes = notes(text, &[]);
        assert!(notes.iter().all(|note| note.level == Level::Warning), "{text}: {notes:?}");
        match warned {
            "" => assert!(notes.is_empty(), "{text}: {notes:?}"),
            warned => {
                let [note] = &notes[..] else { panic!("{text}: {notes:?}") };
                assert!(note.what.contains(warned), "{text}: {note}");
            }
        }
    }
    let help = notes("<aspNetCore processPath='node' prozessPath='x'/>", &[]).remove(0).help;
    assert_eq!(help.as_deref(), Some("did you mean `processPath`?"));
}

#[test]
fn logs_begin_where_the_path_leads_or_below_the_application() {
    let host = [("HOME", "/root"), ("LOGS", "/var/log/x")];
    for (written, stem, warned) in [
        (r".\logs\stdout", "/site/logs/stdout", false),
        ("logs/stdout", "/site/logs/stdout", false),
        (r"..\logs\stdout", "/logs/stdout", false),
        (r".\logs\", "/site/logs/stdout", false),
        ("", "/site/aspnetcore-stdout", false),
        ("/var/log/app", "/var/log/app", false),
        (r"%LOGS%\out", "/var/log/x/out", false),
        (r"\\?\%home%\LogFiles\python", "/site/LogFiles/python", true),
        (r"%home%\LogFiles", "/site/LogFiles", true),
        (r"D:\home\LogFiles\python.log", "/site/LogFiles/python.log", true),
        (r"D:\home\site\wwwroot\logs\x", "/site/logs/x", true),
        (r"C:\logs\a\b", "/site/a/b", true),
        (r"%NOPE%\stdout", "/site/stdout", true),
        (r"\\server\share\", "/site/server/share/stdout", true),
        (r"C:\", "/site/stdout", true),
    ] {
        let text =
            format!("<aspNetCore processPath='node' stdoutLogEnabled='true' stdoutLogFile='{written}'/>");
        assert_eq!(program(&text, &host).output, OutputTo::File { stem: stem.into() }, "{written}");
        assert_eq!(!notes(&text, &host).is_empty(), warned, "{written}");
        let off = text.replace("'true'", "'false'");
        assert!(notes(&off, &host).is_empty(), "{written}");
    }
}

#[test]
fn handler_settings_have_their_effect_or_a_reason_why_not() {
    let with = |name: &str, value: &str| {
        let setting =
            format!("<handlerSettings><handlerSetting name='{name}' value='{value}'/></handlerSettings>");
        read(&format!("<aspNetCore processPath='node'>{setting}</aspNetCore>"), &[])
    };
    for (name, value, effect, warned) in [
        ("enableOutOfProcessConsoleRedirection", "false", "mute", ""),
        ("enableOutOfProcessConsoleRedirection", "true", "", ""),
        ("FORWARDresponseConnectionHeader", "True", "connection", ""),
        ("disallowRotationOnConfigChange", "1", "stays", ""),
        ("disallowRotationOnConfigChange", "maybe", "", "`maybe` is not a value"),
        ("enableShadowCopy", "true", "**/*.dll", ""),
        ("experimentalEnableShadowCopy", "true", "**/*.dll", ""),
        ("enableShadowCopy", "false", "", ""),
        ("shadowCopyDirectory", "x", "", "nothing is copied"),
        ("shutdownDelay", "1000", "", "no effect"),
        ("debugLevel", "file,trace", "", "no effect"),
        ("handlerVersion", "2.0.0", "", "no effect"),
        ("stackSize", "1", "", "inside of IIS"),
        ("nonsense", "1", "", "no handler setting `nonsense`"),
    ] {
        let ResolvedProgram { program, notes, .. } = with(name, value).unwrap();
        let effects = [
            (program.output == OutputTo::Nothing, "mute"),
            (program.forwards_connection, "connection"),
            (program.ignores_configuration, "stays"),
            (!program.watched_patterns.is_empty(), program.watched_patterns.as_str()),
        ];
        let effects: Vec<&str> = effects.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        assert_eq!(effects.join(" "), effect, "{name}");
        assert_eq!(notes.is_empty(), warned.is_empty(), "{name}: {notes:?}");
        assert!(notes.iter().all(|note| note.what.contains(warned)), "{name}: {notes:?}");
    }
    for value in ["-1", "soon", ""] {
        assert!(with("shutdownDelay", value).is_err(), "{value}");
    }
}

#[test]
fn the_host_adds_what_its_own_environment_says() {
    let text = "<aspNetCore processPath='dotnet' arguments='a.dll'/>";
    let host = [
        ("ANCM_LAUNCHER_PATH", "node"),
        ("ANCM_LAUNCHER_ARGS", "b.js %ASPNETCORE_PORT%"),
        ("ANCM_ADDITIONAL_ERROR_PAGE_LINK", " https://help.example/ "),
        ("ASPNETCORE_PORT", "1234"),
    ];
    let resolved = read(text, &host).unwrap();
    assert_eq!(resolved.program.command.shown, "/bin/node b.js %ASPNETCORE_PORT%");
    assert_eq!(resolved.program.help_link.as_deref(), Some("https://help.example/"));
    let told: Vec<String> =
        resolved.told.iter().map(|(name, told)| format!("{name}={} {}", told.value, told.source)).collect();
    assert!(
        told.contains(&"processPath=node environment variable ANCM_LAUNCHER_PATH".to_owned()),
        "{told:?}"
    );
    // Not of the other module, whose section here is that of the root, with a slash at its end.
    let other = "<httpPlatform processPath='python3' arguments='%ASPNETCORE_PORT%'/>";
    let resolved = read_with(other, &environment(&host), &find, Path::new("/site/")).unwrap();
    assert_eq!(resolved.program.directory.as_os_str(), "/site");
    let place = ("HTTP_PLATFORM_IIS_PHYSICAL_PATH".to_owned(), "/site".to_owned());
    assert!(resolved.program.variables.contains(&place));
    assert_eq!(resolved.program.command.shown, "/bin/python3 %ASPNETCORE_PORT%");
    assert_eq!(resolved.program.help_link, None);
}

#[test]
fn files_that_recycle_start_at_the_application() {
    let text = r"<httpPlatform processPath='node'><recycleOnFileChange>
        <file path='.\touch.txt'/><file path='/etc/x'/><file path='C:\x'/><file path='%D%\y'/>
        </recycleOnFileChange></httpPlatform>";
    let resolved = read(text, &[("D", "z")]).unwrap();
    assert_eq!(
        resolved.program.watched_files,
        [Path::new("/site/touch.txt"), Path::new("/etc/x"), Path::new("/site/z/y")]
    );
    assert_eq!(resolved.notes.len(), 1, "{:?}", resolved.notes);
    let empty = text.replace(r".\touch.txt", " ");
    assert!(read(&empty, &[]).is_err());
}
