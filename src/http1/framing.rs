//! How long a message's body is: RFC 9112, section 6.3, to the letter.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body.
    None,
    /// Exactly so many bytes.
    Length(u64),
    Chunked,
    /// Until the sender closes; responses only.
    UntilClose,
}

/// Why the length of a body is not beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ambiguous {
    TwoLengths,
    BadLength,
    /// `chunked` is missing, not last, or there twice.
    Chunked,
    /// HTTP/1.0 knows no Transfer-Encoding.
    CodingInHttp10,
    UnknownCoding,
}

impl Ambiguous {
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Ambiguous::TwoLengths => "two Content-Length fields",
            Ambiguous::BadLength => "Content-Length is not a decimal number",
            Ambiguous::Chunked => "Transfer-Encoding must name chunked once, and last",
            Ambiguous::CodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Ambiguous::UnknownCoding => "unknown transfer coding",
        }
    }
}

/// What the framing fields of one head say, line by line.
#[derive(Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
}

impl FramingFields {
    pub(crate) fn content_length(&mut self, value: &[u8]) -> Result<(), Ambiguous> {
        if self.length.is_some() {
            return Err(Ambiguous::TwoLengths);
        }
        // 19 digits always fit in 64 bits; no body is longer.
        if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
            return Err(Ambiguous::BadLength);
        }
        self.length = Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    pub(crate) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Ambiguous> {
        // Empty members may be ignored elsewhere (RFC 9110, 5.6.1); here, not everyone agrees on what `chunked,` says.
        for coding in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if self.chunked || coding.is_empty() {
                return Err(Ambiguous::Chunked);
            }
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
            } else if ![&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"]
                .iter()
                .any(|known| coding.eq_ignore_ascii_case(known))
            {
                return Err(Ambiguous::UnknownCoding);
            }
        }
        self.coded = true;
        Ok(())
    }

    /// Both were sent: chunked wins, the length is removed, the connection is closed after this message.
    pub(crate) fn contradicts_itself(&self) -> bool {
        self.coded && self.length.is_some()
    }

    pub(crate) fn of_request(&self, http10: bool) -> Result<Framing, Ambiguous> {
        match (self.coded, self.length) {
            (true, _) if http10 => Err(Ambiguous::CodingInHttp10),
            (true, _) if self.chunked => Ok(Framing::Chunked),
            (true, _) => Err(Ambiguous::Chunked),
            (false, Some(0) | None) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }

    /// For a response that may have a body at all.
    pub(crate) fn of_response(&self, http10: bool) -> Result<Framing, Ambiguous> {
        match (self.coded, self.length) {
            (true, _) if http10 => Err(Ambiguous::CodingInHttp10),
            (true, _) if self.chunked => Ok(Framing::Chunked),
            (true, _) => Err(Ambiguous::Chunked),
            (false, Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
            (false, None) => Ok(Framing::UntilClose),
        }
    }
}
