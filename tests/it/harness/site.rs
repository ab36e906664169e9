//! A folder to serve: files written by a test, or one of the small workers of `tests/apps`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Host, repository};

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

    /// A folder with a script, and a web.config that hands the script's requests to iisnode.
    pub(crate) fn iisnode(script: &str, app: &str) -> Site {
        Site::handling(script).file(script, app)
    }

    /// A folder with a web.config that hands the scripts of this handler path to iisnode, and no script yet.
    pub(crate) fn handling(path: &str) -> Site {
        Site::named("site").web_config(&web_config(&handlers([path])))
    }

    /// The same site with one more file, and the folders on its way.
    pub(crate) fn file(self, name: &str, text: &str) -> Site {
        self.write(name, text);
        self
    }

    /// The same site with this web.config, in place of any before.
    pub(crate) fn web_config(self, text: &str) -> Site {
        self.file("web.config", text)
    }

    /// The same site with one more element at the end of the `system.webServer` of its web.config.
    #[track_caller]
    pub(crate) fn element(self, element: &str) -> Site {
        self.put_before("</system.webServer>", element)
    }

    /// The same site with these attributes in the `iisnode` element of its web.config.
    #[track_caller]
    pub(crate) fn set(self, attributes: &str) -> Site {
        self.element(&format!("<iisnode {attributes}/>"))
    }

    /// The same site with these variables in the `appSettings` of its web.config.
    #[track_caller]
    pub(crate) fn app_settings(self, settings: &[(&str, &str)]) -> Site {
        let add = |(key, value): &(&str, &str)| format!("<add key=\"{key}\" value=\"{value}\"/>");
        let settings = settings.iter().map(add).collect::<String>();
        self.put_before("</configuration>", &format!("<appSettings>{settings}</appSettings>"))
    }

    /// The same site with this iisnode.yml beside its web.config.
    pub(crate) fn yml(self, text: &str) -> Site {
        self.file("iisnode.yml", text)
    }

    #[track_caller]
    fn put_before(self, end: &str, element: &str) -> Site {
        let text = self.read("web.config");
        let (before, after) = text.rsplit_once(end).unwrap();
        self.web_config(&format!("{before}{element}\n{end}{after}"))
    }

    /// Writes a file in place, as `writeFileSync` does; the site may be running.
    #[track_caller]
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a file beside and moves it into place, as careful editors do.
    #[track_caller]
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let beside = format!("{name}~");
        self.write(&beside, text);
        std::fs::rename(self.folder.join(beside), self.folder.join(name)).unwrap();
    }

    #[track_caller]
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.join(name)).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The names in a folder of the site, in their order; none if it is not there.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(folder)) else { return Vec::new() };
        let mut names =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
        names.sort_unstable();
        names
    }

    /// A host that serves it; its applications start with their first requests.
    #[track_caller]
    pub(crate) fn serve(&self) -> Host {
        Host::of(&self.folder).without_waiting().start()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

/// A web.config with these elements in its `system.webServer`.
pub(crate) fn web_config(elements: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration>\n  <system.webServer>\n{elements}\n  </system.webServer>\n</configuration>\n"
    )
}

/// The `handlers` element that gives these paths to iisnode.
pub(crate) fn handlers<'a>(paths: impl IntoIterator<Item = &'a str>) -> String {
    let add = |path| format!("<add name=\"{path}\" path=\"{path}\" verb=\"*\" modules=\"iisnode\"/>");
    format!("<handlers>{}</handlers>", paths.into_iter().map(add).collect::<String>())
}
