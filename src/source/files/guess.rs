//! Guessing the type of a column from all its values: the narrowest type that holds each of them unchanged.
//! Must not know: files, columns' names.

use crate::types::PgType;

/// Digits of a number that a double always keeps.
const EXACT_FLOAT_DIGITS: u16 = 15;
/// The precision of decimals that fit it; sums and products of them stay well within 38 digits.
const SHORT_PRECISION: u16 = 18;
/// The widest decimal that is computed with as a number.
const LONG_PRECISION: u16 = 38;

/// What is known of a column's values so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Guess {
    /// No value yet but NULL.
    #[default]
    Nothing,
    /// `true` and `false`.
    Bool,
    /// Integers of 64 bits; the most digits of one.
    Int(u16),
    /// Decimals without exponent: most digits before and after the point.
    Decimal(u16, u16),
    /// Numbers with an exponent, NaN, infinities; the most significant digits of one.
    Float(u16),
    /// `2024-01-31`.
    Date,
    /// A date and a time of day.
    Timestamp,
    /// A date, a time of day and an offset.
    TimestampTz,
    /// Objects and arrays (JSON only).
    Json,
    /// Anything else.
    Text,
}

impl Guess {
    /// The narrowest guess that holds for the values of both.
    pub(super) fn merge(self, other: Guess) -> Guess {
        use Guess::{Date, Decimal, Float, Int, Json, Nothing, Text, Timestamp};
        match (self, other) {
            (Nothing, any) | (any, Nothing) => any,
            (Json, _) | (_, Json) => Json,
            (Int(a), Int(b)) => Int(a.max(b)),
            (Float(a), Float(b)) => Float(a.max(b)),
            (Int(a), Decimal(whole, scale)) | (Decimal(whole, scale), Int(a)) => Decimal(whole.max(a), scale),
            (Decimal(a, s), Decimal(b, t)) => Decimal(a.max(b), s.max(t)),
            (Float(digits), Int(whole)) | (Int(whole), Float(digits)) => Float(digits.max(whole)),
            (Float(digits), Decimal(whole, scale)) | (Decimal(whole, scale), Float(digits)) => {
                Float(digits.max(whole.saturating_add(scale)))
            }
            (Date, Timestamp) | (Timestamp, Date) => Timestamp,
            (a, b) if a == b => a,
            _ => Text,
        }
    }

    /// The type that holds all values.
    pub(super) fn pg_type(self) -> PgType {
        match self {
            Guess::Bool => PgType::BOOL,
            Guess::Int(_) => PgType::INT8,
            Guess::Decimal(whole, scale) if whole + scale <= SHORT_PRECISION => {
                PgType::numeric(SHORT_PRECISION, scale as i16)
            }
            Guess::Decimal(whole, scale) if whole.saturating_add(scale) <= LONG_PRECISION => {
                PgType::numeric(LONG_PRECISION, scale as i16)
            }
            Guess::Decimal(..) => PgType::NUMERIC,
            Guess::Float(digits) if digits <= EXACT_FLOAT_DIGITS + 2 => PgType::FLOAT8,
            Guess::Float(_) => PgType::NUMERIC,
            Guess::Date => PgType::DATE,
            Guess::Timestamp => PgType::TIMESTAMP,
            Guess::TimestampTz => PgType::TIMESTAMPTZ,
            Guess::Json => PgType::JSON,
            Guess::Nothing | Guess::Text => PgType::TEXT,
        }
    }

    /// What one value of a CSV field says.
    pub(super) fn of_field(value: &str) -> Guess {
        let bytes = value.as_bytes();
        match bytes.first() {
            Some(b'0'..=b'9' | b'-' | b'.') => {
                let number = of_number(bytes);
                if number == Guess::Text { of_time(bytes) } else { number }
            }
            Some(b't' | b'f' | b'T' | b'F')
                if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") =>
            {
                Guess::Bool
            }
            Some(b'N' | b'n' | b'I' | b'i') if of_word(value) => Guess::Float(0),
            _ => Guess::Text,
        }
    }

    /// What a JSON string says: a date or time, or text. A number in quotes is text.
    pub(super) fn of_string(value: &str) -> Guess {
        match value.as_bytes().first() {
            Some(b'0'..=b'9') => of_time(value.as_bytes()),
            _ => Guess::Text,
        }
    }

    /// What a JSON number says.
    pub(super) fn of_json_number(value: &str) -> Guess {
        of_number(value.as_bytes())
    }
}

fn of_word(value: &str) -> bool {
    ["nan", "inf", "infinity"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// A number that prints the same when it is read back: no leading zeros or plus, no blanks.
fn of_number(bytes: &[u8]) -> Guess {
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if unsigned.len() != bytes.len() && std::str::from_utf8(unsigned).is_ok_and(of_word) {
        return Guess::Float(0);
    }
    let whole = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    if whole > 1 && unsigned[0] == b'0' {
        return Guess::Text;
    }
    let rest = &unsigned[whole..];
    let (scale, rest) = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let scale = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if scale == 0 {
                return Guess::Text;
            }
            (scale, &fraction[scale..])
        }
        None => (0, rest),
    };
    if whole + scale == 0 {
        return Guess::Text;
    }
    let (whole, scale) = (count(whole), count(scale));
    match rest.first() {
        None if scale > 0 => Guess::Decimal(whole, scale),
        None if whole < 19 || std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<i64>().is_ok()) => {
            Guess::Int(whole)
        }
        None => Guess::Decimal(whole, 0),
        Some(b'e' | b'E') if is_exponent(&rest[1..]) => Guess::Float(whole.saturating_add(scale)),
        Some(_) => Guess::Text,
    }
}

