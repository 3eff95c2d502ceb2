//! Time zones: the names PostgreSQL takes for one, its canonical name, and the offset at any instant.
//! Must not know: Arrow, sessions.

use std::sync::Arc;

use chrono::{DateTime, Offset, TimeZone as _};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};

use bytes::BytesMut;

use super::IntervalStyle;
use super::abbreviations::ABBREVIATIONS;
use super::calendar::{PG_EPOCH_DAYS, civil, days_from_civil, is_leap, weekday};
use super::input::interval::parse_interval;
use super::text::interval::write_interval;
use super::zone_rule::{MAX_HOURS, ZoneRule, offset};
use crate::error::{Error, Result, SqlState};

const SECS_PER_DAY: i64 = 86_400;
/// A time zone as `SET TimeZone` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeZone {
    /// A zone of the tz database.
    Named(Tz),
    /// A POSIX zone with summer time.
    Rule(Arc<ZoneRule>),
    /// A fixed offset.
    Fixed {
        /// Seconds east of UTC.
        east: i32,
        /// What `SHOW TimeZone` says: `<+02>-02`, `UTC+3`.
        name: Arc<str>,
        /// What stands behind a time in the styles that print a name: `+02`, `UTC`.
        abbreviation: Arc<str>,
    },
}

/// What stands between the quotes of `INTERVAL '...'`, the form in which SET TIME ZONE INTERVAL hands it on.
fn quoted_interval(text: &str) -> Option<&str> {
    let (word, rest) = text.split_at_checked(8)?;
    if !word.eq_ignore_ascii_case("interval") {
        return None;
    }
    rest.trim().strip_prefix('\'')?.strip_suffix('\'')
}

fn of_interval(text: &str) -> Result<TimeZone> {
    let interval = parse_interval(text, IntervalStyle::Postgres, -1)?;
    let refuse = |detail: &str| {
        let mut shown = BytesMut::new();
        write_interval(interval, IntervalStyle::Postgres, &mut shown);
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let message = format!("invalid value for parameter \"TimeZone\": \"INTERVAL '{shown}'\"");
        Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail))
    };
    if interval.months != 0 {
        return refuse("Cannot specify months in time zone interval.");
    }
    if interval.days != 0 {
        return refuse("Cannot specify days in time zone interval.");
    }
    match i32::try_from(interval.usecs / 1_000_000) {
        Ok(east) if i64::from(east).abs() <= MAX_HOURS * 3600 => Ok(TimeZone::from_offset(east)),
        _ => refuse("UTC timezone offset is out of range."),
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        TimeZone::Named(Tz::UTC)
    }
}

