//! Clients that use HTTP/2 against the host: what they send is refused or bounded, and what they took is given back.
//!
//! Every abuse runs against one worker with one place (`--max-concurrent 1`): the ordinary request at the end is answered
//! only if nothing holds that place any more, and the host must not have grown by more than a few megabytes.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::harness::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Fields, FrameClient, GET, GOAWAY, HEADERS, PING, POST,
    PRIORITY, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, headers, packed, put_length,
};
use crate::harness::{FakeWorker, Host, PATIENCE, RawClient, eventually};

/// What a host may keep of an abuse: buffers its allocator does not give back.
const GROWTH_KIB: u64 = 16 * 1024;

/// Resident memory of a process.
fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A host before one worker with one place, and what it weighed before the abuse.
struct Victim {
    host: Host,
    _worker: FakeWorker,
    before_kib: u64,
}

impl Victim {
    fn new() -> Victim {
        Victim::before(FakeWorker::saying("still here"), &[])
    }

    fn before(worker: FakeWorker, limits: &[(&str, &str)]) -> Victim {
        let setup = Host::before([&worker]).args(["--max-concurrent", "1"]);
        let setup = limits.iter().fold(setup, |setup, (name, value)| setup.limit(name, value));
        let host = setup.start();
        RawClient::connect(&host).get("/");
        let before_kib = memory_kib(host.pid());
        Victim { host, _worker: worker, before_kib }
    }

    #[track_caller]
    fn is_well(&self) {
        eventually(PATIENCE, "the worker's place given back", || {
            (RawClient::connect(&self.host).get("/").status() == 200).then_some(())
        });
        let now_kib = memory_kib(self.host.pid());
        assert!(
            now_kib < self.before_kib + GROWTH_KIB,
            "the host grew from {} to {now_kib} KiB",
            self.before_kib
        );
    }
}

/// Sends the same bytes again and again until the host has had enough.
fn flood(abuser: &mut FrameClient, times: usize, mut again: impl FnMut(usize) -> Vec<u8>) -> bool {
    (0..times).all(|round| abuser.send(again(round)))
}

/// The stream ids of clients are odd.
fn nth(stream: usize) -> u32 {
    u32::try_from(stream).unwrap() * 2 + 1
}

// Floods.

/// CVE-2023-44487.
#[test]
fn a_flood_of_streams_opened_and_reset_ends_the_connection() {
    let victim = Victim::new();
    let mut abuser = FrameClient::connect(&victim.host);
    let endured = flood(&mut abuser, 20_000, |round| {
        [headers(END_STREAM, nth(round), GET), frame(RST_STREAM, 0, nth(round), &8_u32.to_be_bytes())]
            .concat()
    });
    assert!(!endured, "20,000 resets were not too many");
    victim.is_well();
}

/// The same slowly enough for each request to reach a worker.
#[test]
fn requests_reset_as_soon_as_a_worker_has_them_end_the_connection_too() {
    let worker = FakeWorker::remembering(|wire, request| {
        request.head.start.contains("/never") && !wire.says_anything()
            || wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
    });
    let victim = Victim::before(worker, &[]);
    let mut abuser = FrameClient::connect(&victim.host);
    let never = [GET[0], GET[1], (":path", "/never"), GET[3]];
    let ended = (0..1000).any(|round| {
        let sent = abuser.send(headers(END_STREAM, nth(round), &never));
        std::thread::yield_now();
        let _ = abuser.next(Duration::from_millis(2));
        !sent || !abuser.send(frame(RST_STREAM, 0, nth(round), &8_u32.to_be_bytes()))
    });
    assert!(ended, "1,000 requests given up were not too many");
    victim.is_well();
}

#[test]
fn a_head_that_never_ends_ends_the_connection() {
    let victim = Victim::new();
    let mut abuser = FrameClient::connect(&victim.host);
    abuser.send(frame(HEADERS, 0, 1, &packed(GET)));
    let piece = frame(CONTINUATION, 0, 1, &packed(&[("a", "b")])).repeat(64);
    assert!(!flood(&mut abuser, 10_000, |_| piece.clone()), "640,000 continuations were not too many");
    victim.is_well();
}

