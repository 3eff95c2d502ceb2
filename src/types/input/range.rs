//! Reads ranges: their text taken apart, and brought to the form PostgreSQL holds.
//! Must not know: Arrow, the send format.

use std::cmp::Ordering;

use bytes::{BufMut, BytesMut};

use super::number::{parse_i32, parse_i64};
use super::{datetime, number::trim};
use crate::error::{Error, Result, SqlState};
use crate::types::format::FormatOptions;
use crate::types::numeric::Numeric;
use crate::types::pg_type::PgType;
use crate::types::text::datetime::{ZoneClock, write_date, write_timestamp};
use crate::types::text::line::write_int;

/// The flags of a range, as PostgreSQL sends them.
pub(crate) const EMPTY: u8 = 0x01;
pub(crate) const LOWER_INCLUSIVE: u8 = 0x02;
pub(crate) const UPPER_INCLUSIVE: u8 = 0x04;
pub(crate) const LOWER_INFINITE: u8 = 0x08;
pub(crate) const UPPER_INFINITE: u8 = 0x10;

/// A range's text taken apart; None for a bound that is infinite.
pub(crate) struct RangeText {
    pub(crate) flags: u8,
    pub(crate) lower: Option<String>,
    pub(crate) upper: Option<String>,
}

fn malformed(text: &str, detail: &str) -> Error {
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed range literal: \"{text}\""))
        .with_detail(detail)
}

/// Reads `[1,5)`, `("a b",]`, `empty`.
pub(crate) fn parse_range(text: &str) -> Result<RangeText> {
    let body = trim(text);
    if let Some(rest) = body.get(..5).filter(|word| word.eq_ignore_ascii_case("empty")).and(body.get(5..)) {
        if rest.is_empty() {
            return Ok(RangeText { flags: EMPTY, lower: None, upper: None });
        }
        return Err(malformed(text, "Junk after \"empty\" key word."));
    }
    let mut chars = body.chars().peekable();
    let mut flags = match chars.next() {
        Some('[') => LOWER_INCLUSIVE,
        Some('(') => 0,
        _ => return Err(malformed(text, "Missing left parenthesis or bracket.")),
    };
    let mut bounds = [None, None];
    let mut last = None;
    for (at, slot) in bounds.iter_mut().enumerate() {
        let (bound, end) = read_bound(text, &mut chars)?;
        if (at == 0) != (end == ',') {
            return Err(malformed(text, if at == 0 { "Missing comma after lower bound." } else { "Too many commas." }));
        }
        (*slot, last) = (bound, Some(end));
    }
    if chars.next().is_some() {
        return Err(malformed(text, "Junk after right parenthesis or bracket."));
    }
    if last == Some(']') {
        flags |= UPPER_INCLUSIVE;
    }
    let [lower, upper] = bounds;
    // A bound that is not there is never inclusive.
    if lower.is_none() {
        flags = (flags & !LOWER_INCLUSIVE) | LOWER_INFINITE;
    }
    if upper.is_none() {
        flags = (flags & !UPPER_INCLUSIVE) | UPPER_INFINITE;
    }
    Ok(RangeText { flags, lower, upper })
}

