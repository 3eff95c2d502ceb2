//! `Numeric`: a value of PostgreSQL's type numeric, with its display scale, NaN and the infinities.
//! Must not know: Arrow arrays, the wire.

mod arithmetic;
mod convert;
mod sort_key;

pub(super) use self::convert::{field_overflow, not_held};

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::num_traits::{Signed, Zero};

use crate::error::{Error, Result, SqlState};
use crate::types::text::decimal::digits_128;

/// Most digits behind the point that a numeric can show.
pub(super) const MAX_SCALE: i64 = 16_383;
/// Most digits before the point.
pub(super) const MAX_WHOLE_DIGITS: i64 = 131_072;

/// A value of PostgreSQL's type numeric.
///
/// Equality and order are of the value, not of the scale: `1.0` equals `1.00`. NaN equals itself and is above
/// everything else.
#[derive(Debug, Clone)]
pub enum Numeric {
    /// Not a number.
    NaN,
    /// Infinity.
    Infinity,
    /// Minus infinity.
    NegInfinity,
    /// `unscaled / 10^scale`, shown with `scale` digits behind the point.
    Finite {
        /// All digits as an integer.
        unscaled: BigInt,
        /// Digits behind the point, at most 16383.
        scale: u32,
    },
}

/// 10 to a power.
pub(super) fn ten_to(power: u32) -> BigInt {
    if power < 19 { BigInt::from(10u64.pow(power)) } else { BigInt::from(10u8).pow(power) }
}

/// The digits of a magnitude: in the buffer where 128 bits hold it, else on the heap.
pub(super) fn digits_of<'a>(value: &BigInt, buffer: &'a mut [u8; 40]) -> Cow<'a, str> {
    let magnitude = value.magnitude();
    if magnitude.bits() > 128 {
        return Cow::Owned(magnitude.to_string());
    }
    let mut words = magnitude.iter_u64_digits();
    let (low, high) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
    let start = digits_128(buffer, u128::from(high) << 64 | u128::from(low));
    Cow::Borrowed(std::str::from_utf8(&buffer[start..]).unwrap_or_default())
}

/// How many decimal digits a number has; 0 for zero.
pub(super) fn digit_count(value: &BigInt) -> i64 {
    if value.is_zero() {
        return 0;
    }
    let bits = value.magnitude().bits();
    if bits <= 64 {
        let small = value.magnitude().iter_u64_digits().next().unwrap_or(0);
        return i64::from(small.ilog10()) + 1;
    }
    value.magnitude().to_string().len() as i64
}

/// `a / b`, rounded half away from zero.
pub(super) fn divide_rounding(a: &BigInt, b: &BigInt) -> BigInt {
    let quotient = a / b;
    let rest: BigInt = a - &quotient * b;
    if rest.abs() * 2u8 < b.abs() {
        return quotient;
    }
    if (a.sign() == Sign::Minus) == (b.sign() == Sign::Minus) { quotient + 1u8 } else { quotient - 1u8 }
}

