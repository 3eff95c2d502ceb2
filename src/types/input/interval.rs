//! Reads intervals as PostgreSQL does: words, the SQL standard's form, ISO 8601, and any mixture of the first two.
//! Must not know: Arrow.

use super::clock::read_clock;
use super::datetime::{bad, round_usecs};
use super::decode::Bad;
use super::fields::{FieldText, Kind, cut, micros};
use super::iso_interval::iso_8601;
use crate::error::{Error, Result, SqlState};
use crate::types::format::IntervalStyle;
use crate::types::text::interval::Interval;

/// The parts of an interval while it is read. Years and months are apart, as their ranges are checked apart.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) years: i64,
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) usecs: i64,
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
    /// A word that no number may have (`qtr`, `ago`).
    None,
}

/// Adds `fraction * scale` microseconds, rounded.
fn add_usecs(parts: &mut Parts, fraction: f64, scale: f64) -> Option<()> {
    parts.usecs = parts.usecs.checked_add((fraction * scale).round_ties_even() as i64)?;
    Some(())
}

impl Parts {
    /// Adds `whole + fraction` of a number of microseconds.
    pub(super) fn add_time(&mut self, whole: i64, fraction: f64, scale: i64) -> Option<()> {
        self.usecs = self.usecs.checked_add(whole.checked_mul(scale)?)?;
        add_usecs(self, fraction, scale as f64)
    }

    /// Adds `whole + fraction` of a number of days; the fraction becomes days, then time.
    pub(super) fn add_days(&mut self, whole: i64, fraction: f64, scale: i64) -> Option<()> {
        let share = fraction * scale as f64;
        let more = share.trunc();
        self.days = self.days.checked_add(whole.checked_mul(scale)?)?.checked_add(more as i64)?;
        add_usecs(self, share - more, 86_400e6)
    }

    pub(super) fn add_months(&mut self, whole: i64, fraction: f64) -> Option<()> {
        self.months = self.months.checked_add(whole)?;
        self.add_days(0, fraction, 30)
    }

    /// Adds `whole + fraction` of a number of years; the fraction becomes months.
    pub(super) fn add_years(&mut self, whole: i64, fraction: f64, scale: i64) -> Option<()> {
        self.years = self.years.checked_add(whole.checked_mul(scale)?)?;
        let months = (fraction * scale as f64 * 12.0).round_ties_even();
        self.months = self.months.checked_add(months as i64)?;
        Some(())
    }

    fn negate(&mut self) {
        self.years = -self.years;
        self.months = -self.months;
        self.days = -self.days;
        self.usecs = self.usecs.saturating_neg();
    }