fn count(digits: usize) -> u16 {
    // Half of the range, so that sums stay within it.
    digits.min(usize::from(u16::MAX / 2)) as u16
}

fn is_exponent(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    // Beyond three digits it is no double; it stays text rather than becoming infinity or zero.
    if !(1..=3).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    digits.iter().fold(0_u32, |n, b| n * 10 + u32::from(b - b'0')) <= 290
}

/// Dates and times in ISO 8601, as far as PostgreSQL keeps them: at most microseconds.
fn of_time(bytes: &[u8]) -> Guess {
    if !is_date(bytes) {
        return Guess::Text;
    }
    if bytes.len() == 10 {
        return Guess::Date;
    }
    if !matches!(bytes[10], b' ' | b'T') {
        return Guess::Text;
    }
    let Some(offset) = after_time_of_day(&bytes[11..]) else { return Guess::Text };
    match offset {
        [] => Guess::Timestamp,
        [b'Z'] => Guess::TimestampTz,
        [b'+' | b'-', rest @ ..] if is_offset(rest) => Guess::TimestampTz,
        _ => Guess::Text,
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
}

fn is_date(bytes: &[u8]) -> bool {
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(&bytes[..4]), number(&bytes[5..7]), number(&bytes[8..10]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`; what stands behind it.
fn after_time_of_day(bytes: &[u8]) -> Option<&[u8]> {
    let two = |at: usize, below: u32| bytes.get(at..at + 2).and_then(number).is_some_and(|n| n < below);
    if bytes.len() < 5 || bytes[2] != b':' || !two(0, 24) || !two(3, 60) {
        return None;
    }
    let rest = &bytes[5..];
    if rest.first() != Some(&b':') {
        return Some(rest);
    }
    if !two(6, 60) {
        return None;
    }
    let rest = &bytes[8..];
    let Some(fraction) = rest.strip_prefix(b".") else { return Some(rest) };
    let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
    (1..=6).contains(&digits).then(|| &fraction[digits..])
}

fn is_offset(bytes: &[u8]) -> bool {
    let (hours, minutes) = match bytes.len() {
        2 => (&bytes[..2], &b"00"[..]),
        4 => (&bytes[..2], &bytes[2..]),
        5 if bytes[2] == b':' => (&bytes[..2], &bytes[3..]),
        _ => return false,
    };
    number(hours).is_some_and(|h| h < 16) && number(minutes).is_some_and(|m| m < 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> PgType {
        values.iter().map(|value| Guess::of_field(value)).fold(Guess::Nothing, Guess::merge).pg_type()
    }

    #[test]
    fn numbers() {
        assert_eq!(of(&["1", "-2", "9223372036854775807"]), PgType::INT8);
        assert_eq!(of(&["9223372036854775808"]), PgType::numeric(38, 0));
        assert_eq!(of(&["1", "12.50"]), PgType::numeric(18, 2));
        assert_eq!(of(&["12345678901234567890", "0.5"]), PgType::numeric(38, 1));
        assert_eq!(of(&[&"9".repeat(39)]), PgType::NUMERIC);
        assert_eq!(of(&["1e5", "1"]), PgType::FLOAT8);
        assert_eq!(of(&["1e5", "12345678901234567890"]), PgType::NUMERIC);
        assert_eq!(of(&["NaN", "1.5"]), PgType::FLOAT8);
        for text in ["007", "+5", "1.", " 1", "1 ", "1e", "1e9999", "-", ".", "0x10", "1_000"] {
            assert_eq!(of(&[text]), PgType::TEXT, "{text}");
        }
        assert_eq!(of(&["1", "x"]), PgType::TEXT);
        assert_eq!(of(&[]), PgType::TEXT);
    }

    #[test]
    fn times() {
        assert_eq!(of(&["2024-02-29"]), PgType::DATE);
        assert_eq!(of(&["2023-02-29"]), PgType::TEXT);
        assert_eq!(of(&["2024-01-01", "2024-01-01 10:00:00.123456"]), PgType::TIMESTAMP);
        assert_eq!(of(&["2024-01-01T10:00:00Z", "2024-01-01 10:00+02:30"]), PgType::TIMESTAMPTZ);
        assert_eq!(of(&["2024-01-01 10:00:00", "2024-01-01 10:00:00Z"]), PgType::TEXT);
        assert_eq!(of(&["2024-01-01 10:00:00.1234567"]), PgType::TEXT);
        assert_eq!(of(&["true", "False"]), PgType::BOOL);
        assert_eq!(of(&["true", "1"]), PgType::TEXT);
    }
}
