//! Real directories, links and pipes, with the kernel's help and without.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Kind, Root};

const FILE: Option<Kind> = Some(Kind::File);
const DIRECTORY: Option<Kind> = Some(Kind::Directory);

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let site = Site { folder };
        fs::create_dir_all(site.path().join("public/css")).unwrap();
        fs::write(site.path().join("public/css/Main.css"), "body {}").unwrap();
        fs::write(site.path().join("server.js"), "// node").unwrap();
        fs::write(site.outside().join("secret.txt"), "secret").unwrap();
        site
    }

    /// The root lies one below what is temporary, so that there is something to climb to.
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("site")
    }

    fn outside(&self) -> &Path {
        self.folder.path()
    }

    /// With the kernel's help, where there is any, and without.
    fn roots(&self) -> [Root; 2] {
        let by_kernel = Root::open(&self.path()).unwrap();
        let mut walking = Root::open(&self.path()).unwrap();
        walking.beneath = false;
        [by_kernel, walking]
    }
}

fn kind(root: &Root, path: &str) -> Option<Kind> {
    root.find(path).map(|(kind, _)| kind)
}

fn content(root: &Root, path: &str) -> Option<Vec<u8>> {
    let file = root.open_file(path).ok()?;
    let mut bytes = vec![0; usize::try_from(file.length()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    Some(bytes)
}

#[test]
fn files_and_directories_are_found_and_files_are_read() {
    let site = Site::new();
    for root in site.roots() {
        for (path, found) in [
            ("", DIRECTORY),
            ("public", DIRECTORY),
            ("public/css", DIRECTORY),
            ("public/css/Main.css", FILE),
            ("server.js", FILE),
            ("server.js/debug", None),
            ("missing", None),
            ("public/missing/Main.css", None),
        ] {
            assert_eq!(kind(&root, path), found, "{path}");
        }
        assert_eq!(content(&root, "public/css/Main.css").unwrap(), b"body {}");
        for path in ["", "public", "public/css", "missing", "server.js/debug"] {
            assert_eq!(root.open_file(path).unwrap_err().kind(), std::io::ErrorKind::NotFound, "{path}");
        }
    }
}

#[test]
fn nothing_outside_the_root_is_found_or_opened() {
    let site = Site::new();
    let path = site.path();
    let secret = site.outside().join("secret.txt");
    symlink(&secret, path.join("absolute.txt")).unwrap();
    symlink("../secret.txt", path.join("climbing.txt")).unwrap();
    symlink("climbing.txt", path.join("chain.txt")).unwrap();
    symlink("..", path.join("above")).unwrap();
    symlink("/", path.join("slash")).unwrap();
    symlink("/proc/self/root", path.join("magic")).unwrap();
    symlink("/proc/self/fd/0", path.join("magic.txt")).unwrap();
    symlink("loop", path.join("loop")).unwrap();
    let absolute = secret.to_str().unwrap().to_owned();
    for root in site.roots() {
        for escape in [
            "..",
            "../secret.txt",
            "public/../../secret.txt",
            "public/../server.js",
            "./server.js",
            "/etc/passwd",
            &absolute,
            "absolute.txt",
            "climbing.txt",
            "chain.txt",
            "above",
            "above/secret.txt",
            "ABOVE/secret.txt",
            "Above/Secret.txt",
            "above/site/server.js",
            "slash/etc/passwd",
            "magic",
            "magic/etc/passwd",
            "magic.txt",
            "loop",
            "loop/loop",
            "public//css",
            "public/",
            "/public",
            "server.js\0.txt",
            "%2e%2e/secret.txt",
            "..\\secret.txt",
        ] {
            assert_eq!(kind(&root, escape), None, "{escape}");
            assert!(root.open_file(escape).is_err(), "{escape}");
        }
    }
}

#[test]
fn links_inside_the_root_are_followed_if_the_kernel_keeps_them_there() {
    let site = Site::new();
    symlink("public/css", site.path().join("styles")).unwrap();
    symlink("../server.js", site.path().join("public/app.js")).unwrap();
    let [by_kernel, walking] = site.roots();
    assert_eq!(kind(&walking, "styles"), None);
    assert_eq!(kind(&walking, "public/app.js"), None);
    assert!(walking.open_file("public/app.js").is_err());
    if by_kernel.beneath {
        assert_eq!(kind(&by_kernel, "styles/Main.css"), FILE);
        assert_eq!(by_kernel.find("STYLES/main.css").unwrap().1, "styles/Main.css");
        assert_eq!(content(&by_kernel, "public/app.js").unwrap(), b"// node");
    }
}

/// The open of a pipe waits for a writer, unless told not to; a device may do anything.
#[test]
fn what_is_neither_file_nor_directory_is_nothing_and_keeps_nobody_waiting() {
    let site = Site::new();
    nix::unistd::mkfifo(&site.path().join("pipe.txt"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path().join("socket.txt")).unwrap();
    let roots = site.roots();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        for root in roots {
            for path in ["pipe.txt", "socket.txt", "PIPE.txt"] {
                assert_eq!(kind(&root, path), None, "{path}");
                assert_eq!(root.open_file(path).unwrap_err().kind(), std::io::ErrorKind::NotFound, "{path}");
            }
        }
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(10)).expect("nobody waits");
}

#[test]
fn the_wrong_case_finds_the_only_candidate_and_the_exact_name_comes_first() {
    let site = Site::new();
    fs::write(site.path().join("a.txt"), "small").unwrap();
    fs::write(site.path().join("A.txt"), "large").unwrap();
    fs::write(site.path().join(std::ffi::OsStr::from_bytes(b"\xff.txt")), "no text").unwrap();
    for root in site.roots() {
        for (asked, spelled) in [
            ("PUBLIC/CSS/main.CSS", Some("public/css/Main.css")),
            ("Public", Some("public")),
            ("Server.JS", Some("server.js")),
            ("a.txt", Some("a.txt")),
            ("A.txt", Some("A.txt")),
            ("a.TXT", None),
            ("\u{fffd}.txt", None),
            ("Server.JS/debug", None),
        ] {
            assert_eq!(root.find(asked).map(|(_, spelled)| spelled).as_deref(), spelled, "{asked}");
        }
        assert!(root.open_file("SERVER.js").is_err());
    }
}

#[test]
fn a_name_that_comes_or_goes_is_noticed_at_once() {
    let site = Site::new();
    for root in site.roots() {
        for round in 0..3 {
            let (file, asked) = (format!("public/new{round}.txt"), format!("Public/NEW{round}.TXT"));
            let deadline = Instant::now() + Duration::from_secs(10);
            while !root.listings.remembers("public") {
                assert_eq!(kind(&root, &asked), None, "{asked}");
                assert!(Instant::now() < deadline, "a directory that rests is remembered");
            }
            fs::write(site.path().join(&file), "new").unwrap();
            assert_eq!(root.find(&asked).unwrap().1, file);
            fs::remove_file(site.path().join(&file)).unwrap();
            assert_eq!(kind(&root, &asked), None, "{asked}");
        }
    }
}

#[test]
fn a_directory_too_large_to_look_into_has_exact_names_only() {
    let site = Site::new();
    let many = site.path().join("many");
    fs::create_dir_all(many.join("deep")).unwrap();
    fs::write(many.join("deep/File.txt"), "deep").unwrap();
    (0..4096).for_each(|number| fs::write(many.join(format!("{number}.txt")), "").unwrap());
    for root in site.roots() {
        assert_eq!(kind(&root, "many/17.txt"), FILE);
        assert_eq!(kind(&root, "many/17.TXT"), None);
        assert_eq!(kind(&root, "Many/17.txt"), FILE);
        assert_eq!(root.find("Many/deep/file.TXT").unwrap().1, "many/deep/File.txt");
        assert_eq!(kind(&root, "many/Deep/File.txt"), None);
    }
}