    fn finish(&self, text: &str) -> Result<Interval> {
        let overflow = || {
            let message = format!("interval field value out of range: \"{text}\"");
            Error::client(SqlState::INTERVAL_FIELD_OVERFLOW, message)
        };
        let small = |value: i64| i32::try_from(value).map_err(|_| overflow());
        let (years, months, days) = (small(self.years)?, small(self.months)?, small(self.days)?);
        let months = i32::try_from(i64::from(years) * 12 + i64::from(months))
            .map_err(|_| Error::client(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
        Ok(Interval { months, days, usecs: self.usecs })
    }
}

fn unit_by_name(word: &str) -> Option<Unit> {
    // PostgreSQL's table knows ten characters of a word.
    Some(match word.get(..10).unwrap_or(word) {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Unit::Microsecond,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Unit::Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
        "qtr" => Unit::None,
        _ => return None,
    })
}

/// The unit of a last number without one: what the type's modifier restricts the interval to, else seconds.
fn default_unit(typmod: i32) -> Unit {
    match if typmod < 0 { 0 } else { (typmod >> 16) & 0x7fff } {
        0x4 => Unit::Year,
        0x2 | 0x6 => Unit::Month,
        0x8 => Unit::Day,
        0x400 | 0x408 => Unit::Hour,
        0x800 | 0xc00 | 0xc08 => Unit::Minute,
        _ => Unit::Second,
    }
}

/// Reads an interval. The style matters for the SQL standard's single sign; the modifier restricts fields and
/// precision.
pub(crate) fn parse_interval(text: &str, style: IntervalStyle, typmod: i32) -> Result<Interval> {
    let read = match words(text, style, typmod) {
        Err(Bad::Format) => iso_8601(text),
        read => read,
    };
    let parts = read.map_err(|error| match error {
        Bad::Field => {
            let message = format!("interval field value out of range: \"{text}\"");
            Error::client(SqlState::INTERVAL_FIELD_OVERFLOW, message)
        }
        other => bad(other, "interval", text),
    })?;
    Ok(restrict(parts.finish(text)?, typmod))
}

/// Drops the fields that the type's modifier leaves out, and rounds to its precision.
pub(crate) fn restrict(mut value: Interval, typmod: i32) -> Interval {
    if typmod < 0 {
        return value;
    }
    match (typmod >> 16) & 0x7fff {
        0x4 => value = Interval { months: value.months / 12 * 12, days: 0, usecs: 0 },
        0x2 | 0x6 => value = Interval { months: value.months, days: 0, usecs: 0 },
        0x8 => value.usecs = 0,
        0x400 | 0x408 => value.usecs = value.usecs / 3_600_000_000 * 3_600_000_000,
        0x800 | 0xc00 | 0xc08 => value.usecs = value.usecs / 60_000_000 * 60_000_000,
        _ => {}
    }
    value.usecs = round_usecs(value.usecs, typmod & 0xffff);
    value
}

/// The field's bit, so that no unit comes twice.
const fn mask(unit: Unit) -> u32 {
    1 << unit as u32
}

/// A time, or seconds with a fraction, leaves no room for smaller units.
const ALL_SECONDS: u32 = mask(Unit::Second) | mask(Unit::Millisecond) | mask(Unit::Microsecond);

struct Reader {
    parts: Parts,
    seen: u32,
    unit: Option<Unit>,
    /// SQL's single sign before the whole.
    all_negative: bool,
}

fn words(text: &str, style: IntervalStyle, typmod: i32) -> std::result::Result<Parts, Bad> {
    // The words that PostgreSQL's table of dates has too.
    let unit_word = |word: &str| matches!(word, "d" | "h" | "m" | "s" | "y" | "mon" | "dec");
    let fields = cut(text, unit_word).filter(|fields| !fields.is_empty()).ok_or(Bad::Format)?;
    let signed = |field: &FieldText| field.text.starts_with(['-', '+']);
    let all_negative = style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|field| field.text.starts_with('-'))
        && !fields.iter().skip(1).any(signed);
    let mut reader = Reader { parts: Parts::default(), seen: 0, unit: None, all_negative };
    let mut ago = false;
    // From the right, where a number finds its unit first.
    for field in fields.iter().rev() {
        match field.kind {
            Kind::Time => reader.time(&field.text, false)?,
            Kind::Signed if field.text.contains(':') => {
                reader.time(field.text.get(1..).unwrap_or_default(), field.text.starts_with('-'))?;
            }
            Kind::Signed | Kind::Number | Kind::Date => {
                let unit = *reader.unit.get_or_insert_with(|| default_unit(typmod));
                reader.number(&field.text, unit)?;
            }
            Kind::Word if field.text == "ago" => (ago, reader.unit) = (true, Some(Unit::None)),
            Kind::Word => reader.unit = Some(unit_by_name(&field.text).ok_or(Bad::Format)?),
            Kind::Special => return Err(Bad::Format),
        }
    }
    if reader.seen == 0 {
        return Err(Bad::Format);
    }
    if ago {
        reader.parts.negate();
    }
    Ok(reader.parts)
}

impl Reader {
    fn once(&mut self, bits: u32) -> std::result::Result<(), Bad> {
        if self.seen & bits != 0 {
            return Err(Bad::Format);
        }
        self.seen |= bits;
        Ok(())
    }

    fn time(&mut self, text: &str, negative: bool) -> std::result::Result<(), Bad> {
        let [hour, minute, second, fraction] = read_clock(text)?;
        self.once(mask(Unit::Hour) | mask(Unit::Minute) | ALL_SECONDS)?;
        let total = hour.checked_mul(3600).and_then(|h| h.checked_add(minute * 60 + second));
        let usecs = total.and_then(|s| s.checked_mul(1_000_000)).and_then(|us| us.checked_add(fraction));
        let usecs = usecs.ok_or(Bad::Field)?;
        // PostgreSQL forgets what a fraction of a day added before.
        self.parts.usecs = if negative || self.all_negative { -usecs } else { usecs };
        // A number before the time is days.
        self.unit = Some(Unit::Day);
        Ok(())
    }

