//! FastCGI servers that run already: php-fpm, by a Unix socket or a TCP port.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use super::{Beside, ask, is_failure, json, of_apps, posted};
use crate::harness::{Host, PATIENCE, RawClient, Site, curl, eventually};

/// php-fpm with two children that listens at `address`, its files in the folder of the site.
pub(super) struct Fpm {
    _server: Beside,
    pub(super) site: Site,
}

impl Fpm {
    /// `{}` in the address stands for the folder.
    #[track_caller]
    pub(super) fn start(address: &str) -> Fpm {
        let site = Site::named("site")
            .file("public/tells.php", &of_apps("php/tells.php"))
            .file("public/pid.php", super::SAYS_PID)
            .file("public/file.txt", "a file")
            .file("public/up/img.jpg", "<?php echo 'EXECUTED';");
        let folder = site.path().to_str().unwrap();
        let is_root = std::fs::metadata(folder).unwrap().uid() == 0;
        let listen = address.replace("{}", folder);
        site.write(
            "fpm.conf",
            &format!(
                "[global]\nerror_log = {folder}/fpm.log\ndaemonize = no\n[www]\nlisten = {}\npm = static\npm.max_children = 2\n{}",
                listen.trim_start_matches("unix:"),
                // Root must say as whom; everybody else is who he is.
                if is_root { "user = root\ngroup = root\n" } else { "" }
            ),
        );
        let config = format!("{folder}/fpm.conf");
        let mut arguments = vec!["--nodaemonize", "--fpm-config", &config];
        if is_root {
            arguments.push("--allow-to-run-as-root");
        }
        let server = Beside::start(program(), &arguments);
        eventually(PATIENCE, "php-fpm to listen", || match listen.strip_prefix("unix:") {
            Some(path) => UnixStream::connect(path).ok().map(drop),
            None => std::net::TcpStream::connect(&listen).ok().map(drop),
        });
        // The guess of these tests: where a site is named, its external servers are, too.
        site.write(
            "ostler.yml",
            &format!("listen: 127.0.0.1:0\nsites:\n- root: public\n  fastCgi:\n    \"*.php\":\n      server: \"{listen}\"\n"),
        );
        Fpm { _server: server, site }
    }

    #[track_caller]
    pub(super) fn serve(&self) -> Host {
        Host::run(["--config", self.site.path().join("ostler.yml").to_str().unwrap()]).start()
    }
}

/// Debian names it by its version.
fn program() -> &'static str {
    ["/usr/sbin/php-fpm8.2", "/usr/sbin/php-fpm8.4"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .unwrap_or("php-fpm")
}

#[track_caller]
fn is_served(fpm: &Fpm) {
    let mut host = fpm.serve();
    let told = json(&host, "/tells.php/info?a=b");
    assert_eq!((&told["get"]["a"], &told["server"]["PATH_INFO"]), (&"b".into(), &"/info".into()));
    assert_eq!(posted(&host, "/tells.php", vec![b'x'; 300_000])["length"], 300_000);
    assert_eq!(super::text(&host, "/file.txt"), "a file");
    assert_eq!(ask(&host, "/missing.php", &[]).status(), 404);
    let image = ask(&host, "/up/img.jpg/x.php", &[]);
    assert!(image.status() == 404 && !image.text().contains("EXECUTED"), "{}", image.status());
    let chunked =
        curl(["-H", "Transfer-Encoding: chunked", "-d", "a=b", &host.url("/tells.php")]).success().json();
    assert_eq!(chunked["post"]["a"], "b");
    // The host ends, the server stays.
    host.stop();
    assert_eq!(super::text(&fpm.serve(), "/file.txt"), "a file");
    super::pid(&fpm.serve(), "/pid.php");
}

#[test]
fn php_fpm_answers_at_a_unix_socket() {
    is_served(&Fpm::start("unix:{}/fpm.sock"));
}

#[test]
fn php_fpm_answers_at_a_port() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    is_served(&Fpm::start(&format!("127.0.0.1:{port}")));
}

/// More clients than children: nobody waits for a connection that idles at one of them.
#[test]
fn more_clients_than_children_are_all_served() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    let host = fpm.serve();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut client = RawClient::connect(&host);
                for _ in 0..20 {
                    let response = client.get("/pid.php");
                    assert_eq!(response.status(), 200, "{}", response.text());
                }
            });
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_a_page_and_one_that_comes_is_served() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    let config = fpm.site.read("ostler.yml");
    fpm.site.write("ostler.yml", &config.replace("fpm.sock", "nobody.sock"));
    let host = fpm.serve();
    is_failure(&ask(&host, "/pid.php", &[]));
    let folder = fpm.site.path();
    std::os::unix::fs::symlink(folder.join("fpm.sock"), folder.join("nobody.sock")).unwrap();
    eventually(PATIENCE, "an answer", || (ask(&host, "/pid.php", &[]).status() == 200).then_some(()));
}
