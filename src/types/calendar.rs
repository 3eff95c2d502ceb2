//! The proleptic Gregorian calendar and the clock, in plain integers and PostgreSQL's whole range.
//! Must not know: Arrow, text, time zones.

/// Microseconds of a second.
pub(super) const USECS_PER_SEC: i64 = 1_000_000;
/// Microseconds of a day.
pub(super) const USECS_PER_DAY: i64 = 86_400 * USECS_PER_SEC;
/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub(super) const PG_EPOCH_DAYS: i32 = 10_957;
/// Microseconds from 1970-01-01 to 2000-01-01.
pub(super) const PG_EPOCH_USECS: i64 = PG_EPOCH_DAYS as i64 * USECS_PER_DAY;
/// First day PostgreSQL's types hold: 4714-11-24 BC, Julian day 0. Days since 1970.
pub(super) const MIN_DATE: i64 = -2_440_588;
/// Last day of type date: 5874897-12-31.
pub(super) const MAX_DATE: i64 = 2_145_042_905;
/// Julian day of 1970-01-01.
pub(super) const JULIAN_1970: i64 = 2_440_588;
/// infinity and -infinity of dates.
pub(super) const DATE_INFINITY: i32 = i32::MAX;
pub(super) const DATE_NEG_INFINITY: i32 = i32::MIN;
/// infinity and -infinity of timestamps.
pub(super) const TS_INFINITY: i64 = i64::MAX;
pub(super) const TS_NEG_INFINITY: i64 = i64::MIN;

/// A day of the calendar. The year is astronomical: 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u32,
    pub(super) day: u32,
}

impl Civil {
    /// The year as people count it, and whether it is before Christ.
    pub(super) const fn era(self) -> (u64, bool) {
        if self.year > 0 { (self.year as u64, false) } else { (self.year.unsigned_abs() + 1, true) }
    }
}

/// The calendar day of a count of days since 1970-01-01.
pub(super) const fn civil(days: i64) -> Civil {
    // Years from March on: the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097) as u64;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era as i64 + era * 400 + if month <= 2 { 1 } else { 0 };
    Civil { year, month: month as u32, day: day as u32 }
}

/// Days since 1970-01-01 of a calendar day; the month is 1 to 12, the day may be any number.
pub(super) const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let from_march = (month as i64 + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day as i64 - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

/// Whether the (astronomical) year has a 29th of February.
pub(super) const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub(super) const fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week, 0 is Sunday.
pub(super) const fn weekday(days: i64) -> usize {
    (days + 4).rem_euclid(7) as usize
}

/// Hours, minutes, seconds and microseconds of a count of microseconds since midnight (up to 24:00:00).
pub(super) const fn clock(usecs: i64) -> (u32, u32, u32, u32) {
    let secs = (usecs / USECS_PER_SEC) as u32;
    (secs / 3600, secs / 60 % 60, secs % 60, (usecs % USECS_PER_SEC) as u32)
}

/// Short names of the months, January first.
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Short names of the days, Sunday first.
pub(super) const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 1, 1), i64::from(PG_EPOCH_DAYS));
        assert_eq!(days_from_civil(-4713, 11, 24), MIN_DATE);
        assert_eq!(days_from_civil(5_874_897, 12, 31), MAX_DATE);
        for days in (MIN_DATE..MAX_DATE).step_by(99_991) {
            let c = civil(days);
            assert_eq!(days_from_civil(c.year, c.month, c.day), days);
            assert!(c.day <= days_in_month(c.year, c.month));
        }
        assert_eq!(weekday(0), 4);
    }
}
