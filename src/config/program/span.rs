//! Spans of time as IIS writes them: `hh:mm:ss`, with days before as in `1.02:00:00`.

use std::time::Duration;

/// Hours may be more than a day has, minutes and seconds not more than 59.
pub(super) fn read(text: &str) -> Option<Duration> {
    let (days, clock) = match text.trim().split_once('.') {
        Some((days, clock)) => (number(days)?, clock),
        None => (0, text.trim()),
    };
    let mut parts = clock.split(':');
    let mut part = |most| number(parts.next()?).filter(|number| *number <= most);
    let (hours, minutes, seconds) = (part(u64::MAX)?, part(59)?, part(59)?);
    if parts.next().is_some() {
        return None;
    }
    let hours = days.checked_mul(24)?.checked_add(hours)?;
    Some(Duration::from_secs(hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?))
}

pub(super) fn told(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{read, told};

    #[test]
    fn spans_are_hours_minutes_and_seconds() {
        for (text, seconds, shown) in [
            ("00:02:00", Some(120), "00:02:00"),
            ("0:0:20", Some(20), "00:00:20"),
            ("360:00:00", Some(1_296_000), "360:00:00"),
            ("1.02:00:01", Some(93_601), "26:00:01"),
            ("00:60:00", None, ""),
            ("00:00:60", None, ""),
            ("02:00", None, ""),
            ("120", None, ""),
            ("-00:02:00", None, ""),
            ("00:02:00:00", None, ""),
            ("", None, ""),
            ("99999999999999999999:00:00", None, ""),
            ("5124095576030431:00:16", None, ""),
        ] {
            let span = read(text);
            assert_eq!(span.map(|span| span.as_secs()), seconds, "{text}");
            assert_eq!(span.map(told).unwrap_or_default(), shown, "{text}");
        }
    }
}
