//! The head a worker is sent: the client's, line by line as received, less what concerns only the client's connection,
//! plus what the worker cannot know.

use std::io::Write;
use std::rc::Rc;

use crate::base::buffers::{Block, Buffers};
use crate::exchange::Peer;
use crate::http1::fields::{self, Known};
use crate::http1::request::RequestHead;
use crate::http1::{Span, Version};
use crate::pool::{Forwarded, Passing};

/// Room for what is added beyond a copy of the client's head.
const ADDED_BYTES: usize = 256;
/// The longest IPv6 address, in brackets and with a port.
const MAX_ENDPOINT_BYTES: usize = 64;

/// Writes the head for the worker into a new block, with room for the beginning of the body behind it.
///
/// The head of the client is an index over `bytes`. `told` are whole lines that the host adds.
pub(super) fn write(
    (head, bytes): (&RequestHead, &[u8]),
    target: Option<&str>,
    peer: &Peer,
    passing: &Passing,
    told: &str,
    buffers: &Rc<Buffers>,
) -> Block {
    // On a Unix socket a proxy has said who the client is, and nothing is left to say.
    let forwarded = if peer.ip.is_some() { passing.forwarded } else { Forwarded::AsSent };
    let start = head.method_name.start as usize;
    let mut out = buffers.at_least(head.end - start + ADDED_BYTES + told.len() + target.map_or(0, str::len));
    // Kept lines that follow each other are copied in one piece; the request line begins the first.
    let mut run = start..head.fields.first().map_or(head.fields_end, |field| field.name.start as usize);
    if let Some(target) = target {
        out.put(&bytes[start..head.target.start as usize]);
        out.put(target.as_bytes());
        run.start = (head.target.start + head.target.len) as usize;
    }
    let mut had_proto = false;
    for (index, field) in head.fields.iter().enumerate() {
        let line = head.line(index);
        if is_kept(head, index, bytes, forwarded, passing) {
            had_proto |= field.known == Known::XForwardedProto;
            run.end = line.end;
        } else {
            out.put(&bytes[run]);
            run = line.end..line.end;
        }
    }
    out.put(&bytes[run]);
    if head.upgrade {
        out.put(b"Connection: Upgrade\r\n");
    } else if head.version == Version::Http10 {
        // The request stays HTTP/1.0, so that the worker does not answer in chunks; its connection is kept all the same.
        out.put(b"Connection: keep-alive\r\n");
    }
    match (forwarded, &peer.ip) {
        (Forwarded::AsSent, _) | (_, None) => {}
        (Forwarded::Address, Some(ip)) => {
            put_forwarded_for(&mut out, head, bytes, ip.as_bytes());
            if !had_proto {
                out.put(b"X-Forwarded-Proto: http\r\n");
            }
        }
        (Forwarded::AddressAndPort, Some(ip)) => put_appended(&mut out, head, bytes, ip, peer.port),
    }
    out.put(told.as_bytes());
    out.put(b"\r\n");
    out
}

/// Whether a line passes. Hop-by-hop fields and those named in `Connection` end here.
fn is_kept(head: &RequestHead, index: usize, bytes: &[u8], forwarded: Forwarded, passing: &Passing) -> bool {
    let field = head.fields[index];
    match field.known {
        Known::Connection
        | Known::KeepAlive
        | Known::Te
        | Known::Trailer
        | Known::Proxy
        | Known::Http2Settings => false,
        Known::Upgrade => head.upgrade,
        // Merged into one line of each.
        Known::XForwardedFor if forwarded != Forwarded::AsSent => false,
        Known::XForwardedProto if forwarded == Forwarded::AddressAndPort => false,
        Known::ContentLength => !head.contradictory_length,
        Known::Other if passing.guards_identity && fields::is_identity(field.name.in_bytes(bytes)) => false,
        // The host says it.
        Known::Other if is_same(field.name.in_bytes(bytes), &passing.queue_time_field) => false,
        _ if head.connection.names_fields => {
            !fields::is_named_in_connection(&head.fields, bytes, field.name.in_bytes(bytes))
        }
        _ => true,
    }
}

