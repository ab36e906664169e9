//! The cookie that keeps a client's requests on one worker (iisnode 3.3).
//!
//! Its value is the number of a slot, so it outlives the worker in it. A number that is none of the pool's counts as
//! no cookie: a client chooses nothing but one of the places there are.

use crate::exchange::Client;
use crate::http1::fields::Known;

const NAME: &[u8] = b"iisnode.session.cookie=";
/// iisnode reads no longer numbers.
const MAX_DIGITS: usize = 9;

/// The slot the client's cookie names.
pub(super) fn slot(client: &Client<'_>, slots: usize) -> Option<usize> {
    let bytes = client.head_bytes();
    let cookies = client.head().fields.iter().filter(|field| field.known == Known::Cookie);
    cookies
        .flat_map(|field| field.value.in_bytes(bytes).split(|&byte| byte == b';'))
        .find_map(|crumb| crumb.trim_ascii().strip_prefix(NAME))
        .filter(|value| (1..=MAX_DIGITS).contains(&value.len()))
        .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok())
        .filter(|slot| *slot < slots)
}

/// The field that has the client come back to `slot`.
pub(super) fn set_cookie(slot: usize) -> String {
    format!("Set-Cookie: iisnode.session.cookie={slot}; Path=/; HttpOnly; SameSite=Lax\r\n")
}
