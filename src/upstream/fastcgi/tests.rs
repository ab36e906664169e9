//! Programs that do as FastCGI has it and programs that do not, with real sockets on both sides.

mod abuse;
mod bodies;
mod lives;
mod php;
mod slow;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::{Answered, Begin, forward};
use crate::base::address::Address;
use crate::base::local::Local;
use crate::base::stream::Stream;
use crate::config::fastcgi::StderrMode;
use crate::config::limits::Limits;
use crate::exchange::h1::H1;
use crate::exchange::{Client, Exchange, Peer};
use crate::failure::Failure;
use crate::fastcgi::record::{Params, put_begin};
use crate::logs::output::Output;
use crate::pool::journal::{Cause, Ending};
use crate::pool::{FastCgiPassing, Lease, LoadBalancing, Passing, Pool, PoolSettings, Worker, WorkerProcess};
use crate::upstream::connections::Connections;
use crate::upstream::spool;

const PATIENCE: Duration = Duration::from_secs(30);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &[u8] = b"Content-Type: text/plain\r\n\r\n";

fn told() -> FastCgiPassing {
    FastCgiPassing {
        site_id: 1,
        document_root: "/srv".to_owned(),
        site_root: "/srv".to_owned(),
        most_head_bytes: 64 * 1024,
        stderr: StderrMode::Pass,
        activity_timeout: PATIENCE,
        request_timeout: PATIENCE,
        tells_https_off: false,
        redirects_locally: true,
        sends_files_below: vec!["/srv/files".into()],
        keeps_connection: true,
    }
}

/// One core with a pool of one program.
struct Host {
    runtime: LocalRuntime,
    pool: Arc<Pool>,
    worker: Arc<Worker>,
    told: Arc<FastCgiPassing>,
    local: Rc<Local>,
    connections: Rc<Connections>,
    params: Vec<(String, String)>,
}

impl Host {
    fn new(socket: &Path, told: FastCgiPassing) -> Host {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        let pool = Pool::new(PoolSettings {
            name: "blog".to_owned(),
            slots: 1,
            max_concurrent: 1,
            queue_length: 8,
            queue_timeout: PATIENCE,
            start_timeout: PATIENCE,
            opens_complete: false,
            grows: false,
            eager: None,
            balancing: LoadBalancing::default(),
        });
        let process = WorkerProcess { pid: std::process::id(), output: Output::silent(), told: "".into() };
        let worker = pool.worker(0, Address::Unix(socket.to_owned()), Some(process));
        pool.publish(worker.clone());
        let local = Rc::new(Local::default());
        let connections = Rc::new(Connections::new(local.clock.clone()));
        Host { runtime, pool, worker, told: Arc::new(told), local, connections, params: Vec::new() }
    }

