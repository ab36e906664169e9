//! How long a worker may say nothing, and what becomes of its wish to close: with real sockets on both sides.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use super::connections::Connections;
use super::forward::forward;
use crate::base::address::Address;
use crate::base::local::Local;
use crate::base::stream::Stream;
use crate::config::limits::Limits;
use crate::exchange::h1::H1;
use crate::exchange::{Client, Exchange, Peer};
use crate::failure::Failure;
use crate::pool::{LoadBalancing, Passing, Pool, PoolSettings};

const SILENCE: Duration = Duration::from_secs(1);
/// Often enough within it, however busy the machine is.
const STEP: Duration = Duration::from_millis(100);
const LARGE_BYTES: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// Passes one request of `client` on to `worker`; how that went, and what the client says of it.
fn pass<T: Send + 'static>(
    passing: Passing,
    worker: impl FnOnce(TcpStream) + Send + 'static,
    client: impl FnOnce(UnixStream) -> T + Send + 'static,
) -> (Result<(), Failure>, T) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let worker = thread::spawn(move || worker(listener.accept().unwrap().0));
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = thread::spawn(move || client(theirs));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(host(passing, address, ours));
    drop(runtime);
    worker.join().unwrap();
    (ended, client.join().unwrap())
}

async fn host(passing: Passing, address: SocketAddr, socket: UnixStream) -> Result<(), Failure> {
    socket.set_nonblocking(true).unwrap();
    let (local, limits) = (Rc::new(Local::default()), Rc::new(Limits::default()));
    let stream = Stream::new(OwnedFd::from(socket)).unwrap();
    let mut client = H1::new(stream, local.clone(), Peer::new(None, None));
    let connections = Connections::new(local.clock.clone());
    let pool = Pool::new(PoolSettings {
        name: "shop".to_owned(),
        slots: 1,
        max_concurrent: 1,
        queue_length: 0,
        queue_timeout: PATIENCE,
        start_timeout: PATIENCE,
        opens_complete: false,
        grows: false,
        eager: None,
        balancing: LoadBalancing::default(),
    });
    pool.publish(pool.worker(0, Address::Tcp(address), None));
    let serving = async {
        std::future::poll_fn(|cx| client.poll_request(cx, &limits)).await?;
        let mut exchange = Exchange::new(Client::H1(&mut client), local.clone(), limits.clone());
        let lease = pool.lease_now().unwrap();
        let ended = forward(&mut exchange, lease, &connections, &passing).await;
        if ended.is_err() {
            exchange.client.abort();
        }
        ended
    };
    tokio::select! {
        ended = serving => ended,
        () = local.clock.run(|| false) => unreachable!("a clock runs for ever"),
    }
}

fn limited() -> Passing {
    Passing { silence: Some(SILENCE), ..Passing::default() }
}

/// Sends all of it; what comes back until the end.
fn ask(request: impl Into<String>) -> impl FnOnce(UnixStream) -> String + Send + 'static {
    let request = request.into();
    move |mut socket| {
        socket.write_all(request.as_bytes()).unwrap();
        read_all(socket)
    }
}

fn read_all(mut socket: impl Read) -> String {
    let mut received = Vec::new();
    // Whether the end is a good one is what the text tells.
    let _ = socket.read_to_end(&mut received);
    String::from_utf8(received).unwrap()
}

