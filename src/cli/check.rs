//! `ostler check`: reads every configuration file of a site and says all that is wrong, in one run. Starts nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{USAGE, applications, fail, fast_cgi, programs, show, sites};
use crate::base::root::{Kind, Root};
use crate::config::fastcgi::outside::ProgramEntry;
use crate::config::host_file::HostFile;
use crate::config::settings::{self, Resolved};
use crate::config::site::{self, SiteConfig};
use crate::config::source::{Level, Note, Source};
use crate::rules::mapping::Module;

const EXAMPLES: &str = "\
Examples:
  ostler check                  the site in this folder
  ostler check --json site      for programs
The exit code is 0 if there are no errors (warnings are fine), else 2.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The site's folder; this folder if left out
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The host's file; its sites are checked
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    files: Vec<PathBuf>,
    errors: usize,
    warnings: usize,
    notes: Vec<NoteOut>,
}

#[derive(Serialize)]
struct NoteOut {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    /// The same in words, also for what stands in no file.
    place: String,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Check {
    pub(super) fn execute(self) -> ExitCode {
        let host_file: Vec<PathBuf> =
            sites::host_file_path(&self.path, self.config.as_deref()).into_iter().collect();
        let file = match sites::host_file_or_notes(&self.path, self.config.as_deref()) {
            Ok(file) => file,
            Err(notes) => return self.report(&host_file, &notes),
        };
        let plans = match sites::plans(&self.path, self.config.as_deref()) {
            Ok(plans) => plans,
            Err(why) => return fail(&why, USAGE),
        };
        let (mut notes, mut files) = match applications::check(&self.path, file.as_ref()) {
            Ok(found) => found,
            Err(why) => return fail(&why, USAGE),
        };
        files.extend(host_file);
        notes.extend(file.iter().flat_map(|file| file.notes.iter().cloned()));
        let mut unused = programs_of(file.as_ref());
        for plan in plans {
            let root = match plan.root.canonicalize() {
                Ok(root) => root,
                Err(error) => return fail(&format!("{}: {error}", plan.root.display()), USAGE),
            };
            let config = site::load_within(&root, &plan.fast_cgi);
            notes.extend(config.notes.iter().cloned());
            notes.extend(missing_scripts(&config));
            files.extend(config.files.iter().cloned());
            check_applications(&root, &config, &plan.defaults, &mut notes, &mut files);
            unused.retain(|program| !fast_cgi::is_used(program, &config, &sites::environment()));
        }
        // A file with an error was read, too.
        files.extend(notes.iter().filter_map(|note| match &note.source {
            Source::File { path, .. } => Some(path.to_path_buf()),
            _ => None,
        }));
        notes.extend(unused.iter().map(fast_cgi::unused));
        let mut seen = Vec::new();
        for note in notes {
            if !seen.contains(&note) {
                seen.push(note);
            }
        }
        self.report(&files, &seen)
    }

    fn report(&self, files: &[PathBuf], notes: &[Note]) -> ExitCode {
        let files = read(files);
        let count = |level| notes.iter().filter(|note| note.level == level).count();
        let (errors, warnings) = (count(Level::Error), count(Level::Warning));
        let text = if self.json {
            let notes = notes.iter().map(NoteOut::of).collect();
            let report = Report { files, errors, warnings, notes };
            match serde_json::to_string_pretty(&report) {
                Ok(text) => text + "\n",
                Err(error) => return fail(&error, 1),
            }
        } else {
            let mut text: String = notes.iter().map(show::note).collect();
            let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            text.push_str(&format!(
                "{} read: {}, {}\n",
                plural(files.len(), "file"),
                plural(errors, "error"),
                plural(warnings, "warning")
            ));
            text
        };
        super::print(&text);
        if errors > 0 { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
    }
}

/// Each once, by its one name, without those that would be read if they were there.
fn read(files: &[PathBuf]) -> Vec<PathBuf> {
    let there = files.iter().filter_map(|file| file.canonicalize().ok()).filter(|file| file.is_file());
    there.collect::<BTreeSet<PathBuf>>().into_iter().collect()
}

fn programs_of(file: Option<&HostFile>) -> Vec<ProgramEntry> {
    file.map(|file| file.programs.clone()).unwrap_or_default()
}

/// The settings of every application that can be known without a request.
fn check_applications(
    root: &Path,
    config: &SiteConfig,
    defaults: &settings::Defaults,
    notes: &mut Vec<Note>,
    files: &mut Vec<PathBuf>,
) {
    let environment = sites::environment();
    notes.extend(fast_cgi::notes(config, &environment));
    for layer in config.layers.values() {
        notes.extend(programs::notes(layer, &environment));
        match settings::resolve(layer, &layer.directory, &environment, defaults) {
            Ok(resolved) => {
                notes.extend(blanks_in_watched_files(&resolved));
                notes.extend(resolved.notes);
            }
            Err(errors) => notes.extend(errors),
        }
    }
    for script in scripts(config) {
        let Some(layer) = config.layers.at(&script) else { continue };
        let path = root.join(&script);
        let directory = path.parent().unwrap_or(root);
        match settings::resolve(layer, directory, &environment, defaults) {
            Ok(resolved) => {
                notes.extend(blanks_in_watched_files(&resolved));
                notes.extend(resolved.notes);
                files.extend(resolved.overrides);
                notes.extend(settings::worker_environment(&resolved.settings, layer, &environment).1);
            }
            Err(errors) => notes.extend(errors),
        }
    }
}

/// A word for every handler whose script is nowhere it could be.
fn missing_scripts(config: &SiteConfig) -> Vec<Note> {
    let Ok(disk) = Root::open(&config.root) else { return Vec::new() };
    let is_script = |path: &str| matches!(disk.find(path), Some((Kind::File, _)));
    let below = |directory: &str, name: &str| match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    };
    let mut notes = Vec::new();
    for handler in &config.handlers {
        let mapped = &handler.value;
        if mapped.path.contains('*')
            || mapped.path.is_empty()
            || is_script(&below(&mapped.base, &mapped.path))
        {
            continue;
        }
        // A name alone means every script of that name further down.
        let mut directories =
            config.directories.iter().filter_map(|path| path.strip_prefix(&config.root).ok()?.to_str());
        let elsewhere = !mapped.path.contains('/')
            && directories.any(|directory| {
                Path::new(directory).starts_with(&*mapped.base) && is_script(&below(directory, &mapped.path))
            });
        if !elsewhere {
            let what = format!("the script {} of handler `{}` does not exist", mapped.path, mapped.name);
            notes.push(Note::warning(handler.source.clone(), what));
        }
    }
    notes
}

/// iisnode takes blanks around a name for a part of it, so such an entry watches nothing that people name.
fn blanks_in_watched_files(resolved: &Resolved) -> Vec<Note> {
    let Some((_, told)) = resolved.told.iter().find(|(name, _)| *name == "watchedFiles") else {
        return Vec::new();
    };
    let entries = resolved.settings.watched_files.split(';');
    let blank = entries.filter(|entry| *entry != entry.trim() && !entry.trim().is_empty());
    let note = |entry: &str| {
        let what = format!("the blanks of `{entry}` in `watchedFiles` are a part of the name");
        Note::warning(told.source.clone(), what)
            .with_help(format!("`{}` is the name without them", entry.trim()))
    };
    blank.map(note).collect()
}

/// The scripts that handlers name; for patterns, a script in the directory of the file that has them.
fn scripts(config: &SiteConfig) -> BTreeSet<String> {
    let mut scripts = BTreeSet::new();
    for policy in config.policies.values() {
        for mapped in policy.mapping.mapped.iter().filter(|mapped| mapped.module == Module::Iisnode) {
            let base = Path::new(&*mapped.base);
            let script = if mapped.path.contains('*') { base.join("x") } else { base.join(&*mapped.path) };
            scripts.extend(script.to_str().map(str::to_owned));
        }
    }
    scripts
}

impl NoteOut {
    fn of(note: &Note) -> NoteOut {
        let (file, line, column) = match &note.source {
            Source::File { path, line, column } => {
                (Some(path.display().to_string()), Some(*line), Some(*column))
            }
            _ => (None, None, None),
        };
        NoteOut {
            file,
            line,
            column,
            level: match note.level {
                Level::Error => "error",
                Level::Warning => "warning",
            },
            place: note.source.to_string(),
            what: note.what.clone(),
            help: note.help.clone(),
        }
    }
}
