//! Records on their way from a program, in whatever pieces they arrive.
//!
//! Nothing is collected: a decoder says which part of the bytes it is shown is output, and remembers where in a record it
//! is. Sizes, paddings and empty records are the program's to choose; anything else it may not choose ends the connection.

use std::ops::Range;

use super::record::{END_REQUEST, HEADER_BYTES, REQUEST, STDERR, STDOUT, VERSION};

const END_BYTES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// So many bytes of a header are here.
    Header { bytes: [u8; HEADER_BYTES], have: usize },
    /// Content of a record, then its padding.
    Content { stream: Stream, left: usize, padding: usize },
    /// The end of the request, as far as it is here.
    End { bytes: [u8; END_BYTES], have: usize, left: usize, padding: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
    /// Answers to questions nobody has asked.
    Nobody,
}

/// What the next bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Stdout(Range<usize>),
    Stderr(Range<usize>),
    /// The request is over.
    End(End),
}

/// How a program ended a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete {
        exit_code: u32,
    },
    /// It has another request on this connection.
    Busy,
    Overloaded,
    UnknownRole,
}

/// Bytes that are no records, or not of our request, with what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadRecord(pub(crate) &'static str);

impl Default for State {
    fn default() -> State {
        State::Header { bytes: [0; HEADER_BYTES], have: 0 }
    }
}

impl Decoder {
    /// The request is over, and no byte follows of the record that said so.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over && matches!(self.state, State::Header { have: 0, .. })
    }

    /// Goes on at `bytes[*at..]`, moves `at` behind what was understood, and says what part of it was output; None when
    /// all of it was understood.
    ///
    /// # Errors
    /// The bytes are no records of our request. The connection cannot be used any further.
    pub(crate) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Result<Option<Part>, BadRecord> {
        while *at < bytes.len() {
            let rest = &bytes[*at..];
            match self.state {
                State::Header { bytes: mut header, have } => {
                    let taken = rest.len().min(HEADER_BYTES - have);
                    header[have..have + taken].copy_from_slice(&rest[..taken]);
                    *at += taken;
                    self.state = State::Header { bytes: header, have: have + taken };
                    if have + taken == HEADER_BYTES {
                        self.state = self.opened(header)?;
                    }
                }
                State::Content { stream, left, padding } => {
                    let taken = rest.len().min(left);
                    let part = *at..*at + taken;
                    let padded = (rest.len() - taken).min(if taken == left { padding } else { 0 });
                    *at += taken + padded;
                    let (left, padding) = (left - taken, padding - padded);
                    self.state = match left + padding {
                        0 => State::default(),
                        _ => State::Content { stream, left, padding },
                    };
                    if taken > 0 && stream != Stream::Nobody {
                        let part =
                            if stream == Stream::Out { Part::Stdout(part) } else { Part::Stderr(part) };
                        return Ok(Some(part));
                    }
                }
                State::End { bytes: mut end, have, left, padding } => {
                    let wanted = rest.len().min(left);
                    let kept = wanted.min(END_BYTES - have);
                    end[have..have + kept].copy_from_slice(&rest[..kept]);
                    let padded = (rest.len() - wanted).min(if wanted == left { padding } else { 0 });
                    *at += wanted + padded;
                    let (have, left, padding) = (have + kept, left - wanted, padding - padded);
                    if left + padding > 0 {
                        self.state = State::End { bytes: end, have, left, padding };
                        continue;
                    }
                    self.state = State::default();
                    self.is_over = true;
                    return ended(end).map(|end| Some(Part::End(end)));
                }
            }
        }
        Ok(None)
    }

    fn opened(&self, header: [u8; HEADER_BYTES]) -> Result<State, BadRecord> {
        let [version, kind, request_high, request_low, length_high, length_low, padding, _] = header;
        let request = u16::from_be_bytes([request_high, request_low]);
        let left = usize::from(u16::from_be_bytes([length_high, length_low]));
        let padding = usize::from(padding);
        if version != VERSION {
            return Err(BadRecord("it is no FastCGI record"));
        }
        if self.is_over {
            return Err(BadRecord("a record follows the end of the request"));
        }
        let stream = match (kind, request) {
            (_, 0) => Stream::Nobody,
            (_, other) if other != REQUEST => return Err(BadRecord("a record is of another request")),
            (STDOUT, _) => Stream::Out,
            (STDERR, _) => Stream::Err,
            (END_REQUEST, _) if left >= END_BYTES => {
                return Ok(State::End { bytes: [0; END_BYTES], have: 0, left, padding });
            }
            (END_REQUEST, _) => return Err(BadRecord("the end of the request is too short")),
            _ => return Err(BadRecord("a record is of a type that no program sends")),
        };
        Ok(match left + padding {
            0 => State::default(),
            _ => State::Content { stream, left, padding },
        })
    }
}

