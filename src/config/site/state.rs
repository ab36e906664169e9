//! What holds for one path: inherited, changed by the pieces of configuration that concern it, compiled into a policy.

use std::path::Path;
use std::sync::Arc;

use super::AppLayer;
use super::applications;
use super::errors;
use super::fast_cgi;
use super::filtering;
use super::locks::{self, Lock};
use super::programs::{self, Gathered};
use super::read::Piece;
use super::rewrite::Rewriting;
use super::schema::CONFIGURATION;
use super::serving;
use crate::config::fastcgi::outside::Outside;
use crate::config::source::{Note, Source};
use crate::rules::documents::Documents;
use crate::rules::files::FilePolicy;
use crate::rules::filter::Filter;
use crate::rules::mapping::{Mapped, Mapping, Module};
use crate::rules::policy::{ErrorPolicy, Policy, ProgramFolders};

#[derive(Clone)]
pub(super) struct State {
    broken: Option<Arc<str>>,
    locks: Arc<Vec<Lock>>,
    filter: Filter,
    rewriting: Rewriting,
    documents: Documents,
    pub(super) mapped: Vec<Mapped>,
    files: FilePolicy,
    fields: Vec<(Box<str>, Box<str>)>,
    errors: ErrorPolicy,
    pub(super) layer: Arc<AppLayer>,
}

impl State {
    /// What holds where nobody says anything.
    pub(super) fn of_nobody(root: &Path, outside: Outside) -> State {
        let mapped = fast_cgi::rows_outside(&outside);
        let layer = AppLayer {
            directory: root.to_owned(),
            fast_cgi_outside: Arc::new(outside),
            ..AppLayer::default()
        };
        State {
            broken: None,
            locks: Arc::default(),
            filter: Filter::default(),
            rewriting: Rewriting::default(),
            documents: serving::default_documents(),
            mapped,
            files: FilePolicy::default(),
            fields: Vec::new(),
            errors: ErrorPolicy::default(),
            layer: Arc::new(layer),
        }
    }

    /// Lets a piece change what holds; returns what is to be said about it. What is not inherited goes to `gathered`.
    pub(super) fn apply(&mut self, mut piece: Piece, root: &Path, gathered: &mut Gathered) -> Vec<Note> {
        let findings = &mut piece.findings;
        let configuration = &mut piece.configuration;
        locks::enforce(configuration, &CONFIGURATION, &piece.file, &self.locks, findings);
        let base = directory_of(&piece.base, &piece.target, root);
        for section in &configuration.children {
            match &*section.name {
                "appSettings" => {
                    let layer = Arc::make_mut(&mut self.layer);
                    layer.directory = root.join(&*piece.base);
                    applications::settings(section, &mut layer.app_settings, findings);
                }
                _ => {
                    for section in &section.children {
                        match &*section.name {
                            "iisnode" => {
                                let layer = Arc::make_mut(&mut self.layer);
                                layer.directory = root.join(&*piece.base);
                                applications::attributes(section, &mut layer.iisnode);
                            }
                            "handlers" => {
                                let layer = Arc::make_mut(&mut self.layer);
                                layer.directory = root.join(&*piece.base);
                                layer.processors.extend(fast_cgi::processors(section));
                                serving::handlers(section, &base, &mut self.mapped, findings);
                                gathered.handlers(serving::places(section, &base, &self.mapped));
                            }
                            "httpPlatform" => {
                                let layer = Arc::make_mut(&mut self.layer);
                                programs::take(section, root, &base, &mut layer.http_platform);
                                gathered.section(Module::HttpPlatform, &base, &section.source);
                            }
                            "aspNetCore" => {
                                let layer = Arc::make_mut(&mut self.layer);
                                programs::take(section, root, &base, &mut layer.asp_net_core);
                                gathered.section(Module::AspNetCore, &base, &section.source);
                            }
                            "fastCgi" => {
                                let layer = Arc::make_mut(&mut self.layer);
                                layer.directory = root.join(&*piece.base);
                                fast_cgi::take(section, &piece.target, &mut layer.fast_cgi, findings);
                            }
                            "rewrite" => self.rewriting.apply(section, &base, findings),
                            "defaultDocument" => serving::documents(section, &mut self.documents, findings),
                            "staticContent" => serving::files(section, &mut self.files, findings),
                            "httpProtocol" => serving::fields(section, &mut self.fields, findings),
                            "httpErrors" => errors::errors(section, &base, &mut self.errors, findings),
                            "security" => filtering::security(section, &mut self.filter, findings),
                            "applicationInitialization" => {
                                applications::warm_up(section, &base, &mut gathered.warm_up);
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        let locked = piece.locked.as_ref();
        locks::gather(configuration, &CONFIGURATION, &piece.file, locked, Arc::make_mut(&mut self.locks));
        if let Some(note) = findings.broken.as_ref().filter(|_| self.broken.is_none()) {
            self.broken = Some(reason(note, root).into());
        }
        let errors = findings
            .notes
            .iter()
            .filter(|note| findings.application.contains(note) || findings.broken.as_ref() == Some(note));
        let errors: Vec<Note> = errors.cloned().collect();
        if !errors.is_empty() {
            Arc::make_mut(&mut self.layer).errors.extend(errors);
        }
        std::mem::take(&mut findings.notes)
    }

    pub(super) fn policy(&self) -> Policy {
        let mut filter = self.filter.clone();
        filtering::seal(&mut filter, applications::overrides(&self.layer));
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        Policy {
            broken: self.broken.clone(),
            filter,
            rewrite: self.rewriting.rule_set(),
            documents: self.documents.clone(),
            mapping: Mapping { mapped: fast_cgi::compiled(&self.mapped, &self.layer.fast_cgi_outside) },
            files: self.files.clone(),
            fields: fields.collect::<String>().into(),
            errors: self.errors.clone(),
            programs: ProgramFolders {
                http_platform: self.layer.http_platform.as_ref().map(|section| section.base.clone()),
                asp_net_core: self.layer.asp_net_core.as_ref().map(|section| section.base.clone()),
            },
        }
    }
}

/// The directory that rules, mappings and programs of a piece are relative to, as it is spelled on the disk: its target,
/// or the nearest directory above that if it is none.
pub(super) fn directory_of(base: &str, target: &str, root: &Path) -> String {
    let mut directory = base.to_owned();
    let names = target.strip_prefix(base).unwrap_or_default().split('/');
    for name in names.filter(|name| !name.is_empty()) {
        let Some(name) = directory_in(&root.join(&directory), name) else { break };
        if !directory.is_empty() {
            directory.push('/');
        }
        directory.push_str(&name);
    }
    directory
}

/// The name of a directory in another one, found in any case.
fn directory_in(above: &Path, name: &str) -> Option<String> {
    if above.join(name).is_dir() {
        return Some(name.to_owned());
    }
    let wanted = name.to_lowercase();
    let entries = std::fs::read_dir(above).ok()?.flatten();
    let mut names = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.find(|name| name.to_lowercase() == wanted)
}

/// A note for those who ask for a page: with the place, but without where the site lies on the disk.
fn reason(note: &Note, root: &Path) -> String {
    match &note.source {
        Source::File { path, line, column } => {
            let path = path.strip_prefix(root).unwrap_or(path);
            format!("{}:{line}:{column}: {}", path.display(), note.what)
        }
        source => format!("{source}: {}", note.what),
    }
}
