//! POSIX time zones that have summer time: `EST5EDT,M3.2.0,M11.1.0`.
//! Must not know: the tz database, sessions.

use super::calendar::{civil, days_from_civil, is_leap, weekday};

const SECS_PER_DAY: i64 = 86_400;
const SECS_PER_HOUR: i64 = 3600;
/// No fixed offset is beyond a week less an hour.
pub(super) const MAX_HOURS: i64 = 167;
/// The rules of a zone that gives none: those of the United States.
const DEFAULT_RULES: &str = ",M3.2.0,M11.1.0";

/// A day of the year and a time on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// From 1; 29 February is never counted.
    Julian(i64),
    /// From 0.
    OfYear(i64),
    /// Month, week (5: the last), weekday (0: Sunday).
    OfMonth(i64, i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    seconds: i64,
}

/// What holds for a part of the year.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Time {
    abbreviation: String,
    east: i64,
}

/// A zone with two changes a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRule {
    name: String,
    standard: Time,
    summer: Time,
    starts: Change,
    ends: Change,
}

impl ZoneRule {
    /// Reads a zone in upper case. None where it is malformed or has no summer time.
    pub(super) fn parse(upper: &str) -> Option<ZoneRule> {
        let (standard, rest) = abbreviation(upper)?;
        let (west, rest) = offset(rest)?;
        let (summer, rest) = abbreviation(rest)?;
        let (summer_west, rest) = match rest.as_bytes().first() {
            None | Some(b',' | b';') => (west - SECS_PER_HOUR, rest),
            Some(_) => offset(rest)?,
        };
        let rules = if rest.is_empty() { DEFAULT_RULES } else { rest };
        let (starts, rest) = change(rules.get(1..)?)?;
        let (ends, rest) = change(rest.strip_prefix(',')?)?;
        let time = |abbreviation: &str, west: i64| Time { abbreviation: abbreviation.to_owned(), east: -west };
        rest.is_empty().then(|| ZoneRule {
            name: upper.to_owned(),
            standard: time(standard, west),
            summer: time(summer, summer_west),
            starts,
            ends,
        })
    }

    /// As it was written, in upper case.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of UTC, and their name, at an instant (seconds since 1970, UTC).
    pub(super) fn at(&self, unix_seconds: i64) -> (i32, &str) {
        let year = civil(unix_seconds.div_euclid(SECS_PER_DAY)).year;
        let mut latest = (i64::MIN, &self.standard);
        for year in year - 1..=year + 1 {
            let begin = days_from_civil(year, 1, 1) * SECS_PER_DAY;
            // Each change is reckoned in the time that holds before it.
            let summer = begin + self.starts.in_year(year) - self.standard.east;
            let winter = begin + self.ends.in_year(year) - self.summer.east;
            for (instant, time) in [(summer, &self.summer), (winter, &self.standard)] {
                if instant <= unix_seconds && instant > latest.0 {
                    latest = (instant, time);
                }
            }
        }
        (i32::try_from(latest.1.east).unwrap_or(0), &latest.1.abbreviation)
    }
}

impl Change {
    /// Seconds of wall time since the year began.
    fn in_year(self, year: i64) -> i64 {
        let days = match self.day {
            Day::Julian(day) => day - 1 + i64::from(is_leap(year) && day >= 60),
            Day::OfYear(day) => day,
            Day::OfMonth(month, week, wanted) => {
                let first = days_from_civil(year, month as u32, 1);
                let next = if month == 12 {
                    days_from_civil(year + 1, 1, 1)
                } else {
                    days_from_civil(year, month as u32 + 1, 1)
                };
                let ahead = (wanted - weekday(first) as i64).rem_euclid(7);
                let mut day = first + ahead + (week - 1) * 7;
                while day >= next {
                    day -= 7;
                }
                day - days_from_civil(year, 1, 1)
            }
        };
        days * SECS_PER_DAY + self.seconds
    }
}

