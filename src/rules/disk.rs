//! What the rules ask of the disk: what a path below the site's root is.

pub(crate) use crate::base::root::Kind;
use crate::base::root::Root;

/// The tree of a site. Paths are relative to its root, with `/` between names and none at either end; `""` is the root.
pub(crate) trait Disk {
    /// What `path` names, spelled as it is on the disk; None for nothing, or for what may not be reached.
    ///
    /// Names that exist in another case are found if exactly one does, as on Windows.
    fn find(&self, path: &str) -> Option<(Kind, String)>;

    /// A path that was found, as it is without links.
    fn without_links(&self, path: &str) -> String {
        path.to_owned()
    }
}

impl Disk for Root {
    fn find(&self, path: &str) -> Option<(Kind, String)> {
        Root::find(self, path)
    }

    fn without_links(&self, path: &str) -> String {
        Root::without_links(self, path)
    }
}
