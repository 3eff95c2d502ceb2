//! EXTRACT: the fields of dates, times and intervals.
//! Must not know: arrays, SQL.

use arrow::datatypes::IntervalMonthDayNano;

use super::{DAY, civil, days_from_civil};
use crate::error::{Error, Result, SqlState};

/// A field that can be extracted or truncated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Epoch,
    Julian,
    Zone,
    ZoneHour,
    ZoneMinute,
}

impl Unit {
    /// It is a part of a day.
    pub(crate) fn is_within_day(self) -> bool {
        matches!(self, Unit::Microseconds | Unit::Milliseconds | Unit::Second | Unit::Minute | Unit::Hour)
    }
}

/// A field's value: an unscaled number, and how many digits of it stand behind the point.
pub(crate) type Part = (i64, u8);

/// The field that a word names.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    Some(match word.to_ascii_lowercase().as_str() {
        "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "useconds" | "usecond" | "microsecon" => {
            Unit::Microseconds
        }
        "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "mseconds" | "msecond" | "millisecon" => {
            Unit::Milliseconds
        }
        "second" | "seconds" | "sec" | "secs" | "s" => Unit::Second,
        "minute" | "minutes" | "min" | "mins" | "m" => Unit::Minute,
        "hour" | "hours" | "hr" | "hrs" | "h" => Unit::Hour,
        "day" | "days" | "d" => Unit::Day,
        "week" | "weeks" | "w" => Unit::Week,
        "month" | "months" | "mon" | "mons" => Unit::Month,
        "quarter" | "qtr" => Unit::Quarter,
        "year" | "years" | "yr" | "yrs" | "y" => Unit::Year,
        "decade" | "decades" | "dec" | "decs" => Unit::Decade,
        "century" | "centuries" | "cent" | "c" => Unit::Century,
        "millennium" | "millennia" | "mil" | "mils" => Unit::Millennium,
        "dow" => Unit::DayOfWeek,
        "isodow" => Unit::IsoDayOfWeek,
        "doy" => Unit::DayOfYear,
        "isoyear" => Unit::IsoYear,
        "epoch" => Unit::Epoch,
        "julian" | "jd" | "j" => Unit::Julian,
        "timezone" => Unit::Zone,
        "timezone_hour" => Unit::ZoneHour,
        "timezone_minute" => Unit::ZoneMinute,
        _ => return None,
    })
}

/// `22023` or `0A000` for a field that a type has not.
pub(crate) fn refuse_unit(word: &str, type_name: &str) -> Error {
    if unit(word).is_some() {
        return Error::unsupported(format!("unit \"{word}\" not supported for type {type_name}"));
    }
    Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("unit \"{word}\" not recognized for type {type_name}"))
}

/// The year as people count it: no year 0.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn century(year: i64) -> i64 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

fn millennium(year: i64) -> i64 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

fn decade(year: i64) -> i64 {
    if year >= 0 { year / 10 } else { -((8 - (year - 1)) / 10) }
}

/// The day of the week, 0 for Sunday.
fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// ISO year and week of a day.
pub(super) fn iso_week(day: i64) -> (i64, i64) {
    // The week belongs to the year of its Thursday.
    let monday = day - (weekday(day) + 6) % 7;
    let thursday = monday + 3;
    let (year, _, _) = civil(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// A field of a date; none if dates have it not.
pub(crate) fn from_date(unit: Unit, day: i64) -> Option<Part> {
    let (year, month, of_month) = civil(day);
    let value = match unit {
        Unit::Day => i64::from(of_month),
        Unit::Month => i64::from(month),
        Unit::Quarter => i64::from((month - 1) / 3 + 1),
        Unit::Week => iso_week(day).1,
        Unit::Year => shown_year(year),
        Unit::Decade => decade(year),
        Unit::Century => century(year),
        Unit::Millennium => millennium(year),
        Unit::IsoYear => shown_year(iso_week(day).0),
        Unit::DayOfWeek => weekday(day),
        Unit::IsoDayOfWeek => (weekday(day) + 6) % 7 + 1,
        Unit::DayOfYear => day - days_from_civil(year, 1, 1) + 1,
        Unit::Julian => day + 2_440_588,
        Unit::Epoch => day * 86_400,
        _ => return None,
    };
    Some((value, 0))
}

/// A field of a time of day; none if times have it not.
pub(crate) fn from_time(unit: Unit, micros: i64) -> Option<Part> {
    let in_minute = micros % 60_000_000;
    Some(match unit {
        Unit::Microseconds => (in_minute, 0),
        Unit::Milliseconds => (in_minute, 3),
        Unit::Second => (in_minute, 6),
        Unit::Minute => (micros / 60_000_000 % 60, 0),
        Unit::Hour => (micros / 3_600_000_000, 0),
        Unit::Epoch => (micros, 6),
        _ => return None,
    })
}

/// A field of a timestamp in local time; the epoch is of `instant`. None for fields that timestamps have not.
pub(crate) fn from_timestamp(unit: Unit, local: i64, instant: i64) -> Option<Part> {
    let (day, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    match unit {
        Unit::Epoch => Some((instant, 6)),
        Unit::Julian => None,
        Unit::Microseconds | Unit::Milliseconds | Unit::Second | Unit::Minute | Unit::Hour => from_time(unit, time),
        _ => from_date(unit, day),
    }
}

/// A field of an interval; none if intervals have it not.
pub(crate) fn from_interval(unit: Unit, interval: IntervalMonthDayNano) -> Result<Option<Part>> {
    let micros = interval.nanoseconds / 1000;
    let months = i64::from(interval.months);
    let (year, month) = (months / 12, months % 12);
    let in_minute = micros % 60_000_000;
    Ok(Some(match unit {
        Unit::Microseconds => (in_minute, 0),
        Unit::Milliseconds => (in_minute, 3),
        Unit::Second => (in_minute, 6),
        Unit::Minute => (micros / 60_000_000 % 60, 0),
        Unit::Hour => (micros / 3_600_000_000, 0),
        Unit::Day => (i64::from(interval.days), 0),
        Unit::Month => (month, 0),
        Unit::Quarter => (month / 3 + 1, 0),
        Unit::Year => (year, 0),
        Unit::Decade => (year / 10, 0),
        Unit::Century => (year / 100, 0),
        Unit::Millennium => (year / 1000, 0),
        Unit::Epoch => {
            // A year has 365.25 days, a month 30.
            let quarter_days = year * 1461 + month * 120 + i64::from(interval.days) * 4;
            let total = i128::from(quarter_days) * 21_600_000_000 + i128::from(micros);
            let total = i64::try_from(total).map_err(|_| super::out_of_range("interval"))?;
            (total, 6)
        }
        _ => return Ok(None),
    }))
}
