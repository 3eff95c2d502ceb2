//! Reads dates, times and timestamps as PostgreSQL's input functions do, with its errors.
//! Must not know: Arrow, how the text is taken apart.

use std::time::{SystemTime, UNIX_EPOCH};

use super::decode::{Bad, Moment, ZoneText, decode};
use crate::error::{Error, Result, SqlState};
use crate::types::calendar::{
    DATE_INFINITY, DATE_NEG_INFINITY, MAX_DATE, MIN_DATE, PG_EPOCH_USECS, TS_INFINITY, TS_NEG_INFINITY, USECS_PER_DAY,
    days_from_civil,
};
use crate::types::format::FormatOptions;
use crate::types::zone::TimeZone;

/// First and last moment of PostgreSQL's timestamps that this storage holds (microseconds since 1970).
pub(crate) const MIN_TIMESTAMP: i64 = MIN_DATE * USECS_PER_DAY;
/// The infinities are not moments.
pub(crate) const MAX_TIMESTAMP: i64 = i64::MAX - 1;

/// PostgreSQL's error for a text that is no date.
#[cold]
pub(crate) fn bad(error: Bad, type_name: &str, text: &str) -> Error {
    let overflow = || format!("date/time field value out of range: \"{text}\"");
    match error {
        Bad::Format => Error::client(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {type_name}: \"{text}\""),
        ),
        Bad::Field => Error::client(SqlState::DATETIME_FIELD_OVERFLOW, overflow()),
        Bad::MonthDay => Error::client(SqlState::DATETIME_FIELD_OVERFLOW, overflow())
            .with_hint("Perhaps you need a different \"datestyle\" setting."),
        Bad::Displacement => Error::client(
            SqlState::INVALID_TIME_ZONE_DISPLACEMENT,
            format!("time zone displacement out of range: \"{text}\""),
        ),
        Bad::Zone(name) => {
            Error::client(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
        }
        Bad::Relative(word) => Error::unsupported(format!("\"{word}\" is not a constant of type {type_name}"))
            .with_hint("Use current_date, current_timestamp or now()."),
    }
}

fn out_of_range(kind: &str, text: &str) -> Error {
    Error::client(SqlState::DATETIME_FIELD_OVERFLOW, format!("{kind} out of range: \"{text}\""))
}

/// `yyyy-mm-dd` in its plain form, which most dates have.
#[inline]
fn plain_date(bytes: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let year = ((digit(y1)? * 10 + digit(y2)?) * 10 + digit(y3)?) * 10 + digit(y4)?;
    let month = (digit(m1)? * 10 + digit(m2)?) as u32;
    let day = (digit(d1)? * 10 + digit(d2)?) as u32;
    let valid =
        year > 0 && (1..=12).contains(&month) && day >= 1 && day <= crate::types::calendar::days_in_month(year, month);
    valid.then(|| days_from_civil(year, month, day))
}

/// `hh:mm:ss[.f]` in its plain form.
#[inline]
fn plain_time(bytes: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = bytes else { return None };
    let two = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let mut usecs = 0;
    if let [b'.', digits @ ..] = rest {
        if digits.is_empty() || digits.len() > 6 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        usecs = (0..6).fold(0, |n, at| n * 10 + digits.get(at).map_or(0, |d| i64::from(d - b'0')));
    } else if !rest.is_empty() {
        return None;
    }
    (hour < 24 && minute < 60 && second < 60).then(|| ((hour * 60 + minute) * 60 + second) * 1_000_000 + usecs)
}

/// Reads a date: days since 1970.
pub(crate) fn parse_date(text: &str, options: &FormatOptions) -> Result<i32> {
    if let Some(days) = plain_date(text.as_bytes()) {
        return Ok(days as i32);
    }
    let moment = decode(text, options.date_style.order, false).map_err(|error| bad(error, "date", text))?;
    if let Some(positive) = moment.infinite {
        return Ok(if positive { DATE_INFINITY } else { DATE_NEG_INFINITY });
    }
    if moment.epoch {
        return Ok(0);
    }
    let days = moment.days.ok_or_else(|| bad(Bad::Format, "date", text))?;
    if !(MIN_DATE..=MAX_DATE).contains(&days) {
        return Err(out_of_range("date", text));
    }
    Ok(days as i32)
}