    /// What a client gets that sends `request`, and how that went.
    fn ask(&self, request: impl AsRef<[u8]>) -> (Result<Answered, Failure>, String) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let request = request.as_ref().to_vec();
        let client = thread::spawn(move || {
            theirs.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut sending = theirs.try_clone().unwrap();
            // An early answer may end the sending.
            let sender = thread::spawn(move || sending.write_all(&request));
            let mut received = Vec::new();
            let _ = theirs.read_to_end(&mut received);
            let _ = sender.join().unwrap();
            String::from_utf8_lossy(&received).into_owned()
        });
        let ended = self.serve(ours);
        (ended, client.join().unwrap())
    }

    fn serve(&self, socket: UnixStream) -> Result<Answered, Failure> {
        socket.set_nonblocking(true).unwrap();
        self.block_on(async {
            let limits = Rc::new(Limits::default());
            let stream = Stream::new(OwnedFd::from(socket)).unwrap();
            let mut client = H1::new(stream, self.local.clone(), Peer::new(None, None));
            std::future::poll_fn(|cx| client.poll_request(cx, &limits)).await?;
            let mut exchange = Exchange::new(Client::H1(&mut client), self.local.clone(), limits.clone());
            exchange.body_limit = 1 << 20;
            spool::spool(&mut exchange).await?;
            let lease = self.pool.lease().await.unwrap();
            let length = exchange.spool.as_ref().map(|spool| spool.length().to_string());
            let begin = self.begin(length.as_deref());
            let passing = Passing::default();
            let passing = (&passing, &self.told);
            let begin = Begin { records: &begin, script: "", explains: false };
            let ended = forward(&mut exchange, lease, &self.connections, &self.pool, passing, begin).await;
            if ended.is_err() {
                exchange.client.abort();
            }
            ended
        })
    }

    fn begin(&self, length: Option<&str>) -> Vec<u8> {
        let mut begin = Vec::new();
        put_begin(&mut begin, self.told.keeps_connection);
        let mut params = Params::new(&mut begin);
        let length = length.map(|length| ("CONTENT_LENGTH".to_owned(), length.to_owned()));
        for (name, value) in self.params.iter().chain(&length) {
            params.put(name.as_bytes(), value.as_bytes()).unwrap();
        }
        params.end();
        begin
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let local = self.local.clone();
        self.runtime.block_on(async {
            tokio::select! {
                value = tokio::time::timeout(PATIENCE, future) => value.expect("it hangs"),
                () = local.clock.run(|| false) => unreachable!("a clock runs for ever"),
            }
        })
    }

    /// Says that the program has ended, so that nobody waits for the news.
    fn tell_its_end(&self) {
        self.pool.journal().ended(Ending {
            slot: 0,
            pid: self.worker.pid(),
            how: "exited with code 1".to_owned(),
            after: Duration::ZERO,
            at: std::time::Instant::now(),
            stderr: Vec::new(),
            output: Vec::new(),
            diagnosis: None,
            cause: Cause::Ended,
        });
    }

    /// Waits until the program is free.
    fn lease(&self) -> Lease {
        self.block_on(self.pool.lease()).unwrap()
    }
}

/// What a program was sent in one request.
#[derive(Debug, Default)]
struct Request {
    params: Vec<u8>,
    body: Vec<u8>,
}

/// Reads one request to its end; None at the end of the connection.
fn read_request(mut socket: &UnixStream) -> Option<Request> {
    let (mut request, mut params_over) = (Request::default(), false);
    loop {
        let mut header = [0; 8];
        socket.read_exact(&mut header).ok()?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        socket.read_exact(&mut content).ok()?;
        match header[1] {
            1 => assert_eq!(content[1], 1),
            4 => {
                params_over = content.is_empty();
                request.params.extend(content);
            }
            5 => {
                assert!(params_over, "the body comes before the end of the parameters");
                if content.is_empty() {
                    return Some(request);
                }
                request.body.extend(content);
            }
            // The host asks whether we are free.
            9 => {}
            other => panic!("a record of type {other}"),
        }
    }
}

fn record(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut record = vec![1, kind, 0, 1, high, low, padding, 0];
    record.extend_from_slice(content);
    record.extend(std::iter::repeat_n(0, usize::from(padding)));
    record
}

fn out(content: impl AsRef<[u8]>) -> Vec<u8> {
    content.as_ref().chunks(60_000).flat_map(|piece| record(6, piece, 0)).collect()
}

fn end(status: u8) -> Vec<u8> {
    record(3, &[0, 0, 0, 0, status, 0, 0, 0], 0)
}

/// An answer that is all here.
fn answer(body: &str) -> Vec<u8> {
    [out(HEAD), out(body), end(0)].concat()
}

/// Runs `program` for every connection, one after the other, until the test is over.
fn with_program(
    told: FastCgiPassing,
    mut program: impl FnMut(usize, UnixStream) + Send + 'static,
    test: impl FnOnce(&Host),
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let socket = socket.unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            // The end of the test sends one word.
            let mut first = [0];
            if rustix::net::recv(&socket, &mut first, rustix::net::RecvFlags::PEEK).is_ok() && first == [b'!']
            {
                return;
            }
            program(number, socket);
        }
    });
    let host = Host::new(&path, told);
    test(&host);
    drop(host);
    UnixStream::connect(&path).unwrap().write_all(b"!").unwrap();
    thread.join().unwrap();
}

