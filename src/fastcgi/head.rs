//! The head of a CGI response, as programs write it: parsed leniently in its line ends, strictly in what it means, and put
//! into HTTP/1 form.

/// What a program said before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CgiHead {
    pub(crate) status: u16,
    /// Without control characters; empty if the program said none.
    pub(crate) reason: String,
    /// Whole lines, each with its CR LF, of what passes to the client; without `Content-Length`.
    pub(crate) lines: Vec<u8>,
    pub(crate) content_length: Option<u64>,
    pub(crate) location: Option<String>,
    /// The program said a status, so that a `Location` is for the client.
    pub(crate) has_status: bool,
    /// `X-Sendfile`, `X-LIGHTTPD-send-file` or `X-Accel-Redirect`: the file to send instead of the body. Never passed on.
    pub(crate) send_file: Option<String>,
    pub(crate) has_date: bool,
    /// `X-Accel-Buffering: no`: nothing is to be kept for a client that is slow. Never passed on.
    pub(crate) is_unbuffered: bool,
    /// Where the body begins.
    pub(crate) end: usize,
}

/// Output that is no CGI response, with what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCgi(pub(crate) &'static str);

const MOST_FIELDS: usize = 256;

impl CgiHead {
    /// Reads the head at the beginning of `bytes`; None while its end is not there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<CgiHead>, BadCgi> {
        let Some(end) = end_of(bytes) else { return Ok(None) };
        let mut head = CgiHead {
            status: 200,
            reason: String::new(),
            lines: Vec::with_capacity(end + 16),
            content_length: None,
            location: None,
            has_status: false,
            send_file: None,
            has_date: false,
            is_unbuffered: false,
            end,
        };
        let mut is_cgi = false;
        let fields = unfolded(&bytes[..end])?;
        let of_connection = named_in_connection(&fields);
        for (number, line) in fields.iter().enumerate() {
            if number == 0 && line.starts_with(b"HTTP/") {
                let status = line.iter().position(|byte| *byte == b' ').map_or(&[][..], |at| &line[at..]);
                head.read_status(status)?;
                is_cgi = true;
                continue;
            }
            let colon = memchr::memchr(b':', line).ok_or(BadCgi("a line is no field"))?;
            let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
            if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
                return Err(BadCgi("a field has no name that HTTP allows"));
            }
            is_cgi |= [&b"content-type"[..], b"location", b"status"]
                .iter()
                .any(|needed| name.eq_ignore_ascii_case(needed));
            if !of_connection.iter().any(|named| named.eq_ignore_ascii_case(name)) {
                head.take(name, value)?;
            }
        }
        if !is_cgi {
            return Err(BadCgi("it has none of Content-Type, Location and Status"));
        }
        if head.location.is_some() && !head.has_status {
            head.status = 302;
        }
        Ok(Some(head))
    }

    /// The path, with its query, that the host is to serve in place of this response (RFC 3875, 6.2.2).
    pub(crate) fn local_redirect(&self) -> Option<&str> {
        let location = self.location.as_deref().filter(|_| !self.has_status)?;
        (location.starts_with('/') && !location.starts_with("//")).then_some(location)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadCgi> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let text = || String::from_utf8_lossy(value).into_owned();
        if is("status") {
            return self.read_status(value);
        }
        if is("content-length") {
            let digits =
                std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length =
                digits.and_then(|text| text.parse().ok()).ok_or(BadCgi("its Content-Length is no number"))?;
            if self.content_length.is_some_and(|said| said != length) {
                return Err(BadCgi("it says two different lengths"));
            }
            self.content_length = Some(length);
            return Ok(());
        }
        if is("x-sendfile") || is("x-lighttpd-send-file") || is("x-accel-redirect") {
            self.send_file = Some(text());
            return Ok(());
        }
        if is("x-accel-buffering") {
            self.is_unbuffered = value.eq_ignore_ascii_case(b"no");
            return Ok(());
        }
        if is_hop_by_hop(name) {
            return Ok(());
        }
        if is("location") {
            self.location = Some(text());
        }
        self.has_date |= is("date");
        self.lines.extend_from_slice(name);
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Reads `404 Not Found`, or `404`.
    fn read_status(&mut self, value: &[u8]) -> Result<(), BadCgi> {
        let value = value.trim_ascii();
        let (code, reason) = value.split_at_checked(3).ok_or(BadCgi("its status is no number"))?;
        let code = std::str::from_utf8(code).ok().and_then(|code| code.parse::<u16>().ok());
        let is_separate = reason.first().is_none_or(|byte| *byte == b' ');
        match code.filter(|code| (200..=999).contains(code) && is_separate) {
            Some(code) => {
                self.status = code;
                let reason = String::from_utf8_lossy(reason.trim_ascii());
                self.reason = reason.chars().filter(|c| !c.is_control()).collect();
                self.has_status = true;
                Ok(())
            }
            None => Err(BadCgi("its status is no number from 200 to 999")),
        }
    }
}

/// Where the body begins: behind the first empty line.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        if matches!(&bytes[line..end], b"" | b"\r") {
            return Some(end + 1);
        }
        line = end + 1;
    }
    None
}

/// The lines of a head, those that begin with a blank joined to the one before.
fn unfolded(head: &[u8]) -> Result<Vec<Vec<u8>>, BadCgi> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(BadCgi("a line holds a character that no field may hold"));
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let before = lines.last_mut().ok_or(BadCgi("its first line begins with a blank"))?;
            before.push(b' ');
            before.extend_from_slice(line.trim_ascii());
        } else if lines.len() == MOST_FIELDS {
            return Err(BadCgi("it has too many fields"));
        } else {
            lines.push(line.to_vec());
        }
    }
    Ok(lines)
}