/// One bound and the sign that ended it.
fn read_bound(text: &str, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(Option<String>, char)> {
    let mut bound = String::new();
    let (mut quoted, mut inside) = (false, false);
    loop {
        match chars.next() {
            None => return Err(malformed(text, "Unexpected end of input.")),
            Some('\\') => bound.extend(chars.next()),
            Some('"') if inside && chars.peek() == Some(&'"') => {
                chars.next();
                bound.push('"');
            }
            Some('"') => (inside, quoted) = (!inside, true),
            Some(c @ (',' | ']' | ')')) if !inside => return Ok(((quoted || !bound.is_empty()).then_some(bound), c)),
            Some(c) => bound.push(c),
        }
    }
}

/// Appends a bound, in quotes where PostgreSQL puts them.
pub(crate) fn write_bound(text: &[u8], out: &mut BytesMut) {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | b'(' | b')' | b'[' | b']' | b',') || b.is_ascii_whitespace();
    if !text.is_empty() && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.put_u8(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

/// A bound that can be compared.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Whole(i64),
    Number(Numeric),
}

fn read(bound: PgType, text: &str, options: &FormatOptions) -> Result<Bound> {
    Ok(match bound.oid {
        23 => Bound::Whole(parse_i32(text)?.into()),
        20 => Bound::Whole(parse_i64(text)?),
        1082 => Bound::Whole(datetime::parse_date(text, options)?.into()),
        1114 => Bound::Whole(datetime::parse_timestamp(text, options, -1)?),
        1184 => Bound::Whole(datetime::parse_timestamptz(text, options, -1)?),
        _ => Bound::Number(Numeric::parse(text)?),
    })
}

fn write(bound: PgType, value: &Bound, out: &mut BytesMut) {
    match (value, bound.oid) {
        (Bound::Whole(days), 1082) => write_date(*days as i32, Default::default(), out),
        (Bound::Whole(usecs), 1114) => write_timestamp(*usecs, Default::default(), out),
        (Bound::Whole(usecs), 1184) => ZoneClock::new(Default::default()).write(*usecs, Default::default(), out),
        (Bound::Whole(value), _) => write_int(*value, out),
        (Bound::Number(number), _) => out.extend_from_slice(number.to_string().as_bytes()),
    }
}

/// The next whole value of a discrete type; the infinities of dates have none and stay.
fn next(bound: PgType, value: Bound) -> Result<Bound> {
    let Bound::Whole(whole) = value else { return Ok(value) };
    let (limit, name) = match bound.oid {
        23 => (i64::from(i32::MAX), "integer"),
        1082 if whole == i64::from(i32::MAX) || whole == i64::from(i32::MIN) => return Ok(Bound::Whole(whole)),
        1082 => (i64::from(i32::MAX), "date"),
        _ => (i64::MAX, "bigint"),
    };
    if whole >= limit {
        return Err(Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range")));
    }
    Ok(Bound::Whole(whole + 1))
}

/// A range with something in it, in the form PostgreSQL holds; None for a bound that is infinite.
pub(crate) struct Range {
    lower: Option<Bound>,
    upper: Option<Bound>,
    lower_in: bool,
    upper_in: bool,
}

impl Range {
    /// Reads a range: discrete ones as `[a,b)`; None where nothing is in it.
    pub(crate) fn parse(bound: PgType, text: &str, options: &FormatOptions) -> Result<Option<Range>> {
        let range = parse_range(text)?;
        let lower = range.lower.map(|text| read(bound, &text, options)).transpose()?;
        let upper = range.upper.map(|text| read(bound, &text, options)).transpose()?;
        let (lower_in, upper_in) = (range.flags & LOWER_INCLUSIVE != 0, range.flags & UPPER_INCLUSIVE != 0);
        let order = lower.as_ref().zip(upper.as_ref()).map(|(a, b)| a.cmp(b));
        if order == Some(Ordering::Greater) {
            let message = "range lower bound must be less than or equal to range upper bound";
            return Err(Error::client(SqlState::DATA_EXCEPTION, message));
        }
        if range.flags & EMPTY != 0 || (order == Some(Ordering::Equal) && !(lower_in && upper_in)) {
            return Ok(None);
        }
        Range { lower, upper, lower_in, upper_in }.discrete(bound)
    }

    /// Ranges of whole things start with the first and end before the last.
    fn discrete(mut self, bound: PgType) -> Result<Option<Range>> {
        if !matches!(bound.oid, 20 | 23 | 1082) {
            return Ok(Some(self));
        }
        let finite =
            |value: &Bound| bound.oid != 1082 || !matches!(value, Bound::Whole(d) if d.abs() >= i64::from(i32::MAX));
        if !self.lower_in && self.lower.as_ref().is_some_and(finite) {
            self.lower = self.lower.map(|value| next(bound, value)).transpose()?;
            self.lower_in = true;
        }
        if self.upper_in && self.upper.as_ref().is_some_and(finite) {
            self.upper = self.upper.map(|value| next(bound, value)).transpose()?;
            self.upper_in = false;
        }
        let same = self.lower.as_ref().zip(self.upper.as_ref()).is_some_and(|(a, b)| a == b);
        Ok((!same || (self.lower_in && self.upper_in)).then_some(self))
    }

    /// Appends its text.
    pub(crate) fn write(&self, bound: PgType, out: &mut BytesMut) {
        let mut scratch = BytesMut::new();
        let mut put = |value: &Option<Bound>, out: &mut BytesMut| {
            if let Some(value) = value {
                scratch.clear();
                write(bound, value, &mut scratch);
                write_bound(&scratch, out);
            }
        };
        out.put_u8(if self.lower_in { b'[' } else { b'(' });
        put(&self.lower, out);
        out.put_u8(b',');
        put(&self.upper, out);
        out.put_u8(if self.upper_in { b']' } else { b')' });
    }

    /// Which of two begins first.
    pub(crate) fn begins(&self, other: &Range) -> Ordering {
        match (&self.lower, &other.lower) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b).then(other.lower_in.cmp(&self.lower_in)),
        }
    }

    /// Which of two ends first.
    pub(crate) fn ends(&self, other: &Range) -> Ordering {
        match (&self.upper, &other.upper) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b).then(self.upper_in.cmp(&other.upper_in)),
        }
    }

    /// Whether it overlaps one that does not begin before it, or leaves nothing between the two.
    pub(crate) fn reaches(&self, later: &Range) -> bool {
        match (&self.upper, &later.lower) {
            (Some(end), Some(start)) => match end.cmp(start) {
                Ordering::Greater => true,
                Ordering::Equal => self.upper_in || later.lower_in,
                Ordering::Less => false,
            },
            _ => true,
        }
    }

    /// Goes on to the end of another one, if that is later.
    pub(crate) fn extend(&mut self, later: Range) {
        if self.ends(&later) == Ordering::Less {
            (self.upper, self.upper_in) = (later.upper, later.upper_in);
        }
    }
}

