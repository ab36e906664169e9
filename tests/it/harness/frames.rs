//! A client of HTTP/2 that sends exactly the frames it is told, and shows those that come.
//!
//! It keeps no state, so nothing is too wrong to be sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{Host, PATIENCE};

// Types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

// Flags, some of which share a bit.
const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const REFUSED_STREAM: u32 = 7;

pub(crate) type Fields<'f> = [(&'f str, &'f str)];

pub(crate) const GET: &Fields<'_> =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")];
pub(crate) const POST: &Fields<'_> =
    &[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test")];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Fields as HPACK literals that enter no table, without Huffman coding.
pub(crate) fn packed(fields: &Fields<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            put_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An HPACK integer with a prefix of seven bits.
pub(crate) fn put_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(u8::try_from(length).unwrap());
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

pub(crate) fn headers(flags: u8, stream: u32, fields: &Fields<'_>) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &packed(fields))
}

/// All that comes is read at once, so that the host never waits for this side.
pub(crate) struct FrameClient {
    stream: TcpStream,
    frames: Receiver<Frame>,
}

/// How one stream ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a whole answer.
    Answered(Vec<u8>),
    Reset(u32),
    /// With its connection.
    Closed,
}

impl FrameClient {
    pub(crate) fn connect(host: &Host) -> FrameClient {
        FrameClient::with_settings(host, &[])
    }

    pub(crate) fn with_settings(host: &Host, settings: &[(u16, u32)]) -> FrameClient {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], host.port()))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let (sender, frames) = channel();
        let mut incoming = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            while let Ok(frame) = read_frame(&mut incoming) {
                if sender.send(frame).is_err() {
                    return;
                }
            }
        });
        let mut abuser = FrameClient { stream, frames };
        let settings = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect::<Vec<_>>();
        abuser.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &settings)[..]].concat());
        abuser
    }

    /// Sends unless the host has had enough; whether it has not.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next frame within `patience`; an error when there is none, or the connection has ended.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Frame, RecvTimeoutError> {
        let frame = self.frames.recv_timeout(patience)?;
        if frame.kind == PING && frame.flags & ACK == 0 {
            let _ = self.send(frame_ack(&frame));
        }
        Ok(frame)
    }

    /// Waits for the end of a stream, or of the connection.
    #[track_caller]
    pub(crate) fn end_of(&mut self, stream: u32) -> End {
        let begun = Instant::now();
        let mut body = Vec::new();
        loop {
            assert!(begun.elapsed() < PATIENCE, "stream {stream} never ended");
            match self.next(PATIENCE) {
                Ok(frame) if frame.kind == RST_STREAM && frame.stream == stream => {
                    return End::Reset(u32::from_be_bytes(frame.payload.try_into().unwrap()));
                }
                Ok(frame) if frame.kind == GOAWAY && frame.payload[4..8] != [0; 4] => return End::Closed,
                Ok(frame) if frame.stream == stream => {
                    body.extend_from_slice(&frame.payload);
                    if frame.kind <= HEADERS && frame.flags & END_STREAM != 0 {
                        return End::Answered(body);
                    }
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return End::Closed,
                Err(RecvTimeoutError::Timeout) => panic!("stream {stream} never ended"),
            }
        }
    }

    /// Waits for the end of the connection; what came until then.
    #[track_caller]
    pub(crate) fn end(&mut self) -> Vec<Frame> {
        let begun = Instant::now();
        let mut frames = Vec::new();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the connection never ended");
            match self.next(PATIENCE) {
                Ok(frame) => frames.push(frame),
                Err(RecvTimeoutError::Disconnected) => return frames,
                Err(RecvTimeoutError::Timeout) => panic!("the connection never ended, nothing comes"),
            }
        }
    }
}

fn frame_ack(ping: &Frame) -> Vec<u8> {
    frame(PING, ACK, 0, &ping.payload)
}

fn read_frame(from: &mut TcpStream) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
    from.read_exact(&mut payload)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Frame { kind: head[3], flags: head[4], stream, payload })
}
