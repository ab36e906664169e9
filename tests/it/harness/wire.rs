//! One end of a raw connection: writes exact bytes, reads HTTP/1 messages strictly and keeps what it read as it came.
//!
//! Knows framing and nothing else: no defaults, no normalisation, no retries. Whatever does not parse, does not come
//! within the deadline or ends too early is a panic that shows what had come until then.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// What a `Wire` runs over.
pub(crate) trait Stream: Read + Write + Send {
    fn set_patience(&self, patience: Duration);
    fn finish(&self);
}

impl Stream for TcpStream {
    fn set_patience(&self, patience: Duration) {
        self.set_read_timeout(Some(patience)).unwrap();
        self.set_write_timeout(Some(patience)).unwrap();
    }
    fn finish(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

impl Stream for UnixStream {
    fn set_patience(&self, patience: Duration) {
        self.set_read_timeout(Some(patience)).unwrap();
        self.set_write_timeout(Some(patience)).unwrap();
    }
    fn finish(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

/// A start line and the fields after it, in their order and spelling.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> Head {
        let text = bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(|line| {
            let (name, value) =
                line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:?} in {text:?}"));
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        });
        Head { start, fields: fields.collect() }
    }

    /// The status of a response.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("not a status line: {:?}", self.start))
    }

    /// The first value of the field, whatever the case of its name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every value of the field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// `Name: value` lines as they came, only those whose names begin with `prefix`.
    pub(crate) fn lines(&self, prefix: &str) -> Vec<String> {
        let chosen = self.fields.iter().filter(|(name, _)| name.to_lowercase().starts_with(prefix));
        chosen.map(|(name, value)| format!("{name}: {value}")).collect()
    }
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// A whole message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) head: Head,
    pub(crate) framing: Body,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }
}

pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// Read from the stream and not yet taken.
    buffer: Vec<u8>,
    ended: bool,
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Wire {
        stream.set_patience(PATIENCE);
        Wire { stream: Box::new(stream), buffer: Vec::new(), ended: false }
    }

    /// Writes these bytes and nothing else.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("could not send: {error}"));
    }

    /// The same where the other side may be gone.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub(crate) fn finish_sending(&self) {
        self.stream.finish();
    }

    /// One read; false when the other side has finished. A reset counts as an end: what came before it is there.
    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        match self.stream.read(&mut part) {
            Ok(0) => self.ended = true,
            Ok(length) => self.buffer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(error) => panic!("nothing more came ({error}) after {:?}", shown(&self.buffer)),
        }
        !self.ended
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }

    /// Waits for the first byte; false if the connection ends without one, or stays idle for long.
    pub(crate) fn says_anything(&mut self) -> bool {
        self.stream.set_patience(PATIENCE * 4);
        let mut part = [0; 16 * 1024];
        let length = self.stream.read(&mut part).unwrap_or(0);
        self.buffer.extend_from_slice(&part[..length]);
        self.stream.set_patience(PATIENCE);
        length > 0
    }

    /// Exactly `length` bytes.
    #[track_caller]
    pub(crate) fn read_exact(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill(), "ended before {length} bytes: {:?}", shown(&self.buffer));
        }
        self.take(length)
    }

    /// Everything up to and with `end`.
    #[track_caller]
    pub(crate) fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            assert!(self.fill(), "ended before {:?}: {:?}", shown(end), shown(&self.buffer));
        }
    }

    /// Everything until the other side ends.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// Waits for the end of the connection, which must come without another byte.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let rest = self.read_to_end();
        assert!(rest.is_empty(), "expected the end, got {:?}", shown(&rest));
    }

    /// Whether the other side sends nothing at all for so long, and does not end either.
    pub(crate) fn is_silent_for(&mut self, duration: Duration) -> bool {
        self.stream.set_patience(duration);
        let mut part = [0; 1024];
        let silent = match self.stream.read(&mut part) {
            Ok(length) => {
                self.ended = length == 0;
                self.buffer.extend_from_slice(&part[..length]);
                false
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => true,
            Err(_) => {
                self.ended = true;
                false
            }
        };
        self.stream.set_patience(PATIENCE);
        silent
    }

    /// Takes what has come, without waiting for more; false when the other side has ended.
    pub(crate) fn still_open(&mut self) -> bool {
        self.is_silent_for(Duration::from_millis(1));
        self.buffer.clear();
        !self.ended
    }

    /// How long the other side takes to end the connection; what it says before is left in the buffer.
    #[track_caller]
    pub(crate) fn time_to_end(&mut self) -> Duration {
        let begun = Instant::now();
        while self.fill() {}
        begun.elapsed()
    }

    /// The next head, or `None` if the connection ends before its first byte.
    #[track_caller]
    pub(crate) fn try_read_head(&mut self) -> Option<Head> {
        while self.buffer.is_empty() {
            if !self.fill() {
                return None;
            }
        }
        Some(Head::parse(&self.read_until(b"\r\n\r\n")))
    }

    #[track_caller]
    pub(crate) fn read_head(&mut self) -> Head {
        self.try_read_head().expect("the connection ended before a head")
    }

    /// A request with its body, or `None` at the end of the connection.
    #[track_caller]
    pub(crate) fn try_read_request(&mut self) -> Option<Message> {
        let head = self.try_read_head()?;
        let framing = declared(&head).unwrap_or(Body::None);
        Some(self.read_body(head, framing))
    }

    #[track_caller]
    pub(crate) fn read_request(&mut self) -> Message {
        self.try_read_request().expect("the connection ended before a request")
    }

    /// A final response to a request of this method; interim responses must have been read before.
    #[track_caller]
    pub(crate) fn read_response(&mut self, method: &str) -> Message {
        let head = self.read_head();
        let framing = match head.status() {
            100..=199 | 204 | 304 => Body::None,
            _ if method == "HEAD" => Body::None,
            _ => declared(&head).unwrap_or(Body::UntilClose),
        };
        self.read_body(head, framing)
    }

    #[track_caller]
    fn read_body(&mut self, head: Head, framing: Body) -> Message {
        let mut message = Message { head, framing, body: Vec::new(), trailers: Vec::new() };
        match framing {
            Body::None => {}
            Body::Length(length) => message.body = self.read_exact(usize::try_from(length).unwrap()),
            Body::UntilClose => message.body = self.read_to_end(),
            Body::Chunked => return self.read_chunks(message),
        }
        message
    }

    #[track_caller]
    fn read_chunks(&mut self, mut message: Message) -> Message {
        loop {
            let (_, data) = self.read_chunk();
            if data.is_empty() {
                break;
            }
            message.body.extend_from_slice(&data);
        }
        loop {
            let line = self.read_until(b"\r\n");
            if line == b"\r\n" {
                return message;
            }
            let mut trailer = Head::parse(&[b"\r\n", &line[..]].concat());
            message.trailers.append(&mut trailer.fields);
        }
    }

    /// The size line of the next chunk, as it came, and its data without the line end.
    #[track_caller]
    pub(crate) fn read_chunk(&mut self) -> (String, Vec<u8>) {
        let line = String::from_utf8(self.read_until(b"\r\n")).unwrap();
        let digits = line.split([';', '\r', ' ']).next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
        let data = self.read_exact(size);
        if size > 0 {
            assert_eq!(self.read_exact(2), b"\r\n", "after a chunk of {size} bytes");
        }
        (line, data)
    }
}

/// The framing the fields of a head declare, if they do.
fn declared(head: &Head) -> Option<Body> {
    if head.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Some(Body::Chunked);
    }
    head.field("content-length").map(|length| Body::Length(length.parse().unwrap()))
}

/// Bytes for people, not too many.
fn shown(bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
    if bytes.len() > 600 { format!("{start}… ({} bytes)", bytes.len()) } else { start }
}
