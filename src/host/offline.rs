//! `app_offline.htm`: while it lies in the folder of an application, the application is offline, and everybody gets the page.

use std::path::Path;
use std::sync::Arc;

use crate::pool::Kind;

/// While this file lies in the folder of an application's web.config, the application is offline.
const OFFLINE: &str = "app_offline.htm";
const MAX_OFFLINE_BYTES: u64 = 1024 * 1024;

/// Whether a path is that of the page, in any letter case.
pub(super) fn is_page(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(OFFLINE))
}

/// Whether a page in `folder` is for the application at `path`: a script is closed from above, too, a program by the page
/// in its own folder only.
pub(super) fn concerns(folder: &Path, kind: Kind, path: &Path) -> bool {
    match kind {
        Kind::HttpPlatform | Kind::AspNetCore => path == folder,
        Kind::Script | Kind::Command | Kind::FastCgi => path.starts_with(folder),
    }
}

/// The page that is shown instead of an application that is offline.
pub(super) fn page(directory: &Path) -> Option<Arc<[u8]>> {
    use std::io::Read;
    let mut entries = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let file = std::fs::File::open(entries.find(|path| is_page(path))?).ok()?;
    let mut page = Vec::new();
    file.take(MAX_OFFLINE_BYTES).read_to_end(&mut page).ok()?;
    Some(page.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::concerns;
    use crate::pool::Kind;

    #[test]
    fn a_page_closes_the_program_of_its_own_folder_and_scripts_below_it() {
        for (folder, kind, path, expected) in [
            ("/site", Kind::AspNetCore, "/site/", true),
            ("/site", Kind::HttpPlatform, "/site/shop", false),
            ("/site/shop", Kind::HttpPlatform, "/site/shop", true),
            ("/site/shop/below", Kind::AspNetCore, "/site/shop", false),
            ("/site", Kind::Script, "/site/shop/server.js", true),
            ("/site/other", Kind::Script, "/site/shop/server.js", false),
        ] {
            assert_eq!(concerns(Path::new(folder), kind, Path::new(path)), expected, "{folder} {path}");
        }
    }
}
