//! The page that lists the log files of a directory: `index.html`, for people with a browser and nothing else.

use std::fmt::Write;

use super::name::LogName;

pub(super) const FILE_NAME: &str = "index.html";
/// More than anybody scrolls through; the quotas usually keep far fewer.
const MOST_ROWS: usize = 1000;
const PAGE: &str = include_str!("../../www/logs.html");
/// Stand in the page where the rows and the time go.
const MARKS: [&str; 2] = ["<!-- rows -->", "<!-- updated -->"];
/// In the head of our page, and of iisnode's: what may be replaced.
const TITLES: [&str; 2] = ["<title>ostler logs</title>", "iisnode logs"];

/// The page for these files, newest first.
pub(super) fn page(mut names: Vec<LogName>, now_ms: u64) -> String {
    names.sort_by(|a, b| {
        b.created_ms.cmp(&a.created_ms).then_with(|| (b.pid, b.stream).cmp(&(a.pid, a.stream)))
    });
    let rows: String = names.iter().take(MOST_ROWS).map(row).collect();
    // Each mark is looked for behind the one before it, so nothing that is put in is taken for a mark.
    let mut page = String::with_capacity(PAGE.len() + rows.len());
    let mut rest = PAGE;
    for (mark, text) in MARKS.into_iter().zip([rows, utc(now_ms)]) {
        let (before, behind) = rest.split_once(mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(&text);
        rest = behind;
    }
    page.push_str(rest);
    page
}

/// Whether a file that begins like this is an index, ours or iisnode's, and not somebody's own page.
pub(super) fn is_index(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    text.trim().is_empty() || TITLES.iter().any(|title| text.contains(title))
}

fn row(name: &LogName) -> String {
    let (host, kind, created) = (escape(&name.host), name.stream.name(), utc(name.created_ms));
    let mut row = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        row,
        "<tr><td>{host}</td><td>{}</td><td class=\"{kind}\">{kind}</td><td>{created}</td><td><a href=\"./{}\">log</a></td></tr>",
        name.pid,
        escape(&encode(&name.to_string())),
    );
    row
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For the path of a URL.
fn encode(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

/// `2026-03-01 09:05:07 UTC`.
fn utc(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // The years of the calendar repeat every 146,097 days; counted from a first of March, leap days stand last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::super::name::LogName;
    use super::{MARKS, MOST_ROWS, PAGE, TITLES, is_index, page, utc};

    fn log(host: &str, stream: Stream, created_ms: u64) -> LogName {
        LogName { host: host.to_owned(), pid: 7, stream, created_ms }
    }

    #[test]
    fn the_newest_is_listed_first_with_a_link_and_its_stream_marked() {
        let page = page(vec![log("PC", Stream::Out, 1_000), log("PC", Stream::Err, 2_000)], 3_000);
        let row = "<tr><td>PC</td><td>7</td><td class=\"stderr\">stderr</td><td>1970-01-01 00:00:02 UTC</td>\
            <td><a href=\"./PC-7-stderr-2000.txt\">log</a></td></tr>";
        assert!(page.contains(row), "{page}");
        assert!(page.find("PC-7-stderr-2000") < page.find("PC-7-stdout-1000"));
        assert!(page.contains("1970-01-01 00:00:03 UTC"));
        assert!(MARKS.iter().all(|mark| PAGE.matches(mark).count() == 1 && !page.contains(mark)));
    }

    #[test]
    fn names_stay_text_whatever_they_hold() {
        let page = page(vec![log("<b a=\"'&%2f <!-- updated -->", Stream::Out, 1)], 2);
        assert!(page.contains("<td>&lt;b a=&quot;&#39;&amp;%2f &lt;!-- updated --&gt;</td>"), "{page}");
        assert!(page.contains("href=\"./%3Cb%20a%3D%22%27%26%252f%20"), "{page}");
    }

    #[test]
    fn the_list_is_bounded() {
        let names = (0..2 * MOST_ROWS as u64).map(|ms| log("a", Stream::Out, ms)).collect();
        let page = page(names, 1);
        assert_eq!(page.matches("<tr><td>").count(), MOST_ROWS);
        assert!(page.contains(&format!("stdout-{}.txt", 2 * MOST_ROWS - 1)));
    }

    #[test]
    fn only_an_index_is_taken_for_one() {
        assert!(PAGE.contains(TITLES[0]) && !PAGE.contains("://"), "no external resources");
        for (beginning, index) in [
            ("", true),
            (PAGE, true),
            ("<html><head>\r\n<title>iisnode logs</title>", true),
            ("<html><title>My shop</title>", false),
        ] {
            assert_eq!(is_index(beginning.as_bytes()), index, "{beginning}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_735_689_600, "2025-01-01 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds * 1000), text);
        }
    }
}
