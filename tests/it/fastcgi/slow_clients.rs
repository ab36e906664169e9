//! Clients that read slowly hold their connections, and no program.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::exchange::{Exchange, fnv, read};
use super::{SAYS_PID, of_apps, php_site, pid, programs};
use crate::harness::{Host, PATIENCE, Site};

/// More than the kernel keeps for a client that reads nothing.
const LENGTH: usize = 12_000_000;

fn site() -> Site {
    php_site(r#"maxInstances="1" requestTimeout="10" rapidFailsPerMinute="1""#)
        .file("page.php", &of_apps("php/storm.php"))
        .file("pid.php", SAYS_PID)
        .file("notes/here", "")
}

/// Asks, and reads the beginning.
#[track_caller]
fn begins(host: &Host, method: &str, target: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], host.port())).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    stream.peek(&mut [0; 100]).unwrap();
    stream
}

#[track_caller]
fn is_right(answer: &Exchange, seed: usize) {
    assert!(answer.status == 200 && answer.whole && answer.body.len() == LENGTH, "{}", answer.body.len());
    assert_eq!(answer.field("x-seed"), Some(seed.to_string().as_str()));
    assert_eq!(answer.field("x-hash"), Some(fnv(&answer.body).as_str()));
}

#[test]
fn one_program_serves_many_slow_readers_of_large_pages_and_others_meanwhile() {
    let site = site();
    let host = site.serve();
    let program = pid(&host, "/pid.php");
    let framings = ["", "&counted"];
    let slow = (0..4_usize)
        .map(|seed| {
            let target = format!("/page.php?seed={seed}&size={LENGTH}{}", framings[seed % 2]);
            let client = begins(&host, "GET", &target);
            // The only program is free as soon as it is done.
            assert_eq!(pid(&host, "/pid.php"), program);
            client
        })
        .collect::<Vec<_>>();
    let mut head = begins(&host, "HEAD", &format!("/page.php?seed=9&size={LENGTH}&counted"));
    let answer = read(&mut head, "HEAD");
    assert!(answer.whole && answer.field("content-length") == Some(LENGTH.to_string().as_str()));
    for (seed, mut client) in slow.into_iter().enumerate() {
        if seed == 2 {
            // Gone in the middle.
            let _ = client.read(&mut [0; 10_000]);
            continue;
        }
        is_right(&read(&mut client, "GET"), seed);
        assert_eq!(pid(&host, "/pid.php"), program);
    }
    assert_eq!(programs(&host, "php-cgi"), [program]);
}

#[test]
fn files_kept_for_slow_readers_are_gone_with_them() {
    let site = site();
    let host = site.serve();
    pid(&host, "/pid.php");
    let kept = || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap();
        let target = |file: std::io::Result<std::fs::DirEntry>| std::fs::read_link(file.unwrap().path());
        open.filter_map(|file| target(file).ok())
            .filter(|file| file.to_string_lossy().contains("(deleted)"))
            .count()
    };
    let before = kept();
    let client = begins(&host, "GET", &format!("/page.php?size={LENGTH}"));
    pid(&host, "/pid.php");
    assert_eq!(kept(), before + 1);
    drop(client);
    crate::harness::eventually(PATIENCE, "the end of the file", || (kept() == before).then_some(()));
}