impl TimeZone {
    /// The zone a setting's text means: a name of the tz database in any case, hours east of UTC (`+02`, `-3.5`), or
    /// a POSIX zone (`UTC+3` is three hours west).
    ///
    /// # Errors
    /// `22023` in PostgreSQL's words.
    pub fn parse(text: &str) -> Result<TimeZone> {
        let invalid = || {
            Error::client(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid value for parameter \"TimeZone\": \"{text}\""),
            )
        };
        if let Ok(hours) = text.trim_start().parse::<f64>()
            && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b' '))
        {
            if hours.abs() >= (MAX_HOURS + 1) as f64 {
                return Err(invalid().with_detail("UTC timezone offset is out of range."));
            }
            return Ok(TimeZone::from_offset((hours * 3600.0) as i32));
        }
        if let Some(quoted) = quoted_interval(text) {
            return of_interval(quoted);
        }
        let zone = TimeZone::by_name(text).or_else(|| posix(text)).ok_or_else(invalid)?;
        // PostgreSQL takes it for one with leap seconds where 2000-01-01 does not begin with a whole minute.
        if zone.offset_at(i64::from(PG_EPOCH_DAYS) * SECS_PER_DAY) % 60 != 0 {
            let message = format!("time zone \"{text}\" appears to use leap seconds");
            return Err(Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_detail("PostgreSQL does not support leap seconds."));
        }
        Ok(zone)
    }

    /// The zone that AT TIME ZONE means by a text: an abbreviation, a name of the tz database, or a POSIX zone, which a mere number is too
    /// (`+03` is three hours west).
    #[must_use]
    pub fn of_name(text: &str) -> Option<TimeZone> {
        let abbreviated = abbreviation_offset(&text.to_ascii_lowercase()).map(TimeZone::from_offset);
        abbreviated.or_else(|| TimeZone::by_name(text)).or_else(|| posix(text))
    }

    /// A zone of the tz database by its name, in any case.
    pub(super) fn by_name(text: &str) -> Option<TimeZone> {
        TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text)).map(|zone| TimeZone::Named(*zone))
    }

    /// The zone of `SET TIME ZONE INTERVAL '…'` or `SET TIME ZONE <hours>`, in seconds east of UTC.
    #[must_use]
    pub fn from_offset(east: i32) -> TimeZone {
        let shown = |seconds: i32| {
            let (sign, total) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
            let (h, m, s) = (total / 3600, total / 60 % 60, total % 60);
            match (m, s) {
                (0, 0) => format!("{sign}{h:02}"),
                (_, 0) => format!("{sign}{h:02}:{m:02}"),
                _ => format!("{sign}{h:02}:{m:02}:{s:02}"),
            }
        };
        let abbreviation = shown(east);
        // POSIX counts west of UTC; zero stays `-00`, as PostgreSQL writes it.
        let west = if east == 0 { "-00".to_owned() } else { shown(-east) };
        let name = format!("<{abbreviation}>{west}");
        TimeZone::Fixed { east, name: name.into(), abbreviation: abbreviation.into() }
    }

    /// What `SHOW TimeZone` says.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            TimeZone::Named(zone) => zone.name(),
            TimeZone::Rule(rule) => rule.name(),
            TimeZone::Fixed { name, .. } => name,
        }
    }

    /// Seconds east of UTC at an instant (seconds since 1970, UTC).
    #[must_use]
    pub fn offset_at(&self, unix_seconds: i64) -> i32 {
        match self {
            TimeZone::Named(Tz::UTC) => 0,
            TimeZone::Named(zone) => named_offset(*zone, unix_seconds).fix().local_minus_utc(),
            TimeZone::Rule(rule) => rule.at(unix_seconds).0,
            TimeZone::Fixed { east, .. } => *east,
        }
    }

    /// The name of the time at an instant (`CET`, `-03`).
    pub(super) fn abbreviation_at(&self, unix_seconds: i64) -> String {
        match self {
            TimeZone::Named(zone) => {
                let offset = named_offset(*zone, unix_seconds);
                offset.abbreviation().map_or_else(|| numeric_name(offset.fix().local_minus_utc()), str::to_owned)
            }
            TimeZone::Rule(rule) => rule.at(unix_seconds).1.to_owned(),
            TimeZone::Fixed { abbreviation, .. } => abbreviation.to_string(),
        }
    }

    /// Seconds east of UTC that hold for a wall clock's time (seconds since 1970 as if it were UTC).
    ///
    /// As PostgreSQL does it: of two readings in an autumn hour the one of standard time, in the gap of spring the
    /// time that held before.
    #[must_use]
    pub fn offset_of_local(&self, local_seconds: i64) -> i32 {
        if let TimeZone::Fixed { east, .. } = self {
            return *east;
        }
        // A change lies within a day of the reading, if at all: compare the offsets on both sides.
        let before = self.offset_at(local_seconds - SECS_PER_DAY);
        let after = self.offset_at(local_seconds + SECS_PER_DAY);
        if before == after {
            return before;
        }
        let early = self.offset_at(local_seconds - i64::from(before)) == before;
        let late = self.offset_at(local_seconds - i64::from(after)) == after;
        match (early, late) {
            (true, false) => before,
            (false, true) => after,
            // Twice: PostgreSQL takes the reading that is standard time, which is the later one. Never: the offset
            // before the gap.
            (true, true) => after,
            (false, false) => before,
        }
    }
}

/// The offset of an abbreviation PostgreSQL knows by default (`est`, in lower case), in seconds east of UTC.
pub(super) fn abbreviation_offset(lower: &str) -> Option<i32> {
    ABBREVIATIONS.binary_search_by_key(&lower, |entry| entry.0).ok().and_then(|at| ABBREVIATIONS.get(at)).map(|e| e.1)
}

fn named_offset(zone: Tz, unix_seconds: i64) -> chrono_tz::TzOffset {
    let at = DateTime::from_timestamp(within_table(unix_seconds), 0).unwrap_or_default();
    zone.offset_from_utc_datetime(&at.naive_utc())
}

