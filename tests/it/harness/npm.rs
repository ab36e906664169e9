//! npm packages, installed once from the lock files that are checked in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg};

use super::command::{command, run};

/// A path inside the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder, with the packages its lock file names; `npm ci` runs when they are missing or older than the lock.
#[track_caller]
pub(crate) fn with_packages(folder: &Path) -> PathBuf {
    let folder = repository(&folder.to_string_lossy());
    if !folder.join("package-lock.json").exists() || is_current(&folder) {
        return folder;
    }
    // Tests run side by side, also in several processes; the first one installs.
    let guard = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm.lock")).unwrap();
    let guard = Flock::lock(guard, FlockArg::LockExclusive).map_err(|(_, error)| error).unwrap();
    if !is_current(&folder) {
        install(&folder);
    }
    drop(guard);
    folder
}

fn install(folder: &Path) {
    for program in ["node", "npm"] {
        let found = command(program).arg("--version").output().is_ok_and(|output| output.status.success());
        assert!(found, "`{program}` is missing: these tests need Node.js 20 or later and npm in the PATH");
    }
    let mut npm = command("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]).current_dir(folder);
    let outcome = run(npm);
    assert!(
        outcome.status.success(),
        "`npm ci` failed in {}: {}{}",
        folder.display(),
        outcome.text(),
        outcome.stderr
    );
}

/// npm writes a lock of its own into `node_modules` as its last act.
fn is_current(folder: &Path) -> bool {
    let written = |path: &str| -> Option<SystemTime> { folder.join(path).metadata().ok()?.modified().ok() };
    written("node_modules/.package-lock.json") > written("package-lock.json")
}
