//! The chunked coding as a scanner: finds where the body ends and where its data lies, and changes nothing.
//!
//! Towards HTTP/1 the received bytes are passed on as they are, so this must refuse whatever another parser might read
//! differently: sizes that are not plain hexadecimal, lines that do not end with CR LF, control bytes in extensions,
//! and trailers that speak of framing, routing or the connection.

use std::ops::Range;

use super::fields::{self, Known};

/// Bytes of extensions one chunk may carry.
const MAX_EXTENSION_BYTES: u32 = 1024;
/// Bytes of trailers one message may carry.
const MAX_TRAILER_BYTES: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Digits of a chunk's size; the number of digits so far.
    Size(u8),
    Extension(u32),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the first byte of a trailer line or of the closing CR LF.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

#[derive(Debug, Clone)]
pub(crate) struct Chunked {
    state: State,
    /// Bytes left in the current chunk.
    left: u64,
    /// The trailer section, as far as received, without the closing CR LF.
    trailers: Vec<u8>,
    line_start: usize,
}

/// How far one step of the scanner got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Advance {
    /// So many bytes belong to the body.
    pub(crate) consumed: usize,
    /// Of these, this is data; at most one piece a step.
    pub(crate) data: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadChunk(pub(crate) &'static str);

impl Default for Chunked {
    fn default() -> Self {
        Chunked { state: State::Size(0), left: 0, trailers: Vec::new(), line_start: 0 }
    }
}

impl Chunked {
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The trailer lines, each with its CR LF; complete when the body is.
    pub(crate) fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Scans `bytes` to their end or the body's, and says how many belong to the body.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            at += self.advance(&bytes[at..])?.consumed;
        }
        Ok(at)
    }

    /// Scans up to and including one piece of data, or to the end of `bytes` or of the body.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Advance, BadChunk> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Data => {
                    let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    self.left -= length as u64;
                    if self.left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Advance { consumed: at + length, data: at..at + length });
                }
                State::Done => break,
                _ => self.state = self.next(byte)?,
            }
            at += 1;
        }
        Ok(Advance { consumed: at, data: at..at })
    }

    /// One byte of framing.
    fn next(&mut self, byte: u8) -> Result<State, BadChunk> {
        match self.state {
            State::Size(digits) => self.size(digits, byte),
            State::Extension(length) => match byte {
                b'\r' => Ok(State::SizeLf),
                _ if length >= MAX_EXTENSION_BYTES => Err(BadChunk("a chunk's extensions are too long")),
                b'\t' | b' '..=b'~' | 0x80.. => Ok(State::Extension(length + 1)),
                _ => Err(BadChunk("a control byte in a chunk's extensions")),
            },
            State::SizeLf => {
                let next = if self.left == 0 { State::TrailerStart } else { State::Data };
                expect(byte, b'\n', next)
            }
            State::DataCr => expect(byte, b'\r', State::DataLf),
            State::DataLf => expect(byte, b'\n', State::Size(0)),
            State::TrailerStart => {
                self.line_start = self.trailers.len();
                if byte == b'\r' { Ok(State::EndLf) } else { self.trailer_byte(byte) }
            }
            State::Trailer => self.trailer_byte(byte),
            State::TrailerLf => {
                self.trailers.extend_from_slice(b"\r\n");
                if byte != b'\n' {
                    return Err(BadChunk("a trailer line does not end with CR LF"));
                }
                check_trailer(&self.trailers[self.line_start..self.trailers.len() - 2])?;
                Ok(State::TrailerStart)
            }
            State::EndLf => expect(byte, b'\n', State::Done),
            State::Data | State::Done => Ok(self.state),
        }
    }

    fn size(&mut self, digits: u8, byte: u8) -> Result<State, BadChunk> {
        if digits > 0 && byte == b'\r' {
            return Ok(State::SizeLf);
        }
        if digits > 0 && byte == b';' {
            return Ok(State::Extension(0));
        }
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Err(BadChunk("a chunk's size is not a hexadecimal number"));
        };
        // 15 digits leave room in 63 bits; nobody sends a chunk of an exabyte.
        if digits >= 15 {
            return Err(BadChunk("a chunk's size has too many digits"));
        }
        if digits == 0 {
            self.left = 0;
        }
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size(digits + 1))
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, BadChunk> {
        if byte == b'\r' {
            return Ok(State::TrailerLf);
        }
        // At once, not at the line's end: what has been scanned is passed on, and to a forgiving worker LF ends the body.
        if !fields::is_field_value(&[byte]) {
            return Err(BadChunk("a trailer holds a character that is not allowed"));
        }
        if self.trailers.len() >= MAX_TRAILER_BYTES {
            return Err(BadChunk("the trailers are too long"));
        }
        self.trailers.push(byte);
        Ok(State::Trailer)
    }
}

fn expect(byte: u8, wanted: u8, next: State) -> Result<State, BadChunk> {
    if byte == wanted { Ok(next) } else { Err(BadChunk("a chunk is not framed by CR LF")) }
}

/// A trailer is a field line that may come late: not one that frames, routes, or concerns the connection.
fn check_trailer(line: &[u8]) -> Result<(), BadChunk> {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Err(BadChunk("a trailer has no colon"));
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !fields::is_token(name) || !fields::is_field_value(value) {
        return Err(BadChunk("a trailer holds a character that is not allowed"));
    }
    match Known::of(name) {
        Known::Other if fields::is_identity(name) => Err(BadChunk("a trailer that only the host may send")),
        Known::Other | Known::Date => Ok(()),
        _ => Err(BadChunk("a trailer that must not come late")),
    }
}
