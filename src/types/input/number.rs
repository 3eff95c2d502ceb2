//! Reads integers, oids, floats and booleans as PostgreSQL's input functions do.
//! Must not know: Arrow, the other types.

use crate::error::{Error, Result, SqlState};

/// What C's isspace() calls a blank.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The text without blanks around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii() && is_space(c as u8))
}

/// `invalid input syntax for type x: "text"`.
#[cold]
pub(crate) fn invalid(type_name: &str, text: &str) -> Error {
    let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
    Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message)
}

#[cold]
fn out_of_range(type_name: &str, text: &str) -> Error {
    let message = format!("value \"{text}\" is out of range for type {type_name}");
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// Reads an integer between two bounds. `type_name` is the SQL name: smallint, integer, bigint.
///
/// As in PostgreSQL a number that is too large is that, whatever stands behind the digit that made it so.
#[inline]
pub(crate) fn parse_int(text: &str, type_name: &str, min: i64, max: i64) -> Result<i64> {
    let body = trim(text).as_bytes();
    let (negative, digits) = match body {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, body),
    };
    if digits.is_empty() {
        return Err(invalid(type_name, text));
    }
    // Counted downwards, where there is room for the least number.
    let least = min.min(max.wrapping_neg());
    let mut value = 0i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(invalid(type_name, text));
        }
        let next = value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(byte - b'0')));
        value = next.filter(|v| *v >= least).ok_or_else(|| out_of_range(type_name, text))?;
    }
    let value = if negative { Some(value) } else { value.checked_neg() };
    value.filter(|v| (min..=max).contains(v)).ok_or_else(|| out_of_range(type_name, text))
}

/// Reads an int2.
pub(crate) fn parse_i16(text: &str) -> Result<i16> {
    parse_int(text, "smallint", i16::MIN.into(), i16::MAX.into()).map(|v| v as i16)
}

/// Reads an int4.
pub(crate) fn parse_i32(text: &str) -> Result<i32> {
    parse_int(text, "integer", i32::MIN.into(), i32::MAX.into()).map(|v| v as i32)
}

/// Reads an int8.
pub(crate) fn parse_i64(text: &str) -> Result<i64> {
    parse_int(text, "bigint", i64::MIN, i64::MAX)
}

/// Reads an oid (or another type of 32 bits without sign, by its name). As in PostgreSQL a negative int4 is taken
/// for its bits.
pub(crate) fn parse_oid(text: &str, type_name: &str) -> Result<u32> {
    let value = parse_int(text, type_name, i32::MIN.into(), u32::MAX.into())?;
    Ok(value as u32)
}

/// What C's strtoull() makes of a text, which PostgreSQL trusts for xid, cid and xid8: blanks, a sign, digits to the
/// base that their beginning says, and 0 where there are none.
pub(crate) fn parse_c_number(text: &str) -> u64 {
    let body = text.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
    let (negative, body) = match body.as_bytes().first() {
        Some(b'-') => (true, &body[1..]),
        Some(b'+') => (false, &body[1..]),
        _ => (false, body),
    };
    let hex = body.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x"))
        && body.as_bytes().get(2).is_some_and(u8::is_ascii_hexdigit);
    let (base, digits) = match body.as_bytes().first() {
        Some(b'0') if hex => (16, &body[2..]),
        Some(b'0') => (8, body),
        _ => (10, body),
    };
    let mut value = Some(0u64);
    for digit in digits.chars().map_while(|c| c.to_digit(base)) {
        value = value.and_then(|v| v.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
    }
    match value {
        Some(value) if negative => value.wrapping_neg(),
        Some(value) => value,
        None => u64::MAX,
    }
}

/// Reads a boolean: any beginning of true, false, yes, no, the words on and off, 1 and 0.
pub(crate) fn parse_bool(text: &str) -> Result<bool> {
    let word = trim(text);
    let begins =
        |full: &str| !word.is_empty() && full.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if begins("true") || begins("yes") || word.eq_ignore_ascii_case("on") || word == "1" {
        return Ok(true);
    }
    // `o` could be either.
    if begins("false") || begins("no") || (word.len() > 1 && begins("off")) || word == "0" {
        return Ok(false);
    }
    Err(invalid("boolean", text))
}

/// Whether the text is a decimal number with an optional exponent, and whether one of its digits is not zero.
fn float_shape(text: &str) -> Option<bool> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (body.get(..at)?, Some(body.get(at + 1..)?)),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !all_digits(digits) {
            return None;
        }
    }
    Some(mantissa.bytes().any(|b| matches!(b, b'1'..=b'9')))
}

