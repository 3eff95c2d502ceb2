//! Intervals: months, days and a time, added, scaled, and added to timestamps.
//! Must not know: arrays, SQL.

use arrow::datatypes::IntervalMonthDayNano;

use super::{
    DAY, civil, days_from_civil, days_in_month, infinite, instant_to_local, local_to_instant, out_of_range, possible,
};
use crate::error::{Error, Result, SqlState};
use crate::types::TimeZone;

type Interval = IntervalMonthDayNano;

fn interval_out_of_range() -> Error {
    out_of_range("interval")
}

/// An interval from its fields, the time in microseconds. Times beyond 292 years do not fit Arrow's interval.
pub(super) fn make(months: i64, days: i64, micros: i64) -> Result<Interval> {
    let months = i32::try_from(months).map_err(|_| interval_out_of_range())?;
    let days = i32::try_from(days).map_err(|_| interval_out_of_range())?;
    let nanos = micros.checked_mul(1000).ok_or_else(interval_out_of_range)?;
    Ok(Interval::new(months, days, nanos))
}

fn micros(interval: Interval) -> i64 {
    interval.nanoseconds / 1000
}

/// `timestamp + interval`: months first (the day cut to the month's length), then days, then time.
pub(crate) fn add_interval(timestamp: i64, interval: Interval) -> Result<i64> {
    if infinite(timestamp) {
        return Ok(timestamp);
    }
    let wrong = || out_of_range("timestamp");
    let moved = add_months_and_days(timestamp, interval)?;
    moved.checked_add(micros(interval)).filter(|t| possible(*t)).ok_or_else(wrong)
}

