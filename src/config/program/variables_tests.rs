//! What a child finds in its environment, and who wins.

use std::path::Path;

use super::super::tests::{environment, find, read_with};
use super::super::{Program, ResolvedProgram};
use crate::config::source::Note;

fn read(
    element: &str,
    variables: &[(&str, &str)],
    attributes: &str,
    host: &[(&str, &str)],
) -> Result<ResolvedProgram, Vec<Note>> {
    let pairs =
        variables.iter().map(|(name, value)| format!("<environmentVariable name='{name}' value='{value}'/>"));
    let pairs: String = pairs.collect();
    let text = format!(
        "<{element} processPath='node' {attributes}><environmentVariables>{pairs}</environmentVariables></{element}>"
    );
    read_with(&text, &environment(host), &find, Path::new("/srv/site"))
}

fn program(element: &str, variables: &[(&str, &str)], host: &[(&str, &str)]) -> Program {
    read(element, variables, "", host).unwrap().program
}

/// Those that are not the host's own.
fn configured(element: &str, variables: &[(&str, &str)], host: &[(&str, &str)]) -> Vec<String> {
    let of_host = |name: &str| name.starts_with("HTTP_PLATFORM_") || name.starts_with("ASPNETCORE_IIS_");
    let variables = program(element, variables, host).variables.into_iter();
    let variables = variables.filter(|(name, _)| {
        !of_host(name) && name != "ASPNETCORE_APPL_PATH" && !name.ends_with("ASSEMBLIES")
    });
    variables.map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn a_child_is_told_where_it_lies_and_what_its_host_can() {
    let told = |element, host: &[_]| -> Vec<String> {
        let variables = program(element, &[], host).variables;
        variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    assert_eq!(
        told("aspNetCore", &[]),
        [
            "ASPNETCORE_APPL_PATH=/shop",
            "ASPNETCORE_IIS_HTTPAUTH=anonymous;",
            "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED=true",
            "ASPNETCORE_IIS_PHYSICAL_PATH=/srv/site",
            "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES=Microsoft.AspNetCore.Server.IISIntegration",
        ]
    );
    let told = told("httpPlatform", &[]);
    for expected in [
        "HTTP_PLATFORM_APPL_PATH=/shop",
        "HTTP_PLATFORM_IIS_PHYSICAL_PATH=/srv/site",
        "HTTP_PLATFORM_IIS_HTTPAUTH=anonymous;",
        "HTTP_PLATFORM_IIS_WEBSOCKETS_SUPPORTED=true",
        "HTTP_PLATFORM_IIS_SITE_NAME=site",
        "HTTP_PLATFORM_IIS_APPLICATION_ID=/LM/W3SVC/1/ROOT/shop",
        "HTTP_PLATFORM_IIS_APPLICATION_VIRTUAL_PATH=/shop",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected}: {told:?}");
    }
}

#[test]
fn the_list_of_start_up_assemblies_is_added_to_unless_it_is_configured() {
    const NAME: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
    const OWN: &str = "Microsoft.AspNetCore.Server.IISIntegration";
    let prefer = ("ANCM_PREFER_ENVIRONMENT_VARIABLES", "1");
    for (configured, host, expected) in [
        (&[][..], &[(NAME, "A;B")][..], format!("A;B;{OWN}")),
        (&[(NAME, "C")], &[(NAME, "A")], "C".to_owned()),
        (&[("aspnetcore_hostingStartupAssemblies", "")], &[], String::new()),
        (&[(NAME, "C")], &[(NAME, "A"), prefer], format!("A;{OWN}")),
    ] {
        let variables = program("aspNetCore", configured, host).variables;
        let named: Vec<_> = variables
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(NAME))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(named, [&expected]);
    }
}