/// `NaN`, `inf`, `-Infinity` in any case.
fn special_float(text: &str) -> Option<f64> {
    let (negative, word) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        _ => (false, text),
    };
    if word.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if word.eq_ignore_ascii_case("infinity") || word.eq_ignore_ascii_case("inf") {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    None
}

fn float_out_of_range(text: &str, type_name: &str) -> Error {
    let message = format!("\"{text}\" is out of range for type {type_name}");
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

/// Reads a float8.
pub(crate) fn parse_f64(text: &str) -> Result<f64> {
    let number = trim(text);
    let Some(significant) = float_shape(number) else {
        return special_float(number).ok_or_else(|| invalid("double precision", text));
    };
    let value: f64 = number.parse().map_err(|_| invalid("double precision", text))?;
    if value.is_infinite() || (value == 0.0 && significant) {
        return Err(float_out_of_range(number, "double precision"));
    }
    Ok(value)
}

/// Reads a float4.
pub(crate) fn parse_f32(text: &str) -> Result<f32> {
    let number = trim(text);
    let Some(significant) = float_shape(number) else {
        return special_float(number).map(|v| v as f32).ok_or_else(|| invalid("real", text));
    };
    let value: f32 = number.parse().map_err(|_| invalid("real", text))?;
    if value.is_infinite() || (value == 0.0 && significant) {
        return Err(float_out_of_range(number, "real"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_their_errors() {
        assert_eq!(parse_i32(" +12 ").unwrap(), 12);
        assert_eq!(parse_i64("-9223372036854775808").unwrap(), i64::MIN);
        assert_eq!(parse_oid("-1", "oid").unwrap(), u32::MAX);
        for (text, message) in [
            ("abc", "invalid input syntax for type integer: \"abc\""),
            ("", "invalid input syntax for type integer: \"\""),
            ("- 5", "invalid input syntax for type integer: \"- 5\""),
            ("1_000", "invalid input syntax for type integer: \"1_000\""),
            ("99999999999", "value \"99999999999\" is out of range for type integer"),
            ("99999999999999999999", "value \"99999999999999999999\" is out of range for type integer"),
        ] {
            assert_eq!(parse_i32(text).unwrap_err().message(), message);
        }
        assert_eq!(
            parse_oid("4294967296", "oid").unwrap_err().message(),
            "value \"4294967296\" is out of range for type oid"
        );
    }

    #[test]
    fn booleans() {
        for text in ["t", "TR", " on ", "y", "yes", "1"] {
            assert!(parse_bool(text).unwrap(), "{text}");
        }
        for text in ["f", "fal", "of", "off", "no", "n", "0"] {
            assert!(!parse_bool(text).unwrap(), "{text}");
        }
        for text in ["x", "o", "", "truex", "2", "ü"] {
            assert!(parse_bool(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floats() {
        assert_eq!(parse_f64(" -Inf ").unwrap(), f64::NEG_INFINITY);
        assert_eq!(parse_f64("1.").unwrap(), 1.0);
        assert_eq!(parse_f64("5e-324").unwrap(), 5e-324);
        assert!(parse_f64("nan").unwrap().is_nan());
        assert_eq!(parse_f64("1e400").unwrap_err().message(), "\"1e400\" is out of range for type double precision");
        assert_eq!(parse_f32("1e-50").unwrap_err().message(), "\"1e-50\" is out of range for type real");
        assert!(parse_f64("1e").is_err() && parse_f64("").is_err() && parse_f64("infin").is_err());
    }
}
