//! Records on their way to a program: the begin of a request, its parameters, its body.

/// The only request on a connection.
pub(super) const REQUEST: u16 = 1;
pub(super) const VERSION: u8 = 1;
pub(crate) const HEADER_BYTES: usize = 8;
/// Of the record that begins a request.
pub(crate) const BEGIN_BYTES: usize = 2 * HEADER_BYTES;
/// The most content we put into one record: the largest multiple of 8 a length can say, so that nothing has to be padded.
pub(crate) const MOST_CONTENT_BYTES: usize = 65_528;

const BEGIN_REQUEST: u8 = 1;
pub(super) const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
pub(super) const STDOUT: u8 = 6;
pub(super) const STDERR: u8 = 7;

const RESPONDER: u8 = 1;
const KEEP_CONNECTION: u8 = 1;

/// A parameter that no record can hold. php-cgi wants each whole in one record, so it is not split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Appends the begin of a request; `keep`: the program is not to close the connection after it.
pub(crate) fn put_begin(out: &mut Vec<u8>, keep: bool) {
    out.extend_from_slice(&header(BEGIN_REQUEST, 8));
    let flags = if keep { KEEP_CONNECTION } else { 0 };
    out.extend_from_slice(&[0, RESPONDER, flags, 0, 0, 0, 0, 0]);
}

/// The header of a piece of the request's body; of 0 bytes for its end.
pub(crate) fn body_header(length: u16) -> [u8; HEADER_BYTES] {
    header(STDIN, length)
}

fn header(kind: u8, length: u16) -> [u8; HEADER_BYTES] {
    let [request_high, request_low] = REQUEST.to_be_bytes();
    let [length_high, length_low] = length.to_be_bytes();
    [VERSION, kind, request_high, request_low, length_high, length_low, 0, 0]
}

/// Parameters, packed into as few records as hold each pair whole.
pub(crate) struct Params<'o> {
    out: &'o mut Vec<u8>,
    /// Where the header of the open record is, if one is open.
    open: Option<usize>,
}

impl<'o> Params<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Params<'o> {
        Params { out, open: None }
    }

    /// Appends one parameter.
    ///
    /// # Errors
    /// It fits no record; nothing of it has been appended.
    pub(crate) fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), TooLarge> {
        let bytes = length_bytes(name.len()) + length_bytes(value.len()) + name.len() + value.len();
        if bytes > MOST_CONTENT_BYTES {
            return Err(TooLarge);
        }
        if self.open.is_some_and(|open| self.out.len() - open - HEADER_BYTES + bytes > MOST_CONTENT_BYTES) {
            self.close();
        }
        if self.open.is_none() {
            self.open = Some(self.out.len());
            self.out.extend_from_slice(&header(PARAMS, 0));
        }
        put_length(self.out, name.len());
        put_length(self.out, value.len());
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(value);
        Ok(())
    }

    /// Ends the parameters.
    pub(crate) fn end(mut self) {
        self.close();
        self.out.extend_from_slice(&header(PARAMS, 0));
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        // Never more than a record holds.
        let length = u16::try_from(self.out.len() - open - HEADER_BYTES).unwrap_or(u16::MAX);
        if let Some(place) = self.out.get_mut(open + 4..open + 6) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

fn length_bytes(length: usize) -> usize {
    if length < 128 { 1 } else { 4 }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 128 => out.push(short),
        // Smaller than a record, so the top bit is free.
        _ => out.extend_from_slice(&(u32::try_from(length).unwrap_or(u32::MAX) | 1 << 31).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, MOST_CONTENT_BYTES, Params, TooLarge, body_header, put_begin};

    /// The contents of the records in `bytes`, each with its type.
    fn records(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            assert_eq!((bytes[0], &bytes[2..4], bytes[6]), (1, &[0, 1][..], 0));
            let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
            records.push((bytes[1], &bytes[HEADER_BYTES..HEADER_BYTES + length]));
            bytes = &bytes[HEADER_BYTES + length..];
        }
        records
    }

    #[test]
    fn a_request_begins_with_its_role_and_whether_the_connection_is_kept() {
        for (keep, flags) in [(true, 1), (false, 0)] {
            let mut out = Vec::new();
            put_begin(&mut out, keep);
            assert_eq!(records(&out), [(1, &[0, 1, flags, 0, 0, 0, 0, 0][..])]);
        }
        assert_eq!(body_header(258), [1, 5, 0, 1, 1, 2, 0, 0]);
    }

    #[test]
    fn lengths_take_one_byte_or_four() {
        let mut out = Vec::new();
        let mut params = Params::new(&mut out);
        let (short, long) = ([b'v'; 127], [b'w'; 128]);
        params.put(b"A", &short).unwrap();
        params.put(b"BC", &long).unwrap();
        params.put(b"D", b"").unwrap();
        params.end();
        let expected =
            [&[1, 127, b'A'][..], &short, &[2, 0x80, 0, 0, 128, b'B', b'C'], &long, &[1, 0, b'D']].concat();
        assert_eq!(records(&out), [(4, expected.as_slice()), (4, &[])]);
    }

    /// php-cgi resets the connection when a pair is split.
    #[test]
    fn no_parameter_is_ever_split_over_two_records() {
        let mut out = Vec::new();
        let mut params = Params::new(&mut out);
        let value = vec![b'x'; 40_000];
        for _ in 0..4 {
            params.put(b"N", &value).unwrap();
        }
        params.end();
        let lengths: Vec<usize> = records(&out).iter().map(|(_, content)| content.len()).collect();
        assert_eq!(lengths, [40_006, 40_006, 40_006, 40_006, 0]);
    }

    #[test]
    fn a_parameter_that_fills_a_record_is_sent_and_a_larger_one_is_refused_whole() {
        for (value_bytes, fits) in [(MOST_CONTENT_BYTES - 6, true), (MOST_CONTENT_BYTES - 5, false)] {
            let mut out = Vec::new();
            let mut params = Params::new(&mut out);
            let put = params.put(b"N", &vec![b'x'; value_bytes]);
            assert_eq!(put, if fits { Ok(()) } else { Err(TooLarge) });
            params.end();
            assert_eq!(records(&out).len(), if fits { 2 } else { 1 });
        }
    }

    #[test]
    fn without_parameters_there_is_only_their_end() {
        let mut out = Vec::new();
        Params::new(&mut out).end();
        assert_eq!(records(&out), [(4, &[][..])]);
    }
}