/// Whether a name is this one, also to workers that read `_` like `-`.
fn is_same(name: &[u8], this: &str) -> bool {
    let is = |(one, other): (&u8, u8)| one.eq_ignore_ascii_case(&other) || (*one == b'_' && other == b'-');
    name.len() == this.len() && name.iter().zip(this.bytes()).all(is)
}

/// The addresses the client brought, then its own unless it was the last already.
fn put_forwarded_for(out: &mut Block, head: &RequestHead, bytes: &[u8], ip: &[u8]) {
    out.put(b"X-Forwarded-For: ");
    let last = put_brought(out, head, bytes, Known::XForwardedFor);
    if fields::members(last).last() != Some(ip) {
        if !last.is_empty() {
            out.put(b", ");
        }
        out.put(ip);
    }
    out.put(b"\r\n");
}

/// What the client brought, then its own end of the connection and the scheme of it, whatever was last: who reads them
/// counts from the end.
fn put_appended(out: &mut Block, head: &RequestHead, bytes: &[u8], ip: &str, port: u16) {
    let mut endpoint = [0; MAX_ENDPOINT_BYTES];
    let mut rest = &mut endpoint[..];
    // The room is more than the longest takes.
    let _ = match ip.contains(':') {
        true => write!(rest, "[{ip}]:{port}"),
        false => write!(rest, "{ip}:{port}"),
    };
    let unused = rest.len();
    let endpoint = &endpoint[..MAX_ENDPOINT_BYTES - unused];
    let lines: [(&[u8], Known, &[u8]); 2] = [
        (b"X-Forwarded-For: ", Known::XForwardedFor, endpoint),
        (b"X-Forwarded-Proto: ", Known::XForwardedProto, b"http"),
    ];
    for (name, known, own) in lines {
        out.put(name);
        if !put_brought(out, head, bytes, known).is_empty() {
            out.put(b", ");
        }
        out.put(own);
        out.put(b"\r\n");
    }
}

