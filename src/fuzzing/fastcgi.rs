//! FastCGI from programs: any bytes in, and a panic when a promise is broken.

use crate::fastcgi::decoder::{BadRecord, Decoder, End, Part};
use crate::fastcgi::head::CgiHead;
use crate::http1::response::{Asked, ResponseHead};

#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    out: Vec<u8>,
    err: Vec<u8>,
    end: Option<End>,
    refused: Option<BadRecord>,
    is_over: bool,
}

/// What a program sends on its connection: understood in the same way however it is cut, and as a naive reader of the
/// specification understands it.
pub fn records(bytes: &[u8]) {
    let whole = decoded(&[bytes]);
    assert_eq!(whole, naive(bytes), "a naive reader understands something else");
    let each: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decoded(&each), whole, "byte by byte it means something else");
    for cut in [1, 7, 8, 9, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        if let Some((first, second)) = bytes.split_at_checked(cut) {
            assert_eq!(decoded(&[first, second]), whole, "cut at {cut} it means something else");
        }
    }
}

fn decoded(pieces: &[&[u8]]) -> Decoded {
    let (mut decoder, mut decoded) = (Decoder::default(), Decoded::default());
    'pieces: for piece in pieces {
        let mut at = 0;
        loop {
            let before = at;
            match decoder.next(piece, &mut at) {
                Ok(Some(Part::Stdout(part))) => decoded.out.extend_from_slice(&piece[part]),
                Ok(Some(Part::Stderr(part))) => decoded.err.extend_from_slice(&piece[part]),
                Ok(Some(Part::End(end))) => decoded.end = Some(end),
                Ok(None) => {
                    assert_eq!(at, piece.len(), "something is left that was not understood");
                    break;
                }
                Err(bad) => {
                    decoded.refused = Some(bad);
                    break 'pieces;
                }
            }
            assert!(at > before, "it does not move on");
        }
    }
    decoded.is_over = decoder.is_over() && decoded.refused.is_none();
    decoded
}

/// Record by record, as the tables of the specification have it.
fn naive(mut bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    while let Some((header, rest)) = bytes.split_at_checked(8) {
        let length = usize::from(header[4]) * 256 + usize::from(header[5]);
        let request = usize::from(header[2]) * 256 + usize::from(header[3]);
        let refused = match (header[0], request, header[1]) {
            (1, _, _) if decoded.end.is_some() => Some("a record follows the end of the request"),
            (1, 0, _) | (1, 1, 6 | 7) => None,
            (1, 1, 3) if length < 8 => Some("the end of the request is too short"),
            (1, 1, 3) => None,
            (1, 1, _) => Some("a record is of a type that no program sends"),
            (1, _, _) => Some("a record is of another request"),
            _ => Some("it is no FastCGI record"),
        };
        if let Some(why) = refused {
            return Decoded { refused: Some(BadRecord(why)), is_over: false, ..decoded };
        }
        let content = &rest[..rest.len().min(length)];
        let whole = length + usize::from(header[6]);
        match (request, header[1]) {
            (1, 6) => decoded.out.extend_from_slice(content),
            (1, 7) => decoded.err.extend_from_slice(content),
            (1, 3) if rest.len() >= whole => {
                let code = u32::from_be_bytes([content[0], content[1], content[2], content[3]]);
                decoded.is_over = true;
                match content[4] {
                    0 => decoded.end = Some(End::Complete { exit_code: code }),
                    1 => decoded.end = Some(End::Busy),
                    2 => decoded.end = Some(End::Overloaded),
                    3 => decoded.end = Some(End::UnknownRole),
                    _ => {
                        let why = "the request ended with a status that FastCGI does not know";
                        return Decoded { refused: Some(BadRecord(why)), is_over: false, ..decoded };
                    }
                }
            }
            _ => {}
        }
        bytes = rest.get(whole..).unwrap_or_default();
        if rest.len() < whole {
            return decoded;
        }
    }
    decoded.is_over &= bytes.is_empty();
    decoded
}

/// What a program prints first: its head ends in one place whatever follows it, and put into HTTP/1 form it is one head, with
/// no line more than the program wrote, that speaks of no connection and no framing.
pub fn cgi_head(bytes: &[u8]) {
    let parsed = CgiHead::parse(bytes);
    let Ok(Some(head)) = parsed else { return };
    assert_eq!(
        CgiHead::parse(&bytes[..head.end]),
        Ok(Some(head.clone())),
        "what follows the head changes it"
    );
    let longer = [bytes, b"\nStatus: 404\n\n"].concat();
    assert_eq!(CgiHead::parse(&longer), Ok(Some(head.clone())), "more behind the head changes it");
    for cut in head.end.saturating_sub(32)..head.end {
        assert!(matches!(CgiHead::parse(&bytes[..cut]), Ok(None)), "it is whole before its end");
    }
    assert!((200..=999).contains(&head.status));
    assert!(!head.reason.contains(['\r', '\n', '\0']), "the reason holds a line end");
    let lines: Vec<&[u8]> = head.lines.split_inclusive(|byte| *byte == b'\n').collect();
    let written = bytes[..head.end].iter().filter(|byte| **byte == b'\n').count();
    assert!(lines.len() < written, "there are more lines than the program wrote");
    for line in &lines {
        let inner = line.strip_suffix(b"\r\n").expect("each ends with CR LF");
        assert!(!inner.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "a line holds a line end");
        let name = inner.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_lowercase();
        let is_kept_back =
            [&b"connection"[..], b"transfer-encoding", b"content-length", b"x-sendfile", b"status"];
        assert!(!is_kept_back.contains(&name.as_slice()), "a line is not for clients");
    }
    let text = [b"HTTP/1.1 200 OK\r\n", head.lines.as_slice(), b"\r\n"].concat();
    let asked = Asked { head_only: false, upgrade: false, http10: false };
    // Characters that HTTP does not allow are refused there.
    if let Ok(again) = ResponseHead::parse(&text, 0, asked) {
        assert_eq!(again.expect("it is whole").end, text.len(), "it ends elsewhere in HTTP/1 form");
    }
}