/// Pieces of a head with nothing in them count too.
#[test]
fn a_head_of_empty_pieces_ends_the_connection() {
    let victim = Victim::new();
    let mut abuser = FrameClient::connect(&victim.host);
    abuser.send(frame(HEADERS, 0, 1, &packed(GET)));
    let piece = frame(CONTINUATION, 0, 1, &[]).repeat(64);
    assert!(!flood(&mut abuser, 10_000, |_| piece.clone()), "640,000 continuations were not too many");
    victim.is_well();
}

/// Small frames that ask for nothing, or for an answer that nobody reads.
#[test]
fn floods_of_small_frames_leave_the_host_small_and_answering() {
    let update = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    let floods = [
        ("settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("ping", frame(PING, 0, 0, b"12345678")),
        ("priority", frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16])),
        ("window", update),
        ("unknown", frame(0x42, 0, 0, b"what is this")),
    ];
    for (name, small) in floods {
        let victim = Victim::new();
        let mut abuser = FrameClient::connect(&victim.host);
        let many = small.repeat(200);
        let endured = flood(&mut abuser, 1000, |_| many.clone());
        println!("{name}: {}", if endured { "endured" } else { "ended" });
        victim.is_well();
    }
}

/// The client reads nothing, so its answers pile up: they must not do so in the host's memory.
#[test]
fn answers_nobody_reads_do_not_pile_up() {
    for small in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, b"12345678")] {
        let victim = Victim::new();
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], victim.host.port()))).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat();
        stream.write_all(&preface).unwrap();
        let many = small.repeat(1000);
        // 64 MB, or as much as it takes before either side will have no more.
        let taken = (0..4000).take_while(|_| stream.write_all(&many).is_ok()).count();
        println!("{taken} times {} bytes taken", many.len());
        victim.is_well();
    }
}

#[test]
fn a_body_of_empty_pieces_holds_no_place_for_ever() {
    let victim = Victim::before(FakeWorker::saying("ok"), &[("rateGrace", "500ms")]);
    let mut abuser = FrameClient::connect(&victim.host);
    abuser.send(headers(0, 1, POST));
    let begun = Instant::now();
    let ended = loop {
        match abuser.next(Duration::from_millis(10)) {
            Ok(frame) if frame.kind == RST_STREAM || frame.kind == GOAWAY => break true,
            Ok(frame) if frame.stream == 1 && frame.flags & END_STREAM != 0 => break true,
            Err(RecvTimeoutError::Disconnected) => break true,
            _ if begun.elapsed() > PATIENCE => break false,
            _ => abuser.send(frame(DATA, 0, 1, &[]).repeat(10)),
        };
    };
    assert!(ended, "a body that never comes was waited for");
    victim.is_well();
}

/// One entry of the table, referred to thousands of times: small on the wire, huge in memory.
#[test]
fn a_head_that_unpacks_to_a_huge_one_is_refused() {
    let victim = Victim::new();
    let mut abuser = FrameClient::connect(&victim.host);
    // A literal that enters the table (at index 62), then references to it.
    let mut block = packed(GET);
    block.extend_from_slice(&[0x40, 1, b'x']);
    put_length(&mut block, 3900);
    block.extend_from_slice(&[b'y'; 3900]);
    block.extend_from_slice(&[0x80 | 62; 12_100]);
    abuser.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block[..16_000]));
    let end = abuser.end_of(1);
    assert!(!matches!(&end, End::Answered(body) if body.ends_with(b"still here")), "{end:?}");
    victim.is_well();
}

#[test]
fn a_large_head_is_refused_and_the_connection_goes_on() {
    let victim = Victim::new();
    let mut abuser = FrameClient::connect(&victim.host);
    let (name, value) = ("x".repeat(20), "y".repeat(8000));
    let mut fields = GET.to_vec();
    fields.extend([(name.as_str(), value.as_str()); 5]);
    let block = packed(&fields);
    abuser.send(frame(HEADERS, END_STREAM, 1, &block[..16_000]));
    abuser.send(frame(CONTINUATION, 0, 1, &block[16_000..32_000]));
    abuser.send(frame(CONTINUATION, END_HEADERS, 1, &block[32_000..]));
    let end = abuser.end_of(1);
    assert!(!matches!(&end, End::Answered(body) if body.ends_with(b"still here")), "{end:?}");
    victim.is_well();
}

// Streams and windows.

