//! Where one worker is to listen, how it is told so, and the secret it shares with its host.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::sockets::SocketFolder;
use super::{ApplicationPlan, Pairing, Telling, Transport};

/// Where one worker is to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Socket(PathBuf),
    Port(u16),
}

impl Place {
    /// A place nobody else was given.
    ///
    /// # Errors
    /// Why there is none, as a whole sentence.
    pub(super) fn take(plan: &ApplicationPlan, sockets: &SocketFolder) -> Result<Place, String> {
        match (plan.telling.fixed_port, plan.transport) {
            (_, Transport::Inherited) | (None, Transport::Unix) => Ok(Place::Socket(sockets.socket_path())),
            (Some(port), _) => sockets.claim(port).map(|()| Place::Port(port)),
            (None, Transport::Tcp) => {
                let port = sockets.free_port();
                port.map(Place::Port).map_err(|error| format!("there is no free TCP port: {error}"))
            }
        }
    }

    /// A socket that listens here, for a worker that inherits it.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn listen(&self) -> io::Result<OwnedFd> {
        match self {
            Place::Socket(path) => UnixListener::bind(path).map(OwnedFd::from),
            Place::Port(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn give_back(&self, sockets: &SocketFolder) {
        match self {
            // A worker that ends in order has removed it itself.
            Place::Socket(path) => drop(std::fs::remove_file(path)),
            Place::Port(port) => sockets.return_port(*port),
        }
    }

    pub(super) fn as_text(&self) -> OsString {
        match self {
            Place::Socket(path) => path.clone().into_os_string(),
            Place::Port(port) => port.to_string().into(),
        }
    }

    /// Our folders are named in UTF-8 unless `XDG_RUNTIME_DIR` is not; then the text names another place.
    fn as_lossy_text(&self) -> String {
        self.as_text().to_string_lossy().into_owned()
    }

    fn placeholder(&self) -> &'static str {
        match self {
            Place::Port(_) => "{port}",
            Place::Socket(_) => "{socket}",
        }
    }

    /// An argument for the worker that is to listen here.
    pub(super) fn fill_in(&self, argument: &str, telling: &Telling) -> OsString {
        let place = self.as_lossy_text();
        let argument = argument.replace(self.placeholder(), &place);
        replace_token(argument, telling, &place).into()
    }

    /// The configured variables of an application, as they are for the worker that is to listen here.
    pub(super) fn configured(
        &self,
        environment: &[(String, String)],
        telling: &Telling,
    ) -> Vec<(OsString, OsString)> {
        let place = self.as_lossy_text();
        environment
            .iter()
            .map(|(name, value)| (name.into(), replace_token(value.clone(), telling, &place).into()))
            .collect()
    }

    /// The variables by which a worker is told this place.
    pub(super) fn told(
        &self,
        environment: &[(String, String)],
        telling: &Telling,
    ) -> Vec<(OsString, OsString)> {
        let is_own = |name: &str| environment.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let names = telling.variables.iter().filter(|name| !(telling.gives_way && is_own(name)));
        names.map(|name| (OsStr::new(name).to_owned(), self.as_text())).collect()
    }
}

fn replace_token(text: String, telling: &Telling, place: &str) -> String {
    match telling.token {
        Some(token) if text.contains(token) => text.replace(token, place),
        _ => text,
    }
}

/// What the host and one worker know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) variable: &'static str,
    pub(super) value: String,
    /// The field line that each request to the worker carries, with its CR LF.
    pub(super) line: String,
}

impl Secret {
    /// A fresh one, or the one that is configured.
    ///
    /// # Errors
    /// Why there is none, as a whole sentence.
    pub(super) fn new(pairing: &Pairing) -> Result<Secret, String> {
        let value = match &pairing.fixed {
            Some(fixed) => fixed.clone(),
            None => uuid().map_err(|error| format!("the machine has no random numbers: {error}"))?,
        };
        if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let variable = pairing.variable;
            return Err(format!(
                "the value of `{variable}` goes into a header field, and has characters that cannot be there"
            ));
        }
        let line = format!("{}: {value}\r\n", pairing.field);
        Ok(Secret { variable: pairing.variable, value, line })
    }
}

/// A random UUID, version 4.
fn uuid() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let mut number = u128::from_be_bytes(bytes);
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(0b11 << 62) | 0b10 << 62;
    let digits = format!("{number:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::super::{Pairing, Telling};
    use super::{Place, Secret};

    fn telling() -> Telling {
        Telling { variables: vec!["PORT"], token: Some("%P%"), fixed_port: None, gives_way: false }
    }

    #[test]
    fn a_place_is_filled_in_wherever_it_is_named() {
        for (place, argument, expected) in [
            (Place::Port(81), "a{port}b{socket}", "a81b{socket}"),
            (Place::Socket("/s".into()), "{socket}:{port}", "/s:{port}"),
            (Place::Port(81), "%P%,{port},%P%", "81,81,81"),
            (Place::Port(81), "%p%", "%p%"),
            (Place::Socket("/s".into()), "--bind=%P%", "--bind=/s"),
        ] {
            assert_eq!(place.fill_in(argument, &telling()), expected, "{argument}");
        }
    }

    #[test]
    fn an_applications_own_variable_wins_where_the_host_gives_way() {
        let environment = [("Port".to_owned(), "%P%0".to_owned())];
        let place = Place::Port(81);
        let configured = place.configured(&environment, &telling());
        assert_eq!(configured, [("Port".into(), "810".into())]);
        assert_eq!(place.told(&environment, &telling()), [("PORT".into(), "81".into())]);
        let gives_way = Telling { gives_way: true, variables: vec!["PORT", "HERE"], ..telling() };
        assert_eq!(place.told(&environment, &gives_way), [("HERE".into(), "81".into())]);
    }

    #[test]
    fn a_secret_is_random_unless_it_is_configured() {
        let pairing = |fixed: Option<&str>| Pairing {
            variable: "TOKEN",
            field: "X-Token",
            fixed: fixed.map(str::to_owned),
        };
        let (one, other) = (Secret::new(&pairing(None)).unwrap(), Secret::new(&pairing(None)).unwrap());
        assert_ne!(one, other);
        let parts = one.value.split('-').map(str::len).collect::<Vec<_>>();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{}", one.value);
        assert_eq!(one.value.as_bytes()[14], b'4', "{}", one.value);
        assert!(b"89ab".contains(&one.value.as_bytes()[19]), "{}", one.value);
        assert_eq!(one.line, format!("X-Token: {}\r\n", one.value));
        assert_eq!(Secret::new(&pairing(Some("mine"))).unwrap().line, "X-Token: mine\r\n");
        assert!(Secret::new(&pairing(Some("a\r\nb: c"))).unwrap_err().contains("`TOKEN`"));
    }
}
