//! PostgreSQL's arithmetic of dates, timestamps and intervals over single values.
//! Must not know: arrays, SQL. Days and microseconds count from 1970-01-01; the smallest and the largest are the infinities.

mod extract;
mod interval;
mod pattern;
mod truncate;

pub(super) use self::extract::{Part, Unit, from_date, from_interval, from_time, from_timestamp, refuse_unit, unit};
pub(super) use self::interval::{
    add_interval, add_interval_in_zone, age, between_timestamps, intervals_added, justify_days, justify_hours,
    justify_interval, negated, scaled,
};
pub(super) use self::pattern::{formatted, pattern};
pub(super) use self::truncate::{truncate, truncate_interval};

use crate::error::{Error, Result, SqlState};
use crate::types::TimeZone;

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The civil date of a day: year (0 is 1 BC), month, day.
pub(super) fn civil(days: i64) -> (i64, u32, u32) {
    // Days since 0000-03-01, in eras of 400 years.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a civil date.
pub(super) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// The number of days of a month.
pub(super) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `22008`.
pub(super) fn out_of_range(what: &str) -> Error {
    Error::client(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

/// Whether a timestamp is one of the infinities.
pub(super) fn infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

/// The first timestamp: 4714-11-24 BC, in microseconds since 1970.
const FIRST: i64 = -210_866_803_200_000_000;

/// Whether a number of microseconds is a timestamp.
pub(super) fn possible(micros: i64) -> bool {
    !infinite(micros) && micros >= FIRST
}

/// A date's midnight.
pub(super) fn date_to_timestamp(day: i32) -> Result<i64> {
    match day {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        day => i64::from(day)
            .checked_mul(DAY)
            .ok_or_else(|| Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")),
    }
}

/// A timestamp's date.
pub(super) fn timestamp_to_date(micros: i64) -> Result<i32> {
    match micros {
        i64::MAX => Ok(i32::MAX),
        i64::MIN => Ok(i32::MIN),
        micros => i32::try_from(micros.div_euclid(DAY)).map_err(|_| out_of_range("date")),
    }
}

/// A local time as an instant.
pub(super) fn local_to_instant(local: i64, zone: &TimeZone) -> Result<i64> {
    if infinite(local) {
        return Ok(local);
    }
    let offset = i64::from(zone.offset_of_local(local.div_euclid(1_000_000)));
    local.checked_sub(offset * 1_000_000).filter(|t| possible(*t)).ok_or_else(|| out_of_range("timestamp"))
}

/// An instant as local time.
pub(super) fn instant_to_local(instant: i64, zone: &TimeZone) -> Result<i64> {
    if infinite(instant) {
        return Ok(instant);
    }
    let offset = i64::from(zone.offset_at(instant.div_euclid(1_000_000)));
    instant.checked_add(offset * 1_000_000).filter(|t| possible(*t)).ok_or_else(|| out_of_range("timestamp"))
}

/// `date + integer`.
pub(super) fn add_days(day: i32, days: i32) -> Result<i32> {
    if day == i32::MAX || day == i32::MIN {
        return Ok(day);
    }
    day.checked_add(days).filter(|d| (-2_440_588..2_145_042_906).contains(d)).ok_or_else(|| out_of_range("date"))
}

/// `make_date`; years before Christ are negative.
pub(super) fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let wrong = || {
        let text = format!("date field value out of range: {year}-{month:02}-{day:02}");
        Error::client(SqlState::DATETIME_FIELD_OVERFLOW, text)
    };
    let counted = i64::from(if year < 0 { year + 1 } else { year });
    let (Ok(m), Ok(d)) = (u32::try_from(month), u32::try_from(day)) else { return Err(wrong()) };
    if year == 0 || !(1..=12).contains(&m) || d == 0 || d > days_in_month(counted, m) {
        return Err(wrong());
    }
    i32::try_from(days_from_civil(counted, m, d)).map_err(|_| out_of_range("date"))
}

/// `date + time`.
pub(super) fn at_time(day: i32, time: i64) -> Result<i64> {
    let midnight = date_to_timestamp(day)?;
    if infinite(midnight) {
        return Ok(midnight);
    }
    midnight.checked_add(time).ok_or_else(|| out_of_range("timestamp"))
}

/// `date - date`.
pub(super) fn days_between(a: i32, b: i32) -> Result<i32> {
    if [a, b].iter().any(|day| *day == i32::MAX || *day == i32::MIN) {
        return Err(Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates"));
    }
    a.checked_sub(b).ok_or_else(|| out_of_range("integer"))
}
