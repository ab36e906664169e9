//! What is accepted of a pool and changes nothing here. It is no news for a site that runs: IIS needs some of it.

use super::said::Said;
use super::{FastCgiPool, Runs, table};
use crate::config::source::Note;

/// What only programs have that the host starts.
const OF_PROGRAMS: &[&str] = &["instanceMaxRequests", "idleTimeout", "signalBeforeTerminateSeconds"];

/// What was said in vain of a pool whose values are all allowed.
pub(super) fn notes(said: &Said, pool: &FastCgiPool) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut vain = |name: &str, why: &str| {
        if let Some(written) = said.written(name) {
            let what = format!("`{name}` is accepted and has no effect: {why}");
            notes.push(Note::warning(written.source.clone(), what));
        }
    };
    let is_on = |name: &str| {
        said.written(name).is_some_and(|written| table::switch(name, &written.value) == Ok(true))
    };
    let buffer = said.written(table::RESPONSE_BUFFER.name);
    if buffer
        .is_some_and(|text| table::RESPONSE_BUFFER.read(&text.value) != Ok(table::RESPONSE_BUFFER.default))
    {
        vain(table::RESPONSE_BUFFER.name, "a response is passed on as it comes");
    }
    if said.written("protocol").is_some_and(|written| table::protocol(&written.value) == Ok("Tcp")) {
        vain("protocol", "programs are always given a Unix socket of their own");
    }
    if is_on("flushNamedPipe") {
        vain("flushNamedPipe", "a connection on which something is left is closed");
    }
    if is_on("unhealthyOnQueueFull") {
        vain("unhealthyOnQueueFull", "the host is no worker process of IIS");
    }
    if let Runs::Server(_) = pool.runs {
        const WHY: &str = "the server runs already, and its programs are its own";
        OF_PROGRAMS.iter().for_each(|name| vain(name, WHY));
        notes.extend(said.variables.iter().map(|(name, value)| {
            Note::warning(value.source.clone(), format!("the variable `{name}` is not set: {WHY}"))
        }));
    }
    if let Some(written) = said.written("monitorChangesTo") {
        let missing = pool.watched_files.iter().filter(|file| !file.exists());
        notes.extend(missing.map(|file| {
            let what = format!("`monitorChangesTo`: there is no file {}", file.display());
            Note::warning(written.source.clone(), what)
        }));
    }
    notes
}
