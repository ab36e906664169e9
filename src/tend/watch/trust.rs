//! Where events can be trusted: not where another machine may write, which the kernel here never hears of.

use std::path::{Path, PathBuf};

/// File systems whose files others change, by their magic number.
const REMOTE: &[u32] = &[
    0x6969,      // nfs
    0x517B,      // smb
    0xFF53_4D42, // cifs
    0xFE53_4D42, // smb2
    0x0102_1997, // 9p: WSL, virtual machines
    0x6573_5546, // fuse, virtiofs: Docker Desktop, sshfs, cloud drives
    0x786F_4256, // vboxsf
    0xBACB_ACBC, // vmhgfs
    0x7C7C_6673, // prl_fs
    0x00C3_6400, // ceph
    0x5346_414F, // afs
    0x6B41_4653, // kafs
    0x7375_7245, // coda
    0x0116_1970, // gfs2
    0x7461_636F, // ocfs2
    0x0BD0_0BD0, // lustre
];

/// False where files change without events; a path that does not exist is where it would be made.
pub(super) fn sends_events(path: &Path) -> bool {
    // What cannot be asked is found out by watching it.
    rustix::fs::statfs(nearest_directory(path)).is_ok_and(|about| !REMOTE.contains(&(about.f_type as u32)))
}

/// The directory itself, or the nearest one above it that exists.
pub(super) fn nearest_directory(path: &Path) -> PathBuf {
    path.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("/")).to_owned()
}
