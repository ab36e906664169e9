//! A Procfile as Heroku has it: a line for each process, `name: command`. The one called `web` listens.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Procfile {
    /// The command of the first line called `web`.
    pub(super) web: Option<String>,
    /// The names of the other lines, in their order.
    pub(super) others: Vec<String>,
}

pub(super) const NAME: &str = "Procfile";

const MOST_BYTES: u64 = 64 * 1024;

/// The one in a folder, if there is one.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn load(folder: &Path) -> io::Result<Option<Procfile>> {
    let path = folder.join(NAME);
    if !path.is_file() {
        return Ok(None);
    }
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("it is larger than 64 KiB"));
    }
    Ok(Some(read(&text)))
}

/// What is no such line is passed over, as comments are.
fn read(text: &str) -> Procfile {
    let mut procfile = Procfile::default();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let Some((name, command)) = line.split_once(':') else { continue };
        let (name, command) = (name.trim(), command.trim());
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !is_name || command.is_empty() {
            continue;
        }
        if name == "web" && procfile.web.is_none() {
            procfile.web = Some(command.to_owned());
        } else {
            procfile.others.push(name.to_owned());
        }
    }
    procfile
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn lines_are_processes_and_everything_else_is_passed_over() {
        for (text, web, others) in [
            ("web: a b: c\nworker: d", Some("a b: c"), "worker"),
            ("\u{feff}release: x\r\nweb:  y  \r\n", Some("y"), "release"),
            ("# web: a\n\nnothing\nweb:\nmy clock: z\nclock-1: z", None, "clock-1"),
            ("web: a\nweb: b", Some("a"), "web"),
            ("", None, ""),
        ] {
            let procfile = read(text);
            assert_eq!(
                (procfile.web.as_deref(), procfile.others.join(" ").as_str()),
                (web, others),
                "{text:?}"
            );
        }
    }
}