/// Answers every request on a connection with these bytes.
fn always(bytes: Vec<u8>) -> impl FnMut(usize, UnixStream) + Send + 'static {
    move |_, mut socket| {
        while read_request(&socket).is_some() {
            if socket.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

#[test]
fn an_answer_that_is_all_here_gets_a_length_and_any_other_goes_in_chunks() {
    with_program(told(), always(answer("hello")), |host| {
        let (ended, received) = host.ask(GET);
        assert!(matches!(ended, Ok(Answered::Whole)));
        assert!(received.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{received}");
        assert!(
            received.contains("\r\nContent-Length: 5\r\n") && received.ends_with("\r\n\r\nhello"),
            "{received}"
        );
    });
    let large = "x".repeat(300_000);
    with_program(told(), always(answer(&large)), move |host| {
        let (ended, received) = host.ask(GET);
        assert!(matches!(ended, Ok(Answered::Whole)));
        assert!(received.contains("\r\nTransfer-Encoding: chunked\r\n"), "{}", &received[..200]);
        assert!(received.ends_with("\r\n0\r\n\r\n"));
        assert_eq!(received.matches('x').count() - "text/plain".matches('x').count(), 300_000);
    });
}

#[test]
fn answers_without_a_body_have_none() {
    for (request, head, expected) in [
        (
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "Content-Type: a/b\nContent-Length: 5\n\nhello",
            "\r\nContent-Length: 5\r\n",
        ),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Type: a/b\n\nhello", "Content-Type: a/b\r\n"),
        (GET, "Status: 204\n\nhello", "HTTP/1.1 204 No Content\r\n"),
        (GET, "Status: 304 Unchanged\nContent-Length: 9\n\n", "HTTP/1.1 304 Unchanged\r\n"),
    ] {
        with_program(told(), always([out(head), end(0)].concat()), move |host| {
            for _ in 0..2 {
                let (ended, received) = host.ask(request);
                assert!(matches!(ended, Ok(Answered::Whole)), "{head}");
                assert!(received.contains(expected) && received.ends_with("\r\n\r\n"), "{received}");
            }
        });
    }
}

#[test]
fn a_length_that_is_said_is_kept_to() {
    let said = |length: usize, body: &str| {
        [out(format!("Content-Type: a/b\nContent-Length: {length}\n\n")), out(body), end(0)].concat()
    };
    with_program(told(), always(said(5, "hello world")), |host| {
        let (ended, received) = host.ask(GET);
        assert!(ended.is_ok() && received.ends_with("\r\n\r\nhello"), "{received}");
    });
    with_program(told(), always(said(50, "hello")), |host| {
        let (ended, received) = host.ask(GET);
        assert!(matches!(ended, Err(Failure::Shorter)));
        assert_eq!(received, "");
    });
    with_program(told(), always(said(500_000, &"x".repeat(400_000))), |host| {
        let (ended, received) = host.ask(GET);
        assert!(matches!(ended, Err(Failure::Shorter)));
        assert!(received.contains("Content-Length: 500000"), "the beginning is there");
    });
}

#[test]
fn paths_and_files_are_answered_by_others_and_only_where_that_is_allowed() {
    use super::Aside::{Redirect, SendFile};
    with_program(told(), always([out("Location: /b.php?x\n\nlost"), end(0)].concat()), |host| {
        let (ended, received) = host.ask(GET);
        assert!(matches!(ended, Ok(Answered::Aside(Redirect(target))) if &*target == "/b.php?x"));
        assert_eq!(received, "");
        // The program is free, and its connection good.
        drop(host.lease());
        assert!(host.worker.take_parked().is_some());
    });
    let not_locally = FastCgiPassing { redirects_locally: false, ..told() };
    with_program(not_locally, always([out("Location: /b.php\n\nx"), end(0)].concat()), |host| {
        assert!(host.ask(GET).1.starts_with("HTTP/1.1 302 Found\r\nLocation: /b.php\r\n"));
    });
    let send = |path: &str| [out(format!("Content-Type: a/b\nX-Sendfile: {path}\n\nown")), end(0)].concat();
    with_program(told(), always(send("/srv/files/a")), |host| {
        let (ended, _) = host.ask(GET);
        assert!(matches!(ended, Ok(Answered::Aside(SendFile { named, .. })) if named.path == "a"));
    });
    with_program(told(), always(send("/etc/passwd")), |host| {
        let received = host.ask(GET).1;
        assert!(received.ends_with("\r\n\r\nown") && !received.contains("endfile"), "{received}");
    });
}
