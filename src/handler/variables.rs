//! Server variables: what IIS calls the facts of a request and of the site that serves it.

use std::borrow::Cow;

use crate::exchange::{Client, Exchange, Peer};
use crate::http1::fields::Field;
use crate::rules::facts::Facts;

/// Where in its site a request is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scene<'s> {
    /// The site's root on the disk, without a slash at the end.
    pub(crate) physical_root: &'s str,
    /// The decoded path of the URL as it is now, with its slash.
    pub(crate) url: &'s str,
    /// The entry script, relative to the root; empty before there is one.
    pub(crate) script: &'s str,
    /// What of the URL's path follows the script, decoded, with its slash; empty if nothing does.
    pub(crate) path_info: &'s str,
}

/// The variables of one request.
pub(crate) struct Variables<'v, 'c> {
    pub(crate) client: &'v Client<'c>,
    pub(crate) scene: Scene<'v>,
}

impl<'v, 'c> Variables<'v, 'c> {
    pub(crate) fn of(exchange: &'v Exchange<'c>, scene: Scene<'v>) -> Variables<'v, 'c> {
        Variables { client: &exchange.client, scene }
    }

    fn target(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.client.head().target.in_bytes(self.client.head_bytes()))
    }

    fn fields(&self) -> impl Iterator<Item = (&Field, &[u8])> {
        let bytes = self.client.head_bytes();
        self.client.head().fields.iter().map(move |field| (field, field.value.in_bytes(bytes)))
    }

    /// The field whose name is `name` with `_` for `-`; several are joined as HTTP has it.
    fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let bytes = self.client.head_bytes();
        let is_named = |field: &Field| {
            let there = field.name.in_bytes(bytes);
            there.len() == name.len()
                && there.iter().zip(name.bytes()).all(|(there, asked)| {
                    let there = if *there == b'-' { b'_' } else { *there };
                    there.eq_ignore_ascii_case(&asked)
                })
        };
        let mut values = self
            .fields()
            .filter(|(field, _)| is_named(field))
            .map(|(_, value)| String::from_utf8_lossy(value));
        let first = values.next()?;
        Some(values.fold(first, |all, value| Cow::Owned(format!("{all}, {value}"))))
    }

    fn host(&self) -> Cow<'_, str> {
        self.field("HOST").unwrap_or_default()
    }

    fn host_name(&self) -> String {
        let host = self.host();
        let port = host.rfind(':').filter(|at| host[*at..].bytes().skip(1).all(|byte| byte.is_ascii_digit()));
        host[..port.unwrap_or(host.len())].to_owned()
    }

    fn local_port(&self) -> String {
        let host = self.host();
        let name = self.host_name();
        let said = host.strip_prefix(&name).and_then(|rest| rest.strip_prefix(':'));
        match (said, self.client.peer().served_port) {
            (Some(said), _) => said.to_owned(),
            (None, 0) => "80".to_owned(),
            (None, served) => served.to_string(),
        }
    }
}

impl Facts for Variables<'_, '_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        let head = self.client.head();
        let bytes = self.client.head_bytes();
        let text = |text: &'static str| Some(Cow::Borrowed(text));
        let ip = || Some(Cow::Borrowed(self.client.peer().ip.as_deref().unwrap_or_default()));
        let scene = &self.scene;
        Some(match name {
            "REQUEST_METHOD" | "HTTP_METHOD" => String::from_utf8_lossy(head.method_name.in_bytes(bytes)),
            "HTTPS" => return text("off"),
            "SERVER_PORT_SECURE" => return text("0"),
            "SERVER_PROTOCOL" | "HTTP_VERSION" => return text("HTTP/1.1"),
            "SERVER_SOFTWARE" => return text(concat!("ostler/", env!("CARGO_PKG_VERSION"))),
            "GATEWAY_INTERFACE" => return text("CGI/1.1"),
            "REMOTE_ADDR" | "REMOTE_HOST" => return ip(),
            "REMOTE_PORT" => match self.client.peer() {
                Peer { ip: Some(_), port, .. } => Cow::Owned(port.to_string()),
                _ => Cow::Borrowed(""),
            },
            "LOCAL_ADDR" => return text(""),
            // Nobody is authenticated by us.
            "LOGON_USER" | "AUTH_USER" | "AUTH_TYPE" | "REMOTE_USER" | "UNMAPPED_REMOTE_USER" => {
                return text("");
            }
            "APP_POOL_ID" => return text("ostler"),
            "INSTANCE_ID" => return text("1"),
            "WARMUP_REQUEST" => return text(""),
            "APPL_MD_PATH" => return text("/LM/W3SVC/1/ROOT"),
            "INSTANCE_META_PATH" => return text("/LM/W3SVC/1"),
            "SERVER_NAME" => Cow::Owned(self.host_name()),
            "SERVER_PORT" => Cow::Owned(self.local_port()),
            "REQUEST_URI" | "UNENCODED_URL" | "HTTP_URL" => self.target(),
            "QUERY_STRING" => match self.target().split_once('?') {
                Some((_, query)) => Cow::Owned(query.to_owned()),
                None => Cow::Borrowed(""),
            },
            "URL" | "PATH_INFO" => Cow::Borrowed(scene.url),
            "SCRIPT_NAME" => Cow::Owned(format!("/{}", scene.script)),
            "SCRIPT_TRANSLATED" | "SCRIPT_FILENAME" => {
                Cow::Owned(format!("{}/{}", scene.physical_root, scene.script))
            }
            "PATH_TRANSLATED" => Cow::Owned(format!("{}{}", scene.physical_root, scene.url)),
            "APPL_PHYSICAL_PATH" => Cow::Owned(format!("{}/", scene.physical_root)),
            "CONTENT_TYPE" | "CONTENT_LENGTH" => self.field(name).unwrap_or_default(),
            _ if name.starts_with("CERT_") => return text(""),
            _ => return self.field(name.strip_prefix("HTTP_")?),
        })
    }
}
