//! `date_trunc` over timestamps in local time and over intervals.
//! Must not know: arrays, SQL, time zones.

use arrow::datatypes::IntervalMonthDayNano;

use super::extract::{Unit, iso_week};
use super::interval::make;
use super::{DAY, civil, days_from_civil, infinite, out_of_range};
use crate::error::Result;

/// A local timestamp cut to a unit; none for units that cannot be cut to.
pub(crate) fn truncate(unit: Unit, local: i64) -> Option<Result<i64>> {
    if infinite(local) {
        return Some(Ok(local));
    }
    let cut = |micros: i64| Some(Ok(local - local.rem_euclid(micros)));
    let day = local.div_euclid(DAY);
    let (year, month, _) = civil(day);
    let start = |day: i64| Some(day.checked_mul(DAY).ok_or_else(|| out_of_range("timestamp")));
    match unit {
        Unit::Microseconds => Some(Ok(local)),
        Unit::Milliseconds => cut(1000),
        Unit::Second => cut(1_000_000),
        Unit::Minute => cut(60_000_000),
        Unit::Hour => cut(3_600_000_000),
        Unit::Day => cut(DAY),
        Unit::Week => {
            let (iso_year, week) = iso_week(day);
            // The Monday of the week: of the first week's Thursday's year, so many weeks on.
            let first = days_from_civil(iso_year, 1, 4);
            let monday = first - (first + 3).rem_euclid(7) + (week - 1) * 7;
            start(monday)
        }
        Unit::Month => start(days_from_civil(year, month, 1)),
        Unit::Quarter => start(days_from_civil(year, (month - 1) / 3 * 3 + 1, 1)),
        Unit::Year => start(days_from_civil(year, 1, 1)),
        Unit::Decade => start(days_from_civil(year.div_euclid(10) * 10, 1, 1)),
        Unit::Century => start(days_from_civil(span(year, 100), 1, 1)),
        Unit::Millennium => start(days_from_civil(span(year, 1000), 1, 1)),
        _ => None,
    }
}

/// The first year of a century or a millennium: 1, 101, 2001; years before Christ as PostgreSQL counts them.
fn span(year: i64, of: i64) -> i64 {
    if year > 0 { (year - 1) / of * of + 1 } else { -((of - 1 - (year - 1)) / of) * of + 1 }
}

/// An interval cut to a unit; none for units that cannot be cut to.
pub(crate) fn truncate_interval(unit: Unit, interval: IntervalMonthDayNano) -> Option<Result<IntervalMonthDayNano>> {
    let (months, days) = (i64::from(interval.months), i64::from(interval.days));
    let micros = interval.nanoseconds / 1000;
    let time = |of: i64| Some(make(months, days, micros / of * of));
    let whole_months = |of: i64| Some(make(months / of * of, 0, 0));
    match unit {
        Unit::Microseconds => time(1),
        Unit::Milliseconds => time(1000),
        Unit::Second => time(1_000_000),
        Unit::Minute => time(60_000_000),
        Unit::Hour => time(3_600_000_000),
        Unit::Day => Some(make(months, days, 0)),
        Unit::Month => whole_months(1),
        Unit::Quarter => whole_months(3),
        Unit::Year => whole_months(12),
        Unit::Decade => whole_months(120),
        Unit::Century => whole_months(1200),
        Unit::Millennium => whole_months(12_000),
        _ => None,
    }
}
