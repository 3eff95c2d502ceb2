//! Reads ISO 8601 durations: `P1Y2M3DT4H5M6.7S`, `P0001-02-03T04:05:06`, `P00010203T040506`.
//! Must not know: the other forms of intervals.

use super::decode::Bad;
use super::interval::Parts;

/// A number at the start of a text: its whole part and its fraction (both with its sign), its width, and what follows.
struct Number<'a> {
    whole: i64,
    fraction: f64,
    width: usize,
    rest: &'a str,
}

fn number(text: &str) -> Result<Number<'_>, Bad> {
    let signed = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = signed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(signed.len());
    let (digits, rest) = signed.split_at(end);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.is_empty() || digits == "." || fraction.contains('.') {
        return Err(Bad::Format);
    }
    let value: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Bad::Field)? };
    if value > i64::from(i32::MAX) {
        return Err(Bad::Field);
    }
    let share: f64 = format!("0.{fraction}0").parse().map_err(|_| Bad::Format)?;
    let negative = text.starts_with('-');
    Ok(Number {
        whole: if negative { -value } else { value },
        fraction: if negative { -share } else { share },
        width: whole.len(),
        rest,
    })
}

/// Reads an ISO 8601 duration.
pub(super) fn iso_8601(text: &str) -> Result<Parts, Bad> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Bad::Format)?;
    let mut parts = Parts::default();
    let mut in_date = true;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T').filter(|_| in_date) {
            (rest, in_date) = (time, false);
            continue;
        }
        let found = number(rest)?;
        let (unit, after) = match found.rest.chars().next() {
            Some(unit) => (unit, found.rest.get(unit.len_utf8()..).unwrap_or_default()),
            None => (' ', ""),
        };
        let added = match (in_date, unit) {
            (true, 'Y') => parts.add_years(found.whole, found.fraction, 1),
            (true, 'M') => parts.add_months(found.whole, found.fraction),
            (true, 'W') => parts.add_days(found.whole, found.fraction, 7),
            (true, 'D') => parts.add_days(found.whole, found.fraction, 1),
            (false, 'H') => parts.add_time(found.whole, found.fraction, 3_600_000_000),
            (false, 'M') => parts.add_time(found.whole, found.fraction, 60_000_000),
            (false, 'S') => parts.add_time(found.whole, found.fraction, 1_000_000),
            (true, 'T' | ' ' | '-') if !any => {
                rest = date_alternative(&mut parts, &found)?;
                any = true;
                continue;
            }
            (false, ':' | ' ') => {
                time_alternative(&mut parts, &found)?;
                return Ok(parts);
            }
            _ => return Err(Bad::Format),
        };
        added.ok_or(Bad::Field)?;
        any = true;
        rest = after;
    }
    if any || !in_date { Ok(parts) } else { Err(Bad::Format) }
}

/// `yyyymmdd` or `yyyy-mm-dd`; what follows is nothing or the time.
fn date_alternative<'a>(parts: &mut Parts, first: &Number<'a>) -> Result<&'a str, Bad> {
    if !first.rest.starts_with('-') {
        if first.width == 8 {
            let value = first.whole;
            parts.years += value / 10_000;
            parts.months += value / 100 % 100;
            parts.add_days(value % 100, first.fraction, 1).ok_or(Bad::Field)?;
            return Ok(first.rest);
        }
        parts.add_years(first.whole, first.fraction, 1).ok_or(Bad::Field)?;
        return Ok(first.rest);
    }
    parts.add_years(first.whole, first.fraction, 1).ok_or(Bad::Field)?;
    let month = number(first.rest.get(1..).unwrap_or_default())?;
    parts.add_months(month.whole, month.fraction).ok_or(Bad::Field)?;
    let Some(day_text) = month.rest.strip_prefix('-') else {
        return if month.rest.is_empty() || month.rest.starts_with('T') { Ok(month.rest) } else { Err(Bad::Format) };
    };
    let day = number(day_text)?;
    parts.add_days(day.whole, day.fraction, 1).ok_or(Bad::Field)?;
    if day.rest.is_empty() || day.rest.starts_with('T') { Ok(day.rest) } else { Err(Bad::Format) }
}

/// `hhmmss` or `hh:mm:ss`, at the end of the text.
fn time_alternative(parts: &mut Parts, first: &Number<'_>) -> Result<(), Bad> {
    if first.rest.is_empty() {
        let (value, scale) = (first.whole, 1_000_000);
        let seconds = match first.width {
            6 => value / 10_000 * 3600 + value / 100 % 100 * 60 + value % 100,
            _ => return parts.add_time(value, first.fraction, 3_600_000_000).ok_or(Bad::Field),
        };
        return parts.add_time(seconds, first.fraction, scale).ok_or(Bad::Field);
    }
    parts.add_time(first.whole, first.fraction, 3_600_000_000).ok_or(Bad::Field)?;
    let minute = number(first.rest.get(1..).unwrap_or_default())?;
    parts.add_time(minute.whole, minute.fraction, 60_000_000).ok_or(Bad::Field)?;
    let Some(second_text) = minute.rest.strip_prefix(':') else {
        return if minute.rest.is_empty() { Ok(()) } else { Err(Bad::Format) };
    };
    let second = number(second_text)?;
    parts.add_time(second.whole, second.fraction, 1_000_000).ok_or(Bad::Field)?;
    if second.rest.is_empty() { Ok(()) } else { Err(Bad::Format) }
}