/// The values of all fields of one name as one list; returns the last.
fn put_brought<'b>(out: &mut Block, head: &RequestHead, bytes: &'b [u8], known: Known) -> &'b [u8] {
    let mut last: &[u8] = b"";
    let brought = head.fields.iter().filter(|field| field.known == known && field.value != Span::EMPTY);
    for value in
        brought.map(|field| field.value.in_bytes(bytes).trim_ascii()).filter(|value| !value.is_empty())
    {
        if !last.is_empty() {
            out.put(b", ");
        }
        out.put(value);
        last = value;
    }
    last
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::write;
    use crate::base::local::Local;
    use crate::exchange::Peer;
    use crate::http1::request::RequestHead;
    use crate::pool::{Forwarded, Passing};

    /// What a worker is sent of a request with `fields` from a client at `from`, without the request line.
    fn passed(fields: &str, from: Option<&str>, passing: &Passing, told: &str) -> String {
        let text = format!("GET / HTTP/1.1|Host: a|{fields}|").replace('|', "\r\n");
        let mut head = RequestHead::default();
        assert!(head.parse(text.as_bytes(), 0, 64).unwrap());
        let peer = Peer::new(from.map(|from| from.parse::<SocketAddr>().unwrap()), None);
        let buffers = Local::default().buffers;
        let block = write((&head, text.as_bytes()), None, &peer, passing, told, &buffers);
        let sent = String::from_utf8(block.filled().to_vec()).unwrap().replace("\r\n", "|");
        sent.strip_prefix("GET / HTTP/1.1|Host: a|").unwrap().to_owned()
    }

    #[test]
    fn address_port_and_scheme_are_appended_to_what_the_client_brought() {
        let passing = Passing { forwarded: Forwarded::AddressAndPort, ..Passing::default() };
        let v4 = Some("1.2.3.4:5678");
        for (fields, from, sent) in [
            ("", v4, "X-Forwarded-For: 1.2.3.4:5678|X-Forwarded-Proto: http|"),
            ("", Some("[::1]:5678"), "X-Forwarded-For: [::1]:5678|X-Forwarded-Proto: http|"),
            ("", Some("[::ffff:1.2.3.4]:9"), "X-Forwarded-For: 1.2.3.4:9|X-Forwarded-Proto: http|"),
            (
                "",
                Some("[1111:2222:3333:4444:5555:6666:7777:8888]:65535"),
                "X-Forwarded-For: [1111:2222:3333:4444:5555:6666:7777:8888]:65535|X-Forwarded-Proto: http|",
            ),
            (
                "x-forwarded-for: 9.9.9.9|X-A: b|X-Forwarded-Proto: https|X-Forwarded-For:  8.8.8.8:1 |",
                v4,
                "X-A: b|X-Forwarded-For: 9.9.9.9, 8.8.8.8:1, 1.2.3.4:5678|X-Forwarded-Proto: https, http|",
            ),
            // The same again is no reason to leave it out: who reads it counts from the end.
            (
                "X-Forwarded-For: 1.2.3.4:5678|X-Forwarded-Proto: http|X-Forwarded-Proto: |",
                v4,
                "X-Forwarded-For: 1.2.3.4:5678, 1.2.3.4:5678|X-Forwarded-Proto: http, http|",
            ),
        ] {
            assert_eq!(passed(fields, from, &passing, ""), format!("{sent}|"), "{fields} {from:?}");
        }
    }

    #[test]
    fn addresses_without_ports_come_as_before() {
        let passing = Passing { forwarded: Forwarded::Address, ..Passing::default() };
        for (fields, sent) in [
            ("", "X-Forwarded-For: 1.2.3.4|X-Forwarded-Proto: http|"),
            ("X-Forwarded-Proto: https|", "X-Forwarded-Proto: https|X-Forwarded-For: 1.2.3.4|"),
            (
                "X-Forwarded-For: 9.9.9.9, 1.2.3.4|",
                "X-Forwarded-For: 9.9.9.9, 1.2.3.4|X-Forwarded-Proto: http|",
            ),
        ] {
            assert_eq!(passed(fields, Some("1.2.3.4:5"), &passing, ""), format!("{sent}|"), "{fields}");
        }
    }

    /// Behind a Unix socket stands a proxy that has said who the client is.
    #[test]
    fn nothing_is_appended_for_clients_without_an_address() {
        for forwarded in [Forwarded::AsSent, Forwarded::Address, Forwarded::AddressAndPort] {
            let passing = Passing { forwarded, ..Passing::default() };
            let brought = "X-Forwarded-For: 9.9.9.9|X-Forwarded-Proto: https|";
            assert_eq!(passed(brought, None, &passing, ""), format!("{brought}|"), "{forwarded:?}");
        }
    }

    #[test]
    fn what_only_the_host_may_say_is_taken_from_clients_and_told_by_it() {
        let guarded = Passing { guards_identity: true, ..Passing::default() };
        for name in [
            "MS-ASPNETCORE-TOKEN",
            "ms_aspnetcore_clientcert",
            "MS-AspNetCore",
            "MS-ASPNETCOREWHATEVER",
            "X-IIS-WindowsAuthToken",
            "x_iis-windowsauthtoken",
            "X-Original-For",
            "x-original-proto",
            "X_Original_Host",
            "X-Original-URL",
            "x-iisnode-anything",
        ] {
            let told = "X-Original-URL: /a|MS-ASPNETCORE-TOKEN: t|";
            assert_eq!(passed(&format!("{name}: a|"), None, &guarded, told), format!("{told}|"));
            let open = passed(&format!("{name}: a|"), None, &Passing::default(), "");
            assert_eq!(
                open,
                format!("{name}: a||"),
                "an application that is no site's is told what clients say"
            );
        }
        for name in
            ["MS-ASPNETCOR", "X-Original", "X-Original-Force", "X-IIS-WindowsAuthTokens", "X-iisnode", "M"]
        {
            assert_eq!(passed(&format!("{name}: a|"), None, &guarded, ""), format!("{name}: a||"));
        }
    }

    #[test]
    fn how_long_a_request_has_waited_is_for_the_host_to_say() {
        let passing = Passing { queue_time_field: "X-Queue-Time".into(), ..Passing::default() };
        let forged = "x-queue_time: 0|X-Queue-Times: 0|";
        assert_eq!(passed(forged, None, &passing, "X-Queue-Time: 7|"), "X-Queue-Times: 0|X-Queue-Time: 7||");
    }
}
