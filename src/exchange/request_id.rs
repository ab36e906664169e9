//! The number by which a person who saw a page and one who reads the log talk about the same request.

use std::fmt;

/// Made when it is needed first, and the same wherever the request is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(u64);

impl RequestId {
    pub(super) fn random() -> RequestId {
        // Without random numbers there are worse troubles than two requests with one number.
        RequestId(getrandom::u64().unwrap_or_default())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn requests_have_numbers_of_their_own() {
        let (one, other) = (RequestId::random().to_string(), RequestId::random().to_string());
        assert!(one.len() == 16 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, other);
        assert_eq!(RequestId(0x1f).to_string(), "000000000000001f");
    }
}