fn add_months_and_days(timestamp: i64, interval: Interval) -> Result<i64> {
    let wrong = || out_of_range("timestamp");
    let (mut day, time) = (timestamp.div_euclid(DAY), timestamp.rem_euclid(DAY));
    if interval.months != 0 {
        let (year, month, of_month) = civil(day);
        let months = year * 12 + i64::from(month) - 1 + i64::from(interval.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
        day = days_from_civil(year, month, of_month.min(days_in_month(year, month)));
    }
    day += i64::from(interval.days);
    day.checked_mul(DAY).and_then(|t| t.checked_add(time)).filter(|t| possible(*t)).ok_or_else(wrong)
}

/// `timestamptz + interval`: months and days pass in local time, hours in absolute time.
pub(crate) fn add_interval_in_zone(instant: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    if infinite(instant) {
        return Ok(instant);
    }
    let mut instant = instant;
    // Each by itself: where the months lead to a time that there is not, the days begin where the clocks are then.
    for part in [Interval::new(interval.months, 0, 0), Interval::new(0, interval.days, 0)] {
        if part.months != 0 || part.days != 0 {
            let local = instant_to_local(instant, zone)?;
            instant = local_to_instant(add_months_and_days(local, part)?, zone)?;
        }
    }
    instant.checked_add(micros(interval)).filter(|t| possible(*t)).ok_or_else(|| out_of_range("timestamp"))
}

/// `justify_hours`: whole days out of the time, both with one sign.
pub(crate) fn justify_hours(interval: Interval) -> Result<Interval> {
    let (days, time) = (i64::from(interval.days) + micros(interval) / DAY, micros(interval) % DAY);
    let (days, time) = one_sign(days, time, DAY);
    make(i64::from(interval.months), days, time)
}

/// `justify_days`: whole months of thirty days out of the days, both with one sign.
pub(crate) fn justify_days(interval: Interval) -> Result<Interval> {
    let days = i64::from(interval.days);
    let (months, days) = one_sign(i64::from(interval.months) + days / 30, days % 30, 30);
    make(months, days, micros(interval))
}

/// `justify_interval`: both, all parts with one sign.
pub(crate) fn justify_interval(interval: Interval) -> Result<Interval> {
    let (days, time) = (i64::from(interval.days) + micros(interval) / DAY, micros(interval) % DAY);
    let (mut months, mut days) = (i64::from(interval.months) + days / 30, days % 30);
    if months > 0 && (days < 0 || (days == 0 && time < 0)) {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && (days > 0 || (days == 0 && time > 0)) {
        (months, days) = (months + 1, days - 30);
    }
    let (days, time) = one_sign(days, time, DAY);
    make(months, days, time)
}

/// A number of large units and the small ones besides, of one sign.
fn one_sign(large: i64, small: i64, unit: i64) -> (i64, i64) {
    match (large.signum(), small.signum()) {
        (1, -1) => (large - 1, small + unit),
        (-1, 1) => (large + 1, small - unit),
        _ => (large, small),
    }
}

/// `timestamp - timestamp`: days and the rest.
pub(crate) fn between_timestamps(a: i64, b: i64) -> Result<Interval> {
    if infinite(a) || infinite(b) {
        return Err(Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite timestamps"));
    }
    let time = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    make(0, time / DAY, time % DAY)
}

/// `age(a, b)`: years, months, days and time between, counted as people do.
pub(crate) fn age(a: i64, b: i64) -> Result<Interval> {
    if infinite(a) || infinite(b) {
        return Err(Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"));
    }
    let negative = a < b;
    let (later, earlier) = if negative { (b, a) } else { (a, b) };
    let fields = |t: i64| {
        let (year, month, day) = civil(t.div_euclid(DAY));
        (year * 12 + i64::from(month) - 1, i64::from(day), t.rem_euclid(DAY))
    };
    let ((m1, d1, t1), (m2, d2, t2)) = (fields(later), fields(earlier));
    let (mut months, mut days, mut time) = (m1 - m2, d1 - d2, t1 - t2);
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    // Days are borrowed from the earlier one's month.
    while days < 0 {
        days += i64::from(days_in_month(m2.div_euclid(12), m2.rem_euclid(12) as u32 + 1));
        months -= 1;
    }
    if negative { make(-months, -days, -time) } else { make(months, days, time) }
}

/// `interval + interval`.
pub(crate) fn intervals_added(a: Interval, b: Interval) -> Result<Interval> {
    let time = micros(a).checked_add(micros(b)).ok_or_else(interval_out_of_range)?;
    make(i64::from(a.months) + i64::from(b.months), i64::from(a.days) + i64::from(b.days), time)
}

/// `-interval`.
pub(crate) fn negated(a: Interval) -> Result<Interval> {
    make(-i64::from(a.months), -i64::from(a.days), -micros(a))
}

/// Rounds to microseconds, as PostgreSQL does between the steps of a product.
fn settled(v: f64) -> f64 {
    (v * 1_000_000.0).round_ties_even() / 1_000_000.0
}

/// `interval * factor`, or `interval / factor`: fractions of months go to days (30), fractions of days to time.
pub(crate) fn scaled(a: Interval, factor: f64, divide: bool) -> Result<Interval> {
    if divide && factor == 0.0 {
        return Err(Error::client(SqlState::DIVISION_BY_ZERO, "division by zero"));
    }
    let apply = |v: f64| if divide { v / factor } else { v * factor };
    let whole = |v: f64| -> Result<i32> {
        if (-2_147_483_648.0..2_147_483_648.0).contains(&v) { Ok(v as i32) } else { Err(interval_out_of_range()) }
    };
    let (all_months, all_days) = (apply(f64::from(a.months)), apply(f64::from(a.days)));
    let months = whole(all_months)?;
    let mut days = whole(all_days)?;
    let month_rest = settled((all_months - f64::from(months)) * 30.0);
    let mut seconds = settled((all_days - f64::from(days) + month_rest - month_rest.trunc()) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        let more = (seconds / 86_400.0) as i32;
        days = days.checked_add(more).ok_or_else(interval_out_of_range)?;
        seconds -= f64::from(more) * 86_400.0;
    }
    days = days.checked_add(month_rest as i32).ok_or_else(interval_out_of_range)?;
    let time = (apply(micros(a) as f64) + seconds * 1_000_000.0).round_ties_even();
    if time.is_nan() || time >= 9.223_372_036_854_775e18 || time <= -9.223_372_036_854_775e18 {
        return Err(interval_out_of_range());
    }
    make(i64::from(months), i64::from(days), time as i64)
}