/// Reads a time: microseconds since midnight. `precision` is that of `time(p)`.
pub(crate) fn parse_time(text: &str, options: &FormatOptions, precision: i32) -> Result<i64> {
    let usecs = match plain_time(text.as_bytes()) {
        Some(usecs) => usecs,
        None => {
            let moment = time_moment(text, options, "time")?;
            if let (Some(ZoneText::Named(zone)), None) = (&moment.zone, moment.days) {
                // It does not count, but without a date it must be one that never changes.
                steady_offset(zone).ok_or_else(|| bad(Bad::Format, "time", text))?;
            }
            moment.time.ok_or_else(|| bad(Bad::Format, "time", text))?
        }
    };
    Ok(round_time(usecs, precision))
}

fn time_moment(text: &str, options: &FormatOptions, type_name: &str) -> Result<Moment> {
    decode(text, options.date_style.order, true).map_err(|error| bad(error, type_name, text))
}

/// The offset of a zone that does not change its clock.
fn steady_offset(zone: &TimeZone) -> Option<i32> {
    let (winter, summer) = (zone.offset_at(1_704_067_200), zone.offset_at(1_719_792_000));
    (winter == summer).then_some(winter)
}

/// Reads a time with time zone: microseconds since midnight, and seconds east of UTC.
pub(crate) fn parse_timetz(text: &str, options: &FormatOptions, precision: i32) -> Result<(i64, i32)> {
    const NAME: &str = "time with time zone";
    let moment = match decode(text, options.date_style.order, true) {
        Ok(moment) => moment,
        Err(error) => return Err(bad(error, NAME, text)),
    };
    let usecs = moment.time.ok_or_else(|| bad(Bad::Format, NAME, text))?;
    let east = match (moment.zone, moment.days) {
        (Some(ZoneText::East(east)), _) => east,
        (Some(ZoneText::Named(zone)), Some(days)) => zone.offset_of_local(days * 86_400 + usecs / 1_000_000),
        // The offset of a zone that changes its clock depends on the day.
        (Some(ZoneText::Named(zone)), None) => steady_offset(&zone).ok_or_else(|| bad(Bad::Format, NAME, text))?,
        (None, Some(days)) => options.time_zone.offset_of_local(days * 86_400 + usecs / 1_000_000),
        (None, None) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
            options.time_zone.offset_at(now)
        }
    };
    Ok((round_time(usecs, precision), east))
}

/// Reads a timestamp without time zone: microseconds since 1970. A zone in the text is ignored, as PostgreSQL does.
pub(crate) fn parse_timestamp(text: &str, options: &FormatOptions, precision: i32) -> Result<i64> {
    let found = match plain_timestamp(text) {
        Some(usecs) => Some(usecs),
        None => {
            let moment = decode(text, options.date_style.order, false).map_err(|e| bad(e, "timestamp", text))?;
            match special(&moment) {
                Some(usecs) => return Ok(usecs),
                None => local_usecs(&moment).ok_or_else(|| bad(Bad::Format, "timestamp", text))?,
            }
        }
    };
    in_range(found.and_then(|usecs| round_timestamp(usecs, precision)), text)
}

/// `yyyy-mm-dd hh:mm:ss[.f]` in its plain form.
#[inline]
fn plain_timestamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, time) = (bytes.get(..10)?, bytes.get(11..)?);
    if !matches!(bytes.get(10), Some(b' ' | b'T')) {
        return None;
    }
    Some(plain_date(date)? * USECS_PER_DAY + plain_time(time)?)
}

/// The same with `Z`, `+hh` or `+hh:mm` behind it.
#[inline]
fn plain_zoned(text: &str) -> Option<(i64, Option<ZoneText>)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((plain_timestamp(local)?, Some(ZoneText::East(0))));
    }
    // A sign behind the date is the offset's.
    let Some(sign) = text.as_bytes().iter().skip(19).position(|b| matches!(b, b'+' | b'-')) else {
        return Some((plain_timestamp(text)?, None));
    };
    let (local, offset) = text.split_at_checked(19 + sign)?;
    let digits = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i32::from(a - b'0') * 10 + i32::from(b - b'0'))
    };
    let (hours, minutes) = match offset.as_bytes() {
        [_, h1, h2] => (digits(h1, h2)?, 0),
        [_, h1, h2, b':', m1, m2] => (digits(h1, h2)?, digits(m1, m2)?),
        _ => return None,
    };
    let east = hours * 3600 + minutes * 60;
    let zone = ZoneText::East(if offset.starts_with('-') { -east } else { east });
    (hours < 16 && minutes < 60).then_some((plain_timestamp(local)?, Some(zone)))
}

