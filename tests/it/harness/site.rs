//! A folder to serve: files written by a test, or one of the small workers of `tests/apps`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::repository;

/// A temporary folder whose name is the application's; gone when dropped.
pub(crate) struct Site {
    _parent: TempDir,
    folder: PathBuf,
}

impl Site {
    /// An empty folder of this name.
    pub(crate) fn named(name: &str) -> Site {
        let parent = tempfile::Builder::new().prefix("site").tempdir().unwrap();
        let folder = parent.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        Site { _parent: parent, folder }
    }

    /// A folder with one of the workers of `tests/apps`, found by the `main` of a `package.json`.
    pub(crate) fn with_app(name: &str) -> Site {
        let app = std::fs::read_to_string(repository(&format!("tests/apps/{name}.mjs"))).unwrap();
        Site::named(name).file("app.mjs", &app).file("package.json", r#"{ "main": "app.mjs" }"#)
    }

    /// The same site with one more file.
    pub(crate) fn file(self, name: &str, text: &str) -> Site {
        std::fs::write(self.folder.join(name), text).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}
