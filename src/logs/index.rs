//! The page that lists the log files of a directory: `index.html`, for people with a browser and nothing else.

use std::fmt::Write;

use super::calendar::Utc;
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
        b.created_ms.cmp(&a.created_ms).then_with(|| (b.pid, &b.series).cmp(&(a.pid, &a.series)))
    });
    let rows: String = names.iter().take(MOST_ROWS).map(row).collect();
    // Each mark is looked for behind the one before it, so nothing that is put in is taken for a mark.
    let mut page = String::with_capacity(PAGE.len() + rows.len());
    let mut rest = PAGE;
    for (mark, text) in MARKS.into_iter().zip([rows, Utc::of(now_ms).to_string()]) {
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
    let (origin, kind, created) = (escape(name.origin()), name.content(), Utc::of(name.created_ms));
    let mut row = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        row,
        "<tr><td>{origin}</td><td>{}</td><td class=\"{kind}\">{kind}</td><td>{created}</td><td><a href=\"./{}\">log</a></td></tr>",
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

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::super::name::{LogName, Series};
    use super::{MARKS, MOST_ROWS, PAGE, TITLES, is_index, page};

    fn log(host: &str, stream: Stream, created_ms: u64) -> LogName {
        LogName { series: Series::Machine { host: host.to_owned(), stream }, pid: 7, created_ms }
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
}
