//! The text of decimals: an integer and where its point stands.
//! Must not know: Arrow arrays, numeric arithmetic.

use arrow::datatypes::i256;
use bytes::BytesMut;

use super::line::{Line, digits_before};

/// Powers of ten that cut a wide number into pieces of 19 digits.
const TEN_19: u64 = 10_000_000_000_000_000_000;

/// Digits of a 128-bit magnitude at the end of a buffer of at least 39 bytes; returns where they start.
pub(crate) fn digits_128(buffer: &mut [u8], mut value: u128) -> usize {
    let mut end = buffer.len();
    loop {
        if let Ok(small) = u64::try_from(value) {
            return digits_before(&mut buffer[..end], small);
        }
        let piece = (value % u128::from(TEN_19)) as u64;
        value /= u128::from(TEN_19);
        end = piece_before(buffer, end, piece);
    }
}

/// Digits of a 256-bit magnitude (four little-endian words) at the end of a buffer of at least 78 bytes; returns
/// where they start.
pub(crate) fn digits_256(buffer: &mut [u8], mut words: [u64; 4]) -> usize {
    let mut end = buffer.len();
    while words[2] != 0 || words[3] != 0 {
        let mut rest = 0u64;
        for word in words.iter_mut().rev() {
            let wide = (u128::from(rest) << 64) | u128::from(*word);
            *word = (wide / u128::from(TEN_19)) as u64;
            rest = (wide % u128::from(TEN_19)) as u64;
        }
        end = piece_before(buffer, end, rest);
    }
    digits_128(&mut buffer[..end], (u128::from(words[1]) << 64) | u128::from(words[0]))
}

/// Exactly 19 digits that end at `end`.
fn piece_before(buffer: &mut [u8], end: usize, piece: u64) -> usize {
    let start = digits_before(&mut buffer[..end], piece);
    buffer[end - 19..start].fill(b'0');
    end - 19
}

/// The words of a 256-bit number's magnitude, little-endian.
pub(crate) fn magnitude(value: i256) -> [u64; 4] {
    // The magnitude of the least number is its own bit pattern read without sign.
    let bytes = value.wrapping_abs().to_le_bytes();
    let mut words = [0u64; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
    }
    words
}

/// Writes digits with a point before the last `scale` of them, as PostgreSQL writes numeric. A negative scale
/// appends zeros.
fn write_scaled<const N: usize>(negative: bool, digits: &[u8], scale: i32, line: &mut Line<N>) {
    if negative {
        line.push(b'-');
    }
    let places = scale.max(0) as usize;
    if digits.len() > places {
        line.slice(&digits[..digits.len() - places]);
        if digits != b"0" {
            (scale..0).for_each(|_| line.push(b'0'));
        }
    } else {
        line.push(b'0');
    }
    if places > 0 {
        line.push(b'.');
        (digits.len()..places).for_each(|_| line.push(b'0'));
        line.slice(&digits[digits.len().saturating_sub(places)..]);
    }
}

/// Long enough for every 128-bit decimal, with a length before it.
pub(crate) type Short = Line<96>;

/// The text of a 128-bit decimal.
#[cfg(test)]
pub(crate) fn write_128(value: i128, scale: i32, out: &mut BytesMut) {
    let mut line = Short::new();
    line_128(value, scale, &mut line);
    line.flush(out);
}

/// The text of a 128-bit decimal in a line.
#[inline]
pub(crate) fn line_128(value: i128, scale: i32, line: &mut Short) {
    let mut buffer = [0u8; 40];
    let start = digits_128(&mut buffer, value.unsigned_abs());
    write_scaled(value < 0, &buffer[start..], scale, line);
}

/// The text of a 256-bit decimal.
pub(crate) fn write_256(value: i256, scale: i32, out: &mut BytesMut) {
    let mut buffer = [0u8; 80];
    let start = digits_256(&mut buffer, magnitude(value));
    let mut line = Line::<256>::new();
    write_scaled(value.is_negative(), &buffer[start..], scale, &mut line);
    line.flush(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: i128, scale: i32) -> String {
        let (mut narrow, mut wide) = (BytesMut::new(), BytesMut::new());
        write_128(value, scale, &mut narrow);
        write_256(i256::from_i128(value), scale, &mut wide);
        assert_eq!(narrow, wide);
        String::from_utf8(narrow.to_vec()).unwrap()
    }

    #[test]
    fn the_point_is_where_it_belongs() {
        assert_eq!(text(150, 2), "1.50");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(0, 2), "0.00");
        assert_eq!(text(0, 0), "0");
        assert_eq!(text(12, -2), "1200");
        assert_eq!(text(0, -2), "0");
        assert_eq!(text(i128::MIN, 0), i128::MIN.to_string());
        assert_eq!(text(i128::MAX, 38), "1.70141183460469231731687303715884105727");
        for power in 0..39 {
            let value = 10i128.pow(power);
            assert_eq!(text(value, 0), value.to_string());
            assert_eq!(text(value - 1, 0), (value - 1).to_string());
        }
    }

    #[test]
    fn wide_numbers() {
        let mut out = BytesMut::new();
        write_256(i256::MIN, 0, &mut out);
        assert_eq!(out, i256::MIN.to_string());
        out.clear();
        write_256(i256::from_string(&"9".repeat(76)).unwrap(), 76, &mut out);
        assert_eq!(out, format!("0.{}", "9".repeat(76)));
    }
}