/// Appends the text PostgreSQL holds for a range: bounds in their own form, discrete ranges as `[a,b)`, `empty`
/// where nothing is in it.
pub(crate) fn write_canonical(bound: PgType, text: &str, options: &FormatOptions, out: &mut BytesMut) -> Result<()> {
    match Range::parse(bound, text, options)? {
        Some(range) => range.write(bound, out),
        None => out.extend_from_slice(b"empty"),
    }
    Ok(())
}

/// Appends a range's text with each of its bounds written anew.
pub(crate) fn rewrite_range(
    text: &str,
    out: &mut BytesMut,
    mut write: impl FnMut(&str, &mut BytesMut) -> Result<()>,
) -> Result<()> {
    let range = parse_range(text)?;
    if range.flags & EMPTY != 0 {
        out.extend_from_slice(b"empty");
        return Ok(());
    }
    let mut put = |value: Option<String>, out: &mut BytesMut| -> Result<()> {
        if let Some(value) = value {
            let mut scratch = BytesMut::new();
            write(&value, &mut scratch)?;
            write_bound(&scratch, out);
        }
        Ok(())
    };
    out.put_u8(if range.flags & LOWER_INCLUSIVE != 0 { b'[' } else { b'(' });
    put(range.lower, out)?;
    out.put_u8(b',');
    put(range.upper, out)?;
    out.put_u8(if range.flags & UPPER_INCLUSIVE != 0 { b']' } else { b')' });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_postgresql_holds_them() {
        let shown = |bound: PgType, text: &str| {
            let mut out = BytesMut::new();
            let written = write_canonical(bound, text, &FormatOptions::default(), &mut out);
            written.map(|()| String::from_utf8(out.to_vec()).unwrap()).map_err(|e| e.to_string())
        };
        for (bound, text, expected) in [
            (PgType::INT4, "[1,5]", "[1,6)"),
            (PgType::INT4, "(1,2)", "empty"),
            (PgType::INT4, "[1,1)", "empty"),
            (PgType::INT4, " empty ", "empty"),
            (PgType::NUMERIC, "[1,1]", "[1,1]"),
            (PgType::NUMERIC, "(1.0,1]", "empty"),
            (PgType::DATE, "[2020-01-01,2020-01-05]", "[2020-01-01,2020-01-06)"),
            (PgType::DATE, "[infinity,infinity]", "[infinity,infinity]"),
            (PgType::TIMESTAMP, "[2020-01-01,]", "[\"2020-01-01 00:00:00\",)"),
        ] {
            assert_eq!(shown(bound, text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(shown(PgType::INT4, "[1,2147483647]"), Err("integer out of range".to_owned()));
        assert!(shown(PgType::INT4, "[5,1]").is_err());
        for (text, detail) in [
            ("1,2", "Missing left parenthesis or bracket."),
            ("[1;2]", "Missing comma after lower bound."),
            ("[1,2", "Unexpected end of input."),
            ("[1,2]x", "Junk after right parenthesis or bracket."),
            ("[1,2,3]", "Too many commas."),
            ("Empty x", "Junk after \"empty\" key word."),
        ] {
            assert_eq!(parse_range(text).err().and_then(|e| e.detail().map(str::to_owned)).as_deref(), Some(detail));
        }
    }
}
