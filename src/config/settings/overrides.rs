//! Where the iisnode.yml of a script is, and its bytes.
//!
//! iisnode looks beside the script only, so that a file at the site's root is lost on `dist/server.js`; here the folder of
//! the web.config is asked next. Names are found in any letter case, as on Windows: people write `IISNode.yml`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::paths::{forward, joined, last_name};
use crate::config::source::{Note, Source};

const MOST_BYTES: u64 = 1024 * 1024;

/// What was looked for and what was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) looked_at: Vec<PathBuf>,
    pub(super) file: Option<(Arc<Path>, Vec<u8>)>,
}

/// The first of `name` in `directories` that exists. An empty name means none.
///
/// # Errors
/// A file that is there and cannot be read.
pub(super) fn find(name: &str, directories: [&Path; 2]) -> Result<Found, (Vec<PathBuf>, Note)> {
    let mut found = Found::default();
    if name.trim().is_empty() {
        return Ok(found);
    }
    for directory in directories {
        let written = joined(directory, &forward(name.trim()));
        if found.looked_at.contains(&written) {
            continue;
        }
        let path = if written.exists() { written } else { in_another_case(&written).unwrap_or(written) };
        found.looked_at.push(path.clone());
        match read(&path) {
            Ok(bytes) => {
                found.file = Some((path.into(), bytes));
                break;
            }
            Err(error) if missing(&error) => {}
            Err(error) => {
                let source = Source::File { path: path.into(), line: 1, column: 1 };
                return Err((
                    found.looked_at,
                    Note::error(source, format!("this file cannot be read: {error}")),
                ));
            }
        }
    }
    Ok(found)
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The one file whose name differs by letter case only.
fn in_another_case(path: &Path) -> Option<PathBuf> {
    let name = last_name(path.to_str()?);
    let mut others = fs::read_dir(path.parent()?)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|other| other.eq_ignore_ascii_case(name)));
    let only = others.next()?;
    others.next().is_none().then(|| only.path())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe that somebody put there would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}
