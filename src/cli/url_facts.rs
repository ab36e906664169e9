//! What `ostler explain` knows of a request that nobody sent: what its URL says.

use std::borrow::Cow;

use crate::rules::facts::Facts;

/// What is known of a request from its URL alone.
pub(super) struct UrlFacts<'u> {
    pub(super) url: &'u str,
    pub(super) method: &'u str,
}

impl UrlFacts<'_> {
    fn host(&self) -> &str {
        let rest = self.url.split_once("://").map(|(_, rest)| rest);
        rest.map_or("localhost", |rest| rest.split(['/', '?']).next().unwrap_or(rest))
    }

    /// The host without its port.
    pub(super) fn name(&self) -> &str {
        let host = self.host();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    }

    fn is_secure(&self) -> bool {
        self.url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }
}

impl Facts for UrlFacts<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        let port = self.host().rsplit_once(':').map(|(_, port)| port);
        Some(Cow::Borrowed(match name {
            "REQUEST_METHOD" => self.method,
            "HTTPS" => {
                if self.is_secure() {
                    "on"
                } else {
                    "off"
                }
            }
            "HTTP_HOST" => self.host(),
            "SERVER_NAME" => self.name(),
            "SERVER_PORT" => port.unwrap_or(if self.is_secure() { "443" } else { "80" }),
            "SERVER_PORT_SECURE" => {
                if self.is_secure() {
                    "1"
                } else {
                    "0"
                }
            }
            "REMOTE_ADDR" | "REMOTE_HOST" => "127.0.0.1",
            _ => return None,
        }))
    }
}
