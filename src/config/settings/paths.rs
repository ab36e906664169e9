//! Paths as people write them on Windows, seen from here.

use std::path::{Component, Path, PathBuf};

/// `D:\…`, `\\server\share` or `\…`: a path that names nothing on this system.
pub(in crate::config) fn is_windows_absolute(text: &str) -> bool {
    let bytes = text.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    drive || text.starts_with('\\')
}

/// With `/` between names.
pub(in crate::config) fn forward(text: &str) -> String {
    text.replace('\\', "/")
}

/// The last name of a path, by either separator; empty if it ends at a drive.
pub(in crate::config) fn last_name(text: &str) -> &str {
    let name = text.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or("");
    if name.ends_with(':') { "" } else { name }
}

/// `path` seen from `base`, without `.` and `..`. Links are not followed: what is named need not exist yet.
pub(in crate::config) fn joined(base: &Path, path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_windows_absolute, joined, last_name};

    #[test]
    fn windows_paths_are_recognised_and_others_left_alone() {
        for (text, absolute, last) in [
            (r"D:\home\LogFiles", true, "LogFiles"),
            (r"D:\home\LogFiles\", true, "LogFiles"),
            ("d:/home/logs", true, "logs"),
            (r"D:\", true, ""),
            (r"\\server\share\logs", true, "logs"),
            (r"\logs", true, "logs"),
            (r"..\logs", false, "logs"),
            ("/var/log/app", false, "app"),
            ("iisnode", false, "iisnode"),
            ("", false, ""),
        ] {
            assert_eq!((is_windows_absolute(text), last_name(text)), (absolute, last), "{text}");
        }
        assert_eq!(joined(Path::new("/a/b"), "../logs/./x"), Path::new("/a/logs/x"));
        assert_eq!(joined(Path::new("/a"), "../../../x"), Path::new("/x"));
        assert_eq!(joined(Path::new("/a"), "/x/y"), Path::new("/x/y"));
    }
}
