//! Whether a client sits at this machine: who does may read its files anyway.

use crate::exchange::Client;

/// Whether the client is on this machine and comes directly. A proxy on the machine speaks for others, and so does a page
/// of another site whose name has been made to lead here.
pub(crate) fn is_local(client: &Client<'_>) -> bool {
    let (head, bytes) = (client.head(), client.head_bytes());
    let mut names = head.fields.iter().map(|field| field.name.in_bytes(bytes));
    let host = head.host.map_or(&b""[..], |host| host.in_bytes(bytes));
    client.peer().is_local && is_name_of_here(host) && !names.any(is_forwarding_field)
}

/// Whether nobody elsewhere can own a name: addresses, single labels and what ends in `localhost`.
fn is_name_of_here(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host);
    let port = host.rfind(':').filter(|at| host[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    let name = host[..port.unwrap_or(host.len())].trim_end_matches('.').to_ascii_lowercase();
    name.starts_with('[')
        || !name.contains('.')
        || name.parse::<std::net::Ipv4Addr>().is_ok()
        || name.ends_with(".localhost")
}

/// Whether a request with a field of this name has come through a proxy: its peer is not the client.
fn is_forwarding_field(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
    ];
    // The second is IIS's own proxy, the third what applications of ASP.NET Core make of the first.
    const PREFIXES: [&[u8]; 3] = [b"x-forwarded-", b"x-arr-", b"x-original-"];
    let begins_with =
        |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().any(|prefix| begins_with(prefix))
        || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::{is_forwarding_field, is_name_of_here};

    #[test]
    fn a_name_that_somebody_elsewhere_may_own_is_none_of_this_machine() {
        for (host, is_here) in [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("[::1]:80", true),
            ("site.localhost", true),
            ("mymachine", true),
            ("", true),
            ("evil.example", false),
            ("evil.example.:80", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(is_name_of_here(host.as_bytes()), is_here, "{host}");
        }
    }

    #[test]
    fn a_request_that_names_a_proxy_is_not_from_this_machine() {
        for (name, is_forwarded) in [
            ("X-Forwarded-For", true),
            ("x-forwarded-host", true),
            ("Forwarded", true),
            ("via", true),
            ("CF-Connecting-IP", true),
            ("X-ARR-LOG-ID", true),
            ("X-Original-For", true),
            ("X-Forwarde", false),
            ("Host", false),
        ] {
            assert_eq!(is_forwarding_field(name.as_bytes()), is_forwarded, "{name}");
        }
    }
}