    fn number(&mut self, text: &str, unit: Unit) -> std::result::Result<(), Bad> {
        let negative = text.starts_with('-');
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let flip = negative || self.all_negative;
        if let Some((years, months)) = digits.split_once('-') {
            // The SQL standard's years-months.
            let years: i64 = years.parse().map_err(|_| Bad::Format)?;
            let months: i64 = months.parse().map_err(|_| Bad::Format)?;
            if months > 11 {
                return Err(Bad::Field);
            }
            self.once(mask(Unit::Month))?;
            self.unit = Some(Unit::Month);
            let total = years.checked_mul(12).and_then(|m| m.checked_add(months)).ok_or(Bad::Field)?;
            let total = if flip { -total } else { total };
            return self
                .parts
                .add_years(total / 12, 0.0, 1)
                .and_then(|()| self.parts.add_months(total % 12, 0.0))
                .ok_or(Bad::Field);
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) || digits == "." {
            return Err(Bad::Format);
        }
        let value: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Bad::Field)? };
        let share: f64 =
            if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().map_err(|_| Bad::Format)? };
        self.once(if unit == Unit::Second && share != 0.0 { ALL_SECONDS } else { mask(unit) })?;
        if unit == Unit::Hour {
            // A number before the hours is days.
            self.unit = Some(Unit::Day);
        }
        let (value, share) = if flip { (-value, -share) } else { (value, share) };
        let parts = &mut self.parts;
        let added = match unit {
            Unit::Microsecond => parts.add_time(value, share, 1),
            Unit::Millisecond => parts.add_time(value, share, 1000),
            Unit::Second => {
                let exact = micros(fraction).ok_or(Bad::Format)?;
                let signed = if flip { -exact } else { exact };
                parts.add_time(value, 0.0, 1_000_000).and_then(|()| parts.add_time(signed, 0.0, 1))
            }
            Unit::Minute => parts.add_time(value, share, 60_000_000),
            Unit::Hour => parts.add_time(value, share, 3_600_000_000),
            Unit::Day => parts.add_days(value, share, 1),
            Unit::Week => parts.add_days(value, share, 7),
            Unit::Month => parts.add_months(value, share),
            Unit::Year => parts.add_years(value, share, 1),
            Unit::Decade => parts.add_years(value, share, 10),
            Unit::Century => parts.add_years(value, share, 100),
            Unit::Millennium => parts.add_years(value, share, 1000),
            Unit::None => return Err(Bad::Format),
        };
        added.ok_or(Bad::Field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn shown(text: &str) -> std::result::Result<String, String> {
        let value = parse_interval(text, IntervalStyle::Postgres, -1).map_err(|e| format!("{} {e}", e.state()))?;
        let mut out = BytesMut::new();
        crate::types::text::interval::write_interval(value, IntervalStyle::Postgres, &mut out);
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn as_postgresql_reads_them() {
        for (text, expected) in [
            ("1 day", "1 day"),
            ("1-2", "1 year 2 mons"),
            ("1 year 2 mons 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7"),
            ("P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7"),
            ("-1-2 +3 -4:05:06", "-1 years -2 mons +3 days -04:05:06"),
            ("1 2:3:4", "1 day 02:03:04"),
            ("@ 1 hour ago", "-01:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("1.5 weeks", "10 days 12:00:00"),
            ("1 millennium 2 decade", "1020 years"),
            ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("P1W", "7 days"),
            ("PT1.5H", "01:30:00"),
            ("1:30", "01:30:00"),
            ("30", "00:00:30"),
            ("1.5", "00:00:01.5"),
            ("1h30m", "01:30:00"),
            ("-1.5", "-00:00:01.5"),
            ("178956970 years 7 mons", "178956970 years 7 mons"),
            ("-178956970 years -8 mons", "-178956970 years -8 mons"),
            ("2562047788:00:54.775807", "2562047788:00:54.775807"),
        ] {
            assert_eq!(shown(text), Ok(expected.to_owned()), "{text}");
        }
        for (text, expected) in [
            ("x", "22007 invalid input syntax for type interval: \"x\""),
            ("", "22007 invalid input syntax for type interval: \"\""),
            ("1 foo", "22007 invalid input syntax for type interval: \"1 foo\""),
            ("1000000000 years", "22008 interval out of range"),
            ("178956971 years", "22008 interval out of range"),
            ("9999999999999999999 s", "22015 interval field value out of range: \"9999999999999999999 s\""),
        ] {
            assert_eq!(shown(text), Err(expected.to_owned()));
        }
        let one_sign = parse_interval("-1 2:03:04", IntervalStyle::SqlStandard, -1).unwrap();
        assert_eq!(one_sign, Interval { months: 0, days: -1, usecs: -7_384_000_000 });
    }
}