#[test]
fn streams_beyond_the_allowed_are_refused_and_the_others_served() {
    let victim = Victim::before(FakeWorker::saying("ok"), &[("rateGrace", "500ms")]);
    let mut abuser = FrameClient::connect(&victim.host);
    // Heads without an end: each would hold its place until its body is found too slow.
    for n in 0..500 {
        abuser.send(headers(0, nth(n), POST));
    }
    let end = abuser.end_of(nth(499));
    assert!(matches!(end, End::Reset(REFUSED_STREAM) | End::Closed), "{end:?}");
    victim.is_well();
}

fn large_download() -> FakeWorker {
    FakeWorker::remembering(|wire, request| {
        if !request.head.start.contains("/large") {
            return wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok();
        }
        let piece = vec![b'x'; 64 * 1024];
        wire.try_send("HTTP/1.1 200 OK\r\nContent-Length: 65536000\r\n\r\n").is_ok()
            && (0..1000).all(|_| wire.try_send(&piece).is_ok())
    })
}

const LARGE: &Fields<'_> =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/large"), (":authority", "test")];
/// With this number a client says how much it takes of each stream before it is asked.
const INITIAL_WINDOW_SIZE: u16 = 4;

#[test]
fn a_window_that_never_opens_ends_the_exchange_and_frees_the_worker() {
    let victim = Victim::before(large_download(), &[("rateGrace", "500ms"), ("idleTimeout", "500ms")]);
    let mut abuser = FrameClient::with_settings(&victim.host, &[(INITIAL_WINDOW_SIZE, 0)]);
    abuser.send(headers(END_STREAM, 1, LARGE));
    victim.is_well();
    let end = abuser.end_of(1);
    assert!(matches!(end, End::Reset(_) | End::Closed), "{end:?}");
}

#[test]
fn a_window_that_opens_by_crumbs_ends_the_exchange_too() {
    const CRUMB: u32 = 256;
    let victim = Victim::before(large_download(), &[("rateGrace", "500ms")]);
    let mut abuser = FrameClient::with_settings(&victim.host, &[(INITIAL_WINDOW_SIZE, CRUMB)]);
    abuser.send(headers(END_STREAM, 1, LARGE));
    // The stream is reset once the piece that hyper holds has dripped away: 32 KiB, a crumb in 20 ms at most.
    let begun = Instant::now();
    let ended = loop {
        match abuser.next(Duration::from_millis(20)) {
            Ok(frame) if frame.kind == RST_STREAM || frame.kind == GOAWAY => break true,
            Ok(_) => continue,
            Err(RecvTimeoutError::Disconnected) => break true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if begun.elapsed() > PATIENCE {
            break false;
        }
        // Of the connection, too: its window must not be what stops the exchange.
        abuser.send(frame(WINDOW_UPDATE, 0, 0, &CRUMB.to_be_bytes()));
        abuser.send(frame(WINDOW_UPDATE, 0, 1, &CRUMB.to_be_bytes()));
    };
    assert!(ended, "a client that takes crumb by crumb was served to the end");
    victim.is_well();
}

/// Answers small enough to be taken from the worker whole, but not by the client: the connection must not hold them, and
/// itself, for ever.
#[test]
fn answers_for_which_a_window_never_opens_end_with_their_connection() {
    let victim = Victim::before(
        FakeWorker::saying(&"x".repeat(20_000)),
        &[("idleTimeout", "500ms"), ("rateGrace", "500ms")],
    );
    let mut abuser = FrameClient::with_settings(&victim.host, &[(INITIAL_WINDOW_SIZE, 0)]);
    for n in 0..100 {
        abuser.send(headers(END_STREAM, nth(n), GET));
    }
    abuser.end();
    victim.is_well();
}

#[test]
fn windows_that_overflow_or_open_by_nothing_are_errors() {
    for (stream, by) in [(0, 0x7fff_ffff_u32), (1, 0x7fff_ffff), (0, 0), (1, 0)] {
        let victim = Victim::before(large_download(), &[]);
        let mut abuser = FrameClient::with_settings(&victim.host, &[(INITIAL_WINDOW_SIZE, 1000)]);
        abuser.send(headers(END_STREAM, 1, LARGE));
        abuser.send(frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes()));
        let end = abuser.end_of(1);
        assert!(matches!(end, End::Reset(_) | End::Closed), "{stream} {by}: {end:?}");
        victim.is_well();
    }
}