/// The tz tables end in 2100, PostgreSQL's rules do not: a later year is read as one that falls on the same days of
/// the week.
/// Before 1800 every zone is on its local mean time.
fn within_table(unix_seconds: i64) -> i64 {
    const FIRST: i64 = -5_364_662_400;
    const LAST: i64 = 3_786_912_000;
    if unix_seconds < FIRST {
        return FIRST;
    }
    if unix_seconds < LAST {
        return unix_seconds;
    }
    let days = unix_seconds.div_euclid(SECS_PER_DAY);
    let year = civil(days).year;
    let first_day = weekday(days_from_civil(year, 1, 1));
    let like = (2062..2090)
        .find(|y| is_leap(*y) == is_leap(year) && weekday(days_from_civil(*y, 1, 1)) == first_day)
        .unwrap_or(2062);
    unix_seconds - (days_from_civil(year, 1, 1) - days_from_civil(like, 1, 1)) * SECS_PER_DAY
}

/// The tz database's way of naming a time without a name: `-03`, `+0530`.
fn numeric_name(east: i32) -> String {
    let (sign, minutes) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs() / 60);
    if minutes % 60 == 0 {
        format!("{sign}{:02}", minutes / 60)
    } else {
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

/// `ABC3`, `<+02>-02`, `UTC+3:30`, `+05:30`, `EST5EDT,M3.2.0,M11.1.0`: a POSIX zone. Positive is west.
fn posix(text: &str) -> Option<TimeZone> {
    let upper = text.to_ascii_uppercase();
    let (abbreviation, rest) = match upper.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => upper.split_at(upper.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))?),
    };
    if !abbreviation.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b':' | b'/' | b'_')) {
        return None;
    }
    let (west, rest) = offset(rest)?;
    if !rest.is_empty() {
        return ZoneRule::parse(&upper).map(|rule| TimeZone::Rule(Arc::new(rule)));
    }
    let east = i32::try_from(-west).ok()?;
    Some(TimeZone::Fixed { east, name: upper.as_str().into(), abbreviation: abbreviation.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_postgresql_shows_them() {
        let cases = [
            ("+02", "<+02>-02", 7200),
            ("-3.5", "<-03:30>+03:30", -12_600),
            ("utc", "UTC", 0),
            ("UTC+3", "UTC+3", -10_800),
            ("<abc>-3:30", "<ABC>-3:30", 12_600),
            ("abc3", "ABC3", -10_800),
            ("+05:30", "+05:30", -19_800),
            ("GMT+2", "GMT+2", -7200),
            ("est", "EST", -18_000),
            ("zulu", "Zulu", 0),
        ];
        for (text, name, east) in cases {
            let zone = TimeZone::parse(text).unwrap();
            assert_eq!((zone.name(), zone.offset_at(0)), (name, east), "{text}");
        }
        assert_eq!(TimeZone::parse("europe/berlin").unwrap().name(), "Europe/Berlin");
        for bad in ["foo", "", "PST", "200", "local", "ABC200", "ABC3:15:30"] {
            assert!(TimeZone::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn offsets_far_away() {
        let zone = TimeZone::parse("America/New_York").unwrap();
        assert_eq!(zone.offset_at(days_from_civil(2150, 7, 1) * SECS_PER_DAY), -14_400);
        assert_eq!(zone.offset_at(days_from_civil(294_276, 12, 31) * SECS_PER_DAY), -18_000);
        assert_eq!(zone.offset_at(days_from_civil(-43, 3, 15) * SECS_PER_DAY), -17_762);
    }

    #[test]
    fn local_readings_around_a_change() {
        let zone = TimeZone::parse("Europe/Berlin").unwrap();
        let at = |m, d, h: i64, min: i64| days_from_civil(2024, m, d) * SECS_PER_DAY + h * 3600 + min * 60;
        assert_eq!(zone.offset_of_local(at(3, 31, 2, 30)), 3600);
        assert_eq!(zone.offset_of_local(at(3, 31, 3, 0)), 7200);
        assert_eq!(zone.offset_of_local(at(10, 27, 2, 30)), 3600);
        assert_eq!(zone.offset_of_local(at(10, 27, 1, 59)), 7200);
    }
}
