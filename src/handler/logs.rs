//! Who may read the files of a log directory over HTTP.
//!
//! Pure: the files themselves are served as any other. Logs hold stack traces, addresses and worse, under a URL that
//! anybody can guess; so they are for clients on this machine unless somebody has decided otherwise.

/// Whether a client may see a log directory: it is local and comes directly, or `logAccess` is `anyone`, or the
/// directory's name, any folder of it, is one that nobody can guess.
pub(crate) fn may_see(access_anyone: bool, directory_name: &str, client_is_local: bool) -> bool {
    access_anyone || client_is_local || directory_name.split(['/', '\\']).any(is_hard_to_guess)
}

/// The media type of a file in a log directory; None for those that have the site's.
pub(crate) fn media_type(file_name: &str) -> Option<&'static str> {
    let (_, extension) = file_name.rsplit_once('.')?;
    extension.eq_ignore_ascii_case("txt").then_some("text/plain; charset=utf-8")
}

/// A GUID, in braces or not, or at least 32 hexadecimal digits; not one that somebody has made up of few digits.
fn is_hard_to_guess(name: &str) -> bool {
    const GUID: [usize; 5] = [8, 4, 4, 4, 12];
    /// Of 32 random digits fewer than 6 different ones are practically never seen.
    const DIFFERENT: u32 = 6;
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_guid = name.split('-').map(str::len).eq(GUID) && name.split('-').all(is_hex);
    let digits = name.chars().filter_map(|c| c.to_digit(16)).fold(0_u16, |seen, digit| seen | 1 << digit);
    (is_guid || (name.len() >= 32 && is_hex(name))) && digits.count_ones() >= DIFFERENT
}

#[cfg(test)]
mod tests {
    use super::{is_hard_to_guess, may_see, media_type};

    const GUID: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

    #[test]
    fn logs_are_for_clients_on_the_machine_unless_somebody_has_decided_otherwise() {
        for (anyone, name, local, may) in [
            (false, "iisnode", true, true),
            (false, "iisnode", false, false),
            (true, "iisnode", false, true),
            (false, GUID, false, true),
            (false, &format!("logs/{GUID}/app"), false, true),
            (false, "", false, false),
        ] {
            assert_eq!(may_see(anyone, name, local), may, "{name} {anyone} {local}");
        }
    }

    #[test]
    fn a_name_that_nobody_can_guess_is_a_guid_or_as_long() {
        for (name, hard) in [
            (GUID, true),
            (&GUID.to_uppercase(), true),
            ("{3F2504E0-4F89-41D3-9A0C-0305E82C3301}", true),
            ("3f2504e04f8941d39a0c0305e82c3301", true),
            ("3f2504e04f8941d39a0c0305e82c33011", true),
            ("3f2504e04f8941d39a0c0305e82c330", false),
            ("3f2504e0-4f89-41d3-9a0c-0305e82c330", false),
            ("3f2504e04-f89-41d3-9a0c-0305e82c3301", false),
            ("3f2504e0-4f89-41d3-9a0c-0305e82c330g", false),
            ("00000000-0000-0000-0000-000000000000", false),
            ("11111111-2222-3333-4444-555555555555", false),
            ("iisnode", false),
        ] {
            assert_eq!(is_hard_to_guess(name), hard, "{name}");
        }
    }

    #[test]
    fn logs_are_plain_text() {
        assert_eq!(media_type("PC-7-stdout-1.txt"), Some("text/plain; charset=utf-8"));
        assert_eq!(media_type("index.html"), None);
        assert_eq!(media_type("txt"), None);
    }
}
