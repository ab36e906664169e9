//! Times of the calendar, in UTC, without leap seconds.

/// A second of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Utc {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
}

/// From the first of March of the year 0 to the beginning of 1970.
const DAYS_BEFORE_1970: u64 = 719_468;
/// The years of the calendar repeat after so many days.
const DAYS_OF_ERA: u64 = 146_097;

impl Utc {
    /// The time so many milliseconds after the beginning of 1970.
    pub(super) fn of(ms: u64) -> Utc {
        let seconds = ms / 1000;
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        // Counted from a first of March, leap days stand last.
        let days = days + DAYS_BEFORE_1970;
        let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Utc { year, month, day, hour: time / 3600, minute: time / 60 % 60, second: time % 60 }
    }

    /// `20260301090507`.
    pub(super) fn digits(self) -> String {
        let Utc { year, month, day, hour, minute, second } = self;
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    }

    /// The milliseconds from 1970 to what [`Self::digits`] has written; None if there is no such time.
    pub(super) fn parse_digits(digits: &str) -> Option<u64> {
        if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let month_from_march = (month + 9) % 12;
        let year_from_march = if month <= 2 { year.checked_sub(1)? } else { year };
        let days = 365 * year_from_march + year_from_march / 4 - year_from_march / 100
            + year_from_march / 400
            + (153 * month_from_march + 2) / 5
            + day.checked_sub(1)?;
        let days = days.checked_sub(DAYS_BEFORE_1970)?;
        let ms = (days * 86_400 + part(8, 10)? * 3600 + part(10, 12)? * 60 + part(12, 14)?) * 1000;
        // Days that no month has, and the like, come out as other times.
        (Utc::of(ms).digits() == digits).then_some(ms)
    }
}

impl std::fmt::Display for Utc {
    /// `2026-03-01 09:05:07 UTC`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Utc { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text, digits) in [
            (0, "1970-01-01 00:00:00 UTC", "19700101000000"),
            (951_782_399, "2000-02-28 23:59:59 UTC", "20000228235959"),
            (951_782_400, "2000-02-29 00:00:00 UTC", "20000229000000"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC", "20240229235959"),
            (1_735_689_600, "2025-01-01 00:00:00 UTC", "20250101000000"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC", "21000301000000"),
        ] {
            let time = Utc::of(seconds * 1000 + 999);
            assert_eq!((time.to_string().as_str(), time.digits().as_str()), (text, digits));
            assert_eq!(Utc::parse_digits(digits), Some(seconds * 1000), "{digits}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for digits in [
            "",
            "2024022923595",
            "20240230000000",
            "20241301000000",
            "20240001000000",
            "20240100000000",
            "20240101240000",
            "20240101006000",
            "19691231235959",
            "+2024010100000",
            "99999999999999",
        ] {
            assert_eq!(Utc::parse_digits(digits), None, "{digits}");
        }
    }
}
