//! What watching promises, on real directories: before every look the sentinel already knows.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::fingerprint::{Fingerprint, What};
use super::list::WatchedFiles;
use super::{Changes, Trust, Watch};
use crate::base::sentinel::{Role, Sentinel};

const PATIENCE: Duration = Duration::from_secs(20);

/// One application's view of a directory, as the control plane keeps it.
struct Stage {
    root: TempDir,
    sentinel: Arc<Sentinel>,
    watch: Watch,
    list: WatchedFiles,
    known: Fingerprint,
}

impl Stage {
    /// The script's directory is `site` below the root.
    fn new(list: &str) -> Stage {
        let root = tempfile::tempdir().expect("a directory");
        let sentinel = Sentinel::new();
        let watch = Watch::new(sentinel.clone(), Duration::from_millis(20)).expect("a watch");
        let list = WatchedFiles::parse(list, &root.path().join("site"));
        Stage { root, sentinel, watch, list, known: Fingerprint::default() }
    }

    fn begin(&mut self) {
        for (directory, is_tree) in self.list.directories() {
            let trust = match is_tree {
                true => self.watch.tree(&directory, Role::Contents),
                false => self.watch.directory(&directory, Role::Contents),
            };
            assert_eq!(trust, Trust::Events);
        }
        self.known = self.list.fingerprint(&[]);
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// What a request that starts now must know of; everything is evaluated until it is quiet.
    async fn change(&mut self) -> Option<(PathBuf, What)> {
        let mut first = None;
        // Others' noise beside the root may disturb the quiet at any time, so it is not asserted here.
        while !self.sentinel.is_quiet() {
            let Ok(changes) = tokio::time::timeout(Duration::from_millis(200), self.watch.next()).await
            else {
                continue;
            };
            let is_asked =
                changes.is_everywhere() || changes.paths.iter().any(|path| self.list.concerns(path));
            if is_asked {
                let now = self.list.fingerprint(&[]);
                let change = self.known.difference(&now);
                first = first.or(change.map(|change| (change.path, change.what)));
                self.known = now;
            }
        }
        first
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it has a parent")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

async fn next(watch: &mut Watch) -> Changes {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("something changes")
}

#[tokio::test]
async fn every_save_is_known_before_the_next_request() {
    let mut stage = Stage::new("*.js;iisnode.yml");
    write(&stage.at("site/server.js"), "1");
    stage.begin();
    let server = stage.at("site/server.js");
    for n in 0..100 {
        write(&server, &"x".repeat(n + 2));
        assert!(!stage.sentinel.is_quiet());
        assert_eq!(stage.change().await, Some((server.clone(), What::Written)), "write {n}");
        write(&stage.at("site/server.js~"), &"y".repeat(n + 2));
        fs::rename(stage.at("site/server.js~"), &server).expect("it can be renamed");
        assert_eq!(stage.change().await, Some((server.clone(), What::Written)), "rename {n}");
    }
    fs::remove_file(&server).expect("it can go");
    assert_eq!(stage.change().await, Some((server, What::Deleted)));
    write(&stage.at("site/notes.txt"), "1");
    write(&stage.at("site/lib/deep.js"), "1");
    assert_eq!(stage.change().await, None);
}

#[tokio::test]
async fn a_whole_tree_made_at_once_is_found_with_its_files() {
    let mut stage = Stage::new("**/*.js");
    write(&stage.at("site/server.js"), "1");
    stage.begin();
    let deep = stage.at("site/1/2/3/4/5/new.js");
    write(&deep, "1");
    assert_eq!(stage.change().await, Some((deep.clone(), What::Created)));
    write(&deep, "22");
    assert_eq!(stage.change().await, Some((deep.clone(), What::Written)));
    fs::rename(stage.at("site/1"), stage.at("site/one")).expect("it can be renamed");
    assert!(stage.change().await.is_some());
    let moved = stage.at("site/one/2/3/4/5/new.js");
    write(&moved, "333");
    assert_eq!(stage.change().await, Some((moved, What::Written)));
    fs::rename(stage.at("site/one"), stage.at("away")).expect("it can be renamed");
    assert!(matches!(stage.change().await, Some((_, What::Deleted))));
    write(&stage.at("away/2/3/4/5/new.js"), "4444");
    assert_eq!(stage.change().await, None);
}

#[tokio::test]
async fn a_directory_that_is_missing_is_known_as_soon_as_it_appears() {
    let mut stage = Stage::new("lib\\deep\\*.js");
    stage.begin();
    let file = stage.at("site/lib/deep/a.js");
    write(&file, "1");
    assert_eq!(stage.change().await, Some((file.clone(), What::Created)));
    write(&file, "22");
    assert_eq!(stage.change().await, Some((file, What::Written)));
}

#[tokio::test]
async fn a_site_that_is_deleted_and_made_again_stays_watched() {
    let mut stage = Stage::new("*.js");
    let server = stage.at("site/server.js");
    write(&server, "1");
    stage.begin();
    // As a worker that stands in it would: the directory itself tells nothing then.
    let _inside = fs::File::open(stage.at("site")).expect("it can be opened");
    for n in 0..20 {
        fs::remove_dir_all(stage.at("site")).expect("it can go");
        if n % 2 == 0 {
            assert_eq!(stage.change().await, Some((server.clone(), What::Deleted)));
        }
        write(&server, &"x".repeat(n + 2));
        assert!(stage.change().await.is_some(), "made again {n}");
        write(&server, &"x".repeat(n + 100));
        assert_eq!(stage.change().await, Some((server.clone(), What::Written)), "written {n}");
    }
}

#[tokio::test]
async fn a_swapped_link_on_the_way_is_a_change() {
    let mut stage = Stage::new("*.js");
    write(&stage.at("releases/1/server.js"), "1");
    write(&stage.at("releases/2/server.js"), "2");
    std::os::unix::fs::symlink(stage.at("releases/1"), stage.at("site")).expect("it can be linked");
    stage.begin();
    std::os::unix::fs::symlink(stage.at("releases/2"), stage.at("next")).expect("it can be linked");
    fs::rename(stage.at("next"), stage.at("site")).expect("it can be renamed");
    let server = stage.at("site/server.js");
    assert_eq!(stage.change().await, Some((server.clone(), What::Written)));
    write(&stage.at("releases/2/server.js"), "22");
    assert_eq!(stage.change().await, Some((server, What::Written)));
    write(&stage.at("releases/1/server.js"), "333");
    assert_eq!(stage.change().await, None);
}

#[tokio::test]
async fn two_paths_to_one_directory_are_both_told_of() {
    let mut stage = Stage::new("*.js");
    write(&stage.at("site/server.js"), "1");
    std::os::unix::fs::symlink(stage.at("site"), stage.at("alias")).expect("it can be linked");
    stage.begin();
    stage.watch.directory(&stage.at("alias"), Role::Contents);
    write(&stage.at("site/server.js"), "2");
    let told = next(&mut stage.watch).await.paths;
    assert!(told.contains(&stage.at("site/server.js")) && told.contains(&stage.at("alias/server.js")));
}

#[tokio::test]
async fn what_nobody_keeps_is_no_longer_watched() {
    let mut stage = Stage::new("*.js;lib/**");
    write(&stage.at("site/lib/deep/a.js"), "1");
    stage.begin();
    assert!(stage.watch.places.held_count() >= 4);
    stage.watch.retain(&HashSet::from([stage.at("site")]));
    write(&stage.at("site/lib/deep/a.js"), "2");
    assert_eq!(stage.change().await, None);
    write(&stage.at("site/a.js"), "2");
    assert!(stage.change().await.is_some());
    stage.watch.retain(&HashSet::new());
    assert_eq!(stage.watch.places.held_count(), 0);
}

#[tokio::test]
async fn polled_places_feed_the_same_stream_and_raise_the_sentinel() {
    let mut stage = Stage::new("*.js");
    write(&stage.at("site/a.js"), "1");
    stage.watch.places.poll.add(&stage.at("site"), false);
    stage.watch.places.poll.add(&stage.at("later"), true);
    let made = stage.at("site/b.js");
    write(&made, "1");
    let mut told = next(&mut stage.watch).await;
    while !told.paths.contains(&made) {
        drop(told);
        told = next(&mut stage.watch).await;
    }
    assert!(!stage.sentinel.is_quiet());
    drop(told);
    let late = stage.at("later/deep/c.js");
    write(&late, "1");
    let mut told = next(&mut stage.watch).await;
    while !told.paths.contains(&stage.at("later")) && !told.paths.contains(&late) {
        drop(told);
        told = next(&mut stage.watch).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweep_comes_even_if_nothing_happens() {
    let mut watch = Watch::new(Sentinel::new(), Duration::from_secs(5)).expect("a watch");
    let begun = tokio::time::Instant::now();
    let changes = watch.next().await;
    assert!(changes.sweep && changes.is_everywhere() && changes.paths.is_empty());
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn losing_events_means_to_look_everywhere_and_to_watch_what_was_missed() {
    let mut stage = Stage::new("**/*.js");
    write(&stage.at("site/a.js"), "1");
    stage.begin();
    let mut found = super::places::Found::default();
    (found.has_lost, found.overflow) = (true, true);
    write(&stage.at("site/lib/b.js"), "1");
    // As if the queue had been full: its events are thrown away.
    let guard = stage.sentinel.begin_reading();
    stage.sentinel.read(|_| {}).expect("events can be read");
    drop(guard);
    stage.watch.places.mend(&mut found);
    stage.known = stage.list.fingerprint(&[]);
    write(&stage.at("site/lib/b.js"), "22");
    assert_eq!(stage.change().await, Some((stage.at("site/lib/b.js"), What::Written)));
}