fn special(moment: &Moment) -> Option<i64> {
    match moment.infinite {
        Some(true) => Some(TS_INFINITY),
        Some(false) => Some(TS_NEG_INFINITY),
        None => moment.epoch.then_some(0),
    }
}

/// The wall clock's reading: None without a date, Some(None) when it is out of range.
#[allow(clippy::option_option)]
fn local_usecs(moment: &Moment) -> Option<Option<i64>> {
    let days = moment.days?;
    Some(days.checked_mul(USECS_PER_DAY).and_then(|usecs| usecs.checked_add(moment.time.unwrap_or(0))))
}

fn in_range(usecs: Option<i64>, text: &str) -> Result<i64> {
    usecs.filter(|usecs| (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(usecs)).ok_or_else(|| out_of_range("timestamp", text))
}

/// Reads a timestamp with time zone: microseconds since 1970, UTC. Without a zone in the text it is in the session's.
pub(crate) fn parse_timestamptz(text: &str, options: &FormatOptions, precision: i32) -> Result<i64> {
    const NAME: &str = "timestamp with time zone";
    let (local, zone) = match plain_zoned(text) {
        Some((usecs, zone)) => (Some(usecs), zone),
        None => {
            let moment = decode(text, options.date_style.order, false).map_err(|e| bad(e, NAME, text))?;
            if let Some(usecs) = special(&moment) {
                return Ok(usecs);
            }
            (local_usecs(&moment).ok_or_else(|| bad(Bad::Format, NAME, text))?, moment.zone)
        }
    };
    let local = local.ok_or_else(|| out_of_range("timestamp", text))?;
    let seconds = local.div_euclid(1_000_000);
    let east = match zone {
        Some(ZoneText::East(east)) => east,
        Some(ZoneText::Named(zone)) => zone.offset_of_local(seconds),
        None => options.time_zone.offset_of_local(seconds),
    };
    let utc = local.checked_sub(i64::from(east) * 1_000_000);
    in_range(utc.and_then(|usecs| round_timestamp(usecs, precision)), text)
}

const fn unit(precision: i32) -> Option<i64> {
    match precision {
        0 => Some(1_000_000),
        1 => Some(100_000),
        2 => Some(10_000),
        3 => Some(1000),
        4 => Some(100),
        5 => Some(10),
        _ => None,
    }
}

/// Rounds half away from zero, as seen from PostgreSQL's epoch; a precision outside 0 to 5 leaves the value alone.
pub(crate) fn round_timestamp(usecs: i64, precision: i32) -> Option<i64> {
    let Some(unit) = unit(precision) else { return Some(usecs) };
    let since = usecs.checked_sub(PG_EPOCH_USECS)?;
    round_to(since, unit)?.checked_add(PG_EPOCH_USECS)
}

fn round_to(value: i64, unit: i64) -> Option<i64> {
    let half = unit / 2;
    if value >= 0 {
        value.checked_add(half).map(|v| v / unit * unit)
    } else {
        value.checked_sub(half).map(|v| v / unit * unit)
    }
}

fn round_time(usecs: i64, precision: i32) -> i64 {
    unit(precision).and_then(|unit| round_to(usecs, unit)).unwrap_or(usecs)
}

/// Rounds a count of microseconds to a precision of seconds, half away from zero.
pub(crate) fn round_usecs(usecs: i64, precision: i32) -> i64 {
    round_time(usecs, precision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::zone::TimeZone;

    fn options() -> FormatOptions {
        FormatOptions::default()
    }

    #[test]
    fn dates_in_usual_forms() {
        let day = days_from_civil(1999, 1, 8) as i32;
        for text in [
            "Jan 8 1999",
            "January 8, 1999",
            "8 Jan 99",
            "1/8/1999",
            "1999-Jan-08",
            "19990108",
            "990108",
            "J2451187",
            "1999.008",
            "1999 8 jan",
            "Jan-08-99",
            "1999-01-08",
            " 1999-1-8 ",
            "1999/1/8",
            "1999.1.8",
            "01-08-99",
            "Fri Jan 08 10:00:00 1999",
            "1999-01-08 04:05:06",
        ] {
            assert_eq!(parse_date(text, &options()).map_err(|e| e.to_string()), Ok(day), "{text}");
        }
        assert_eq!(parse_date("0001-01-01 BC", &options()).unwrap(), days_from_civil(0, 1, 1) as i32);
        assert_eq!(parse_date("10-01-01", &options()).unwrap(), days_from_civil(2001, 10, 1) as i32);
        assert_eq!(parse_date("infinity", &options()).unwrap(), i32::MAX);
        assert_eq!(parse_date("epoch", &options()).unwrap(), 0);
    }

    #[test]
    fn errors_of_dates() {
        for (text, state, message) in [
            ("x", "22007", "invalid input syntax for type date: \"x\""),
            ("", "22007", "invalid input syntax for type date: \"\""),
            ("2020-13-01", "22008", "date/time field value out of range: \"2020-13-01\""),
            ("2020-02-30", "22008", "date/time field value out of range: \"2020-02-30\""),
            ("13/13/2020", "22008", "date/time field value out of range: \"13/13/2020\""),
            ("6000000-01-01", "22008", "date out of range: \"6000000-01-01\""),
            ("5874898-01-01", "22008", "date out of range: \"5874898-01-01\""),
            ("4714-11-23 BC", "22008", "date out of range: \"4714-11-23 BC\""),
            ("0000-01-01", "22008", "date/time field value out of range: \"0000-01-01\""),
            ("99-01-08", "22008", "date/time field value out of range: \"99-01-08\""),
            ("now", "0A000", "\"now\" is not a constant of type date"),
        ] {
            let error = parse_date(text, &options()).unwrap_err();
            assert_eq!((error.state().code(), error.message()), (state, message));
        }
    }

    #[test]
    fn timestamps() {
        let read = |text: &str| parse_timestamptz(text, &options(), -1).map(|usecs| usecs / 1_000_000);
        let noon = days_from_civil(2020, 1, 1) * 86_400 + 10 * 3600 + 30 * 60 + 15;
        for (text, shift) in [
            ("2020-01-01T10:30:15Z", 0),
            ("20200101T103015", 0),
            ("2020-01-01 103015", 0),
            ("2020-01-01 10:30:15.5 America/New_York", 5 * 3600),
            ("2020-01-01 10:30:15 EST", 5 * 3600),
            ("2020-01-01 10:30:15-03:30", 12_600),
            ("2020-01-01 10:30:15 +0330", -12_600),
            ("Wed Jan 01 10:30:15 2020 PST", 8 * 3600),
            ("01/01/2020 10:30:15 UTC", 0),
        ] {
            assert_eq!(read(text).map_err(|e| e.to_string()), Ok(noon + shift), "{text}");
        }
        for (text, state, message) in [
            ("294277-01-01", "22008", "timestamp out of range: \"294277-01-01\""),
            ("2020-01-01 25:00", "22008", "date/time field value out of range: \"2020-01-01 25:00\""),
            ("2020-01-01 00:00+20", "22009", "time zone displacement out of range: \"2020-01-01 00:00+20\""),
            ("2020-01-01 00:00 Foo/Bar", "22023", "time zone \"foo/bar\" not recognized"),
            (
                "2020-01-01 00:00 foo",
                "22007",
                "invalid input syntax for type timestamp with time zone: \"2020-01-01 00:00 foo\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.state().code(), error.message()), (state, message));
        }
        let berlin = FormatOptions { time_zone: TimeZone::parse("Europe/Berlin").unwrap(), ..options() };
        assert_eq!(parse_timestamptz("2020-07-01 12:00", &berlin, -1).unwrap() / 1_000_000, 1_593_597_600);
        assert_eq!(parse_timestamp("2020-01-01 00:00:00.6", &options(), 0).unwrap() / 1_000_000 % 60, 1);
    }

    #[test]
    fn times() {
        let read = |text: &str| parse_time(text, &options(), -1).map(|usecs| usecs / 1_000_000);
        for (text, seconds) in [
            ("12:30:45 PM", 45_045),
            ("0:30 am", 1800),
            ("123045", 45_045),
            ("1230", 45_000),
            ("T123045", 45_045),
            ("12:30:45.123456789", 45_045),
            ("04:05:06 PST", 14_706),
            ("2020-01-01 04:05", 14_700),
            ("allballs", 0),
            ("24:00:00", 86_400),
            ("23:59:60", 86_400),
        ] {
            assert_eq!(read(text).map_err(|e| e.to_string()), Ok(seconds), "{text}");
        }
        for text in ["25:00", "24:00:00.000001", "13:00 pm", "13:00 am"] {
            assert_eq!(read(text).unwrap_err().state(), SqlState::DATETIME_FIELD_OVERFLOW);
        }
        assert_eq!(parse_timetz("04:05:06.5+05:30", &options(), -1).unwrap(), (14_706_500_000, 19_800));
        assert_eq!(parse_timetz("2003-04-12 04:05:06 America/New_York", &options(), -1).unwrap().1, -14_400);
    }
}