/// A name in angle brackets, or letters up to a digit, a sign or a comma.
fn abbreviation(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => {
            let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | '+')).unwrap_or(text.len());
            text.split_at_checked(end)?
        }
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b':' | b'/' | b'_');
    (!name.is_empty() && name.bytes().all(plain)).then_some((name, rest))
}

/// A signed `hh[:mm[:ss]]` in seconds, and what stands behind it.
pub(super) fn offset(text: &str) -> Option<(i64, &str)> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    let (mut seconds, mut unit) = (0, SECS_PER_HOUR);
    loop {
        let (number, after) = number(rest, if unit == SECS_PER_HOUR { MAX_HOURS } else { 59 })?;
        seconds += number * unit;
        rest = after;
        unit /= 60;
        match rest.strip_prefix(':') {
            Some(after) if unit > 0 => rest = after,
            _ => return Some((sign * seconds, rest)),
        }
    }
}

fn number(text: &str, most: i64) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    let number = digits.parse().ok().filter(|number| *number <= most)?;
    Some((number, rest))
}

/// `M3.2.0`, `J60`, `59`, with `/2:30` behind it.
fn change(text: &str) -> Option<(Change, &str)> {
    let (day, rest) = if let Some(text) = text.strip_prefix('J') {
        let (day, rest) = number(text, 365)?;
        (Day::Julian(day).valid()?, rest)
    } else if let Some(text) = text.strip_prefix('M') {
        let (month, rest) = number(text, 12)?;
        let (week, rest) = number(rest.strip_prefix('.')?, 5)?;
        let (weekday, rest) = number(rest.strip_prefix('.')?, 6)?;
        (Day::OfMonth(month, week, weekday).valid()?, rest)
    } else {
        let (day, rest) = number(text, 365)?;
        (Day::OfYear(day), rest)
    };
    let (seconds, rest) = match rest.strip_prefix('/') {
        Some(time) => offset(time)?,
        None => (2 * SECS_PER_HOUR, rest),
    };
    Some((Change { day, seconds }, rest))
}

impl Day {
    fn valid(self) -> Option<Day> {
        match self {
            Day::Julian(0) | Day::OfMonth(0, ..) | Day::OfMonth(_, 0, _) => None,
            day => Some(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_and_winter() {
        let at = |zone: &str, year: i64, month: u32, day: u32| {
            let rule = ZoneRule::parse(zone).unwrap();
            let (east, name) = rule.at(days_from_civil(year, month, day) * SECS_PER_DAY + 43_200);
            (east / 60, name.to_owned())
        };
        let found = |minutes: i32, name: &str| (minutes, name.to_owned());
        assert_eq!(at("EST5EDT,M3.2.0,M11.1.0", 1900, 7, 1), found(-240, "EDT"));
        assert_eq!(at("EST5EDT,M3.2.0,M11.1.0", 2500, 1, 1), found(-300, "EST"));
        assert_eq!(at("XYZ5ABC", 2010, 3, 20), found(-240, "ABC"));
        assert_eq!(at("IST-1GMT0,M10.5.0,M3.5.0/1", 2024, 7, 1), found(60, "IST"));
        assert_eq!(at("IST-1GMT0,M10.5.0,M3.5.0/1", 2024, 12, 1), found(0, "GMT"));
        assert_eq!(at("AAA3BBB,J60/0,J300/25:30", 2024, 7, 1), found(-120, "BBB"));
        // Summer in the south.
        assert_eq!(at("<+03>-3<+04>,M10.1.0,M4.1.0", 2024, 1, 1), found(240, "+04"));
        for bad in
            ["EST5EDT,M3.2.0", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,J0,J1", "EST5EDT,M3.2.0,M11.1.0X", "EST5", "A5B,1;2"]
        {
            assert_eq!(ZoneRule::parse(bad), None, "{bad}");
        }
    }
}
