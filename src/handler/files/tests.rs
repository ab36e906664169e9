//! Files served over a real socket, from the head of the request to the last byte.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::{FileRequest, NotServed, serve};
use crate::base::local::Local;
use crate::base::root::Root;
use crate::base::stream::Stream;
use crate::config::limits::Limits;
use crate::exchange::h1::{H1, Incoming};
use crate::exchange::reply::Reply;
use crate::exchange::{Client, Exchange, Peer};
use crate::failure::Failure;
use crate::rules::files::FilePolicy;

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn with(name: &str, content: &[u8]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        Site { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Answers every request of a connection with the same file; how the last one ended.
async fn server(root: Root, path: &str, socket: UnixStream) -> Result<(), Failure> {
    socket.set_nonblocking(true).unwrap();
    let local = Rc::new(Local::default());
    let limits = Rc::new(Limits::default());
    let stream = Stream::new(OwnedFd::from(socket)).unwrap();
    let mut client = H1::new(stream, local.clone(), Peer::new(None, None));
    let policy = FilePolicy::default();
    let serving = async {
        let mut last = Ok(());
        while let Ok(Incoming::Request) = std::future::poll_fn(|cx| client.poll_request(cx, &limits)).await {
            let mut exchange = Exchange::new(Client::H1(&mut client), local.clone(), limits.clone());
            let request = FileRequest {
                root: &root,
                path,
                policy: &policy,
                fields: "X-Site: yes\r\n",
                media_type_override: (!path.ends_with(".none")).then_some("text/x"),
                cache_control: None,
                is_answer: false,
            };
            last = match serve(&mut exchange, request).await {
                Ok(()) => Ok(()),
                Err(NotServed::Failed(failure)) => Err(failure),
                Err(NotServed::Refused { status, substatus, fields, .. }) => {
                    let extra = format!("{fields}X-Substatus: {substatus}\r\n");
                    exchange.client.reply(Reply { extra, ..Reply::empty(status) }).await
                }
            };
            if !client.next_request() {
                break;
            }
        }
        last
    };
    tokio::select! {
        last = serving => last,
        () = local.clock.run(|| false) => unreachable!("a clock runs for ever"),
    }
}

/// What a client that sends `requests` receives until the connection ends, and how that went for the server.
fn talk(site: &Site, name: &str, client: impl FnOnce(UnixStream) + Send + 'static) -> Result<(), Failure> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let client = std::thread::spawn(move || client(theirs));
    let root = Root::open(site.folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(server(root, name, ours));
    drop(runtime);
    client.join().unwrap();
    ended
}

fn receive(site: &Site, name: &str, requests: &str) -> Vec<u8> {
    let requests = requests.replace('|', "\r\n");
    let (sender, receiver) = std::sync::mpsc::channel();
    let ended = talk(site, name, move |mut socket| {
        socket.write_all(requests.as_bytes()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        socket.read_to_end(&mut received).unwrap();
        sender.send(received).unwrap();
    });
    ended.unwrap();
    receiver.recv().unwrap()
}

/// The head without its date, and the body.
fn answer(site: &Site, name: &str, request: &str) -> (String, Vec<u8>) {
    let received = receive(site, name, &format!("{request}|Host: a||"));
    let end = memchr::memmem::find(&received, b"\r\n\r\n").unwrap();
    let head = String::from_utf8(received[..end + 2].to_vec()).unwrap();
    assert!(head.contains("Date: "), "{head}");
    (head, received[end + 4..].to_vec())
}

fn field<'h>(head: &'h str, name: &str) -> &'h str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// Bytes that differ wherever one piece could be mistaken for another.
fn large(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8 ^ (n / 65536) as u8).collect()
}

#[test]
fn a_file_comes_whole_with_all_that_caches_need() {
    let site = Site::with("a.txt", b"0123456789");
    let (head, body) = answer(&site, "a.txt", "GET / HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n"), "{head}");
    assert_eq!(body, b"0123456789");
    for (name, value) in [("Content-Length", "10"), ("Accept-Ranges", "bytes"), ("X-Site", "yes")] {
        assert_eq!(field(&head, name), value, "{head}");
    }
    let etag = field(&head, "ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with("-a\""), "{etag}");
    for condition in
        [format!("If-None-Match: {etag}"), format!("If-Modified-Since: {}", field(&head, "Last-Modified"))]
    {
        let (head, body) = answer(&site, "a.txt", &format!("GET / HTTP/1.1|{condition}"));
        assert!(head.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{head}");
        assert_eq!((field(&head, "ETag"), field(&head, "Content-Length"), body.len()), (&*etag, "", 0));
    }
}

#[test]
fn what_cannot_be_served_is_refused_with_its_substatus() {
    let site = Site::with("a.txt", b"0123456789");
    fs::write(site.path("b.none"), "").unwrap();
    for (name, request, status, line) in [
        ("b.none", "GET / HTTP/1.1", "404", "X-Substatus: 3"),
        ("missing", "GET / HTTP/1.1", "404", "X-Substatus: 0"),
        ("", "GET / HTTP/1.1", "404", "X-Substatus: 0"),
        ("a.txt", "DELETE / HTTP/1.1", "405", "Allow: GET, HEAD, OPTIONS"),
        ("a.txt", "PROPFIND / HTTP/1.1", "405", "Allow: GET, HEAD, OPTIONS"),
        ("a.txt", "OPTIONS / HTTP/1.1", "200", "Allow: GET, HEAD, OPTIONS"),
        ("a.txt", "GET / HTTP/1.1|If-Match: \"x\"", "412", "X-Substatus: 0"),
        ("a.txt", "GET / HTTP/1.1|Range: bytes=10-", "416", "Content-Range: bytes */10"),
    ] {
        let (head, body) = answer(&site, name, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {request}: {head}");
        assert!(head.lines().any(|told| told == line), "{name} {request}: {head}");
        assert!(body.is_empty());
    }
}

#[test]
fn parts_of_a_file_come_alone_or_many_in_one() {
    let site = Site::with("a.txt", b"0123456789");
    let (head, body) = answer(&site, "a.txt", "GET / HTTP/1.1|Range: bytes=-3");
    assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{head}");
    assert_eq!((field(&head, "Content-Range"), &body[..]), ("bytes 7-9/10", &b"789"[..]));
    let (head, body) = answer(&site, "a.txt", "GET / HTTP/1.1|Range: bytes=8-8,0-1");
    let boundary = field(&head, "Content-Type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, text: &str| {
        format!("--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes {range}/10\r\n\r\n{text}\r\n")
    };
    let expected = format!("{}{}--{boundary}--\r\n", part("8-8", "8"), part("0-1", "01"));
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    assert_eq!(field(&head, "Content-Length"), expected.len().to_string());
}

#[test]
fn requests_follow_each_other_on_a_connection_until_one_leaves_a_body_unread() {
    let site = Site::with("a.txt", b"0123456789");
    let requests = "HEAD / HTTP/1.1|Host: a||GET / HTTP/1.0|Host: a|Connection: keep-alive||\
                    GET / HTTP/1.1|Host: a|Content-Length: 4||bodyGET / HTTP/1.1|Host: a|Content-Length: 9||part";
    let received = String::from_utf8(receive(&site, "a.txt", requests)).unwrap();
    let heads: Vec<&str> = received.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    assert_eq!(heads.len(), 4, "{received}");
    let connections: Vec<&str> = heads.iter().map(|head| field(head, "Connection")).collect();
    assert_eq!(connections, ["", "keep-alive", "", "close"]);
    assert!(heads[0].ends_with("\r\n\r\n") && heads[0].contains("Content-Length: 10\r\n"), "{}", heads[0]);
    assert!(heads[1..].iter().all(|head| head.ends_with("\r\n\r\n0123456789")), "{received}");
}

#[test]
fn every_size_arrives_as_it_lies_on_the_disk() {
    for bytes in [0, 1, 32 * 1024, 64 * 1024, 64 * 1024 + 1, 3_000_001] {
        let content = large(bytes);
        let site = Site::with("a.bin", &content);
        let (head, body) = answer(&site, "a.bin", "GET / HTTP/1.1");
        assert_eq!(field(&head, "Content-Length"), bytes.to_string());
        assert!(body == content, "{bytes} bytes, {} came", body.len());
    }
    let content = large(3_000_001);
    let site = Site::with("a.bin", &content);
    let (_, body) = answer(&site, "a.bin", "GET / HTTP/1.1|Range: bytes=100001-2999999,5-5");
    assert!(memchr::memmem::find(&body, &content[100_001..3_000_000]).is_some());
    assert!(memchr::memmem::find(&body, &[b"\r\n\r\n", &content[5..6], b"\r\n--"].concat()).is_some());
}

/// Whether the kernel sends or we do: the length was promised, so the missing rest must show.
#[test]
fn a_file_that_shrinks_while_it_is_sent_breaks_the_connection() {
    let site = Site::with("a.bin", &large(8_000_000));
    let path = site.path("a.bin");
    let ended = talk(&site, "a.bin", move |mut socket| {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut first = [0; 1000];
        socket.read_exact(&mut first).unwrap();
        fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 7_000_000, "{} bytes came", rest.len());
    });
    assert!(matches!(ended, Err(Failure::FileCut)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_not_waited_for() {
    let site = Site::with("a.bin", &large(8_000_000));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let root = Root::open(site.folder.path()).unwrap();
    let ended = server(root, "a.bin", ours).await;
    assert!(matches!(ended, Err(Failure::ClientTooSlow)), "{ended:?}");
}