/// The fields that concern one connection because its `Connection` says so; never those that every response needs.
fn named_in_connection(fields: &[Vec<u8>]) -> Vec<&[u8]> {
    const NEEDED: [&str; 4] = ["content-length", "content-type", "location", "status"];
    let of_line = |line: &'_ [u8]| -> Option<usize> {
        let colon = memchr::memchr(b':', line)?;
        line[..colon].trim_ascii_end().eq_ignore_ascii_case(b"connection").then_some(colon + 1)
    };
    fields
        .iter()
        .filter_map(|line| Some(&line[of_line(line)?..]))
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|named| !NEEDED.iter().any(|needed| named.eq_ignore_ascii_case(needed.as_bytes())))
        .collect()
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&str; 7] =
        ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{BadCgi, CgiHead};

    fn parse(text: &str) -> Result<CgiHead, BadCgi> {
        // Nothing is known before the last byte of the empty line, and nothing changes with what follows it.
        let end = CgiHead::parse(text.as_bytes())?.unwrap().end;
        for cut in 0..end {
            assert!(matches!(CgiHead::parse(&text.as_bytes()[..cut]), Ok(None) | Err(_)));
        }
        Ok(CgiHead::parse(&text.as_bytes()[..end])?.unwrap())
    }

    #[test]
    fn what_a_connection_field_names_stays_here() {
        for (text, expected) in [
            (
                "Content-Type: a/b\nX-A: 1\nConnection: close, x-a\nX-B: 2\n\n",
                "Content-Type: a/b\r\nX-B: 2\r\n",
            ),
            ("Connection: content-type , X-B\nContent-Type: a/b\nX-B: 2\n\n", "Content-Type: a/b\r\n"),
            (
                "Content-Type: a/b\nX-Connection: X-B\nX-B: 2\n\n",
                "Content-Type: a/b\r\nX-Connection: X-B\r\nX-B: 2\r\n",
            ),
        ] {
            assert_eq!(String::from_utf8_lossy(&parse(text).unwrap().lines), expected);
        }
    }

    #[test]
    fn heads_are_read_whatever_ends_their_lines() {
        for text in [
            "Status: 404 Not Found\r\nContent-Type: text/html\r\nX-A: b\r\n\r\nbody",
            "Status: 404 Not Found\nContent-Type: text/html\nX-A: b\n\nbody",
            "HTTP/1.1 404 Not Found\r\nContent-Type:text/html\nX-A:\r\n  b \r\n\nbody",
        ] {
            let head = parse(text).unwrap();
            assert_eq!((head.status, head.reason.as_str()), (404, "Not Found"), "{text}");
            let lines = String::from_utf8(head.lines).unwrap().replace(":  ", ": ");
            assert_eq!(lines, "Content-Type: text/html\r\nX-A: b\r\n");
            assert_eq!(&text[head.end..], "body");
        }
    }

    #[test]
    fn a_status_may_be_a_number_alone_or_missing() {
        for (text, status, reason) in [
            ("Content-Type: a/b\n\n", 200, ""),
            ("Status: 204\n\n", 204, ""),
            ("status:  999  Odd one \n\n", 999, "Odd one"),
            ("Location: http://x/\n\n", 302, ""),
            ("Status: 201 Created\nLocation: /x\n\n", 201, "Created"),
        ] {
            let head = parse(text).unwrap();
            assert_eq!((head.status, head.reason.as_str()), (status, reason), "{text}");
        }
    }

    #[test]
    fn only_a_path_without_a_status_is_served_in_place() {
        for (text, local) in [
            ("Location: /other?x=1\n\n", Some("/other?x=1")),
            ("Location: //evil.example/\n\n", None),
            ("Location: http://x/\n\n", None),
            ("Location: /x\nStatus: 302 Found\n\n", None),
            ("Content-Type: a/b\n\n", None),
        ] {
            assert_eq!(parse(text).unwrap().local_redirect(), local, "{text}");
        }
    }

    #[test]
    fn what_is_between_host_and_program_does_not_pass() {
        let head = parse(
            "Content-Type: a/b\nConnection: close\nKeep-Alive: 1\nTransfer-Encoding: chunked\nUpgrade: x\n\
             Content-Length: 5\nSet-Cookie: a=1\nSet-Cookie: b=2\nX-Sendfile: /secret\nx-accel-buffering: No\n\n",
        )
        .unwrap();
        let lines = String::from_utf8(head.lines).unwrap();
        assert_eq!(lines, "Content-Type: a/b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
        assert!(
            head.is_unbuffered
                && !parse("Content-Type: a/b\nX-Accel-Buffering: yes\n\n").unwrap().is_unbuffered
        );
        assert_eq!((head.content_length, head.send_file.as_deref()), (Some(5), Some("/secret")));
    }

    #[test]
    fn what_is_no_cgi_response_is_refused() {
        for text in [
            "X-Only: this\n\n",
            "\nbody without a head",
            "Fatal error in line 1\n\n",
            "Bad Name: x\n\n",
            ": x\nStatus: 200\n\n",
            "Status: 100 Continue\n\n",
            "Status: 20\n\n",
            "Status: 2000\n\n",
            "Status: ok\n\n",
            "Content-Type: a/b\nContent-Length: -1\n\n",
            "Content-Type: a/b\nContent-Length: 5\nContent-Length: 6\n\n",
            "Content-Type: a\rb\n\n",
            "Content-Type: a\0b\n\n",
            "Content-Type: a/b\nX-A: \u{1b}[31m\n\n",
            "Content-Type: a/b\nX-A: \u{1}\n\n",
            " Content-Type: a/b\n\n",
        ] {
            assert!(CgiHead::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        let many = "A: b\n".repeat(300);
        assert!(CgiHead::parse(format!("Status: 200\n{many}\n").as_bytes()).is_err());
    }
}