#[test]
fn configured_values_are_expanded_and_beat_inherited_ones_in_any_letter_case() {
    let home = ("HOME", "/root");
    for (variables, host, expected) in [
        (&[("A", "%home%;%NOPE%")][..], &[home][..], &["A=/root;%NOPE%"][..]),
        (&[("PORT", "%HTTP_PLATFORM_PORT%")], &[("HTTP_PLATFORM_PORT", "1")], &["PORT=%HTTP_PLATFORM_PORT%"]),
        (&[("Port", "%HTTP_PLATFORM_PORT%")], &[], &["PORT=%HTTP_PLATFORM_PORT%"]),
        (&[("path", "%PATH%;.\\bin")], &[("PATH", "/bin:/usr/bin")], &["PATH=/bin:/usr/bin:./bin"]),
        (&[("PYTHONPATH", r"D:\home\site\wwwroot")], &[], &["PYTHONPATH=/srv/site"]),
        (&[("DATA", r"%HOME%\site\wwwroot\data")], &[home], &["DATA=/srv/site/data"]),
        (&[("A", "1"), ("a", "2")], &[], &["A=2"]),
        (&[("A=B", "1"), ("C", "")], &[], &["C="]),
        (&[("home", "/x")], &[home], &["HOME=/x"]),
        (&[("home", "/x")], &[home, ("ANCM_PREFER_ENVIRONMENT_VARIABLES", "TRUE")], &[]),
        (&[("home", "/x")], &[home, ("HTTP_PLATFORM_PREFER_ENVIRONMENT_VARIABLES", "1")], &[]),
        (&[("home", "/x")], &[home, ("ANCM_PREFER_ENVIRONMENT_VARIABLES", "0")], &["HOME=/x"]),
    ] {
        assert_eq!(configured("httpPlatform", variables, host), expected, "{variables:?}");
    }
}

#[test]
fn the_hosts_own_variables_cannot_be_set_but_for_port_and_token() {
    for element in ["httpPlatform", "aspNetCore"] {
        let start = if element == "httpPlatform" { "HTTP_PLATFORM" } else { "ASPNETCORE" };
        let (path, port, token) =
            (format!("{start}_appl_path"), format!("{start}_PORT"), format!("{start}_Token"));
        let set = [(path.as_str(), "/mine"), (&port, "5001"), (&token, "secret")];
        let resolved = read(element, &set, "", &[]).unwrap();
        assert!(resolved.notes[0].what.contains("is set by the host"), "{:?}", resolved.notes);
        let program = resolved.program;
        assert_eq!((program.fixed_port, program.fixed_token.as_deref()), (Some(5001), Some("secret")));
        let paths: Vec<_> =
            program.variables.iter().filter(|(name, _)| name.to_lowercase() == path.to_lowercase()).collect();
        assert_eq!(paths.len(), 1);
        assert_eq!(paths[0].1, "/shop");
        assert!(!program.variables.iter().any(|(name, _)| *name == port || *name == token));
        let token_of_port = format!("%{port}%");
        for (value, expected) in [
            ("", Some(None)),
            (" 1025 ", Some(Some(1025))),
            ("48000", Some(Some(48000))),
            (&token_of_port, Some(None)),
            ("abc", None),
            ("1024", None),
            ("48001", None),
            ("+2000", None),
            ("99999999", None),
        ] {
            let found = read(element, &[(&port, value)], "", &[]).ok().map(|it| it.program.fixed_port);
            assert_eq!(found, expected, "{value}");
        }
        assert!(read(element, &[(&port, "5001")], "processesPerApplication='2'", &[]).is_err());
        assert!(read(element, &[(&port, "")], "processesPerApplication='2'", &[]).is_ok());
        for (value, is_fine) in [("", true), ("a b", false), ("é", false)] {
            assert_eq!(read(element, &[(&token, value)], "", &[]).is_ok(), is_fine, "{value}");
        }
        assert!(read(element, &[("", "x")], "", &[]).is_err());
    }
}

#[test]
fn details_are_for_applications_in_development() {
    let prefer = ("ANCM_PREFER_ENVIRONMENT_VARIABLES", "true");
    for (configured, host, shown) in [
        (&[][..], &[][..], false),
        (&[("ASPNETCORE_DETAILEDERRORS", "1")], &[], true),
        (&[("aspnetcore_DetailedErrors", "True")], &[], true),
        (&[("ASPNETCORE_DETAILEDERRORS", "0")], &[("ASPNETCORE_DETAILEDERRORS", "1")], false),
        (&[("ASPNETCORE_DETAILEDERRORS", "0")], &[("ASPNETCORE_DETAILEDERRORS", "1"), prefer], true),
        (&[("ASPNETCORE_ENVIRONMENT", "development")], &[], true),
        (&[("ASPNETCORE_ENVIRONMENT", "Production")], &[("ASPNETCORE_ENVIRONMENT", "Development")], false),
        (&[], &[("DOTNET_ENVIRONMENT", "Development")], true),
        (&[("ASPNETCORE_ENVIRONMENT", "Internal")], &[], false),
    ] {
        assert_eq!(program("aspNetCore", configured, host).shows_details, shown, "{configured:?} {host:?}");
    }
    assert!(!program("httpPlatform", &[], &[("DOTNET_ENVIRONMENT", "Development")]).shows_details);
}
