//! Dates and times as text.

/// Days since 1970-01-01 as `2024-01-31`, by the proleptic Gregorian calendar (H. Hinnant,
/// chrono-Compatible Low-Level Date Algorithms, 2013).
pub(super) fn date(days: i64) -> String {
    // Years begin in March and are counted in eras of 400, which are all of equal length.
    let days = i128::from(days) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Ticks since 1970-01-01, of which a second has so many (a power of 10), as `2024-01-31 12:00:00` with
/// a fraction if there is one.
pub(super) fn timestamp(ticks: i64, per_second: i64) -> String {
    let day = i128::from(per_second) * 86_400;
    let ticks = i128::from(ticks);
    let days = i64::try_from(ticks.div_euclid(day)).unwrap_or(0);
    format!("{} {}", date(days), time(ticks.rem_euclid(day) as i64, per_second))
}

/// Ticks since midnight as `12:00:00` with a fraction if there is one.
pub(super) fn time(ticks: i64, per_second: i64) -> String {
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        let width = per_second.ilog10() as usize;
        let digits = format!("{fraction:0width$}");
        text = format!("{text}.{}", digits.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_ticks_are_written_by_the_calendar() {
        let days = [0, 19_782, 11_016, -1, -719_528, 2_932_896];
        let found: Vec<_> = days.iter().map(|days| date(*days)).collect();
        let expected =
            ["1970-01-01", "2024-02-29", "2000-02-29", "1969-12-31", "0000-01-01", "9999-12-31"];
        assert_eq!(found, expected);
        assert_eq!(timestamp(1_700_000_000, 1), "2023-11-14 22:13:20");
        assert_eq!(timestamp(-1, 1000), "1969-12-31 23:59:59.999");
        assert_eq!(timestamp(1_500_000, 1_000_000), "1970-01-01 00:00:01.5");
        // No time is too far away.
        timestamp(i64::MIN, 1);
        timestamp(i64::MAX, 1);
        date(i64::MIN);
        date(i64::MAX);
    }
}