/// Reads the head of a request, byte by byte, so that nothing behind it is taken.
fn read_head(mut socket: &TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

/// Waits until the host has closed the connection.
fn stay_silent(mut socket: TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // A reset is an end, too.
    let _ = socket.read_to_end(&mut Vec::new());
}

#[expect(clippy::disallowed_methods, reason = "how long somebody says nothing is what is tested")]
fn pause(time: Duration) {
    thread::sleep(time);
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn is_silent(ended: &Result<(), Failure>) -> bool {
    matches!(ended, Err(Failure::Silent { after: SILENCE }))
}

#[test]
fn a_worker_that_does_not_begin_to_answer_in_time_is_given_up() {
    let (ended, received) = pass(limited(), stay_silent, ask(GET));
    assert!(is_silent(&ended), "{ended:?}");
    assert_eq!(received, "", "who explains it still can");
}

#[test]
fn an_answer_that_stops_halfway_is_cut_for_the_client() {
    for head in ["Content-Length: 9\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\n"] {
        let worker = move |mut socket: TcpStream| {
            read_head(&socket);
            socket.write_all(format!("HTTP/1.1 200 OK\r\n{head}half").as_bytes()).unwrap();
            stay_silent(socket);
        };
        let (ended, received) = pass(limited(), worker, ask(GET));
        assert!(is_silent(&ended), "{ended:?}");
        assert!(received.ends_with("half"), "{received:?}");
    }
}

#[test]
fn a_worker_that_takes_no_more_of_the_request_is_given_up() {
    let client = |mut socket: UnixStream| {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        // It is not taken whole.
        let _ = socket.write_all(&vec![b'x'; LARGE_BYTES]);
    };
    // It holds the connection until the test has seen the end of it, and reads nothing.
    let (over, until_over) = std::sync::mpsc::channel::<()>();
    let worker = move |socket: TcpStream| {
        let _ = until_over.recv_timeout(PATIENCE);
        drop(socket);
    };
    let client = move |socket| {
        client(socket);
        drop(over);
    };
    let (ended, ()) = pass(limited(), worker, client);
    assert!(is_silent(&ended), "{ended:?}");
}

#[test]
fn an_answer_that_drips_is_never_too_slow() {
    let worker = |mut socket: TcpStream| {
        read_head(&socket);
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow" {
            socket.write_all(&[*byte]).unwrap();
            pause(STEP);
        }
    };
    let (ended, received) = pass(limited(), worker, ask(GET));
    assert!(ended.is_ok(), "{ended:?}");
    assert!(received.ends_with("slow"));
}

#[test]
fn a_slow_upload_is_no_silence_of_the_worker() {
    let client = |mut socket: UnixStream| {
        socket.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na").unwrap();
        pause(2 * SILENCE);
        socket.write_all(b"b").unwrap();
        read_all(socket)
    };
    let worker = |mut socket: TcpStream| {
        read_head(&socket);
        socket.read_exact(&mut [0; 2]).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    };
    let (ended, received) = pass(limited(), worker, client);
    assert!(ended.is_ok(), "{ended:?}");
    assert!(received.ends_with("ok"));
}

#[test]
fn a_slow_reader_is_no_silence_of_the_worker() {
    for framing in ["Connection: close", "Content-Length: 16777216"] {
        let client = |mut socket: UnixStream| {
            socket.write_all(GET.as_bytes()).unwrap();
            pause(2 * SILENCE);
            read_all(socket).len()
        };
        let worker = move |mut socket: TcpStream| {
            read_head(&socket);
            socket.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).unwrap();
            socket.write_all(&vec![b'x'; LARGE_BYTES]).unwrap();
        };
        let (ended, received) = pass(limited(), worker, client);
        assert!(ended.is_ok() && received > LARGE_BYTES, "{framing}: {ended:?}, {received} bytes");
    }
}

#[test]
fn without_a_limit_a_worker_may_think_as_long_as_it_likes() {
    let worker = |mut socket: TcpStream| {
        read_head(&socket);
        pause(2 * SILENCE);
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    };
    let (ended, received) = pass(Passing::default(), worker, ask(GET));
    assert!(ended.is_ok() && received.ends_with("ok"), "{ended:?}");
}

#[test]
fn the_wish_of_a_worker_to_close_reaches_the_client_only_where_it_is_to() {
    for (answer, forwards_connection, is_told) in [
        ("Connection: close\r\n", true, true),
        ("Connection: close\r\n", false, false),
        ("connection: X-Own, Close\r\nX-Own: 1\r\n", true, true),
        ("Connection: keep-alive\r\n", true, false),
        ("", true, false),
    ] {
        let worker = move |mut socket: TcpStream| {
            read_head(&socket);
            let head = format!("HTTP/1.1 200 OK\r\n{answer}Content-Length: 2\r\n\r\nok");
            socket.write_all(head.as_bytes()).unwrap();
        };
        let passing = Passing { forwards_connection, ..Passing::default() };
        let (ended, received) = pass(passing, worker, ask(GET));
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(received.contains("\r\nConnection: close\r\n"), is_told, "{answer}: {received}");
        assert!(!received.contains("X-Own") && !received.contains("eep-"), "{received}");
    }
}
