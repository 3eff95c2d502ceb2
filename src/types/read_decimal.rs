//! Decimals of a declared precision from the binary form and from text, without a detour through strings.
//! Must not know: builders.

use arrow::datatypes::i256;

use super::binary::input::Input;
use super::binary::numeric::{Received, receive, to_i128, write_text};
use super::numeric::{Numeric, field_overflow, not_held};
use crate::error::Result;

/// Powers of ten as far as 128 bits reach: the bounds of each precision.
const TEN_TO: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

fn within(value: i128, precision: u8) -> bool {
    TEN_TO.get(usize::from(precision)).is_some_and(|bound| value > -bound && value < *bound)
}

/// A numeric with nothing behind it.
#[inline]
fn whole(bytes: &[u8]) -> Result<Received<'_>> {
    let mut input = Input::new(bytes);
    let received = receive(&mut input)?;
    input.end()?;
    Ok(received)
}

/// A `numeric(precision, scale)` with a precision of at most 38 from its send format.
#[inline]
pub(super) fn decimal128_from_binary(bytes: &[u8], precision: u8, scale: i8) -> Result<i128> {
    let received = whole(bytes)?;
    if let Received::Finite { negative, weight, digits, .. } = received
        && let Some(value) = to_i128(negative, weight, digits, i32::from(scale))
        && within(value, precision)
    {
        return Ok(value);
    }
    by_numeric(&received)?.to_decimal128(u16::from(precision), i16::from(scale))
}

/// A `numeric(precision, scale)` with a precision of at most 76 from its send format.
pub(super) fn decimal256_from_binary(bytes: &[u8], precision: u8, scale: i8) -> Result<i256> {
    let received = whole(bytes)?;
    if let Received::Finite { negative, weight, digits, .. } = received
        && let Some(value) = to_i128(negative, weight, digits, i32::from(scale))
    {
        // Any 128-bit number within the smallest such precision fits.
        if precision > 38 {
            return Ok(i256::from_i128(value));
        }
    }
    by_numeric(&received)?.to_decimal256(u16::from(precision), i16::from(scale))
}

/// The rare ones: very long, or about to be refused.
#[cold]
fn by_numeric(received: &Received<'_>) -> Result<Numeric> {
    match received {
        Received::NaN => Ok(Numeric::NaN),
        Received::Infinity => Ok(Numeric::Infinity),
        Received::NegInfinity => Ok(Numeric::NegInfinity),
        Received::Finite { negative, weight, digits, .. } => {
            // All the digits that were sent count, also those behind the scale that was announced.
            let groups = (digits.len() / 2) as i32;
            let scale = ((groups - 1 - weight) * 4).clamp(0, 16_383) as u16;
            let whole = Received::Finite { negative: *negative, weight: *weight, scale, digits };
            let mut text = bytes::BytesMut::new();
            write_text(&whole, &mut text);
            Numeric::parse(std::str::from_utf8(&text).unwrap_or_default())
        }
    }
}

/// A `numeric(precision, scale)` with a precision of at most 38 from its text.
#[inline]
pub(super) fn decimal128_from_text(text: &str, precision: u8, scale: i8) -> Result<i128> {
    if let Some(value) = plain(text.as_bytes(), scale) {
        if within(value, precision) {
            return Ok(value);
        }
        return Err(field_overflow(u16::from(precision), i16::from(scale)));
    }
    let number = Numeric::parse(text)?;
    match number {
        Numeric::NaN => Err(not_held(&number, u16::from(precision), i16::from(scale))),
        number => number.to_decimal128(u16::from(precision), i16::from(scale)),
    }
}

/// Digits with a point and no more places than the scale has, which most decimals are.
fn plain(text: &[u8], scale: i8) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 30 {
        return None;
    }
    let mut value = 0i128;
    let mut places: Option<i8> = None;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i128::from(byte - b'0');
                places = places.map(|p| p + 1);
            }
            b'.' if places.is_none() && digits.len() > 1 => places = Some(0),
            _ => return None,
        }
    }
    let missing = usize::try_from(scale - places.unwrap_or(0)).ok()?;
    let value = value.checked_mul(*TEN_TO.get(missing)?)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(decimal128_from_text("1.5", 10, 2).unwrap(), 150);
        assert_eq!(decimal128_from_text("-.5", 10, 2).unwrap(), -50);
        assert_eq!(decimal128_from_text("1.", 10, 2).unwrap(), 100);
        assert_eq!(decimal128_from_text(" 1.005 ", 10, 2).unwrap(), 101);
        assert_eq!(decimal128_from_text("1e3", 10, 2).unwrap(), 100_000);
        assert_eq!(decimal128_from_text("123.45", 5, 2).unwrap(), 12_345);
        for bad in ["", "-", ".", "1..2", "x", "--1"] {
            assert_eq!(decimal128_from_text(bad, 5, 2).unwrap_err().state().code(), "22P02", "{bad}");
        }
        for big in ["1000", "999.995", "NaN", "inf"] {
            assert_eq!(decimal128_from_text(big, 5, 2).unwrap_err().state().code(), "22003");
        }
    }
}
