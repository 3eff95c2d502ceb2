//! The text of floats: the shortest digits that read back the same, in PostgreSQL's notation.
//! Must not know: Arrow.

use std::fmt::Write;

use bytes::BytesMut;

use super::line::{Line, digits_before, write_int};
use super::shortest::shortest_decimal;

/// A binary float, told apart by what PostgreSQL does differently for the two sizes.
pub(crate) trait Float: Copy + std::fmt::LowerExp + Into<f64> {
    /// Digits that every decimal survives: FLT_DIG, DBL_DIG.
    const DIGITS: i32;
    /// Whole numbers below are written as they are.
    const WHOLE: f64;
    /// Mantissa and exponent of a finite float: `m * 2^e`; and whether its lower neighbour is nearer than its upper
    /// one.
    fn parts(self) -> (u64, i32, bool);
}

impl Float for f64 {
    const DIGITS: i32 = 15;
    const WHOLE: f64 = 1e15;
    fn parts(self) -> (u64, i32, bool) {
        let bits = self.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
        match exponent {
            0 => (fraction, -1074, false),
            _ => (fraction | 1 << 52, exponent - 1075, fraction == 0 && exponent > 1),
        }
    }
}

impl Float for f32 {
    const DIGITS: i32 = 6;
    const WHOLE: f64 = 1e6;
    fn parts(self) -> (u64, i32, bool) {
        let bits = self.to_bits();
        let (exponent, fraction) = ((bits >> 23 & 0xff) as i32, bits & ((1 << 23) - 1));
        match exponent {
            0 => (u64::from(fraction), -149, false),
            _ => (u64::from(fraction | 1 << 23), exponent - 150, fraction == 0 && exponent > 1),
        }
    }
}

/// The text of a float under `extra_float_digits`.
pub(crate) fn write_float<F: Float>(value: F, extra_float_digits: i32, out: &mut BytesMut) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if wide.is_infinite() {
        out.extend_from_slice(if wide > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if extra_float_digits > 0 {
        shortest(value, wide, out);
    } else {
        let precision = (F::DIGITS + extra_float_digits).max(1);
        fixed_precision(value, precision, out);
    }
}

fn shortest<F: Float>(value: F, wide: f64, out: &mut BytesMut) {
    // Whole numbers below the bound of the plain notation are written exactly (-0 is not one).
    if wide.abs() < F::WHOLE && wide.trunc() == wide && (wide != 0.0 || wide.is_sign_positive()) {
        return write_int(wide as i64, out);
    }
    let (mantissa, exponent, uneven) = value.parts();
    let (digits, power) = if mantissa == 0 { (0, 0) } else { shortest_decimal(mantissa, exponent, uneven) };
    Scientific::of(wide.is_sign_negative(), digits, power).write(F::DIGITS, out);
}

/// C's `%.*g`: that many digits, trailing zeros cut.
fn fixed_precision<F: Float>(value: F, precision: i32, out: &mut BytesMut) {
    let mut line = Line::<40>::new();
    let places = (precision - 1) as usize;
    let _ = write!(line, "{value:.places$e}");
    Scientific::read(line.as_bytes()).write(precision, out);
}

/// Digits and exponent of a float: `d.ddd * 10^exponent`.
struct Scientific {
    negative: bool,
    digits: [u8; 20],
    len: usize,
    exponent: i32,
}

impl Scientific {
    /// `digits * 10^power`; trailing zeros are dropped.
    fn of(negative: bool, digits: u64, power: i32) -> Scientific {
        let mut number = Scientific { negative, digits: [b'0'; 20], len: 0, exponent: power };
        let start = digits_before(&mut number.digits, digits);
        number.digits.copy_within(start.., 0);
        number.len = 20 - start;
        number.exponent += number.len as i32 - 1;
        while number.len > 1 && number.digits[number.len - 1] == b'0' {
            number.len -= 1;
        }
        number
    }

    /// Reads what Rust's `{:e}` writes; trailing zeros are dropped.
    fn read(text: &[u8]) -> Scientific {
        let mut number = Scientific { negative: false, digits: [b'0'; 20], len: 0, exponent: 0 };
        let mut rest = text;
        if let [b'-', tail @ ..] = rest {
            number.negative = true;
            rest = tail;
        }
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match byte {
                b'0'..=b'9' if number.len < number.digits.len() => {
                    number.digits[number.len] = *byte;
                    number.len += 1;
                }
                b'e' => break,
                _ => {}
            }
        }
        number.exponent = std::str::from_utf8(rest).ok().and_then(|e| e.parse().ok()).unwrap_or(0);
        while number.len > 1 && number.digits[number.len - 1] == b'0' {
            number.len -= 1;
        }
        number
    }

    /// Plain from 10^-4 up to 10^limit, else with an exponent of at least two digits.
    fn write(&self, limit: i32, out: &mut BytesMut) {
        let mut line = Line::<48>::new();
        if self.negative {
            line.push(b'-');
        }
        let digits = &self.digits[..self.len];
        if self.exponent < -4 || self.exponent >= limit {
            line.slice(&digits[..1]);
            if digits.len() > 1 {
                line.push(b'.');
                line.slice(&digits[1..]);
            }
            line.push(b'e');
            line.push(if self.exponent < 0 { b'-' } else { b'+' });
            line.padded(u64::from(self.exponent.unsigned_abs()), 2);
        } else if self.exponent < 0 {
            line.str("0.");
            (1..-self.exponent).for_each(|_| line.push(b'0'));
            line.slice(digits);
        } else {
            let whole = self.exponent as usize + 1;
            line.slice(&digits[..digits.len().min(whole)]);
            (digits.len()..whole).for_each(|_| line.push(b'0'));
            if digits.len() > whole {
                line.push(b'.');
                line.slice(&digits[whole..]);
            }
        }
        line.flush(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<F: Float>(value: F, extra: i32) -> String {
        let mut out = BytesMut::new();
        write_float(value, extra, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn as_postgresql_writes_them() {
        let cases = [
            (1e23, "9.999999999999999e+22"),
            (9.007_199_254_740_993e15, "9.007199254740992e+15"),
            (2f64.powi(89), "6.189700196426902e+26"),
            (2f64.powi(77), "1.5111572745182865e+23"),
            (1e22, "1e+22"),
            (1e15, "1e+15"),
            (1e14, "100000000000000"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.0, "-0"),
            (0.0, "0"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (1.5, "1.5"),
            (-123_456.789, "-123456.789"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value, 1), expected);
        }
        for (value, expected) in [
            (123_456f32, "123456"),
            (1_234_567f32, "1.234567e+06"),
            (8.5e15, "8.5e+15"),
            (8_589_934_592f32, "8.589935e+09"),
            (16_777_216f32, "1.6777216e+07"),
            (33_554_432f32, "3.3554432e+07"),
            (1e-45, "1e-45"),
        ] {
            assert_eq!(text(value, 1), expected);
        }
        assert_eq!(text(1.0 / 3.0, 0), "0.333333333333333");
        assert_eq!(text(1.0 / 3.0, -10), "0.33333");
        assert_eq!(text(1.0 / 3.0, -15), "0.3");
        assert_eq!(text(1e15, 0), "1e+15");
        assert_eq!(text(0.1f32, 0), "0.1");
    }
}
