//! The same promises in the normal run: over the kept corpus, and over generated messages that are almost valid.

use std::path::{Path, PathBuf};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

/// Every kept input, legal or nasty, keeps the promises. Without the sources at hand there is no corpus to keep.
#[test]
fn the_corpus_keeps_the_promises() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let corpus = PathBuf::from(root).join("fuzz/corpus");
    if !corpus.exists() {
        return;
    }
    replay(&corpus.join("request_head"), super::request_head);
    replay(&corpus.join("response_head"), super::response_head);
    replay(&corpus.join("chunked"), super::chunked);
    replay(&corpus.join("fastcgi_records"), super::fastcgi_records);
    replay(&corpus.join("cgi_head"), super::cgi_head);
}

fn replay(folder: &Path, target: fn(&[u8])) {
    let inputs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() > 10, "{} is gone", folder.display());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        let kept = std::panic::catch_unwind(|| target(&bytes));
        assert!(kept.is_ok(), "{} breaks a promise", input.display());
    }
}

/// Pieces that are right most of the time, so that a message is wrong in one place, if at all.
fn mostly(right: &'static [&'static str], wrong: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(right).prop_map(str::to_owned),
        1 => select(wrong).prop_map(str::to_owned),
    ]
}

fn line_end() -> impl Strategy<Value = String> {
    prop_oneof![40 => Just("\r\n"), 1 => select(vec!["\n", "\r", "\r\r\n", "", "\n\r\n", "\r\n "])]
        .prop_map(str::to_owned)
}

fn field() -> impl Strategy<Value = String> {
    let name = mostly(
        &["X-A", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Expect", "Te", "Date"],
        &["Host", "X A", "X-A ", " X", "", "X\u{e9}", "proxy-connection", "Keep-Alive", "content-length"],
    );
    let value = mostly(
        &["", "a", "close", "keep-alive, Upgrade", "chunked", "0", "12", "websocket", "100-continue", "gzip"],
        &["chunked, chunked", ",chunked", "+1", "1, 1", "h2c", "host", "\u{b}chunked", "x\0", "a\rb", "x-a"],
    );
    (name, mostly(&[":", ": ", ":\t"], &["", " :", "::"]), value, line_end()).prop_map(join4)
}

fn join4((a, b, c, d): (String, String, String, String)) -> String {
    [a, b, c, d].concat()
}

fn fields() -> impl Strategy<Value = String> {
    proptest::collection::vec(field(), 0..4).prop_map(|fields| fields.concat())
}

fn request() -> impl Strategy<Value = String> {
    let method =
        mostly(&["GET ", "POST ", "OPTIONS "], &["CONNECT ", "G(T ", "", "GET", "get  ", "\r\nPUT "]);
    let target =
        mostly(&["/", "/a?b", "*", "http://a/"], &["", "a", "/#", "/ b", "http://b", "http:///", "//"]);
    let version = mostly(&[" HTTP/1.1", " HTTP/1.0"], &[" HTTP/1.2", " http/1.1", "", " HTTP/1.1 "]);
    let host =
        mostly(&["Host: a\r\n"], &["", "Host:\r\n", "Host: a:b\r\n", "Host: [::1]:8\r\n", "Host: /\r\n"]);
    let line = (method, target, version, line_end()).prop_map(join4);
    let tail = mostly(&["\r\n"], &["\n", "", "\r\n\r\n", "\r\nGET / HTTP/1.1\r\n"]);
    (line, host, fields(), tail).prop_map(join4)
}

fn response() -> impl Strategy<Value = String> {
    let version = mostly(&["HTTP/1.1", "HTTP/1.0"], &["HTTP/2", "\r\nHTTP/1.1", "HTTP/1.1 "]);
    let status = mostly(
        &[" 200 OK", " 204 ", " 304 Not", " 100", " 101 Yes", " 103 \u{e9}", " 599"],
        &[" 099", " 20", "200", " 2000", " 1e2", " 200\t", " 200 \x07"],
    );
    let tail = mostly(&["\r\n", "\r\nbody"], &["\n", ""]);
    ((version, status, line_end()).prop_map(|(a, b, c)| [a, b, c].concat()), fields(), tail)
        .prop_map(|(a, b, c)| [a, b, c].concat())
}

fn chunk() -> impl Strategy<Value = String> {
    let size = mostly(&["3", "003"], &["2", "4", "", "0x3", "+3", "3 ", "F000000000000003", "-3"]);
    let extension = mostly(&["", ";a=b", ";a=\"\r\""], &[" ;a", ";\n", ";\0"]);
    ((size, extension).prop_map(|(a, b)| a + &b), line_end(), mostly(&["abc", "\r\n0"], &["ab"]), line_end())
        .prop_map(join4)
}

fn chunks() -> impl Strategy<Value = String> {
    let chunks = proptest::collection::vec(chunk(), 0..4).prop_map(|chunks| chunks.concat());
    let last = mostly(&["0\r\n", "000;x\r\n"], &["", "0\n", "0\r\n\n", "\r\n"]);
    (chunks, last, fields(), mostly(&["\r\n", "\r\nGET / HTTP/1.1\r\n"], &["", "\n"])).prop_map(join4)
}

/// Latin-1, so that a character is a byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_request_keeps_the_promises(text in request()) {
        super::request_head(&bytes(&text));
    }

    #[test]
    fn any_response_keeps_the_promises(text in response()) {
        super::response_head(&bytes(&text));
    }

    #[test]
    fn any_chunked_body_keeps_the_promises(text in chunks()) {
        super::chunked(&bytes(&text));
    }

    #[test]
    fn any_bytes_keep_the_promises(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        super::request_head(&bytes);
        super::response_head(&bytes);
        super::chunked(&bytes);
    }
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![6 => select(vec![6_u8, 7]), 1 => select(vec![3_u8, 10, 11, 5, 99])];
    let request = prop_oneof![20 => Just(1_u8), 1 => select(vec![0_u8, 2])];
    let content = proptest::collection::vec(any::<u8>(), 0..40);
    (kind, request, content, any::<u8>()).prop_map(|(kind, request, content, padding)| {
        let mut record = vec![1, kind, 0, request, 0, content.len() as u8, padding % 9, 0];
        record.extend(content);
        record.extend(std::iter::repeat_n(0, usize::from(padding % 9)));
        record
    })
}

proptest! {
    #[test]
    fn records_of_programs_keep_the_promises(
        records in proptest::collection::vec(record(), 0..8),
        status in 0_u8..6,
        rest in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let end = [1, 3, 0, 1, 0, 8, 2, 0, 0, 0, 0, 7, status, 0, 0, 0, 0, 0];
        super::fastcgi_records(&[records.concat(), end.to_vec(), rest].concat());
    }

    #[test]
    fn heads_of_programs_keep_the_promises(
        lines in proptest::collection::vec((field(), line_end()), 0..6),
        status in mostly(&["Status: 200", "Content-Type: a/b", "Location: /x"], &["Status: 20", "HTTP/1.1 200", " x"]),
    ) {
        let lines: String = lines.into_iter().map(|(line, _)| line).collect();
        super::cgi_head(format!("{lines}{status}\n\nbody").as_bytes());
    }
}
