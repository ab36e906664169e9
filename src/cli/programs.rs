//! What the commands that know sites say of programs: which one a section means here, and what is to be said about it.

use std::path::Path;

use crate::config::program::{self, OutputTo, Program, ResolvedProgram, Surroundings};
use crate::config::settings::Environment;
use crate::config::site::{AppLayer, Section};
use crate::config::source::Note;
use crate::rules::mapping::Module;
use crate::tend::look_up;

/// The program that serves for `module` by what a layer says; None if the layer has no section for it.
pub(super) fn resolve(
    layer: &AppLayer,
    module: &Module,
    environment: &Environment,
) -> Option<Result<ResolvedProgram, Vec<Note>>> {
    let section = section(layer, module)?;
    let find = |name: &str| look_up(name, &section.directory, environment);
    let url = format!("/{}", section.base);
    let surroundings = Surroundings { environment, url: &url, find: &find, instances: None };
    Some(match module {
        Module::AspNetCore => program::asp_net_core(section, &surroundings),
        _ => program::http_platform(section, &surroundings),
    })
}

pub(super) fn section<'l>(layer: &'l AppLayer, module: &Module) -> Option<&'l Section> {
    match module {
        Module::HttpPlatform => layer.http_platform.as_ref(),
        Module::AspNetCore => layer.asp_net_core.as_ref(),
        _ => None,
    }
}

/// Everything that is to be said about the sections of a layer.
pub(super) fn notes(layer: &AppLayer, environment: &Environment) -> Vec<Note> {
    let modules = [Module::HttpPlatform, Module::AspNetCore];
    let resolved = modules.iter().filter_map(|module| resolve(layer, module, environment));
    resolved
        .flat_map(|resolved| resolved.map_or_else(|notes| notes, |resolved| all_notes(&resolved)))
        .collect()
}

/// With an error for a program that is not here.
pub(super) fn all_notes(resolved: &ResolvedProgram) -> Vec<Note> {
    resolved.notes.iter().cloned().chain(resolved.missing()).collect()
}

/// Where what it prints goes, in words.
pub(super) fn logs(program: &Program) -> String {
    match &program.output {
        OutputTo::Memory => "no files; the last of it is kept for error pages".to_owned(),
        OutputTo::File { stem } => format!("files that begin with {}", stem.display()),
        OutputTo::Nothing => "nowhere".to_owned(),
    }
}

/// What starts it anew when it changes, in words; places inside the site are told relative to its root.
pub(super) fn watched(program: &Program, root: &Path) -> String {
    let mut watched = Vec::new();
    if !program.ignores_configuration {
        watched.push("web.config".to_owned());
    }
    let short = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    watched.extend(program.watched_files.iter().map(|file| short(file)));
    if !program.watched_patterns.is_empty() {
        watched.push(format!("{} in {}", program.watched_patterns, program.directory.display()));
    }
    if watched.is_empty() { "nothing".to_owned() } else { watched.join("; ") }
}

/// Names with their values; the port is told by its token.
pub(super) fn variables(program: &Program) -> Vec<String> {
    program.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{logs, notes, resolve, variables, watched};
    use crate::config::settings::Environment;
    use crate::config::site::{AppLayer, Section};
    use crate::config::source::{Located, Source};
    use crate::rules::mapping::Module;

    fn layer(attributes: &[(&str, &str)]) -> AppLayer {
        let located = |value: &str| Located::new(value.to_owned(), Source::CommandLine("here".into()));
        let section = Section {
            directory: "/site/shop".into(),
            base: "shop".into(),
            source: Source::Default,
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), located(value))).collect(),
            variables: vec![(located("A"), located("%ASPNETCORE_PORT%"))],
            files: vec![located("touch.txt")],
            handler_settings: vec![(located("enableShadowCopy"), located("true"))],
        };
        AppLayer { asp_net_core: Some(section), ..AppLayer::default() }
    }

    #[test]
    fn a_section_is_told_with_its_program_and_all_that_is_to_be_said() {
        let environment = Environment::new();
        let layer =
            layer(&[("processPath", "dotnet"), ("arguments", "a.dll"), ("hostingModel", "inprocess")]);
        assert!(resolve(&layer, &Module::HttpPlatform, &environment).is_none());
        let program = resolve(&layer, &Module::AspNetCore, &environment).unwrap().unwrap().program;
        assert_eq!(program.command.shown, "dotnet a.dll");
        let variables = variables(&program);
        assert_eq!(variables[..2], ["A=%ASPNETCORE_PORT%", "ASPNETCORE_APPL_PATH=/shop"]);
        assert_eq!(
            watched(&program, Path::new("/site")),
            "web.config; shop/touch.txt; **/*.dll in /site/shop"
        );
        assert_eq!(logs(&program), "no files; the last of it is kept for error pages");
        let told: Vec<String> = notes(&layer, &environment).iter().map(ToString::to_string).collect();
        assert!(told[0].contains("out of process") && told[1].contains(".NET is not installed"), "{told:?}");
        assert!(told[0].starts_with("command line here: warning"), "{told:?}");
        assert!(told[1].starts_with("command line here: error"), "{told:?}");
    }

    #[test]
    fn errors_of_a_section_are_told_too() {
        let told = notes(&layer(&[("hostingModel", "both")]), &Environment::new());
        assert_eq!(told.len(), 2, "{told:?}");
    }
}