pub(super) fn overflow() -> Error {
    Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Numeric {
    /// Zero without digits behind the point.
    #[must_use]
    pub fn zero() -> Numeric {
        Numeric::Finite { unscaled: BigInt::zero(), scale: 0 }
    }

    /// A number from its digits and its scale; a negative scale appends zeros.
    ///
    /// # Errors
    /// `22003` when it has more digits than numeric can hold.
    pub fn from_unscaled(unscaled: BigInt, scale: i64) -> Result<Numeric> {
        if !(-MAX_WHOLE_DIGITS..=MAX_SCALE).contains(&scale) {
            return Err(overflow());
        }
        let (unscaled, scale) =
            if scale < 0 { (unscaled * ten_to((-scale) as u32), 0) } else { (unscaled, scale as u32) };
        // Only a number that could be too long is counted.
        let limit = MAX_WHOLE_DIGITS + i64::from(scale);
        if unscaled.magnitude().bits() as f64 * 0.301 > (limit - 8) as f64 && digit_count(&unscaled) > limit {
            return Err(overflow());
        }
        Ok(Numeric::Finite { unscaled, scale })
    }

    /// A 128-bit decimal: `value / 10^scale`.
    #[must_use]
    pub fn from_i128(value: i128, scale: u32) -> Numeric {
        Numeric::Finite { unscaled: BigInt::from(value), scale: scale.min(MAX_SCALE as u32) }
    }

    /// Reads a number as PostgreSQL's input function does: blanks around it, an exponent, `NaN`, `inf`, `-Infinity`
    /// in any case.
    ///
    /// # Errors
    /// `22P02` for text that is no number, `22003` for one that numeric cannot hold.
    pub fn parse(text: &str) -> Result<Numeric> {
        let invalid = || {
            let message = format!("invalid input syntax for type numeric: \"{text}\"");
            Error::client(SqlState::INVALID_TEXT_REPRESENTATION, message)
        };
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        let (negative, body) = match trimmed.as_bytes().first() {
            Some(b'-') => (true, trimmed.get(1..).unwrap_or_default()),
            Some(b'+') => (false, trimmed.get(1..).unwrap_or_default()),
            _ => (false, trimmed),
        };
        if body.eq_ignore_ascii_case("inf") || body.eq_ignore_ascii_case("infinity") {
            return Ok(if negative { Numeric::NegInfinity } else { Numeric::Infinity });
        }
        if trimmed.eq_ignore_ascii_case("nan") {
            return Ok(Numeric::NaN);
        }
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(at) => (body.get(..at).unwrap_or_default(), Some(body.get(at + 1..).unwrap_or_default())),
            None => (body, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(invalid());
        }
        let exponent = exponent.map_or(Some(0), read_exponent).ok_or_else(invalid)?;
        finite(negative, whole, fraction, exponent)
    }

    /// Whether it is NaN.
    #[must_use]
    pub fn is_nan(&self) -> bool {
        matches!(self, Numeric::NaN)
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        matches!(self, Numeric::Finite { unscaled, .. } if unscaled.is_zero())
    }

    /// Whether it is below zero (minus infinity is, NaN is not).
    #[must_use]
    pub fn is_negative(&self) -> bool {
        match self {
            Numeric::NegInfinity => true,
            Numeric::Finite { unscaled, .. } => unscaled.is_negative(),
            _ => false,
        }
    }

    /// Bytes that it holds besides itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Numeric::Finite { unscaled, .. } => usize::try_from(unscaled.magnitude().bits() / 8).unwrap_or(0) + 8,
            _ => 0,
        }
    }

    /// Digits behind the point as shown; none for NaN and the infinities.
    #[must_use]
    pub fn scale(&self) -> Option<u32> {
        match self {
            Numeric::Finite { scale, .. } => Some(*scale),
            _ => None,
        }
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // PostgreSQL calls an exponent beyond half of an int's range a syntax error.
    text.parse::<i64>().ok().filter(|e| e.abs() < i64::from(i32::MAX / 2))
}

/// A number that numeric can hold, still as it is written.
struct Written<'t> {
    /// The digits before the point, without leading zeros.
    significant: &'t str,
    fraction: &'t str,
    exponent: i64,
    is_zero: bool,
    scale: u32,
}

fn written<'t>(whole: &'t str, fraction: &'t str, exponent: i64) -> Result<Written<'t>> {
    let scale = (fraction.len() as i64 - exponent).max(0);
    let significant = whole.trim_start_matches('0');
    // Digits before the point, once the exponent has moved it.
    let before = if significant.is_empty() {
        exponent - (fraction.len() - fraction.trim_start_matches('0').len()) as i64
    } else {
        significant.len() as i64 + exponent
    };
    let is_zero = significant.is_empty() && fraction.bytes().all(|b| b == b'0');
    if scale > MAX_SCALE || (!is_zero && before > MAX_WHOLE_DIGITS) {
        return Err(overflow());
    }
    Ok(Written { significant, fraction, exponent, is_zero, scale: scale as u32 })
}

fn finite(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Result<Numeric> {
    let Written { significant, scale, is_zero, .. } = written(whole, fraction, exponent)?;
    let shift = exponent - fraction.len() as i64;
    if is_zero {
        return Ok(Numeric::Finite { unscaled: BigInt::zero(), scale });
    }
    let mut unscaled = digits_to_int(significant, fraction);
    if shift > 0 {
        unscaled *= ten_to(shift as u32);
    }
    Ok(Numeric::Finite { unscaled: if negative { -unscaled } else { unscaled }, scale })
}

/// The text that numeric shows for a number in JSON's grammar: put together of its digits, for a short one may stand for many.
pub(super) fn text_of_number(token: &str) -> Result<String> {
    let (sign, body) = token.strip_prefix('-').map_or(("", token), |body| ("-", body));
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (body.get(..at).unwrap_or_default(), body.get(at + 1..).map(read_exponent)),
        None => (body, Some(Some(0))),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Some(exponent) = exponent.flatten() else { return Numeric::parse(token).map(|number| number.to_string()) };
    let Written { significant, fraction, exponent, is_zero, scale } = written(whole, fraction, exponent)?;
    let scale = scale as usize;
    if is_zero {
        return Ok(if scale == 0 { "0".to_owned() } else { format!("0.{:0>scale$}", "") });
    }
    let zeros = usize::try_from(exponent - fraction.len() as i64).unwrap_or(0);
    let mut digits = String::with_capacity(significant.len() + fraction.len() + zeros);
    digits.push_str(significant);
    digits.push_str(if significant.is_empty() { fraction.trim_start_matches('0') } else { fraction });
    digits.extend(std::iter::repeat_n('0', zeros));
    Ok(match digits.len().checked_sub(scale) {
        _ if scale == 0 => format!("{sign}{digits}"),
        Some(before @ 1..) => {
            let (whole, fraction) = digits.split_at(before);
            format!("{sign}{whole}.{fraction}")
        }
        _ => format!("{sign}0.{digits:0>scale$}"),
    })
}

/// The integer of digits (ASCII, checked) in two parts.
fn digits_to_int(first: &str, second: &str) -> BigInt {
    if first.len() + second.len() <= 18 {
        let value = first.bytes().chain(second.bytes()).fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
        return BigInt::from(value);
    }
    let mut all = String::with_capacity(first.len() + second.len());
    all.push_str(first);
    all.push_str(second);
    BigInt::parse_bytes(all.as_bytes(), 10).unwrap_or_default()
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unscaled, scale) = match self {
            Numeric::NaN => return f.write_str("NaN"),
            Numeric::Infinity => return f.write_str("Infinity"),
            Numeric::NegInfinity => return f.write_str("-Infinity"),
            Numeric::Finite { unscaled, scale } => (unscaled, *scale as usize),
        };
        let mut buffer = [0u8; 40];
        let digits = digits_of(unscaled, &mut buffer);
        if unscaled.is_negative() {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{digits:0>scale$}")
        }
    }
}