fn ended(bytes: [u8; END_BYTES]) -> Result<End, BadRecord> {
    let [a, b, c, d, status, ..] = bytes;
    match status {
        0 => Ok(End::Complete { exit_code: u32::from_be_bytes([a, b, c, d]) }),
        1 => Ok(End::Busy),
        2 => Ok(End::Overloaded),
        3 => Ok(End::UnknownRole),
        _ => Err(BadRecord("the request ended with a status that FastCGI does not know")),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadRecord, Decoder, End, Part};

    fn record(kind: u8, request: u16, content: &[u8], padding: u8) -> Vec<u8> {
        let [high, low] = request.to_be_bytes();
        let [long, short] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut record = vec![1, kind, high, low, long, short, padding, 77];
        record.extend_from_slice(content);
        record.extend(std::iter::repeat_n(0xee, usize::from(padding)));
        record
    }

    fn end(status: u8) -> Vec<u8> {
        record(3, 1, &[0, 0, 1, 2, status, 9, 9, 9], 0)
    }

    type Decoded = (Vec<u8>, Vec<u8>, Option<End>);

    /// What the bytes mean when they are shown in pieces of `size`.
    fn decoded(bytes: &[u8], size: usize) -> Result<(Decoded, bool), BadRecord> {
        let mut decoder = Decoder::default();
        let (mut out, mut err, mut end) = (Vec::new(), Vec::new(), None);
        for piece in bytes.chunks(size) {
            let mut at = 0;
            while let Some(part) = decoder.next(piece, &mut at)? {
                match part {
                    Part::Stdout(range) => out.extend_from_slice(&piece[range]),
                    Part::Stderr(range) => err.extend_from_slice(&piece[range]),
                    Part::End(how) => end = Some(how),
                }
            }
            assert_eq!(at, piece.len());
        }
        Ok(((out, err, end), decoder.is_over()))
    }

    #[test]
    fn records_mean_the_same_however_they_are_cut() {
        let bytes = [
            record(6, 1, b"Status: 200\r\n", 3),
            record(7, 1, b"notice", 0),
            record(6, 1, b"", 0),
            record(10, 0, b"\x0e\x01FCGI_MAX_CONNS1", 255),
            record(6, 1, b"\r\nbody", 255),
            record(7, 1, b"", 8),
            end(0),
        ]
        .concat();
        let expected = (b"Status: 200\r\n\r\nbody".to_vec(), b"notice".to_vec());
        for size in 1..=bytes.len() {
            let ((out, err, end), is_over) = decoded(&bytes, size).unwrap();
            assert_eq!((&out, &err), (&expected.0, &expected.1), "in pieces of {size}");
            assert_eq!((end, is_over), (Some(End::Complete { exit_code: 258 }), true));
        }
    }

    #[test]
    fn the_end_of_a_request_says_how_it_ended() {
        for (status, how) in [(1, End::Busy), (2, End::Overloaded), (3, End::UnknownRole)] {
            assert_eq!(decoded(&end(status), 5).unwrap().0.2, Some(how));
        }
        assert!(decoded(&end(4), 99).is_err());
        let longer = record(3, 1, &[0; 20], 4);
        assert_eq!(decoded(&longer, 7).unwrap().0.2, Some(End::Complete { exit_code: 0 }));
    }

    #[test]
    fn what_is_no_record_of_our_request_is_refused() {
        let after_the_end = [end(0), record(6, 1, b"more", 0)].concat();
        for (bytes, why) in [
            (b"HTTP/1.1 200 OK\r\n".to_vec(), "no FastCGI record"),
            (record(6, 2, b"x", 0), "another request"),
            (record(5, 1, b"x", 0), "no program sends"),
            (record(99, 1, b"x", 0), "no program sends"),
            (record(3, 1, &[0; 7], 0), "too short"),
            (after_the_end, "follows the end"),
        ] {
            for size in [1, bytes.len()] {
                let BadRecord(said) = decoded(&bytes, size).unwrap_err();
                assert!(said.contains(why), "{said}");
            }
        }
    }

    #[test]
    fn it_is_not_over_before_the_last_byte_of_padding() {
        let bytes = record(3, 1, &[0; 8], 2);
        assert!(!decoded(&bytes[..bytes.len() - 1], 99).unwrap().1);
        assert!(decoded(&bytes, 99).unwrap().1);
    }
}
