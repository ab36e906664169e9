//! Where somebody listens: a TCP address or the path of a Unix socket.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// `unix:/path`, `host:port`, or a bare port (meaning 127.0.0.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}` is not an address: expected HOST:PORT, PORT or unix:/path")]
    Syntax(String),
    #[error("`{text}` does not resolve: {why}")]
    Resolve { text: String, why: String },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let plain = text.strip_prefix("http://").map_or(text, |rest| rest.trim_end_matches('/'));
        if let Some(path) = plain.strip_prefix("unix:") {
            if path.is_empty() || path.len() > MAX_UNIX_PATH_BYTES {
                return Err(AddressError::Syntax(text.to_owned()));
            }
            return Ok(Address::Unix(PathBuf::from(path)));
        }
        if let Ok(port) = plain.parse::<u16>() {
            return Ok(Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port))));
        }
        if let Ok(address) = plain.parse::<SocketAddr>() {
            return Ok(Address::Tcp(address));
        }
        let Some((host, port)) = plain.rsplit_once(':') else {
            return Err(AddressError::Syntax(text.to_owned()));
        };
        let Ok(port) = port.parse::<u16>() else {
            return Err(AddressError::Syntax(text.to_owned()));
        };
        let host = match host {
            "" | "*" => "0.0.0.0",
            other => other,
        };
        let mut found = (host, port)
            .to_socket_addrs()
            .map_err(|error| AddressError::Resolve { text: text.to_owned(), why: error.to_string() })?
            .collect::<Vec<_>>();
        // `localhost` often resolves to ::1 first, where few programs listen.
        found.sort_by_key(SocketAddr::is_ipv6);
        found.first().copied().map(Address::Tcp).ok_or_else(|| AddressError::Resolve {
            text: text.to_owned(),
            why: "no address found".to_owned(),
        })
    }
}

/// `sun_path` holds 108 bytes on Linux and 104 elsewhere, its closing NUL included.
pub(crate) const MAX_UNIX_PATH_BYTES: usize = 103;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("8080", "127.0.0.1:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:80", "[::1]:80"),
            ("*:80", "0.0.0.0:80"),
            (":81", "0.0.0.0:81"),
            ("localhost:82", "127.0.0.1:82"),
            ("http://127.0.0.1:83/", "127.0.0.1:83"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_what_is_allowed() {
        for text in ["", "here", "unix:", "host:", "127.0.0.1:99999"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