impl std::str::FromStr for Numeric {
    type Err = Error;
    fn from_str(text: &str) -> Result<Numeric> {
        Numeric::parse(text)
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        let rank = |n: &Numeric| match n {
            Numeric::NegInfinity => 0,
            Numeric::Finite { .. } => 1,
            Numeric::Infinity => 2,
            Numeric::NaN => 3,
        };
        match (self, other) {
            (Numeric::Finite { unscaled: a, scale: s }, Numeric::Finite { unscaled: b, scale: t }) => match s.cmp(t) {
                Ordering::Equal => a.cmp(b),
                Ordering::Less => (a * ten_to(t - s)).cmp(b),
                Ordering::Greater => a.cmp(&(b * ten_to(s - t))),
            },
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sort_key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_are_shown_as_numeric_shows_them() {
        let tokens = [
            "0", "-0", "0.00", "-0.0e1", "0e5", "0e-3", "1e10", "-1.50e1", "1.5e-3", "12.345e2", "12.345e3",
            "12.345e7", "0.0012e2", "0.0012e4", "0.0012e9", "123e-2", "123e-3", "123e-9", "1E+3", "9.99", "1e131071",
            "1e-16383",
        ];
        for token in tokens {
            assert_eq!(text_of_number(token).unwrap(), Numeric::parse(token).unwrap().to_string(), "{token}");
        }
        for token in ["1e131072", "1e-16384", "1e9999999999", "0.1e131073"] {
            let (ours, known) = (text_of_number(token).unwrap_err(), Numeric::parse(token).unwrap_err());
            assert_eq!((ours.state(), ours.message()), (known.state(), known.message()), "{token}");
        }
    }

    #[test]
    fn reads_and_shows_as_postgresql() {
        for (text, shown) in [
            ("1e10", "10000000000"),
            ("1e-5", "0.00001"),
            (".5", "0.5"),
            ("5.", "5"),
            (" +5 ", "5"),
            ("inf", "Infinity"),
            ("-Infinity", "-Infinity"),
            ("nan", "NaN"),
            ("1.50e1", "15.0"),
            ("1.50e-2", "0.0150"),
            ("1.5e5", "150000"),
            ("-0.0", "0.0"),
            ("00012.500", "12.500"),
            ("123456789012345678901234567890.12", "123456789012345678901234567890.12"),
            ("0e200000", "0"),
        ] {
            assert_eq!(Numeric::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", " ", "abc", "1e", "1.2.3", ".", "- 1", "1 2", "+nan", "e5", "1e99999999999", "0x1"] {
            assert_eq!(Numeric::parse(bad).unwrap_err().state(), SqlState::INVALID_TEXT_REPRESENTATION, "{bad}");
        }
        for big in ["1e131072", "1e-16384", "1e200000"] {
            assert_eq!(Numeric::parse(big).unwrap_err().message(), "value overflows numeric format");
        }
        assert!(Numeric::parse("1e131071").is_ok() && Numeric::parse("1e-16383").is_ok());
    }

    #[test]
    fn order() {
        let n = |text| Numeric::parse(text).unwrap();
        assert!(n("1.0") == n("1.00") && n("NaN") == n("NaN"));
        assert!(n("NaN") > n("inf") && n("inf") > n("1e100") && n("-inf") < n("-1e100"));
        assert!(n("-1.5") < n("-1.49") && n("0.1") > n("0.09999"));
    }
}
