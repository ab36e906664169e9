//! `httpPlatform` and `aspNetCore`: elements to a [`Section`], which folders are applications by what they say, and
//! whether handlers and sections have found each other.

use std::path::Path;

use super::applications;
use super::serving;
use super::{AppLayer, Section};
use crate::config::source::{Located, Note, Source};
use crate::config::xml::Element;
use crate::rules::mapping::{Mapped, Module};
use crate::rules::path::below;

/// Lets `element` change what is inherited: attribute by attribute, and collections by what is added to them. The folder
/// of the application is the one that the nearest section stands for, `base`.
pub(super) fn take(element: &Element, root: &Path, base: &str, section: &mut Option<Section>) {
    let nearest = Section {
        directory: root.join(base),
        base: base.into(),
        source: element.source.clone(),
        attributes: Vec::new(),
        variables: Vec::new(),
        files: Vec::new(),
        handler_settings: Vec::new(),
    };
    let Section { attributes, variables, files, handler_settings, .. } =
        section.take().unwrap_or(nearest.clone());
    let section = section.insert(Section { attributes, variables, files, handler_settings, ..nearest });
    applications::attributes(element, &mut section.attributes);
    for collection in &element.children {
        match &*collection.name {
            "environmentVariables" => named_values(collection, &mut section.variables),
            "handlerSettings" => named_values(collection, &mut section.handler_settings),
            _ => paths(collection, &mut section.files),
        }
    }
}

pub(super) fn named_values(collection: &Element, values: &mut Vec<(Located<String>, Located<String>)>) {
    for element in &collection.children {
        if &*element.name == "clear" {
            values.clear();
            continue;
        }
        let name = located(element, "name");
        let key = name.value.to_lowercase();
        values.retain(|(known, _)| known.value.to_lowercase() != key);
        values.push((name, located(element, "value")));
    }
}

fn paths(collection: &Element, paths: &mut Vec<Located<String>>) {
    for element in &collection.children {
        if &*element.name == "clear" {
            paths.clear();
            continue;
        }
        let path = located(element, "path");
        let key = path.value.to_lowercase();
        paths.retain(|known| known.value.to_lowercase() != key);
        paths.push(path);
    }
}

fn located(element: &Element, name: &str) -> Located<String> {
    Located::new(element.value(name).unwrap_or_default().to_owned(), element.place(name))
}

/// Whether a `configuration` says how an application is run, so that its folder is one.
pub(super) fn begins_application(configuration: &Element) -> bool {
    let servers = configuration.children.iter().filter(|child| &*child.name == "system.webServer");
    servers.flat_map(|server| &server.children).any(|section| match &*section.name {
        "httpPlatform" | "aspNetCore" | "iisnode" => true,
        "handlers" => section.children.iter().any(runs_applications),
        _ => false,
    })
}

fn runs_applications(handler: &Element) -> bool {
    let modules = handler.value("modules").filter(|modules| !modules.trim().is_empty());
    let module = serving::named(modules.or(handler.value("type")).unwrap_or_default());
    &*handler.name == "add" && (matches!(module, Module::Iisnode | Module::FastCgi) || module.is_program())
}

/// What the files of a site say that nothing inherits.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) warm_up: Vec<Located<String>>,
    /// Every handler of iisnode, with the place of its path.
    pub(super) handlers: Vec<Located<Mapped>>,
    /// The same of programs.
    program_handlers: Vec<Located<Mapped>>,
    /// Every section of a program: whose, its folder, and its place.
    sections: Vec<(Module, Box<str>, Source)>,
    /// Where a handler and a section of the same program hold, in lower case.
    joined: Vec<(Module, String)>,
}

impl Gathered {
    pub(super) fn handlers(&mut self, handlers: Vec<Located<Mapped>>) {
        let is_program = |handler: &Located<Mapped>| handler.value.module.is_program();
        let (programs, iisnode): (Vec<_>, Vec<_>) = handlers.into_iter().partition(is_program);
        self.program_handlers.extend(programs);
        self.handlers.extend(iisnode);
    }

    pub(super) fn section(&mut self, module: Module, base: &str, source: &Source) {
        self.sections.push((module, base.into(), source.clone()));
    }

    /// Takes note of what holds at `path`.
    pub(super) fn join(&mut self, path: &str, layer: &AppLayer, mapped: &[Mapped]) {
        for (module, section) in
            [(Module::HttpPlatform, &layer.http_platform), (Module::AspNetCore, &layer.asp_net_core)]
        {
            if section.is_some() && mapped.iter().any(|mapped| mapped.module == module) {
                self.joined.push((module, path.to_owned()));
            }
        }
    }

    /// What is to be said of sections that no handler leads to, and of handlers without a section.
    pub(super) fn lost(&self) -> Vec<Note> {
        let is_lost = |module: &Module, base: &str| {
            !self.joined.iter().any(|(known, path)| known == module && below(path, base).is_some())
        };
        let sections = self.sections.iter().filter(|(module, base, _)| is_lost(module, base));
        let sections = sections.map(|(module, _, source)| {
            let (section, modules) = names(module);
            let what = format!("no handler leads to `{section}`, so nothing runs its program");
            let row = format!("<add name=\"{section}\" path=\"*\" verb=\"*\" modules=\"{modules}\"/>");
            Note::warning(source.clone(), what).with_help(format!("handlers needs one, such as {row}"))
        });
        let handlers = self.program_handlers.iter();
        let handlers = handlers.filter(|handler| is_lost(&handler.value.module, &handler.value.base));
        let handlers = handlers.map(|handler| {
            let (section, _) = names(&handler.value.module);
            let what =
                format!("handler `{}` has no `{section}` section that says what to run", handler.value.name);
            Note::warning(handler.source.clone(), what).with_help("its requests are answered with an error")
        });
        sections.chain(handlers).collect()
    }
}

/// The section of a module, and the module as it is written.
fn names(module: &Module) -> (&'static str, &'static str) {
    match module {
        Module::AspNetCore => ("aspNetCore", "AspNetCoreModuleV2"),
        _ => ("httpPlatform", "httpPlatformHandler"),
    }
}
